"""The shipped archive command by itself: what it does, and what it does when something breaks under it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import scratch
from tests.wal.support import each, segment, shipped
from wnadmin.domain.wal.folder import STAMP
from wnadmin.postgres.embedded.procs import is_alive, server_account, wait_until
from wnadmin.postgres.embedded.procs import run as run_as

SYSTEM = 7_000_000_000_000_000_001
NAME = "0000000100000000000000A7"
Done = subprocess.CompletedProcess[str]


class Place:
    """A folder of WAL, an archive with an awkward name, the script, and stand-ins for the programs it calls."""

    def __init__(self, folder: Path) -> None:
        self.wal = folder / "pg_wal"
        self.archive = folder / 'an archive\'s "100%" $HOME'
        self.bin = folder / "bin"
        self.log = folder / "log"
        for one in (self.wal, self.archive, self.bin):
            one.mkdir()
        self.script = shipped(folder)
        (self.archive / STAMP).write_text(f"{SYSTEM}\n")

    def fake(self, name: str, text: str) -> None:
        """Put a program before the real one, which it may call as $REAL."""
        real = shutil.which(name)
        path = self.bin / name
        path.write_text(f"#!/bin/sh\nREAL='{real}'\nLOG='{self.log}'\nWHERE='{self.bin}'\n{text}\n")
        path.chmod(0o755)

    def argv(self, *words: str | Path) -> list[str]:
        return [str(self.script), *(str(word) for word in words)]

    @property
    def env(self) -> Mapping[str, str]:
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": "/nowhere"}

    def run(self, *words: str | Path) -> Done:
        return subprocess.run(
            self.argv(*words), env=dict(self.env), text=True, capture_output=True, check=False, timeout=60
        )

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*words), env=dict(self.env), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def give(self, path: Path, *words: str) -> Done:
        return self.run(*words, path, self.archive)

    def held(self) -> list[str]:
        """What is in the archive, without its stamp."""
        return [name for name in each(self.archive) if name != STAMP]

    def parts(self) -> list[str]:
        return [name for name in self.held() if name.endswith(".part")]

    def pids(self) -> tuple[int, int]:
        """The process of a stand-in that hangs, and the one that called it."""
        path = self.bin / "pids"
        assert wait_until(path.exists, 30)
        own, caller = path.read_text().split()
        return int(own), int(caller)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


HANGS = 'echo $$ $PPID > "$WHERE/pids.new"; mv "$WHERE/pids.new" "$WHERE/pids"; exec sleep 600'


def said(done: Done) -> str:
    assert done.stdout == ""
    return done.stderr.removeprefix("wnadmin-archive: ").rstrip("\n")


def test_a_file_is_copied_whole_and_for_its_owner_alone(place: Place) -> None:
    path = segment(place.wal, NAME)
    done = place.give(path)
    assert (done.returncode, said(done)) == (0, "")
    assert place.held() == [NAME]
    assert (place.archive / NAME).read_bytes() == path.read_bytes()
    assert (place.archive / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["00000002.history", f"{NAME}.00000028.backup", f"{NAME}.partial"])
def test_the_small_files_are_archived_too(place: Place, name: str) -> None:
    path = segment(place.wal, name, size=64)
    assert place.give(path).returncode == 0
    assert place.held() == [name]


def test_it_is_flushed_before_it_has_its_name_and_the_folder_after(place: Place) -> None:
    """Each program is the real one, and leaves a line."""
    for name in ("dd", "ln", "sync"):
        place.fake(name, f'echo {name} "$@" >> "$LOG"; exec "$REAL" "$@"')
    assert place.give(segment(place.wal, NAME)).returncode == 0
    copied, named, flushed = place.log.read_text().splitlines()
    assert copied.startswith("dd ") and copied.endswith("conv=fsync")
    assert named.startswith(f"ln {place.archive}/.{NAME}.") and named.endswith(f".part {place.archive}/{NAME}")
    assert flushed == f"sync {place.archive}"


def test_the_same_again_is_success_and_flushed_again(place: Place) -> None:
    """As after a crash between the copy and the server's hearing of it."""
    path = segment(place.wal, NAME)
    assert place.give(path).returncode == 0
    place.fake("sync", 'echo "$1" >> "$LOG"; exec "$REAL" "$@"')
    done = place.give(path)
    assert (done.returncode, said(done)) == (0, "")
    assert place.log.read_text().splitlines() == [f"{place.archive}/{NAME}", str(place.archive)]


