"""How much of a relation is wasted: counted, estimated, or withheld with the reason. No I/O.

An estimate compares the size with what the rows of the last ANALYZE would need, so it is made only where that
ANALYZE is recent, complete and visible. What cannot be trusted is no number at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

How = Literal["exact", "estimate", "withheld"]

PAGE = 8192
_PAGE_HEADER = 24
_TUPLE_HEADER = 23
_LINE_POINTER = 4
_INDEX_TUPLE_HEADER = 8
_INDEX_SPECIAL = 16
BTREE_FILL = 90
"""Percent to which a btree's pages are filled when it is built: what is dense like this is not bloated."""

STALE = 0.1
"""Changes since ANALYZE, as a part of the rows, from which on its statistics are not believed."""
TINY = 1024 * 1024
"""Below this many bytes no estimate is made: a few pages are noise."""

_ALIGNMENT = {"c": 1, "s": 2, "i": 4, "d": 8}


@dataclass(frozen=True, slots=True)
class Bloat:
    """``wasted`` of ``bytes``; both None when withheld, and ``why`` says why (or how an estimate was made)."""

    how: How
    bytes: int | None = None
    wasted: int | None = None
    why: str = ""

    @property
    def percent(self) -> float | None:
        """The wasted part in percent, None when withheld."""
        if self.bytes is None or self.wasted is None:
            return None
        return round(100 * self.wasted / self.bytes, 1) if self.bytes else 0.0


@dataclass(frozen=True, slots=True)
class Width:
    """One column: its type's length (-1 variable) and alignment, and what pg_stats says, if it may be seen."""

    position: int
    length: int
    alignment: str
    dropped: bool = False
    seen: bool = True
    width: int = 0
    nulls: float = 0.0
    distinct: float = 0.0


@dataclass(frozen=True, slots=True)
class Trust:
    """What decides whether ANALYZE's numbers are believed; ``rows`` is negative when nobody has counted."""

    rows: float
    changed: int
    analyzed_at: datetime | None
    bytes: int


def withheld(why: str, bytes: int | None = None) -> Bloat:
    """No number, and why."""
    return Bloat("withheld", bytes, None, why)


def distrust(trust: Trust) -> str:
    """Why the statistics of a table are not believed; '' when they are."""
    if trust.bytes < TINY:
        return "too small for an estimate"
    if trust.rows < 0 or trust.analyzed_at is None:
        return "not analyzed since its statistics were last reset"
    if trust.changed > STALE * max(trust.rows, 1):
        return f"statistics are stale: {trust.changed:,} changes since ANALYZE, {trust.rows:,.0f} rows"
    return ""


def heap_estimate(trust: Trust, columns: Sequence[Width], fill: int) -> Bloat:
    """Compare a table's main file with what its rows need; ``fill`` is its fillfactor in percent."""
    if why := distrust(trust):
        return withheld(why, trust.bytes)
    if any(one.dropped for one in columns):
        return withheld("it has dropped columns, whose values may still be in old rows", trust.bytes)
    if hidden := sum(not one.seen for one in columns):
        return withheld(f"pg_stats hides {hidden} of {len(columns)} columns from this login, or has none", trust.bytes)
    usable = (PAGE - _PAGE_HEADER) * fill / 100
    need = trust.rows * (row_width(columns) + _LINE_POINTER) / usable * PAGE
    return Bloat("estimate", trust.bytes, max(0, trust.bytes - round(need)))


def row_width(columns: Sequence[Width]) -> float:
    """The bytes of a mean row without its line pointer, with padding as the columns' order brings it."""
    bitmap = (len(columns) + 7) // 8 if any(one.nulls > 0 for one in columns) else 0
    at = float(_aligned(_TUPLE_HEADER + bitmap, 8))
    for one in sorted(columns, key=lambda column: column.position):
        # A short value of variable length stands unaligned, behind a header of one byte.
        step = 1 if one.length == -1 and one.width < 127 else _ALIGNMENT.get(one.alignment, 1)
        there = 1 - one.nulls
        at += there * (_aligned(at, step) - at + one.width)
    return float(_aligned(at, 8))


def index_estimate(trust: Trust, keys: Sequence[Width], rows: float, *, unique: bool, fill: int) -> Bloat:
    """Compare a btree over plain columns, not partial, with what its entries need.

    ``trust`` is of its table, with the index's own size. A btree that is not unique keeps equal keys together,
    which makes it smaller than its entries: the estimate is made only where nearly all keys differ.
    """
    if why := distrust(trust):
        return withheld(why, trust.bytes)
    if hidden := sum(not one.seen for one in keys):
        return withheld(f"pg_stats hides {hidden} of {len(keys)} columns from this login, or has none", trust.bytes)
    if not unique and not any(_nearly_unique(one, rows) for one in keys):
        return withheld("equal keys are stored once, so its need cannot be told from pg_stats", trust.bytes)
    width = float(_INDEX_TUPLE_HEADER)
    for one in keys:
        step = 1 if one.length == -1 and one.width < 127 else _ALIGNMENT.get(one.alignment, 1)
        width += (1 - one.nulls) * (_aligned(width, step) - width + one.width)
    entry = _aligned(width, 8) + _LINE_POINTER
    usable = (PAGE - _PAGE_HEADER - _INDEX_SPECIAL) * fill / 100
    need = rows * entry / usable * PAGE * 1.005 + PAGE  # the pages above the leaves, and the meta page
    return Bloat("estimate", trust.bytes, max(0, trust.bytes - round(need)))


def _nearly_unique(column: Width, rows: float) -> bool:
    return column.distinct <= -0.9 or (rows > 0 and column.distinct >= 0.9 * rows)


def heap_exact(bytes: int, dead: int, free: int, fill: int) -> Bloat:
    """From pgstattuple: dead rows and free space, less what the fillfactor leaves free on purpose."""
    spared = round(bytes * (100 - fill) / 100)
    return Bloat("exact", bytes, min(bytes, dead + max(0, free - spared)))


def index_exact(bytes: int, leaf: int, empty: int, deleted: int, density: float, fill: int) -> Bloat:
    """From pgstatindex: pages without entries, and what the leaves lack to the density of a fresh index."""
    lacking = max(0.0, 1 - density / fill) if fill else 0.0
    return Bloat("exact", bytes, min(bytes, round((empty + deleted) * PAGE + leaf * PAGE * lacking)))


def _aligned(at: float, step: int) -> float:
    """The next offset that is a multiple of ``step``; mean offsets are rounded up in proportion."""
    return -(-at // step) * step
