"""Barman through list-backups and show-backup: what two real releases printed, and what may go wrong.

3.4.0 is Debian's; 3.19.1 was run by hand on PostgreSQL 17, with one incremental backup.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.wal_tools.support import Answer, barman, recorded
from wnadmin.domain.wal.tools import Kept, Seen, read

OLD: dict[str, Any] = json.loads(recorded("barman-3.4.0-list-backups.json"))
NEW: dict[str, Any] = json.loads(recorded("barman-3.19.1-list-backups.json"))


def shown(release: str, labels: tuple[str, ...]) -> dict[str, Any]:
    """What show-backup printed for each of these."""
    return {label: json.loads(recorded(f"barman-{release}-show-backup-{label}.json")) for label in labels}


OLD_SHOWN = shown("3.4.0", ("20261122T221820", "20261122T221749"))
NEW_SHOWN = shown("3.19.1", ("20261122T222034", "20261122T222036"))
FULL = Kept(
    "Barman",
    "main",
    "20261122T222034",
    "full",
    datetime(2026, 11, 22, 22, 20, 34, 690512, tzinfo=UTC),
    datetime(2026, 11, 22, 22, 20, 35, 761559, tzinfo=UTC),
    "000000010000000000000006",
    "000000010000000000000006",
    23045010,
    "",
)
INCREMENTAL = Kept(
    "Barman",
    "main",
    "20261122T222036",
    "incremental",
    datetime(2026, 11, 22, 22, 20, 36, 17408, tzinfo=UTC),
    datetime(2026, 11, 22, 22, 20, 43, 716151, tzinfo=UTC),
    "000000010000000000000008",
    "000000010000000000000008",
    3873680,
    "",
)


def seen(shelf: Path, listed: Any, details: dict[str, Any] | None = None, *names: str, **more: Any) -> Seen:
    barman(shelf, listed, details, **more)
    (one,) = read(names)
    return one


def test_what_3_19_printed(shelf: Path) -> None:
    assert seen(shelf, NEW, NEW_SHOWN) == Seen(
        "Barman", "3.19.1", (INCREMENTAL, FULL), "000000010000000000000006", "000000010000000000000008", ""
    )


def test_what_3_4_printed(shelf: Path) -> None:
    failed, full = (
        Kept(
            "Barman",
            "main",
            "20261122T221820",
            "full",
            None,
            None,
            "unknown",
            "unknown",
            None,
            "FAILED: failure copying files (data transfer failure on directory "
            "'/srv/wonder/barman/main/base/20261122T221820/data')",
        ),
        Kept(
            "Barman",
            "main",
            "20261122T221749",
            "full",
            datetime(2026, 11, 22, 22, 17, 49, 23900, tzinfo=UTC),
            datetime(2026, 11, 22, 22, 17, 50, 87316, tzinfo=UTC),
            "000000010000000000000007",
            "000000010000000000000007",
            22413238,
            "",
        ),
    )
    assert seen(shelf, OLD, OLD_SHOWN, version="3.4.0") == Seen(
        "Barman",
        "3.4.0",
        (failed, full),
        "000000010000000000000007",
        "000000010000000000000007",
        "spare: no backups",
    )


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("3.19.1", "rsync", "full"),
        ("3.19.1", "snapshot", "full"),
        ("3.19.1", "lunar", "unknown"),
        ("3.19.1", None, "unknown"),
        ("3.11.0", None, "unknown"),
        ("3.10.1", None, "full"),
        ("soon", None, "unknown"),
    ],
)
def test_kinds(shelf: Path, version: str, kind: str | None, expected: str) -> None:
    line = {"backup_id": "20270101T000000", "status": "DONE", **({"backup_type": kind} if kind else {})}
    (one,) = seen(shelf, {"main": [line]}, {"20270101": {"main": {}}}, version=version).kept
    assert one.kind == expected


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ("WAITING_FOR_WALS", "WAITING_FOR_WALS"),
        ("STARTED", "STARTED"),
        ("SYNCING", "SYNCING"),
        ("EMPTY", "EMPTY"),
        (None, "status unknown"),
        ("DONE", ""),
    ],
)
def test_only_what_is_done_is_good(shelf: Path, status: str | None, trouble: str) -> None:
    line = {"backup_id": "20270101T000000", "end_time_timestamp": "1798761600", "status": status}
    (one,) = seen(shelf, {"main": [line]}, {"20270101": {"main": {}}}).kept
    assert (one.trouble, one.started, one.finished) == (trouble, None, datetime(2027, 1, 1, tzinfo=UTC))


def test_a_backup_that_cannot_be_shown_stays_in_the_list(shelf: Path) -> None:
    details = {
        "20261122T222034": Answer('{"_EXCEPTION": ["bad backup.info\\nSee log file for more details."]}', code=1)
    }
    one = seen(shelf, NEW, {**NEW_SHOWN, **details})
    assert one.kept[0] == INCREMENTAL
    assert one.kept[1] == Kept(
        "Barman",
        "main",
        "20261122T222034",
        "full",
        None,
        datetime(2026, 11, 22, 22, 20, 35, tzinfo=UTC),
        "unknown",
        "unknown",
        None,
        "",
    )
    assert one.trouble == "main 20261122T222034: bad backup.info"
    assert (one.archive_first, one.archive_last) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (Answer("{}"), "show-backup says nothing of it"),
        (Answer("gone", code=2), "gone"),
        (Answer("", "barman: error: unrecognized arguments\n", 2), "unrecognized arguments"),
        (Answer("so it is"), "it did not answer with JSON: so it is"),
    ],
)
def test_show_backup_goes_wrong(shelf: Path, answer: Answer, trouble: str) -> None:
    listed = {"main": [{"backup_id": "20270101T000000", "status": "DONE"}]}
    assert seen(shelf, listed, {"20270101": answer}).trouble == f"main 20270101T000000: {trouble}"


def test_a_server_it_does_not_know(shelf: Path) -> None:
    listed = {**copy.deepcopy(NEW), "_ERROR": ["Unknown server 'none'"]}
    one = seen(shelf, listed, NEW_SHOWN, "main", "none", code=1)
    assert (one.kept, one.trouble) == ((INCREMENTAL, FULL), "none: Unknown server 'none'")


def test_a_server_that_is_not_active(shelf: Path) -> None:
    assert seen(shelf, {"_INFO": ["Skipping inactive server 'spare'"]}, {}, "spare").trouble == (
        "spare: Skipping inactive server 'spare'"
    )


@pytest.mark.parametrize(
    ("out", "err", "code", "trouble"),
    [
        ("{}", "", 0, "no server is configured"),
        ('{"main": [], "spare": []}', "", 0, "main: no backups; spare: no backups"),
        ("", "ERROR: please run barman as 'barman' user\n", 1, "please run barman as 'barman' user"),
        (
            "",
            "Configuration file '/etc/barman.conf' does not exist\n",
            1,
            "Configuration file '/etc/barman.conf' does not exist",
        ),
        ("", "usage: barman [-h]\nbarman: error: invalid choice\n", 2, "invalid choice"),
        (
            '{"_EXCEPTION": ["/b/.main.lock\\nSee log file for more details."], "main": []}',
            "x ERROR: /b/.main.lock\nTraceback (most recent call last):\n"
            "PermissionError: [Errno 13] Permission denied: '/b/.main.lock'\n",
            1,
            "/b/.main.lock (PermissionError: [Errno 13] Permission denied: '/b/.main.lock')",
        ),
        ('{"main": {"backup_id": 1}}', "", 0, "main: it lists what is not understood"),
        ('["main"]', "", 0, 'it did not answer with JSON: ["main"]'),
        (
            "main 20261122T221749 - Sun Nov 22\n",
            "",
            0,
            "it did not answer with JSON: main 20261122T221749 - Sun Nov 22",
        ),
    ],
)
def test_no_answer(shelf: Path, out: str, err: str, code: int, trouble: str) -> None:
    barman(shelf, out, err=err, code=code)
    archive = "" if trouble.startswith(("no ", "main: no ")) else "unknown"
    assert read() == [Seen("Barman", "3.19.1", (), archive, archive, trouble)]