def test_another_content_is_never_overwritten(place: Place) -> None:
    first = segment(place.wal, NAME)
    assert place.give(first).returncode == 0
    before = (place.archive / NAME).read_bytes()
    done = place.give(segment(place.wal, NAME))
    assert done.returncode == 1
    assert said(done) == f"{place.archive}/{NAME} is there with other content, and is not overwritten: see whose it is"
    assert (place.archive / NAME).read_bytes() == before
    assert place.held() == [NAME]


def test_half_a_file_with_the_name_is_not_taken_for_the_whole(place: Place) -> None:
    """What a plain cp leaves."""
    path = segment(place.wal, NAME)
    (place.archive / NAME).write_bytes(path.read_bytes()[:1000])
    assert place.give(path).returncode == 1


def test_a_folder_that_is_not_the_archive(place: Place) -> None:
    """A disk that is not mounted leaves an empty folder, and WAL must not land in that."""
    (place.archive / STAMP).unlink()
    done = place.give(segment(place.wal, NAME))
    assert done.returncode == 1
    assert said(done) == f"{place.archive} has no {STAMP}: it is not the archive, or it is not mounted"
    shutil.rmtree(place.archive)
    assert place.give(segment(place.wal, NAME)).returncode == 1


def test_another_servers_segments_are_sent_away(place: Place) -> None:
    done = place.give(segment(place.wal, NAME, system=SYSTEM + 1))
    assert done.returncode == 1
    assert said(done) == f"{NAME} is of the server {SYSTEM + 1}, and {place.archive} is the archive of {SYSTEM}"
    assert place.held() == []
    # Identifiers of clusters that are made after 2038 are negative to the server.
    (place.archive / STAMP).write_text("-5\n")
    assert place.give(segment(place.wal, NAME, system=-5)).returncode == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "it takes two arguments and was given 0"),
        (["a"], "it takes two arguments and was given 1"),
        (["a", "b", "c"], "it takes two arguments and was given 3"),
        (["-t"], "-t wants a number of seconds"),
        (["-t", "soon", "a", "b"], "-t wants a number of seconds"),
        (["pg_wal/.hidden", "/tmp"], "pg_wal/.hidden is not the name of a WAL file"),
        (["pg_wal/-rf", "/tmp"], "pg_wal/-rf is not the name of a WAL file"),
        (["pg_wal/", "/tmp"], "pg_wal/ is not the name of a WAL file"),
        (["pg_wal/a b", "/tmp"], "pg_wal/a b is not the name of a WAL file"),
    ],
)
def test_called_wrongly(place: Place, words: list[str], why: str) -> None:
    done = place.run(*words)
    assert done.returncode == 2
    assert said(done) == f"{why}; usage: wnadmin-archive [-t SECONDS] PATH DIR | --try DIR"


def test_a_file_that_is_not_there(place: Place) -> None:
    done = place.give(place.wal / NAME)
    assert (done.returncode, said(done)) == (1, f"there is no file {place.wal}/{NAME}")


def test_a_folder_that_cannot_be_written_in() -> None:
    """As the server's user, since root may write anywhere."""
    home = scratch("script")
    try:
        place = Place(home)
        path = segment(place.wal, NAME)
        path.chmod(0o644)
        place.archive.chmod(0o555)
        done = run_as(place.argv(path, place.archive), server_account())
        assert (done.returncode, said(done)) == (1, f"cannot write in {place.archive}")
        place.archive.chmod(0o755)
    finally:
        shutil.rmtree(home)


def test_no_room(place: Place) -> None:
    place.fake("dd", 'echo "dd: error writing X: No space left on device\n0+0 records in" >&2; exit 1')
    done = place.give(segment(place.wal, NAME))
    assert done.returncode == 1
    assert said(done) == f"{NAME} cannot be written: dd: error writing X: No space left on device"
    assert place.held() == [], "what was begun is removed: the next attempt needs the room"


