"""From facts to the forest: who waits for whom, in which tree, at which place.

A waiter waits for all that hold what it wants (hard) and for all before it in the same queue that want something
conflicting (soft). Among n waiters in a queue that is n * (n - 1) / 2 edges, so the soft ones that follow from the next
one ahead are left out (``links``): what blocks that one too blocks through it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from wnadmin.domain.locks.facts import Facts, Tag, Waiting

CONFLICTS: Mapping[str, frozenset[str]] = {
    mode: frozenset(f"{other}Lock" for other in others.split())
    for mode, others in {
        "AccessShareLock": "AccessExclusive",
        "RowShareLock": "Exclusive AccessExclusive",
        "RowExclusiveLock": "Share ShareRowExclusive Exclusive AccessExclusive",
        "ShareUpdateExclusiveLock": "ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive",
        "ShareLock": "RowExclusive ShareUpdateExclusive ShareRowExclusive Exclusive AccessExclusive",
        "ShareRowExclusiveLock": "RowExclusive ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive",
        "ExclusiveLock": "RowShare RowExclusive ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive",
        "AccessExclusiveLock": "AccessShare RowShare RowExclusive ShareUpdateExclusive Share ShareRowExclusive "
        "Exclusive AccessExclusive",
    }.items()
}
"""Which modes of others keep a mode waiting."""

LATE = datetime.max.replace(tzinfo=UTC)
"""Instead of a time that is not known, for sorting."""


@dataclass(frozen=True, slots=True)
class Link:
    """One waiter and one blocker; ``mode`` is what the blocker holds (hard) or wants (soft), None if it was gone."""

    waiter: int
    blocker: int
    hard: bool
    mode: str | None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a session stands: in which trees, below which way, and how many stand below it."""

    key: int
    root: int
    roots: tuple[int, ...]
    path: tuple[int, ...]
    parent: Link | None
    cycle: bool
    direct: int
    below: int


@dataclass(frozen=True, slots=True)
class Graph:
    """All of it: ``blockers`` of each waiter, ``links`` that imply all of these, ``spots`` in reading order."""

    wants: Mapping[int, Waiting]
    blockers: Mapping[int, frozenset[int]]
    modes: Mapping[int, Mapping[int, str]]
    links: Mapping[int, Sequence[Link]]
    spots: Sequence[Spot]

    def edges(self, waiter: int) -> list[Link]:
        """Give all edges of a waiter, those that hold first."""
        every = [link(waiter, one, self.modes[waiter], self.wants) for one in self.blockers[waiter]]
        return sorted(every, key=lambda one: (not one.hard, one.blocker))


def build(facts: Facts) -> Graph:
    """Make the graph; keys are pids, minus the transaction id for prepared transactions, 0 for one that is gone."""
    groups: dict[int, list[Waiting]] = defaultdict(list)
    for one in facts.waiting:
        groups[_leader(facts, one.pid)].append(one)
    wants = {key: min(group, key=lambda one: (one.waitstart or LATE, one.pid)) for key, group in groups.items()}
    modes = _modes(facts, groups)
    blockers = {key: found for key, group in groups.items() if (found := _blockers(key, group, modes[key]))}
    links = _links(blockers, modes, wants)
    return Graph(wants, blockers, modes, links, _Forest(facts, wants, blockers, links).spots())


def link(waiter: int, blocker: int, modes: Mapping[int, str], wants: Mapping[int, Waiting]) -> Link:
    """Say how a blocker blocks: by a conflicting lock (``modes``), by its place in the same queue, or unknown how."""
    if blocker in modes:
        return Link(waiter, blocker, True, modes[blocker])
    ahead = wants.get(blocker)
    if ahead is not None and ahead.tag == wants[waiter].tag:
        return Link(waiter, blocker, False, ahead.mode)
    return Link(waiter, blocker, True, None)


def _leader(facts: Facts, pid: int) -> int:
    party = facts.parties.get(pid)
    return pid if party is None or party.leader is None else party.leader


def _holders(facts: Facts) -> Mapping[Tag, Sequence[tuple[int, str]]]:
    """Who holds what, by what it is on."""
    xids = {
        one.virtualtransaction: -int(one.transactionid)
        for one in facts.held
        if one.pid is None and one.locktype == "transactionid" and one.transactionid is not None
    }
    known = {-int(one.xid) for one in facts.prepared}
    found: dict[Tag, list[tuple[int, str]]] = defaultdict(list)
    for one in facts.held:
        if one.pid is not None:
            key = _leader(facts, one.pid)
        else:
            key = xids.get(one.virtualtransaction, 0)
            key = key if key in known else 0
        found[one.tag].append((key, one.mode))
    return found


def _modes(facts: Facts, groups: Mapping[int, Sequence[Waiting]]) -> dict[int, dict[int, str]]:
    """Who holds something that conflicts with what a waiter wants, and in which mode."""
    holders = _holders(facts)
    found: dict[int, dict[int, str]] = {}
    for key, group in groups.items():
        modes: dict[int, set[str]] = defaultdict(set)
        for one in group:
            conflicting = CONFLICTS.get(one.mode, frozenset())
            for holder, mode in holders.get(one.tag, ()):
                if holder != key and mode in conflicting:
                    modes[holder].add(mode)
        found[key] = {holder: ", ".join(sorted(held)) for holder, held in modes.items()}
    return found


def _blockers(key: int, group: Sequence[Waiting], modes: Mapping[int, str]) -> frozenset[int]:
    pids = {pid for one in group for pid in one.blockers} - {key}
    if 0 in pids:
        prepared = {holder for holder in modes if holder <= 0}
        return frozenset(pids - {0} | (prepared or {0}))
    if not pids and group[0].standby:
        # The startup process of a standby waits for queries, and pg_blocking_pids() does not know it.
        return frozenset(modes)
    return frozenset(pids)


