"""Real programs that do not answer as they should: none of them holds wnadmin up, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.wal_tools.support import Answer, barman, pgbackrest, stand_in, walg
from wnadmin.domain.wal.tools import Seen, read
from wnadmin.domain.wal.tools.ask import Limit, Said, ask, one_line

PATIENCE = 60.0
LONG = 600


def runs(pid: int) -> bool:
    """Whether this process does anything; one that waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    """Whether this process ends, sooner or later."""
    deadline = time.monotonic() + PATIENCE
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not runs(pid)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """The file into which stand-ins write their numbers; whatever of them is left is ended after the test."""
    file = tmp_path / "pids"
    file.touch()
    yield file
    for pid in map(int, file.read_text(encoding="utf-8").split()):
        if runs(pid):
            os.kill(pid, signal.SIGKILL)


def written(file: Path) -> list[int]:
    return [int(one) for one in file.read_text(encoding="utf-8").split()]


@pytest.mark.parametrize(
    "does",
    [
        f"trap '' TERM; echo $$ >> PIDS; while :; do /bin/sleep {LONG}; done",
        f"/bin/sleep {LONG} & echo $! >> PIDS; echo $$ >> PIDS; wait",
        f"exec >&- 2>&-; echo $$ >> PIDS; exec /bin/sleep {LONG}",
    ],
    ids=["ignores SIGTERM", "waits for another", "closes its output"],
)
def test_a_tool_that_hangs_is_ended(shelf: Path, pids: Path, does: str) -> None:
    answers = {"version": Answer("pgBackRest 2.45\n"), "info": Answer(does=does.replace("PIDS", str(pids)))}
    stand_in(shelf, "pgbackrest", answers)
    assert read(seconds=3) == [
        Seen("pgBackRest", "2.45", (), "unknown", "unknown", "it did not answer within 3 s and was ended")
    ]
    started = written(pids)
    assert started
    assert all(gone(pid) for pid in started)


def test_each_tool_has_its_own_time(shelf: Path, pids: Path) -> None:
    does = f"echo $$ >> {pids}; exec /bin/sleep {LONG}"
    stand_in(shelf, "pgbackrest", {"version": Answer(does=does)})
    walg(shelf, "[]")
    ended = "it did not answer within 3 s and was ended"
    assert read(("main",), seconds=3) == [
        Seen("pgBackRest", "unknown", (), "unknown", "unknown", ended),
        Seen("WAL-G", "3.0.9", (), "", "", "No backups found"),
    ]
    assert all(gone(pid) for pid in written(pids))


def test_backups_whose_details_hang_are_still_listed(shelf: Path, pids: Path) -> None:
    listed = {"main": [{"backup_id": f"2027010{n}T000000", "backup_type": "full", "status": "DONE"} for n in (3, 2, 1)]}
    slow = Answer(does=f"echo $$ >> {pids}; exec /bin/sleep {LONG}")
    barman(shelf, listed, {"20270103": {"main": {}}, "20270102": slow, "20270101": slow})
    (one,) = read(seconds=3)
    assert [(each.label, each.first_wal) for each in one.kept] == [
        ("20270103T000000", "unknown"),
        ("20270102T000000", "unknown"),
        ("20270101T000000", "unknown"),
    ]
    ended = "it did not answer within 3 s and was ended"
    assert one.trouble == f"main 20270102T000000: {ended}; main 20270101T000000: {ended}"
    assert all(gone(pid) for pid in written(pids))


def test_what_a_tool_leaves_running_is_not_waited_for(shelf: Path, pids: Path) -> None:
    """A process in the background that holds the pipes is the tool's own business."""
    background = f"/bin/sleep {LONG} & echo $! >> {pids}"
    stand_in(shelf, "pgbackrest", {"version": Answer("2.45"), "info": Answer("[]", does=background)})
    (one,) = read(seconds=PATIENCE)
    assert (one.version, one.trouble) == ("2.45", "No stanzas exist in the repository")
    assert all(runs(pid) for pid in written(pids))


def test_a_tool_that_says_too_much_is_ended(shelf: Path, pids: Path) -> None:
    endless = Answer(does=f"echo $$ >> {pids}; exec /bin/cat /dev/zero")
    stand_in(shelf, "pgbackrest", {"version": Answer("2.45"), "info": endless})
    (one,) = read(seconds=PATIENCE)
    assert one.trouble == "it said more than 64 MiB and was ended"
    assert all(gone(pid) for pid in written(pids))


def test_a_signal_is_named(shelf: Path) -> None:
    stand_in(shelf, "pgbackrest", {"version": Answer("2.45"), "info": Answer(does="kill -9 $$")})
    (one,) = read()
    assert one.trouble == "it was ended by signal 9"


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        ("#!/nowhere/sh\n", "it cannot be started: No such file or directory"),
        ("\x7fELF, but no more of it", "it cannot be started: Exec format error"),
    ],
)
def test_what_cannot_be_started(shelf: Path, content: str, trouble: str) -> None:
    program = shelf / "wal-g"
    program.write_text(content, encoding="utf-8")
    program.chmod(0o755)
    assert read() == [Seen("WAL-G", "unknown", (), "unknown", "unknown", trouble)]