def test_a_limit_on_the_size_of_files(place: Place) -> None:
    """The kernel ends the copying program with a signal; the script says that it failed."""
    words = ["prlimit", "--fsize=65536", *place.argv(segment(place.wal, NAME), place.archive)]
    done = subprocess.run(words, env=dict(place.env), text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"wnadmin-archive: {NAME} cannot be written: ended by a signal\n" in done.stderr
    assert place.held() == []


def test_no_hard_links(place: Place) -> None:
    place.fake("ln", 'echo "ln: failed to create hard link: Operation not permitted" >&2; exit 1')
    path = segment(place.wal, NAME)
    done = place.give(path)
    assert done.returncode == 1
    assert said(done) == f"{NAME} cannot get its name: ln: failed to create hard link: Operation not permitted"
    assert place.held() == []
    tried = place.run("--try", place.archive)
    assert tried.returncode == 1
    assert said(tried).startswith("a file is not archived: ")


def test_a_folder_that_cannot_be_flushed(place: Place) -> None:
    """The file is there, and the server must not believe it yet; the next attempt does what is left."""
    place.fake("sync", 'echo "sync: error syncing: Input/output error" >&2; exit 1')
    path = segment(place.wal, NAME)
    done = place.give(path)
    assert done.returncode == 1
    assert said(done) == f"{place.archive} cannot be flushed to the disk: sync: error syncing: Input/output error"
    (place.bin / "sync").unlink()
    assert place.give(path).returncode == 0
    assert place.held() == [NAME]


def test_a_target_that_hangs_is_given_up(place: Place) -> None:
    place.fake("dd", HANGS)
    done = place.give(segment(place.wal, NAME), "-t", "1")
    assert done.returncode == 124
    assert done.stderr.endswith(f"wnadmin-archive: {NAME}: not done after 1 s, and given up\n")
    assert place.held() == []
    assert not is_alive(place.pids()[0]), "what hung is ended"


@pytest.mark.more
def test_a_target_that_hangs_and_does_not_listen(place: Place) -> None:
    """Killed outright, it leaves its work; the next attempt for the same file takes that away."""
    place.fake("dd", 'trap "" TERM; : > "${2#of=}"; while :; do sleep 600; done')
    path = segment(place.wal, NAME)
    done = place.give(path, "-t", "1")
    assert done.returncode == 1
    assert done.stderr.endswith(f"{NAME}: killed, by somebody or because it did not end after 1 s\n")
    assert len(place.parts()) == 1
    (place.bin / "dd").unlink()
    assert place.give(path).returncode == 0
    assert place.held() == [NAME]


def test_it_never_ends_with_more_than_125(place: Place) -> None:
    """The server counts nothing above as a failure."""
    place.fake("timeout", "exit 127")
    assert place.give(segment(place.wal, NAME)).returncode == 1


def test_killed_between_copy_and_name(place: Place) -> None:
    """The work is complete and has no name: no file of that name is there, and the next attempt succeeds."""
    place.fake("ln", HANGS)
    path = segment(place.wal, NAME)
    process = place.start(path, place.archive)
    hanging, worker = place.pids()
    assert len(place.parts()) == 1
    assert (place.archive / place.parts()[0]).stat().st_size == path.stat().st_size
    for pid in (worker, hanging):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert not (place.archive / NAME).exists()
    (place.bin / "ln").unlink()
    assert place.give(path).returncode == 0
    assert place.held() == [NAME]
    assert (place.archive / NAME).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_ended_by_the_server(place: Place, number: signal.Signals) -> None:
    """A server that stops at once ends its archive command; nothing stays behind."""
    place.fake("dd", HANGS)
    process = place.start(segment(place.wal, NAME), place.archive)
    hanging, _ = place.pids()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert place.held() == []
    assert wait_until(lambda: not is_alive(hanging), 30)


BARRIER = """
: > "$WHERE/here.$$"
until [ "$(ls "$WHERE" | grep -c '^here')" -ge 2 ]; do sleep 0.01; done
exec "$REAL" "$@"
"""


@pytest.mark.parametrize("same", [True, False])
def test_two_at_once(place: Place, tmp_path: Path, same: bool) -> None:
    """As when a standby archives into the same folder: both have copied before either gives the name."""
    place.fake("ln", BARRIER)
    other = tmp_path / "other"
    other.mkdir()
    first = segment(place.wal, NAME)
    second = other / NAME
    if same:
        shutil.copy(first, second)
    else:
        segment(other, NAME)
    started = [place.start(path, place.archive) for path in (first, second)]
    ended = [one.wait(60) for one in started]
    for one in started:
        one.communicate()
    assert sorted(ended) == ([0, 0] if same else [0, 1])
    assert place.held() == [NAME]
    assert (place.archive / NAME).read_bytes() in (first.read_bytes(), second.read_bytes())


def test_the_trial(place: Place) -> None:
    done = place.run("--try", place.archive)
    assert done.returncode == 0
    assert done.stdout.startswith(f"archived, compared, repeated and refused in {place.archive} as user ")
    assert place.held() == []


def test_the_trial_of_a_command_that_overwrites(place: Place) -> None:
    """It is the script's own behaviour that is tried, not its text."""
    place.fake("cmp", "exit 0")
    done = place.run("--try", place.archive)
    assert done.returncode == 1
    assert said(done).startswith("a file that is there already with other content is no failure: ")
    assert place.held() == []
