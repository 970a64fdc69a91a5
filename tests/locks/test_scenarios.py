"""Which sessions to end: against a slow search that tries everything, on forests of any shape."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from tests.locks.support import forest
from wnadmin.domain.locks import scenarios
from wnadmin.domain.locks.rows import Session

Graph = dict[int, set[int]]


@st.composite
def graphs(draw: st.DrawFn, *, cycles: bool = False) -> Graph:
    """Up to four roots (1 to 4) and eight waiters (11 to 18), each behind some of those before it."""
    roots = list(range(1, draw(st.integers(1, 4)) + 1))
    waiters = [10 + number for number in range(1, draw(st.integers(1, 8)) + 1)]
    found: Graph = {}
    for number, waiter in enumerate(waiters):
        others = [*roots, *(waiters if cycles else waiters[:number])]
        choice = draw(st.sets(st.sampled_from([one for one in others if one != waiter]), min_size=1, max_size=3))
        found[waiter] = choice
    return found


def slowly(blockers: Graph, gone: frozenset[int]) -> int:
    """How many waiters go on: the plain definition, by taking away who is free until nothing changes."""
    blocked = {waiter for waiter in blockers if waiter not in gone}
    while True:
        still = {
            waiter
            for waiter in blocked
            if any(one not in gone and (one not in blockers or one in blocked) for one in blockers[waiter])
        }
        if still == blocked:
            return sum(waiter not in gone for waiter in blockers) - len(blocked)
        blocked = still


def roots(found: list[Session]) -> list[int]:
    return [one.key for one in found if one.depth == 0]


@given(graphs(), st.data())
def test_who_goes_on_is_exact(blockers: Graph, data: st.DataObject) -> None:
    found = forest(blockers)
    everybody = sorted(one.key for one in found)
    sets = [frozenset(data.draw(st.sets(st.sampled_from(everybody)))) for _ in range(4)]
    assert scenarios.freed(found, sets) == [slowly(blockers, one) for one in sets]


@given(graphs(cycles=True))
def test_any_shape_comes_to_an_end_and_shows_everybody_once(blockers: Graph) -> None:
    found = forest(blockers)
    assert sorted(one.key for one in found) == sorted(set(blockers).union(*blockers.values()))
    for one in found:
        assert set(one.blockers) == blockers.get(one.key, set())
        if one.depth:
            assert one.path[-2] in one.blockers
            assert one.root in one.roots
    tops = [one for one in found if one.depth == 0]
    for top in tops:
        below: set[int] = set()
        todo = [top.key]
        while todo:
            key = todo.pop()
            new = {waiter for waiter, others in blockers.items() if key in others} - below
            below |= new
            todo += new
        assert top.below == len(below - {top.key})
    scenarios.ladder(found, [one.key for one in tops])


@given(graphs())
def test_the_ladder_is_the_best_of_each_size(blockers: Graph) -> None:
    found = forest(blockers)
    candidates = roots(found)
    steps = scenarios.ladder(found, candidates)
    best = {
        size: max(slowly(blockers, frozenset(one)) for one in combinations(candidates, size))
        for size in range(1, len(candidates) + 1)
    }
    assert all(one.exact for one in steps)
    assert [one.frees for one in steps] == [best[len(one.keys)] for one in steps]
    assert steps[-1].frees == max(best.values()) == len(blockers)
    assert all(count < steps[-1].frees for size, count in best.items() if size < len(steps[-1].keys))


def test_one_root_that_frees_most_comes_first() -> None:
    found = forest({11: {1}, 12: {1}, 13: {2}, 14: {1, 2}})
    steps = scenarios.ladder(found, [2, 1])
    assert [(one.keys, one.frees) for one in steps] == [((1,), 2), ((2, 1), 4)]


def test_only_both_together_help() -> None:
    found = forest({11: {1, 2}, 12: {11}})
    assert scenarios.freed(found, [frozenset({1}), frozenset({2}), frozenset({1, 2})]) == [0, 0, 2]
    assert [(one.keys, one.frees) for one in scenarios.ladder(found, [1, 2])] == [((1, 2), 2)]


def test_many_roots_are_searched_step_by_step() -> None:
    blockers: Graph = {100 + number: {number} for number in range(1, 21)}
    blockers.update({200: {1, 2}, 201: {1, 2}, 202: {1, 2}})
    found = forest(blockers)
    steps = scenarios.ladder(found, roots(found))
    assert not any(one.exact for one in steps)
    assert (steps[0].keys, steps[0].frees) == ((1, 2), 5)
    assert steps[-1].frees == len(blockers)


def test_a_deadlock_ends_with_one_of_its_members() -> None:
    found = forest({11: {12}, 12: {13}, 13: {11}, 14: {12}})
    assert [one.kind for one in found if one.depth == 0] == ["cycle"]
    assert scenarios.freed(found, [frozenset({found[0].key})]) == [3]
