"""`migrate apply` and its way back, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.support import LOCK, Migrate, applied, carry_out, history, scalar, write
from tests.support import Cli, Server
from wnadmin.domain.setup import flyway
from wnadmin.errors import Failed, Refused, UsageError

COLUMN = (
    "SELECT count(*) FROM pg_attribute WHERE attrelid = 'family.child_profiles'::regclass"
    " AND attname = 'new_field' AND NOT attisdropped"
)
NOTES = "CREATE TABLE core.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);"
CONCURRENTLY = "CREATE INDEX CONCURRENTLY idx_users_created ON core.users (created_at);"
ALONE = "-- transaction: no\n"
GONE = "DROP INDEX CONCURRENTLY IF EXISTS core.idx_users_created;"


def valid(server: Server, dbname: str) -> object:
    return scalar(
        server, dbname, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('core.idx_users_created')"
    )


def test_the_example_of_the_document(example: Migrate) -> None:
    (receipt,) = example.apply()
    (_, row) = history(example.server, example.dbname)
    assert (row.installed_rank, row.version, row.description, row.type) == (2, "002", "add feature", "SQL")
    assert (row.script, row.success) == ("V002__add_feature.sql", True)
    assert row.checksum == flyway.checksum((example.folders[0] / "V002__add_feature.sql").read_bytes())
    assert row.checksum == receipt.values["checksum"]
    assert row.installed_by == "wondernest_owner"
    assert scalar(example.server, example.dbname, COLUMN) == 1
    again = example.plan()
    assert (again.steps, again.nothing) == ((), f"{example.dbname} is at version 002, and nothing is pending")


def test_the_login_for_migrations_may_and_others_may_not(server: Server, fresh_db: str, example: Migrate) -> None:
    with pytest.raises(Refused, match="wondernest_app may not migrate") as caught:
        Migrate(server, fresh_db, example.folders, "wondernest_app").plan()
    assert "wondernest_migration" in caught.value.next
    migration = Migrate(server, fresh_db, example.folders, "wondernest_migration")
    migration.apply()
    assert history(server, fresh_db)[1].installed_by == "wondernest_owner"
    owner = "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'family.idx_child_profiles_new_field'::regclass"
    assert scalar(server, fresh_db, owner) == "wondernest_owner"


def test_check_apply_check_and_back_again(wn: Cli, server: Server, fresh_db: str) -> None:
    here = ("--location", str(Path(__file__).parent / "migration"))
    assert wn.run("migrate", "apply", *here, "--check").code == 3
    dry = wn.run("migrate", "apply", *here, "--dry-run")
    assert dry.code == 0
    assert "ADD COLUMN new_field VARCHAR(100)" in dry.out
    assert "DROP COLUMN new_field" in dry.out
    assert scalar(server, fresh_db, COLUMN) == 0
    done = wn.run("migrate", "apply", *here, "--yes", "--format", "json")
    assert done.code == 0, done.err
    operation = done.json()["operation"]
    assert wn.run("migrate", "apply", *here, "--check").code == 0
    assert wn.run("migrate", "validate", *here).code == 0
    # The rollback procedure of the header, run.
    undone = wn.run("audit", "undo", operation, "--yes")
    assert undone.code == 0, undone.err
    assert scalar(server, fresh_db, COLUMN) == 0
    assert applied(history(server, fresh_db)) == [("001", "initial schema", True)]
    assert wn.run("migrate", "apply", *here, "--yes").code == 0
    assert scalar(server, fresh_db, COLUMN) == 1


def test_files_in_order_and_a_repeatable_one_again(own: Migrate, folder: Path) -> None:
    write(folder, "R__notes_view.sql", "CREATE OR REPLACE VIEW core.all_notes AS SELECT id FROM core.notes;")
    write(folder, "V003__more.sql", "ALTER TABLE core.notes ADD COLUMN more text;")
    write(folder, "V002__notes.sql", NOTES)
    assert [one.step for one in own.apply()] == ["V002__notes.sql", "V003__more.sql", "R__notes_view.sql"]
    assert own.plan().steps == ()
    write(folder, "R__notes_view.sql", "CREATE OR REPLACE VIEW core.all_notes AS SELECT id, more FROM core.notes;")
    own.apply()
    rows = history(own.server, own.dbname)
    assert [(row.version, row.installed_rank) for row in rows] == [
        ("001", 1),
        ("002", 2),
        ("003", 3),
        (None, 4),
        (None, 5),
    ]
    assert own.plan().steps == ()


def test_a_target_and_what_comes_after(own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", NOTES)
    write(folder, "V3.1__more.sql", "ALTER TABLE core.notes ADD COLUMN more text;")
    assert [one.step for one in own.apply(target="2")] == ["V002__notes.sql"]
    with pytest.raises(UsageError, match=r"no migration of version 3\.2"):
        own.plan(target="3_2")
    own.apply(target="3.1")
    assert history(own.server, own.dbname)[-1].version == "3.1"


def test_a_file_that_fails_leaves_nothing(own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", f"{NOTES}\nSELECT\n  1 / 0;")
    with pytest.raises(Failed, match=r"V002__notes\.sql:7: division by zero") as caught:
        own.apply()
    assert "22012" in caught.value.why
    assert scalar(own.server, own.dbname, "SELECT to_regclass('core.notes') IS NULL")
    assert len(history(own.server, own.dbname)) == 1


def test_lint_comes_first(own: Migrate, folder: Path) -> None:
    write(folder, "V002__a.sql", "COMMIT;", rollback="")
    write(folder, "V003__b.sql", "\\c other")
    with pytest.raises(Refused, match="3 things are wrong in the migrations") as caught:
        own.plan()
    assert "V002__a.sql:1: the header has no `-- rollback:` procedure" in caught.value.why
    assert "V003__b.sql:6: psql meta-command" in caught.value.why


def test_a_late_file_only_on_purpose(own: Migrate, folder: Path) -> None:
    write(folder, "V003__notes.sql", NOTES)
    own.apply()
    write(folder, "V002__late.sql", "ALTER TABLE core.users ADD COLUMN late text;")
    with pytest.raises(Refused, match="one thing stands in the way") as caught:
        own.plan()
    assert "--out-of-order" in caught.value.next
    own.apply(out_of_order=True)
    assert own.plan().steps == ()


def test_a_changed_file_and_its_repair(own: Migrate, folder: Path, wn: Cli) -> None:
    write(folder, "V002__notes.sql", NOTES)
    own.apply()
    before = history(own.server, own.dbname)[1].checksum
    write(folder, "V002__notes.sql", f"{NOTES} -- a remark")
    write(folder, "V003__more.sql", "ALTER TABLE core.notes ADD COLUMN more text;")
    with pytest.raises(Refused, match="one thing stands in the way") as caught:
        own.plan()
    assert f"002 notes was changed after it was applied (recorded {before}, here " in caught.value.why
    here = ("--location", str(folder))
    found = wn.run("migrate", "validate", *here, "--format", "json")
    assert found.code == 3
    assert {(one["check"], one["severity"]) for one in found.json()["findings"]} == {
        ("migrate.changed", "critical"),
        ("migrate.pending", "warn"),
    }
    assert wn.run("migrate", "repair", *here, "--check").code == 3
    done = wn.run("migrate", "repair", *here, "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert history(own.server, own.dbname)[1].checksum == own.found().migrations[1].checksum
    assert wn.run("migrate", "repair", *here, "--check").code == 0
    assert wn.run("audit", "undo", done.json()["operation"], "--yes").code == 0
    assert history(own.server, own.dbname)[1].checksum == before


def test_a_missing_file(own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", NOTES)
    write(folder, "V003__more.sql", "ALTER TABLE core.notes ADD COLUMN more text;")
    own.apply()
    (folder / "V002__notes.sql").unlink()
    with pytest.raises(Refused, match="one thing stands in the way") as caught:
        own.plan()
    assert "002 notes was applied, and its file is not here" in caught.value.why
    (folder / "V003__more.sql").unlink()
    # Both are newer than any file now: a newer release made them.
    assert own.plan().steps == ()


def test_without_a_transaction(own: Migrate, folder: Path, wn: Cli) -> None:
    write(folder, "V002__index.sql", CONCURRENTLY, rollback=GONE, head=ALONE)
    here = ("--location", str(folder))
    done = wn.run("migrate", "apply", *here, "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert valid(own.server, own.dbname) is True
    assert history(own.server, own.dbname)[1].success
    assert wn.run("audit", "undo", done.json()["operation"], "--yes").code == 0
    assert valid(own.server, own.dbname) is None
    assert len(history(own.server, own.dbname)) == 1


def test_what_was_cut_off_without_a_transaction_is_found_again(own: Migrate, folder: Path, wn: Cli) -> None:
    unique = "CREATE UNIQUE INDEX CONCURRENTLY idx_users_created ON core.users ((1));"
    write(folder, "V002__index.sql", unique, rollback=GONE, head=ALONE)
    here = ("--location", str(folder))
    failed = wn.run("migrate", "apply", *here, "--yes", "--format", "json")
    assert failed.code == 1
    assert valid(own.server, own.dbname) is False
    assert applied(history(own.server, own.dbname))[1] == ("002", "index", False)
    refused = wn.run("migrate", "apply", *here, "--yes")
    assert refused.code == 4
    assert "002 index was begun and did not succeed" in refused.err
    assert GONE in refused.err
    assert "2. wnadmin migrate repair" in refused.err
    resumed = wn.run("audit", "resume", failed.json()["operation"], "--yes")
    assert resumed.code == 4
    assert GONE in resumed.err
    # And now what it says.
    with own.connect() as session:
        session.run(GONE)
    assert wn.run("migrate", "repair", *here, "--yes").code == 0
    assert len(history(own.server, own.dbname)) == 1
    write(folder, "V002__index.sql", CONCURRENTLY, rollback=GONE, head=ALONE)
    assert wn.run("migrate", "apply", *here, "--yes").code == 0
    assert valid(own.server, own.dbname) is True


def test_repair_puts_a_removed_entry_back(own: Migrate, folder: Path, wn: Cli) -> None:
    write(folder, "V002__index.sql", CONCURRENTLY, rollback=GONE, head=ALONE)
    with own.connect() as session:
        name = flyway.parse_name("V002__index.sql")
        session.run(flyway.insert_row(name, rank=2, sum_=None, milliseconds=3, success=False))
    before = history(own.server, own.dbname)
    done = wn.run("migrate", "repair", "--location", str(folder), "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert len(history(own.server, own.dbname)) == 1
    assert wn.run("audit", "undo", done.json()["operation"], "--yes").code == 0
    assert history(own.server, own.dbname) == before


def test_a_superusers_file(own: Migrate, folder: Path) -> None:
    body = "ALTER FUNCTION core.cleanup_expired_sessions() COST 200;"
    write(folder, "V002__definer.sql", body)
    with pytest.raises(Failed, match="must be owner"):
        own.apply()
    write(folder, "V002__definer.sql", body, head="-- role: superuser\n")
    with pytest.raises(Refused, match="asks for a superuser"):
        Migrate(own.server, own.dbname, own.folders, "wondernest_migration").plan()
    own.apply()
    assert history(own.server, own.dbname)[1].installed_by == "postgres"


def test_hidden_rows_are_an_error_and_not_a_smaller_change(own: Migrate, folder: Path) -> None:
    write(folder, "V002__rows.sql", "UPDATE family.child_profiles AS p SET first_name = p.first_name;")
    with pytest.raises(Failed, match="row-level security"):
        own.apply()


def test_a_database_without_history(server: Server, template: str, example: Migrate) -> None:
    name = server.create(template)
    with pytest.raises(Refused, match="has no migration history") as caught:
        Migrate(server, name, example.folders).plan()
    assert "wnadmin setup adopt" in caught.value.next
    with server.session(name) as session:
        for statement in flyway.DDL:
            session.run(statement)
        session.run("ALTER TABLE flyway_schema_history OWNER TO wondernest_owner".replace(" f", " public.f"))
    with pytest.raises(Refused, match="does not hold V001"):
        Migrate(server, name, example.folders).plan()
    server.drop(name)


def test_read_only(server: Server, example: Migrate) -> None:
    with server.session() as session:
        session.run(f'ALTER DATABASE "{example.dbname}" SET default_transaction_read_only = on')
    with pytest.raises(Refused, match="is read-only"):
        example.plan()


def test_somebody_elses_history(server: Server, example: Migrate) -> None:
    with server.session(example.dbname) as session:
        session.run("ALTER TABLE public.flyway_schema_history OWNER TO postgres")
        session.run("REVOKE ALL ON TABLE public.flyway_schema_history FROM wondernest_owner")
    with pytest.raises(Refused, match="may not write the migration history") as caught:
        example.plan()
    assert caught.value.next == "ALTER TABLE public.flyway_schema_history OWNER TO wondernest_owner"


def test_what_has_changed_since_the_plan(own: Migrate, folder: Path) -> None:
    write(folder, "V002__notes.sql", NOTES)
    plan = own.plan()
    write(folder, "V003__more.sql", "SELECT 1;")
    with own.connect() as session:
        session.run(flyway.insert_row(flyway.parse_name("V003__more.sql"), rank=2, sum_=1, milliseconds=1))
    with pytest.raises(Refused, match="has changed since the plan"):
        carry_out(plan)
    assert len(history(own.server, own.dbname)) == 2


def test_the_lock_is_held_while_a_file_runs(own: Migrate, folder: Path) -> None:
    probe = "DO $$ BEGIN PERFORM set_config('app.held', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'\n"
    probe += f"AND ((classid::bigint << 32) | objid::bigint) = {LOCK})::text, true);\n"
    probe += "IF current_setting('app.held') <> '1' THEN RAISE 'not held'; END IF; END $$;"
    write(folder, "V002__probe.sql", probe)
    own.apply()
    assert len(history(own.server, own.dbname)) == 2
