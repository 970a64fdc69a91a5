"""Which index can take another's place: equal in everything that decides what it finds and enforces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wnadmin.domain.indexes.facts import Index

Likeness = Literal["duplicate", "redundant"]


@dataclass(frozen=True, slots=True)
class Match:
    """``loser`` can go because ``keeper`` does all it does; both are ids of indexes of one table."""

    loser: int
    keeper: int
    likeness: Likeness


def protected(index: Index) -> bool:
    """Whether it stands for more than its queries, so that no other index can take its place."""
    return bool(
        index.primary
        or index.exclusion
        or index.constraint
        or index.replica_identity
        or index.clustered
        or index.referring
        or index.parent
    )


def covers(keeper: Index, loser: Index) -> Likeness | None:
    """Say how ``keeper`` does all that ``loser`` does: the same columns, or more of them; None when it does not.

    A unique index is covered only by one that enforces the same, as early. What could not be read (a locked
    table) is never taken for equal.
    """
    if keeper.oid == loser.oid or keeper.table != loser.table or keeper.method != loser.method:
        return None
    if keeper.partitioned != loser.partitioned:
        return None
    if not keeper.in_service or not loser.in_service:
        return None
    if not _comparable(keeper) or not _comparable(loser):
        return None
    if keeper.partial != loser.partial or keeper.predicate != loser.predicate:
        return None
    width = len(loser.keys)
    same_keys = keeper.keys == loser.keys
    if keeper.keys[:width] != loser.keys:
        return None
    if keeper.method != "btree" and (not same_keys or keeper.storage != loser.storage):
        # Only a btree is searched by its leading columns; elsewhere options decide what a search costs.
        return None
    if not loser.included <= keeper.included | set(keeper.columns):
        return None
    if loser.unique and not (keeper.unique and same_keys and _enforces(keeper, loser)):
        return None
    return "duplicate" if same_keys and keeper.included == loser.included else "redundant"


def _comparable(index: Index) -> bool:
    hidden = (index.partial and index.predicate is None) or any(not k.column and not k.expression for k in index.keys)
    return not hidden


def _enforces(keeper: Index, loser: Index) -> bool:
    return keeper.nulls_not_distinct == loser.nulls_not_distinct and (keeper.immediate or not loser.immediate)


def strength(index: Index) -> tuple[bool, bool, bool, bool, int, int, int]:
    """Sort key, the one to keep first: constraint, unique, replica identity, wider, older.

    What is protected for another reason stands before all that is not, for it stays anyway.
    """
    return (
        not index.constraint,
        not protected(index),
        not index.unique,
        not index.replica_identity,
        -len(index.keys),
        -len(index.included),
        index.oid,
    )


def matches(indexes: Iterable[Index]) -> dict[int, Match]:
    """Find those that can go, by id; a keeper is never itself among them, whatever chains there are."""
    by_table: dict[int, list[Index]] = {}
    for index in indexes:
        by_table.setdefault(index.table, []).append(index)
    found: dict[int, Match] = {}
    for together in by_table.values():
        kept: list[Index] = []
        for index in sorted(together, key=strength):
            match = None if protected(index) else _first(kept, index)
            if match is None:
                kept.append(index)
            else:
                found[index.oid] = match
    return found


def likenesses(index: Index, others: Iterable[Index]) -> list[tuple[Index, str]]:
    """List how an index compares with the others of its table, for a person to read."""
    found: list[tuple[Index, str]] = []
    for other in others:
        if other.oid == index.oid or other.table != index.table:
            continue
        mine, theirs = covers(index, other), covers(other, index)
        if mine is not None and theirs is not None:
            found.append((other, "the same"))
        elif theirs is not None:
            found.append((other, "does all that this one does" if theirs == "redundant" else "the same, and enforces"))
        elif mine is not None:
            found.append((other, "does nothing more than this one"))
        elif not (_comparable(index) and _comparable(other)):
            found.append((other, "could not be compared: its table is locked"))
        elif other.columns[:1] == index.columns[:1] and other.columns[:1] != (0,):
            found.append((other, f"begins with the same column, but {_difference(index, other)}"))
    return found


def _difference(one: Index, other: Index) -> str:
    if one.method != other.method:
        return f"is {other.method}"
    if one.partial != other.partial or one.predicate != other.predicate:
        return "over other rows" if one.partial and other.partial else "one of the two is partial"
    if not other.in_service or not one.in_service:
        return "one of the two is not valid"
    for mine, theirs in zip(one.keys, other.keys, strict=False):
        if mine.column == theirs.column and mine.expression == theirs.expression and mine != theirs:
            return "with another operator class, collation or order"
    if one.columns == other.columns and (one.unique or other.unique):
        return "it enforces something else"
    return "goes on with other columns"


def _first(kept: Iterable[Index], loser: Index) -> Match | None:
    # The nearest keeper is named: an equal one before a wider one, and of the wider ones the narrowest.
    found: list[tuple[bool, int, Match]] = []
    for keeper in kept:
        likeness = covers(keeper, loser)
        if likeness is not None:
            found.append((likeness != "duplicate", len(keeper.keys), Match(loser.oid, keeper.oid, likeness)))
    return min(found, key=lambda one: one[:2])[2] if found else None
