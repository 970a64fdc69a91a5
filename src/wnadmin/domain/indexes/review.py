"""``indexes review``: the verdict about each index, over all nodes of the profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wnadmin.domain.indexes import gather
from wnadmin.domain.indexes.facts import NodeView, World
from wnadmin.domain.indexes.foreign import unsupported
from wnadmin.domain.indexes.guards import Limits, days, gaps
from wnadmin.domain.indexes.judge import Judged
from wnadmin.domain.indexes.judge import review as judge
from wnadmin.domain.tables import measure
from wnadmin.domain.tables.bloat import Bloat
from wnadmin.domain.tables.quantity import shown
from wnadmin.domain.tables.sizes import unmeasured
from wnadmin.results import Cell, Column, Report, Table

if TYPE_CHECKING:
    from wnadmin.postgres.nodes import Nodes

BLOATED_PERCENT = 40.0
"""From here on an index counts as bloated: a btree filled in random order settles at a quarter of waste."""
BLOATED_BYTES = 8 * 1024 * 1024


def report(nodes: Nodes, limits: Limits, *, everything: bool, below: int, seconds: float) -> Report:
    """Gather, judge and show. Without ``everything`` only what something speaks against is listed."""
    world, db = gather.world(nodes)
    reader = measure.Reader(db, below, seconds)
    waste = measure.indexes(db, BLOATED_BYTES, reader)
    judged = [bloated(one, waste) for one in judge(world, limits)]
    listed = [
        one for one in judged if everything or (one.kinds and (one.verdict != "keep" or one.kinds != ("unused",)))
    ]
    count = Counter(one.verdict for one in judged)
    notes = [
        f"{len(judged)} indexes: "
        + ", ".join(f"{count[verdict]} {verdict}" for verdict in ("droppable", "insufficient evidence", "keep"))
    ]
    notes += [f"missing evidence: {gap}" for gap in gaps(world)]
    notes += unmeasured([one.index.name for one in judged if one.bytes is None])
    notes += _withheld(waste, reader)
    return Report(
        "indexes-review",
        (_verdicts(world, listed, everything), without_index(world), asked(world.nodes)),
        notes=tuple(notes),
        next=f"wnadmin indexes explain {_word(listed[0].index.name)}" if listed else "",
    )


def bloated(one: Judged, waste: Sequence[tuple[measure.IndexRow, Bloat]]) -> Judged:
    """Add what was measured of an index and of the parts under it; the verdict stays as it is."""
    parts = [bloat for row, bloat in waste if row.top == one.index.oid and bloat.wasted is not None]
    size = sum(bloat.bytes or 0 for bloat in parts)
    wasted = sum(bloat.wasted or 0 for bloat in parts)
    if wasted < BLOATED_BYTES or not size or 100 * wasted / size < BLOATED_PERCENT:
        return one
    how = "counted" if all(bloat.how == "exact" for bloat in parts) else "estimated"
    told = f"{shown(wasted)} of {shown(size)} are waste ({how}): it can be rebuilt"
    return replace(one, kinds=(*one.kinds, "bloated"), reasons=(*one.reasons, told))


def _withheld(waste: Sequence[tuple[measure.IndexRow, Bloat]], reader: measure.Reader) -> list[str]:
    hidden = Counter(bloat.why for _, bloat in waste if bloat.how == "withheld")
    found = [f"bloat is withheld for {count} of {len(waste)} large indexes: {why}" for why, count in hidden.items()]
    if hidden and reader.why_not and reader.below:
        found.append(f"bloat was not counted: {reader.why_not}")
    return found


_VERDICTS = (
    Column("index"),
    Column("kind"),
    Column("verdict"),
    Column("bytes", "size", unit="bytes"),
    Column("scans"),
    Column("why"),
)
_MORE = (
    "table",
    "kinds",
    "reasons",
    "guards",
    "takes_over",
    "last_scan",
    "scans_by_node",
    "unique",
    "partitioned",
    "constraint",
)


def _verdicts(world: World, listed: Sequence[Judged], everything: bool) -> Table:
    title = "Every index" if everything else "Indexes that something speaks against"
    empty = "nothing speaks against any index"
    rows = tuple(
        (one.index.name, ", ".join(one.kinds), one.verdict, one.bytes, one.usage.scans, "; ".join(one.reasons))
        for one in listed
    )
    return Table(
        "indexes",
        (*_VERDICTS, *(Column(name) for name in _MORE)),
        tuple((*row, *_more(world, one)) for row, one in zip(rows, listed, strict=True)),
        title=title,
        empty=empty,
        shown=Table("indexes", _VERDICTS, rows, title=title, empty=empty),
    )


def _more(world: World, one: Judged) -> tuple[Cell, ...]:
    """Give what machines get beside what a screen has room for; ``takes_over`` does its work as well, and stays."""
    return (
        one.table,
        one.kinds,
        one.reasons,
        tuple({"guard": guard.name, "answer": guard.answer, "detail": guard.detail} for guard in one.guards),
        world.indexes[one.keeper].name if one.keeper in world.indexes else None,
        one.usage.last,
        {node: scans for node, scans, _ in one.usage.by_node},
        one.index.unique,
        one.index.partitioned,
        one.index.constraint,
    )


def without_index(world: World) -> Table:
    """The foreign keys that no index supports, those with most changes of the referred rows first."""
    found = sorted(
        unsupported(world.foreign_keys, world.indexes.values(), world.tables),
        key=lambda one: (-one.key.referred_changes, -one.table.rows, one.table.name, one.key.name),
    )
    return Table(
        "foreign_keys",
        (
            Column("table"),
            Column("foreign_key", "foreign key"),
            Column("columns"),
            Column("refers_to", "refers to"),
            Column("estimated_rows", "rows", unit="rows"),
            Column("referred_changes", "changes there", unit="rows"),
            Column("nearest", "but"),
        ),
        tuple(
            (
                one.table.name,
                one.key.name,
                ", ".join(one.key.names),
                one.key.referred_table,
                None if one.table.never_counted else _rows(world, one.table.oid),
                one.key.referred_changes,
                one.nearest,
            )
            for one in found
        ),
        title="Foreign keys without an index: each change of a referred row reads the whole table",
        empty="every foreign key has an index",
    )


def _rows(world: World, oid: int) -> int:
    table = world.tables[oid]
    under = [one.oid for one in world.tables.values() if one.parent == oid]
    return sum(_rows(world, one) for one in under) if table.partitioned else table.rows


def asked(nodes: Sequence[NodeView]) -> Table:
    """Each node with the age of its statistics."""
    return Table(
        "nodes",
        (
            Column("node"),
            Column("place"),
            Column("role"),
            Column("counted_since", "counts since"),
            Column("age"),
        ),
        tuple(
            (
                node.name,
                node.place,
                f"not reached: {node.why_not}" if node.why_not else "standby" if node.in_recovery else "primary",
                node.counted_since,
                "" if node.age is None else days(node.age),
            )
            for node in nodes
        ),
        title="Nodes asked",
    )


def _word(name: str) -> str:
    import shlex

    return shlex.quote(name)
