"""What a migration file must not do to the history, to its role and to the lock; what is said when something fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.support import Migrate, Progress, applied, carry_out, history, record_v001, scalar, write
from tests.migrate.test_apply import NOTES
from tests.support import Cli, Server
from wnadmin.domain.migrate import repair
from wnadmin.domain.setup import flyway
from wnadmin.errors import Failed, Refused
from wnadmin.results import World

FIRST = ("001", "initial schema", True)


@pytest.mark.parametrize(
    "body",
    [
        "DO $$ BEGIN DELETE FROM public.flyway_schema_history; END $$;",
        "DO $$ BEGIN UPDATE public.flyway_schema_history SET checksum = 0; END $$;",
        "DO $$ BEGIN DROP TABLE public.flyway_schema_history; END $$;",
    ],
)
def test_a_file_that_writes_the_history_is_rolled_back(own: Migrate, folder: Path, body: str) -> None:
    before = history(own.server, own.dbname)
    write(folder, "V002__bad.sql", f"{NOTES}\n{body}")
    with pytest.raises(Failed, match=r"V002__bad\.sql changes the migration history") as caught:
        own.apply()
    assert "wnadmin migrate repair" in caught.value.next
    assert history(own.server, own.dbname) == before
    assert scalar(own.server, own.dbname, "SELECT to_regclass('core.notes') IS NULL")


def test_a_file_that_ends_as_another_role_is_rolled_back(own: Migrate, folder: Path) -> None:
    write(folder, "V002__bad.sql", "SELECT set_config('role', 'postgres', false);\nCREATE TABLE core.mine (id bigint);")
    with pytest.raises(Failed, match=r"V002__bad\.sql ends as another role") as caught:
        own.apply()
    assert caught.value.why.startswith("It began as wondernest_owner")
    assert scalar(own.server, own.dbname, "SELECT to_regclass('core.mine') IS NULL")


def test_what_lint_sees_of_it_is_not_even_begun(own: Migrate, folder: Path, wn: Cli) -> None:
    write(folder, "V002__bad.sql", "RESET ROLE;\nDELETE FROM public.flyway_schema_history;")
    refused = wn.run("migrate", "apply", "--location", str(folder), "--yes")
    assert refused.code == 4
    assert "changes who runs the rest" in refused.err
    assert "it changes flyway_schema_history" in refused.err
    assert f"wnadmin migrate lint --location {folder}" in refused.err


def test_a_missing_privilege_names_who_lacked_it(own: Migrate, folder: Path) -> None:
    write(folder, "V002__bad.sql", "CREATE EXTENSION pg_buffercache SCHEMA extensions;")
    with pytest.raises(Failed, match="permission denied") as caught:
        own.apply()
    assert caught.value.next.startswith("It ran as wondernest_owner")
    assert f"wnadmin migrate apply --location {folder}" in caught.value.next


def test_a_file_longer_than_a_socket_takes_at_once(own: Migrate, folder: Path) -> None:
    with own.connect() as session:
        # Sent only in part, the server would wait for the rest and end the session.
        session.run("SET idle_in_transaction_session_timeout = '2s'")
        session.run("BEGIN")
        sent = session.script(f"SELECT 1; -- {'long ' * 4_000_000}\nSELECT 2;")
        assert (sent.error, sent.completed) == (None, 2)
    write(folder, "V002__long.sql", f"{NOTES}\nINSERT INTO core.notes (note) VALUES ('{'long ' * 400_000}');")
    own.apply()
    assert scalar(own.server, own.dbname, "SELECT max(length(note)) FROM core.notes") == 2_000_000


def test_an_earlier_file_is_not_taken_back_before_a_later_one(own: Migrate, folder: Path, wn: Cli) -> None:
    here = ("--location", str(folder))
    operations = []
    for number in (2, 3):
        name, table = f"V00{number}__t{number}.sql", f"core.t{number}"
        write(folder, name, f"CREATE TABLE {table} (id bigint);", rollback=f"DROP TABLE {table};")
        operations.append(wn.run("migrate", "apply", *here, "--yes", "--format", "json").json()["operation"])
    early = wn.run("audit", "undo", operations[0], "--yes")
    assert early.code == 1
    assert "003 t3 was applied after 002 t2" in early.out
    assert len(history(own.server, own.dbname)) == 3
    assert scalar(own.server, own.dbname, "SELECT to_regclass('core.t2') IS NOT NULL")
    for operation in reversed(operations):
        assert wn.run("audit", "undo", operation, "--yes").code == 0
    assert applied(history(own.server, own.dbname)) == [FIRST]


def test_a_file_is_not_run_before_one_that_comes_first(own: Migrate, folder: Path) -> None:
    for number in (2, 3):
        write(folder, f"V00{number}__t{number}.sql", f"CREATE TABLE core.t{number} (id bigint);")
    write(folder, "R__view.sql", "CREATE OR REPLACE VIEW core.one AS SELECT 1 AS one;")
    for step in own.plan().steps[1:]:
        with pytest.raises(Refused, match="002 t2 comes before") as caught:
            step.run(World({}, Progress(), lambda: False))
        assert caught.value.next == f"Make a new plan: wnadmin migrate apply --location {folder}"
    assert applied(history(own.server, own.dbname)) == [FIRST]
    own.apply()
    assert [row.version for row in history(own.server, own.dbname)] == ["001", "002", "003", None]


@pytest.mark.parametrize("make", ["CREATE TABLE public.{} (a int)", "CREATE VIEW public.{} AS SELECT 1 AS a"])
def test_something_else_of_the_historys_name(server: Server, empty_db: str, wn: Cli, make: str) -> None:
    with server.session(empty_db) as session:
        session.run(make.format(flyway.TABLE))
    for words in (("migrate", "status"), ("migrate", "apply", "--yes"), ("setup", "adopt", "--yes")):
        refused = wn.run(*words, "--dsn", server.dsn(empty_db))
        assert refused.code == 4, words
        assert "public.flyway_schema_history is not Flyway's history" in refused.err
        assert "wnadmin: next: See what it is" in refused.err


def test_every_command_that_is_named_names_the_folders(own: Migrate, folder: Path, wn: Cli) -> None:
    here = ("--location", str(folder))
    write(folder, "V002__notes.sql", NOTES)
    tail = f" --location {folder}"
    assert wn.run("migrate", "status", *here, "--format", "json").json()["next"] == f"wnadmin migrate apply{tail}"
    (waiting,) = wn.run("migrate", "validate", *here, "--format", "json").json()["findings"]
    assert waiting["remediation"] == f"wnadmin migrate apply{tail}"
    done = wn.run("migrate", "apply", *here, "--yes", "--format", "json").json()
    assert done["next"] == f"wnadmin setup drift{tail}"
    (folder / "V002__notes.sql").write_text((folder / "V002__notes.sql").read_text() + "-- later\n")
    refused = wn.run("migrate", "apply", *here, "--yes")
    assert f"wnadmin migrate repair{tail}" in refused.err
    (changed,) = wn.run("migrate", "validate", *here, "--format", "json").json()["findings"]
    assert changed["remediation"] == f"restore the file, or: wnadmin migrate repair{tail}"


def test_what_is_not_taken_is_told_by_apply(own: Migrate, folder: Path) -> None:
    write(folder, "v002__small.sql", NOTES)
    plan = own.plan()
    assert plan.steps == ()
    assert "nothing is pending; not taken: v002__small.sql: " in plan.nothing
    write(folder, "V003__notes.sql", NOTES)
    assert any(one.startswith("not taken: v002__small.sql: ") for one in own.plan().effects)


def test_a_missing_file_is_marked_as_deleted_only_when_asked(own: Migrate, folder: Path, wn: Cli) -> None:
    here = ("--location", str(folder))
    for number in (2, 3):
        write(folder, f"V00{number}__t{number}.sql", f"CREATE TABLE core.t{number} (id bigint);")
    own.apply()
    path = folder / "V002__t2.sql"
    text = path.read_text()
    path.unlink()
    kept = wn.run("migrate", "repair", *here, "--yes")
    assert kept.code == 0
    assert "not here is the file of 002 t2: if it is gone for good: --delete-missing" in kept.out
    assert wn.run("migrate", "validate", *here).code == 3
    before = history(own.server, own.dbname)
    done = wn.run("migrate", "repair", *here, "--delete-missing", "--yes", "--format", "json")
    assert done.code == 0, done.err
    (mark,) = history(own.server, own.dbname)[3:]
    # As Flyway writes it: a row of its own that repeats the other.
    was = before[1]
    assert (mark.installed_rank, mark.version, mark.description, mark.type) == (4, "002", "t2", "DELETE")
    assert (mark.script, mark.checksum, mark.execution_time, mark.success) == (was.script, was.checksum, 0, True)
    assert history(own.server, own.dbname)[:3] == before
    assert wn.run("migrate", "validate", *here).code == 0
    assert wn.run("migrate", "repair", *here, "--delete-missing", "--check").code == 0
    # Should it come back, it is to be run again; and the mark can be taken off.
    path.write_text(text)
    assert wn.run("migrate", "validate", *here).code == 3
    assert wn.run("audit", "undo", done.json()["operation"], "--yes").code == 0
    assert history(own.server, own.dbname) == before
    assert wn.run("migrate", "validate", *here).code == 0


def test_failed_entries_and_missing_files_at_once(own: Migrate, folder: Path) -> None:
    with own.server.session(own.dbname) as session:
        for rank, name, success in ((2, "V002__gone.sql", True), (3, "R__gone.sql", True), (4, "V003__bad.sql", False)):
            session.run(flyway.insert_row(flyway.parse_name(name), rank=rank, sum_=7, milliseconds=1, success=success))
    path = write(folder, "V004__last.sql", "SELECT 1;")
    with own.server.session(own.dbname) as session:
        last = flyway.parse_name(path.name)
        session.run(flyway.insert_row(last, rank=5, sum_=1, milliseconds=1))
    plan = repair.plan_repair(own.locations, own.connect, {}, wait=5, delete_missing=True)
    assert [one.partition(":")[0] for one in plan.effects[:4]] == [
        "the entry of 003 bad, which did not succeed, is removed from the history",
        "002 gone, whose file is not here, is marked as deleted",
        "gone, whose file is not here, is marked as deleted",
        "004 last",
    ]
    carry_out(plan)
    rows = history(own.server, own.dbname)
    assert [(row.installed_rank, row.version, row.type) for row in rows] == [
        (1, "001", "SQL"),
        (2, "002", "SQL"),
        (3, None, "SQL"),
        (5, "004", "SQL"),
        (6, "002", "DELETE"),
        (7, None, "DELETE"),
    ]
    again = repair.plan_repair(own.locations, own.connect, {}, wait=5, delete_missing=True)
    assert again.steps == ()


def test_a_read_only_database_names_a_way_out_that_works(server: Server, fresh_db: str, own: Migrate) -> None:
    with server.session("postgres") as session:
        session.run(f'ALTER DATABASE "{fresh_db}" SET default_transaction_read_only = on')
    with pytest.raises(Refused, match="is read-only") as caught:
        own.plan()
    assert "BEGIN READ WRITE; ALTER DATABASE … RESET default_transaction_read_only; COMMIT;" in caught.value.next
    with server.session(fresh_db) as session:
        way = caught.value.next.partition("write: ")[2].replace("…", f'"{fresh_db}"')
        assert session.script(way).error is None
    assert own.plan().steps == ()


def test_who_may_not_write_the_history_is_told_before_anything(server: Server, fresh_db: str, wn: Cli) -> None:
    with server.session(fresh_db) as session:
        session.run(f"DROP TABLE public.{flyway.TABLE}")
    refused = wn.run("setup", "adopt", "--yes", "--dsn", server.dsn(fresh_db, "wondernest_app"))
    assert refused.code == 4
    assert "wondernest_app may not write the migration history" in refused.err
    record_v001(server, fresh_db)
