"""`setup apply` from an empty database to a complete one, and back to an empty one when it fails on the way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.setup.support import Progress, Setup, edited, run_steps, scalar
from tests.support import Server
from wnadmin.domain.setup import flyway, work
from wnadmin.errors import Failed, NoConnection, UsageError


def test_an_empty_database_is_set_up_once(setup: Setup, server: Server, empty_db: str) -> None:
    plan = setup.plan(empty_db)
    assert [step.key for step in plan.steps] == ["apply"]
    assert setup.classify(empty_db).kind == "empty", "planning changes nothing"
    progress = Progress()
    (receipt,) = run_steps(plan, progress)
    assert receipt.rows == 1
    assert progress.said == [*(one.name for one in setup.bundle.files), "commit"]
    assert plan.verify is not None
    assert {one.severity for one in plan.verify()} == {"ok"}
    assert setup.differences(empty_db) == []
    done = plan.steps[0].done
    assert done is not None
    assert done()
    with server.session(empty_db) as session:
        rows = flyway.read_history(session)
    assert rows is not None
    (row,) = rows
    assert (row.installed_rank, row.version, row.description, row.type) == (1, "001", "initial schema", "SQL")
    assert (row.script, row.checksum, row.installed_by) == (
        "V001__initial_schema.sql", setup.bundle.v001_checksum, "postgres",
    )  # fmt: skip
    assert row.success
    assert row.execution_time > 0
    owner = scalar(server, empty_db, "SELECT tableowner FROM pg_tables WHERE tablename = 'flyway_schema_history'")
    assert owner == "wondernest_owner"
    again = setup.plan(empty_db)
    assert (again.steps, again.nothing) == ((), f"{empty_db} is complete. Nothing to do.")


def test_the_history_table_is_exactly_flyways(setup: Setup, server: Server, empty_db: str) -> None:
    setup.apply(empty_db)
    with server.session(empty_db) as session:
        columns = session.run(
            "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull,"
            " pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid"
            " AND adnum = attnum WHERE attrelid = 'public.flyway_schema_history'::regclass AND attnum > 0"
            " ORDER BY attnum"
        ).rows
    assert columns == (
        ("installed_rank", "integer", True, None),
        ("version", "character varying(50)", False, None),
        ("description", "character varying(200)", True, None),
        ("type", "character varying(20)", True, None),
        ("script", "character varying(1000)", True, None),
        ("checksum", "integer", False, None),
        ("installed_by", "character varying(100)", True, None),
        ("installed_on", "timestamp without time zone", True, "now()"),
        ("execution_time", "integer", True, None),
        ("success", "boolean", True, None),
    )


def test_the_plan_shows_what_runs(setup: Setup, empty_db: str) -> None:
    shows = setup.plan(empty_db).steps[0].shows
    assert shows[0].startswith("BEGIN")
    assert shows[-1] == "COMMIT;"
    assert "SELECT pg_catalog.pg_try_advisory_xact_lock(77433833903597);" in shows
    for one in setup.bundle.files:
        assert f"-- sql/{one.name} (sha256 {one.sha256[:16]}…, {one.lines} lines)" in shows
    assert "SET LOCAL wondernest.months_ahead = '3';" in shows


@pytest.mark.parametrize("samples", [True, False])
def test_samples_are_as_wished(setup: Setup, server: Server, empty_db: str, samples: bool) -> None:
    setup.apply(empty_db, seed_samples=samples)
    users = scalar(server, empty_db, "SELECT count(*) FROM core.users")
    assert isinstance(users, int)
    assert (users > 0) is samples
    assert scalar(server, empty_db, "SELECT count(*) FROM core.users WHERE NOT is_sample") == 0
    assert scalar(server, empty_db, "SELECT count(*) > 0 FROM content.categories")


@pytest.mark.parametrize(("months", "partitions"), [(0, 2), (5, 7), (None, 14)])
def test_months_ahead_are_as_wished(
    setup: Setup, server: Server, empty_db: str, months: int | None, partitions: int
) -> None:
    plan = setup.plan(empty_db, months_ahead=months)
    run_steps(plan)
    assert plan.verify is not None
    assert {one.severity for one in plan.verify()} == {"ok"}
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audio.sessions'::regclass"
    assert scalar(server, empty_db, count) == partitions


def test_the_database_is_created_when_wished(setup: Setup, server: Server) -> None:
    name = f"made_{server.home.name}".replace("-", "_") + ' "quoted"'
    with pytest.raises(NoConnection):
        setup.plan(name)
    plan = setup.plan(name, create=True)
    assert [step.key for step in plan.steps] == ["create-database", "apply"]
    try:
        assert plan.steps[0].done is not None
        assert not plan.steps[0].done()
        run_steps(plan)
        assert plan.steps[0].done()
        encoding = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
        assert scalar(server, name, encoding) == "UTF8"
        assert setup.differences(name) == []
        assert setup.plan(name, create=True).steps == ()
        # A second setup that was planned before finds the database, and the work done.
        assert [receipt.values for receipt in run_steps(plan)] == [{}, {"already": True, "why": work.MEANWHILE}]
    finally:
        with server.session() as session:
            session.run('DROP DATABASE IF EXISTS "' + name.replace('"', '""') + '" WITH (FORCE)')


def test_create_without_a_name_asks_for_one(setup: Setup) -> None:
    with pytest.raises(UsageError):
        setup.plan("", create=True)


# --- a failure in the middle ------------------------------------------------------------------------------------


def failure(setup: Setup, database: str, name: str, text: str) -> Failed:
    """Run with ``text`` put behind the first statement of the file that follows its guard."""
    wrong = edited(setup.bundle, name, lambda old: f"{old}\n{text}", known=True)
    plan = replace(setup, bundle=wrong).plan(database)
    with pytest.raises(Failed) as caught:
        run_steps(plan)
    assert setup.classify(database).kind == "empty"
    assert scalar(setup.server, database, "SELECT to_regclass('public.flyway_schema_history') IS NULL")
    return caught.value


def test_a_failing_statement_is_named(setup: Setup, empty_db: str) -> None:
    last = setup.bundle.files[1].lines
    caught = failure(setup, empty_db, "02", "SELECT 1;\n\n-- why\nSELECT a\nFROM core.no_such_table;\n")
    assert caught.what == f'02_create_tables.sql:{last + 6}: relation "core.no_such_table" does not exist'
    assert caught.sqlstate == "42P01"
    assert f"begins on line {last + 5}:\nSELECT a\nFROM core.no_such_table" in caught.why
    assert "42P01" in caught.why
    assert caught.next


@pytest.mark.parametrize("text", ["SELECT 1/0;\n", "DO $$ BEGIN RAISE WARNING 'left out'; END $$;\n"])
def test_a_database_that_was_created_and_stays_empty_is_told(setup: Setup, server: Server, text: str) -> None:
    name = f"left_{server.home.name}".replace("-", "_")
    wrong = edited(setup.bundle, "02", lambda old: f"{old}\n{text}", known=True)
    plan = replace(setup, bundle=wrong).plan(name, create=True)
    assert any("stays, empty" in effect and "drop it" in effect for effect in plan.effects)
    told = f"{name} was created and is empty; run `wnadmin setup apply` again or drop it."
    try:
        with pytest.raises(Failed) as caught:
            run_steps(plan)
        assert caught.value.why.endswith(told)
        # Run again, the database is there already, and nothing is said of it.
        again = replace(setup, bundle=wrong).plan(name, create=True)
        assert [step.key for step in again.steps] == ["apply"]
        with pytest.raises(Failed) as caught:
            run_steps(again)
        assert told not in caught.value.why
        assert setup.classify(name).kind == "empty"
        # Nor by whoever planned to create it and found it made by somebody else.
        with pytest.raises(Failed) as caught:
            run_steps(plan)
        assert told not in caught.value.why
    finally:
        server.drop(name)


def test_a_statement_without_a_position_is_found_by_counting(setup: Setup, empty_db: str) -> None:
    last = setup.bundle.files[2].lines
    caught = failure(setup, empty_db, "03", "SELECT 1;\nCREATE SCHEMA core;\nSELECT 2;\n")
    assert caught.what == f'03_create_indexes.sql:{last + 3}: schema "core" already exists'


def test_a_syntax_error_is_found_by_its_position(setup: Setup, empty_db: str) -> None:
    last = setup.bundle.files[5].lines
    caught = failure(setup, empty_db, "06", "SELECT 1;\nCREATE TABEL core.x (a int);\n")
    assert caught.what == f'06_seed_data.sql:{last + 3}: syntax error at or near "TABEL"'


def test_an_error_in_a_block_is_found_by_its_line(setup: Setup, empty_db: str) -> None:
    last = setup.bundle.files[0].lines
    text = "DO\n$x$\nBEGIN\n    PERFORM 1;\n    RAISE EXCEPTION 'no' USING ERRCODE = 'WN999';\nEND\n$x$;\n"
    caught = failure(setup, empty_db, "01", text)
    assert (caught.what, caught.sqlstate) == (f"01_create_database.sql:{last + 6}: no", "WN999")


def test_a_warning_is_a_failure(setup: Setup, empty_db: str) -> None:
    caught = failure(setup, empty_db, "07", "DO $$ BEGIN RAISE WARNING 'left out'; END $$;\n")
    assert caught.what == "07_security_setup.sql: left out"


def test_stopping_takes_everything_back(setup: Setup, empty_db: str) -> None:
    with pytest.raises(Failed, match="stopped"):
        setup.apply(empty_db, Progress(stop_at="04_create_functions.sql"))
    assert setup.classify(empty_db).kind == "empty"
    setup.apply(empty_db)
    assert setup.classify(empty_db).kind == "complete"


def test_repeated_collisions_are_given_up(setup: Setup, empty_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    text = (
        "DO $$ BEGIN RAISE unique_violation USING MESSAGE = 'duplicate key value violates unique constraint "
        '"pg_authid_rolname_index"\'; END $$;\n'
    )
    caught = failure(setup, empty_db, "07", text)
    assert "gave up after 5 attempts" in caught.what
    assert len(waits) == 4
    assert all(0 < wait <= 2 for wait in waits)
