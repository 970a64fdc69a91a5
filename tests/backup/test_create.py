"""`backup create`: what is in a backup is what was in the snapshot, or there is none."""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.backup.support import create, limited, payloads, severities, sidecar, tools, visible
from tests.standby import catch_up, standby_of
from tests.support import Cli, Server
from wnadmin.domain.backup import files

BACKUP = ("backup", "create", "--yes")


def test_a_dump_a_sidecar_and_nothing_else(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    dump = create(here, folder)
    assert visible(folder) == ["one.dump", "one.dump.json"] == sorted(os.listdir(folder))
    assert [stat.S_IMODE((folder / each).stat().st_mode) for each in visible(folder)] == [0o600, 0o600]
    side = sidecar(dump)
    assert side.sha256 == hashlib.sha256(dump.read_bytes()).hexdigest()
    assert (side.database.name, side.server_major) == (fresh_db, 17)
    with server.session(fresh_db) as session:
        leaves = session.run(
            "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)'"
        ).rows
        assert {(one.schema, one.name) for one in side.tables} == set(leaves)
        users = next(one for one in side.tables if one.path == "core.users")
        assert users.rows == session.scalar("SELECT count(*) FROM core.users") > 0
        total = session.scalar("SELECT sum(hashtextextended(u::text, 0))::text FROM core.users AS u")
        assert users.hash == total
    assert "CREATE ROLE wondernest_app" in side.globals
    assert "PASSWORD" not in side.globals.upper()


def test_the_ledger_remembers_the_sidecar_and_its_expiry(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    create(here, folder, "--days", "30")
    done = next(one for one in payloads(here, server, fresh_db) if one["phase"] == "done")
    values = done["receipt"]["values"]
    assert values["sidecar_sha256"] == hashlib.sha256((folder / "one.dump.json").read_bytes()).hexdigest()
    side = sidecar(folder / "one.dump")
    assert (side.expires_at - side.created_at).days == 30
    assert values["expires_at"] == side.expires_at.isoformat()


def test_only_pg_dump_logs_in_as_wondernest_backup(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    with server.session() as session:
        session.run("ALTER SYSTEM SET log_connections = on")
        session.run("SELECT pg_reload_conf()")
        try:
            log_before = _log(server)
            create(here, folder)
            log = _log(server)[len(log_before) :]
        finally:
            session.run("ALTER SYSTEM RESET log_connections")
            session.run("SELECT pg_reload_conf()")
    as_backup = [line for line in log.splitlines() if "authorized: user=wondernest_backup" in line]
    assert len(as_backup) == 1
    assert f"database={fresh_db}" in as_backup[0]


def _log(server: Server) -> str:
    return "".join(path.read_text(errors="replace") for path in sorted((server.home / "pg" / "log").glob("*.log")))


def test_in_parallel_from_one_snapshot(here: Cli, server: Server, folder: Path) -> None:
    dump = create(here, folder, "--jobs", "2")
    assert dump.name == "one.dumpdir"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in dump.iterdir()} == {0o600}
    side = sidecar(dump)
    assert {one.path for one in side.parts} == {each.name for each in dump.iterdir()}
    assert side.jobs == 2
    assert severities(here.run("backup", "verify", str(dump), "--level", "content", "--format", "json")) == {
        "backup.file": "ok",
        "backup.sidecar": "ok",
        "backup.archive": "ok",
        "backup.restore": "ok",
        "backup.content": "ok",
        "after-restore.history": "ok",
        "after-restore.partitions": "ok",
        "after-restore.read-only": "ok",
    }


def test_more_jobs_than_the_login_has_connections(here: Cli, folder: Path) -> None:
    ran = here.run(*BACKUP, "--to", str(folder), "--jobs", "3")
    assert ran.code == 4
    assert "wondernest_backup has 3 connections left, and 3 jobs need 4" in ran.err
    assert "--jobs 2" in ran.err
    assert os.listdir(folder) == []


def test_check_and_dry_run_write_nothing(here: Cli, folder: Path) -> None:
    assert here.run("backup", "create", "--to", str(folder), "--check").code == 3
    shown = here.run("backup", "create", "--to", str(folder), "--dry-run")
    assert shown.code == 0
    assert "pg_dump" in shown.out
    assert "pg_export_snapshot" in shown.out
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--to", "/nowhere/at/all"], 4, "there is no folder"),
        (["--to", "/proc"], 1, "could not be written"),
        (["--name", "a/b"], 2, "cannot be the name"),
        (["--name", "-x"], 2, "cannot be the name"),
        (["--jobs", "2", "--dump-format", "custom"], 2, "not written by several jobs"),
        (["--dump-format", "tar"], 2, "unknown format"),
        (["--days", "366"], 2, "out of range"),
        (["--login", "nobody_here"], 4, "there is no role"),
        (["--login", "wondernest_app"], 4, "would not see every row"),
        (["--login", "wondernest_owner"], 4, "may not log in"),
        (["--compress", "nonsense"], 1, "pg_dump failed"),
        (["--encrypt-to", "AGE-SECRET-KEY-1X"], 2, "secret key"),
        (["--encrypt-to", "me"], 2, "no public key"),
    ],
)
def test_refused(here: Cli, folder: Path, words: list[str], code: int, said: str) -> None:
    ran = here.run(*BACKUP, *(["--to", str(folder)] if "--to" not in words else []), *words)
    assert (ran.code, said in ran.err + ran.out) == (code, True), ran.err + ran.out
    assert visible(folder) == []
    assert files.leftovers(folder) == []


