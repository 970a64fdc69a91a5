"""Measure waste on a server: pgstattuple by id where it may be used and pays, else an estimate, else the reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from wnadmin.domain.tables import bloat
from wnadmin.domain.tables.bloat import Bloat, Trust, Width
from wnadmin.domain.tables.patience import again
from wnadmin.domain.tables.quantity import quoted, shown
from wnadmin.errors import CutOff, ServerError, Vanished

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

LOCKED = "not measured: an exclusive lock is held or waited for"
VANISHED = "it was dropped meanwhile"


@dataclass(frozen=True, slots=True)
class HeapRow:
    """A row of ``queries/tables/heaps``."""

    oid: int
    owner: int
    top: int
    name: str
    top_name: str
    toast: bool
    method: str
    locked: bool
    bytes: int | None
    estimated_rows: float
    changed_since_analyze: int
    analyzed_at: datetime | None
    fill: int


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of ``queries/tables/indexes``; ``columns`` are numbers, 0 for an expression."""

    oid: int
    top: int
    table_oid: int
    name: str
    top_name: str
    method: str
    partial: bool
    computed: bool
    is_unique: bool
    is_valid: bool
    columns: str
    locked: bool
    bytes: int | None
    entries: float
    estimated_rows: float
    changed_since_analyze: int
    analyzed_at: datetime | None
    fill: int


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A row of ``queries/tables/columns``."""

    table_oid: int
    position: int
    dropped: bool
    length: int
    alignment: str
    seen: bool
    width: int
    nulls: float
    distinct_values: float


@dataclass(frozen=True, slots=True)
class ExactHeapRow:
    """The row of ``queries/tables/exact_heap``."""

    bytes: int
    dead_bytes: int
    free_bytes: int
    scanned_percent: float


@dataclass(frozen=True, slots=True)
class ExactIndexRow:
    """The row of ``queries/tables/exact_index``."""

    bytes: int
    leaf_pages: int
    empty_pages: int
    deleted_pages: int
    density: float


@dataclass(frozen=True, slots=True)
class AccessRow:
    """The row of ``queries/tables/exact_access``."""

    login: str
    may_enter: bool
    may_run: bool


class Reader:
    """Reads pages through pgstattuple, up to ``below`` bytes a relation and ``seconds`` in all.

    ``why_not`` says what keeps it from reading anything at all, with the command that would help.
    """

    def __init__(self, db: Database, below: int, seconds: float) -> None:
        self.db = db
        self.below = below
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.schema = ""
        self.why_not = self._obstacle() if below > 0 else "reading pages is switched off (--exact-below 0)"

    def _obstacle(self) -> str:
        extension = self.db.extension("pgstattuple")
        if extension is None:
            return f"pgstattuple is not here: {self.db.creation_of('pgstattuple')}"
        self.schema = extension.schema
        (access,) = self.db.rows("queries/tables/exact_access", AccessRow, schema=extension.schema)
        lacking = []
        if not access.may_run:
            lacking.append(f"GRANT pg_stat_scan_tables TO {quoted(access.login)}")
        if not access.may_enter:
            lacking.append(f"GRANT USAGE ON SCHEMA {quoted(extension.schema)} TO {quoted(access.login)}")
        return f"this login may not use pgstattuple: {'; '.join(lacking)}" if lacking else ""

    def heap(self, row: HeapRow) -> Bloat:
        """Count one table; withheld with the reason where that cannot be."""
        if why := self._refusal(row.bytes, "heap" if row.method == "heap" else f"access method {row.method}"):
            return bloat.withheld(why, row.bytes)
        try:
            found = self.db.rows("queries/tables/exact_heap", ExactHeapRow, schema=self.schema, oid=row.oid)
        except ServerError as error:
            return bloat.withheld(_failed(error), row.bytes)
        if not found:
            return bloat.withheld(VANISHED)
        one = found[0]
        return bloat.heap_exact(one.bytes, one.dead_bytes, one.free_bytes, row.fill)

    def index(self, row: IndexRow) -> Bloat:
        """Count one btree; withheld with the reason where that cannot be."""
        if why := self._refusal(row.bytes, "heap" if row.method == "btree" else f"access method {row.method}"):
            return bloat.withheld(why, row.bytes)
        try:
            found = self.db.rows("queries/tables/exact_index", ExactIndexRow, schema=self.schema, oid=row.oid)
        except ServerError as error:
            return bloat.withheld(_failed(error), row.bytes)
        if not found:
            return bloat.withheld(VANISHED)
        one = found[0]
        return bloat.index_exact(one.bytes, one.leaf_pages, one.empty_pages, one.deleted_pages, one.density, row.fill)

    def _refusal(self, size: int | None, method: str) -> str:
        if method != "heap":
            return f"{method} cannot be read"
        if self.why_not:
            return self.why_not
        if size is not None and size > self.below:
            return f"larger than --exact-below {shown(self.below)}"
        if time.monotonic() > self.deadline:
            return f"the {self.seconds:g} s for reading were used up (--seconds)"
        return ""


def heaps(db: Database, least: int, reader: Reader) -> list[tuple[HeapRow, Bloat]]:
    """Measure every table and TOAST table of ``least`` bytes or more, the largest first."""
    rows = again(lambda: db.rows("queries/tables/heaps", HeapRow, least=least))
    widths = _widths(db, [row.oid for row in rows if not row.toast and not row.locked])
    return [(row, _heap(row, reader, widths.get(row.oid, ()))) for row in rows]


def indexes(db: Database, least: int, reader: Reader) -> list[tuple[IndexRow, Bloat]]:
    """Measure every index of ``least`` bytes or more, the largest first."""
    rows = again(lambda: db.rows("queries/tables/indexes", IndexRow, least=least))
    widths = _widths(db, sorted({row.table_oid for row in rows if not row.locked}))
    return [(row, _index(row, reader, widths.get(row.table_oid, ()))) for row in rows]


def _widths(db: Database, oids: Sequence[int]) -> dict[int, list[Width]]:
    if not oids:
        return {}
    named = "{" + ",".join(str(oid) for oid in oids) + "}"
    found: dict[int, list[Width]] = {}
    for row in db.rows("queries/tables/columns", ColumnRow, oids=named):
        found.setdefault(row.table_oid, []).append(
            Width(
                position=row.position,
                length=row.length,
                alignment=row.alignment,
                dropped=row.dropped,
                seen=row.seen,
                width=row.width,
                nulls=row.nulls,
                distinct=row.distinct_values,
            )
        )
    return found


def _heap(row: HeapRow, reader: Reader, columns: Sequence[Width]) -> Bloat:
    if row.locked or row.bytes is None:
        return bloat.withheld(LOCKED if row.locked else VANISHED)
    exact = reader.heap(row)
    if exact.how == "exact":
        return exact
    if row.toast:
        return bloat.withheld(_with("TOAST cannot be estimated", exact, reader), row.bytes)
    if row.method != "heap":
        return exact
    trust = Trust(row.estimated_rows, row.changed_since_analyze, row.analyzed_at, row.bytes)
    return _either(bloat.heap_estimate(trust, columns, row.fill), exact, reader)


def _index(row: IndexRow, reader: Reader, columns: Sequence[Width]) -> Bloat:
    if row.locked or row.bytes is None:
        return bloat.withheld(LOCKED if row.locked else VANISHED)
    if not row.is_valid:
        return bloat.withheld("it is not valid", row.bytes)
    exact = reader.index(row)
    if exact.how == "exact" or row.method != "btree":
        return exact
    if row.partial or row.computed:
        kind = "partial" if row.partial else "computed"
        return bloat.withheld(_with(f"{kind} indexes are not estimated", exact, reader), row.bytes)
    by_position = {one.position: one for one in columns}
    keys = [by_position[number] for number in map(int, row.columns.split()) if number in by_position]
    trust = Trust(row.estimated_rows, row.changed_since_analyze, row.analyzed_at, row.bytes)
    return _either(bloat.index_estimate(trust, keys, row.entries, unique=row.is_unique, fill=row.fill), exact, reader)


def _either(estimate: Bloat, exact: Bloat, reader: Reader) -> Bloat:
    """The estimate where there is one; else both reasons, but not again what holds for every relation."""
    if estimate.how == "estimate":
        return estimate
    return bloat.withheld(_with(estimate.why, exact, reader), estimate.bytes)


def _with(why: str, exact: Bloat, reader: Reader) -> str:
    return why if exact.why == reader.why_not else f"{why}; {exact.why}"


def _failed(error: ServerError) -> str:
    if isinstance(error, CutOff):
        return "reading was cut off by a lock" if error.sqlstate == "55P03" else "reading took too long"
    return VANISHED if isinstance(error, Vanished) else error.what
