"""Locks that are held, two migrations at once, standbys, and migrations that are killed."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.migrate.support import EXAMPLE, LOCK, Migrate, Progress, applied, carry_out, history, scalar, write
from tests.migrate.test_apply import ALONE, CONCURRENTLY, GONE, NOTES, valid
from tests.standby import catch_up, standby_of
from tests.support import Cli, Server
from wnadmin.domain.migrate import work
from wnadmin.errors import Failed, Refused


def hold(own: Migrate, statement: str) -> tuple[threading.Event, threading.Thread]:
    """Hold a lock in a session of its own until the event is set."""
    held, enough = threading.Event(), threading.Event()

    def run() -> None:
        with own.server.session(own.dbname) as session:
            session.run("BEGIN")
            session.run(statement)
            held.set()
            enough.wait(60)
            session.run("ROLLBACK")

    thread = threading.Thread(target=run)
    thread.start()
    assert held.wait(10)
    return enough, thread


def test_flyway_holds_its_lock(own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", NOTES)
    plan = own.plan(wait=0.6)
    enough, thread = hold(own, f"SELECT pg_advisory_xact_lock({LOCK})")
    with pytest.raises(Refused, match="another migration or Flyway is at work") as caught:
        carry_out(plan)
    assert "Held by postgres with wnadmin/tests (server process" in caught.value.why
    progress = Progress()
    timer = threading.Timer(0.7, enough.set)
    timer.start()
    (receipt,) = carry_out(own.plan(wait=30), progress)
    thread.join()
    assert receipt.rows == 1
    assert "waiting for another migration" in progress.said


def test_two_migrations_at_once(own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", f"{NOTES}\nSELECT pg_sleep(0.5);")
    write(folder, "V003__index.sql", CONCURRENTLY, rollback=GONE, head=ALONE)
    plans = [own.plan(wait=30), own.plan(wait=30)]
    found: list[object] = []
    gate = threading.Barrier(2)

    def run(number: int) -> None:
        gate.wait()
        try:
            found.append([one.rows for one in carry_out(plans[number])])
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(one, list) for one in found), found
    rows = history(own.server, own.dbname)
    assert applied(rows) == [("001", "initial schema", True), ("002", "notes", True), ("003", "index", True)]
    done = [row for one in found if isinstance(one, list) for row in one]
    assert done.count(1) == 2


def test_a_table_in_use_is_waited_for_briefly_and_again(
    own: Migrate, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, "V002__column.sql", "ALTER TABLE core.users ADD COLUMN nickname text;")
    path.write_text(path.read_text().replace("SET lock_timeout = '2s';\n", ""))
    progress = Progress()
    enough, thread = hold(own, "LOCK TABLE core.users IN ACCESS SHARE MODE")
    timer = threading.Timer(1.2, enough.set)
    timer.start()
    carry_out(own.plan(), progress)
    thread.join()
    assert "V002__column.sql: a lock was not free; once more" in progress.said
    # And given up with a way on when nobody lets go.
    monkeypatch.setattr(work, "LADDER", ("50ms", "50ms"))
    write(folder, "V003__column.sql", "ALTER TABLE core.users ADD COLUMN surname text;")
    path = folder / "V003__column.sql"
    path.write_text(path.read_text().replace("SET lock_timeout = '2s';\n", ""))
    enough, thread = hold(own, "LOCK TABLE core.users IN ACCESS SHARE MODE")
    with pytest.raises(Failed, match="lock timeout") as caught:
        carry_out(own.plan())
    enough.set()
    thread.join()
    assert "wnadmin locks tree" in caught.value.next
    assert len(history(own.server, own.dbname)) == 2


def test_a_standby_is_refused(server: Server, wn: Cli, fresh_db: str) -> None:
    with standby_of(server) as standby:
        catch_up(server, standby)
        there = ("--location", str(EXAMPLE), "--dsn", standby.dsn(fresh_db))
        for words in (("apply",), ("repair",)):
            refused = wn.run("migrate", *words, *there, "--yes")
            assert refused.code == 4
            assert "this server is a standby" in refused.err
        # Looking is fine.
        assert wn.run("migrate", "status", *there).code == 0
        assert wn.run("migrate", "validate", *there).code == 3


def test_who_migrates_now(own: Migrate, folder: Path, wn: Cli) -> None:
    enough, thread = hold(own, f"SELECT pg_advisory_xact_lock({LOCK})")
    told = wn.run("migrate", "status", "--format", "json")
    enough.set()
    thread.join()
    assert told.code == 0
    assert any(one.startswith("migrating now: postgres with wnadmin/tests") for one in told.json()["notes"])


# --- kill -9 ----------------------------------------------------------------------------------------------------


def gone(own: Migrate) -> None:
    """Wait until no server process works for a migration any more."""
    deadline = time.monotonic() + 30
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'wnadmin/migrate%'"
    )
    while scalar(own.server, own.dbname, query):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until(own: Migrate, query: str) -> None:
    """Wait until ``query`` says so."""
    deadline = time.monotonic() + 30
    while not scalar(own.server, own.dbname, query):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def unfinished(wn: Cli) -> str:
    found = wn.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    assert len(found) == 1, found
    return str(found[0]["operation"])


WAITS = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"


def test_killed_between_files_and_in_the_middle_of_one(wn: Cli, own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", NOTES)
    slow = "ALTER TABLE core.notes ADD COLUMN a text;\nSELECT pg_advisory_xact_lock(42);"
    path = write(folder, "V003__slow.sql", slow)
    write(folder, "V004__more.sql", "ALTER TABLE core.notes ADD COLUMN b text;")
    enough, thread = hold(own, "SELECT pg_advisory_xact_lock(42)")
    process = wn.start(["migrate", "apply", "--location", str(folder), "--yes"])
    until(own, WAITS)
    process.kill()
    process.communicate()
    enough.set()
    thread.join()
    gone(own)
    assert applied(history(own.server, own.dbname)) == [("001", "initial schema", True), ("002", "notes", True)]
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'core.notes'::regclass AND attname IN ('a', 'b')"
    assert scalar(own.server, own.dbname, columns) == 0
    operation = unfinished(wn)
    text = path.read_text()
    path.write_text(f"{text}-- later\n")
    refused = wn.run("audit", "resume", operation, "--yes")
    assert refused.code == 4
    assert "V003__slow.sql was changed since the operation began" in refused.err
    path.write_text(text)
    resumed = wn.run("audit", "resume", operation, "--yes", "--format", "json")
    assert resumed.code == 0, resumed.err
    assert [step["status"] for step in resumed.json()["steps"]] == ["skipped", "done", "done"]
    assert scalar(own.server, own.dbname, columns) == 2
    assert [row.version for row in history(own.server, own.dbname)] == ["001", "002", "003", "004"]


def test_killed_without_a_transaction(wn: Cli, own: Migrate, folder: Path) -> None:
    path = write(folder, "V002__index.sql", CONCURRENTLY, rollback=GONE, head=ALONE)
    path.write_text(path.read_text().replace("'2s'", "'60s'"))
    write(folder, "V003__notes.sql", NOTES)
    words = ["migrate", "apply", "--location", str(folder), "--yes"]
    # An old transaction that has seen the table keeps CREATE INDEX CONCURRENTLY waiting.
    enough, thread = hold(own, "LOCK TABLE core.users IN ROW EXCLUSIVE MODE")
    invalid = "SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid"
    process = wn.start(words)
    until(own, invalid)
    busy = wn.run("migrate", "apply", "--location", str(folder), "--yes")
    assert busy.code == 4
    assert "002 index is being applied" in busy.err
    assert wn.run("migrate", "repair", "--location", str(folder), "--yes").code == 4
    process.kill()
    process.communicate()
    with own.server.session() as session:
        session.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND query LIKE 'CREATE INDEX%%'",
            [own.dbname],
        )
    enough.set()
    thread.join()
    gone(own)
    operation = unfinished(wn)
    refused = wn.run("audit", "resume", operation, "--yes")
    assert refused.code == 4
    assert "002 index was begun and did not succeed" in refused.err
    assert GONE in refused.err
    assert valid(own.server, own.dbname) is False
    with own.connect() as session:
        session.run(GONE)
    assert wn.run("migrate", "repair", "--location", str(folder), "--yes").code == 0
    resumed = wn.run("audit", "resume", operation, "--yes")
    assert resumed.code == 0, resumed.err
    assert valid(own.server, own.dbname) is True
    assert [row.version for row in history(own.server, own.dbname)] == ["001", "002", "003"]
    assert wn.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"] == []


@pytest.mark.more
@pytest.mark.parametrize("seed", range(12))
def test_killed_at_many_moments(server: Server, wn: Cli, own: Migrate, folder: Path, seed: int) -> None:
    for number in range(2, 8):
        write(folder, f"V{number:03d}__t{number}.sql", f"CREATE TABLE core.t{number} (id bigint PRIMARY KEY);")
    process = wn.start(["migrate", "apply", "--location", str(folder), "--yes"])
    try:
        process.wait(timeout=0.3 + seed * 0.08)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    gone(own)
    rows = history(server, own.dbname)
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'core'::regnamespace AND relname ~ '^t[0-9]$'"
    assert scalar(server, own.dbname, tables) == len(rows) - 1
    found = wn.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    if found:
        assert wn.run("audit", "resume", str(found[0]["operation"]), "--yes").code == 0
    else:
        assert wn.run("migrate", "apply", "--location", str(folder), "--yes").code == 0
    assert scalar(server, own.dbname, tables) == 6
    assert wn.run("migrate", "validate", "--location", str(folder)).code == 0
