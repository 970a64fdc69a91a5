"""`partitions maintain` and `partitions create`: partitions are made beside the table and attached when whole."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.partitions import bounds, draft, ladder, look, mark, statements
from wnadmin.domain.partitions.bounds import MONTH, Span
from wnadmin.domain.partitions.draft import Draft, Shared
from wnadmin.domain.partitions.ladder import Ladder, Wanted
from wnadmin.domain.partitions.values import Circumstances, Table, path
from wnadmin.errors import Refused, UsageError, WnError
from wnadmin.ledger.locks import TABLES
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Severity, Step, World

AHEAD: Final = 12
"""Months that are kept ahead, unless the step is shorter than a month; then it is one."""
MOST: Final = 240
CHECK: Final = "partitions.made"
OLD: Final = 5.0
"""Seconds. A transaction of this age that holds what is wanted is named beforehand."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made for one table."""

    table: Table
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


def plan_maintain(
    db: Database, names: Sequence[str], ahead: int | None, inputs: Inputs, *, most: int = draft.MOVED
) -> Plan:
    """Plan what is missing from the stretch before this one to so many months ahead."""
    if ahead is not None and not 0 <= ahead <= MOST:
        raise UsageError(f"--ahead {ahead} is out of range", next=f"Give 0 to {MOST} months.")
    seen = look.circumstances(db, "partitions maintain")
    now = _moment(inputs.get("now")) or seen.moment.astimezone(UTC)
    everything = look.tables(db)
    tables = look.chosen(everything, names)
    detached = _detached(db)
    jobs, notes = [], []
    for table in tables:
        every = table.every or MONTH
        start, end = every.before(now), _end(now, ahead, months=bool(every.months))
        kept = [span for parent, span in detached if parent == table.path]
        wanted = bounds.missing(every, start, end, table.spans)
        spans = bounds.missing(every, start, end, [*table.spans, *kept])
        if wanted != spans:
            notes.append(f"{table.path}: what was detached and is kept is not made anew.")
        jobs.append(Job(table, tuple(spans)))
    if not names:
        notes += [f"{one.path} is left alone: {one.refusal}." for one in everything if one.refusal]
    reaches = "; ".join(f"{one.table.path} to {bounds.told(bounds.reach(one.table.open, now))}" for one in jobs)
    nothing = f"nothing is missing: {reaches}" if jobs else "no table here is partitioned by time"
    recorded: Inputs = {"now": now.isoformat()}
    return _plan(db, seen, jobs, notes, recorded, most, "Make the partitions that are missing in", nothing)


def plan_create(db: Database, name: str, first: str, last: str, inputs: Inputs, *, most: int = draft.MOVED) -> Plan:
    """Plan the partitions of one table from one month or day to another, both included."""
    seen = look.circumstances(db, "partitions create")
    (table,) = look.chosen(_with_step(look.tables(db), name), [name])
    every = table.every or MONTH
    start, end = _period(first), _period(last or first)
    if end < start:
        raise UsageError(f"{last} is before {first}", next="Give the earlier one first.")
    stretch = Span(every.at(start).lower, every.at(end).upper)
    if sum(1 for _ in every.between(stretch.lower, stretch.upper)) > MOST * 4:
        raise UsageError(f"{first} to {last} are more than {MOST * 4} partitions", next="Give a shorter stretch.")
    kept = [one for one in _detached(db) if one[0] == table.path]
    for _, span in kept:
        if span.lower < stretch.upper and span.upper > stretch.lower:
            raise Refused(
                f"{table.path} from {span} was detached and is kept",
                why="Its rows would be in neither of two tables for sure.",
                next="Attach it again with `wnadmin audit undo`, or wait until it is retired.",
            )
    job = Job(table, tuple(bounds.missing(every, stretch.lower, stretch.upper, table.spans)))
    nothing = f"{table.path} has every {every} from {stretch}"
    return _plan(db, seen, [job], [], {}, most, "Make partitions in", nothing)


def _with_step(found: Sequence[Table], name: str) -> list[Table]:
    """Let the first partition of a table be a month."""
    made = []
    for one in found:
        first = one.parent.by_time and not one.placed and not one.parent.is_nested and not one.unread
        made.append(replace(one, every=MONTH, refusal="") if first and one.every is None else one)
    return made


def _period(text: str) -> datetime:
    found = bounds.period(text)
    if found is None or not 1900 <= found.year <= 2900:
        raise UsageError(f"cannot read {text!r} as a month", next="Write 2027-03, or 2027-03-15 for a day.")
    return datetime(found.year, found.month, found.day, tzinfo=UTC)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _end(now: datetime, ahead: int | None, *, months: bool) -> datetime:
    count = ahead if ahead is not None else AHEAD if months else 1
    number = now.year * 12 + now.month + count
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _detached(db: Database) -> list[tuple[str, Span]]:
    marks = (mark.read(one.mark) for one in look.former(db))
    return [(one.parent, one.span) for one in marks if one is not None]


