"""The world as numbers, without a server."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.sample import load, world
from wnadmin.domain.sample.world import Range
from wnadmin.errors import UsageError

ranges = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), max_size=6).map(
    lambda pairs: tuple(Range(1000 * n + min(a, b), 1000 * n + max(a, b)) for n, (a, b) in enumerate(pairs))
)


@given(ranges, st.integers(1, 300))
def test_chunks_cover_every_family_once(given_ranges: tuple[Range, ...], size: int) -> None:
    parts = list(world.chunks(given_ranges, size))
    assert all(1 <= len(one) <= size for one in parts)
    families = [number for one in parts for number in range(one.first, one.last + 1)]
    assert families == [number for one in given_ranges for number in range(one.first, one.last + 1)]


@given(ranges)
def test_ranges_survive_the_ledger(given_ranges: tuple[Range, ...]) -> None:
    assert world.parse_ranges(world.write_ranges(given_ranges)) == given_ranges


def test_a_world_that_ends_on_a_leap_day_begins_the_day_before() -> None:
    assert world.since(date(2024, 2, 29), 3) == date(2021, 2, 28)
    assert world.since(date(2024, 3, 1), 3) == date(2021, 3, 1)


def test_the_last_day_is_today_unless_said_or_remembered() -> None:
    today = datetime.now(UTC).date()
    assert load.wish(1, 1, 2, "", {}).until == today
    assert load.wish(1, 1, 2, "2024-05-06", {}).until == date(2024, 5, 6)
    assert load.wish(1, 1, 2, "", {"until": "2024-05-06"}).since == date(2022, 5, 6)


@pytest.mark.parametrize(
    ("families", "seed", "years", "until", "said"),
    [
        (0, 1, 1, "", "--families 0"),
        (1_000_001, 1, 1, "", "--families 1000001"),
        (1, -1, 1, "", "--seed -1"),
        (1, 1, 0, "", "--years 0"),
        (1, 1, 11, "", "--years 11"),
        (1, 1, 1, "yesterday", "yesterday"),
        (1, 1, 1, "1999-12-31", "--until 1999-12-31"),
        (1, 1, 1, str(datetime.now(UTC).date() + timedelta(days=2)), "--until"),
    ],
)
def test_words_that_make_no_world(families: int, seed: int, years: int, until: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load.wish(families, seed, years, until, {})
    assert said in caught.value.what
    assert caught.value.next
