"""An archive command that fails, hangs, is killed or is not there, and archives that lost something: real servers."""

from __future__ import annotations

import os
import signal

import pytest

from tests.wal.support import Yard, breaks, check, command, failures, segment, shipped_command
from wnadmin.domain.wal.folder import STAMP


def test_a_command_that_fails(sound: Yard) -> None:
    command(sound, "false")
    breaks(sound)
    found = check(sound, "--probe", "--wait", "1")
    assert found["wal.probe"]["severity"] == "critical"
    assert " was not archived within 1 s: the command failed " in found["wal.probe"]["detail"]
    assert found["wal.failing"]["severity"] == "critical"
    assert found["wal.failing"]["detail"].endswith(", and none has ever succeeded")
    assert found["wal.failing"]["playbook"] == "archiving-fails"
    assert found["wal.age"]["severity"] == "unknown"
    status = sound.cli.run("backup", "wal", "status", "--format", "json").json()["tables"]
    assert {one["fact"]: one["value"] for one in status["server"]}["archiving"] == "on, FAILING"


def test_a_command_that_hangs(sound: Yard) -> None:
    """It neither succeeds nor fails."""
    note = sound.home / "hanging"
    command(sound, f"sh -c 'echo $$ > {note}; exec sleep 600'; false")
    sound.switch()
    sound.until(lambda: note.exists() and note.read_text().endswith("\n"), "the command is not run")
    found = check(sound, "--probe", "--wait", "1")
    assert found["wal.probe"]["severity"] == "critical"
    assert found["wal.probe"]["detail"].endswith("the archiver waits for its command, which does not end")
    assert found["wal.failing"]["detail"] == "no attempt was made since the counters began"
    # Before the end of this attempt, or the next one hangs too.
    command(sound, shipped_command(sound))
    os.kill(int(note.read_text()), signal.SIGTERM)
    sound.archived(found["wal.probe"]["object"])


@pytest.mark.more
def test_a_target_that_hangs(sound: Yard) -> None:
    """The shipped command gives it up, so that it counts as a failure, and goes on when it comes back."""
    command(sound, shipped_command(sound).replace(' "%p"', ' -t 1 "%p"'))
    stamp = sound.archive / STAMP
    stamp.rename(sound.archive.with_name("stamp"))
    # Whoever opens a pipe waits for somebody to write.
    os.mkfifo(stamp)
    os.chown(stamp, sound.account.uid, sound.account.gid)
    try:
        breaks(sound)
        found = check(sound, "--probe", "--wait", "8")
    finally:
        stamp.unlink()
        sound.archive.with_name("stamp").rename(stamp)
    assert "the command failed" in found["wal.probe"]["detail"], found["wal.probe"]
    command(sound, shipped_command(sound))
    sound.archived(found["wal.probe"]["object"])


def test_a_command_that_is_not_there(archiving: Yard) -> None:
    """The server does not count what the shell could not run; only what waits shows it."""
    command(archiving, "/nowhere/archive %p")
    archiver = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'archiver'"
    before = archiving.sql(archiver)
    archiving.switch()
    archiving.until(lambda: archiving.sql(archiver) != before, "the archiver does not end")
    found = check(archiving, "--probe", "--wait", "1")
    assert found["wal.probe"]["severity"] == "critical"
    assert "the shell did not find the command, or a signal ended it" in found["wal.probe"]["detail"]
    assert failures(archiving) == 0


def test_the_target_vanishes_and_comes_back(sound: Yard) -> None:
    away = sound.archive.with_name("away")
    sound.archive.rename(away)
    sound.folder(sound.archive.name)  # where it was mounted
    breaks(sound)
    found = check(sound, "--probe", "--wait", "1")
    assert "the command failed" in found["wal.probe"]["detail"]
    assert list(sound.archive.iterdir()) == [], "nothing lands beside the archive"
    sound.archive.rmdir()
    away.rename(sound.archive)
    command(sound, shipped_command(sound))
    sound.archived(found["wal.probe"]["object"])


