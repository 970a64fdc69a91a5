"""The recorder: the database where it can be written, the spool where it cannot, and nothing lost between."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ledger.samples import DONE, INTENT, OUTCOME, rows
from tests.support import SETTINGS, Server, end_server, scratch, start_server
from wnadmin.domain import audit
from wnadmin.errors import NoConnection, Refused
from wnadmin.ledger import canonical, database, walk
from wnadmin.ledger.operations import operations
from wnadmin.ledger.recorder import PAYLOAD_VERSION, Recorder
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target
from wnadmin.secret import Personal, Secret


def test_a_change_in_the_database(db: Database, target: Target, state: Path) -> None:
    op_id = uuid4()
    with Recorder.open(target, "queries reset") as recorder:
        places = [
            recorder.intent(op_id, INTENT).where,
            recorder.step_done(op_id, DONE).where,
            recorder.outcome(op_id, OUTCOME).where,
        ]
    assert places == ["ledger #1", "ledger #2", "ledger #3"]
    assert not Spool(state).path.exists()
    first = database.entries(db.session)[-1]
    assert first.facts() == {
        **INTENT, "v": PAYLOAD_VERSION, "op_id": str(op_id), "phase": "intent", "run": first.facts()["run"],
    }  # fmt: skip
    assert first.circumstances()["session_user"] == "postgres"
    (one,) = operations(database.entries(db.session))
    assert (one.op_id, one.command, one.argv) == (op_id, "queries reset", ("queries", "reset", "--all"))
    assert (one.args, one.inputs, one.digest) == ({"all": True}, {"before": 12}, "d" * 64)
    assert (one.outcome, one.milliseconds, one.reason, one.sink, one.seq) == ("done", 7, "a test", "database", 1)
    assert one.who == "operator@db1 as postgres"
    assert not one.unfinished
    receipt = one.receipts["reset"]
    assert (receipt.rows, receipt.milliseconds, receipt.values, receipt.text) == (1, 4, {"at": "now"}, "SELECT 1")
    found = audit.find(db, op_id)
    assert found is not None
    assert found.entries == one.entries


def test_every_other_phase(db: Database, target: Target, state: Path) -> None:
    with Recorder.open(target, "health run") as recorder:
        for record in (recorder.read, recorder.declined, recorder.dry_run, recorder.refused):
            assert record(uuid4(), {"command": "health run"}).sink == "database"
    listed = {one.phase: one.outcome for one in operations(database.entries(db.session))}
    assert listed == {"read": "done", "declined": "declined", "dry_run": "dry-run", "refused": "refused"}
    assert len(rows(audit.log(db))) == 4
    assert rows(audit.unfinished(db)) == []


def test_no_secret_and_no_person_is_recorded(db: Database, target: Target, state: Path) -> None:
    payload = {**INTENT, "args": {"password": Secret("hunter2"), "email": Personal("parent@example.com")}}
    with Recorder.open(target, "roles rotate") as recorder, Recorder.open(None, "roles rotate") as spooling:
        recorder.intent(uuid4(), payload)
        spooling.intent(uuid4(), payload)
    texts = [database.entries(db.session)[0].payload, Spool().path.read_text()]
    assert not any("hunter2" in text or "example.com" in text for text in texts)
    (stored, spooled) = (database.entries(db.session)[0].facts(), Spool().entries()[0].facts())
    assert stored["args"] == spooled["args"]
    assert stored["args"]["password"] == "***"


def test_a_key_that_fails_stops_an_intent_but_loses_no_outcome(db: Database, target: Target, state: Path) -> None:
    canonical.pseudonym_key(state)
    (state / canonical.KEY_FILE).chmod(0o644)
    payload = {**INTENT, "args": {"email": Personal("parent@example.com")}}
    with Recorder.open(target, "sample") as recorder:
        with pytest.raises(Refused, match="cannot record personal values"):
            recorder.intent(uuid4(), payload)
        assert recorder.outcome(uuid4(), payload).where == "ledger #1"
    assert database.entries(db.session)[0].facts()["args"] == {"email": "personal:***"}


def test_without_a_server_it_is_the_spool(state: Path) -> None:
    op_id = uuid4()
    with Recorder.open(None, "server start") as recorder:
        assert recorder.intent(op_id, INTENT).where == "spool #1 (no server is involved)"
        recorder.outcome(op_id, OUTCOME)
    (one,) = rows(audit.log(None))
    assert (one["operation"], one["status"], one["recorded"]) == (op_id, "done", "spool #1")


def test_nothing_to_connect_to(state: Path, tmp_path: Path) -> None:
    nowhere = Target({"host": str(tmp_path), "dbname": "wondernest", "user": "postgres"})
    with Recorder.open(nowhere, "queries reset") as recorder:
        recorded = recorder.refused(uuid4(), INTENT)
        assert recorded.sink == "spool"
        assert "cannot connect to wondernest" in recorded.why
        with pytest.raises(NoConnection):
            recorder.try_lock("queries")
    assert "cannot connect" in Spool().entries()[0].circumstances()["why"]


def test_neither_database_nor_spool(state: Path) -> None:
    state.mkdir(mode=0o700)
    Spool(state).path.mkdir()
    with Recorder.open(None, "server start") as recorder, pytest.raises(Refused, match="cannot record the intent"):
        recorder.intent(uuid4(), INTENT)


def test_a_database_without_the_function(server: Server, empty_db: str, state: Path) -> None:
    with Recorder.open(server.target(empty_db), "setup apply") as recorder:
        recorded = recorder.intent(uuid4(), INTENT)
    assert recorded.where == f"spool #1 (the ledger is not installed in {empty_db})"


def test_the_ledger_appears_while_a_command_runs(server: Server, empty_db: str, state: Path) -> None:
    from tests.support import install

    op_id = uuid4()
    with Recorder.open(server.target(empty_db), "setup apply") as recorder:
        assert recorder.intent(op_id, INTENT).sink == "spool"
        install(server, empty_db)
        assert recorder.outcome(op_id, OUTCOME).where == "ledger #1"
    with server.session(empty_db) as session:
        (one,) = rows(audit.log(Database(session)))
        assert rows(audit.unfinished(Database(session))) == []
    assert (one["status"], one["recorded"]) == ("done", "spool #1, ledger #1")


def test_a_login_that_may_not_append(server: Server, db: Database, target: Target, state: Path) -> None:
    with Recorder.open(target.as_role("wondernest_app"), "health run") as recorder:
        recorded = recorder.read(uuid4(), INTENT)
    assert recorded.where == "spool #1 (wondernest_app may not execute audit.ledger_append)"


def test_an_operator_appends_and_reads_without_being_a_superuser(
    server: Server, db: Database, target: Target, state: Path
) -> None:
    db.session.run("CREATE ROLE ledger_operator LOGIN IN ROLE wondernest_operator")
    try:
        op_id = uuid4()
        with Recorder.open(target.as_role("ledger_operator"), "queries reset") as recorder:
            assert recorder.intent(op_id, INTENT).where == "ledger #1"
            assert recorder.outcome(op_id, OUTCOME).where == "ledger #2"
        with server.session(target.database(), "ledger_operator") as session:
            findings = audit.verify(Database(session)).findings
        assert {one.severity for one in findings} == {"ok"}
    finally:
        db.session.run("DROP ROLE ledger_operator")


def test_a_read_only_database_still_records(db: Database, target: Target, state: Path) -> None:
    db.session.run(f'ALTER DATABASE "{target.database()}" SET default_transaction_read_only = on')
    with Recorder.open(target, "readonly on") as recorder:
        assert recorder.intent(uuid4(), INTENT).where == "ledger #1"


def test_an_append_that_the_server_refuses_goes_to_the_spool(db: Database, target: Target, state: Path) -> None:
    db.session.run(
        "CREATE OR REPLACE FUNCTION audit.ledger_append(p_op_id uuid, p_phase text, p_payload text)"
        " RETURNS TABLE (seq bigint, ts timestamptz, h bytea) LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION USING ERRCODE = '25006', MESSAGE = 'read-only for now'; END $$"
    )
    with Recorder.open(target, "queries reset") as recorder:
        recorded = recorder.outcome(uuid4(), OUTCOME)
    assert recorded.where == "spool #1 (append to the ledger: read-only for now)"


def test_the_session_is_autocommit_and_never_idle_in_a_transaction(db: Database, target: Target, state: Path) -> None:
    with Recorder.open(target, "a test of idleness") as recorder:
        recorder.intent(uuid4(), INTENT)
        recorder.try_lock("x")
        state_of = "SELECT state FROM pg_catalog.pg_stat_activity WHERE application_name = 'wnadmin/a test of idleness'"
        assert db.session.scalar(state_of) == "idle"
        shown = "SELECT count(*) FROM audit.operator_ledger"
        assert db.session.scalar(shown) == 1


def test_a_terminated_session_is_opened_anew_and_nothing_is_written_twice(
    db: Database, target: Target, state: Path
) -> None:
    op_id = uuid4()
    kill = (
        "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity"
        " WHERE application_name = 'wnadmin/cut off'"
    )
    with Recorder.open(target, "cut off") as recorder:
        recorder.intent(op_id, INTENT)
        assert recorder.try_lock("changes") is None
        assert db.session.scalar(kill) is True
        assert recorder.outcome(op_id, OUTCOME).where == "ledger #2"
        with Recorder.open(target, "another") as other:
            assert other.try_lock("changes") is not None, "the lock was taken again"
    assert [one.phase for one in database.entries(db.session)] == ["outcome", "intent"]


def test_an_answer_that_was_lost_is_not_recorded_again(
    db: Database, target: Target, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    op_id = uuid4()
    append = database.append
    with Recorder.open(target, "cut off") as recorder:
        recorder.intent(op_id, INTENT)

        def lose(session: Session, *what: object) -> database.Appended:
            monkeypatch.setattr(database, "append", append)
            append(session, *what)  # type: ignore[arg-type]  # passed on as they came
            session.close()
            return append(session, *what)  # type: ignore[arg-type]  # fails: the connection is gone

        monkeypatch.setattr(database, "append", lose)
        assert recorder.outcome(op_id, OUTCOME).where == "ledger #2"
    assert db.session.scalar("SELECT count(*) FROM audit.operator_ledger") == 2
    assert not Spool().path.exists()


def test_a_server_killed_between_intent_and_outcome(state: Path, fresh_server: Server) -> None:
    target = fresh_server.target("wondernest_template")
    op_id = uuid4()
    with Recorder.open(target, "queries reset") as recorder:
        assert recorder.intent(op_id, INTENT).where == "ledger #1"
        recorder.step_done(op_id, DONE)
        fresh_server.cluster.stop("immediate")
        recorded = recorder.outcome(op_id, {**OUTCOME, "status": "failed"})
        assert recorded.sink == "spool"
        assert "connect" in recorded.why or "connection" in recorded.why
    fresh_server.cluster.start(SETTINGS, fsync=False)
    with fresh_server.session("wondernest_template") as session:
        db = Database(session)
        (one,) = operations([*database.entries(session), *Spool().entries()])
        assert (one.outcome, one.unfinished, list(one.receipts)) == ("failed", False, ["reset"])
        assert rows(audit.unfinished(db)) == []
        (line,) = rows(audit.log(db))
        assert (line["status"], line["recorded"]) == ("failed", "ledger #1, spool #1")
        assert next(f for f in audit.verify(db).findings if f.id == "ledger.unfinished").severity == "ok"


def test_a_standby_records_in_the_spool(set_up_home: Path, state: Path) -> None:
    home = scratch("standby")
    one = Server(Cluster(set_up_home / "pg").copy(home / "pg"), home)
    try:
        signal_file = home / "pg" / "data" / "standby.signal"
        signal_file.touch()
        owner = signal_file.parent.stat()
        import os

        os.chown(signal_file, owner.st_uid, owner.st_gid)
        one.cluster.start(SETTINGS, fsync=False)
        with Recorder.open(one.target("wondernest_template"), "health run") as recorder:
            assert recorder.read(uuid4(), INTENT).where == "spool #1 (this server is a standby)"
            assert recorder.try_lock("a standby has locks too") is None
        with one.session("wondernest_template") as session:
            severities = {f.id: f.severity for f in audit.verify(Database(session)).findings}
        assert (severities["ledger.link"], severities["spool.link"]) == ("ok", "ok")
    finally:
        end_server(one)


CRASH = """
import sys, time, uuid
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.session import target_from_dsn
target = target_from_dsn(sys.argv[1], source="a test") if sys.argv[1] else None
recorder = Recorder.open(target, "queries reset")
recorder.intent(uuid.UUID(sys.argv[2]), {"command": "queries reset", "argv": ["queries", "reset"]})
print("begun", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("where", ["database", "spool"])
def test_a_killed_command_is_unfinished_and_a_running_one_is_running(
    server: Server, db: Database, state: Path, where: str
) -> None:
    op_id = uuid4()
    dsn = server.dsn(db.name) if where == "database" else ""
    process = subprocess.Popen([sys.executable, "-c", CRASH, dsn, str(op_id)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        (line,) = rows(audit.unfinished(db))
        assert (line["operation"], line["state"]) == (op_id, "running")
        assert all(f.severity == "ok" for f in audit.verify(db).findings if f.id == "ledger.unfinished")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    wait_for_end(db)
    report = audit.unfinished(db)
    (line,) = rows(report)
    assert (line["operation"], line["state"], line["command"]) == (op_id, "cut short", "queries reset")
    assert report.next == f"wnadmin audit resume {op_id}"
    (finding,) = [f for f in audit.verify(db).findings if f.id == "ledger.unfinished"]
    assert (finding.severity, finding.object) == ("warn", str(op_id))
    with Recorder.open(server.target(db.name), "queries reset") as recorder:
        recorder.intent(op_id, {**INTENT, "inputs": {"other": 1}})
        recorder.outcome(op_id, OUTCOME)
    assert rows(audit.unfinished(db)) == []


def wait_for_end(db: Database) -> None:
    """Wait until the server has seen that its clients are gone."""
    import time

    for _ in range(200):
        if not [one for one in database.running(db.session) if one.application_name == "wnadmin/queries reset"]:
            return
        time.sleep(0.05)
    raise AssertionError("the server keeps a session of a process that is gone")


def test_two_operators_on_one_change(db: Database, target: Target, state: Path) -> None:
    with Recorder.open(target, "roles rotate") as first, Recorder.open(target, "roles revoke") as second:
        assert first.try_lock("role wondernest_app") is None
        assert first.try_lock("role wondernest_app") is None
        holder = second.try_lock("role wondernest_app")
        assert holder is not None
        assert (holder.login, holder.application_name) == ("postgres", "wnadmin/roles rotate")
        assert holder.since is not None
        assert datetime.now(UTC) - holder.since < timedelta(minutes=5)
        assert f"server process {holder.pid}" in str(holder)
        assert second.try_lock("role wondernest_backup") is None
        first.close()
        for _ in range(100):
            if second.try_lock("role wondernest_app") is None:
                break
        else:
            raise AssertionError("the lock outlived its session")


def test_locks_without_a_server(state: Path) -> None:
    with Recorder.open(None, "server start") as first, Recorder.open(None, "server stop") as second:
        assert first.try_lock("server") is None
        holder = second.try_lock("server")
        assert holder is not None
        assert (holder.application_name, holder.local) == ("wnadmin/server start", True)
        first.close()
        assert second.try_lock("server") is None


WRITER = """
import sys, uuid
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.session import target_from_dsn
with Recorder.open(target_from_dsn(sys.argv[1], source="a test"), "sessions end") as recorder:
    recorder.read(uuid.uuid4(), {"writer": sys.argv[2], "number": 0})
    sys.stdin.readline()
    for number in range(1, 200):
        assert recorder.read(uuid.uuid4(), {"writer": sys.argv[2], "number": number}).sink == "database"
"""


def test_eight_writers_make_one_chain(server: Server, db: Database, state: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, server.dsn(db.name), str(one)], stdin=subprocess.PIPE, text=True
        )
        for one in range(8)
    ]
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.close()
    assert [one.wait(120) for one in writers] == [0] * 8
    links = walk.Walk().run(db.session).links
    assert (links.count, links.seq, links.breaks) == (1600, 1600, [])
    entries = database.entries(db.session)
    assert len({one.prev for one in entries}) == 1600
    assert len({(one.facts()["writer"], one.facts()["number"]) for one in entries}) == 1600
    # They did take turns: eight sequences one after another would prove nothing.
    turns = sum(a.facts()["writer"] != b.facts()["writer"] for a, b in itertools.pairwise(entries))
    assert turns > 200


def test_two_servers_are_two_ledgers(db: Database, state: Path) -> None:
    other = start_server("second")
    try:
        with other.session() as session:
            assert database.present(session).origin != database.present(db.session).origin
    finally:
        end_server(other)
