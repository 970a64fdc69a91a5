"""``tables sizes``: bytes on disk, partitions under their topmost parent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wnadmin.domain.tables.patience import again
from wnadmin.results import Cell, Column, Report, Table

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

_COLUMNS = (
    Column("table"),
    Column("partitions", "parts"),
    Column("estimated_rows", "rows", unit="rows"),
    Column("heap_bytes", "heap", unit="bytes"),
    Column("toast_bytes", "toast", unit="bytes"),
    Column("index_bytes", "indexes", unit="bytes"),
    Column("total_bytes", "total", unit="bytes"),
)
NAMED = 10
"""So many unmeasured relations are named in a note; the rest is counted."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """A row of ``queries/tables/sizes``; ``top`` is the topmost table that this one is a partition of, or itself."""

    oid: int
    top: int
    name: str
    partitioned: bool
    heap: int
    toast: int
    indexes: int
    estimated_rows: int | None
    unmeasured: list[str]


@dataclass(frozen=True, slots=True)
class Size:
    """One table with all below it. ``rows`` is None when no part of it was ever counted."""

    name: str
    partitions: int
    rows: int | None
    heap: int
    toast: int
    indexes: int
    uncounted: int = 0

    @property
    def total(self) -> int:
        """All bytes."""
        return self.heap + self.toast + self.indexes


def rolled_up(rows: Iterable[SizeRow]) -> list[Size]:
    """Sum partitions into their topmost tables, the largest first; partitions are the leaves only."""
    groups: dict[int, list[SizeRow]] = {}
    for row in rows:
        groups.setdefault(row.top, []).append(row)
    found = []
    for top, members in groups.items():
        name = next((row.name for row in members if row.oid == top), members[0].name)
        leaves = [row for row in members if not row.partitioned]
        counted = [row.estimated_rows for row in leaves if row.estimated_rows is not None]
        found.append(
            Size(
                name,
                sum(row.oid != top for row in leaves),
                sum(counted) if counted or not leaves else None,
                sum(row.heap for row in members),
                sum(row.toast for row in members),
                sum(row.indexes for row in members),
                len(leaves) - len(counted),
            )
        )
    return ordered(found)


def each(rows: Iterable[SizeRow]) -> list[Size]:
    """Every table that holds rows for itself, the largest first."""
    return ordered(
        Size(row.name, 0, row.estimated_rows, row.heap, row.toast, row.indexes, row.estimated_rows is None)
        for row in rows
        if not row.partitioned
    )


def ordered(found: Iterable[Size]) -> list[Size]:
    """The largest first."""
    return sorted(found, key=lambda one: (-one.total, one.name))


def report(db: Database, *, leaves: bool, top: int) -> Report:
    """Measure and show; what a lock forbids to measure is named in a note."""
    rows = again(lambda: db.rows("queries/tables/sizes", SizeRow))
    found = each(rows) if leaves else rolled_up(rows)
    shown = found[:top] if top else found
    left = len(found) - len(shown)
    notes = [f"{left} more, smaller, not shown (--top 0 shows all)"] if left else []
    notes += unmeasured([name for row in rows for name in row.unmeasured])
    if uncounted := sum(one.uncounted for one in found):
        notes.append(f"rows are the estimate of the last vacuum or ANALYZE; never had one: {uncounted}")
    cells: list[tuple[Cell, ...]] = [
        (one.name, one.partitions, one.rows, one.heap, one.toast, one.indexes, one.total) for one in shown
    ]
    few: tuple[Column, ...] = _COLUMNS
    fewer = cells
    if leaves:
        few, fewer = _COLUMNS[:1] + _COLUMNS[2:], [(row[0], *row[2:]) for row in cells]
    empty = "there are no tables"
    tables = Table(
        "tables",
        (*_COLUMNS, Column("uncounted")),
        tuple((*row, one.uncounted) for row, one in zip(cells, shown, strict=True)),
        empty=empty,
        shown=Table("tables", few, tuple(fewer), empty=empty),
    )
    total = Table(
        "total",
        (Column("tables"), *(column for column in _COLUMNS[3:])),
        (
            (
                len(found),
                sum(one.heap for one in found),
                sum(one.toast for one in found),
                sum(one.indexes for one in found),
                sum(one.total for one in found),
            ),
        ),
        title="Together",
    )
    return Report(
        "tables-sizes",
        (tables, total),
        notes=tuple(notes),
    )


def unmeasured(names: Sequence[str]) -> list[str]:
    """The note about relations that were left out because of a lock; none when there are none."""
    distinct = sorted(set(names))
    if not distinct:
        return []
    more = f" and {len(distinct) - NAMED} more" if len(distinct) > NAMED else ""
    return [
        f"not measured, because somebody holds or waits for an ACCESS EXCLUSIVE lock: "
        f"{', '.join(distinct[:NAMED])}{more}"
    ]
