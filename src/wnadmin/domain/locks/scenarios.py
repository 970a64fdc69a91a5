"""What would become of the waiters if some sessions ended: many such scenarios at once, exactly.

A scenario is a set of keys that are gone. A waiter stays blocked in it while any blocker of it is there and is either
a root or blocked itself: a blocker that is free goes on and ends by itself. Bit n of an integer stands for scenario n,
so that one pass over the edges answers all scenarios.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from wnadmin.domain.locks.rows import Session

EXACT = 12
"""Up to so many candidates every set of them is tried."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Which sessions to end, and how many waiters go on then. ``exact``: no set of this size frees more."""

    keys: tuple[int, ...]
    frees: int
    exact: bool


def freed(found: Sequence[Session], scenarios: Sequence[frozenset[int]]) -> list[int]:
    """Count for each scenario the waiters that no remaining session blocks; who is ended is not freed."""
    every = (1 << len(scenarios)) - 1
    there: dict[int, int] = {}
    for number, gone in enumerate(scenarios):
        for key in gone:
            there[key] = there.get(key, every) & ~(1 << number)
    blocked = _blocked(found, there, every)
    waiters = [one.key for one in found if one.waiting]
    counts = [0] * len(scenarios)
    for bits, many in Counter(blocked[key] | (every & ~there.get(key, every)) for key in waiters).items():
        free = every & ~bits
        while free:
            low = free & -free
            counts[low.bit_length() - 1] += many
            free ^= low
    return counts


def _blocked(found: Sequence[Session], there: Mapping[int, int], every: int) -> dict[int, int]:
    # A root is what everything hangs from; the root of a cycle stands for the whole of it.
    holds = {one.key: every if one.depth == 0 else 0 for one in found}
    waiters = [one for one in found if one.depth > 0]
    changed = True
    while changed:
        changed = False
        for one in waiters:
            bits = holds[one.key]
            for key in one.blockers:
                bits |= holds.get(key, every) & there.get(key, every)
            if bits != holds[one.key]:
                holds[one.key], changed = bits, True
    for one in found:
        if one.kind == "cycle":
            holds[one.key] = 0
            for key in one.blockers:
                holds[one.key] |= holds.get(key, every) & there.get(key, every)
    return holds


def ladder(found: Sequence[Session], candidates: Sequence[int]) -> list[Ends]:
    """Give the best set of one candidate, of two and so on, as long as each frees more than the one before.

    ``candidates`` are in the order of preference: of two sets that free as many, the earlier one is taken. The last
    step is the smallest set that frees the most.
    """
    if len(candidates) > EXACT:
        return _greedy(found, candidates)
    scenarios = [frozenset(one) for size in range(1, len(candidates) + 1) for one in combinations(candidates, size)]
    best: dict[int, tuple[int, frozenset[int]]] = {}
    for gone, count in zip(scenarios, freed(found, scenarios), strict=True):
        if len(gone) not in best or count > best[len(gone)][0]:
            best[len(gone)] = (count, gone)
    steps: list[Ends] = []
    for _, (count, gone) in sorted(best.items()):
        if count > (steps[-1].frees if steps else 0):
            steps.append(Ends(tuple(key for key in candidates if key in gone), count, True))
    return steps


def _greedy(found: Sequence[Session], candidates: Sequence[int]) -> list[Ends]:
    """Add, again and again, what frees the most for each session ended: one candidate, or all that block a waiter."""
    known = set(candidates)
    groups = {frozenset(one.roots) for one in found if one.waiting and known.issuperset(one.roots)}
    options = {frozenset([key]) for key in candidates} | groups
    chosen: frozenset[int] = frozenset()
    steps: list[Ends] = []
    frees = 0
    while True:
        left = sorted((one - chosen for one in options if one - chosen), key=lambda one: (len(one), sorted(one)))
        if not left:
            return steps
        counts = freed(found, [chosen | one for one in left])
        gain, best = max(
            zip(counts, left, strict=True), key=lambda pair: ((pair[0] - frees) / len(pair[1]), -len(pair[1]))
        )
        if gain <= frees:
            return steps
        chosen, frees = chosen | best, gain
        steps.append(Ends(tuple(key for key in candidates if key in chosen), frees, False))
