"""Names of WAL files and the small files among them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.wal import names
from wnadmin.domain.wal.names import File, Segment, Switch

MIB = 1 << 20
LABEL = """START WAL LOCATION: 0/3000028 (file 000000010000000000000003)
STOP WAL LOCATION: 0/3000158 (file 000000010000000000000003)
CHECKPOINT LOCATION: 0/3000080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-22 09:00:00 UTC
LABEL: Sunday: the long one
START TIMELINE: 1
STOP TIME: 2026-11-22 09:00:07 UTC
STOP TIMELINE: 1
"""


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [
        ("000000010000000000000003", 16 * MIB, File("segment", 1, 3)),
        ("0000000A000000020000000F.gz", 16 * MIB, File("segment", 10, 2 * 256 + 15, ".gz")),
        ("000000010000000200000003", 1024 * MIB, File("segment", 1, 2 * 4 + 3)),
        ("000000010000000200000FFF", MIB, File("segment", 1, 2 * 4096 + 0xFFF)),
        ("000000010000000000000003.partial", 16 * MIB, File("partial", 1, 3)),
        ("000000010000000000000003.00000028.backup", 16 * MIB, File("backup", 1, 3)),
        ("00000002.history", 16 * MIB, File("history", 2)),
        # Segments of 1 GiB count to 3, those of 16 MiB to FF.
        ("000000010000000200000004", 1024 * MIB, None),
        ("000000010000000000000100", 16 * MIB, None),
        ("000000000000000000000003", 16 * MIB, None),
        ("00000001000000000000000a", 16 * MIB, None),
        ("00000001000000000000003", 16 * MIB, None),
        ("000000010000000000000003.partial.00000028.backup", 16 * MIB, None),
        ("000000010000000000000003.tmp", 16 * MIB, None),
        (".000000010000000000000003.77.part", 16 * MIB, None),
        ("", 16 * MIB, None),
    ],
)
def test_a_name_is_read(name: str, size: int, found: File | None) -> None:
    assert names.parse(name, size) == found


@given(
    st.integers(1, 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]),
)
def test_a_segment_is_named_and_read_back(timeline: int, number: int, mib: int) -> None:
    size = mib * MIB
    number %= 2**64 // size
    assert names.parse(Segment(timeline, number).name(size), size) == File("segment", timeline, number)


@given(st.integers(0, 2**64 - 1))
def test_an_lsn_is_written_and_read_back(position: int) -> None:
    assert names.lsn(names.shown(position)) == position


@pytest.mark.parametrize("text", ["", "0", "0/", "/0", "x/1", "0/123456789", "1/2/3", "-1/0"])
def test_what_is_no_lsn(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        names.lsn(text)


def test_a_history_is_read() -> None:
    text = "1\t0/3000158\tno recovery target specified\n\n2\t1/FE000000\tbefore 2026-11-22 09:00:00+00\n"
    assert names.history(text) == (Switch(1, 0x3000158), Switch(2, 0x1_FE00_0000))


@pytest.mark.parametrize("text", ["", "\n", "1 somewhere", "2\t0/1\tx\n1\t0/2\tx\n", "1\t0/1\n1\t0/2\n", "\x00\x00"])
def test_a_damaged_history(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        names.history(text)


def test_a_label_is_read() -> None:
    found = names.label(LABEL)
    assert (found.label, found.timeline, found.start, found.stop) == ("Sunday: the long one", 1, 0x3000028, 0x3000158)
    assert (found.first, found.last, found.base) == ("000000010000000000000003", "000000010000000000000003", "")
    assert found.finished == datetime(2026, 11, 22, 9, 0, 7, tzinfo=UTC)


def test_a_label_of_an_incremental_backup() -> None:
    found = names.label(LABEL + "INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n")
    assert found.base == "0/2000028"


def test_a_time_in_an_abbreviated_zone_is_no_moment() -> None:
    """IST is Ireland, Israel and India."""
    assert names.label(LABEL.replace(" UTC", " IST")).finished is None


@pytest.mark.parametrize("gone", ["START WAL LOCATION", "STOP WAL LOCATION", "START TIMELINE"])
def test_a_damaged_label(gone: str) -> None:
    text = "\n".join(line for line in LABEL.splitlines() if not line.startswith(gone))
    with pytest.raises(ValueError, match=gone):
        names.label(text)
