"""The register of copies: every dump is in it with its expiry, sooner or later, and what is removed is noted."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.backup.support import create, reseal, sidecar
from tests.standby import catch_up, standby_of
from tests.support import Cli, Server
from wnadmin.domain.backup import files
from wnadmin.ledger.locks import TABLES, try_lock
from wnadmin.postgres.database import Database
from wnadmin.postgres.variables import render

KEEP_ONE = ("--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0")


def rows(server: Server, dbname: str, *, removed: bool = False) -> dict[str, dict[str, Any]]:
    """The register, by the last part of each place."""
    with server.session(dbname) as session:
        answer = session.run("SELECT * FROM audit.backups WHERE (removed_at IS NOT NULL) = %s", [removed])
    found = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return {one["place"].rpartition("/")[2]: one for one in found}


def holders(server: Server, dbname: str, erased: datetime) -> list[tuple[str, datetime, bool]]:
    """What the bundled query says of somebody who was erased then."""
    with server.session(dbname) as session:
        text = Database(session).file("queries/backup/holders").text
        answer = session.run(render(text, {"erased_at": erased}, "holders").query)
    found = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return [(one["place"], one["expires_at"], one["is_overdue"]) for one in found]


def proof(ran: Any) -> dict[str, tuple[str, str]]:
    return {one["check"]: (one["severity"], one["detail"]) for one in ran.json()["proof"]}


def test_a_backup_is_registered_with_its_expiry(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    words = ("backup", "create", "--to", str(folder), "--name", "one", "--days", "30")
    assert "is registered in audit.backups" in here.run(*words, "--dry-run").out
    assert rows(server, fresh_db) == {}
    ran = here.run(*words, "--yes", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    side = sidecar(folder / "one.dump")
    assert proof(ran)["backup.register"] == ("ok", f"registered until {side.expires_at:%Y-%m-%d}")
    one = rows(server, fresh_db)["one.dump"]
    assert one["place"] == f"{socket.gethostname()}:{folder / 'one.dump'}"
    assert one["digest"] == hashlib.sha256((folder / "one.dump.json").read_bytes()).hexdigest()
    assert (one["kind"], one["name"], one["covers"], one["is_encrypted"]) == ("dump", "one", None, False)
    assert (one["snapshot_at"], one["expires_at"]) == (side.snapshot_at, side.expires_at)
    assert (one["system_identifier"], one["bytes"]) == (side.system_identifier, side.bytes)
    with server.session(fresh_db) as session:
        assert session.scalar("SELECT %s::pg_lsn = snapshot_lsn FROM audit.backups", [side.lsn]) is True
    listed = here.run("backup", "list", str(folder), "--format", "json").json()
    assert [one["registered"] for one in listed["tables"]["backups"]] == [True]
    shown = here.run("backup", "list", str(folder), "--format", "table", env={"COLUMNS": "80"}).out.splitlines()
    assert shown[1].split() == ["name", "age", "size", "proven", "expires", "remark"]
    assert max(len(line) for line in shown[1:4]) <= 80
    alone = Cli(here.folder).run("backup", "list", str(folder), "--format", "json").json()
    assert [one["registered"] for one in alone["tables"]["backups"]] == [None]


def test_who_still_holds_the_erased(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    create(here, folder, "--days", "30")
    side = sidecar(folder / "one.dump")
    before, after = side.snapshot_at - timedelta(seconds=1), datetime.now(UTC) + timedelta(days=1)
    assert holders(server, fresh_db, before) == [], "whoever was erased before is not in it"
    place = f"{socket.gethostname()}:{folder / 'one.dump'}"
    assert holders(server, fresh_db, after) == [(place, side.expires_at, False)]
    with server.session(fresh_db) as session:
        session.run(
            "UPDATE audit.backups SET snapshot_at = now() - '99 days'::interval, expires_at = now() - '1 s'::interval"
        )
    assert [one[2] for one in holders(server, fresh_db, after)] == [True], "overdue, and still there"
    create(here, folder, name="two")
    assert here.run("backup", "prune", str(folder), *KEEP_ONE, "--yes").code == 0
    assert [one[0] for one in holders(server, fresh_db, after)] == [place.replace("one.dump", "two.dump")]


def test_neither_moment_nor_place_in_the_log_is_after_the_snapshot(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    """Whoever is erased while it is made is in the dump, and must not seem to be older than it."""
    from wnadmin.domain.backup import gather
    from wnadmin.domain.backup import proof as proofs

    with server.session(fresh_db) as session, server.session(fresh_db) as other:
        seen = gather.node(Database(session))
        other.run("CREATE TABLE public.erasure AS SELECT 1 AS x")
        commit = other.scalar("SELECT pg_current_wal_insert_lsn()::text")
        proofs.begin(session)
        session.scalar("SELECT pg_export_snapshot()")
        assert session.scalar("SELECT %s::pg_lsn <= %s::pg_lsn", [seen.lsn, commit]) is True
        assert seen.moment <= session.scalar("SELECT now()")
        assert session.scalar("SELECT count(*) FROM public.erasure") == 1


def test_in_read_only_mode_it_is_made_up_for(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    with server.session() as session:
        session.run(f'ALTER DATABASE "{fresh_db}" SET default_transaction_read_only = on')
    ran = here.run("backup", "create", "--to", str(folder), "--name", "one", "--yes", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    said = f"{fresh_db} is in read-only mode; `wnadmin backup prune {folder}` on the primary makes up for it"
    assert proof(ran)["backup.register"] == ("skipped", f"not registered: {said}")
    assert any("It is not registered now" in one for one in ran.json()["effects"])
    assert rows(server, fresh_db) == {}
    notes = here.run("backup", "list", str(folder), "--format", "json").json()["notes"]
    assert any("1 not noted in the register yet" in one and "in read-only mode" in one for one in notes)
    assert here.run("backup", "prune", str(folder), "--check").code == 0, "there is nothing it could do now"
    with server.session() as session:
        session.run(f'ALTER DATABASE "{fresh_db}" RESET default_transaction_read_only')
    assert here.run("backup", "prune", str(folder), "--check").code == 3
    pruned = here.run("backup", "prune", str(folder), "--yes")
    assert pruned.code == 0, pruned.out + pruned.err
    assert rows(server, fresh_db)["one.dump"]["expires_at"] == sidecar(folder / "one.dump").expires_at
    assert here.run("backup", "prune", str(folder), "--check").code == 0


def test_from_a_standby_it_is_made_up_for(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    with standby_of(server) as standby:
        with server.session(fresh_db) as session:
            session.run("CREATE TABLE public.last_change ()")
        catch_up(server, standby)
        words = ("--name", "one", "--yes", "--dsn", standby.dsn(fresh_db), "--format", "json")
        ran = here.run("backup", "create", "--to", str(folder), *words)
        assert ran.code == 0, ran.out + ran.err
        severity, detail = proof(ran)["backup.register"]
        assert (severity, "this server is a standby" in detail) == ("skipped", True)
        with standby.session(fresh_db) as session:
            replayed = session.scalar("SELECT pg_last_xact_replay_timestamp()")
    assert sidecar(folder / "one.dump").snapshot_at <= replayed, "its rows are as old as what it had replayed"
    assert here.run("backup", "prune", str(folder), "--yes").code == 0
    assert set(rows(server, fresh_db)) == {"one.dump"}


def test_a_removal_without_a_server_is_made_up_for(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    create(here, folder, name="first")
    create(here, folder, name="second")
    ran = Cli(here.folder).run("backup", "prune", str(folder), *KEEP_ONE, "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert "The register of backups is not told, as no server is connected" in ran.out + ran.err
    assert set(rows(server, fresh_db)) == {"first.dump", "second.dump"}
    assert here.run("backup", "prune", str(folder), *KEEP_ONE, "--yes").code == 0
    assert set(rows(server, fresh_db)) == {"second.dump"}
    assert set(rows(server, fresh_db, removed=True)) == {"first.dump"}


def test_a_removal_that_was_killed_before_it_was_recorded_is_noted(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    """The intent says what was to go; that it is gone says the rest."""
    create(here, folder, name="first")
    create(here, folder, name="second")
    words = ("backup", "prune", str(folder), *KEEP_ONE, "--yes")
    with server.session(fresh_db) as session:
        session.run(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'gone' USING ERRCODE = '57P01'; END $$"
        )
        session.run("CREATE TRIGGER refuse BEFORE UPDATE ON audit.backups EXECUTE FUNCTION public.refuse()")
        assert here.run(*words).code == 1
        # As if it had died between the file and the row that tells of it.
        for table in ("ledger_checkpoints", "operator_ledger"):
            session.run(f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL")
        session.run("DELETE FROM audit.ledger_checkpoints")
        session.run("DELETE FROM audit.operator_ledger WHERE payload LIKE '%backup prune%' AND phase <> 'intent'")
        session.run("DROP TRIGGER refuse ON audit.backups")
    assert not (folder / "first.dump").exists()
    assert set(rows(server, fresh_db)) == {"first.dump", "second.dump"}
    assert here.run(*words).code == 0
    assert set(rows(server, fresh_db)) == {"second.dump"}


def test_another_backup_of_the_same_name_is_another(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    create(here, folder)
    first = rows(server, fresh_db)["one.dump"]["digest"]
    create(here, folder, name="two")
    assert Cli(here.folder).run("backup", "prune", str(folder), *KEEP_ONE, "--yes").code == 0
    create(here, folder)
    assert here.run("backup", "prune", str(folder), "--yes").code == 0
    found, gone = rows(server, fresh_db), rows(server, fresh_db, removed=True)
    assert (set(found), set(gone)) == ({"one.dump"}, {"one.dump", "two.dump"})
    assert found["one.dump"]["digest"] != first == gone["one.dump"]["digest"]


def test_what_somebody_else_removed_counts_until_it_expires(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    """An empty mount point is no proof that the disk behind it is empty."""
    dump = create(here, folder)
    for path in (dump, files.at(dump).sidecar):
        path.unlink()
    ran = here.run("backup", "list", str(folder), "--format", "json").json()
    assert any("Registered here, and not there: one." in one for one in ran["notes"])
    assert here.run("backup", "prune", str(folder), "--yes").code == 0
    assert set(rows(server, fresh_db)) == {"one.dump"}


def test_a_copy_of_a_copy_is_another_copy(
    here: Cli, server: Server, fresh_db: str, folder: Path, tmp_path: Path
) -> None:
    dump = create(here, folder)
    away = tmp_path / "away"
    away.mkdir()
    for path in (dump, files.at(dump).sidecar):
        shutil.copy2(path, away)
    assert here.run("backup", "prune", str(away), "--yes").code == 0
    with server.session(fresh_db) as session:
        found = session.run("SELECT place, digest FROM audit.backups ORDER BY place").rows
    assert [one[0].rpartition(":")[2] for one in found] == [str(away / "one.dump"), str(folder / "one.dump")]
    assert len({one[1] for one in found}) == 1


def test_somebody_elses_backups_are_not_registered_here(
    here: Cli, server: Server, fresh_db: str, folder: Path, shelf: tuple[Cli, Path]
) -> None:
    for name in ("z5.dump", "z5.dump.json"):
        shutil.copy2(shelf[1] / name, folder)
    assert here.run("backup", "prune", str(folder), "--check").code == 0
    assert rows(server, fresh_db) == {}


def test_a_database_without_the_register_is_backed_up_and_says_so(
    cli: Cli, server: Server, empty_db: str, folder: Path
) -> None:
    wn = Cli(cli.folder, server.dsn(empty_db))
    words = ("backup", "create", "--to", str(folder), "--name", "one", "--login", "postgres", "--yes")
    ran = wn.run(*words, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    said = f"{empty_db} has no register of backups"
    assert proof(ran)["backup.register"] == ("skipped", f"not registered: {said}")
    assert any(f"It is registered nowhere, as {said}" in one for one in ran.json()["effects"])
    pruned = wn.run("backup", "prune", str(folder), "--yes", "--format", "json")
    assert (pruned.code, pruned.json()["status"]) == (0, "nothing")


@pytest.fixture
def reader(server: Server, fresh_db: str) -> Iterator[str]:
    """A login that reads everything, and writes nothing."""
    name = "register_reader"
    with server.session(fresh_db) as session:
        session.run(f"CREATE ROLE {name} LOGIN BYPASSRLS IN ROLE pg_read_all_data")
        session.run(f'GRANT CONNECT ON DATABASE "{fresh_db}" TO {name}')
        yield name
        session.run(f"DROP OWNED BY {name}")
        session.run(f"DROP ROLE {name}")


def test_a_login_that_may_not_register_says_so(
    here: Cli, server: Server, fresh_db: str, folder: Path, reader: str
) -> None:
    words = ("--name", "one", "--yes", "--dsn", server.dsn(fresh_db, reader), "--format", "json")
    ran = here.run("backup", "create", "--to", str(folder), *words)
    assert ran.code == 0, ran.out + ran.err
    assert f"{reader} may not execute audit.register_backup" in proof(ran)["backup.register"][1]
    assert rows(server, fresh_db) == {}


def test_pg_dumps_own_login_has_too_few_connections_for_the_rest(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    words = ("--yes", "--dsn", server.dsn(fresh_db, "wondernest_backup"))
    ran = here.run("backup", "create", "--to", str(folder), *words)
    assert ran.code == 4
    assert re.search(r"wondernest_backup has [0-2] connections left, and 1 jobs need 4", ran.err), ran.err
    assert "Connect as another login" in ran.err


def test_a_registration_that_fails_is_resumed_without_another_dump(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    with server.session(fresh_db) as session:
        session.run(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$"
        )
        session.run("CREATE TRIGGER refuse BEFORE INSERT ON audit.backups EXECUTE FUNCTION public.refuse()")
        ran = here.run("backup", "create", "--to", str(folder), "--name", "one", "--yes")
        assert ran.code == 1
        assert "no room" in ran.out
        made = (folder / "one.dump").stat()
        session.run("DROP TRIGGER refuse ON audit.backups")
    unfinished = here.run("audit", "log", "--format", "json").json()["tables"]["operations"][0]["operation"]
    resumed = here.run("audit", "resume", unfinished, "--yes")
    assert resumed.code == 0, resumed.out + resumed.err
    assert set(rows(server, fresh_db)) == {"one.dump"}
    assert (folder / "one.dump").stat().st_mtime_ns == made.st_mtime_ns


@pytest.fixture
def made(cli: Cli, server: Server) -> Iterator[Cli]:
    """wnadmin pointed at a database that it made."""
    name = server.create()
    wn = Cli(cli.folder, server.dsn(name))
    assert wn.run("setup", "apply", "--yes", "--months", "3").code == 0
    yield wn
    server.drop(name)


@pytest.fixture
def again(server: Server) -> Iterator[str]:
    """A name for a restored database."""
    name = "register_again"
    yield name
    server.drop(name)


def test_an_older_dump_brings_an_older_register_which_is_completed(
    made: Cli, server: Server, folder: Path, tmp_path: Path, again: str
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    create(made, folder, name="first")
    create(made, folder, name="second")
    create(made, away, name="third")
    words = ["backup", "restore", str(folder / "first.dump"), "--create", "--yes", "--dsn", server.dsn("postgres")]
    ran = made.run(*words, "--into", again, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert any("Its register of copies ends with the dump" in one for one in ran.json()["effects"])
    assert proof(ran)["backup.register"] == ("ok", "3 copies are registered")
    # first and second lie in its folder; of third only the database knows that was dumped.
    assert set(rows(server, again)) == {"first.dump", "second.dump", "third.dump"}
    assert rows(server, again)["third.dump"]["expires_at"] == sidecar(away / "third.dump").expires_at
    server.drop(again)
    # Without that database its folder is what there is.
    for name in ("first", "second"):
        side = sidecar(folder / f"{name}.dump")
        reseal(folder / f"{name}.dump", replace(side, database=replace(side.database, name="no_longer_there")))
    ran = made.run(*words, "--into", again, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert proof(ran)["backup.register"] == ("ok", "2 copies are registered")
    assert set(rows(server, again)) == {"first.dump", "second.dump"}


def test_a_former_database_that_lets_nobody_in_is_no_obstacle(
    made: Cli, server: Server, folder: Path, again: str
) -> None:
    create(made, folder, name="first")
    former = sidecar(folder / "first.dump").database.name
    with server.session() as session:
        session.run(f'ALTER DATABASE "{former}" ALLOW_CONNECTIONS false')
    words = ["backup", "restore", str(folder / "first.dump"), "--create", "--yes", "--dsn", server.dsn("postgres")]
    ran = made.run(*words, "--into", again, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    severity, detail = proof(ran)["backup.register"]
    assert severity == "ok"
    assert f"{former} could not be asked" in detail


def test_the_lock_of_every_change_of_tables_is_the_backups(
    here: Cli, server: Server, fresh_db: str, folder: Path
) -> None:
    """Both ways: a change of tables finds the backup at work, by wnadmin and by hand."""
    import time

    by_hand = "SELECT pg_try_advisory_lock(hashtextextended('wnadmin:the tables of this database', 0))"
    with server.session(fresh_db) as blocker, server.session(fresh_db) as other:
        blocker.run("BEGIN")
        blocker.run("LOCK TABLE core.users IN ACCESS EXCLUSIVE MODE")
        process = here.start(["backup", "create", "--to", str(folder), "--name", "one", "--yes"])
        deadline = time.monotonic() + 30
        waits = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'wondernest_backup' AND wait_event_type = 'Lock'"
        with server.session() as eye:
            while not eye.scalar(waits):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        holder = try_lock(other, TABLES)
        assert holder is not None
        assert holder.application_name == "wnadmin/backup create"
        assert other.scalar(by_hand) is False
        blocker.run("ROLLBACK")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert try_lock(other, TABLES) is None
        assert here.run("backup", "create", "--to", str(folder), "--name", "two", "--yes").code == 4
