"""The judge, its thresholds and its units, without a server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin import assets
from wnadmin.domain.health import checks, judge, quantities, thresholds
from wnadmin.domain.health.checks import Limits, Measured
from wnadmin.domain.health.judge import WINDOW, Sample
from wnadmin.errors import Failed, UsageError
from wnadmin.results import Finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SLOTS = checks.named("connections")


def row(measured: str | None, object: str = "x", detail: str = "words") -> Measured:
    return Measured(object, None if measured is None else Decimal(measured), None, detail, "do this")


def judged(rows: Sequence[Measured], limits: Limits) -> list[Finding]:
    return judge.findings(SLOTS, rows, limits, node="primary")


def test_a_limit_is_still_well_and_what_is_past_it_is_not() -> None:
    limits = Limits(80, 95)
    assert [judge.severity(value, limits) for value in (80, 80.1, 95, 95.1)] == ["ok", "warn", "warn", "critical"]
    under = Limits(45, 7, below=True)
    assert [judge.severity(value, under) for value in (45, 44.9, 7, 6.9)] == ["ok", "warn", "warn", "critical"]
    assert judge.severity(10**9, Limits(None, None)) == "ok"


@given(
    st.lists(st.one_of(st.none(), st.decimals(0, 200, places=1)), max_size=8),
    st.floats(0, 200),
    st.floats(0, 200),
    st.booleans(),
)
def test_nothing_bad_or_unseen_is_lost(values: list[Decimal | None], one: float, other: float, below: bool) -> None:
    warn, critical = sorted((one, other), reverse=below)
    limits = Limits(warn, critical, below)
    rows = [Measured(str(number), value, None, "words", "") for number, value in enumerate(values)]
    found = judged(rows, limits)
    assert found
    bad = {
        str(number)
        for number, value in enumerate(values)
        if value is None or judge.severity(float(value), limits) != "ok"
    }
    assert {finding.object for finding in found if finding.severity != "ok"} == bad
    assert any(finding.severity == "ok" for finding in found) == (not bad)


def test_what_cannot_be_measured_is_unknown_with_its_reason() -> None:
    found = judged([row(None, detail="withheld: never analysed")], Limits(80, 95))
    assert [(one.severity, one.evidence, one.detail) for one in found] == [
        ("unknown", "none", "withheld: never analysed")
    ]


def test_no_row_means_what_the_check_says() -> None:
    found = judged([], Limits(80, 95))
    assert [(one.severity, one.detail) for one in found] == [("ok", SLOTS.none)]


def test_when_all_is_well_the_nearest_is_shown() -> None:
    found = judged([row("10", "a"), row("70", "b"), row("30", "c")], Limits(80, 95))
    assert [(one.object, one.measured, one.threshold) for one in found] == [("b", "70 %", "80 %")]
    assert found[0].detail == "words (the nearest of 3)"


def test_a_bad_one_carries_all_that_an_operator_needs() -> None:
    (found,) = judged([row("96.5", "database a|b"), row("2")], Limits(80, 95))
    assert found.severity == "critical"
    assert (found.measured, found.threshold, found.value, found.unit) == ("96.5 %", "95 %", 96.5, "%")
    assert (found.waiver_key, found.sql, found.remediation) == (
        "connections:database a|b",
        "checks/connections",
        "do this",
    )


def counter(total: str, since: datetime | None = NOW - timedelta(hours=10)) -> list[Measured]:
    return [Measured("db", Decimal(total), since, "deadlocks", "")]


def test_a_counter_seen_once_is_an_average_and_partial() -> None:
    (grown,), evidence = judge.growth(counter("50"), NOW, [])
    assert (grown.measured, evidence) == (Decimal(5), "partial")
    assert "the average an hour since the counter began, 50 in all" in grown.detail


def test_a_young_counter_is_not_extrapolated() -> None:
    (grown,), _ = judge.growth(counter("1", NOW - timedelta(seconds=5)), NOW, [])
    assert grown.measured == 1


def test_a_counter_without_a_beginning_says_nothing() -> None:
    (grown,), evidence = judge.growth(counter("50", None), NOW, [])
    assert (grown.measured, evidence) == (None, "partial")


def test_a_counter_seen_twice_is_its_growth() -> None:
    before = [Sample(NOW - timedelta(minutes=10), {"db": Decimal(47)})]
    (grown,), evidence = judge.growth(counter("50"), NOW, before)
    assert (grown.measured, grown.since, evidence) == (Decimal(3), before[0].at, "complete")
    assert grown.detail.endswith("; in the last 10 min")


def test_a_counter_that_went_backwards_was_reset() -> None:
    before = [Sample(NOW - timedelta(minutes=10), {"db": Decimal(470)})]
    (grown,), evidence = judge.growth(counter("50"), NOW, before)
    assert (grown.measured, evidence) == (Decimal(5), "partial")


def test_a_sample_older_than_the_window_does_not_count() -> None:
    before = [Sample(NOW - WINDOW - timedelta(seconds=1), {"db": Decimal(0)})]
    _, evidence = judge.growth(counter("50"), NOW, before)
    assert evidence == "partial"


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("80%", "%", 80),
        ("80", "%", 80),
        ("5min", "s", 300),
        ("1.5h", "s", 5400),
        ("30d", "days", 30),
        ("12h", "days", 0.5),
        ("10GB", "bytes", 10 * 2**30),
        ("512 kB", "bytes", 512 * 1024),
        ("250ms", "ms", 250),
        ("2s", "ms", 2000),
        ("3", "count", 3),
    ],
)
def test_quantities(text: str, unit: quantities.Unit, value: float) -> None:
    assert quantities.parse(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit"), [("", "s"), ("-1", "s"), ("5min", "%"), ("5 parsecs", "s"), ("1e9", "count")]
)
def test_bad_quantities(text: str, unit: quantities.Unit) -> None:
    with pytest.raises(UsageError) as caught:
        quantities.parse(text, unit)
    assert caught.value.what == f"cannot read the threshold {text!r}"
    assert caught.value.next == f"Example: {quantities.EXAMPLES[unit]}"


def test_thresholds_of_profile_and_option() -> None:
    found = thresholds.limits({"connections": ["50%", "60%"]}, ["idle-in-transaction=,off"])
    assert found["connections"] == Limits(50, 60)
    assert found["idle-in-transaction"] == Limits(300, None)
    assert thresholds.limits({"connections": "50%"}, ["connections=,70%"])["connections"] == Limits(50, 70)


@pytest.mark.parametrize(
    ("word", "what", "next"),
    [
        ("connections", "cannot read the threshold 'connections'", "Write --threshold CHECK=WARN,CRITICAL."),
        ("conections=1", "unknown check conections", "Did you mean connections?"),
        ("connections=1,2,3", "too many thresholds for connections", "Write connections=WARN,CRITICAL."),
        (
            "connections=90,80",
            "the thresholds of connections are the wrong way round",
            "Write connections=WARN,CRITICAL with the higher number second.",
        ),
        (
            "reachable=1",
            "reachable has no threshold",
            "Leave it out with --ignore reachable, or waive what it finds.",
        ),
    ],
)
def test_bad_thresholds(word: str, what: str, next: str) -> None:
    with pytest.raises(UsageError) as caught:
        thresholds.limits({}, [word])
    assert (caught.value.what, caught.value.next) == (what, next)


def test_bad_thresholds_of_a_profile() -> None:
    with pytest.raises(UsageError, match="the threshold of connections in the profile is True"):
        thresholds.limits({"connections": True}, [])


def test_choosing() -> None:
    assert [one.id for one in checks.chosen(["connections,reachable"], [], None)] == ["reachable", "connections"]
    assert "connections" not in {one.id for one in checks.chosen([], ["connections"], None)}
    assert all("triage" in one.presets for one in checks.chosen([], [], "triage"))
    with pytest.raises(UsageError, match="no check is left to run"):
        checks.chosen(["connections"], ["connections"], None)
    with pytest.raises(UsageError, match="unknown preset weekly"):
        checks.chosen([], [], "weekly")


def header(**facts: str) -> assets.SqlFile:
    full = {"title": "T", "area": "a", "unit": "%", "answers": "?", "privileges": "none", "cost": "none", **facts}
    return assets.SqlFile("checks/x", assets.root("sql"), "", answers="?", cost="none", facts=full)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"title": ""}, "has no `-- title:`"),
        ({"unit": "miles"}, "unknown unit miles"),
        ({"warn": "80"}, "a threshold is written `> 80` or `< 14`"),
        ({"warn": "> 80", "critical": "< 5"}, "look in different directions"),
        ({"where": "moon"}, "none of any, primary, standby"),
        ({"preset": "weekly"}, "unknown preset weekly"),
    ],
)
def test_a_wrong_header_is_found_out(facts: dict[str, str], message: str) -> None:
    with pytest.raises(Failed, match=message):
        checks.declared(header(**facts))
