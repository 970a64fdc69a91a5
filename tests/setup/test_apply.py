"""`setup apply` where nothing stands in its way, and everything that may."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.setup.support import Progress, Setup, edited, run_steps
from tests.support import SETTINGS, Server, end_server, scratch, start_server
from wnadmin.domain.setup import flyway, work
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.names import BUILTIN_ROLES, OWNER_ROLES, ROLES
from wnadmin.errors import Failed, NoConnection, Refused, UsageError
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.embedded.discovery import choose


def scalar(server: Server, database: str, query: str) -> object:
    with server.session(database) as session:
        return session.scalar(query)


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


# --- refused before anything is changed -------------------------------------------------------------------------


def refusal(setup: Setup, database: str, **more: object) -> Refused:
    with pytest.raises(Refused) as caught:
        setup.plan(database, **more)
    assert caught.value.next
    return caught.value


def test_an_edited_file_is_refused_by_name(setup: Setup, empty_db: str) -> None:
    wrong = replace(setup, bundle=edited(setup.bundle, "04", lambda text: text + "-- edited\n"))
    caught = refusal(wrong, empty_db)
    assert "04_create_functions.sql was edited" in caught.why
    assert "make v001 expected" in caught.next
    assert "02_create_tables.sql" not in caught.why


def test_a_v001_of_other_files_is_refused(setup: Setup, bundle: Bundle, empty_db: str) -> None:
    wrong = replace(bundle, v001=replace(bundle.v001, text=bundle.v001.text + "\n"))
    assert "is not made of files 01 to 07" in refusal(replace(setup, bundle=wrong), empty_db).why


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("COMMIT;", "COMMIT ends or begins a transaction"),
        ("\\c other", "psql meta-command \\c"),
        ("SELECT '${name}';", "is a placeholder to Flyway"),
        ("VACUUM core.users;", "VACUUM cannot run inside a transaction"),
    ],
)
def test_traps_are_refused_with_file_and_line(setup: Setup, empty_db: str, line: str, said: str) -> None:
    number = setup.bundle.files[4].lines + 2
    wrong = edited(setup.bundle, "05", lambda text: f"{text}\n{line}\n", known=True)
    caught = refusal(replace(setup, bundle=wrong), empty_db)
    assert f"05_create_triggers.sql:{number}: " in caught.why
    assert said in caught.why
    assert setup.classify(empty_db).kind == "empty"


def test_everything_that_is_missing_is_told_at_once(setup: Setup, server: Server, empty_db: str) -> None:
    with server.session() as session:
        session.run("CREATE ROLE newcomer LOGIN")
    try:
        wrong = replace(
            setup, user="newcomer", bundle=edited(setup.bundle, "01", lambda text: text + "COMMIT;\n", known=False)
        )
        caught = refusal(wrong, empty_db)
    finally:
        with server.session() as session:
            session.run("DROP ROLE newcomer")
    rights = "is not a superuser" if major(server) < 16 else "CREATEROLE, REPLICATION, BYPASSRLS"
    for said in ("may not create schemas", rights, "was edited", "COMMIT"):
        assert said in caught.why
    assert caught.what.split()[0].isdigit()


def major(server: Server) -> int:
    with server.session() as session:
        return session.version // 10000


def test_no_create_privilege(setup: Setup, server: Server, empty_db: str) -> None:
    if major(server) < 16:
        # Only a superuser will do there, and a superuser lacks no privilege.
        with server.session() as session:
            session.run("CREATE ROLE almost LOGIN")
    else:
        nearly_enough(server, "almost")
    try:
        caught = refusal(replace(setup, user="almost"), empty_db)
        creating = refusal(replace(setup, user="almost"), "not_there", create=True)
    finally:
        forget(server, "almost")
    assert f'GRANT CREATE ON DATABASE "{empty_db}" TO "almost"' in caught.why
    assert 'ALTER ROLE "almost" CREATEDB' in creating.why
    if major(server) >= 16:
        assert len(caught.why.splitlines()) == len(creating.why.splitlines()) == 1


def nearly_enough(server: Server, role: str) -> None:
    """Make a login that is no superuser and may do all that setup needs, but for the database itself."""
    with server.session() as session:
        session.run(f"CREATE ROLE {role} LOGIN CREATEROLE REPLICATION BYPASSRLS")
        for (name,) in session.run(
            "SELECT r.rolname FROM pg_roles AS r WHERE r.rolname = ANY (%s)", [[*BUILTIN_ROLES, *OWNER_ROLES]]
        ).rows:
            session.run(f"GRANT {name} TO {role} WITH ADMIN OPTION")


def forget(server: Server, role: str) -> None:
    with server.session() as session:
        session.run(f"DROP OWNED BY {role}")
        session.run(f"DROP ROLE {role}")


def test_a_login_without_superuser(setup: Setup, server: Server, empty_db: str) -> None:
    if major(server) < 16:
        with server.session() as session:
            session.run("CREATE ROLE deputy LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS")
            session.run(f'GRANT CREATE ON DATABASE "{empty_db}" TO deputy')
        caught = refusal(replace(setup, user="deputy"), empty_db)
        assert (
            caught.why
            == f"- deputy is not a superuser, which PostgreSQL {major(server)} asks of whoever makes these roles"
        )
        forget(server, "deputy")
        return
    nearly_enough(server, "deputy")
    with server.session() as session:
        session.run(f'ALTER DATABASE "{empty_db}" OWNER TO deputy')
    try:
        plan = replace(setup, user="deputy").plan(empty_db)
        run_steps(plan)
        assert plan.verify is not None
        assert {one.severity for one in plan.verify()} <= {"ok", "skipped"}
        assert setup.differences(empty_db) == []
    finally:
        with server.session() as session:
            session.run(f'ALTER DATABASE "{empty_db}" OWNER TO postgres')
        server.drop(empty_db)
        forget(server, "deputy")


def test_a_server_older_than_the_minimum(setup: Setup, empty_db: str) -> None:
    caught = refusal(setup, empty_db, minimum_server=99)
    assert "the minimum here is 99" in caught.why
    assert "the minimum here is 99" in refusal(setup, "not_there", create=True, minimum_server=99).why


def test_a_database_of_another_encoding(setup: Setup, server: Server) -> None:
    with server.session() as session:
        session.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        assert "LATIN1" in refusal(setup, "latin").why
    finally:
        server.drop("latin")


def test_a_read_only_database(setup: Setup, server: Server, empty_db: str) -> None:
    with server.session() as session:
        session.run(f'ALTER DATABASE "{empty_db}" SET default_transaction_read_only = on')
    assert "read-only" in refusal(setup, empty_db).why


@pytest.mark.parametrize("name", ["template0", "template1"])
def test_what_every_new_database_is_copied_from_is_refused(setup: Setup, server: Server, name: str) -> None:
    for create in (False, True):
        caught = refusal(setup, name, create=create)
        assert caught.what == f"{name} is a template database"
        assert "copy of WonderNest" in caught.why
        assert "--create" in caught.next
    assert setup.classify("template1").kind == "empty"


def test_a_template_of_ones_own_is_refused_unless_it_is_complete(setup: Setup, server: Server, empty_db: str) -> None:
    with server.session() as session:
        session.run(f'ALTER DATABASE "{empty_db}" IS_TEMPLATE true')
    try:
        assert "is a template database" in refusal(setup, empty_db).what
        with server.session() as session:
            session.run(f'ALTER DATABASE "{empty_db}" IS_TEMPLATE false')
        setup.apply(empty_db)
        with server.session() as session:
            session.run(f'ALTER DATABASE "{empty_db}" IS_TEMPLATE true')
        assert setup.plan(empty_db).steps == ()
    finally:
        with server.session() as session:
            session.run(f'ALTER DATABASE "{empty_db}" IS_TEMPLATE false')


@pytest.mark.parametrize("login", ["wondernest_app", "wondernest_analytics"])
def test_a_login_that_cannot_read_the_history_is_told_so(
    setup: Setup, server: Server, fresh_db: str, login: str
) -> None:
    history(server, fresh_db)
    caught = refusal(replace(setup, user=login), fresh_db)
    assert caught.what == "this login cannot read the migration history"
    assert f"{login} may not read public.flyway_schema_history" in caught.why
    assert "superuser" in caught.next and "wondernest_owner" in caught.next


def history(server: Server, database: str) -> None:
    """Give the database a migration history like the one that setup makes, without grants."""
    with server.session(database) as session:
        for statement in flyway.DDL:
            session.run(statement)


def test_pgcrypto_in_another_schema(setup: Setup, server: Server, empty_db: str) -> None:
    with server.session(empty_db) as session:
        session.run("CREATE EXTENSION pgcrypto SCHEMA public")
    assert "ALTER EXTENSION pgcrypto SET SCHEMA extensions" in refusal(setup, empty_db).why


@pytest.fixture
def without_pgcrypto() -> Iterator[Server]:
    """A server whose installation lacks pgcrypto: a copy of the programs without its control file."""
    home = scratch("nocrypto")
    provider = choose(env={"WNADMIN_PG_PROVIDER": "wheel"})
    tree = provider.bindir.parent
    shutil.copytree(tree, home / "pg", symlinks=True)
    controls = list((home / "pg").rglob("pgcrypto.control"))
    assert controls
    for one in controls:
        one.unlink()
    for path in (home / "pg").rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    cluster = Cluster(home / "cluster", {"WNADMIN_PG_BINDIR": str(home / "pg" / provider.bindir.name)})
    cluster.start(fsync=False)
    server = Server(cluster, home)
    yield server
    end_server(server)


def test_missing_pgcrypto(without_pgcrypto: Server, bundle: Bundle) -> None:
    setup = Setup(without_pgcrypto, bundle)
    assert "pgcrypto is not installed" in refusal(setup, "postgres").why
    assert "pgcrypto is not installed" in refusal(setup, "not_there", create=True).why
    assert setup.classify("postgres").kind == "empty"
    names = ", ".join(f"'{name}'" for name in ROLES)
    assert scalar(without_pgcrypto, "postgres", f"SELECT count(*) FROM pg_roles WHERE rolname IN ({names})") == 0


def test_a_standby(bundle: Bundle) -> None:
    server = start_server("standby")
    try:
        server.cluster.stop()
        data = server.cluster.status(size=False).data
        (Path(str(data)) / "standby.signal").touch()
        server.cluster.start(SETTINGS, fsync=False)
        caught = refusal(Setup(server, bundle), "postgres")
        assert "standby" in caught.what
    finally:
        end_server(server)


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
