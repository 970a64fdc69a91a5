"""Files 06 and 07 run again, on a database in use: nothing changes, and nothing is handed back."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from tests.conftest import TEMPLATE
from tests.sql.support import SQL, column, make_household, refused, signed_in
from tests.support import Server, install
from wnadmin.postgres.session import Session

SECURITY = (SQL / "07_security_setup.sql").read_text("utf-8")
# Row versions of everything 07 can touch: a rewrite of the same value would show.
VERSIONS = (
    "SELECT 'policy', oid, xmin::text FROM pg_policy UNION ALL SELECT 'class', oid, xmin::text FROM pg_class"
    " WHERE relkind IN ('r', 'p', 'v', 'm') UNION ALL"
    " SELECT 'column', attrelid, xmin::text FROM pg_attribute WHERE attacl IS NOT NULL UNION ALL"
    " SELECT 'function', oid, xmin::text FROM pg_proc UNION ALL SELECT 'schema', oid, xmin::text FROM pg_namespace"
    " UNION ALL SELECT 'default', oid, xmin::text FROM pg_default_acl"
    " UNION ALL SELECT 'role', oid, xmin::text FROM pg_authid"
    " UNION ALL SELECT 'member', roleid, xmin::text FROM pg_auth_members"
    " UNION ALL SELECT 'database', oid, xmin::text FROM pg_database WHERE datname = current_database() ORDER BY 1, 2, 3"
)


def run_again(session: Session) -> list[str]:
    """Run 07 and give its warnings."""
    warnings: list[str] = []
    session.notices(lambda severity, text: warnings.append(text) if severity == "WARNING" else None)
    result = session.script(SECURITY)
    assert result.error is None, result.error
    return warnings


def may(session: Session, privilege: str) -> bool:
    found: bool = session.scalar("SELECT has_table_privilege('wondernest_rw', 'core.users', %s)", [privilege])
    return found


def append(session: Session, op_id: object, phase: str, command: str) -> None:
    session.run("SELECT audit.ledger_append(%s, %s, %s)", [op_id, phase, f'{{"command":"{command}"}}'])


def test_again_changes_nothing_and_waits_for_nobody(server: Server) -> None:
    name = server.create()
    try:
        install(server, name, months=0)
        with server.session(name) as session, signed_in(server, name, None) as reader:
            before = session.run(VERSIONS).rows
            # A reader in a transaction holds ACCESS SHARE on a table with policies and on a partition.
            reader.run("BEGIN")
            reader.run("SELECT count(*) FROM content.engagement")
            reader.run("SELECT count(*) FROM core.users")
            session.run("SET lock_timeout = '1s'")
            assert run_again(session) == []
            assert session.run(VERSIONS).rows == before
            reader.run("ROLLBACK")
    finally:
        server.drop(name)


def test_what_was_bent_is_put_right(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        run_again(session)
        good = session.run("SELECT polname, polqual::text IS NULL, pg_get_expr(polqual, polrelid) FROM pg_policy"
                           " ORDER BY polrelid::regclass::text, polname").rows  # fmt: skip
        session.run("ALTER POLICY users_tenant ON core.users USING (true)")
        session.run("DROP POLICY child_profiles_context ON family.child_profiles")
        session.run("ALTER TABLE audio.sessions NO FORCE ROW LEVEL SECURITY")
        session.run("GRANT EXECUTE ON FUNCTION core.find_login(text) TO PUBLIC")
        session.run("ALTER FUNCTION core.find_login(text) OWNER TO postgres")
        session.run("REVOKE SELECT (id) ON core.users FROM wondernest_analytics")
        session.run("ALTER TABLE ml.models OWNER TO postgres")
        assert run_again(session) == []
        after = session.run("SELECT polname, polqual::text IS NULL, pg_get_expr(polqual, polrelid) FROM pg_policy"
                            " ORDER BY polrelid::regclass::text, polname").rows  # fmt: skip
        assert after == good
        checks = ["row_level_security_forced", "definer_public_execute", "definer_owner"]
        query = "SELECT DISTINCT status FROM admin.validate_security_config() WHERE check_name = ANY (%s)"
        assert column(session, query, checks) == ["ok"]
        assert session.scalar("SELECT has_column_privilege('wondernest_analytics', 'core.users', 'id', 'SELECT')")
        query = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'ml.models'::regclass"
        assert session.scalar(query) == "wondernest_owner"


def test_nothing_is_granted_while_the_database_is_read_only(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("REVOKE INSERT ON core.users FROM wondernest_rw")
        session.run(f'ALTER DATABASE "{fresh_db}" SET default_transaction_read_only = on')
    with server.session(fresh_db, default_transaction_read_only="off") as session:
        (warning,) = run_again(session)
        assert "no privileges were granted" in warning and "read-only" in warning
        assert not may(session, "INSERT")
        session.run(f'ALTER DATABASE "{fresh_db}" RESET default_transaction_read_only')
        # The same when only the application's role is switched.
        session.run(f'ALTER ROLE wondernest_app IN DATABASE "{fresh_db}" SET default_transaction_read_only = on')
        assert len(run_again(session)) == 1
        assert not may(session, "INSERT")
        session.run(f'ALTER ROLE wondernest_app IN DATABASE "{fresh_db}" RESET default_transaction_read_only')
        assert run_again(session) == []
        assert may(session, "INSERT")


def test_nothing_is_granted_while_an_operation_has_not_ended(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("REVOKE INSERT ON core.users FROM wondernest_rw")
        operation = uuid4()
        append(session, operation, "intent", "readonly on")
        append(session, operation, "done", "readonly on")
        (warning,) = run_again(session)
        assert str(operation) in warning
        assert not may(session, "INSERT")
        append(session, operation, "outcome", "readonly on")
        # Its own intent, and that of a demo around it, do not stop setup.
        append(session, uuid4(), "intent", "setup apply")
        append(session, uuid4(), "intent", "demo")
        assert run_again(session) == []
        assert may(session, "INSERT")
        # Resumed after its end: the newer intent counts.
        session.run("REVOKE INSERT ON core.users FROM wondernest_rw")
        append(session, operation, "intent", "readonly on")
        assert len(run_again(session)) == 1


def test_taking_the_writing_group_away_stops_writes_and_leaves_reads(fresh_server: Server) -> None:
    with fresh_server.session(TEMPLATE) as root:
        house = make_household(root, "fenced")
        with signed_in(fresh_server, TEMPLATE, house.user) as app:
            app.run("UPDATE family.families SET name = 'Before'")
            root.run("REVOKE wondernest_rw FROM wondernest_app")
            # At once, in a session that is open.
            with refused("42501"):
                app.run("UPDATE family.families SET name = 'After'")
            with refused("42501"):
                app.run("SELECT family.stop_collection(%s)", [house.child])
            assert column(app, "SELECT name FROM family.families") == ["Before"]
            assert app.run("SELECT * FROM content.get_age_appropriate_content(%s)", [house.child]).rows
            # 07 does not hand it back.
            run_again(root)
            with refused("42501"):
                app.run("UPDATE family.families SET name = 'After'")


def test_an_existing_role_is_never_altered(fresh_server: Server) -> None:
    with fresh_server.session(TEMPLATE) as root:
        root.run("ALTER ROLE wondernest_app NOLOGIN CONNECTION LIMIT 3")
        root.run("REVOKE pg_monitor FROM wondernest_monitor")
        run_again(root)
        assert root.run("SELECT rolcanlogin, rolconnlimit FROM pg_roles WHERE rolname = 'wondernest_app'").rows == (
            (False, 3),
        )
        assert root.scalar("SELECT pg_has_role('wondernest_monitor', 'pg_monitor', 'MEMBER')") is False
        # Setting up another database of the cluster does not enable it either.
        install(fresh_server, fresh_server.create(), months=0, samples=False)
        assert root.scalar("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'wondernest_app'") is False


def test_two_databases_of_a_cluster_are_set_up_at_once(fresh_server: Server) -> None:
    with fresh_server.session() as root:
        root.run(f'DROP DATABASE "{TEMPLATE}"')
        for role in column(root, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wondernest\\_%'"):
            root.run(f'DROP ROLE "{role}"')
    names = [fresh_server.create() for _ in range(3)]
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            install(fresh_server, name, months=0, samples=False)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for one in threads:
        one.start()
        time.sleep(0.05)
    for one in threads:
        one.join()
    assert failures == []
    with fresh_server.session() as root:
        assert root.scalar("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wondernest\\_%'") == 14
    for name in names:
        with fresh_server.session(name) as session:
            rows = session.run("SELECT 1 FROM admin.validate_security_config() WHERE status = 'fail'").rows
            assert rows == ()


def test_later_versions_belong_to_migrations(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run(
            "CREATE TABLE public.flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50),"
            " success boolean NOT NULL, installed_by varchar(100))"
        )
        session.run("INSERT INTO public.flyway_schema_history VALUES (1, '001', true, 'x')")
        assert run_again(session) == []
        assert session.scalar(
            "SELECT relowner = 'wondernest_owner'::regrole FROM pg_class WHERE relname = 'flyway_schema_history'"
        )
        session.run("INSERT INTO public.flyway_schema_history VALUES (2, '002', true, 'x')")
        for file in ("06_seed_data.sql", "07_security_setup.sql"):
            error = session.script((SQL / file).read_text("utf-8")).error
            assert error is not None and error.sqlstate == "55000"


@pytest.mark.parametrize("login", ["wondernest_migration", "wondernest_app"])
def test_who_may_not_create_roles_is_told_so(server: Server, fresh_db: str, login: str) -> None:
    with server.session(fresh_db, login) as session:
        error = session.script(SECURITY).error
        assert error is not None and error.sqlstate == "42501"
        assert "CREATEROLE" in error.what or "superuser" in error.what


def test_a_database_owner_who_is_no_superuser_can_set_up(fresh_server: Server) -> None:
    """From PostgreSQL 16 on attributes suffice; on 15 the files say what is missing."""
    with fresh_server.session() as root:
        root.run(f'DROP DATABASE "{TEMPLATE}"')
        for role in column(root, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wondernest\\_%'"):
            root.run(f'DROP ROLE "{role}"')
        root.run("CREATE ROLE dba LOGIN CREATEROLE REPLICATION BYPASSRLS")
        name = fresh_server.create()
        root.run(f'ALTER DATABASE "{name}" OWNER TO dba')
        for group in column(root, "SELECT rolname FROM pg_roles WHERE rolname IN ('pg_monitor', 'pg_read_all_data',"
                            " 'pg_signal_backend', 'pg_maintain', 'pg_signal_autovacuum_worker')"):  # fmt: skip
            root.run(f"GRANT {group} TO dba WITH ADMIN OPTION")
    with fresh_server.session(name, "dba") as session:
        for _ in range(2):
            for file in sorted(SQL.glob("0[1-7]_*.sql")):
                error = session.script(file.read_text("utf-8")).error
                if session.version < 160000 and file.name.startswith("07"):
                    assert error is not None and error.sqlstate == "42501" and "superuser" in error.what
                    return
                assert error is None, f"{file.name}: {error}"
        assert session.run("SELECT object FROM admin.validate_security_config() WHERE status = 'fail'").rows == ()
