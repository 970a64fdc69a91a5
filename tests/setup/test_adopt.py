"""`setup adopt`: only a database that is proven equal gets a history, and Flyway's rules accept it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.support import LOCK, Migrate, carry_out, record_v001
from tests.setup.support import psql
from tests.setup.test_drift import databases, run, ways
from tests.standby import catch_up, standby_of
from tests.support import Cli, Server
from wnadmin import assets
from wnadmin.domain.migrate.judge import judge
from wnadmin.domain.migrate.places import bundled
from wnadmin.domain.setup import adopt, flyway
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.migrations import find
from wnadmin.errors import Refused
from wnadmin.results import Plan


def plan(server: Server, dbname: str, bundle: Bundle, user: str = "postgres", **more: Any) -> Plan:
    return adopt.plan_adopt(
        adopt.Wanted(**more), lambda name: server.session(name or dbname, user), ways(server, user), bundle
    )


def rows(server: Server, dbname: str) -> tuple[flyway.HistoryRow, ...]:
    with server.session(dbname) as session:
        return flyway.read_history(session) or ()


def test_a_database_that_psql_made(server: Server, empty_db: str, bundle: Bundle, tmp_path: Path) -> None:
    files = [word for one in assets.database_files() for word in ("-f", str(one.path))]
    made = psql(server, empty_db, "-1", *files)
    assert made.returncode == 0, made.stderr
    before = databases(server)
    (receipt,) = carry_out(plan(server, empty_db, bundle))
    assert receipt.rows == 1
    assert databases(server) == before
    (row,) = rows(server, empty_db)
    assert (row.version, row.description, row.type, row.script) == (
        "001",
        "initial schema",
        "SQL",
        "V001__initial_schema.sql",
    )
    assert row.checksum == bundle.v001_checksum
    again = plan(server, empty_db, bundle)
    assert (again.steps, "holds version 001 already" in again.nothing) == ((), True)
    # What 07 gives the history where it finds one, it has.
    with server.session(empty_db) as session:
        owner, acl = session.run(
            "SELECT relowner::regrole::text, array_to_string(relacl, ' ') FROM pg_class"
            " WHERE oid = 'public.flyway_schema_history'::regclass"
        ).rows[0]
    assert owner == "wondernest_owner"
    assert "wondernest_operator=r/" in acl
    assert "wondernest_monitor=r/" in acl
    # And either tool can go on.
    assert judge(rows(server, empty_db), find((bundled(),))).pending == ()
    Migrate(server, empty_db, (Path(__file__).parents[1] / "migrate" / "migration",), "wondernest_migration").apply()


def test_as_a_baseline(server: Server, fresh_db: str, bundle: Bundle) -> None:
    carry_out(plan(server, fresh_db, bundle, as_baseline=True))
    (row,) = rows(server, fresh_db)
    assert (row.version, row.description, row.type, row.script, row.checksum) == (
        "001",
        "<< Flyway Baseline >>",
        "BASELINE",
        "<< Flyway Baseline >>",
        None,
    )
    seen = judge(rows(server, fresh_db), find((bundled(),)))
    assert (seen.faults, seen.pending) == ((), ())
    assert plan(server, fresh_db, bundle).steps == ()


def test_an_empty_history_is_filled(server: Server, fresh_db: str, bundle: Bundle) -> None:
    run(server, fresh_db, *flyway.DDL)
    carry_out(plan(server, fresh_db, bundle))
    assert len(rows(server, fresh_db)) == 1


def test_a_difference_is_listed_and_nothing_written(server: Server, fresh_db: str, bundle: Bundle) -> None:
    run(
        server,
        fresh_db,
        "CREATE INDEX idx_surplus ON core.users (created_at)",
        "ALTER TABLE core.user_devices NO FORCE ROW LEVEL SECURITY",
    )
    with pytest.raises(Refused, match="2 differences") as caught:
        plan(server, fresh_db, bundle)
    assert "- index core.idx_surplus: unexpected" in caught.value.why
    assert "- table core.user_devices: rls is enabled, expected forced" in caught.value.why
    assert "wnadmin setup drift" in caught.value.next
    assert rows(server, fresh_db) == ()


def test_what_is_no_wondernest_database(server: Server, empty_db: str, fresh_db: str, bundle: Bundle) -> None:
    with pytest.raises(Refused, match="is empty") as caught:
        plan(server, empty_db, bundle)
    assert caught.value.next == "wnadmin setup apply"
    run(server, empty_db, "CREATE SCHEMA core", "CREATE TABLE core.other (id bigint)")
    with pytest.raises(Refused, match="belongs to something else"):
        plan(server, empty_db, bundle)
    run(server, fresh_db, *flyway.DDL)
    with server.session(fresh_db) as session:
        session.run(flyway.insert_row(flyway.parse_name("V7__other.sql"), rank=1, sum_=1, milliseconds=1))
    with pytest.raises(Refused, match="a migration history of its own"):
        plan(server, fresh_db, bundle)


def test_where_nothing_can_be_compared(
    server: Server, fresh_db: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WNADMIN_PG_BINDIR", "/nowhere")
    with pytest.raises(Refused, match="cannot be compared") as caught:
        plan(server, fresh_db, bundle, user="wondernest_migration")
    assert "may not create databases" in caught.value.why


def test_read_only_and_standby(server: Server, fresh_db: str, bundle: Bundle, cli: Cli) -> None:
    run(server, "postgres", f'ALTER DATABASE "{fresh_db}" SET default_transaction_read_only = on')
    with pytest.raises(Refused, match="is read-only"):
        plan(server, fresh_db, bundle)
    with standby_of(server) as standby:
        catch_up(server, standby)
        refused = cli.run("setup", "adopt", "--dsn", standby.dsn(fresh_db), "--yes")
        assert refused.code == 4
        assert "this server is a standby" in refused.err


def test_flyway_is_at_work(server: Server, fresh_db: str, bundle: Bundle) -> None:
    wanted = plan(server, fresh_db, bundle, wait=0.5)
    with server.session(fresh_db) as other:
        other.run("BEGIN")
        other.run(f"SELECT pg_advisory_xact_lock({LOCK})")
        with pytest.raises(Refused, match="Flyway is at work"):
            carry_out(wanted)
        timer = threading.Timer(0.4, lambda: other.run("ROLLBACK"))
        timer.start()
        carry_out(plan(server, fresh_db, bundle, wait=20))
        timer.join()
    record = wanted.steps[0]
    assert record.done is not None
    assert record.done()


def test_the_command(server: Server, fresh_db: str, cli: Cli) -> None:
    dsn = ("--dsn", server.dsn(fresh_db))
    assert cli.run("setup", "adopt", *dsn, "--check").code == 3
    dry = cli.run("setup", "adopt", *dsn, "--dry-run")
    assert dry.code == 0
    assert 'CREATE TABLE "public"."flyway_schema_history"' in dry.out
    assert rows(server, fresh_db) == ()
    done = cli.run("setup", "adopt", *dsn, "--yes")
    assert done.code == 0, done.out + done.err
    assert cli.run("setup", "adopt", *dsn, "--check").code == 0
    assert cli.run("migrate", "validate", *dsn).code == 0


def test_it_was_recorded_already(server: Server, fresh_db: str, bundle: Bundle) -> None:
    record_v001(server, fresh_db)
    assert plan(server, fresh_db, bundle).steps == ()
