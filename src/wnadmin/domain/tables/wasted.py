"""``tables bloat``: what tables, TOAST and indexes waste, and how that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from wnadmin.domain.tables import measure
from wnadmin.domain.tables.bloat import Bloat
from wnadmin.domain.tables.quantity import shown
from wnadmin.results import Column, Report, Table

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

Measured: TypeAlias = "tuple[int, str, str, str, Bloat]"
"""Topmost relation's id, its name, the relation's own name, its kind, what was found."""

_COLUMNS = (
    Column("relation"),
    Column("bytes", "size", unit="bytes"),
    Column("wasted_bytes", "wasted", unit="bytes"),
    Column("wasted_percent", "%", unit="%"),
    Column("how"),
)
_MORE = ("name", "kind", "judged", "exact", "estimated", "withheld", "why")
"""Fields of :class:`Waste` that machines get too."""


@dataclass(frozen=True, slots=True)
class Waste:
    """One relation with all below it: the bytes judged, what of them is wasted, and how each part was judged."""

    name: str
    kind: str
    bytes: int
    judged: int
    wasted: int
    exact: int = 0
    estimated: int = 0
    withheld: int = 0
    why: str = ""

    @property
    def percent(self) -> float | None:
        """Of the bytes that were judged; None when none were."""
        return round(100 * self.wasted / self.judged, 1) if self.exact or self.estimated else None

    @property
    def how(self) -> str:
        """One phrase for the table."""
        if self.exact + self.estimated + self.withheld == 1:
            return "exact" if self.exact else "estimate" if self.estimated else f"withheld: {self.why}"
        parts = ((self.exact, "exact"), (self.estimated, "estimate"), (self.withheld, f"withheld: {self.why}"))
        return ", ".join(f"{count} {word}" for count, word in parts if count)


def gathered(found: Iterable[Measured], *, leaves: bool) -> list[Waste]:
    """Sum into topmost relations unless ``leaves``; most wasted bytes first, then what is withheld."""
    groups: dict[tuple[int | str, str], list[Measured]] = {}
    for one in found:
        groups.setdefault((one[2] if leaves else one[0], one[3]), []).append(one)
    wastes = []
    for (_, kind), members in groups.items():
        bloats = [one[4] for one in members]
        judged = [one for one in bloats if one.how != "withheld"]
        reasons = Counter(one.why for one in bloats if one.how == "withheld")
        wastes.append(
            Waste(
                members[0][2] if leaves else members[0][1],
                kind,
                sum(one.bytes or 0 for one in bloats),
                sum(one.bytes or 0 for one in judged),
                sum(one.wasted or 0 for one in judged),
                sum(one.how == "exact" for one in bloats),
                sum(one.how == "estimate" for one in bloats),
                sum(one.how == "withheld" for one in bloats),
                reasons.most_common(1)[0][0] if reasons else "",
            )
        )
    return sorted(wastes, key=lambda one: (-one.wasted, -one.bytes, one.name))


def report(db: Database, *, leaves: bool, top: int, least: int, below: int, seconds: float) -> Report:
    """Measure tables, TOAST and indexes of ``least`` bytes and more, and say how each number came about."""
    reader = measure.Reader(db, below, seconds)
    heaps = [
        (row.top, row.top_name, row.name, "toast" if row.toast else "heap", bloat)
        for row, bloat in measure.heaps(db, least, reader)
    ]
    indexes = [(row.top, row.top_name, row.name, "index", bloat) for row, bloat in measure.indexes(db, least, reader)]
    notes = []
    if reader.why_not:
        notes.append(f"nothing was counted exactly: {reader.why_not}")
    tables = [
        _table(name, title, gathered(found, leaves=leaves), top, notes)
        for name, title, found in (("tables", "Tables and TOAST", heaps), ("indexes", "Indexes", indexes))
    ]
    notes.append(
        f"looked at what has {shown(least)} and more; a fresh btree is 90 % dense, which is not counted as waste"
    )
    return Report("tables-bloat", tuple(tables), notes=tuple(notes))


def _table(name: str, title: str, found: Sequence[Waste], top: int, notes: list[str]) -> Table:
    chosen = found[:top] if top else found
    if len(chosen) < len(found):
        notes.append(f"{name}: {len(found) - len(chosen)} more, with less waste, not shown (--top 0 shows all)")
    empty = "nothing is that large"
    rows = tuple(
        (
            f"{one.name} (TOAST)" if one.kind == "toast" else one.name,
            one.bytes,
            one.wasted if one.percent is not None else None,
            one.percent,
            one.how,
        )
        for one in chosen
    )
    return Table(
        name,
        (*_COLUMNS, *(Column(key) for key in _MORE)),
        tuple((*row, *(getattr(one, key) for key in _MORE)) for row, one in zip(rows, chosen, strict=True)),
        title=title,
        empty=empty,
        shown=Table(name, _COLUMNS, rows, title=title, empty=empty),
    )
