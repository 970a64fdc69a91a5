"""The verdict about each index: pure judgement over what was gathered, one guard after the other.

``droppable`` needs every guard that matters for the claim; one that says ``keep`` outweighs all, and one that
cannot be answered makes it ``insufficient evidence``. No two indexes that stand in for each other are droppable
together, and no foreign key loses its last index when everything droppable is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wnadmin.domain.indexes import guards as g
from wnadmin.domain.indexes.cover import Match, matches, strength
from wnadmin.domain.indexes.facts import Family, Index, World
from wnadmin.domain.indexes.foreign import supporters
from wnadmin.domain.indexes.guards import Guard, Limits, Usage

Verdict = Literal["droppable", "keep", "insufficient evidence"]
Kind = Literal["unused", "idle", "duplicate", "redundant", "invalid", "incomplete", "bloated"]

_STANDING = ("constraint", "foreign keys that refer to it", "replica identity", "clustered", "partitions", "extension")
_RELEVANT: Mapping[Kind, tuple[str, ...]] = {
    "invalid": (*_STANDING, "being built", "lock", "nodes"),
    "duplicate": (*_STANDING, "takes over", "foreign key support", "lock", "nodes"),
    "redundant": (*_STANDING, "takes over", "foreign key support", "lock", "nodes"),
    "unused": (
        *_STANDING,
        "unique",
        "takes over",
        "foreign key support",
        "lock",
        "nodes",
        "scans",
        "statistics age",
        "own age",
        "table in use",
        "planner statistics",
        "size",
    ),
}
_RANK: Mapping[Verdict, int] = {"droppable": 0, "insufficient evidence": 1, "keep": 2}


@dataclass(frozen=True, slots=True)
class Judged:
    """One index with its verdict. ``keeper`` is the index that does its work as well, 0 for none.

    ``bytes`` is None when a lock forbade to measure; ``usage`` sums all nodes that were reached.
    """

    index: Index
    table: str
    verdict: Verdict
    kinds: tuple[Kind, ...]
    reasons: tuple[str, ...]
    guards: tuple[Guard, ...] = field(compare=False)
    usage: Usage = field(default_factory=Usage)
    keeper: int = 0
    bytes: int | None = 0


def review(world: World, limits: Limits) -> list[Judged]:
    """Judge every topmost index: partitions' indexes that are attached are judged as one with what they hang on.

    Droppable ones come first, then those without enough evidence; within each the largest first.
    """
    judge = _Judge(world, limits)
    return sorted(judge.all(), key=lambda one: (_RANK[one.verdict], -(one.bytes or 0), one.index.name))


class _Judge:
    def __init__(self, world: World, limits: Limits) -> None:
        self.world = world
        self.limits = limits
        self.family = Family.of(world.indexes)
        self.match = matches(world.indexes.values())
        self.keepers: dict[int, list[int]] = {}
        for one in self.match.values():
            self.keepers.setdefault(one.keeper, []).append(one.loser)
        self.supporters = supporters(world.foreign_keys, world.indexes.values())
        self.supported: dict[int, list[int]] = {}
        for key, indexes in self.supporters.items():
            for oid in indexes:
                self.supported.setdefault(oid, []).append(key)
        self.by_table: dict[int, list[Index]] = {}
        for index in world.indexes.values():
            self.by_table.setdefault(index.table, []).append(index)
        self.key_names = {key.oid: key.name for key in world.foreign_keys}
        self.gaps = g.gaps(world)
        self.dropped: set[int] = set()

    def all(self) -> list[Judged]:
        topmost = [one for one in self.world.indexes.values() if self.family.top[one.oid] == one.oid]
        # The weakest are offered first, so that what is judged later knows what would be gone.
        return [self._one(index) for index in sorted(topmost, key=strength, reverse=True)]

    def _one(self, index: Index) -> Judged:
        leaves = self.family.leaves.get(index.oid, ())
        usage = g.usage(self.world.reached, leaves)
        match = self.match.get(index.oid)
        asked = self._guards(index, leaves, usage)
        claim, kinds = self._claim(index, match, usage, asked)
        if claim is None:
            verdict: Verdict = "insufficient evidence" if "idle" in kinds else "keep"
            reasons = [g.idle(usage).detail] if "idle" in kinds else _why_kept(asked)
        else:
            relevant = [guard for guard in asked if guard.name in _RELEVANT[claim]]
            keeps = [guard for guard in relevant if guard.answer == "keep"]
            unknown = [guard for guard in relevant if guard.answer == "unknown"]
            verdict = "keep" if keeps else "insufficient evidence" if unknown else "droppable"
            reasons = _details(keeps or unknown)
            if kinds:
                reasons.insert(0, self._why(claim, index, match, usage))
        if verdict == "droppable":
            self.dropped.add(index.oid)
        sizes = [one.bytes for one in leaves]
        return Judged(
            index,
            self.world.tables[index.table].name if index.table in self.world.tables else "",
            verdict,
            kinds,
            tuple(reason for reason in reasons if reason),
            tuple(asked),
            usage,
            match.keeper if match else 0,
            None if any(size is None for size in sizes) else sum(size or 0 for size in sizes),
        )

    def _claim(
        self, index: Index, match: Match | None, usage: Usage, asked: list[Guard]
    ) -> tuple[Kind | None, tuple[Kind, ...]]:
        """What speaks for dropping it: the strongest claim, and everything it is called."""
        answers = {guard.name: guard.answer for guard in asked}
        if not index.in_service:
            if index.partitioned:
                return None, ("incomplete",)
            return "invalid", () if answers["being built"] == "keep" else ("invalid",)
        kinds: list[Kind] = [match.likeness] if match else []
        standing = any(answers[name] == "keep" for name in (*_STANDING, "unique"))
        if answers["scans"] != "keep" and not standing:
            # What has an equal is asked for that alone: without it nobody would ask for its scans either.
            kinds += [] if match else ["unused"]
        elif g.idle(usage).answer == "unknown" and not standing:
            kinds.append("idle")
        claim = next((kind for kind in kinds if kind != "idle"), None)
        return claim, tuple(kinds)

    def _why(self, claim: Kind, index: Index, match: Match | None, usage: Usage) -> str:
        if claim == "invalid":
            left = g.leftover(index.name)
            return f"not valid: {left}" if left else "not valid: what built it did not finish"
        if match is not None:
            keeper = self.world.indexes[match.keeper].name
            return f"{keeper} is the same" if match.likeness == "duplicate" else f"{keeper} does all it does"
        return g.scans(usage).detail if g.scans(usage).answer == "passes" else ""

    def _guards(self, index: Index, leaves: tuple[Index, ...], usage: Usage) -> list[Guard]:
        world, limits = self.world, self.limits
        took = [world.indexes[oid].name for oid in self.keepers.get(index.oid, [])]
        last_of = [
            self.key_names[key]
            for key in self.supported.get(index.oid, [])
            if not set(self.supporters[key]) - self.dropped - {index.oid}
        ]
        also = [self.key_names[key] for key in self.supported.get(index.oid, []) if self.key_names[key] not in last_of]
        tables = {one.table for one in leaves} or {index.table}
        expressions = _expressions(index)
        same_expression = any(
            _expressions(other) >= expressions
            for other in self.by_table[index.table]
            if other.oid != index.oid and other.oid not in self.dropped
        )
        match = self.match.get(index.oid)
        involved = [*leaves, *([world.indexes[match.keeper]] if match else [])]
        return [
            g.constraint(index),
            g.unique(index),
            g.referring(index),
            g.replica_identity(index),
            g.clustered(index),
            g.partitions(index),
            g.extension(world.tables.get(index.table)),
            g.being_built(index, world),
            g.takes_over(took),
            g.foreign_key_support(last_of, also),
            g.lock(index, involved),
            Guard("nodes", "unknown", "; ".join(self.gaps))
            if self.gaps
            else Guard("nodes", "passes", f"asked: {', '.join(node.name for node in world.reached)}"),
            g.scans(usage),
            g.statistics_age(world.reached, leaves, limits),
            g.own_age(index, world, limits),
            g.table_in_use(world.reached, tables, sum(len(self.by_table.get(one, ())) for one in tables)),
            g.planner_statistics(index, kept_elsewhere=same_expression),
            g.size(leaves, limits),
        ]


def _expressions(index: Index) -> set[str]:
    return {key.expression for key in index.keys if key.expression}


def _details(asked: list[Guard]) -> list[str]:
    """What the guards say; one that follows from another is left to the dossier."""
    names = {guard.name for guard in asked}
    return [guard.detail for guard in asked if guard.name != "own age" or "statistics age" not in names]


def _why_kept(asked: list[Guard]) -> list[str]:
    """The reasons that matter most: what it stands for, else who reads it, else whatever there is."""
    keeps = [guard for guard in asked if guard.answer == "keep"]
    for names in ((*_STANDING, "unique", "being built"), ("scans",), ("takes over", "foreign key support")):
        if found := [guard.detail for guard in keeps if guard.name in names]:
            return found
    return [guard.detail for guard in keeps]
