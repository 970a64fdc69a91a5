"""One cell as a person and as a machine see it."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.render.cells import flat, human, json_text, machine, visible
from wnadmin.results import Cell, Unit
from wnadmin.secret import Personal, Secret

SOME_UUID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
EASTERN = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("cell", "unit", "shown"),
    [
        (None, "", ""),
        ("", "", ""),
        (True, "", "yes"),
        (False, "rows", "no"),
        (4711000, "", "4711000"),
        (0.1 + 0.2, "", "0.3"),
        (float("nan"), "%", "NaN"),
        (float("-inf"), "bytes", "-Infinity"),
        (Decimal("12.3400"), "", "12.3400"),
        (Decimal("NaN"), "ms", "NaN"),
        (Decimal("1E-7"), "", "0.0000001"),
        (0, "bytes", "0 B"),
        (1023, "bytes", "1023 B"),
        (1024, "bytes", "1.0 KiB"),
        (1024**2 - 1, "bytes", "1.0 MiB"),
        (1288490188, "bytes", "1.2 GiB"),
        (Decimal(1024**4 * 340), "bytes", "340 TiB"),
        (-2048, "bytes", "-2.0 KiB"),
        (1024**8, "bytes", "1048576 EiB"),
        (0, "ms", "0 s"),
        (0.01, "ms", "<0.1 ms"),
        (0.42, "ms", "0.4 ms"),
        (45, "ms", "45 ms"),
        (999.9, "ms", "1.0 s"),
        (12.3, "s", "12.3 s"),
        (59.97, "s", "1m"),
        (192, "s", "3m 12s"),
        (7500, "s", "2h 5m"),
        (-86400 * 3 - 4 * 3600, "s", "-3d 4h"),
        (30, "days", "30 d"),
        (1.5, "days", "1.5 d"),
        (99.98, "%", "99.98 %"),
        (Decimal("3.50"), "%", "3.5 %"),
        (100, "%", "100 %"),
        (1234567, "rows", "1,234,567"),
        (1234567.4, "rows", "1,234,567"),
        ("soon", "bytes", "soon"),
        (timedelta(milliseconds=45), "", "45 ms"),
        (timedelta(minutes=3, seconds=12), "", "3m 12s"),
        (datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), "", "2026-01-02 03:04:05Z"),
        (datetime(2026, 1, 2, 22, 4, 5, tzinfo=EASTERN), "", "2026-01-03 03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "", "2026-01-02 03:04:05"),
        (date(2026, 1, 2), "", "2026-01-02"),
        (SOME_UUID, "", str(SOME_UUID)),
        (b"\x00\xff", "", "\\x00ff"),
        (("a", None, 1), "", '["a",null,1]'),
        ({"key": ["\u202e", Secret("x")]}, "", '{"key":["\\u202e","***"]}'),
        (Secret("hunter2"), "", "***"),
        (Personal("Ada\x1b"), "", "Ada\\x1b"),
    ],
)
def test_a_person_reads(cell: Cell, unit: Unit, shown: str) -> None:
    assert human(cell, unit) == shown


@pytest.mark.parametrize(
    ("cell", "data"),
    [
        (None, None),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (Decimal("12.3400"), "12.3400"),
        (Decimal("Infinity"), "Infinity"),
        (Decimal("1E+500000"), "1E+500000"),
        (timedelta(minutes=3), 180),
        (timedelta(seconds=-1, microseconds=1), -0.999999),
        (timedelta(days=999999999, microseconds=1), "86399999913600.000001"),
        (datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), "2026-01-02T03:04:05.678901Z"),
        (datetime(2026, 1, 2, 22, 4, 5, tzinfo=EASTERN), "2026-01-03T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (datetime.max.replace(tzinfo=EASTERN), "9999-12-31T23:59:59.999999-05:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (SOME_UUID, str(SOME_UUID)),
        (b"\x00\xff", "\\x00ff"),
        ([1, [2**60], {"k": Decimal("0.10")}], [1, [str(2**60)], {"k": "0.10"}]),
        (Secret("hunter2"), "***"),
        (Personal("Ada"), "Ada"),
    ],
)
def test_a_machine_reads(cell: Cell, data: object) -> None:
    read = machine(cell)
    assert read == data
    assert type(read) is type(data)


def test_personal_values_are_hidden_wherever_they_are() -> None:
    nested: Cell = {"parent": [Personal("Ada")]}
    for shown in (
        human(nested, reveal=False),
        flat(nested, reveal=False),
        human(Personal("Ada"), reveal=False),
    ):
        assert shown is not None
        assert "Ada" not in shown
        assert "\u2039personal\u203a" in shown


def test_what_is_no_cell_is_its_text() -> None:
    assert machine(ip_address("10.0.0.1")) == "10.0.0.1"


def test_csv_tells_null_from_the_empty_text() -> None:
    assert flat(None) is None
    assert flat("") == ""
    assert flat(True) == "true"
    assert flat(["a", 1]) == '["a",1]'


# 270 years: beyond them a double has no microseconds left.
@given(st.timedeltas(min_value=timedelta(days=-98_000), max_value=timedelta(days=98_000)))
def test_a_duration_is_exact_to_the_microsecond(span: timedelta) -> None:
    seconds = machine(span)
    assert isinstance(seconds, int | float)
    assert timedelta(seconds=seconds) == span


@given(st.text())
def test_nothing_visible_is_changed(text: str) -> None:
    assert visible(text).isprintable() or not text.isprintable()
    if text.isprintable():
        assert visible(text) == text


def test_json_refuses_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))


def test_json_escapes_every_character_that_does_not_print() -> None:
    """Whatever the tables of this Python call a control, a format or a separator, but newline and the two joiners."""
    hidden = [
        chr(code)
        for code in range(0x20, 0x110000)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp") and chr(code) not in "\u200c\u200d"
    ]
    text = json_text("".join(hidden))
    assert text.isascii()
    assert json.loads(text) == "".join(hidden)
