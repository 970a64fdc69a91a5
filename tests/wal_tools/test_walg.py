"""WAL-G through backup-list and wal-show.

No package of Debian or of Python's index has WAL-G, so no real one was run: the documents below are written after
the structs that it marshals (BackupTime, ExtendedMetadataDto, TimelineInfo) and its own documentation. That its
fields are read by the right names is proven as far as those sources are right; that it runs is not.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wal_tools.support import Answer, stand_in, walg
from wnadmin.domain.wal.tools import Kept, Seen, read
from wnadmin.domain.wal.tools.walg import last_segment

FULL: dict[str, Any] = {
    "backup_name": "base_000000010000000000000004",
    "time": "2026-10-07T01:00:06Z",
    "wal_file_name": "000000010000000000000004",
    "storage_name": "default",
    "start_time": "2026-10-07T01:00:00.123456789Z",
    "finish_time": "2026-10-07T01:00:05.5Z",
    "date_fmt": "%Y-%m-%dT%H:%M:%S.%fZ",
    "hostname": "db1",
    "data_dir": "/srv/wonder/pg/data",
    "pg_version": 150018,
    "start_lsn": 0x4000028,
    "finish_lsn": 0x5000100,
    "is_permanent": False,
    "system_identifier": 7711123301854889110,
    "uncompressed_size": 23045010,
    "compressed_size": 4096,
}
DELTA: dict[str, Any] = {
    **FULL,
    "backup_name": "base_000000010000000000000007_D_000000010000000000000004",
    "wal_file_name": "000000010000000000000007",
    "start_time": "2026-10-08T01:00:00Z",
    "finish_time": "2026-10-08T01:00:03Z",
    "start_lsn": 0x7000028,
    "finish_lsn": 0x8000000,
    "compressed_size": 512,
}
TIMELINE: dict[str, Any] = {
    "id": 1,
    "parent_id": 0,
    "switch_point_lsn": 0,
    "start_segment": "000000010000000000000001",
    "end_segment": "000000010000000000000009",
    "segments_count": 9,
    "missing_segments": [],
    "segment_range_size": 9,
    "status": "OK",
}


@pytest.fixture(autouse=True)
def prefix(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALG_S3_PREFIX", "s3://wonder/main")


def seen(*names: str) -> Seen:
    (one,) = read(names)
    return one


def test_a_full_and_a_delta_backup(shelf: Path) -> None:
    walg(shelf, [FULL, DELTA], [TIMELINE])
    kept = (
        Kept(
            "WAL-G",
            "s3://wonder/main",
            "base_000000010000000000000007_D_000000010000000000000004",
            "incremental",
            datetime(2026, 10, 8, 1, tzinfo=UTC),
            datetime(2026, 10, 8, 1, 0, 3, tzinfo=UTC),
            "000000010000000000000007",
            "000000010000000000000007",
            512,
            "",
        ),
        Kept(
            "WAL-G",
            "s3://wonder/main",
            "base_000000010000000000000004",
            "full",
            datetime(2026, 10, 7, 1, 0, 0, 123456, tzinfo=UTC),
            datetime(2026, 10, 7, 1, 0, 5, 500000, tzinfo=UTC),
            "000000010000000000000004",
            "000000010000000000000005",
            4096,
            "",
        ),
    )
    assert seen() == Seen("WAL-G", "3.0.9", kept, "000000010000000000000001", "000000010000000000000009", "")


def test_what_is_missing_is_unknown(shelf: Path) -> None:
    # A time that was never set is year 1 in its JSON.
    walg(
        shelf, [{"backup_name": "base_000000010000000000000004", "finish_time": "0001-01-01T00:00:00Z"}, {}], [TIMELINE]
    )
    nothing, named = seen().kept
    assert named == Kept(
        "WAL-G",
        "s3://wonder/main",
        "base_000000010000000000000004",
        "full",
        None,
        None,
        "000000010000000000000004",
        "unknown",
        None,
        "",
    )
    assert nothing == Kept(
        "WAL-G", "s3://wonder/main", "unknown", "unknown", None, None, "unknown", "unknown", None, ""
    )


def test_two_timelines_one_with_a_gap(shelf: Path) -> None:
    lost = {**TIMELINE, "status": "LOST_SEGMENTS", "missing_segments": ["000000010000000000000003"] * 2}
    second = {**TIMELINE, "id": 2, "start_segment": "0" * 7 + "2" + "0" * 16, "end_segment": "0" * 7 + "2" + "F" * 16}
    walg(shelf, [FULL], [second, lost])
    one = seen()
    assert (one.archive_first, one.archive_last) == ("000000010000000000000001", "00000002FFFFFFFFFFFFFFFF")
    assert one.trouble == "timeline 1: LOST_SEGMENTS (2, the first 000000010000000000000003)"


@pytest.mark.parametrize("nothing", ["", "null\n", "[]", "INFO: 2026/10/07 01:00:00.000001 No backups found\n"])
def test_no_backups(shelf: Path, nothing: str) -> None:
    walg(shelf, Answer(nothing, "INFO: 2026/10/07 01:00:00.000001 No backups found\n"), nothing)
    assert seen() == Seen("WAL-G", "3.0.9", (), "", "", "No backups found")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (
            Answer("", "ERROR: 2026/10/07 01:00:00.000001 Failed to find any configured storage\n", 1),
            "Failed to find any configured storage",
        ),
        (
            Answer("", "ERROR: 2026/10/07 01:00:00.000001 Get https://wonder.blob/x?sv=1&sig=abc%3D: timeout\n", 1),
            "Get https://wonder.blob/x?… timeout",
        ),
        (Answer("name modified\n", "INFO: 2026/10/07 List backups\n"), "it did not answer with JSON: name modified"),
        (Answer('{"name": 1}'), "it lists what is not understood"),
        (Answer('["base_000000010000000000000004"]'), "it lists what is not understood"),
    ],
)
def test_no_answer(shelf: Path, answer: Answer, trouble: str) -> None:
    walg(shelf, answer, [TIMELINE])
    assert seen() == Seen("WAL-G", "3.0.9", (), "unknown", "unknown", trouble)


def test_backups_are_kept_where_the_archive_cannot_be_read(shelf: Path) -> None:
    walg(shelf, [FULL], Answer("", 'Error: unknown command "wal-show" for "wal-g"\nRun it with --help\n', 1))
    one = seen()
    assert (len(one.kept), one.archive_first, one.trouble) == (1, "unknown", 'unknown command "wal-show" for "wal-g"')


def test_one_that_is_made_for_another_database(shelf: Path) -> None:
    walg(shelf, [FULL], made_for="MySQL")
    assert seen() == Seen("WAL-G", "3.0.9", (), "unknown", "unknown", "this WAL-G is made for MySQL")


def test_the_prefix_from_its_file_and_no_credentials(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WALG_S3_PREFIX")
    walg(shelf, [FULL], [TIMELINE])
    assert seen("main").kept[0].name == "unknown"
    file = {"WALG_SSH_PREFIX": "ssh://walg:hush@backup.example/wonder", "AWS_SECRET_ACCESS_KEY": "hush"}
    (tmp_path / ".walg.json").write_text(json.dumps(file), encoding="utf-8")
    one = seen("wonder")
    assert one.kept[0].name == "ssh://…@backup.example/wonder"
    assert "hush" not in repr(one)


@pytest.mark.parametrize("names", [("main",), ("s3://wonder/main",), ("other", "main")])
def test_a_name_is_its_prefix_or_the_last_part(shelf: Path, names: tuple[str, ...]) -> None:
    walg(shelf, [FULL], [TIMELINE])
    assert len(seen(*names).kept) == 1


def test_another_name_is_not_looked_for(shelf: Path) -> None:
    stand_in(shelf, "wal-g", {"--version": Answer("wal-g version v3.0.9\ta\tb\tPostgreSQL\n")})
    assert seen("other") == Seen("WAL-G", "3.0.9", (), "", "", "other: its prefix is s3://wonder/main")


SIZES = st.sampled_from([2**power for power in range(20, 31)])
POSITIONS = st.integers(1, 2**44)


def segment(position: int, size: int) -> str:
    """The name of a segment on timeline 3, counted as PostgreSQL counts."""
    number, of_them = position // size, 2**32 // size
    return f"{3:08X}{number // of_them:08X}{number % of_them:08X}"


@given(SIZES, POSITIONS, st.integers(1, 2**34))
def test_the_last_segment_is_right_where_its_size_is_known(size: int, start: int, length: int) -> None:
    finish = start + length
    assert last_segment(segment(start, size), start, finish, size) == segment(finish - 1, size)


@given(SIZES, SIZES, POSITIONS, st.integers(1, 2**34))
def test_a_wrong_size_is_noticed(size: int, other: int, start: int, length: int) -> None:
    first, finish = segment(start, size), start + length
    if segment(start, other) != first:
        assert last_segment(first, start, finish, other) in (segment(finish - 1, size), "unknown")
