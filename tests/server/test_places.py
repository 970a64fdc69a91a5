"""Awkward machines: closed directories, full disks, missing locales, long paths, users without a name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.server.support import IS_ROOT, Nest, drive, needs_root, plain_environment, psql
from wnadmin.errors import Failed, Refused
from wnadmin.postgres.embedded import Account, Cluster, server_account
from wnadmin.postgres.embedded.discovery import Provider, discover

Wrap = Callable[[Mapping[str, str]], Path]


def relocatable() -> Provider:
    """An installation that comes in one directory, as the wheel does."""
    for one in discover(env=plain_environment()):
        if one.bindir.name == "bin" and (one.bindir.parent / "share").is_dir():
            return one
    raise AssertionError("the embedded extra is not installed")


def test_a_long_path_gets_a_short_socket(nest: Nest) -> None:
    cluster = nest.cluster("/".join(["a-rather-long-name"] * 6))
    status = cluster.start(fsync=False)
    assert status.socket_dir is not None
    assert not status.socket_dir.is_relative_to(cluster.home)
    assert len(str(status.socket_dir / ".s.PGSQL.5432")) <= 90
    assert status.socket_dir.stat().st_mode & 0o777 == 0o700
    assert psql(cluster, "SELECT 1") == "1"
    again = Cluster(cluster.home, plain_environment())
    again.stop()
    assert again.start(fsync=False).socket_dir == status.socket_dir
    again.stop()
    shutil.rmtree(status.socket_dir)  # as a cleaner of temporary files, or a reboot, would
    restarted = again.start(fsync=False)
    assert restarted.ready
    assert restarted.socket_dir is not None
    cluster.destroy()
    assert not restarted.socket_dir.exists()


def test_a_path_with_every_odd_character(nest: Nest) -> None:
    cluster = nest.cluster("a b,c'd\"e$f`g\\h%i&j")
    assert cluster.start(fsync=False).ready
    assert psql(cluster, "SELECT 1") == "1"
    cluster.destroy()


def test_a_machine_without_locales_gets_c(nest: Nest, wrapped: Wrap) -> None:
    refuse = """case " $* " in *C.UTF-8*) echo 'initdb: error: invalid locale name "C.UTF-8"' >&2; exit 1;; esac"""
    cluster = nest.new("bare", WNADMIN_PG_BINDIR=str(wrapped({"initdb": refuse})))
    assert cluster.start(fsync=False).ready
    rows = "SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'postgres'"
    assert psql(cluster, rows) == "C|UTF8"


def test_what_initdb_says_when_the_disk_is_full(nest: Nest, wrapped: Wrap) -> None:
    message = 'initdb: error: could not write to file "pg_wal/xlogtemp.1": No space left on device'
    bindir = wrapped({"initdb": f"echo '{message}' >&2\n[ \"$1\" = --show ] || exit 1"})
    cluster = nest.new("full", WNADMIN_PG_BINDIR=str(bindir))
    with pytest.raises(Failed) as caught:
        cluster.start()
    assert caught.value.what == "the data directory could not be made"
    assert "No space left on device" in caught.value.why
    assert caught.value.next.startswith("free some space")
    assert cluster.status().state == "absent"
    assert list(cluster.home.glob("data*")) == []
    cluster.destroy()


@needs_root
def test_a_machine_that_really_has_no_locales(nest: Nest) -> None:
    assert start_and_destroy(nest.path / "home", before=mounted(Path("/usr/lib/locale"), "mode=755"))


def start_and_destroy(home: Path, *, before: list[str]) -> bool:
    """A whole life inside one namespace: what is mounted there ends with it."""
    script = (
        "import sys; from pathlib import Path; from wnadmin.postgres.embedded import Cluster;"
        "c = Cluster(Path(sys.argv[1])); assert c.start(fsync=False).ready; c.destroy()"
    )
    argv = [*before, sys.executable, "-c", script, str(home)]
    done = subprocess.run(argv, capture_output=True, text=True, env=plain_environment(), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return True


def mounted(where: Path, options: str) -> list[str]:
    """Words that run a program in a mount namespace of its own, with a tmpfs at ``where``."""
    script = f'mount -t tmpfs -o {options} none "$1" && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(where)]


@needs_root
@pytest.mark.parametrize("size", ["1k", "64k", "8m", "30m"])
def test_a_disk_that_is_really_full(nest: Nest, size: str) -> None:
    """From a disk without room for the marker to one that fills up inside initdb."""
    disk = nest.path / "disk"
    disk.mkdir()
    answer = drive(disk / "home", "start", before=mounted(disk, f"size={size},mode=755"), fsync=False)
    assert answer["error"] == "Failed", answer
    assert "No space left on device" in answer["why"]
    assert "free some space" in answer["next"]


@needs_root
def test_a_read_only_disk(nest: Nest) -> None:
    disk = nest.path / "disk"
    disk.mkdir()
    answer = drive(disk / "home", "start", before=mounted(disk, "ro"))
    assert (answer["error"], answer["why"]) == ("Failed", "the file system is mounted read-only")


def test_a_home_that_may_not_be_written(nest: Nest, ordinary: Account) -> None:
    closed = nest.path / "closed"
    closed.mkdir(0o555)
    closed.chmod(0o555)
    answer = drive(closed / "home", "start", account=ordinary if IS_ROOT else None)
    assert answer["error"] == "Failed"
    assert "cannot be written" in answer["what"]
    assert "WNADMIN_HOME" in answer["next"]


@needs_root
def test_programs_that_the_servers_user_cannot_reach_are_copied(nest: Nest) -> None:
    """As a wheel under a 0700 /root is; the directories above keep their modes."""
    closed = nest.path / "root"
    real = relocatable()
    shutil.copytree(real.bindir.parent, closed / "venv" / "pg", symlinks=True)
    for path in (closed, closed / "venv", closed / "venv" / "pg", closed / "venv" / "pg" / "share"):
        path.chmod(0o700)
    env = plain_environment(WNADMIN_PG_BINDIR=str(closed / "venv" / "pg" / "bin"))
    cluster = Cluster(nest.path / "home", env)
    status = cluster.start(fsync=False)
    assert status.bindir is not None
    assert status.bindir.is_relative_to(cluster.home / "server")
    assert psql(cluster, "SELECT 1") == "1"
    assert cluster.tool("pg_dump").path.is_relative_to(cluster.home)
    cluster.stop()
    before = (status.bindir / "postgres").stat().st_ino
    cluster.start(fsync=False)
    assert (status.bindir / "postgres").stat().st_ino == before, "copied once"
    assert closed.stat().st_mode & 0o777 == 0o700
    cluster.destroy()
    assert not cluster.home.exists()
    assert (closed / "venv" / "pg" / "bin" / "postgres").exists()


@needs_root
def test_a_copy_on_a_disk_that_allows_no_programs(nest: Nest) -> None:
    closed = nest.path / "root"
    shutil.copytree(relocatable().bindir.parent, closed / "pg", symlinks=True)
    closed.chmod(0o700)
    disk = nest.path / "disk"
    disk.mkdir()
    env = plain_environment(WNADMIN_PG_BINDIR=str(closed / "pg" / "bin"))
    answer = drive(disk / "home", "start", before=mounted(disk, "noexec,mode=755"), env=env)
    assert (answer["error"], answer["why"]) == ("Failed", "that file system is mounted noexec")


@needs_root
def test_data_on_a_disk_that_allows_no_programs_is_no_obstacle(nest: Nest) -> None:
    disk = nest.path / "disk"
    disk.mkdir()
    assert start_and_destroy(disk / "home", before=mounted(disk, "noexec,mode=755"))


@needs_root
def test_a_home_that_the_servers_user_cannot_enter(nest: Nest) -> None:
    closed = nest.path / "root"
    closed.mkdir(0o700)
    with pytest.raises(Refused) as caught:
        Cluster(closed / "x" / "home", plain_environment()).start()
    assert str(closed) in caught.value.why
    assert closed.stat().st_mode & 0o777 == 0o700


@needs_root
def test_root_leaves_the_servers_of_others_alone(
    their_home: Path, their_env: dict[str, str], ordinary: Account
) -> None:
    assert drive(their_home, "start", account=ordinary, env=their_env, fsync=False).get("state") == "running"
    cluster = Cluster(their_home, plain_environment())
    assert cluster.status().state == "running"
    for call in (cluster.start, cluster.stop, cluster.destroy):
        with pytest.raises(Refused, match="not yours") as caught:
            call()
        assert ordinary.name in caught.value.why
    assert drive(their_home, "destroy", account=ordinary) == {"value": None}


@needs_root
def test_the_server_of_root_is_closed_to_others(running: Cluster) -> None:
    stranger = Account("stranger", 65533, 65533)
    answer = drive(running.home, "stop", account=stranger)
    assert answer["error"] in ("Refused", "Failed")
    assert running.status().state == "running"


@needs_root
def test_a_user_without_a_name(nest: Nest) -> None:
    home = nest.path / "home"
    home.mkdir()
    os.chown(home, 54321, 54321)
    answer = drive(home, "start", account=Account("", 54321, 54321))
    assert answer["error"] == "Failed"
    assert "/etc/passwd" in answer["why"]
    assert "useradd -u 54321" in answer["next"]


@needs_root
def test_root_runs_the_server_as_someone_else(running: Cluster) -> None:
    pid = running.status().pid
    assert Path(f"/proc/{pid}").stat().st_uid == server_account().uid != 0


@needs_root
def test_root_that_may_not_change_users(nest: Nest) -> None:
    words = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
    answer = drive(nest.path / "home", "start", before=words)
    assert answer["error"] == "Failed"
    assert "ordinary user" in answer["next"]
