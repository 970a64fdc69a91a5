"""One spool, several databases: each is judged by its own operations, and no answer is given where none was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.ledger.samples import DONE, INTENT, OUTCOME, rows
from tests.support import Server
from wnadmin.domain import audit
from wnadmin.errors import UsageError
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target


@dataclass(frozen=True, slots=True)
class Begun:
    """Operations in one spool that nobody ended: on this machine, on the connected database, on others."""

    machine: UUID
    mine: UUID
    known: UUID
    unreachable: UUID


def begin(target: Target | None, command: str) -> UUID:
    """Record an intent and nothing more."""
    op_id = uuid4()
    with Recorder.open(target, command) as recorder:
        told = target.describe() if target else "this machine"
        assert recorder.intent(op_id, {**INTENT, "command": command, "target": told}).sink == "spool"
    return op_id


@pytest.fixture
def begun(server: Server, target: Target, empty_db: str, state: Path, tmp_path: Path) -> Begun:
    """Begin one of each kind; the other database has no ledger, the unreachable one no server."""
    as_app = target.as_role("wondernest_app")
    return Begun(
        machine=begin(None, "server start"),
        mine=begin(as_app, "queries reset"),
        known=begin(server.target(empty_db), "setup apply"),
        unreachable=begin(Target({"host": str(tmp_path), "dbname": "elsewhere"}), "queries reset"),
    )


def test_each_database_has_its_own_unfinished_operations(db: Database, begun: Begun) -> None:
    report = audit.unfinished(db)
    found = rows(report)
    states = {line["operation"]: line["state"] for line in found}
    # This very process began the first two and is still there.
    assert states == {
        begun.machine: "running", begun.mine: "running", begun.known: "elsewhere", begun.unreachable: "elsewhere",
    }  # fmt: skip
    assert [line["state"] for line in found] == ["running"] * 2 + ["elsewhere"] * 2, "its own come first"
    assert str(found[2]["target"]).startswith("elsewhere at")
    assert report.next == ""
    findings = {one.id: one for one in audit.verify(db).findings}
    assert findings["ledger.unfinished"].severity == "ok"
    other = findings["spool.elsewhere"]
    assert other.severity == "skipped"
    assert other.detail == "2 unfinished operations of other databases are in the spool"


def test_the_same_words_are_the_same_database_when_nothing_better_is_known(
    db: Database, server: Server, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wnadmin.errors import NoConnection
    from wnadmin.ledger import recorder

    def refuse(*_: object, **__: object) -> None:
        raise NoConnection("cannot connect: the server is being started")

    monkeypatch.setattr(recorder, "connect", refuse)
    mine = begin(db.session.target, "queries reset")
    begin(replace(db.session.target, parameters={**db.session.target.parameters, "dbname": "other"}), "queries reset")
    states = [(line["operation"], line["state"]) for line in rows(audit.unfinished(db))]
    assert states[0] == (mine, "running")
    assert [state for _, state in states] == ["running", "elsewhere"]


def test_the_other_database_sees_its_own(server: Server, empty_db: str, begun: Begun) -> None:
    with server.session(empty_db) as session:
        states = {line["operation"]: line["state"] for line in rows(audit.unfinished(Database(session)))}
    assert states == {
        begun.machine: "running", begun.mine: "elsewhere", begun.known: "running", begun.unreachable: "elsewhere",
    }  # fmt: skip


def test_the_log_is_of_the_connected_database(db: Database, begun: Begun) -> None:
    report = audit.log(db)
    assert [line["operation"] for line in rows(report)] == [begun.mine, begun.machine]
    (note,) = report.notes
    assert note.startswith("2 operations of other databases are in the spool and not shown")
    everything = audit.log(None)
    assert len(rows(everything)) == 4
    assert not any("not shown" in one for one in everything.notes)
    assert [line["operation"] for line in rows(audit.log(db, limit=1))] == [begun.mine], "the others take no room"


def test_one_operation_is_found_wherever_it_was(db: Database, begun: Begun) -> None:
    assert audit.identify(db, str(begun.known)[:13]) == begun.known
    assert rows(audit.log(db, op_id=begun.known))[0]["command"] == "queries reset --all"
    assert audit.find(db, begun.unreachable) is not None


def test_a_step_in_the_spool_of_an_operation_in_the_ledger_is_no_open_operation(
    db: Database, target: Target, state: Path
) -> None:
    op_id = uuid4()
    with (
        Recorder.open(target, "queries reset") as recorder,
        Recorder.open(target.as_role("wondernest_app"), "queries reset") as cut_off,
    ):
        recorder.intent(op_id, INTENT)
        assert cut_off.step_done(op_id, DONE).sink == "spool"
        recorder.outcome(op_id, OUTCOME)
    for seen in (db, None):
        assert rows(audit.unfinished(seen)) == []
    (line,) = rows(audit.log(db))
    assert (line["status"], line["steps"]) == ("done", 1)


def test_steps_that_are_done_are_named_and_no_more(db: Database, target: Target, state: Path) -> None:
    op_id = uuid4()
    with Recorder.open(target, "queries reset") as recorder:
        recorder.intent(op_id, INTENT)
        recorder.step_done(op_id, DONE)
        recorder.step_done(op_id, {**DONE, "step": "compare"})
        (line,) = rows(audit.unfinished(db))
    assert line["done"] == "reset, compare"


def test_nobody_looked_is_not_nothing_is_there(server: Server, db: Database, state: Path) -> None:
    with server.session(db.name, "wondernest_app") as session:
        for seen in (None, Database(session)):
            report = audit.unfinished(seen)
            assert report.tables[0].empty == "nothing unfinished is in the spool; the ledger was not read"
            assert report.notes != ()
            assert audit.log(seen).tables[0].empty == "nothing is recorded in the spool; the ledger was not read"
            one = audit.log(seen, op_id=UUID(int=1)).tables[0].empty
            assert one == f"nothing is recorded of {UUID(int=1)} in the spool; the ledger was not read"
            (finding,) = [f for f in audit.verify(seen).findings if f.id == "ledger.unfinished"]
            assert (finding.severity, finding.evidence) == ("unknown", "partial")
            with pytest.raises(UsageError) as caught:
                audit.identify(seen, "abcdef")
            assert "all 0 operations in the spool; the ledger was not read" in caught.value.why
    assert audit.unfinished(db).tables[0].empty == "every operation has an outcome"
    assert audit.log(db).tables[0].empty == "nothing is recorded"
    with pytest.raises(UsageError) as caught:
        audit.identify(db, "abcdef")
    assert caught.value.why == "It was compared with all 0 operations of ledger and spool."


def test_what_the_spool_shows_is_a_warning_even_when_the_ledger_is_hidden(state: Path) -> None:
    import json
    import subprocess
    import sys

    op_id = uuid4()
    script = "import sys; from uuid import UUID; from wnadmin.ledger.recorder import Recorder; import json\n"
    script += "Recorder.open(None, 'server start').intent(UUID(sys.argv[1]), json.loads(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", script, str(op_id), json.dumps(INTENT)], check=True)
    (finding,) = [one for one in audit.verify(None).findings if one.id == "ledger.unfinished"]
    assert (finding.severity, finding.evidence, finding.object) == ("warn", "partial", str(op_id))
