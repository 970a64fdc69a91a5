"""Values of settings: units, forms, and the rules of sql/settings.toml."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.config import rules
from wnadmin.domain.config.rules import Recommended
from wnadmin.domain.config.values import Kind, parse, show, words

BLOCKS = Kind("integer", "8kB")
KB = Kind("integer", "kB")
MS = Kind("integer", "ms")
MINUTES = Kind("integer", "min")
PLAIN = Kind("integer")
REAL = Kind("real")
SWITCH = Kind("bool")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("128MB", BLOCKS, 16384),
        ("16384", BLOCKS, 16384),
        ("131072kB", BLOCKS, 16384),
        ("1.5GB", KB, 1572864),
        ("0x10", MS, 16),
        ("010", MS, 8),
        ("1e3", KB, 1000),
        (" 64 kB ", KB, 64),
        ("-1", MS, -1),
        ("1h", MINUTES, 60),
        ("90s", MINUTES, 2),
        ("1d", MS, 86400000),
        ("500us", MS, 0),
        ("0.9", REAL, Decimal("0.9")),
        ("010", REAL, 10),
    ],
)
def test_quantities_are_read_as_the_server_reads_them(text: str, kind: Kind, value: int | Decimal) -> None:
    assert parse(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("64KB", KB),
        ("5min", KB),
        ("5MB", MS),
        ("5MB", PLAIN),
        ("x", PLAIN),
        ("08", PLAIN),
        ("", KB),
        ("o", SWITCH),
        ("2", SWITCH),
    ],
)
def test_what_the_server_refuses_is_refused(text: str, kind: Kind) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text, kind)


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (Decimal(16384), BLOCKS, "128MB"),
        (Decimal(1), BLOCKS, "8kB"),
        (Decimal(0), KB, "0"),
        (Decimal(-1), MS, "-1"),
        (Decimal(60000), MS, "1min"),
        (Decimal(86400000), MS, "1d"),
        (Decimal("0.90"), REAL, "0.9"),
        (Decimal(200), PLAIN, "200"),
        (True, SWITCH, "on"),
        ("scram-sha-256", Kind("enum"), "scram-sha-256"),
    ],
)
def test_values_are_shown_as_show_does(value: Decimal | bool | str, kind: Kind, shown: str) -> None:
    assert show(value, kind) == shown


@given(
    st.integers(0, 2**31 - 1),
    st.sampled_from(
        [BLOCKS, KB, MS, MINUTES, PLAIN, Kind("integer", "MB"), Kind("integer", "s"), Kind("integer", "16MB")]
    ),
)
def test_what_is_shown_reads_back(number: int, kind: Kind) -> None:
    assert parse(show(Decimal(number), kind), kind) == number


@given(st.text(max_size=12), st.sampled_from([KB, MS, PLAIN, REAL, SWITCH, Kind("enum"), Kind("string")]))
def test_any_text_is_read_or_refused(text: str, kind: Kind) -> None:
    try:
        show(parse(text, kind), kind)
    except ValueError:
        assert kind.type not in ("enum", "string")


def test_lists_of_names() -> None:
    assert words('pg_stat_statements, "Odd, name",auto_explain') == ["pg_stat_statements", "Odd, name", "auto_explain"]
    assert words("") == []


# --- rules ------------------------------------------------------------------------------------------------------


def recommended(**keys: object) -> Recommended:
    given = {"name": "x", "area": "memory", "severity": "warn", "why": "because", **keys}
    return Recommended(**given)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("rule", "kind", "good", "bad"),
    [
        ({"equals": "on"}, SWITCH, ["on", "true", "1"], ["off"]),
        ({"at_least": "256MB"}, BLOCKS, ["256MB", "32768", "1GB"], ["255MB", "0"]),
        ({"at_most": "1h", "forbids": ("0",)}, MS, ["1h", "1ms"], ["61min", "0"]),
        ({"at_least": "5min", "at_most": "1h"}, Kind("integer", "s"), ["300", "1h"], ["299", "3601"]),
        ({"one_of": ("replica", "logical")}, Kind("enum"), ["replica", "LOGICAL"], ["minimal"]),
        ({"forbids": ("off", "")}, Kind("string"), ["authentication"], ["off", ""]),
        ({"forbids": ("off", "")}, SWITCH, ["on"], ["off"]),
        ({"includes": ("pg_stat_statements",)}, Kind("string"), ["a, pg_stat_statements"], ["", "xpg_stat_statements"]),
        ({"contains": ("%p", "%u")}, Kind("string"), ["%m [%p] %u"], ["%m [%p]"]),
    ],
)
def test_each_rule(rule: dict[str, object], kind: Kind, good: list[str], bad: list[str]) -> None:
    one = recommended(**rule)
    assert [one.fits(parse(text, kind), kind) for text in good] == [True] * len(good)
    assert [one.fits(parse(text, kind), kind) for text in bad] == [False] * len(bad)
    assert one.rule()


def test_a_list_keeps_what_stands_in_it() -> None:
    one = recommended(includes=("pg_stat_statements",))
    assert one.better("auto_explain, pg_cron", Kind("string")) == "'auto_explain', 'pg_cron', 'pg_stat_statements'"


def test_the_bundled_file_is_whole() -> None:
    found = rules.load()
    assert len(found) > 40
    names = {one.name for one in found}
    document = {
        "shared_preload_libraries",
        "log_statement",
        "log_min_duration_statement",
        "max_connections",
        "shared_buffers",
        "effective_cache_size",
        "work_mem",
        "archive_mode",
        "archive_command",
    }
    assert document <= names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"\narea = "memory"\nseverity = "bad"\nwhy = "y"\nequals = "1"', "x: severity is bad"),
        ('name = "x"\narea = "attic"\nseverity = "warn"\nwhy = "y"\nequals = "1"', "x: unknown area attic"),
        ('name = "x"\narea = "memory"\nseverity = "warn"\nwhy = "y"', "x: there is no rule"),
        ('name = "x"\narea = "memory"\nseverity = "warn"\nwhy = "y"\nat_least = "1"', "x: nothing says what to set"),
        ('name = "x"\nwat = 1', "x: unknown key wat"),
    ],
)
def test_a_faulty_file_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rules.parse_file(f"[[setting]]\n{text}\n")
