"""Forget the collected statement statistics of one database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wnadmin.domain.queries import source
from wnadmin.domain.queries.source import Source
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Plan


@dataclass(frozen=True, slots=True)
class Collected:
    """What has been collected for this database, and when all was last forgotten.

    ``busiest`` is the query id with the most calls, None when nothing has been collected.
    """

    statements: int
    calls: int
    busiest: str | None
    busiest_calls: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Calls:
    """How often one statement was called."""

    calls: int


def plan(db: Database, inputs: Inputs) -> Plan:
    """Describe the reset; refuse where the extension is absent or the login may not reset it.

    ``inputs`` of an interrupted run hold what had been collected before it; the proof compares with that.
    """
    extension = source.find(db)
    if not extension.may_reset:
        raise Refused(
            "this login may not reset the statement statistics",
            next=f"GRANT EXECUTE ON FUNCTION {extension.schema}.pg_stat_statements_reset TO the login.",
        )
    before = _before(inputs) or _collected(db, extension)
    step = db.statement(
        "Forget the statement statistics",
        "changes/queries/reset",
        {"schema": extension.schema},
        key="reset",
        rows=1,
    )
    return Plan(
        f"Reset pg_stat_statements of {db.name}",
        (step,),
        effects=(
            f"{before.statements} statements with {before.calls} calls are forgotten; there is no undo.",
            "Reports on slow statements start from nothing.",
        ),
        inputs={
            "statements": before.statements,
            "calls": before.calls,
            "busiest": before.busiest,
            "busiest_calls": before.busiest_calls,
        },
        verify=lambda: [_forgotten(db, extension, before)],
        target=f"{db.name}/statement statistics",
        next="wnadmin audit log",
    )


def _collected(db: Database, extension: Source) -> Collected:
    return db.rows("queries/queries/collected", Collected, schema=extension.schema)[0]


def _before(inputs: Inputs) -> Collected | None:
    match inputs:
        case {"statements": int(statements), "calls": int(calls), "busiest": busiest, "busiest_calls": int(most)}:
            return Collected(statements, calls, busiest if isinstance(busiest, str) else None, most, None)
    return None


def _forgotten(db: Database, extension: Source, before: Collected) -> Finding:
    after = _collected(db, extension)
    left = 0
    if before.busiest is not None:
        name = "queries/queries/calls_of"
        left = db.rows(name, Calls, schema=extension.schema, queryid=before.busiest)[0].calls
    # Sessions go on collecting, this one too, so the proof is not zero: the statement with the most calls
    # must have fewer than before, or all together must.
    gone = before.busiest is None or left < before.busiest_calls or after.calls < before.calls
    return Finding(
        "queries.reset",
        "queries.reset",
        "ok" if gone else "critical",
        f"{after.calls} calls are counted now, {before.calls} before; the busiest statement has {left}",
        object=db.name,
        measured=str(left),
        threshold=f"fewer than {before.busiest_calls}",
    )
