"""What is known about indexes before anything is judged: values without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Key:
    """One key column as it counts for comparison: a column by number, or 0 and the text of an expression."""

    column: int
    expression: str = ""
    opclass: int = 0
    collation: int = 0
    option: int = 0
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """One index. ``parent`` is the partitioned index it is attached to, 0 for none.

    ``bytes`` is None and ``readable`` False where a lock forbade to look; the expressions and the predicate are
    then unknown too. ``constraint`` names the constraint that it backs; ``referring`` counts the foreign keys
    that refer to it. ``transactions_ago`` is the age of its catalog row.
    """

    oid: int
    name: str
    table: int
    keys: tuple[Key, ...]
    method: str = "btree"
    included: frozenset[int] = frozenset()
    predicate: str | None = None
    partial: bool = False
    partitioned: bool = False
    unique: bool = False
    primary: bool = False
    exclusion: bool = False
    immediate: bool = True
    valid: bool = True
    usable: bool = True
    clustered: bool = False
    replica_identity: bool = False
    nulls_not_distinct: bool = False
    parent: int = 0
    constraint: str = ""
    referring: int = 0
    storage: str = ""
    readable: bool = True
    bytes: int | None = 0
    transactions_ago: int = 0
    written_at: datetime | None = None

    @property
    def columns(self) -> tuple[int, ...]:
        """The key columns by number; 0 is an expression."""
        return tuple(key.column for key in self.keys)

    @property
    def has_expressions(self) -> bool:
        """Whether a key is computed."""
        return 0 in self.columns

    @property
    def in_service(self) -> bool:
        """Whether queries may use it."""
        return self.valid and self.usable


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that has indexes; ``parent`` is the partitioned table it is a partition of, 0 for none."""

    oid: int
    name: str
    partitioned: bool = False
    parent: int = 0
    rows: int = 0
    never_counted: bool = False
    extension: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of ``table``; ``columns`` and ``collations`` in the order of the constraint.

    ``parent`` is the key of which this one is a partition's share, 0 for none. ``referred_changes`` counts the
    updates and deletions of referred rows, each of which may look for the rows that refer to it.
    """

    oid: int
    name: str
    table: int
    columns: tuple[int, ...]
    names: tuple[str, ...]
    collations: tuple[int, ...] = ()
    referred_table: str = ""
    referred_index: int = 0
    parent: int = 0
    enforced: bool = True
    referred_changes: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """How a node used one index: scans since ``since`` (None: since the node counts), and the last of them."""

    scans: int
    last: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node of the profile as it answered; ``why_not`` says why it did not, and then nothing else counts.

    ``reads`` counts the scans of each table, ``uses`` those of each index. ``standbys`` is how many stream from
    this node. ``next_transaction`` and ``made_at`` give the mean rate of transactions since initdb.
    """

    name: str
    place: str
    why_not: str = ""
    system: str = ""
    database: int = 0
    in_recovery: bool = False
    looked_at: datetime | None = None
    counted_since: datetime | None = None
    counts: bool = True
    sees_all: bool = True
    login: str = ""
    standbys: int = 0
    made_at: datetime | None = None
    next_transaction: int = 0
    uses: Mapping[int, Use] = field(default_factory=dict)
    reads: Mapping[int, int] = field(default_factory=dict)

    @property
    def age(self) -> timedelta | None:
        """How long this node has been counting."""
        if self.looked_at is None or self.counted_since is None:
            return None
        return self.looked_at - self.counted_since


@dataclass(frozen=True, slots=True)
class World:
    """All indexes of a database with what all nodes of the profile say about them.

    ``source`` names the node whose catalog was read. ``building`` are the indexes under construction;
    ``blind_builds`` is how many builds could not be seen into.
    """

    indexes: Mapping[int, Index]
    tables: Mapping[int, Relation]
    foreign_keys: tuple[ForeignKey, ...]
    nodes: tuple[NodeView, ...]
    source: str = ""
    building: frozenset[int] = frozenset()
    blind_builds: int = 0

    @property
    def reached(self) -> tuple[NodeView, ...]:
        """The nodes that answered."""
        return tuple(node for node in self.nodes if not node.why_not)


@dataclass(frozen=True, slots=True)
class Family:
    """Who hangs on whom: the topmost index of each index, and the physical ones under each topmost one."""

    top: Mapping[int, int]
    leaves: Mapping[int, tuple[Index, ...]]

    @classmethod
    def of(cls, indexes: Mapping[int, Index]) -> Family:
        """Work it out once for all indexes."""
        top = {oid: top_of(oid, indexes) for oid in indexes}
        leaves: dict[int, list[Index]] = {}
        for oid, above in top.items():
            members = leaves.setdefault(above, [])
            if not indexes[oid].partitioned:
                members.append(indexes[oid])
        return cls(top, {oid: tuple(members) for oid, members in leaves.items()})


def top_of(oid: int, indexes: Mapping[int, Index]) -> int:
    """The topmost partitioned index that an index hangs on, or itself; ends also on a broken catalog."""
    seen: set[int] = set()
    while oid in indexes and indexes[oid].parent in indexes and oid not in seen:
        seen.add(oid)
        oid = indexes[oid].parent
    return oid
