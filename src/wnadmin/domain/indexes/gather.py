"""Ask the nodes: the catalog of one, the use on all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from wnadmin.domain.indexes.facts import ForeignKey, Index, Key, NodeView, Relation, Use, World
from wnadmin.domain.tables.patience import again
from wnadmin.errors import WnError

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database
    from wnadmin.postgres.nodes import Node, Nodes


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of ``queries/indexes/catalog``."""

    oid: int
    table_oid: int
    name: str
    method: str
    partitioned: bool
    key_columns: int
    columns: str
    classes: str
    collations: str
    options: str
    class_parameters: str
    has_expressions: bool
    expressions: list[str]
    has_predicate: bool
    predicate: str | None
    is_unique: bool
    is_primary: bool
    is_exclusion: bool
    is_immediate: bool
    is_valid: bool
    is_ready: bool
    is_live: bool
    is_clustered: bool
    is_replica_identity: bool
    nulls_not_distinct: bool
    parent_oid: int
    constraint_name: str
    constraint_type: str
    referring: int
    storage: str
    locked: bool
    bytes: int | None
    transactions_ago: int
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of ``queries/indexes/tables``."""

    oid: int
    name: str
    partitioned: bool
    parent_oid: int
    estimated_rows: int
    never_counted: bool
    extension: str


@dataclass(frozen=True, slots=True)
class ForeignKeyRow:
    """A row of ``queries/indexes/foreign_keys``."""

    oid: int
    name: str
    table_oid: int
    columns: str
    names: list[str]
    collations: str
    referred_table: str
    referred_index: int
    parent_oid: int
    enforced: bool
    referred_changes: int


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A row of ``queries/indexes/usage``."""

    oid: int
    scans: int
    last_scan: datetime | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class TableUsageRow:
    """A row of ``queries/indexes/table_usage``."""

    oid: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    """The row of ``queries/indexes/node``."""

    looked_at: datetime
    login: str
    system_identifier: str
    database_oid: int
    database_name: str
    in_recovery: bool
    started: datetime
    counted_since: datetime | None
    counts: bool
    sees_all: bool
    made_at: datetime
    next_transaction: int
    standbys: int


@dataclass(frozen=True, slots=True)
class BuildRow:
    """A row of ``queries/indexes/building``."""

    pid: int
    oid: int | None
    table_oid: int | None
    phase: str


def world(nodes: Nodes) -> tuple[World, Database]:
    """Look at every node, and read the catalog of the primary, or of the first that was reached.

    Gives the node's Database as well, for whoever goes on reading there.
    """
    found = nodes.reached()
    views = nodes.each(view)
    source, db = _source(found, views)
    return replace(catalog(db), nodes=tuple(views), source=source), db


def _source(found: Sequence[Node], views: Sequence[NodeView]) -> tuple[str, Database]:
    reached = [(node.db, one) for node, one in zip(found, views, strict=True) if node.db and not one.why_not]
    if not reached:
        for node in found:
            if node.error is not None:
                raise node.error
        raise WnError(f"no node could be looked at: {'; '.join(one.why_not for one in views)}")
    db, first = next(((db, one) for db, one in reached if not one.in_recovery), reached[0])
    return first.name, db


def view(node: Node) -> NodeView:
    """What one node says; a node that cannot be read is one that was not reached."""
    if node.db is None:
        error = node.error
        return NodeView(node.name, node.place, why_not=(error.why or error.what) if error else "not connected")
    db = node.db
    try:
        (row,) = db.rows("queries/indexes/node", NodeRow)
        uses = db.rows("queries/indexes/usage", UsageRow)
        tables = db.rows("queries/indexes/table_usage", TableUsageRow)
    except WnError as error:
        return NodeView(node.name, node.place, why_not=error.what)
    return NodeView(
        name=node.name,
        place=node.place,
        system=row.system_identifier,
        database=row.database_oid,
        in_recovery=row.in_recovery,
        looked_at=row.looked_at,
        counted_since=row.counted_since,
        counts=row.counts,
        sees_all=row.sees_all,
        login=row.login,
        standbys=row.standbys,
        made_at=row.made_at,
        next_transaction=row.next_transaction,
        uses={one.oid: Use(one.scans, one.last_scan, one.since) for one in uses},
        reads={one.oid: one.reads for one in tables},
    )


def catalog(db: Database) -> World:
    """Read indexes, tables, foreign keys and running builds of one node; the nodes are still to be filled in."""
    indexes = [_index(row) for row in again(lambda: db.rows("queries/indexes/catalog", IndexRow))]
    tables = db.rows("queries/indexes/tables", TableRow)
    keys = db.rows("queries/indexes/foreign_keys", ForeignKeyRow)
    builds = db.rows("queries/indexes/building", BuildRow)
    # REINDEX … CONCURRENTLY names one index at a time and has made new ones for all of the table.
    busy = {row.table_oid for row in builds if row.table_oid}
    named = {row.oid for row in builds if row.oid}
    return World(
        indexes={one.oid: one for one in indexes},
        tables={
            row.oid: Relation(
                row.oid,
                row.name,
                row.partitioned,
                row.parent_oid,
                row.estimated_rows,
                row.never_counted,
                row.extension,
            )
            for row in tables
        },
        foreign_keys=tuple(_foreign_key(row) for row in keys),
        nodes=(),
        building=frozenset(
            one.oid for one in indexes if one.oid in named or (one.table in busy and not one.in_service)
        ),
        blind_builds=sum(row.table_oid is None for row in builds),
    )


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def _index(row: IndexRow) -> Index:
    columns = _numbers(row.columns)
    width = row.key_columns
    expressions = row.expressions or [""] * len(columns)
    parameters: dict[int, str] = {}
    if row.class_parameters:
        for part in row.class_parameters.split(" "):
            number, _, value = part.partition(":")
            parameters[int(number) if number.isdigit() else 0] = value
    keys = zip(
        columns[:width],
        expressions[:width],
        _numbers(row.classes),
        _numbers(row.collations),
        _numbers(row.options),
        (parameters.get(place, "") for place in range(1, width + 1)),
        strict=False,
    )
    return Index(
        oid=row.oid,
        name=row.name,
        table=row.table_oid,
        keys=tuple(Key(*key) for key in keys),
        method=row.method,
        included=frozenset(columns[width:]),
        predicate=row.predicate,
        partial=row.has_predicate,
        partitioned=row.partitioned,
        unique=row.is_unique,
        primary=row.is_primary,
        exclusion=row.is_exclusion,
        immediate=row.is_immediate,
        valid=row.is_valid,
        usable=row.is_ready and row.is_live,
        clustered=row.is_clustered,
        replica_identity=row.is_replica_identity,
        nulls_not_distinct=row.nulls_not_distinct,
        parent=row.parent_oid,
        constraint=row.constraint_name,
        referring=row.referring,
        storage=row.storage,
        readable=not row.locked,
        bytes=row.bytes,
        transactions_ago=row.transactions_ago,
        written_at=row.written_at,
    )


def _foreign_key(row: ForeignKeyRow) -> ForeignKey:
    return ForeignKey(
        oid=row.oid,
        name=row.name,
        table=row.table_oid,
        columns=tuple(_numbers(row.columns)),
        names=tuple(row.names),
        collations=tuple(_numbers(row.collations)),
        referred_table=row.referred_table,
        referred_index=row.referred_index,
        parent=row.parent_oid,
        enforced=row.enforced,
        referred_changes=row.referred_changes,
    )
