"""``indexes explain``: everything that is known about one index, and how to make it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wnadmin.domain.indexes import gather, guards, names, review
from wnadmin.domain.indexes.cover import likenesses
from wnadmin.domain.indexes.facts import Family, Index, World
from wnadmin.domain.indexes.foreign import supports
from wnadmin.domain.indexes.guards import Limits, days, gaps
from wnadmin.domain.indexes.judge import Judged
from wnadmin.domain.indexes.judge import review as judge
from wnadmin.domain.tables import measure
from wnadmin.domain.tables.bloat import Bloat
from wnadmin.domain.tables.quantity import shown
from wnadmin.errors import CutOff
from wnadmin.results import Cell, Column, Report, Table

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database
    from wnadmin.postgres.nodes import Nodes


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """The row of ``queries/indexes/definition``; names are quoted where SQL needs it."""

    definition: str
    constraint_definition: str | None
    constraint_name: str | None
    table_name: str
    tablespace: str | None
    comment: str | None
    is_clustered: bool
    is_replica_identity: bool
    statistics_targets: list[str]
    extensions: list[str]


def report(nodes: Nodes, limits: Limits, name: str, *, below: int, seconds: float) -> Report:
    """Gather everything, find the index, and lay it out; an attached index shows the verdict of its parent."""
    world, db = gather.world(nodes)
    index = world.indexes[names.find(name, {one.name: one.oid for one in world.indexes.values()})]
    family = Family.of(world.indexes)
    top = world.indexes[family.top[index.oid]]
    waste = [
        (row, bloat)
        for row, bloat in measure.indexes(db, review.BLOATED_BYTES, measure.Reader(db, below, seconds))
        if row.top == top.oid
    ]
    judged = next(review.bloated(one, waste) for one in judge(world, limits) if one.index.oid == top.oid)
    definition = _definition(db, top)
    text = [f"{top.name}: {judged.verdict}"]
    if top.oid != index.oid:
        text.append(f"{index.name} is attached to it and goes or stays with it.")
    text += [f"  - {reason}" for reason in judged.reasons]
    undo = undo_ddl(definition, top) if definition else ()
    if undo:
        text += ["", "To make it again (UNDO):", "", *undo]
    notes = [f"missing evidence: {gap}" for gap in gaps(world)]
    if definition is None:
        notes.append("unknown: its definition, an exclusive lock on its table is held or waited for")
    if top.partitioned:
        notes.append("the counters of partitions that were dropped are gone")
    return Report(
        "indexes-explain",
        (
            _facts(world, top, judged, waste, definition, len(family.leaves[top.oid])),
            _guards(judged),
            _usage(world, judged, family),
            _others(world, top, judged),
            _foreign_keys(world, top),
        ),
        text="\n".join(text),
        notes=tuple(notes),
    )


def _definition(db: Database, index: Index) -> DefinitionRow | None:
    # To print an index PostgreSQL opens its table, and would queue up behind an exclusive lock.
    if not index.readable:
        return None
    try:
        rows = db.rows("queries/indexes/definition", DefinitionRow, oid=index.oid)
    except CutOff:
        return None
    return rows[0] if rows else None


def undo_ddl(row: DefinitionRow, index: Index) -> tuple[str, ...]:
    """The statements that bring back an index and what hangs on it; one with a constraint is made by that."""
    found: list[str] = []
    if row.constraint_definition and row.constraint_name:
        found.append(f"ALTER TABLE {row.table_name} ADD CONSTRAINT {row.constraint_name} {row.constraint_definition};")
        if row.tablespace:
            found.append(f"ALTER INDEX {index.name} SET TABLESPACE {row.tablespace};")
    else:
        if row.tablespace:
            found.append(f"SET default_tablespace = {row.tablespace};")
        found.append(f"{_concurrently(row.definition, index)};")
        if row.tablespace:
            found.append("RESET default_tablespace;")
    for target in row.statistics_targets:
        number, _, value = target.partition(" ")
        found.append(f"ALTER INDEX {index.name} ALTER COLUMN {number} SET STATISTICS {value};")
    for extension in row.extensions:
        found.append(f"ALTER INDEX {index.name} DEPENDS ON EXTENSION {extension};")
    if row.is_clustered:
        found.append(f"ALTER TABLE {row.table_name} CLUSTER ON {names_last(index.name)};")
    if row.is_replica_identity:
        found.append(f"ALTER TABLE {row.table_name} REPLICA IDENTITY USING INDEX {names_last(index.name)};")
    if row.comment is not None:
        found.append(f"COMMENT ON INDEX {index.name} IS {_literal(row.comment)};")
    return tuple(found)


def _concurrently(definition: str, index: Index) -> str:
    for start in ("CREATE UNIQUE INDEX ", "CREATE INDEX "):
        if definition.startswith(start):
            rest = definition[len(start) :]
            if not index.partitioned:
                return f"{start}CONCURRENTLY {rest}"
            # Over all partitions, which CONCURRENTLY cannot do; the server prints it ON ONLY the parent.
            own = names_last(index.name)
            return f"{start}{own} ON {rest.removeprefix(f'{own} ON ').removeprefix('ONLY ')}"
    return definition


def names_last(name: str) -> str:
    """The index's own name without its schema, quoted where SQL needs it."""
    from wnadmin.postgres.variables import identifier

    own = names.unquoted(name)[-1]
    return own if name.endswith(f".{own}") else identifier(own)