def test_none_is_installed(shelf: Path) -> None:
    assert read() == []
    assert read(("main",)) == []


def test_a_name_that_one_of_them_has_is_not_missed_by_the_others(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALG_FILE_PREFIX", "/srv/wonder/walg")
    nothing = {"archive": [], "backup": [], "name": "spare", "status": {"code": 1, "message": "missing stanza path"}}
    pgbackrest(shelf, [nothing])
    barman(shelf, {"spare": []})
    walg(shelf, "[]")
    assert [one.trouble for one in read(("spare",))] == ["", "spare: no backups", ""]
    barman(shelf, {"_ERROR": ["Unknown server 'spare'"]}, code=1)
    assert [one.trouble for one in read(("spare", "spare", ""))] == [
        "spare: missing stanza path",
        "spare: Unknown server 'spare'",
        "spare: its prefix is /srv/wonder/walg",
    ]


def test_a_name_is_never_an_option(shelf: Path, tmp_path: Path) -> None:
    noted = f'echo "$*" >> {tmp_path / "words"}'
    listed = Answer('{"main": [{"backup_id": "--help"}]}', does=noted)
    answers = {"--version": Answer("3.19.1"), "list-backups": listed, "show-backup": Answer("{}", does=noted)}
    stand_in(shelf, "barman", answers)
    read(("--debug",))
    assert (tmp_path / "words").read_text(encoding="utf-8").splitlines() == [
        "--format json list-backups -- --debug",
        "--format json show-backup -- main --help",
    ]


def test_what_they_need_not_know_is_not_in_their_environment(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"WALG_S3_PREFIX": "s3://x/y", "PGBACKREST_STANZA": "main", "PGHOST": "/run"}
    dropped = ("PGPASSWORD", "WNADMIN_CONFIG", "PYTHONWARNINGS", "PYTHONPATH")
    for name in (*kept, *dropped):
        monkeypatch.setenv(name, kept.get(name, "error"))
    stand_in(shelf, "pgbackrest", {"version": Answer("2.45"), "info": Answer("[]", does=f"export -p > {tmp_path}/env")})
    read()
    seen = (tmp_path / "env").read_text(encoding="utf-8")
    assert all(f"{name}='{value}'" in seen for name, value in kept.items())
    assert not any(name in seen for name in dropped)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no  more\nthan a line", "no more than a line"),
        ("cannot reach ftp://me:hush@host/x", "cannot reach ftp://…@host/x"),
        ("GET https://host/x?sig=hush&a=b failed", "GET https://host/x?… failed"),
        ("dsn: host=x password=hush user=y", "dsn: host=x password=… user=y"),
        ("conninfo password = 'hush hush' x", "conninfo password = … x"),
        ("repo1-cipher-pass=hush AWS_SECRET_ACCESS_KEY: hush", "repo1-cipher-pass=… AWS_SECRET_ACCESS_KEY: …"),
        ("key/value found outside of section", "key/value found outside of section"),
        ("x" * 1000, "x" * 299 + "…"),
    ],
)
def test_words_are_one_line_without_secrets(said: str, shown: str) -> None:
    assert one_line(said) == shown


def test_ctrl_c_ends_what_runs(shelf: Path, pids: Path) -> None:
    slow = Answer(does=f"echo $$ >> {pids}; exec /bin/sleep {LONG}")
    barman(shelf, {"main": [{"backup_id": "20270101T000000"}, {"backup_id": "20270102T000000"}]}, {"show-backup": slow})
    looking = subprocess.Popen(
        [sys.executable, "-c", f"from wnadmin.domain.wal.tools import read; read(seconds={LONG})"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while len(written(pids)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        looking.send_signal(signal.SIGINT)
        _, said = looking.communicate(timeout=PATIENCE)
    finally:
        looking.kill()
        looking.wait()
    assert said.splitlines()[-1] == "KeyboardInterrupt"
    assert len(written(pids)) == 2
    assert all(gone(pid) for pid in written(pids))


def test_stopping_ends_what_runs(shelf: Path, pids: Path) -> None:
    path = stand_in(shelf, "pgbackrest", {"info": Answer(does=f"echo $$ >> {pids}; exec /bin/sleep {LONG}")})
    limit = Limit(PATIENCE)
    heard: list[Said] = []
    asking = threading.Thread(target=lambda: heard.append(ask([str(path), "info"], limit)))
    asking.start()
    deadline = time.monotonic() + PATIENCE
    while not written(pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    limit.stop()
    asking.join(PATIENCE)
    assert [one.trouble for one in heard] == ["it did not answer within 60 s and was ended"]
    assert all(gone(pid) for pid in written(pids))
