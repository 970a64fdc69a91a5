"""`setup status` tells what stands there, in every class of database."""

from __future__ import annotations

from tests.setup.support import Setup
from tests.support import Server
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.names import ROLES, SCHEMAS
from wnadmin.domain.setup.status import status
from wnadmin.postgres.database import Database
from wnadmin.results import Report


def facts(report: Report) -> dict[object, object]:
    return {row[0]: row[1] for row in report.tables[0].rows}


def test_a_complete_database(setup: Setup, server: Server, empty_db: str) -> None:
    setup.apply(empty_db)
    with server.session(empty_db) as session:
        report = status(Database(session), setup.bundle)
    assert [table.name for table in report.tables] == ["setup", "history", "partitions", "roles", "samples", "sizes"]
    told = facts(report)
    assert (told["class"], told["schemas"], told["version in the history"]) == ("complete", "10 of 10", "001")
    assert told["V001 recorded"] == told["V001 bundled"] == str(setup.bundle.v001_checksum)
    assert (told["differences from the files"], told["bundled files edited"]) == (0, "no")
    tables = {table.name: table for table in report.tables}
    assert [row[0] for row in tables["roles"].rows] == list(ROLES)
    assert all(row[1] for row in tables["roles"].rows)
    assert [row[0] for row in tables["sizes"].rows] == list(SCHEMAS)
    assert {row[0]: row[4] for row in tables["partitions"].rows} == {
        "analytics.events": 3, "audio.sessions": 3, "audit.activity_log": 3, "content.engagement": 3,
    }  # fmt: skip
    assert all(row[1] == 0 and isinstance(row[2], int) and row[2] > 0 for row in tables["samples"].rows)
    assert report.next == "wnadmin setup verify"


def test_an_empty_database(server: Server, empty_db: str, bundle: Bundle) -> None:
    with server.session(empty_db) as session:
        report = status(Database(session), bundle)
    assert len(report.tables) == 1
    assert facts(report)["class"] == "empty"
    assert report.next == "wnadmin setup apply"


def test_a_foreign_database_says_what_was_found(server: Server, empty_db: str, bundle: Bundle) -> None:
    with server.session(empty_db) as session:
        session.run("CREATE TABLE public.orders (id int)")
        report = status(Database(session), bundle)
    assert (facts(report)["class"], facts(report)["other objects"]) == ("foreign", 1)
    assert any("public.orders" in note for note in report.notes)


def test_a_half_made_database(server: Server, empty_db: str, bundle: Bundle) -> None:
    with server.session(empty_db) as session:
        assert session.script(bundle.files[0].text).error is None
    with server.session(empty_db) as session:
        report = status(Database(session), bundle)
    assert facts(report)["class"] == "partial"
    assert any("not counted" in note for note in report.notes)


def test_what_the_login_may_not_count_is_named(server: Server, db: str, bundle: Bundle) -> None:
    with server.session(db, "wondernest_monitor") as session:
        report = status(Database(session), bundle)
    assert [table.name for table in report.tables] == ["setup", "partitions", "roles", "sizes"]
    assert any("Sample data are not counted" in note for note in report.notes)