def _links(
    blockers: Mapping[int, frozenset[int]], modes: Mapping[int, Mapping[int, str]], wants: Mapping[int, Waiting]
) -> dict[int, list[Link]]:
    order = sorted(blockers, key=lambda key: (wants[key].waitstart or LATE, key))
    places = {key: place for place, key in enumerate(order)}
    queues: dict[Tag, set[int]] = defaultdict(set)
    for key in order:
        queues[wants[key].tag].add(key)
    links: dict[int, list[Link]] = {}
    for waiter, group in blockers.items():
        soft = (group & queues[wants[waiter].tag]) - modes[waiter].keys()
        kept = group - soft
        if soft:
            following = max(soft, key=places.__getitem__)
            kept |= (soft - blockers[following]) | {following}
        links[waiter] = [link(waiter, one, modes[waiter], wants) for one in sorted(kept)]
    return links


class _Forest:
    """Finds roots and places; every session stands once, below the nearest of its blockers."""

    def __init__(
        self,
        facts: Facts,
        wants: Mapping[int, Waiting],
        blockers: Mapping[int, frozenset[int]],
        links: Mapping[int, Sequence[Link]],
    ) -> None:
        self.facts = facts
        self.wants = wants
        self.links = links
        self.behind: dict[int, list[int]] = defaultdict(list)
        for waiter, found in links.items():
            for one in found:
                self.behind[one.blocker].append(waiter)
        self.direct: Counter[int] = Counter()
        for keys in blockers.values():
            self.direct.update(keys)

    def spots(self) -> list[Spot]:
        """Give every session of the forest in reading order."""
        ends = [key for key in self.behind if key not in self.links]
        below = {key: self._reach(key) for key in ends}
        reached = set().union(*below.values()) if below else set()
        cycles = self._cycles({key for key in self.links if key not in reached})
        below.update({key: self._reach(key) for key in cycles})
        roots: dict[int, list[int]] = defaultdict(list)
        for root in sorted(below):
            for key in below[root]:
                roots[key].append(root)
        parents = self._parents(below)
        children: dict[int, list[int]] = defaultdict(list)
        for key, link in parents.items():
            children[link.blocker].append(key)
        found: list[Spot] = []
        for root in sorted(below, key=lambda key: (-len(below[key]), *self._rank(key))):
            found += self._drawn(root, children, parents, roots, len(below[root]) - 1, root in cycles)
        return found

    def _drawn(
        self,
        root: int,
        children: Mapping[int, Sequence[int]],
        parents: Mapping[int, Link],
        roots: Mapping[int, Sequence[int]],
        blocked: int,
        cycle: bool,
    ) -> list[Spot]:
        paths: list[tuple[int, ...]] = []
        stack: list[tuple[int, ...]] = [(root,)]
        sizes: dict[int, int] = defaultdict(int)
        while stack:
            path = stack.pop()
            paths.append(path)
            for key in path[:-1]:
                sizes[key] += 1
            stack += [(*path, key) for key in sorted(children.get(path[-1], ()), key=self._rank, reverse=True)]
        return [
            Spot(
                path[-1],
                root,
                tuple(roots[path[-1]]),
                path,
                parents.get(path[-1]),
                cycle and len(path) == 1,
                self.direct[path[-1]],
                blocked if len(path) == 1 else sizes[path[-1]],
            )
            for path in paths
        ]

    def _rank(self, key: int) -> tuple[int, datetime, datetime, int]:
        """Who holds up most comes first, then who waits longest, then the oldest transaction."""
        want, party = self.wants.get(key), self.facts.parties.get(key)
        since = want.waitstart if want is not None else None
        began = party.xact_start if party is not None else None
        return (-self.direct[key], since or LATE, began or LATE, key)

    def _reach(self, root: int) -> set[int]:
        seen, todo = {root}, [root]
        while todo:
            for key in self.behind.get(todo.pop(), ()):
                if key not in seen:
                    seen.add(key)
                    todo.append(key)
        return seen

    def _cycles(self, stuck: set[int]) -> set[int]:
        """Give one root for each cycle: waiters below no root point to a blocker, and some pointers go round."""
        following = {key: min(one.blocker for one in self.links[key]) for key in stuck}
        found: set[int] = set()
        for start in stuck:
            seen: dict[int, int] = {}
            at = start
            while at in following and at not in seen:
                seen[at] = len(seen)
                at = following[at]
            if at in seen:
                found.add(min(key for key, place in seen.items() if place >= seen[at]))
        return found

    def _parents(self, roots: Iterable[int]) -> dict[int, Link]:
        depths = dict.fromkeys(roots, 0)
        level = list(depths)
        while level:
            following: dict[int, None] = {}
            for key in level:
                following.update(dict.fromkeys(waiter for waiter in self.behind.get(key, ()) if waiter not in depths))
            depths.update({key: depths[level[0]] + 1 for key in following})
            level = list(following)
        parents: dict[int, Link] = {}
        for waiter, group in self.links.items():
            if depths.get(waiter, 0) == 0:
                continue
            nearer = [one for one in group if depths.get(one.blocker) == depths[waiter] - 1]
            parents[waiter] = min(nearer, key=lambda one: (not one.hard, self._began(one.blocker), one.blocker))
        return parents

    def _began(self, key: int) -> datetime:
        party = self.facts.parties.get(key)
        return (party.xact_start if party is not None else None) or LATE