def test_an_existing_name_is_not_overwritten(here: Cli, folder: Path) -> None:
    dump = create(here, folder)
    before = dump.read_bytes()
    ran = here.run(*BACKUP, "--to", str(folder), "--name", "one")
    assert ran.code == 4
    assert "exists already" in ran.err
    assert dump.read_bytes() == before


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    from wnadmin.errors import Refused

    taken = tmp_path / "x.dump"
    taken.write_text("somebody else's")
    partial = tmp_path / ".x.dump.partial"
    partial.write_text("mine")
    with pytest.raises(Refused):
        files.publish(partial, taken)
    assert taken.read_text() == "somebody else's"


def test_an_operator_who_would_not_see_all_rows(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    ran = here.run(*BACKUP, "--to", str(folder), "--dsn", server.dsn(fresh_db, "wondernest_migration"))
    assert ran.code == 4
    assert "would not see every row" in ran.err


def test_a_table_that_may_not_be_read_is_an_error_and_no_backup(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    """BYPASSRLS lets see rows, not read tables: the hashes fail, and so does the whole."""
    with server.session(fresh_db) as session:
        session.run("DROP ROLE IF EXISTS sees_rows_only")
        session.run("CREATE ROLE sees_rows_only LOGIN BYPASSRLS")
        session.run(f'GRANT CONNECT ON DATABASE "{fresh_db}" TO sees_rows_only')
    try:
        ran = here.run(*BACKUP, "--to", str(folder), "--dsn", server.dsn(fresh_db, "sees_rows_only"))
        assert ran.code == 1
        assert "permission denied" in ran.out + ran.err
        assert os.listdir(folder) == []
    finally:
        with server.session(fresh_db) as session:
            session.run("DROP OWNED BY sees_rows_only")
            session.run("DROP ROLE sees_rows_only")


def test_a_full_disk_leaves_nothing(here: Cli, folder: Path) -> None:
    ran = limited(here, 60_000, *BACKUP, "--to", str(folder), "--name", "big")
    assert ran.code == 1
    assert "pg_dump failed" in ran.out
    assert os.listdir(folder) == []


def programs(server: Server, folder: Path, **instead: str) -> dict[str, str]:
    """A folder of client programs some of which are scripts; gives the environment that leads to it."""
    bindir = folder / "programs"
    bindir.mkdir()
    real = server.cluster.tool("pg_dump").path.parent
    for each in real.iterdir():
        if each.name not in instead:
            (bindir / each.name).symlink_to(each)
    for name, text in instead.items():
        if text:
            (bindir / name).write_text(f"#!/bin/sh\n{text}\n")
            (bindir / name).chmod(0o755)
    return {"WNADMIN_PG_BINDIR": str(bindir), "WNADMIN_PG_PROVIDER": ""}


def test_roles_that_cannot_be_dumped_make_no_backup(here: Cli, server: Server, folder: Path) -> None:
    """pg_dumpall works beside pg_dump, and its failure is the failure of both."""
    env = programs(server, here.folder, pg_dumpall="echo 'pg_dumpall: error: no roles today' >&2; exit 1")
    ran = here.run(*BACKUP, "--to", str(folder), env=env)
    assert ran.code == 1
    assert "pg_dumpall failed: no roles today" in ran.out
    assert os.listdir(folder) == []


def test_half_an_installation_is_refused(here: Cli, server: Server, folder: Path) -> None:
    ran = here.run(*BACKUP, "--to", str(folder), env=programs(server, here.folder, pg_dumpall=""))
    assert ran.code == 4
    assert "there is no " in ran.err
    assert "pg_dumpall" in ran.err
    assert os.listdir(folder) == []


def test_in_read_only_mode(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    with server.session() as session:
        session.run(f'ALTER DATABASE "{fresh_db}" SET default_transaction_read_only = on')
    dump = create(here, folder)
    assert sidecar(dump).read_only
    found = severities(here.run("backup", "verify", str(dump), "--level", "content", "--format", "json"))
    assert found["backup.content"] == "ok"
    assert found["after-restore.read-only"] == "ok"


def test_on_a_standby(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    with standby_of(server) as standby:
        catch_up(server, standby)
        ran = here.run(
            *BACKUP, "--to", str(folder), "--name", "one", "--dsn", standby.dsn(fresh_db), "--format", "json"
        )
        assert ran.code == 0, ran.out + ran.err
        assert any("standby" in one for one in ran.json()["effects"])
    side = sidecar(folder / "one.dump")
    assert side.standby
    found = severities(here.run("backup", "verify", str(folder / "one.dump"), "--level", "content", "--format", "json"))
    assert found["backup.content"] == "ok"


def test_kept_apart_from_changes_of_tables(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    from wnadmin.ledger.locks import TABLES, try_lock

    with server.session(fresh_db) as other:
        assert try_lock(other, TABLES) is None
        ran = here.run(*BACKUP, "--to", str(folder))
        assert ran.code == 4
        assert "another operator is changing the tables of this database" in ran.err
    create(here, folder)


@contextmanager
def writing(server: Server, dbname: str) -> Iterator[list[int]]:
    """Change rows of several tables all the time; gives the count of committed transactions."""
    over, count = threading.Event(), [0]

    def work() -> None:
        with server.session(dbname) as session:
            while not over.is_set():
                session.run("BEGIN")
                session.run(
                    "INSERT INTO core.users (email, first_name, last_name) VALUES (%s, 'W', 'W')",
                    [f"w{count[0]}@example.com"],
                )
                session.run("UPDATE core.users SET last_name = %s WHERE is_sample", [f"L{count[0]}"])
                session.run("DELETE FROM core.users WHERE email = %s", [f"w{count[0] - 7}@example.com"])
                session.run("COMMIT")
                count[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while not count[0]:
            time.sleep(0.01)
        yield count
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("words", [[], ["--jobs", "2"]], ids=["custom", "directory"])
def test_equal_under_live_writes(here: Cli, server: Server, fresh_db: str, folder: Path, words: list[str]) -> None:
    """The proof of the whole thing: what a drill restores is exactly the snapshot, while others write on."""
    with writing(server, fresh_db) as count:
        before = count[0]
        dump = create(here, folder, *words)
        assert count[0] > before + 5, "nobody wrote meanwhile"
        drilled = here.run("backup", "drill", str(dump), "--yes", "--format", "json")
    assert drilled.code == 0, drilled.out + drilled.err
    proof = {one["check"]: one["severity"] for one in drilled.json()["proof"]}
    assert proof["backup.content"] == "ok"


def _killed(here: Cli, folder: Path, after: float) -> None:
    process = here.start([*BACKUP, "--to", str(folder), "--name", "one"])
    try:
        process.wait(timeout=after)
    except Exception:
        process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while [one for one in folder.glob(".*.partial") if one not in files.leftovers(folder)]:
        assert time.monotonic() < deadline, "pg_dump outlives its wnadmin"
        time.sleep(0.05)
    kept = files.kept(folder)
    whole = [one for one in kept if not one.trouble]
    for one in kept:
        # Between its name and its sidecar a dump is no backup, and is not listed as one.
        assert one.trouble in ("", "it has no sidecar")
    unfinished = here.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    if unfinished:
        resumed = here.run("audit", "resume", unfinished[0]["operation"], "--yes")
        assert resumed.code == 0, resumed.out + resumed.err
    elif not whole:
        create(here, folder)
    assert visible(folder) == ["one.dump", "one.dump.json"]
    assert here.run("backup", "verify", str(folder / "one.dump")).code == 0
    assert Cli(here.folder).run("backup", "prune", str(folder), "--yes").code == 0
    assert sorted(os.listdir(folder)) == ["one.dump", "one.dump.json", "one.dump.verified.json"]


@pytest.mark.parametrize("after", [0.7, 0.9, 1.1])
def test_killed(here: Cli, folder: Path, after: float) -> None:
    _killed(here, folder, after)


@pytest.mark.more
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random_moments(here: Cli, folder: Path, seed: int) -> None:
    _killed(here, folder, random.Random(seed).uniform(0.3, 1.8))


def test_killed_between_name_and_sidecar(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    dump = create(here, folder)
    files.at(dump).sidecar.unlink()
    listed = Cli(here.folder).run("backup", "list", str(folder), "--format", "json").json()["tables"]["backups"]
    assert [one["trouble"] for one in listed] == ["it has no sidecar"]
    assert here.run("backup", "drill", str(dump), "--yes").code == 4
    assert here.run(*BACKUP, "--to", str(folder), "--name", "one").code == 4


def test_interrupted_by_the_operator(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    """A lock that pg_dump waits for gives time; the first Ctrl-C ends pg_dump and leaves nothing."""
    import signal

    with server.session(fresh_db) as session:
        session.run("BEGIN")
        session.run("LOCK TABLE core.users IN ACCESS EXCLUSIVE MODE")
        process = here.start([*BACKUP, "--to", str(folder), "--name", "one", "--format", "json"])
        _until_waits(server, "wondernest_backup")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["status"] == "interrupted"
    assert os.listdir(folder) == []


def _until_waits(server: Server, login: str) -> None:
    deadline = time.monotonic() + 30
    with server.session() as eye:
        while not eye.scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'", [login]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_dump_is_an_ordinary_one(here: Cli, server: Server, folder: Path) -> None:
    """Whoever has no wnadmin restores it with pg_restore alone."""
    dump = create(here, folder)
    listed = tools(server, "pg_restore", "-l", str(dump))
    assert listed.returncode == 0
    assert "TABLE DATA core users" in listed.stdout
