"""Plans of the tests' own, run by the engine in this process: failures, undo, values that must not travel."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Rows
from tests.support import Server, scratch
from wnadmin import assets
from wnadmin.engine import life
from wnadmin.engine.declare import Declared
from wnadmin.engine.operation import Prior
from wnadmin.engine.options import Options
from wnadmin.errors import Exit, Failed, Refused
from wnadmin.postgres.database import Batches, Database
from wnadmin.postgres.sql import SQL
from wnadmin.postgres.variables import render
from wnadmin.results import Finding, Outcome, Plan, Receipt, Step, Value, World
from wnadmin.secret import Personal, Secret


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state"
    monkeypatch.setenv("WNADMIN_STATE", str(path))
    return path


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of bundled SQL of the test's own."""
    folder = scratch("sql")
    shutil.copytree(assets.root("sql") / "queries", folder / "queries")
    monkeypatch.setattr(assets, "root", lambda kind: folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def table(server: Server, fresh_db: str) -> str:
    with server.session(fresh_db) as session:
        session.run("CREATE TABLE public.notes (id int PRIMARY KEY, body text)")
    return fresh_db


def run(body: Any, server: Server, dbname: str, **more: Any) -> tuple[Outcome, int]:
    options = Options(dsn=server.dsn(dbname), yes=True, quiet=True, **more.pop("options", {}))
    declared = Declared("tests change", body, "Plan", {"db": "Database"})
    value, code = life.run(declared, {}, [], options, **more)
    assert isinstance(value, Outcome)
    return value, code


def insert(db: Database, number: int, rows: int | None = 1) -> Any:
    return db.composed(SQL("INSERT INTO public.notes VALUES ({})").format(number), rows=rows, where=f"insert {number}")


def count(server: Server, dbname: str) -> int:
    with server.session(dbname) as session:
        found: int = session.scalar("SELECT count(*) FROM public.notes")
        return found


def test_a_step_that_touches_another_number_of_rows_is_rolled_back(server: Server, table: str, rows: Rows) -> None:
    def body(db: Database) -> Plan:
        nothing = db.composed(SQL("DELETE FROM public.notes WHERE id = 99"), rows=1, where="delete 99")
        return Plan(
            "Change",
            (
                db.transaction("First", "first", [insert(db, 1), nothing]),
                db.transaction("Second", "second", [insert(db, 2)]),
            ),
        )

    outcome, code = run(body, server, table)
    assert code is Exit.FAILED
    assert [step.status for step in outcome.steps] == ["failed", "not run"]
    assert "delete 99 touched 0 rows where 1 was expected" in outcome.detail
    assert outcome.next == f"Look again and make a new plan. Then: wnadmin audit resume {outcome.operation}"
    assert count(server, table) == 0
    assert [payload.get("status") for phase, payload in rows.all() if phase == "outcome"] == ["failed"]


def test_a_step_may_fail_alone(server: Server, table: str) -> None:
    def body(db: Database) -> Plan:
        bad = Step("bad", "Bad", ("-",), _fails, on_failure="continue")
        return Plan("Change", (bad, db.transaction("Good", "good", [insert(db, 1)])))

    outcome, code = run(body, server, table)
    assert code is Exit.FAILED, "a failure in part is a failure"
    assert [step.status for step in outcome.steps] == ["failed", "done"]
    assert count(server, table) == 1


def _fails(world: World) -> Receipt:
    raise Failed("it broke", why="on purpose")


def test_what_is_not_proven_is_not_done(server: Server, table: str) -> None:
    def body(db: Database) -> Plan:
        proof = [Finding("t", "t", "unknown", "hidden from this login")]
        return Plan("Change", (db.transaction("One", "one", [insert(db, 1)]),), verify=lambda: proof)

    outcome, code = run(body, server, table)
    assert (outcome.status, code) == ("failed", Exit.FAILED)
    assert outcome.detail == "not proven: hidden from this login"


def test_done_steps_are_skipped_and_undo_runs_backwards(server: Server, table: str, rows: Rows) -> None:
    def body(db: Database) -> Plan:
        def step(number: int) -> Step:
            gone = db.composed(SQL("DELETE FROM public.notes WHERE id = {}").format(number), rows=1, where="undo")
            return db.transaction(f"Insert {number}", f"insert {number}", [insert(db, number)], undo=[gone])

        return Plan("Change", (step(1), step(2), Step("look", "Look", ("-",), lambda world: Receipt("look"))))

    first, _ = run(body, server, table)
    assert count(server, table) == 2
    prior = Prior(first.operation, {}, {key: Receipt(key) for key in ("insert 1", "insert 2", "look")})
    again, code = run(body, server, table, prior=prior)
    assert code is Exit.OK
    assert {step.status for step in again.steps} == {"skipped"}
    undone, code = run(body, server, table, prior=prior, undo=True)
    assert code is Exit.OK
    assert [step.key for step in undone.steps] == ["undo insert 2", "undo insert 1"]
    assert count(server, table) == 0
    statuses = [(payload["step"], payload["status"]) for phase, payload in rows.all() if phase == "done"]
    assert statuses[-2:] == [("insert 2", "undone"), ("insert 1", "undone")]
    with pytest.raises(Refused, match="has no step that can be undone"):
        run(body, server, table, prior=Prior(first.operation, {}, {"look": Receipt("look")}), undo=True)


def test_secret_and_personal_values_do_not_travel(
    server: Server, table: str, rows: Rows, bundled: Path, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (bundled / "changes").mkdir()
    (bundled / "changes" / "note.sql").write_text(
        "INSERT INTO public.notes VALUES (1, md5(:'key'::text) || :'email'::text)"
    )

    def body(db: Database) -> Plan:
        values: dict[str, Value] = {"key": Secret("swordfish"), "email": Personal("kid@example.com")}
        step = db.statement("Note", "changes/note", values, rows=1)
        return Plan("Change", (step,), inputs={"kept": "plain"})

    with server.session(table) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
    outcome, code = run(body, server, table)
    assert code is Exit.OK
    assert "kid@example.com" in outcome.steps[0].shows[0], "the operator sees what he asked for"
    with server.session(table) as session:
        texts = session.run("SELECT query FROM extensions.pg_stat_statements").rows
        assert session.scalar("SELECT body FROM public.notes") == "15b29ffdce66e10527a65bc6d71ad94dkid@example.com"
    spool = "".join(path.read_text(errors="replace") for path in state.rglob("*") if path.is_file())
    printed = "".join(capfd.readouterr())
    everything = json.dumps(rows.all()) + spool + printed + str(texts)
    log = "".join(path.read_text(errors="replace") for path in server.cluster.status().log.rglob("*.log"))
    for secret in ("swordfish", "kid@example.com"):
        assert secret not in everything
        assert secret not in log
    assert "swordfish" not in repr(outcome)


def test_a_change_whose_intent_cannot_be_recorded_is_not_begun(
    cli_less_server: None, server: Server, state: Path
) -> None:
    name = server.create()
    try:
        with server.session(name) as session:
            session.run("CREATE TABLE public.notes (id int PRIMARY KEY, body text)")
        # No ledger here, and the spool cannot be written: its folder is a file.
        state.write_text("in the way")

        def body(db: Database) -> Plan:
            return Plan("Change", (db.transaction("One", "one", [insert(db, 1)]),))

        with pytest.raises(Refused, match="cannot record"):
            run(body, server, name)
        assert count(server, name) == 0
        with pytest.raises(Refused, match="--break-glass needs --reason"):
            run(body, server, name, options={"break_glass": True})
        outcome, code = run(body, server, name, options={"break_glass": True, "reason": "the disk is full"})
        assert code is Exit.OK
        assert outcome.recorded.startswith("nowhere: ")
        assert count(server, name) == 1
    finally:
        server.drop(name)


@pytest.fixture
def cli_less_server(server: Server) -> None:
    """Only so that the server stands before the state folder is spoilt."""


def test_the_first_signal_finishes_the_batch_and_resume_goes_on(
    server: Server, table: str, rows: Rows, bundled: Path
) -> None:
    (bundled / "changes").mkdir()
    (bundled / "changes" / "batch.sql").write_text(
        "INSERT INTO public.notes SELECT n, pg_sleep(0.05)::text FROM generate_series(:'a'::int, :'b'::int) AS n"
    )

    def body(db: Database) -> Plan:
        def left() -> list[int]:
            return list(range(db.session.scalar("SELECT coalesce(max(id), 0) FROM public.notes"), 40, 4))

        def insert_four(at: int) -> None:
            given = render(assets.load("changes/batch").text, {"a": at + 1, "b": at + 4})
            db.session.run(given.query)

        work = Batches("Insert", "notes", left, insert_four, 40, lambda at: 4, ("INSERT …",))
        step = db.batches("Insert", "insert", work)
        return Plan("Change", (step,))

    def interrupt() -> None:
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt, daemon=True).start()
    outcome, code = run(body, server, table)
    assert (outcome.status, code) == ("interrupted", Exit.FAILED)
    done = count(server, table)
    assert 0 < done < 40
    assert done % 4 == 0, "a batch is all or nothing"
    assert [payload["status"] for phase, payload in rows.all() if phase == "outcome"] == ["interrupted"]
    _, code = run(body, server, table, prior=Prior(outcome.operation, {}, {}))
    assert code is Exit.OK
    assert count(server, table) == 40


def test_the_server_dies_during_a_step(fresh_server: Server, state: Path) -> None:
    from tests.conftest import TEMPLATE

    def body(db: Database) -> Plan:
        slow = db.composed(SQL("SELECT pg_sleep(60)"), where="sleep")
        return Plan("Change", (db.transaction("Sleep", "sleep", [slow]),))

    def crash() -> None:
        time.sleep(1)
        fresh_server.cluster.stop("immediate")

    killer = threading.Thread(target=crash)
    killer.start()
    outcome, code = run(body, fresh_server, TEMPLATE)
    killer.join()
    assert (outcome.status, code) == ("failed", Exit.FAILED)
    assert "connection to the server was lost" in outcome.detail or "terminating connection" in outcome.detail
    assert outcome.recorded.startswith("spool #")
    spooled = [json.loads(line) for line in (state / "ledger-spool.jsonl").read_text().splitlines()]
    assert any('"outcome"' in json.dumps(one) or one.get("phase") == "outcome" for one in spooled)


def test_a_standby_refuses_changes_and_answers_reads(set_up_home: Path, tmp_path: Path) -> None:
    from tests.conftest import TEMPLATE
    from tests.support import SETTINGS, Cli, end_server
    from wnadmin.postgres.embedded import Cluster, server_account

    home = scratch("standby")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")
    signal_file = cluster.status(size=False).data / "standby.signal"
    signal_file.touch()
    if os.geteuid() == 0:
        account = server_account()
        os.chown(signal_file, account.uid, account.gid)
    cluster.start({**SETTINGS, "hot_standby": "on"}, fsync=False)
    standby = Server(cluster, home)
    try:
        cli = Cli(tmp_path, standby.dsn(TEMPLATE))
        refused = cli.run("queries", "reset", "--yes")
        assert refused.code == 4
        assert "this server is a standby" in refused.err
        assert "Point it at the primary" in refused.err
        read = cli.run("audit", "log", "--format", "json")
        assert read.code == 0, read.err
        spool = (cli.state / "ledger-spool.jsonl").read_text()
        assert "this server is a standby" in spool, "its rows go to the spool"
    finally:
        end_server(standby)
