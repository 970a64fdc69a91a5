"""pgBackRest through `info`: what the real one printed, and what of that may be missing, new or wrong."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.wal_tools.support import pgbackrest, recorded
from wnadmin.domain.wal.tools import Kept, Seen, read

INFO: list[dict[str, Any]] = json.loads(recorded("pgbackrest-2.45-info.json"))
FULL = Kept(
    "pgBackRest",
    "main",
    "20261122-221703F",
    "full",
    datetime(2026, 11, 22, 22, 17, 3, tzinfo=UTC),
    datetime(2026, 11, 22, 22, 17, 4, tzinfo=UTC),
    "000000010000000000000002",
    "000000010000000000000002",
    2909862,
    "",
)
INCREMENTAL = Kept(
    "pgBackRest",
    "main",
    "20261122-221703F_20261122-221705I",
    "incremental",
    datetime(2026, 11, 22, 22, 17, 5, tzinfo=UTC),
    datetime(2026, 11, 22, 22, 17, 6, tzinfo=UTC),
    "000000010000000000000003",
    "000000010000000000000004",
    431,
    "",
)


def info() -> list[dict[str, Any]]:
    """What it printed, to be changed."""
    return copy.deepcopy(INFO)


def status(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "lock": {"backup": {"held": False}}, "message": message}


def seen(shelf: Path, document: Any, *names: str) -> Seen:
    pgbackrest(shelf, document)
    (one,) = read(names)
    return one


def test_what_the_real_one_printed(shelf: Path) -> None:
    assert seen(shelf, INFO) == Seen(
        "pgBackRest",
        "2.45",
        (INCREMENTAL, FULL),
        "000000010000000000000001",
        "000000010000000000000007",
        "",
    )


def test_a_differential_one_with_page_errors(shelf: Path) -> None:
    document = info()
    document[0]["backup"][1] |= {"type": "diff", "error": True}
    newest = seen(shelf, document).kept[0]
    assert (newest.kind, newest.trouble) == ("differential", "error(s) detected during backup")


def test_what_is_missing_is_unknown_and_what_is_new_is_ignored(shelf: Path) -> None:
    document = info()
    document[0]["backup"] = [{"label": "20270101-000000F", "type": "lunar", "error": None, "annotation": {"a": "b"}}]
    document[0] |= {"archive": [{"database": {"id": 1}, "id": "15-1", "min": "?", "max": 7}], "moon": [1, {"x": None}]}
    one = seen(shelf, document)
    assert one.kept == (
        Kept("pgBackRest", "main", "20270101-000000F", "unknown", None, None, "unknown", "unknown", None, ""),
    )
    assert (one.archive_first, one.archive_last, one.trouble) == ("unknown", "unknown", "")


def test_several_repositories_and_a_cluster_of_an_older_major(shelf: Path) -> None:
    document = info()
    document[0]["archive"] = [
        {"database": {"id": 1, "repo-key": 1}, "id": "14-1", "min": "0" * 23 + "1", "max": "0000000900000000000000FF"},
        {"database": {"id": 2, "repo-key": 1}, "id": "15-2", "min": "0" * 7 + "1" + "0" * 15 + "5", "max": "0" * 24},
        {"database": {"id": 1, "repo-key": 2}, "id": "15-1", "min": "0" * 7 + "1" + "0" * 15 + "4", "max": "F" * 24},
    ]
    one = seen(shelf, document)
    assert (one.archive_first, one.archive_last) == ("000000010000000000000004", "F" * 24)


def test_repositories_that_differ_are_named(shelf: Path) -> None:
    document = info()
    document[0]["repo"] = [
        {"cipher": "none", "key": 1, "status": {"code": 0, "message": "ok"}},
        {"cipher": "none", "key": 2, "status": {"code": 99, "message": "[FileMissingError] unable to load info file"}},
        {"cipher": "none", "key": 3, "status": {"code": 2, "message": "no valid backups"}},
    ]
    document[0]["status"] = status(4, "different across repos")
    one = seen(shelf, document)
    assert one.kept == (INCREMENTAL, FULL)
    assert one.trouble == "main: repo2: [FileMissingError] unable to load info file, repo3: no valid backups"


@pytest.mark.parametrize(
    ("code", "message", "repository", "trouble"),
    [
        (2, "no valid backups", "no valid backups", "main: no valid backups"),
        (3, "missing stanza data", "missing stanza data", "main: missing stanza data"),
        (99, "other", "[CryptoError] unable to flush", "main: [CryptoError] unable to flush"),
    ],
)
def test_a_stanza_that_is_not_well(shelf: Path, code: int, message: str, repository: str, trouble: str) -> None:
    repo = [{"cipher": "none", "key": 1, "status": {"code": code, "message": repository}}]
    stanza = {"archive": [], "backup": [], "db": [], "name": "main", "repo": repo, "status": status(code, message)}
    archive = "unknown" if code == 99 else ""
    assert seen(shelf, [stanza]) == Seen("pgBackRest", "2.45", (), archive, archive, trouble)


def test_a_stanza_without_a_status_is_not_called_well(shelf: Path) -> None:
    document = info()
    del document[0]["status"], document[0]["repo"]
    assert seen(shelf, document).trouble == "main: status unknown"


def test_archives_of_several_clusters_have_no_common_order(shelf: Path) -> None:
    one = seen(shelf, [*info(), *info()])
    assert (len(one.kept), one.archive_first, one.archive_last, one.trouble) == (4, "unknown", "unknown", "")


def test_nothing_there(shelf: Path) -> None:
    assert seen(shelf, []).trouble == "No stanzas exist in the repository"


def test_a_name_that_it_does_not_have(shelf: Path) -> None:
    document = [{"archive": [], "backup": [], "name": "spare", "status": status(1, "missing stanza path")}]
    assert seen(shelf, document, "spare") == Seen("pgBackRest", "2.45", (), "", "", "spare: missing stanza path")


@pytest.mark.parametrize(
    ("out", "err", "code", "trouble"),
    [
        ("", "ERROR: [029]: key/value found outside of section\n", 29, "[029]: key/value found outside of section"),
        ("", "P00  ERROR: [055]: unable to open '/x'\n  HINT: is it there?\n", 55, "[055]: unable to open '/x'"),
        ("", "", 3, "it ended with 3"),
        ("no such host\n", "", 3, "no such host"),
        ("", "", 0, "it did not answer with JSON"),
        ("stanza: main\n  status: ok\n", "", 0, "it did not answer with JSON: stanza: main status: ok"),
        ('[{"name": "main"', "", 0, 'it did not answer with JSON: [{"name": "main"'),
        ("[" * 100_000, "", 0, f"it did not answer with JSON: {'[' * 80}"),
        ('{"name": "main"}', "", 0, 'it did not answer with JSON: {"name": "main"}'),
        ('[1, "main"]', "", 0, "it lists what is not understood"),
    ],
)
def test_no_answer(shelf: Path, out: str, err: str, code: int, trouble: str) -> None:
    pgbackrest(shelf, out, err=err, code=code)
    assert read() == [Seen("pgBackRest", "2.45", (), "unknown", "unknown", trouble)]


def test_an_answer_and_an_error_are_both_kept(shelf: Path) -> None:
    pgbackrest(shelf, INFO, err="ERROR: [103]: unable to get info for all stanzas\n", code=103)
    (one,) = read()
    assert (one.kept, one.trouble) == ((INCREMENTAL, FULL), "[103]: unable to get info for all stanzas")
