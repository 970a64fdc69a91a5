"""What a crash, a stranger or a kill leaves behind, and how a start gets over it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.server.support import Nest, drive, drive_argv, needs_root, plain_environment, psql
from wnadmin.errors import Failed, WnError
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.embedded.procs import is_alive, server_account, servers_in, wait_until


def kill_postmaster(cluster: Cluster) -> int:
    pid = cluster.status(size=False).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(pid), 10)
    return pid


@pytest.mark.parametrize("fsync", [True, False])
def test_a_killed_server_starts_again_with_all_that_was_committed(nest: Nest, fsync: bool) -> None:
    cluster = nest.cluster()
    cluster.start(fsync=fsync)
    psql(cluster, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS x")
    kill_postmaster(cluster)
    assert cluster.status().state == "crashed"
    assert (cluster.home / "data" / "postmaster.pid").exists()
    told: list[str] = []
    begun = time.monotonic()
    assert cluster.start(fsync=fsync, progress=told.append).ready
    assert time.monotonic() - begun < 8
    assert any("crash" in line for line in told)
    assert psql(cluster, "SELECT count(*) FROM kept") == "1000"


def test_stop_after_a_crash_clears_its_traces(running: Cluster) -> None:
    kill_postmaster(running)
    assert running.stop().state == "stopped"
    assert not (running.home / "data" / "postmaster.pid").exists()
    assert list((running.home / "socket").iterdir()) == []


def test_destroy_after_a_crash(running: Cluster) -> None:
    mapped = Path(f"/proc/{running.status().pid}/maps").read_text()
    segments = {Path(name) for name in re.findall(r"/dev/shm/PostgreSQL\.\d+", mapped)}
    kill_postmaster(running)
    running.destroy()
    assert not running.home.exists()
    assert not [path for path in segments if path.exists()], "its shared memory is freed, too"


def test_a_pid_that_now_belongs_to_a_stranger(running: Cluster) -> None:
    """The server itself would not start: it only asks whether a process of that number exists."""
    kill_postmaster(running)
    assert wait_until(lambda: not servers_in(running.home / "data", server_account()), 10)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        files = [running.home / "data" / "postmaster.pid", running.home / "socket" / ".s.PGSQL.5432.lock"]
        for path in files:
            lines = path.read_text().splitlines()
            path.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert running.status().state == "crashed"
        assert running.start(fsync=False).ready
        assert psql(running, "SELECT 1") == "1"
        running.stop()
        assert stranger.poll() is None, "the stranger was left in peace"
    finally:
        stranger.kill()
        stranger.wait()


def test_another_postgres_with_the_recorded_pid_is_not_ours(nest: Nest) -> None:
    ours, other = nest.cluster("ours"), nest.cluster("other")
    ours.start(fsync=False)
    other_pid = other.start(fsync=False).pid
    kill_postmaster(ours)
    path = ours.home / "data" / "postmaster.pid"
    path.write_text("\n".join([str(other_pid), *path.read_text().splitlines()[1:]]) + "\n")
    assert ours.status().state == "crashed"
    ours.stop()
    assert other.status().pid == other_pid
    assert psql(other, "SELECT 1") == "1"


def test_a_pid_file_that_was_cut_short(nest: Nest) -> None:
    cluster = nest.cluster()
    (cluster.home / "data" / "postmaster.pid").write_text("")
    assert cluster.status().state == "crashed"
    assert cluster.start(fsync=False).ready


def test_a_busy_child_that_outlives_its_postmaster_is_ended(running: Cluster) -> None:
    """A backend in a loop does not notice; as long as it lives, its shared memory bars the way."""
    tool = running.tool("psql")
    endless = "DO 'BEGIN LOOP END LOOP; END'"
    client = subprocess.Popen(
        [str(tool.path), "-XAt", "-c", "SELECT pg_backend_pid()", "-c", endless, running.url()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=plain_environment(**tool.env),
    )
    assert client.stdout is not None
    backend = int(client.stdout.readline())
    time.sleep(0.2)
    kill_postmaster(running)
    assert is_alive(backend)
    assert running.start(fsync=False).ready
    assert not is_alive(backend)
    client.communicate(timeout=10)


def test_a_wnadmin_killed_while_it_starts_leaves_nothing_in_the_way(nest: Nest) -> None:
    """Also in the middle of initdb, which goes on by itself; the next start makes a whole server."""
    for number, delay in enumerate((0.15, 0.25, 0.35, 0.5, 0.7)):
        home = nest.path / f"home{number}"
        first = subprocess.Popen(
            drive_argv(home, "start", fsync=False), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        first.kill()
        first.wait()
        cluster = Cluster(home, plain_environment())
        assert cluster.start(fsync=False).ready
        assert psql(cluster, "SELECT 1") == "1"
        cluster.destroy()
        # Killed between making the folder and saying so in the marker: then the folder counts as its user's own.
        assert not home.exists() or list(home.iterdir()) == []


def test_a_killed_first_start_can_also_be_destroyed(nest: Nest) -> None:
    home = nest.path / "home"
    first = subprocess.Popen(drive_argv(home, "start"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_until(lambda: any(home.glob("data.new.*/global")), 10)
    first.kill()
    first.wait()
    Cluster(home, plain_environment()).destroy()
    assert not home.exists()


def test_half_a_data_directory_is_made_anew(nest: Nest) -> None:
    cluster = nest.cluster()
    data = cluster.home / "data"
    data.rename(cluster.home / "data.new.1")
    (cluster.home / "data.new.1" / "global" / "pg_control").unlink()
    assert cluster.status().state == "absent"
    assert cluster.start(fsync=False).ready
    assert not (cluster.home / "data.new.1").exists()


def test_a_start_that_takes_too_long_goes_on(nest: Nest) -> None:
    cluster = nest.cluster()
    with pytest.raises(Failed) as caught:
        cluster.start(fsync=False, timeout=0.0)
    assert "server status" in caught.value.next
    assert cluster.start(fsync=False).ready


def test_a_setting_that_stops_the_server_is_named_and_can_be_taken_back(nest: Nest) -> None:
    cluster = nest.cluster()
    for options, reason in (
        ({"shared_preload_libraries": "no_such_library"}, "no_such_library"),
        ({"work_mem": "a lot"}, 'invalid value for parameter "work_mem"'),
        ({"no_such_setting": "1"}, 'unrecognized configuration parameter "no_such_setting"'),
    ):
        with pytest.raises(Failed) as caught:
            cluster.start(options, fsync=False)
        assert reason in caught.value.why
        assert caught.value.next
        assert cluster.status().state == "stopped"
    assert cluster.start(fsync=False).ready


def test_data_of_a_major_that_is_not_here(nest: Nest) -> None:
    cluster = nest.cluster()
    path = cluster.home / "data" / "PG_VERSION"
    real = path.read_text()
    path.write_text("9\n")
    with pytest.raises(Failed) as caught:
        cluster.start()
    assert caught.value.what == "PostgreSQL 9 is not on this machine"
    assert "server destroy" in caught.value.next
    path.write_text("?")
    with pytest.raises(Failed, match="damaged"):
        cluster.start()
    path.write_text(real)
    assert cluster.start(fsync=False).ready


@needs_root
def test_a_server_in_another_namespace_is_not_run_over(running: Cluster) -> None:
    """Its processes are not in our /proc there, so to us it looks as if it had crashed."""
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    for call in ("start", "stop", "destroy"):
        answer = drive(running.home, call, before=inside)
        assert answer["error"] == "Refused", answer
        assert "not visible" in answer["what"]
    assert running.status().state == "running"
    assert psql(running, "SELECT 1") == "1"


@needs_root
def test_root_that_may_not_look_into_other_processes(running: Cluster) -> None:
    """Containers usually take CAP_SYS_PTRACE away, and with it the working directory of the server."""
    blind = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    look = f"import os; os.stat('/proc/{running.status().pid}/cwd')"
    peek = subprocess.run([*blind, sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert "PermissionError" in peek.stderr
    assert drive(running.home, "status", before=blind)["state"] == "running"
    assert drive(running.home, "stop", before=blind)["state"] == "stopped"
    assert drive(running.home, "start", before=blind, fsync=False)["state"] == "running"


def test_zombies_do_not_count_as_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    stat = Path(f"/proc/{child.pid}/stat")
    assert wait_until(lambda: ") Z " in stat.read_text() if stat.exists() else True, 10)
    assert not is_alive(child.pid)
    child.wait()


def test_errors_are_answers(nest: Nest) -> None:
    with pytest.raises(WnError) as caught:
        nest.new("x", WNADMIN_PG_BINDIR="/nowhere").start()
    assert caught.value.why == "has no postgres"
    assert caught.value.next