# --- the plan ---------------------------------------------------------------------------------------------------


def _plan(
    db: Database,
    seen: Circumstances,
    jobs: Sequence[Job],
    notes: Sequence[str],
    inputs: Inputs,
    most: int,
    title: str,
    nothing: str,
) -> Plan:
    climbing = ladder.standing(seen.deadlock_milliseconds)
    steps: list[Step] = []
    effects: list[str] = []
    drafted: list[tuple[Job, list[Draft]]] = []
    for job in jobs:
        leftover = _leftover(db, job.table)
        if not job.spans and not leftover:
            continue
        shared = draft.shared(db, job.table, seen)
        if leftover:
            steps.append(_cleaning(db, shared, leftover, climbing))
            effects.append(f"{job.table.path}: an interrupted run left {', '.join(leftover)}; that is taken back.")
        if job.spans:
            found = draft.drafts(db, shared, job.spans, most)
            drafted.append((job, found))
            steps.append(_step(db, job, shared, found, climbing))
            effects += _effects(db, shared, found)
    if not steps:
        return Plan(f"{title} {db.name}", (), nothing=_sentence(nothing, jobs))
    if drafted:
        effects.append(
            f"No lock is waited for longer than {climbing.cap / 1000:g} s; one that is not to be had after "
            f"{len(climbing.attempts)} attempts is named, and what is left is not made."
        )
    pending = [one for job in jobs for one in job.table.pending]
    effects += [f"{one.part.path} is half detached: `wnadmin partitions detach` finishes that." for one in pending]
    return Plan(
        f"{title} {db.name}",
        tuple(steps),
        effects=(*effects, *notes),
        inputs=inputs,
        verify=lambda: prove(db, drafted),
        target=TABLES,
        next="wnadmin partitions list",
    )


def _sentence(nothing: str, jobs: Sequence[Job]) -> str:
    pending = [one.part.path for job in jobs for one in job.table.pending]
    return nothing + (f". {', '.join(pending)} is half detached: wnadmin partitions detach" if pending else "")


def _leftover(db: Database, table: Table) -> list[str]:
    if table.default is None:
        return []
    return [one.name for one in db.rows("queries/partitions/excludes", _Named, part=table.default.oid)]


def _cleaning(db: Database, shared: Shared, leftover: Sequence[str], climbing: Ladder) -> Step:
    default = shared.default or ("", "")
    run_ = [statements.drop_constraint(*default, one) for one in leftover]
    doing = f"take back what was left at {path(*default)}"

    def run(world: World) -> Receipt:
        began = time.monotonic()
        climbing.climb(
            db,
            lambda milliseconds: ladder.together(db, milliseconds, shared.become, run_, doing),
            lambda: Wanted(own=shared.wanted.own),
            doing,
            world,
        )
        return Receipt(f"leftover {shared.table.path}", len(leftover), _since(began))

    return Step(
        f"leftover {shared.table.path}",
        f"Take back what an interrupted run left at {path(*default)}",
        ("BEGIN;", *(f"{db.session.quote(one)};" for one in run_), "COMMIT;"),
        run,
        done=lambda: not _leftover(db, shared.table),
    )


def _step(db: Database, job: Job, shared: Shared, found: Sequence[Draft], climbing: Ladder) -> Step:
    key = f"make {job.table.path}"

    def run(world: World) -> Receipt:
        began, attempts = time.monotonic(), 0
        left = _left(db, job.table, found)
        for one in left:
            world.progress(f"make {one.path}", len(found) - len(left) + left.index(one), len(found))
            attempts += _make(db, one, climbing, world)
        values: dict[str, Json] = {"first": left[0].path, "last": left[-1].path, "attempts": attempts} if left else {}
        return Receipt(key, len(left), _since(began), values)

    many = "partition" if len(found) == 1 else f"{len(found)} partitions"
    return Step(
        key,
        f"Make {many} of {job.table.path}",
        tuple(_shows(db, found)),
        run,
        done=lambda: not _left(db, job.table, found),
    )


def _shows(db: Database, found: Sequence[Draft]) -> Iterator[str]:
    first = found[0]
    quote = db.session.quote
    if first.beforehand is not None:
        for one in first.beforehand:
            yield f"{quote(one)};"
    yield "BEGIN;"
    yield f"{quote(statements.patience(ladder.RUNGS[0], local=True))};  -- longer from attempt to attempt"
    if first.shared.become:
        yield f"{quote(statements.become(first.shared.become, local=True))};"
    for one in first.together():
        yield f"{quote(one)};"
    yield "COMMIT;"
    if len(found) > 1:
        lines = [f"--   {one.path}: {one.span}" + f", with {one.rows:,} rows" * bool(one.rows) for one in found[1:]]
        yield "\n".join(["-- and in the same way, each in a transaction of its own:", *lines])


def _left(db: Database, table: Table, found: Sequence[Draft]) -> list[Draft]:
    spans = next((one.spans for one in look.tables(db) if one.parent.oid == table.parent.oid), ())
    return [one for one in found if one.span not in spans]


