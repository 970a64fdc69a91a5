"""Foreign keys and the indexes that find the referring rows when a referred one is deleted or changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

from wnadmin.domain.indexes.facts import ForeignKey, Index, Relation

_SPELLED_OUT = 4
"""Columns of a foreign key up to which every order of `a IS NOT NULL AND b IS NOT NULL` is recognised."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A foreign key without an index; ``nearest`` says what almost is one."""

    key: ForeignKey
    table: Relation
    nearest: str = ""


def supports(index: Index, key: ForeignKey) -> bool:
    """Whether the index finds the rows of one referred key: its first columns are the key's, in any order.

    A partial index counts only when it leaves out nothing but rows without a key.
    """
    width = len(key.columns)
    if index.table != key.table or not index.in_service:
        return False
    if index.method != "btree" and not (index.method == "hash" and width == 1 == len(index.keys)):
        return False
    leading = index.keys[:width]
    if len(leading) < width or {one.column for one in leading} != set(key.columns):
        return False
    if key.collations:
        wanted = dict(zip(key.columns, key.collations, strict=True))
        if any(one.collation != wanted[one.column] for one in leading):
            return False
    return not index.partial or index.predicate in _not_null(key)


def _not_null(key: ForeignKey) -> set[str]:
    """The predicates, as the server prints them, that hold for every row with a key."""
    if len(key.names) > _SPELLED_OUT:
        return set()
    terms = [f"({name} IS NOT NULL)" for name in key.names]
    found = set(terms)
    for size in range(2, len(terms) + 1):
        found |= {f"({' AND '.join(some)})" for some in permutations(terms, size)}
    return found


def supporters(keys: Iterable[ForeignKey], indexes: Iterable[Index]) -> dict[int, tuple[int, ...]]:
    """For each foreign key that needs one, the indexes of its own table that support it, by id.

    A partition's share of a key counts too: its index may be all that the key has there.
    """
    by_table: dict[int, list[Index]] = {}
    for index in indexes:
        by_table.setdefault(index.table, []).append(index)
    return {
        key.oid: tuple(one.oid for one in by_table.get(key.table, ()) if supports(one, key))
        for key in keys
        if key.enforced
    }


def unsupported(
    keys: Collection[ForeignKey], indexes: Collection[Index], tables: Mapping[int, Relation]
) -> list[Unsupported]:
    """List the enforced foreign keys without an index, those of partitioned tables once.

    A partitioned table's key is supported by a partitioned index, or by an index on each of its partitions.
    """
    by_key = supporters(keys, indexes)
    by_table: dict[int, list[Index]] = {}
    for index in indexes:
        by_table.setdefault(index.table, []).append(index)
    # Partitions may number their columns otherwise; each has its share of the key, which knows them.
    shares: dict[int, dict[int, bool]] = {}
    parents = {key.oid: key.parent for key in keys}
    for key in keys:
        if key.parent and key.table in tables and not tables[key.table].partitioned:
            partitions = shares.setdefault(_root(key.oid, parents), {})
            partitions[key.table] = partitions.get(key.table, False) or bool(by_key.get(key.oid))
    found: list[Unsupported] = []
    for key in keys:
        if key.parent or not key.enforced or by_key.get(key.oid) or key.table not in tables:
            continue
        table = tables[key.table]
        partitions = shares.get(key.oid, {})
        if table.partitioned and partitions and all(partitions.values()):
            continue
        found.append(Unsupported(key, table, _nearest(key, by_table.get(key.table, ()))))
    return found


def _root(oid: int, parents: Mapping[int, int]) -> int:
    seen: set[int] = set()
    while parents.get(oid) and oid not in seen:
        seen.add(oid)
        oid = parents[oid]
    return oid


def _nearest(key: ForeignKey, indexes: Iterable[Index]) -> str:
    for index in indexes:
        if not {one.column for one in index.keys[: len(key.columns)]} & set(key.columns):
            continue
        if not index.in_service:
            return f"{index.name} is not valid"
        if index.partial and set(key.columns) <= {one.column for one in index.keys[: len(key.columns)]}:
            return f"{index.name} is partial and leaves out rows with a key"
        if not set(key.columns) <= set(index.columns):
            return f"{index.name} has only a part of the columns in front"
    return ""
