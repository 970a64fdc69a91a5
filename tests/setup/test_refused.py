"""`setup apply` refuses before it changes anything, and says all that stands in its way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.setup.support import Setup, edited, run_steps, scalar
from tests.support import SETTINGS, Server, end_server, scratch, start_server
from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.names import BUILTIN_ROLES, OWNER_ROLES, ROLES
from wnadmin.errors import Refused
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.embedded.discovery import choose


def refusal(setup: Setup, database: str, **more: Any) -> Refused:
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
