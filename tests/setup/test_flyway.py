"""Flyway's rules, held against values that Flyway itself produced."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.setup import flyway
from wnadmin.errors import UsageError

WORKED = (
    "CREATE SCHEMA core;\nCREATE SCHEMA audit;\n"
    "CREATE TABLE core.users (id bigint PRIMARY KEY, email text NOT NULL);\n\n"
    "CREATE TABLE audit.activity_log (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);\n"
)
SINGLE = "alter table location_history add column valid_until timestamp with time zone;"


def test_the_worked_example_line_by_line() -> None:
    assert len(WORKED.encode()) == 206
    running = 0
    seen = []
    for line in WORKED.split("\n"):
        running = zlib.crc32(line.encode(), running)
        seen.append(f"{running:08x}")
    assert seen[:5] == ["f79f23c7", "b86d9369", "2c85fab5", "2c85fab5", "94cfafb7"]
    assert flyway.checksum(WORKED.encode()) == -1798328393


@pytest.mark.parametrize("text", [SINGLE, SINGLE + "\n", SINGLE + "\r\n", SINGLE + "\r", "\ufeff" + SINGLE])
def test_line_ends_and_byte_order_mark_do_not_count(text: str) -> None:
    assert flyway.checksum(text.encode()) == -1039259818


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\r\n", b"\xef\xbb\xbf"])
def test_nothing_has_the_checksum_nothing(data: bytes) -> None:
    assert flyway.checksum(data) == 0


def test_only_the_three_line_ends_are_line_ends() -> None:
    for other in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
        assert flyway.checksum(f"a{other}b".encode()) != flyway.checksum(b"a\nb")


def test_a_second_byte_order_mark_counts() -> None:
    assert flyway.checksum("\ufeff\ufeffa".encode()) != flyway.checksum(b"a")


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(UsageError):
        flyway.checksum(b"SELECT '\xff';")


@given(st.lists(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]))))
def test_the_checksum_depends_on_lines_not_on_their_ends(lines: list[str]) -> None:
    sums = {flyway.checksum(end.join(["", *lines]).encode()) for end in ("\n", "\r", "\r\n")}
    assert len(sums) == 1
    assert -(1 << 31) <= sums.pop() < 1 << 31


def test_the_lock_is_flyways() -> None:
    assert flyway.java_hash('"public"."flyway_schema_history"') == 77433833903597 - 77431708279161
    assert flyway.LOCK_KEY == 77433833903597


@pytest.mark.parametrize(
    ("text", "value"), [("", 0), ("a", 97), ("hello", 99162322), ("polygenelubricants", -(1 << 31))]
)
def test_java_hash(text: str, value: int) -> None:
    assert flyway.java_hash(text) == value


@pytest.mark.parametrize(
    ("left", "right"), [("001", "1"), ("1", "1.0"), ("1.0.0", "001"), ("2_1", "2.1"), ("0", "0.0")]
)
def test_equal_versions(left: str, right: str) -> None:
    assert flyway.parse_version(left) == flyway.parse_version(right)
    assert hash(flyway.parse_version(left)) == hash(flyway.parse_version(right))


def test_versions_are_ordered_by_number() -> None:
    texts = ["10", "2", "1.10", "1.9", "1", "20260101120000000000000000", "0.1"]
    ordered = sorted(map(flyway.parse_version, texts))
    assert [one.text for one in ordered] == ["0.1", "1", "1.9", "1.10", "2", "10", "20260101120000000000000000"]


@given(st.lists(st.integers(0, 10**30), min_size=1), st.integers(0, 3), st.integers(0, 3))
def test_zeros_before_and_after_do_not_matter(parts: list[int], before: int, after: int) -> None:
    plain = ".".join(map(str, parts))
    padded = ".".join("0" * before + str(part) for part in parts) + ".0" * after
    assert flyway.parse_version(plain) == flyway.parse_version(padded)


@pytest.mark.parametrize("text", ["", "1a", "1..2", ".1", "1.", "v1", "1-2", "\uff11"])
def test_what_is_not_a_version(text: str) -> None:
    with pytest.raises(UsageError):
        flyway.parse_version(text)


def test_names() -> None:
    one = flyway.parse_name("V001__initial_schema.sql")
    assert (one.version, one.description) == (flyway.Version("001"), "initial schema")
    assert one.version is not None and one.version.text == "001"
    assert flyway.parse_name("R__child_views.sql").version is None
    below = flyway.parse_name("2026/V2_1__Add_Feature.sql")
    assert (below.script, below.description) == ("2026/V2_1__Add_Feature.sql", "Add Feature")
    long = flyway.parse_name(f"V3__{'x' * 250}.sql")
    assert long.description == "x" * 197 + "..."
    assert len(long.description) == 200


@pytest.mark.parametrize(
    "name", ["V1_no_gap.sql", "V__x.sql", "V1__.sql", "v1__x.sql", "V1__x.txt", "X1__x.sql", "V1a__x.sql"]
)
def test_what_is_not_a_name(name: str) -> None:
    with pytest.raises(UsageError):
        flyway.parse_name(name)


def test_the_table_is_flyways() -> None:
    flat = re.sub(r"\s+", " ", " ".join(flyway.DDL))
    assert '"installed_on" TIMESTAMP NOT NULL DEFAULT now()' in flat
    assert '"checksum" INTEGER,' in flat
    assert 'ADD CONSTRAINT "flyway_schema_history_pk" PRIMARY KEY ("installed_rank")' in flat
    assert '"flyway_schema_history_s_idx"' in flat
