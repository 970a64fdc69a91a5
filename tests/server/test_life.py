"""A server's life when all goes well, and what it refuses."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.server.support import Nest, drive, drive_argv, plain_environment, psql, psql_process
from wnadmin.errors import Failed, NoConnection, Refused, UsageError
from wnadmin.postgres.embedded import Account, Cluster


def test_from_nothing_to_nothing(nest: Nest) -> None:
    """The whole life, made from initdb and with fsync as an operator gets it."""
    cluster = nest.new()
    told: list[str] = []
    begun = time.time()
    status = cluster.start(progress=told.append)
    assert (status.state, status.ready, status.port) == ("running", True, 5432)
    assert any("data directory" in line for line in told)
    assert any("starting" in line for line in told)
    assert status.pid is not None
    assert status.size is not None
    assert status.size > 20_000_000
    assert status.started is not None
    assert begun - 2 <= status.started.timestamp() <= time.time() + 1
    assert status.uptime is not None
    assert status.uptime.total_seconds() < 60
    assert status.version is not None
    assert psql(cluster, "SHOW server_version").startswith(f"{status.version[0]}.{status.version[1]}")
    assert psql(cluster, "SHOW fsync; SHOW data_checksums; SHOW server_encoding") == "on\non\nUTF8"
    assert psql(cluster, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") in ("C.UTF-8", "C")
    again = cluster.start()
    assert again.pid == status.pid

    stopped = cluster.stop()
    assert (stopped.state, stopped.pid, stopped.uptime) == ("stopped", None, None)
    assert cluster.stop().state == "stopped"
    with pytest.raises(NoConnection) as caught:
        cluster.conninfo()
    assert caught.value.next == "wnadmin server start"

    cluster.start()
    cluster.destroy()
    assert not cluster.home.exists()
    assert cluster.status().state == "absent"
    assert cluster.stop().state == "absent"
    cluster.destroy()


def test_settings_of_a_start(running: Cluster) -> None:
    assert psql(
        running,
        "SHOW max_locks_per_transaction; SHOW timezone; SHOW listen_addresses; SHOW fsync;"
        "SHOW full_page_writes; SHOW max_connections; SHOW log_statement; SHOW log_parameter_max_length;"
        "SHOW unix_socket_permissions",
    ).splitlines() == ["512", "UTC", "", "off", "off", "200", "ddl", "0", "0700"]
    assert psql(running, "SHOW shared_preload_libraries") == "pg_stat_statements"
    assert psql(running, "CREATE EXTENSION pg_stat_statements; SELECT count(*) >= 0 FROM pg_stat_statements").endswith(
        "t"
    )


def test_options_override_and_do_not_outlive_their_start(nest: Nest) -> None:
    cluster = nest.cluster()
    cluster.start({"work_mem": "3MB", "logging_collector": "off", "cluster_name": "it's"}, fsync=False)
    assert psql(cluster, "SHOW work_mem; SHOW cluster_name") == "3MB\nit's"
    assert cluster.start({"WORK_MEM": "3MB", "logging_collector": "off", "cluster_name": "it's"}).ready
    assert cluster.start().ready
    with pytest.raises(Refused, match="other options"):
        cluster.start({"work_mem": "4MB"})
    cluster.stop()
    cluster.start()
    assert psql(cluster, "SHOW work_mem; SHOW fsync") == "8MB\non"
    with pytest.raises(Refused, match="other options"):
        cluster.start(fsync=False)


def test_alter_system_cannot_open_the_server_or_hide_it(running: Cluster) -> None:
    psql(running, "ALTER SYSTEM SET listen_addresses = '*'")
    psql(running, "ALTER SYSTEM SET port = 6000")
    psql(running, "ALTER SYSTEM SET work_mem = '5MB'")
    running.stop()
    assert running.start().port == 5432
    assert psql(running, "SELECT current_setting('listen_addresses') = ''; SHOW port; SHOW work_mem") == "t\n5432\n5MB"


def test_only_the_owner_reaches_socket_data_and_log(running: Cluster, ordinary: Account) -> None:
    status = running.status()
    assert status.socket_dir is not None
    for path in (status.data, status.log, status.socket_dir):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert path.stat().st_uid == ordinary.uid
    assert stat.S_IMODE((status.socket_dir / ".s.PGSQL.5432").stat().st_mode) == 0o700
    for path in status.log.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_role_can_log_in_over_the_socket(running: Cluster) -> None:
    psql(running, "CREATE ROLE wondernest_app LOGIN NOINHERIT")
    psql(running, 'CREATE ROLE "odd role" LOGIN')
    assert psql(running, "SELECT current_user", user="wondernest_app") == "wondernest_app"
    assert psql(running, "SELECT current_user", user="odd%20role") == "odd role"
    assert "does not exist" in psql_process(running, "SELECT 1", user="nobody_such").stderr


def test_a_caller_can_ask_for_passwords(nest: Nest) -> None:
    cluster = nest.cluster()
    cluster.start(hba=["local all wondernest_app scram-sha-256"], fsync=False)
    psql(cluster, "CREATE ROLE wondernest_app LOGIN PASSWORD 'Nest-4711'")
    assert psql_process(cluster, "SELECT 1", user="wondernest_app").returncode != 0
    assert (
        "password authentication failed"
        in psql_process(cluster, "SELECT 1", user="wondernest_app", password="wrong").stderr
    )
    assert psql(cluster, "SELECT current_user", user="wondernest_app", password="Nest-4711") == "wondernest_app"
    with pytest.raises(Refused):
        cluster.start(hba=["local all all reject"])


def test_the_url_reaches_a_database_with_an_odd_name(running: Cluster) -> None:
    psql(running, 'CREATE DATABASE "a b/c?d"')
    tool = running.tool("psql")
    done = subprocess.run(
        [str(tool.path), "-XAt", "-c", "SELECT current_database()", running.url("a b/c?d")],
        capture_output=True,
        text=True,
        env=plain_environment(**tool.env),
        check=False,
    )
    assert done.stdout.strip() == "a b/c?d"
    assert running.conninfo("x")["dbname"] == "x"


def test_tools_are_those_of_the_server(running: Cluster) -> None:
    version = running.status(size=False).version
    tool = running.tool("pg_dump")
    assert tool.version == version
    done = subprocess.run(
        [str(tool.path), "--schema-only", running.url()],
        capture_output=True,
        text=True,
        env=plain_environment(**tool.env),
        check=False,
    )
    assert "PostgreSQL database dump complete" in done.stdout
    for name in ("no_such_tool", "../bin/psql"):
        with pytest.raises(Failed):
            running.tool(name)


def test_four_starts_at_once_make_one_server(nest: Nest) -> None:
    home = nest.path / "home"
    begun = [
        subprocess.Popen(drive_argv(home, "start", fsync=False), stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0] for process in begun]
    assert len(set(said)) == 1
    assert '"running"' in said[0]
    data = str(home / "data")
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        count += data in words
    assert count == 1


def test_a_captured_start_does_not_wait_for_the_server(nest: Nest) -> None:
    """A server that inherited our pipe would keep communicate() waiting for as long as it runs."""
    cluster = nest.cluster()
    begun = time.monotonic()
    done = subprocess.run(
        drive_argv(cluster.home, "start", fsync=False), capture_output=True, text=True, timeout=30, check=True
    )
    assert '"running"' in done.stdout
    assert time.monotonic() - begun < 10
    assert cluster.status().state == "running"


def test_a_copied_cluster_starts_within_a_second(nest: Nest) -> None:
    begun = time.monotonic()
    cluster = nest.cluster("second")
    cluster.start(fsync=False)
    assert time.monotonic() - begun < 1.5
    first = nest.cluster("first")
    first.start(fsync=False)
    psql(cluster, "CREATE TABLE only_here (x int)")
    assert psql(first, "SELECT to_regclass('only_here') IS NULL") == "t"
    with pytest.raises(Refused, match="is running"):
        first.copy(nest.path / "third")
    first.stop()
    with pytest.raises(Refused, match="cluster in"):
        first.copy(cluster.home)
    with pytest.raises(Refused, match="no cluster"):
        nest.new("nothing").copy(nest.path / "fourth")


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_the_callers_umask_does_not_matter(nest: Nest, mask: int) -> None:
    before = os.umask(mask)
    try:
        cluster = nest.cluster()
        cluster.start(fsync=False)
    finally:
        os.umask(before)
    assert psql(cluster, "SELECT 1") == "1"
    assert stat.S_IMODE(cluster.home.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_stop_waits_for_clients_only_when_asked_to(running: Cluster) -> None:
    tool = running.tool("psql")
    client = subprocess.Popen(
        [str(tool.path), "-XAt", "-c", "SELECT 1", "-c", "SELECT pg_sleep(60)", running.url()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=plain_environment(**tool.env),
    )
    assert client.stdout is not None
    assert client.stdout.readline() == b"1\n"
    with pytest.raises(Failed) as caught:
        running.stop("smart", timeout=0.3)
    assert "--mode fast" in caught.value.next
    assert running.stop("fast").state == "stopped"
    client.communicate(timeout=10)
    with pytest.raises(UsageError):
        running.stop("gently")  # type: ignore[arg-type]  # a word that no type allows, as from a file


def test_an_immediate_stop_is_recovered_from(running: Cluster) -> None:
    psql(running, "CREATE TABLE kept AS SELECT 1 AS x")
    assert running.stop("immediate").state == "stopped"
    running.start(fsync=False)
    assert psql(running, "SELECT x FROM kept") == "1"


def test_destroy_takes_only_what_wnadmin_made(nest: Nest) -> None:
    home = nest.path / "home"
    home.mkdir(0o711)
    home.chmod(0o711)
    cluster = nest.cluster()
    (home / "notes.txt").write_text("mine")
    cluster.start(fsync=False)
    cluster.destroy()
    assert [path.name for path in home.iterdir()] == ["notes.txt"]

    (home / "notes.txt").unlink()
    nest.template.copy(home).destroy()
    assert home.is_dir(), "the directory was there before"


def test_destroy_and_start_refuse_another_data_directory_in_its_place(nest: Nest) -> None:
    cluster, other = nest.cluster(), nest.cluster("other")
    (cluster.home / "data").rename(nest.path / "kept")
    (other.home / "data").rename(cluster.home / "data")
    for call in (cluster.destroy, cluster.start):
        with pytest.raises(Refused, match="not the data directory"):
            call()
    assert (cluster.home / "data" / "PG_VERSION").exists()


def test_a_destroy_that_was_cut_short_is_finished(nest: Nest) -> None:
    cluster = nest.cluster()
    (cluster.home / "data").rename(cluster.home / "data.old")
    assert cluster.status().state == "absent"
    cluster.destroy()
    assert not cluster.home.exists()


def test_an_ordinary_user_needs_nothing_else(their_home: Path, their_env: dict[str, str], ordinary: Account) -> None:
    """Also when root runs the tests: then as the server's user."""
    env = their_env
    assert drive(their_home, "status", account=ordinary, env=env)["state"] == "absent"
    started = drive(their_home, "start", account=ordinary, env=env, fsync=False)
    assert started["state"] == "running", started
    assert drive(their_home, "url", account=ordinary, env=env)["value"].startswith(
        "postgresql://postgres@/postgres?host="
    )
    assert (their_home / "data").stat().st_uid == ordinary.uid
    assert drive(their_home, "stop", account=ordinary, env=env)["state"] == "stopped"
    assert drive(their_home, "destroy", account=ordinary, env=env) == {"value": None}
    assert list(their_home.iterdir()) == []
