"""Whether this login may migrate this database, asked before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass

from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.classify import FIRST
from wnadmin.domain.setup.flyway import HistoryRow
from wnadmin.domain.setup.migrations import OWNER
from wnadmin.domain.setup.turn import WRITABLE
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.errors import refuse_standby


@dataclass(frozen=True, slots=True)
class Readiness:
    """What ``migrate/ready`` saw. ``login`` logged in, ``acting`` is who it is now (a role may be set for it)."""

    in_recovery: bool
    read_only: bool
    is_template: bool
    login: str
    acting: str
    is_superuser: bool
    owner_exists: bool
    may_become_owner: bool
    has_history: bool
    history_owner: str
    owner_may_record: bool


def look(db: Database) -> Readiness:
    """Look at server, login and history."""
    (row,) = db.rows("queries/migrate/ready", Readiness, owner=OWNER)
    return row


def require(db: Database, doing: str) -> tuple[Readiness, tuple[HistoryRow, ...]]:
    """Give what was seen and the history; Refused with the next thing to do when anything stands in the way."""
    seen = look(db)
    if seen.in_recovery:
        raise refuse_standby(f"`wnadmin {doing}`", "")
    if seen.read_only:
        raise Refused(
            f"{db.name} is read-only",
            why="Transactions are read-only here: default_transaction_read_only is on.",
            next=WRITABLE,
        )
    if seen.is_template:
        raise Refused(
            f"{db.name} is a template database",
            why="Every database made from it afterwards would have the change.",
            next="Name a database of its own with --dsn.",
        )
    if not seen.owner_exists:
        raise Refused(
            f"there is no role {OWNER}",
            why="It owns what migrations make.",
            next="Set the database up: wnadmin setup apply",
        )
    if not seen.may_become_owner:
        raise Refused(
            f"{seen.login} may not migrate",
            why=f"What migrations make belongs to {OWNER}, and {seen.login} cannot become it.",
            next="Log in as wondernest_migration or as a superuser: --dsn 'user=wondernest_migration dbname=…'",
        )
    if not seen.has_history:
        raise Refused(
            f"{db.name} has no migration history",
            why=f"There is no table {flyway.SCHEMA}.{flyway.TABLE}, so nothing says what was applied.",
            next="A new database: wnadmin setup apply. One that was made by hand: wnadmin setup adopt",
        )
    rows = flyway.read_history(db.session) or ()
    if not seen.owner_may_record:
        raise Refused(
            f"{OWNER} may not write the migration history",
            why=f"{flyway.SCHEMA}.{flyway.TABLE} belongs to {seen.history_owner}.",
            next=f"ALTER TABLE {flyway.SCHEMA}.{flyway.TABLE} OWNER TO {OWNER}",
        )
    if FIRST not in flyway.applied(rows) and not any(row.type == flyway.BASELINE for row in rows):
        raise Refused(
            f"the migration history of {db.name} does not hold V001",
            why="So it is not known which schema the migrations would change.",
            next="wnadmin setup adopt compares the schema and records it.",
        )
    return seen, rows
