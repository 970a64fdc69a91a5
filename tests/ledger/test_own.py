"""Who writes the ledger and may not read it still sees what it began itself, and can finish or take it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.ledger.samples import DONE, INTENT, OUTCOME, killed, rows, unfinished
from tests.migrate.support import history, record_v001, write
from tests.support import Cli, Server
from wnadmin.domain import audit
from wnadmin.errors import Blind, UsageError
from wnadmin.ledger import database
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target

MIGRATION = "wondernest_migration"


@pytest.fixture
def own(server: Server, db: Database) -> Iterator[Database]:
    """The same database as the login for migrations."""
    with server.session(db.name, MIGRATION) as session:
        yield Database(session)


def begin(target: Target, login: str, *, end: bool = False) -> UUID:
    """Begin an operation as ``login``."""
    op_id = uuid4()
    with Recorder.open(target.as_role(login), "migrate apply") as recorder:
        assert recorder.intent(op_id, {**INTENT, "command": "migrate apply"}).sink == "database"
        recorder.step_done(op_id, DONE)
        if end:
            recorder.outcome(op_id, OUTCOME)
    return op_id


def test_it_sees_what_it_began_and_nothing_else(own: Database, target: Target, state: Path) -> None:
    mine, done, other = begin(target, MIGRATION), begin(target, MIGRATION, end=True), begin(target, "postgres")
    assert [line["operation"] for line in rows(audit.log(own))] == [done, mine]
    assert [line["operation"] for line in rows(audit.unfinished(own))] == [mine]
    assert audit.identify(own, str(mine)[:8]) == mine
    found = audit.find(own, mine)
    assert found is not None
    assert (found.unfinished, list(found.receipts)) == (True, ["reset"])
    with pytest.raises(UsageError) as hidden:
        audit.find(own, other)
    assert hidden.value.what == (
        f"there is no operation {other} in the spool or among this login's own operations; the rest of the ledger was "
        "not read"
    )
    assert hidden.value.why == (
        f"The ledger is hidden from {MIGRATION}: only what it began itself is shown, and the spool. Log in as a member "
        "of wondernest_operator."
    )
    assert hidden.value.next == "Log in as whoever began it, or as a member of wondernest_operator."
    with pytest.raises(UsageError, match="no operation begins with"):
        audit.identify(own, str(other)[:8])
    with pytest.raises(Blind):
        database.entries(own.session)


def test_the_end_by_somebody_else_is_seen_too(own: Database, target: Target, state: Path) -> None:
    mine = begin(target, MIGRATION)
    with Recorder.open(target, "migrate apply") as recorder:
        recorder.outcome(mine, OUTCOME)
    assert rows(audit.unfinished(own)) == []


def test_an_entry_added_to_an_operation_of_others_opens_nothing(own: Database, target: Target, state: Path) -> None:
    other = begin(target, "postgres")
    with Recorder.open(target.as_role(MIGRATION), "migrate apply") as recorder:
        recorder.intent(other, INTENT)
    assert database.own(own.session) == []
    assert database.own(own.session, [other]) == []


def test_verification_does_not_call_it_well(own: Database, target: Target, state: Path) -> None:
    begin(target, MIGRATION, end=True)
    findings = {one.id: one for one in audit.verify(own).findings}
    assert findings["ledger.link"].severity == "unknown"
    assert findings["ledger.unfinished"].severity == "unknown"
    begin(target, MIGRATION)
    (open_one,) = [one for one in audit.verify(own).findings if one.id == "ledger.unfinished"]
    # This very process began it and its session has ended.
    assert (open_one.severity, open_one.evidence) == ("warn", "partial")


@pytest.mark.parametrize("login", ["wondernest_app", "wondernest_monitor", "wondernest_analytics"])
def test_who_may_not_write_sees_nothing(server: Server, db: Database, state: Path, login: str) -> None:
    with server.session(db.name, login) as session, pytest.raises(Blind):
        database.own(session)
    with server.session(db.name, login) as session:
        notes = audit.log(Database(session)).notes
    assert any("only the spool is shown" in one for one in notes)


@pytest.mark.parametrize("place", ["wnadmin.engine.apply:_intent", "wnadmin.engine.apply:_step"])
def test_a_migration_that_was_cut_off_is_finished_by_its_own_login(
    server: Server, fresh_db: str, cli: Cli, tmp_path: Path, place: str
) -> None:
    record_v001(server, fresh_db)
    for number, name in ((2, "notes"), (3, "remarks")):
        body = f"CREATE TABLE core.{name} (id bigint PRIMARY KEY);"
        write(tmp_path, f"V00{number}__{name}.sql", body, rollback=f"DROP TABLE core.{name};")
    here = Cli(cli.folder, server.dsn(fresh_db, MIGRATION))
    killed(here, place, 1, "migrate", "apply", "--location", str(tmp_path), "--yes")
    operation = unfinished(here)
    another = Cli(cli.folder, server.dsn(fresh_db, "wondernest_monitor")).run("audit", "resume", operation, "--yes")
    assert another.code == 2
    assert "in the spool; the ledger was not read" in another.err
    resumed = here.run("audit", "resume", operation[:8], "--yes", "--format", "json")
    assert (resumed.code, resumed.json()["schema"]) == (0, "wnadmin/migrate-apply/1"), resumed.err
    assert [one.version for one in history(server, fresh_db)] == ["001", "002", "003"]
    refused = here.run("audit", "resume", operation, "--yes")
    assert (refused.code, f"operation {operation} is finished" in refused.err) == (4, True)
    undone = here.run("audit", "undo", operation, "--yes", "--format", "ndjson")
    assert undone.code == 0, undone.err
    assert [one.version for one in history(server, fresh_db)] == ["001"]