def _literal(text: str) -> str:
    from wnadmin.postgres.variables import literal

    return literal(text).strip()


def _facts(
    world: World,
    index: Index,
    judged: Judged,
    waste: Sequence[tuple[measure.IndexRow, Bloat]],
    definition: DefinitionRow | None,
    leaves: int,
) -> Table:
    rows: list[tuple[str, str]] = [
        ("verdict", judged.verdict),
        ("kind", ", ".join(judged.kinds) or "nothing speaks against it"),
        ("definition", definition.definition if definition else "unknown (locked)"),
        ("table", judged.table),
        ("size", "not measured" if judged.bytes is None else shown(judged.bytes)),
        ("state", _state(index, world)),
        ("constraint", index.constraint or "none"),
        ("bloat", _bloat(waste)),
    ]
    if index.partitioned:
        rows.insert(4, ("partitions", f"{leaves} indexes under it"))
    if definition is not None and definition.comment:
        rows.append(("comment", definition.comment))
    return Table("index", (Column("fact"), Column("value")), tuple(rows), title="The index")


def _state(index: Index, world: World) -> str:
    if index.oid in world.building:
        return "being built"
    if index.partitioned and not index.valid:
        return "incomplete: not every partition is attached"
    found = "valid" if index.in_service else "not valid"
    left = guards.leftover(index.name)
    return f"{found}, {left}" if left and not index.in_service else found


def _bloat(waste: Sequence[tuple[measure.IndexRow, Bloat]]) -> str:
    if not waste:
        return f"not looked at below {shown(review.BLOATED_BYTES)}"
    judged = [bloat for _, bloat in waste if bloat.wasted is not None]
    if not judged:
        return f"withheld: {waste[0][1].why}"
    wasted, size = sum(one.wasted or 0 for one in judged), sum(one.bytes or 0 for one in judged)
    how = "counted" if all(one.how == "exact" for one in judged) else "estimated"
    return f"{shown(wasted)} of {shown(size)}, {how}"


def _guards(judged: Judged) -> Table:
    return Table(
        "guards",
        (Column("guard"), Column("answer"), Column("detail")),
        tuple((one.name, one.answer, one.detail) for one in judged.guards),
        title="The guards",
    )


def _usage(world: World, judged: Judged, family: Family) -> Table:
    tables = {one.table for one in family.leaves[judged.index.oid]} or {judged.index.table}
    by_node = {node: (scans, last) for node, scans, last in judged.usage.by_node}
    rows: list[tuple[Cell, ...]] = []
    for node in world.nodes:
        if node.why_not:
            rows.append((node.name, None, None, None, None, f"not reached: {node.why_not}"))
            continue
        scans, last = by_node.get(node.name, (None, None))
        remark = "does not know it (yet)" if node.name in judged.usage.missing else ""
        age = "" if node.age is None else days(node.age)
        rows.append((node.name, scans, last, sum(node.reads.get(one, 0) for one in tables), age, remark))
    return Table(
        "usage",
        (
            Column("node"),
            Column("scans"),
            Column("last_scan", "last scan"),
            Column("table_reads", "reads of the table"),
            Column("statistics_age", "counted for"),
            Column("remark"),
        ),
        tuple(rows),
        title="Use on each node",
    )


def _others(world: World, index: Index, judged: Judged) -> Table:
    others = likenesses(index, world.indexes.values())
    return Table(
        "comparisons",
        (Column("other"), Column("comparison"), Column("bytes", "size", unit="bytes"), Column("keeps")),
        tuple(
            (
                other.name,
                told,
                other.bytes,
                "it stays and takes over" if other.oid == judged.keeper else "",
            )
            for other, told in others
        ),
        title="Beside others of its table",
        empty="no other index of the table is like it",
    )


def _foreign_keys(world: World, index: Index) -> Table:
    rows = [
        (key.name, ", ".join(key.names), f"supports it; refers to {key.referred_table}")
        for key in world.foreign_keys
        if supports(index, key)
    ]
    rows += [
        (key.name, ", ".join(key.names), f"of {world.tables[key.table].name}, refers to this index")
        for key in world.foreign_keys
        if key.referred_index == index.oid and not key.parent and key.table in world.tables
    ]
    return Table(
        "foreign_keys",
        (Column("foreign_key", "foreign key"), Column("columns"), Column("what")),
        tuple(rows),
        title="Foreign keys",
        empty="it supports none, and none refers to it",
    )