@pytest.mark.more
def test_the_target_is_full(sound: Yard) -> None:
    """A limit on the size of files stands for it; when there is room again nothing is missing."""
    command(sound, "ulimit -f 100; " + shipped_command(sound))
    name = breaks(sound)
    assert "the command failed" in check(sound, "--probe", "--wait", "1")["wal.probe"]["detail"]
    assert not [one.name for one in sound.archive.iterdir() if name in one.name]
    command(sound, shipped_command(sound))
    sound.archived(name)
    assert (sound.archive / name).stat().st_size == 16 << 20
    assert check(sound)["wal.gaps"]["severity"] == "ok"


@pytest.mark.more
def test_the_name_is_taken(sound: Yard) -> None:
    """Another content under the next name: it is kept, archiving fails, and goes on when somebody has looked."""
    name = str(sound.sql("SELECT pg_walfile_name(pg_current_wal_lsn())"))
    system = int(sound.sql("SELECT system_identifier::text FROM pg_control_system()"))
    theirs = segment(sound.archive, name, system=system, size=16 << 20)
    before = theirs.read_bytes()
    assert breaks(sound) == name
    found = check(sound, "--probe", "--wait", "1")
    assert "the command failed" in found["wal.probe"]["detail"]
    assert found["wal.probe"]["detail"].endswith(("with " + name, name + ", and is tried about once a minute"))
    assert theirs.read_bytes() == before
    theirs.unlink()
    command(sound, shipped_command(sound))
    sound.archived(name)


def test_killed_in_the_middle(sound: Yard) -> None:
    """kill -9 between copy and name, under a real archiver: it tries again, and nothing is lost or left."""
    programs = sound.folder("programs")
    # The first time it hangs, then it is the real one.
    text = 'echo $$ $PPID > "$W/new" && mv "$W/new" "$W/pids" 2>/dev/null && rm "$W/hang" && exec sleep 600'
    fake = programs / "ln"
    fake.write_text(f'#!/bin/sh\nW={programs}\n[ ! -e "$W/hang" ] || {{ {text}; }}\nexec /bin/ln "$@"\n')
    fake.chmod(0o755)
    (programs / "hang").touch()
    command(sound, f"PATH={programs}:$PATH " + shipped_command(sound))
    name = sound.switch()
    sound.until((programs / "pids").exists, "the archive command does not come so far")
    (left,) = [one for one in sound.archive.iterdir() if one.name.endswith(".part")]
    assert left.stat().st_size == 16 << 20
    assert not (sound.archive / name).exists()
    for pid in reversed((programs / "pids").read_text().split()):
        os.kill(int(pid), signal.SIGKILL)
    sound.archived(name)
    sound.until(lambda: not left.exists(), "what the killed one left stays")
    assert check(sound)["wal.failing"]["severity"] == "ok"


def test_a_hole(sound: Yard) -> None:
    """Without a base backup behind it, critical; with one, older backups are the only ones that it ends."""
    for _ in range(3):
        last = sound.switch()
    sound.archived(last)
    gone = sound.segments()[-2]
    content = (sound.archive / gone).read_bytes()
    (sound.archive / gone).unlink()
    try:
        found = check(sound)["wal.gaps"]
        assert (found["severity"], found["playbook"]) == ("critical", "archiving-fails")
        assert found["detail"] == f"1 segment missing, the last hole is {gone}"
        status = sound.cli.run("backup", "wal", "status", "--format", "json").json()["tables"]
        assert status["holes"] == [{"first": gone, "last": gone, "segments": 1}]
        sound.base_backup("behind")
        sound.archived(sound.switch())
        assert check(sound)["wal.gaps"]["severity"] == "warn"
    finally:
        (sound.archive / gone).write_bytes(content)


def test_a_file_that_was_archived_and_is_gone(sound: Yard) -> None:
    name = sound.switch()
    sound.archived(name)
    sound.until(lambda: sound.sql("SELECT last_archived_wal FROM pg_stat_archiver") == name, "it is not counted")
    content = (sound.archive / name).read_bytes()
    (sound.archive / name).unlink()
    try:
        found = check(sound)["wal.position"]
    finally:
        (sound.archive / name).write_bytes(content)
    assert found["severity"] == "critical"
    assert found["detail"] == f"the server says that {name} was archived, and it is not in {sound.archive}"
