"""``indexes missing``: foreign keys, tables read from end to end, selective columns, and what hypopg says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from wnadmin.domain.indexes import gather, hypothetical, review
from wnadmin.domain.indexes.facts import Index
from wnadmin.domain.indexes.foreign import unsupported
from wnadmin.domain.indexes.hypothetical import Answer, Question
from wnadmin.domain.tables.quantity import quoted, shown
from wnadmin.results import Column, Report, Table

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database
    from wnadmin.postgres.nodes import Nodes

SELECTIVE = 0.05
"""A value of a selective column stands in this part of the rows at most."""


@dataclass(frozen=True, slots=True)
class SequentialRow:
    """A row of ``queries/indexes/sequential``; ``bytes`` without TOAST and indexes."""

    oid: int
    name: str
    bytes: int
    estimated_rows: int
    scans: int
    rows_read: int
    index_scans: int
    last_scan: datetime | None


@dataclass(frozen=True, slots=True)
class SelectiveRow:
    """A row of ``queries/indexes/selective``; ``distinct_values`` is pg_stats' own: negative for a part of the rows."""

    table_oid: int
    table_name: str
    position: int
    column_name: str
    estimated_rows: int
    seen: bool
    allowed: bool
    distinct_values: float
    nulls: float
    correlation: float | None
    sortable: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that tells rows apart and leads no index."""

    row: SelectiveRow
    distinct: int
    rows_each: float
    sequential: SequentialRow | None


def distinct_of(row: SelectiveRow) -> float:
    """How many different values there are, by the estimate."""
    if row.distinct_values < 0:
        return -row.distinct_values * row.estimated_rows
    return row.distinct_values


def candidates(
    rows: Iterable[SelectiveRow], indexes: Iterable[Index], scans: Iterable[SequentialRow]
) -> list[Candidate]:
    """Choose the selective columns without an index to begin with, those of the most read tables first.

    A column that leads any usable index is left out, also where that index is partial or unique.
    """
    leading = {(one.table, one.keys[0].column) for one in indexes if one.in_service and one.keys}
    by_table = {one.oid: one for one in scans}
    found = []
    for row in rows:
        distinct = distinct_of(row)
        if not row.seen or not row.sortable or distinct <= 1 or (row.table_oid, row.position) in leading:
            continue
        each = row.estimated_rows * (1 - row.nulls) / distinct
        if each > SELECTIVE * row.estimated_rows:
            continue
        found.append(Candidate(row, round(distinct), each, by_table.get(row.table_oid)))
    return sorted(
        found,
        key=lambda one: (
            -(one.sequential.rows_read if one.sequential else 0),
            -one.distinct,
            one.row.table_name,
            one.row.position,
        ),
    )


def report(nodes: Nodes, *, big: int, rows: int, top: int) -> Report:
    """Gather from the primary; the reads of tables are those of all nodes together."""
    world, db = gather.world(nodes)
    asked = [node.db for node in nodes.reached() if node.db is not None]
    scans = _together(one.rows("queries/indexes/sequential", SequentialRow) for one in asked)
    selective = db.rows("queries/indexes/selective", SelectiveRow, least=rows)
    chosen = candidates(selective, world.indexes.values(), scans)
    limit = top or len(chosen) or 1
    keys = unsupported(world.foreign_keys, world.indexes.values(), world.tables)
    questions = [
        *(Question(one.table.name, one.key.names, one.table.partitioned) for one in keys),
        *(
            Question(one.row.table_name, (one.row.column_name,), world.tables[one.row.table_oid].partitioned)
            for one in chosen[:limit]
            if one.row.table_oid in world.tables
        ),
    ]
    answers, why_not = hypothetical.ask(db, list(dict.fromkeys(questions))[:limit])
    notes = [f"missing evidence: {node.name} was not reached ({node.why_not})" for node in world.nodes if node.why_not]
    notes += _blindness(db, selective)
    if why_not:
        notes.append(why_not)
    return Report(
        "indexes-missing",
        (
            review.without_index(world),
            _sequential(scans, big, limit),
            _selective(chosen[:limit]),
            _planner(answers),
            review.asked(world.nodes),
        ),
        notes=tuple(notes),
    )


def _together(of_nodes: Iterable[Sequence[SequentialRow]]) -> list[SequentialRow]:
    found: dict[int, SequentialRow] = {}
    for rows in of_nodes:
        for row in rows:
            other = found.get(row.oid)
            if other is None:
                found[row.oid] = row
                continue
            lasts = [at for at in (row.last_scan, other.last_scan) if at is not None]
            found[row.oid] = SequentialRow(
                row.oid,
                row.name,
                max(row.bytes, other.bytes),
                max(row.estimated_rows, other.estimated_rows),
                row.scans + other.scans,
                row.rows_read + other.rows_read,
                row.index_scans + other.index_scans,
                max(lasts, default=None),
            )
    return sorted(found.values(), key=lambda one: (-one.rows_read, one.name))


def _sequential(scans: Sequence[SequentialRow], big: int, limit: int) -> Table:
    found = [one for one in scans if one.bytes >= big][:limit]
    return Table(
        "sequential",
        (
            Column("table"),
            Column("bytes", "size", unit="bytes"),
            Column("scans", "whole reads"),
            Column("rows_each", "rows each", unit="rows"),
            Column("percent", "of all reads", unit="%"),
            Column("last_scan", "last"),
        ),
        tuple(
            (
                one.name,
                one.bytes,
                one.scans,
                one.rows_read // one.scans if one.scans else 0,
                round(100 * one.scans / (one.scans + one.index_scans), 1) if one.scans else 0.0,
                one.last_scan,
            )
            for one in found
        ),
        title=f"Tables of {shown(big)} and more that are read from end to end",
        empty=f"no table of {shown(big)} and more was read from end to end",
    )


def _selective(chosen: Sequence[Candidate]) -> Table:
    return Table(
        "selective",
        (
            Column("table"),
            Column("column"),
            Column("estimated_rows", "rows", unit="rows"),
            Column("distinct_values", "distinct", unit="rows"),
            Column("rows_each", "per value"),
            Column("correlation"),
            Column("whole_reads", "whole reads"),
        ),
        tuple(
            (
                one.row.table_name,
                one.row.column_name,
                one.row.estimated_rows,
                one.distinct,
                round(one.rows_each, 1),
                None if one.row.correlation is None else round(one.row.correlation, 2),
                one.sequential.scans if one.sequential else 0,
            )
            for one in chosen
        ),
        title="Selective columns that lead no index: worth one only where queries ask for them",
        empty="no selective column is without an index",
    )


def _planner(answers: Sequence[Answer]) -> Table:
    return Table(
        "planner",
        (
            Column("table"),
            Column("columns"),
            Column("cost_before", "cost now"),
            Column("cost_after", "with index"),
            Column("bytes", "index size", unit="bytes"),
            Column("answer"),
        ),
        tuple(
            (
                one.question.table,
                ", ".join(one.question.columns),
                one.before,
                one.after,
                one.bytes,
                one.told,
            )
            for one in answers
        ),
        title="What the planner says of an index on them (hypopg, nothing is created)",
        empty="not asked",
    )


def _blindness(db: Database, rows: Sequence[SelectiveRow]) -> list[str]:
    hidden = sorted({row.table_name for row in rows if not row.seen and not row.allowed})
    uncounted = sorted({row.table_name for row in rows if not row.seen and row.allowed})
    notes = []
    if hidden:
        notes.append(
            f"unknown: pg_stats hides columns of {_listed(hidden)} from this login: "
            f"GRANT SELECT ON {hidden[0]} TO {quoted(db.session.user)}; where row-level security hides rows, only a "
            "role with BYPASSRLS sees them"
        )
    if uncounted:
        notes.append(f"unknown: columns of {_listed(uncounted)} were not analyzed: ANALYZE {uncounted[0]}")
    return notes


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
