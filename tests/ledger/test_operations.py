"""Operations out of entries, and what ``audit log`` and ``audit child`` make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.ledger.samples import INTENT, OUTCOME, rows
from tests.support import Server
from wnadmin.domain import audit
from wnadmin.errors import Blind, Failed
from wnadmin.ledger import canonical
from wnadmin.ledger.chain import ZERO, Entry, Phase, Sink
from wnadmin.ledger.operations import operations
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target


def entry(op_id: UUID, phase: Phase, seconds: int, run: str, sink: Sink, seq: int, **facts: object) -> Entry:
    """An entry made by hand, to order times freely."""
    payload = canonical.dumps({**facts, "op_id": op_id, "phase": phase, "run": run})
    ts = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return Entry(seq, ts, op_id, phase, "{}", payload, ZERO, ZERO, sink)


OP = UUID(int=5)


@pytest.mark.parametrize(
    ("entries", "outcome"),
    [
        # The client's clock is behind the server's: the outcome seems to come first.
        ([entry(OP, "intent", 9, "a", "database", 1), entry(OP, "outcome", 2, "a", "spool", 1, status="done")], "done"),
        # Resumed after a failure, and killed: unfinished again.
        (
            [
                entry(OP, "intent", 1, "a", "database", 1),
                entry(OP, "outcome", 2, "a", "database", 2, status="failed"),
                entry(OP, "intent", 3, "b", "database", 3),
            ],
            None,
        ),
        # Killed, then resumed to its end.
        (
            [
                entry(OP, "intent", 1, "a", "database", 1),
                entry(OP, "intent", 3, "b", "database", 2),
                entry(OP, "outcome", 4, "b", "database", 3, status="done"),
            ],
            "done",
        ),
        # A resume that found nothing to do ends it; one that was only tried does not.
        (
            [entry(OP, "intent", 1, "a", "database", 1), entry(OP, "outcome", 4, "b", "spool", 1, status="nothing")],
            "nothing",
        ),
        ([entry(OP, "intent", 1, "a", "database", 1), entry(OP, "dry_run", 4, "b", "database", 2)], None),
        ([entry(OP, "intent", 1, "a", "database", 1), entry(OP, "refused", 4, "b", "spool", 1)], None),
        # The outcome of the first run, late by its clock, does not end the second.
        (
            [
                entry(OP, "intent", 1, "a", "database", 1),
                entry(OP, "outcome", 9, "a", "spool", 1, status="failed"),
                entry(OP, "intent", 5, "b", "database", 2),
            ],
            None,
        ),
        # Taken back.
        (
            [
                entry(OP, "intent", 1, "a", "database", 1),
                entry(OP, "outcome", 2, "a", "database", 2, status="done"),
                entry(OP, "intent", 3, "b", "database", 3, inputs={"undoes": str(OP)}),
                entry(OP, "outcome", 4, "b", "database", 4, status="done"),
            ],
            "undone",
        ),
    ],
)
def test_which_outcome_ends_an_operation(entries: list[Entry], outcome: str | None) -> None:
    (one,) = operations(reversed(entries))
    assert one.outcome == outcome
    assert one.unfinished == (outcome is None)


def test_steps_that_stand(state: Path) -> None:
    steps = [("a", "done"), ("b", "done"), ("c", "failed"), ("b", "undone")]
    made = [
        entry(OP, "done", number, "r", "spool", number + 2, step=step, status=status, receipt={"rows": number})
        for number, (step, status) in enumerate(steps)
    ]
    first = entry(OP, "intent", -1, "r", "spool", 1, inputs={"x": 1}, command="c", parent=str(UUID(int=9)))
    (one,) = operations([first, *made, made[0]])
    assert list(one.receipts) == ["a"]
    assert one.receipts["a"].rows == 0
    assert [(step.step, step.status) for step in one.steps] == steps
    assert (one.inputs, one.parent) == ({"x": 1}, UUID(int=9))


def test_log_is_newest_first_and_limited(db: Database, target: Target, state: Path) -> None:
    ids = [uuid4() for _ in range(6)]
    with Recorder.open(target, "queries reset") as recorder, Recorder.open(None, "server start") as spooling:
        for number, op_id in enumerate(ids):
            one = spooling if number % 3 == 0 else recorder
            one.intent(op_id, INTENT)
            one.outcome(op_id, OUTCOME)
    assert [line["operation"] for line in rows(audit.log(db, limit=4))] == ids[:1:-1]
    middle = rows(audit.log(db))[2]["started"]
    assert isinstance(middle, datetime)
    assert len(rows(audit.log(db, since=middle))) == 3
    one_only = audit.log(db, op_id=ids[1])
    assert len(rows(one_only)) == 1
    assert [line["phase"] for line in rows(one_only, 1)] == ["intent", "outcome"]
    assert audit.identify(db, str(ids[1])[:13]) == ids[1]


def test_one_childs_activity(db: Database, state: Path) -> None:
    child_id = uuid4()
    for action in ("INSERT", "UPDATE"):
        db.session.run(
            "INSERT INTO audit.activity_log (action, table_schema, table_name, child_id, changed, client_addr)"
            " VALUES (%s, 'family', 'child_profiles', %s, '{\"first_name\": \"x\"}', '192.0.2.7')",
            [action, str(child_id)],
        )
    report = audit.child(db, child_id)
    assert report.notes == (
        "There is no such child any more; its removal is not in the log. This is what is left of it.",
    )
    found = rows(report)
    assert [one["action"] for one in found] == ["UPDATE", "INSERT"]
    assert {one["child_id"] for one in found} == {child_id}
    assert found[0]["changed"] == {"first_name": "x"}
    assert found[0]["client_addr"] == "192.0.2.7"


def test_a_child_that_is_there_that_was_and_that_never_was(db: Database) -> None:
    child_id = db.session.scalar("SELECT c.id FROM family.child_profiles AS c ORDER BY c.id LIMIT 1")
    # The log of a fresh database knows nothing of its samples.
    db.session.run("DELETE FROM audit.activity_log WHERE child_id = %s", [child_id])
    there = audit.child(db, child_id)
    assert (rows(there), there.tables[0].empty) == ([], f"no change is recorded of child {child_id}")
    assert there.notes == ("The child is there; rows of the log past their retention are gone.",)
    db.session.run("UPDATE family.child_profiles SET first_name = 'Renamed' WHERE id = %s", [child_id])
    changed = audit.child(db, child_id)
    assert [one["action"] for one in rows(changed)] == ["UPDATE"]
    assert changed.notes == ()
    db.session.run("DELETE FROM family.child_profiles WHERE id = %s", [child_id])
    gone = audit.child(db, child_id)
    assert {one["action"] for one in rows(gone)} == {"UPDATE", "DELETE"}
    assert gone.notes[0].startswith("There is no such child any more: it was removed on 20")
    unknown = uuid4()
    with pytest.raises(Failed, match=f"no child {unknown} is known here") as caught:
        audit.child(db, unknown)
    assert caught.value.exit == 1


def test_whether_a_child_is_there_may_not_be_seen(server: Server, db: Database) -> None:
    db.session.run("CREATE ROLE log_reader LOGIN BYPASSRLS")
    try:
        db.session.run("GRANT USAGE ON SCHEMA audit TO log_reader")
        db.session.run("GRANT SELECT ON audit.activity_log TO log_reader")
        db.session.run(f'GRANT CONNECT ON DATABASE "{db.name}" TO log_reader')
        with server.session(db.name, "log_reader") as session:
            report = audit.child(Database(session), uuid4())
        assert rows(report) == []
        assert report.notes[0].startswith("Whether the child is there cannot be seen: GRANT USAGE ON SCHEMA family TO")
        for grant in report.notes[0].partition(": ")[2].rstrip(";").split("; "):
            db.session.run(grant)
        with server.session(db.name, "log_reader") as session, pytest.raises(Failed, match="is known here"):
            audit.child(Database(session), uuid4())
    finally:
        db.session.run("DROP OWNED BY log_reader")
        db.session.run("DROP ROLE log_reader")


def test_hidden_activity_is_an_error_and_never_a_shorter_list(server: Server, db: Database) -> None:
    with server.session(db.name, "wondernest_app") as session, pytest.raises(Blind):
        audit.child(Database(session), uuid4())