def _make(db: Database, one: Draft, climbing: Ladder, world: World) -> int:
    shared, doing = one.shared, f"make {one.path}"
    attempts = 0
    if one.beforehand is not None:
        for statement in one.beforehand:
            attempts += _beforehand(db, one, statement, climbing, world)
    try:
        attempts += climbing.climb(
            db, lambda milliseconds: draft.make(db, one, milliseconds), lambda: shared.wanted, doing, world
        )
    except WnError:
        _take_back(db, one)
        raise
    return attempts


def _beforehand(db: Database, one: Draft, statement: Composable, climbing: Ladder, world: World) -> int:
    shared, doing = one.shared, f"keep rows of {one.span} out of the default partition"
    try:
        return climbing.climb(
            db,
            lambda milliseconds: ladder.together(db, milliseconds, shared.become, [statement], doing),
            lambda: Wanted(own=shared.wanted.own),
            doing,
            world,
        )
    except WnError as error:
        _take_back(db, one)
        if error.sqlstate == "23514":
            error.next = "Rows came in meanwhile: run it again, and they are moved."
        raise


def _take_back(db: Database, one: Draft) -> None:
    """Drop the constraint again; if that cannot be had either, the next run finds it and says so."""
    default = one.shared.default
    if default is None or one.beforehand is None:
        return
    statement = statements.drop_constraint(*default, one.constraint)
    for milliseconds in ladder.RUNGS:
        with contextlib.suppress(WnError):
            ladder.together(db, milliseconds, one.shared.become, [statement], "take the constraint back")
            return
        time.sleep(0.1)


# --- words and proof --------------------------------------------------------------------------------------------


def _effects(db: Database, shared: Shared, found: Sequence[Draft]) -> Iterator[str]:
    table = shared.table
    many = "1 partition" if len(found) == 1 else f"{len(found)} partitions"
    yield f"{table.path} gets {many}, from {bounds.told(found[0].span.lower)} to {bounds.told(found[-1].span.upper)}."
    odd = [one for one in found if shared.every.at(one.span.lower) != one.span]
    if odd:
        yield (
            f"{table.path}: {', '.join(str(one.span) for one in odd[:3])} is a part of a {shared.every} only: what "
            "lies beside it was made with bounds in another time zone."
        )
    named = [one for one in found if one.name != bounds.name(shared.model.name, shared.every, one.span, frozenset())]
    if named:
        yield f"{named[0].path} has a number in its name, as the plain one is taken."
    if shared.linked:
        names = ", ".join(path(one.schema, one.name) for one in shared.linked)
        yield f"Writers of {names} wait while one is attached, for milliseconds; readers and {table.path} go on."
    if shared.default is not None:
        default = path(*shared.default)
        moved = sum(one.rows for one in found)
        if moved:
            yield f"{moved:,} rows are moved out of {default}, which is locked against everybody meanwhile."
        if any(one.beforehand for one in found):
            yield (
                f"{default} is read once for each, beside its users, and is locked for a moment. Until the partition "
                "is attached, rows for it are refused."
            )
    now = datetime.now(UTC)
    for one in ladder.holders(db, shared.wanted):
        if one.xact_start is not None and (now - one.xact_start).total_seconds() > OLD:
            yield f"In the way now: {one}."


@dataclass(frozen=True, slots=True)
class _Made:
    oid: int
    same_owner: bool
    same_protection: bool
    same_grants: bool


def prove(db: Database, drafted: Sequence[tuple[Job, Sequence[Draft]]]) -> list[Finding]:
    """Look again whether every partition is there, within its bounds and protected as its parent."""
    tables = {one.parent.oid: one for one in look.tables(db)}
    found = []
    for job, wanted in drafted:
        now = tables.get(job.table.parent.oid)
        there = {one.span: one.part for one in now.placed if not one.part.pending} if now else {}
        alike = {one.oid: one for one in db.rows("queries/partitions/made", _Made, parent=job.table.parent.oid)}
        wrong = []
        for one in wanted:
            part = there.get(one.span)
            if part is None:
                wrong.append(f"there is none for {one.span}")
                continue
            facts = alike.get(part.oid)
            for name in ("same_owner", "same_protection", "same_grants"):
                if facts is None or not getattr(facts, name):
                    wrong.append(f"{part.path} has another {_WORDS[name]}")
        detail = (
            "; ".join(wrong[:5])
            if wrong
            else f"{len(wanted)} are there, owned and protected as {job.table.path}; rows find one until "
            f"{bounds.told(bounds.reach(now.open if now else (), datetime.now(UTC)))}"
        )
        severity: Severity = "critical" if wrong else "ok"
        found.append(Finding(f"{CHECK}:{job.table.path}", CHECK, severity, detail, object=job.table.path))
    return found


_WORDS: Final = {"same_owner": "owner", "same_protection": "row-level security", "same_grants": "list of privileges"}


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
