"""`setup status` tells what stands there, in every class of database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup.support import Setup
from tests.support import Cli, Server
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.names import ROLES, SCHEMAS
from wnadmin.domain.setup.status import status
from wnadmin.errors import Blind
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


@pytest.mark.parametrize("login", ["wondernest_app", "wondernest_analytics"])
def test_an_empty_database_answers_any_login(
    server: Server, template: str, empty_db: str, bundle: Bundle, login: str
) -> None:
    with server.session(empty_db, login) as session:
        assert facts(status(Database(session), bundle))["class"] == "empty"


def test_a_history_that_the_login_may_not_read_is_told_in_words(
    setup: Setup, server: Server, empty_db: str, bundle: Bundle
) -> None:
    setup.apply(empty_db)
    with server.session(empty_db, "wondernest_analytics") as session, pytest.raises(Blind) as caught:
        status(Database(session), bundle)
    assert caught.value.what == "this login cannot read the migration history"
    assert "wondernest_analytics may not read" in caught.value.why
    assert caught.value.next == "Log in as a superuser or as a member of wondernest_owner."


def test_a_server_older_than_the_profile_accepts(cli: Cli, server: Server, empty_db: str, tmp_path: Path) -> None:
    settings = tmp_path / "wnadmin.toml"
    settings.write_text(f'[profiles.new]\nprimary = "{server.dsn(empty_db)}"\nminimum_server = 99\n')
    for command in ("status", "verify"):
        ran = cli.run("setup", command, "--profile", "new", env={"WNADMIN_CONFIG": str(settings)})
        assert (ran.code, ran.out) == (4, ""), command
        assert "older than the minimum 99" in ran.err and "minimum_server" in ran.err and "next:" in ran.err


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


def test_a_password_that_never_ends_or_ended_long_ago(fresh_server: Server, bundle: Bundle) -> None:
    name = fresh_server.create("wondernest_template")
    with fresh_server.session(name) as session:
        session.run("ALTER ROLE wondernest_app VALID UNTIL 'infinity'")
        session.run("ALTER ROLE wondernest_backup VALID UNTIL '-infinity'")
        session.run("ALTER ROLE wondernest_monitor VALID UNTIL '2027-01-31 00:00 UTC'")
        report = status(Database(session), bundle)
    (roles,) = [table for table in report.tables if table.name == "roles"]
    until = {row[0]: row[-1] for row in roles.rows}
    assert until["wondernest_app"] is None
    assert str(until["wondernest_backup"]).startswith("0001-01-01")
    assert str(until["wondernest_monitor"]).startswith("2027-01-31")
