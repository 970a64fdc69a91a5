"""What the server says about its settings, as values that can be judged without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wnadmin.domain.config.rules import Recommended
from wnadmin.domain.config.values import Kind, Value, parse
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database

OWN: Final = (
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "TimeZone",
    "DateStyle",
    "row_security",
)
"""What every session of wnadmin sets for itself, and what would hide the server's values here."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of pg_settings; ``file`` and ``line`` are empty where they are hidden or there are none."""

    name: str
    setting: str
    unit: str
    kind: str
    context: str
    source: str
    built_in: str | None
    file: str
    line: int
    pending: bool
    wanted: bool

    @property
    def holds(self) -> Kind:
        """What it holds, for reading values."""
        return Kind(self.kind, self.unit)

    @property
    def is_masked(self) -> bool:
        """Whether this login's own value stands before the server's."""
        return self.source in ("client", "session", "user", "database", "database user", "global")


@dataclass(frozen=True, slots=True)
class Login:
    """Who looks, where, and what may be seen.

    ``wondernest``: the database is one. ``roles`` are those of the wanted ones that exist.
    """

    login: str
    database: str
    wondernest: bool
    sees_all: bool
    sees_files: bool
    roles: list[str]


@dataclass(frozen=True, slots=True)
class Override:
    """A value for a role (``''``: every one), a database (``''``: every one), or both; ``here``: in force here."""

    role: str
    database: str
    name: str
    value: str | None
    here: bool

    def who(self) -> str:
        """Name whom it is for."""
        role = f"role {self.role}" if self.role else "every role"
        return f"{role} in {self.database}" if self.database else role

    def statement(self) -> str:
        """Give the beginning of the statement that changes it."""
        if not self.role and self.database:
            return f"ALTER DATABASE {_identifier(self.database)}"
        within = f" IN DATABASE {_identifier(self.database)}" if self.database else ""
        return f"ALTER ROLE {_identifier(self.role) if self.role else 'ALL'}{within}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a configuration file; ``last`` when no later one is about the same setting."""

    name: str
    value: str | None
    file: str
    line: int
    last: bool
    error: str


@dataclass(frozen=True, slots=True)
class Locks:
    """The lock table, and what one statement over all of the largest partitioned table takes of it.

    ``parent`` is None where nothing is partitioned.
    """

    room: int
    sessions: int
    parent: str | None
    needed: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was seen. ``files`` is None where the login may not read them."""

    version: int
    login: Login
    settings: dict[str, Setting]
    overrides: list[Override]
    files: list[Line] | None
    locks: Locks

    def server_value(self, setting: Setting) -> Value | None:
        """Give the value for whoever has no other, None when this login's own hides it and no file is readable."""
        if not setting.is_masked:
            return parse(setting.setting, setting.holds)
        if self.files is None:
            return None
        for one in reversed(self.files):
            if one.name == setting.name and one.last and one.value is not None and not one.error:
                return parse(one.value, setting.holds)
        return parse(setting.built_in or "", setting.holds)

    def waiting_value(self, setting: Setting) -> Value | None:
        """Give the value after the next restart, None when it cannot be seen."""
        for one in reversed(self.files or ()):
            if one.name == setting.name and one.last and one.value is not None:
                try:
                    return parse(one.value, setting.holds)
                except ValueError:
                    return None
        return None


def look(connections: Connections, recommended: tuple[Recommended, ...]) -> Facts:
    """Look at the settings as a session without any of its own finds them."""
    names = sorted({one.name for one in recommended} | {one.unless for one in recommended if one.unless})
    roles = sorted({role for one in recommended for role in one.roles})
    db = Database(connections.open(settings=dict.fromkeys(OWN)))
    listed = db.rows("queries/config/settings", Setting, names=_array(names))
    db.session.run("SET statement_timeout = '5s'")
    login = db.rows("queries/config/login", Login, roles=_array(roles))[0]
    overrides = db.rows("queries/config/overrides", Override, names=_array(names))
    files = db.rows("queries/config/files", Line, names=_array(names)) if login.sees_files else None
    locks = db.rows("queries/config/lock_table", Locks)[0]
    return Facts(db.version, login, {one.name: one for one in listed}, overrides, files, locks)


def _array(names: list[str]) -> str:
    return "{" + ",".join(f'"{one}"' for one in names) + "}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
