"""Where a session goes: resolved connection parameters, without an open connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wnadmin.secret import Secret


@dataclass(frozen=True, slots=True)
class Target:
    """One node of one database as libpq parameters (``password`` kept apart as a Secret).

    ``source`` says where the parameters came from, in words for an error message.
    """

    parameters: Mapping[str, str]
    password: Secret | None = field(default=None, repr=False)
    node: str = "primary"
    source: str = "the command line"
    production: bool = False
    admin_database: str = "postgres"

    def database(self) -> str:
        """Name the database as far as it is known before connecting ('' when libpq will decide)."""
        return self.parameters.get("dbname", "")

    def at(self, dbname: str) -> Target:
        """The same server and login, another database."""
        return replace(self, parameters={**self.parameters, "dbname": dbname})

    def as_role(self, user: str) -> Target:
        """The same server and database, another login."""
        return replace(self, parameters={**self.parameters, "user": user}, password=None)

    def describe(self) -> str:
        """Say where this goes, e.g. ``wondernest_prod at /run/postgresql:5432``; never a password."""
        host = self.parameters.get("host") or self.parameters.get("hostaddr") or ""
        port = self.parameters.get("port", "")
        place = ":".join(part for part in (host, port) if part)
        service = self.parameters.get("service", "")
        name = self.database() or (f"service {service}" if service else "the default database")
        return f"{name} at {place}" if place else name
