"""Where the statement statistics come from: the extension, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from wnadmin.errors import Refused
from wnadmin.postgres.database import Database


@dataclass(frozen=True, slots=True)
class Extension:
    """Where pg_stat_statements stands: ``schema`` and ``version`` are None where it was not created."""

    preloaded: bool
    schema: str | None
    version: str | None
    may_reset: bool


@dataclass(frozen=True, slots=True)
class Source:
    """An extension that collects: its schema, its own version, and whether this login may reset it."""

    schema: str
    version: str
    may_reset: bool


def find(db: Database) -> Source:
    """Find the extension in the connected database; Refused, with the remedy, where it cannot have collected."""
    found = db.rows("queries/queries/extension", Extension)[0]
    if not found.preloaded:
        missing = found.schema is None
        raise Refused(
            f"pg_stat_statements does not exist in {db.name}" if missing else "pg_stat_statements is not loaded",
            why="It is not in shared_preload_libraries.",
            next="ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements' (with what stands there now), "
            "restart the server" + (f", then {db.creation_of('pg_stat_statements')}." if missing else "."),
        )
    if found.schema is None or found.version is None:
        raise Refused(
            f"pg_stat_statements does not exist in {db.name}",
            why="The server collects, but the extension was not created in this database.",
            next=f"Run: {db.creation_of('pg_stat_statements')}",
        )
    return Source(found.schema, found.version, found.may_reset)
