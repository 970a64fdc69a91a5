"""`partitions list`: how far each table reaches, what is past, what was detached and is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.partitions import bounds, due, look, mark
from wnadmin.domain.partitions.bounds import END
from wnadmin.domain.partitions.values import Circumstances, Former, Table
from wnadmin.errors import Blind
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report
from wnadmin.results import Table as Shown

SHORT: Final = 45
"""Days. Who reaches no further is told to make partitions."""

_TABLES: Final = (
    Column("table"),
    Column("step"),
    Column("partitions", "parts"),
    Column("until"),
    Column("days"),
    Column("past"),
    Column("state"),
)
_PARTS: Final = (
    Column("partition"),
    Column("from"),
    Column("to"),
    Column("estimated_rows", "rows", unit="rows"),
    Column("bytes", "size", unit="bytes"),
    Column("state"),
)
_DETACHED: Final = (
    Column("table"),
    Column("parent"),
    Column("from"),
    Column("to"),
    Column("detached"),
    Column("retire"),
)


def report(db: Database, names: Sequence[str], grace: int) -> Report:
    """Look; with ``names`` also at each partition of these tables."""
    now = db.rows("queries/partitions/session", Circumstances)[0].moment.astimezone(UTC)
    found = look.tables(db)
    wanted = [look.find(found, name) for name in dict.fromkeys(names)]
    policies, notes = _policies(db)
    shown = [
        Shown(
            "tables",
            _TABLES,
            tuple(_row(one, policies, now) for one in wanted or found),
            empty="No table of this database is partitioned.",
        )
    ]
    if wanted:
        shown.append(Shown("partitions", _PARTS, tuple(row for one in wanted for row in _parts(one, policies, now))))
    former = [one for one in look.former(db) if not wanted or _parent(one) in {x.path for x in wanted}]
    shown.append(
        Shown(
            "detached",
            _DETACHED,
            tuple(_detached(db, one, policies, now, grace) for one in former),
            title="Detached and kept",
            empty="No detached partition is kept.",
        )
    )
    return Report("partitions", tuple(shown), notes=notes, next=_next(wanted or found, policies, now))


def _policies(db: Database) -> tuple[due.Policies | None, tuple[str, ...]]:
    try:
        return look.policies(db), ()
    except Blind as error:
        return None, (f"what is past is not known: {error.what}. {error.next}",)


def _parent(one: Former) -> str:
    known = mark.read(one.mark)
    return known.parent if known else ""


def _row(one: Table, policies: due.Policies | None, now: datetime) -> tuple[Cell, ...]:
    if one.refusal:
        parts = len(one.placed) + len(one.unread) + (one.default is not None)
        return one.path, "", parts, "", "", "", f"not kept: {one.refusal}"
    until = bounds.reach(one.open, now)
    days = None if until == END else int((until - now).total_seconds() // 86400)
    parts = len(one.placed) + (one.default is not None)
    return (
        one.path,
        str(one.every or ""),
        parts,
        bounds.told(until) if until > now else "",
        days,
        None if policies is None else due.count(one, policies),
        _state(one, now),
    )


def _state(one: Table, now: datetime) -> str:
    said = [f"{other.part.path} is half detached" for other in one.pending]
    if bounds.reach(one.open, now) == now:
        said.append("no partition for now")
    gaps = bounds.holes(one.open)
    said += [f"hole from {gap}" for gap in gaps[:2]]
    if len(gaps) > 2:
        said.append(f"{len(gaps) - 2} more holes")
    if one.default is not None:
        said.append(f"{one.default.path} takes the rest")
    return "; ".join(said) or "ok"


def _parts(one: Table, policies: due.Policies | None, now: datetime) -> list[tuple[Cell, ...]]:
    parent = one.parent
    policy = due.policy_of(policies or {}, parent.schema, parent.name, parent.key_column)
    rows: list[tuple[Cell, ...]] = []
    for other in one.placed:
        span, part = other.span, other.part
        state = "ahead" if span.lower > now else "now" if span.upper > now else "kept"
        if due.past(policy, span):
            state = "past"
        if part.pending:
            state = "half detached"
        rows.append(
            (part.path, bounds.told(span.lower), bounds.told(span.upper), part.estimated_rows, part.bytes, state)
        )
    for part in (*one.unread, *([one.default] if one.default else [])):
        rows.append((part.path, "", "", part.estimated_rows, part.bytes, part.bound.lower()))
    return rows


def _detached(db: Database, one: Former, policies: due.Policies | None, now: datetime, grace: int) -> tuple[Cell, ...]:
    known = mark.read(one.mark)
    if known is None:
        return one.path, "", "", "", "", "its mark cannot be read: look at its comment"
    return (
        one.path,
        known.parent,
        bounds.told(known.span.lower),
        bounds.told(known.span.upper),
        bounds.told(known.at.astimezone(UTC)),
        "not known" if policies is None else due.fate(db, one, known, policies, now, grace) or "now",
    )


def _next(found: Sequence[Table], policies: due.Policies | None, now: datetime) -> str:
    kept = [one for one in found if not one.refusal]
    if any(one.pending for one in kept):
        return "wnadmin partitions detach"
    if any(_lacks(one, now) for one in kept):
        return "wnadmin partitions maintain"
    return "wnadmin partitions detach --due" if policies and any(due.count(one, policies) for one in kept) else ""


def _lacks(one: Table, now: datetime) -> bool:
    """Whether `partitions maintain` has something to make: what is past it does not."""
    return (bounds.reach(one.open, now) - now).days < SHORT or any(gap.upper > now for gap in bounds.holes(one.open))
