"""Indexes, nodes and worlds for the tests of verdicts, with what they do not care about filled in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from wnadmin.domain.indexes.facts import Index, Key, NodeView, Relation, Use, World
from wnadmin.domain.indexes.guards import Limits
from wnadmin.domain.indexes.judge import Judged, review

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)
TABLE = 1
LIMITS = Limits()


def keys(*columns: int) -> tuple[Key, ...]:
    return tuple(Key(column) for column in columns)


def index(oid: int, *columns: int, **facts: Any) -> Index:
    given = {"name": f"s.i{oid}", "bytes": 1 << 20, "written_at": LONG_AGO, **facts}
    return Index(oid=oid, table=given.pop("table", TABLE), keys=given.pop("keys", keys(*columns)), **given)


def node(indexes: Sequence[Index], name: str = "primary", scans: int = 0, **facts: Any) -> NodeView:
    uses = {one.oid: Use(scans) for one in indexes if not one.partitioned}
    given = {
        "system": "7",
        "database": 5,
        "looked_at": NOW,
        "counted_since": LONG_AGO,
        "uses": uses,
        "reads": {TABLE: 10, 2: 10},
        "in_recovery": name != "primary",
        **facts,
    }
    return NodeView(name=name, place="here", **given)


def world(*indexes: Index, nodes: Sequence[NodeView] | None = None, **facts: Any) -> World:
    tables = {TABLE: Relation(TABLE, "s.t", rows=1000), 2: Relation(2, "s.u", rows=1000)}
    given = {"tables": tables, "foreign_keys": (), "source": "primary", **facts}
    return World(indexes={one.oid: one for one in indexes}, nodes=tuple(nodes or [node(indexes)]), **given)


def one(judged: Sequence[Judged], oid: int) -> Judged:
    return next(each for each in judged if each.index.oid == oid)


def verdict(of: Index, *others: Index, limits: Limits = LIMITS, **facts: Any) -> Judged:
    return one(review(world(of, *others, **facts), limits), of.oid)
