"""Sequences and large objects without a server: which values a restored one may have, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wnadmin.domain.backup.carried import Standing, between, is_vague, judge_objects, judge_sequences
from wnadmin.domain.backup.values import ObjectsProof

SEEN = Standing("core", "numbers", 1, False, 100, True)


def at(value: int, called: bool = True, **more: int) -> Standing:
    return replace(SEEN, value=value, called=called, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "last", "found", "wrong"),
    [
        # quiet: exactly that
        (at(100), at(100), at(100), ""),
        (at(100), at(100), at(101), "core.numbers stands at 101 instead of at 100"),
        (at(100), at(100), at(99), "core.numbers stands at 99 instead of at 100"),
        (at(1, False), at(1, False), at(1, False), ""),
        (at(1, False), at(1, False), at(1), "core.numbers stands at 1 instead of before 1"),
        (at(1), at(1), at(1, False), "core.numbers stands before 1 instead of at 1"),
        # used while it was dumped: what pg_dump read lies between
        (at(100), at(150), at(100), ""),
        (at(100), at(150), at(131), ""),
        (at(100), at(150), at(150), ""),
        (at(100), at(150), at(99), "core.numbers stands at 99 instead of between 100 and 150"),
        (at(100), at(150), at(151), "core.numbers stands at 151 instead of between 100 and 150"),
        (at(1, False), at(3), at(1), ""),
        # downwards
        (at(-100, step=-1), at(-150, step=-1), at(-120, step=-1), ""),
        (at(-100, step=-1), at(-150, step=-1), at(-99, step=-1),
         "core.numbers stands at -99 instead of between -100 and -150"),
    ],
)  # fmt: skip
def test_where_a_restored_sequence_may_stand(first: Standing, last: Standing, found: Standing, wrong: str) -> None:
    promised = between([first], [last])
    assert not is_vague(promised[0])
    assert judge_sequences(promised, [found]) == ([wrong] if wrong else [], [])


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (at(100), at(50)),
        (at(-100, step=-1), at(-50, step=-1)),
        (at(100, cycles=True), at(150, cycles=True)),
        (at(100), at(100, False)),
    ],
    ids=["set back", "set back, downwards", "it goes round", "set to before"],
)
def test_what_was_set_back_while_it_was_dumped_promises_nothing(first: Standing, last: Standing) -> None:
    promised = between([first], [last])
    assert is_vague(promised[0])
    wrong, vague = judge_sequences(promised, [at(7)])
    assert wrong == []
    assert vague == ["core.numbers was set back or went round while it was dumped, so where it stands is not known"]


def test_one_that_goes_round_and_stood_still_is_compared() -> None:
    one = at(100, cycles=True)
    assert judge_sequences(between([one], [one]), [at(101, cycles=True)])[0] != []


def test_missing_and_new_ones() -> None:
    other = replace(SEEN, name="others")
    assert judge_sequences(between([SEEN], [SEEN]), [other]) == (
        ["the sequence core.numbers is missing", "the sequence core.others was not in the dump"],
        [],
    )


@pytest.mark.parametrize(
    ("promised", "found", "wrong", "vague"),
    [
        (ObjectsProof(0, "0"), ObjectsProof(0, "0"), "", ""),
        (ObjectsProof(2, "17"), ObjectsProof(2, "17"), "", ""),
        (ObjectsProof(2, "17"), ObjectsProof(1, "17"), "there are 1 large objects instead of 2", ""),
        (ObjectsProof(2, None), ObjectsProof(3, "4"), "there are 3 large objects instead of 2", ""),
        (ObjectsProof(2, "17"), ObjectsProof(2, "18"), "there are 2 large objects, but not the same ones", ""),
        (ObjectsProof(2, None), ObjectsProof(2, "17"), "", "the login that made the backup may not read them"),
        (ObjectsProof(2, "17"), ObjectsProof(2, None), "", "the login that restored it may not read them"),
    ],
)
def test_large_objects(promised: ObjectsProof, found: ObjectsProof, wrong: str, vague: str) -> None:
    said, unsure = judge_objects(promised, found)
    assert said == ([wrong] if wrong else [])
    assert [one.rpartition(": ")[2] for one in unsure] == ([vague] if vague else [])
