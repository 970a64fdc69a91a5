"""Stretches of time: reading bounds, telling a step, finding what is missing, choosing names. No I/O."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.partitions import bounds, mark
from wnadmin.domain.partitions.bounds import BEGINNING, END, MONTH, Every, Span
from wnadmin.domain.partitions.mark import Mark
from wnadmin.domain.partitions.values import path


def at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC)


def span(lower: str, upper: str) -> Span:
    return Span(at(lower), at(upper))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (
            "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
            span("2026-01-01", "2026-02-01"),
        ),
        ("FOR VALUES FROM ('2026-01-01 05:30:00.5+00') TO (MAXVALUE)", Span(at("2026-01-01T05:30:00.500"), END)),
        ("FOR VALUES FROM (MINVALUE) TO ('2026-02-01')", Span(BEGINNING, at("2026-02-01"))),
        ("FOR VALUES FROM ('-infinity') TO ('infinity')", Span(BEGINNING, END)),
        ("FOR VALUES FROM ('0044-03-15 00:00:00 BC') TO ('10000-01-01 00:00:00')", Span(BEGINNING, END)),
        ("FOR VALUES FROM ('2026-01-01 05:00:00+05') TO ('2026-02-01 00:00:00+00')", span("2026-01-01", "2026-02-01")),
        ("DEFAULT", None),
        ("FOR VALUES IN ('a')", None),
        ("FOR VALUES FROM ('1', '2026-01-01') TO ('2', '2026-01-01')", None),
        ("FOR VALUES FROM (1) TO (100)", None),
        ("FOR VALUES FROM ('x') TO ('y')", None),
    ],
)
def test_bounds_are_read(bound: str, expected: Span | None) -> None:
    assert bounds.parse(bound) == expected


def months(first: str, count: int, *, hours: int = 0) -> list[Span]:
    start = at(first)
    number = start.year * 12 + start.month - 1
    edges = [
        datetime((number + i) // 12, (number + i) % 12 + 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        for i in range(count + 1)
    ]
    return [Span(a, b) for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        (months("2026-01-01", 5), "month"),
        # Cut in New York, in Kolkata.
        (months("2026-01-01", 5, hours=5), "month"),
        (months("2026-01-01", 5, hours=-6), "month"),
        ([span("2026-01-01", "2026-04-01"), span("2026-04-01", "2026-07-01")], "3 months"),
        ([span("2025-01-01", "2026-01-01")], "year"),
        ([span("2026-01-05", "2026-01-12"), span("2026-01-12", "2026-01-19")], "7 days"),
        ([span("2026-01-05", "2026-01-06")], "day"),
        # An old year, then months: the newest say how it is now.
        ([span("2020-01-01", "2026-01-01"), *months("2026-01-01", 3)], "month"),
        ([Span(BEGINNING, at("2026-01-01")), *months("2026-01-01", 2), Span(at("2026-03-01"), END)], "month"),
    ],
)
def test_the_step_is_told_from_the_partitions(spans: list[Span], expected: str) -> None:
    assert str(bounds.step(spans)) == expected


def test_without_partitions_there_is_no_step() -> None:
    assert bounds.step([]) is None
    assert bounds.step([Span(BEGINNING, END)]) is None


def test_weeks_go_on_from_where_they_began() -> None:
    every = bounds.step([span("2026-01-05", "2026-01-12")])
    assert every is not None
    assert every.at(at("2026-02-18")) == span("2026-02-16", "2026-02-23")
    assert every.at(at("2025-12-31")) == span("2025-12-29", "2026-01-05")
    assert every.before(at("2026-02-18")) == at("2026-02-09")


def test_what_other_time_zones_left_out_is_filled_exactly() -> None:
    there = [*months("2026-01-01", 2, hours=5)]
    found = bounds.missing(MONTH, at("2026-01-10"), at("2026-04-01"), there)
    assert found == [
        Span(at("2026-01-01"), at("2026-01-01T05:00")),
        Span(at("2026-03-01T05:00"), at("2026-04-01")),
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 800), st.integers(1, 80)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=8
    ),
    st.integers(0, 24),
)
def test_what_is_made_and_what_was_there_cover_all_once(pairs: list[tuple[int, int]], count: int) -> None:
    start = at("2026-01-01")
    there: list[Span] = []
    for lower, upper in sorted(pairs):
        if not there or start + timedelta(days=lower) >= there[-1].upper:
            there.append(Span(start + timedelta(days=lower), start + timedelta(days=upper)))
    end = months("2026-01-01", count)[-1].upper if count else start
    made = bounds.missing(MONTH, start, end, there)
    every = sorted([*there, *made])
    assert all(a.upper <= b.lower for a, b in itertools.pairwise(every))
    if count:
        assert bounds.reach(every, start) >= end
        assert not [gap for gap in bounds.holes(every) if gap.lower < end]
    assert all(MONTH.at(one.lower).upper >= one.upper for one in made)


def test_names_end_in_the_month_and_fit() -> None:
    one = span("2026-12-01", "2027-01-01")
    assert bounds.name("events", MONTH, one, frozenset()) == "events_2026_12"
    assert bounds.name("events", MONTH, one, frozenset({"events_2026_12"})) == "events_2026_12_2"
    long = bounds.name("ä" * 40, MONTH, one, frozenset())
    assert len(long.encode()) <= 63
    assert long.endswith("_2026_12")
    day = Every(0, 1, at("2026-01-01"))
    assert bounds.name("events", day, span("2026-12-03", "2026-12-04"), frozenset()) == "events_2026_12_03"


@pytest.mark.parametrize(
    ("key_type", "expected"),
    [
        ("date", "2026-12-01"),
        ("timestamp without time zone", "2026-12-01 00:00:00"),
        ("timestamp with time zone", "2026-12-01 00:00:00+00"),
    ],
)
def test_literals_carry_their_zone(key_type: str, expected: str) -> None:
    assert bounds.words(at("2026-12-01"), key_type) == expected
    assert bounds.words(END, key_type) is None


def test_holes_are_named() -> None:
    there = [span("2026-01-01", "2026-02-01"), span("2026-03-01", "2026-04-01")]
    assert bounds.holes(there) == [span("2026-02-01", "2026-03-01")]
    assert bounds.reach(there, at("2026-01-15")) == at("2026-02-01")
    assert bounds.reach(there, at("2026-02-15")) == at("2026-02-15")


@given(st.text(), st.text(), st.text(), st.text() | st.none())
def test_a_mark_is_read_as_it_was_written(schema: str, table: str, key: str, comment: str | None) -> None:
    one = Mark(schema, table, key, "date", span("2026-01-01", "2026-02-01"), at("2026-11-22T10:00:00"), comment)
    assert mark.read(mark.write(one)) == one
    assert mark.write(one).startswith("wnadmin:detached")


@pytest.mark.parametrize(
    "text",
    [
        "wnadmin:detached at=2026-11-22",
        "wnadmin:detached {}",
        "wnadmin:detached []",
        'wnadmin:detached {"schema": 1, "table": "b", "key": "c", "type": "d", "from": null, "to": null, "at": "2026"}',
        'wnadmin:detached {"schema": "a", "table": "b", "key": "c", "type": "d", "from": "2026-01-01T00:00:00+00:00", '
        '"to": "2025-01-01T00:00:00+00:00", "at": "2026-01-01T00:00:00+00:00", "comment": null}',
        'wnadmin:detached {"schema": "a", "table": "b", "key": "c", "type": "d", "from": "2026-01-01T00:00:00", '
        '"to": null, "at": "2026-01-01T00:00:00+00:00", "comment": null}',
    ],
)
def test_a_mark_that_is_not_whole_is_none(text: str) -> None:
    assert mark.read(text) is None


def test_names_are_quoted_where_they_must_be() -> None:
    assert path("content", "engagement") == "content.engagement"
    assert path("Odd", 'a"b') == '"Odd"."a""b"'
