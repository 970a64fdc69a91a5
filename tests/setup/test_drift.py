"""`setup drift`: what differs from the files, how it is mended, and the shadow that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.migrate.support import EXAMPLE, Migrate, record_v001, write
from tests.setup.support import bad, secure
from tests.support import Cli, Server
from wnadmin.domain.migrate.places import bundled
from wnadmin.domain.setup import drift, shadow
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.migrations import Files, find
from wnadmin.domain.setup.shadow import Ways, Where
from wnadmin.errors import Failed, Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session, connect
from wnadmin.postgres.target import Target
from wnadmin.results import Finding, Findings


def ways(server: Server, user: str = "postgres") -> Ways:
    def anywhere(target: Target) -> Session:
        return connect(target, command="tests")

    return Ways(lambda name: server.session(name, user), anywhere, "postgres")


Look = Callable[..., Findings]


@pytest.fixture
def look(server: Server, bundle: Bundle) -> Look:
    def run(dbname: str, *folders: Path, where: Where = "auto", user: str = "postgres") -> Findings:
        files: Files = find((bundled(), *folders))
        with server.session(dbname, user) as session:
            return drift.drift(Database(session), files, ways(server, user), where, bundle)

    return run


@pytest.fixture
def migrated(server: Server, fresh_db: str, tmp_path: Path) -> Iterator[Migrate]:
    """A database with its history, and a folder for migrations."""
    record_v001(server, fresh_db)
    folder = tmp_path / "migration"
    folder.mkdir()
    yield Migrate(server, fresh_db, (folder,))


def found(seen: Findings) -> list[tuple[str, str]]:
    return [(one.object, one.severity) for one in bad(seen.findings)]


def databases(server: Server) -> list[str]:
    with server.session() as session:
        return [str(row[0]) for row in session.run("SELECT datname FROM pg_database ORDER BY 1").rows]


def run(server: Server, dbname: str, *statements: str) -> None:
    with server.session(dbname) as session:
        for statement in statements:
            session.run(statement)


@pytest.mark.parametrize("where", ["auto", "here", "apart"])
def test_a_database_as_the_files_make_it(look: Look, server: Server, db: str, where: Where) -> None:
    before = databases(server)
    seen = look(db, where=where)
    assert found(seen) == []
    assert [one.severity for one in seen.findings] == ["ok"]
    words = {"auto": "expected.json", "here": "a shadow database on this server", "apart": "a private server"}
    assert words[where] in seen.notes[0]
    assert databases(server) == before


DRIFT = (
    "ALTER TABLE family.child_profiles ALTER COLUMN first_name DROP NOT NULL",
    "ALTER TABLE core.users ALTER COLUMN timezone SET DEFAULT 'Europe/Paris'",
    "ALTER TABLE content.items OWNER TO postgres",
    "ALTER TABLE core.user_devices NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE family.families DROP COLUMN timezone",
    "CREATE INDEX idx_surplus ON core.users (created_at)",
    "GRANT SELECT ON TABLE core.users TO wondernest_monitor",
    "REVOKE SELECT ON TABLE content.items FROM wondernest_ro",
    "GRANT EXECUTE ON FUNCTION core.cleanup_expired_sessions() TO PUBLIC",
    "ALTER FUNCTION core.cleanup_expired_sessions() OWNER TO postgres",
    "CREATE POLICY surplus ON core.users USING (true)",
    "CREATE FUNCTION core.surplus(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE VIEW core.surplus_view AS SELECT 1 AS one",
    "ALTER TABLE core.users DISABLE TRIGGER ALL",
    "ALTER TYPE core.auth_provider ADD VALUE 'surplus'",
    "CREATE SEQUENCE core.surplus_sequence",
    "ALTER DATABASE {database} SET work_mem = '7MB'",
)


def test_each_difference_comes_with_what_mends_it(look: Look, server: Server, bundle: Bundle, fresh_db: str) -> None:
    objects = bundle.expected.catalog.objects
    policy = next(name for name, facts in objects["policy"].items() if "using" in facts and name.startswith("family."))
    trigger = next(name for name in objects["trigger"] if name.startswith("family.child_profiles "))
    check = next(
        name
        for name, facts in objects["constraint"].items()
        if name.startswith("core.users ") and str(facts["definition"]).startswith("CHECK")
    )
    index = next(name for name in objects["index"] if name.startswith("content.idx_engagement"))
    others = (
        f"DROP POLICY {policy.split()[1]} ON {policy.split()[0]}",
        f"DROP TRIGGER {trigger.split()[1]} ON {trigger.split()[0]}",
        f"ALTER TABLE core.users DROP CONSTRAINT {check.split()[1]}",
        f"DROP INDEX {index}",
    )
    with server.session(fresh_db) as session:
        for statement in (*DRIFT[:4], *DRIFT[5:], *others):
            if "TYPE" not in statement:
                session.run(statement.format(database=f'"{fresh_db}"'))
    seen = look(fresh_db)
    names = [name for name, _ in found(seen)]
    for expected in (
        "column family.child_profiles.first_name not_null",
        "column core.users.timezone default",
        "table content.items owner",
        "table core.user_devices rls",
        "index core.idx_surplus",
        "grant table core.users to wondernest_monitor",
        "grant table content.items to wondernest_ro",
        "function core.cleanup_expired_sessions() owner",
        "policy core.users surplus",
        "function core.surplus(integer)",
        "view core.surplus_view",
        f"policy {policy}",
        f"trigger {trigger}",
        f"constraint {check}",
        f"index {index}",
        "setting everyone work_mem",
    ):
        assert expected in names, expected
    assert {one.playbook for one in bad(seen.findings)} == {"schema-drift"}
    mended = {one.object: one.remediation for one in bad(seen.findings) if one.remediation.endswith(";")}
    by_hand = {one.object: one.remediation for one in bad(seen.findings) if not one.remediation.endswith(";")}
    assert by_hand == {"grant function core.surplus(integer) to PUBLIC": "it goes with its function"}
    with server.session(fresh_db) as session:
        for statement in mended.values():
            result = session.script(statement)
            assert result.error is None, (statement, result.error)
    again = look(fresh_db)
    assert [name for name, _ in found(again)] == []


def test_what_would_lose_rows_is_said_in_words(look: Look, server: Server, fresh_db: str) -> None:
    run(
        server,
        fresh_db,
        "CREATE TABLE core.surplus (id bigint PRIMARY KEY)",
        "ALTER TABLE core.users ADD COLUMN surplus text",
        "ALTER TYPE core.auth_provider ADD VALUE 'surplus'",
    )
    words = {one.object: one for one in bad(look(fresh_db).findings)}
    assert words["table core.surplus"].remediation.endswith("DROP TABLE core.surplus")
    assert "its values being lost" in words["column core.users.surplus"].remediation
    assert words["table core.surplus"].severity == "warn"
    assert words["constraint core.surplus surplus_pkey"].remediation == "it goes with its table"
    assert words["type core.auth_provider labels"].remediation.startswith("a label cannot be taken away")


def test_a_body_that_was_changed_is_given_from_its_file(look: Look, server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        definition = str(session.scalar("SELECT pg_get_functiondef('core.cleanup_expired_sessions()'::regprocedure)"))
        session.run(definition.replace("BEGIN", "BEGIN -- x", 1))
    (one,) = bad(look(fresh_db).findings)
    assert one.object == "function core.cleanup_expired_sessions() body"
    place, _, text = one.remediation.partition("\n")
    file, _, line = place.removeprefix("-- ").partition(":")
    lines = (bundled().parent / file).read_text().splitlines()
    assert lines[int(line) - 1] == text.splitlines()[0]
    assert text.startswith("CREATE OR REPLACE FUNCTION core.cleanup_expired_sessions()")
    run(server, fresh_db, text)
    assert found(look(fresh_db)) == []


def test_partitions_do_not_count(look: Look, server: Server, fresh_db: str) -> None:
    month = "(date_trunc('month', now()) + INTERVAL '9 months')::date"
    run(server, fresh_db, f"SELECT admin.create_monthly_partition('content.engagement', {month})")
    assert found(look(fresh_db)) == []
    with server.session(fresh_db) as session:
        partitions = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'content.engagement'::regclass"
        name = str(session.scalar(f"{partitions} ORDER BY 1"))
        session.run(f"ALTER TABLE content.engagement DETACH PARTITION {name}")
    assert ("table " + name, "warn") in found(look(fresh_db))
    run(server, fresh_db, f"COMMENT ON TABLE {name} IS 'wnadmin:detached at=2026-11-22'")
    assert found(look(fresh_db)) == []


def test_applied_migrations_belong_to_the_truth(look: Look, server: Server, migrated: Migrate) -> None:
    Migrate(server, migrated.dbname, (EXAMPLE,)).apply()
    before = databases(server)
    seen = look(migrated.dbname, EXAMPLE)
    assert found(seen) == []
    assert seen.notes == (
        "compared with a shadow database on this server, dropped again",
        "1 migration is applied: V002__add_feature.sql",
    )
    run(server, migrated.dbname, "DROP INDEX family.idx_child_profiles_new_field")
    (one,) = bad(look(migrated.dbname, EXAMPLE).findings)
    made = "CREATE INDEX idx_child_profiles_new_field ON family.child_profiles USING btree (new_field);"
    assert one.remediation == made
    run(server, migrated.dbname, one.remediation)
    run(server, migrated.dbname, "ALTER INDEX family.idx_child_profiles_new_field RENAME TO idx_new")
    assert {name for name, _ in found(look(migrated.dbname, EXAMPLE))} == {
        "index family.idx_child_profiles_new_field",
        "index family.idx_new",
    }
    assert databases(server) == before


def test_repeatable_files_and_one_without_a_transaction(look: Look, migrated: Migrate) -> None:
    folder = migrated.folders[0]
    write(folder, "V002__notes.sql", "CREATE TABLE core.notes (id bigint PRIMARY KEY);")
    concurrently = "CREATE INDEX CONCURRENTLY idx_users_created ON core.users (created_at);"
    write(
        folder,
        "V003__index.sql",
        concurrently,
        rollback="DROP INDEX core.idx_users_created;",
        head="-- transaction: no\n",
    )
    write(folder, "R__view.sql", "CREATE OR REPLACE VIEW core.all_notes AS SELECT id FROM core.notes;")
    migrated.apply()
    assert found(look(migrated.dbname, folder)) == []
    write(folder, "R__view.sql", "CREATE OR REPLACE VIEW core.all_notes AS SELECT id, id AS again FROM core.notes;")
    (one,) = look(migrated.dbname, folder).findings
    assert (one.severity, "was changed since it was last applied" in one.detail) == ("unknown", True)
    migrated.apply()
    assert found(look(migrated.dbname, folder)) == []


def test_what_cannot_be_known_is_unknown(look: Look, server: Server, migrated: Migrate) -> None:
    folder = migrated.folders[0]
    path = write(folder, "V002__notes.sql", "CREATE TABLE core.notes (id bigint PRIMARY KEY);")
    migrated.apply()

    def reason() -> str:
        (one,) = look(migrated.dbname, folder).findings
        assert one.severity == "unknown"
        return one.detail

    text = path.read_text()
    path.write_text(f"{text}-- later\n")
    assert reason() == "V002__notes.sql was changed after it was applied"
    path.unlink()
    assert reason() == "the file of 002 notes is not here"
    path.write_text(text)
    run(server, migrated.dbname, "UPDATE public.flyway_schema_history SET success = false WHERE version = '002'")
    assert "was begun and did not succeed" in reason()
    run(
        server,
        migrated.dbname,
        "UPDATE public.flyway_schema_history SET success = true, type = 'JDBC' WHERE version = '002'",
    )
    assert "is recorded as JDBC" in reason()


def test_a_login_that_may_make_no_database(
    look: Look, server: Server, migrated: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    Migrate(server, migrated.dbname, (EXAMPLE,)).apply()
    seen = look(migrated.dbname, EXAMPLE, user="wondernest_monitor")
    assert found(seen) == []
    assert "a private server of PostgreSQL" in seen.notes[0]
    # Where there is no server to start either, it says so instead of guessing.
    monkeypatch.setenv("WNADMIN_PG_BINDIR", "/nowhere")
    (one,) = look(migrated.dbname, EXAMPLE, user="wondernest_monitor").findings
    assert one.severity == "unknown"
    assert "wondernest_monitor may not create databases" in one.detail


def test_a_login_that_may_not_read_the_history(look: Look, migrated: Migrate) -> None:
    (one,) = look(migrated.dbname, user="wondernest_app").findings
    assert (one.severity, "cannot read the migration history" in one.detail) == ("unknown", True)


def test_nothing_of_the_cluster_is_touched_by_a_look(
    look: Look, server: Server, bundle: Bundle, migrated: Migrate
) -> None:
    folder = migrated.folders[0]
    write(folder, "V002__role.sql", "CREATE ROLE wondernest_surplus;", head="-- role: superuser\n")
    migrated.apply()
    run(server, "postgres", "DROP ROLE wondernest_surplus")
    seen = look(migrated.dbname, folder)
    assert "a private server" in seen.notes[0]
    with server.session() as session:
        assert session.scalar("SELECT to_regrole('wondernest_surplus') IS NULL")
    with (
        server.session(migrated.dbname) as session,
        pytest.raises(Refused, match="no shadow can be made on this server"),
    ):
        shadow.build(Database(session), bundle, find((bundled(), folder)).migrations[1:], ways(server), "here")


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        ("ALTER TABLE core.users ADD COLUMN role text;", False),
        ("GRANT SELECT ON core.users TO wondernest_ro;", False),
        ("GRANT wondernest_ro TO wondernest_app;", True),
        ("DO $$ BEGIN EXECUTE 'CREATE ROLE x'; END $$;", True),
        ("alter system set work_mem = '1MB';", True),
        ("ALTER DATABASE wn SET work_mem = '1MB';", True),
        ("COPY t TO PROGRAM 'cat';", True),
        ("REVOKE wondernest_rw FROM wondernest_app;", True),
    ],
)
def test_what_touches_the_cluster(text: str, touches: bool) -> None:
    assert shadow.touches_cluster(text) is touches


def test_a_shadow_that_fails_is_dropped_too(server: Server, bundle: Bundle, migrated: Migrate) -> None:
    write(migrated.folders[0], "V002__bad.sql", "SELECT 1 / 0;")
    files = find((bundled(), *migrated.folders))
    before = databases(server)
    with server.session(migrated.dbname) as session, pytest.raises(Failed, match=r"V002__bad.sql:6: division by zero"):
        shadow.build(Database(session), bundle, files.migrations[1:], ways(server))
    assert databases(server) == before


def test_roles_are_compared_with_what_the_files_say(fresh_server: Server, bundle: Bundle) -> None:
    name = fresh_server.create("wondernest_template")
    secure(fresh_server, name, bundle)
    run(fresh_server, name, "ALTER ROLE wondernest_app CONNECTION LIMIT 51", "REVOKE wondernest_rw FROM wondernest_app")
    places: tuple[Where, ...] = ("auto", "here")
    for where in places:
        with fresh_server.session(name) as session:
            seen = drift.drift(Database(session), find((bundled(),)), ways(fresh_server), where, bundle)
        mended: dict[str, Finding] = {one.object: one for one in bad(seen.findings)}
        assert (
            mended["role wondernest_app connection_limit"].remediation
            == "ALTER ROLE wondernest_app CONNECTION LIMIT 50;"
        )
        assert (
            mended["membership wondernest_app in wondernest_rw"].remediation == "GRANT wondernest_rw TO wondernest_app;"
        )
        assert len(mended) == 2
    # A role that is gone would come back with the shadow: then it is made elsewhere.
    run(fresh_server, name, "ALTER ROLE wondernest_worker RENAME TO gone")
    with fresh_server.session(name) as session:
        assert "wondernest_worker" in shadow.why_not_here(Database(session), [])


def test_the_command(server: Server, fresh_db: str, cli: Cli) -> None:
    record_v001(server, fresh_db)
    dsn = ("--dsn", server.dsn(fresh_db))
    assert cli.run("setup", "drift", *dsn, "--shadow", "here").code == 0
    run(server, fresh_db, "CREATE INDEX idx_surplus ON core.users (created_at)")
    ran = cli.run("setup", "drift", *dsn, "--format", "json", "--shadow", "here")
    assert ran.code == 3
    assert ran.json()["schema"] == "wnadmin/setup-drift/1"
    assert [one["remediation"] for one in ran.json()["findings"]] == ["DROP INDEX core.idx_surplus;"]
    assert cli.run("setup", "drift", *dsn, "--shadow", "elsewhere").code == 2
    empty = cli.run("setup", "drift", "--dsn", server.dsn("postgres"))
    assert empty.code == 3
    assert "holds no WonderNest database" in empty.out
