"""`sql list|show|run`: every bundled file is listed and shown, and only queries run, a personal one on record."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.engine.conftest import Rows
from tests.support import Cli, Server
from wnadmin import assets
from wnadmin.postgres.session import Session

MAKING = [*(one.name.removesuffix(".sql") for one in assets.database_files()), "migration/V001__initial_schema"]


def listed(cli: Cli, *words: str) -> list[dict[str, object]]:
    ran = cli.run("sql", "list", *words, "--format", "json")
    assert ran.code == 0, ran.err
    found: list[dict[str, object]] = ran.json()["tables"]["files"]
    return found


def test_every_bundled_file_is_listed_in_its_group(cli: Cli) -> None:
    files = listed(cli)
    assert [one["name"] for one in files[: len(MAKING)]] == MAKING
    assert {one["group"] for one in files} >= {"database", "queries", "changes"}
    on_disk = {path.relative_to(assets.root("sql")).parts[0] for path in assets.root("sql").rglob("*.sql")}
    assert len({part for part in on_disk if part.endswith(".sql")}) == 7
    assert all(one["answers"] for one in files)


@pytest.mark.parametrize(
    ("area", "names"),
    [
        ("database", MAKING),
        ("04", ["04_create_functions"]),
        ("migration", MAKING[-1:]),
        ("queries/audit/child", ["queries/audit/child", "queries/audit/child_known"]),
        ("nothing/at/all", []),
    ],
)
def test_the_list_is_narrowed_by_group_or_beginning(cli: Cli, area: str, names: list[str]) -> None:
    assert [one["name"] for one in listed(cli, area)] == names


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("V001", "migration/V001__initial_schema.sql"),
        ("V001__initial_schema", "migration/V001__initial_schema.sql"),
        ("sql/migration/V001__initial_schema.sql", "migration/V001__initial_schema.sql"),
        ("07", "07_security_setup.sql"),
        ("07_security_setup.sql", "07_security_setup.sql"),
        ("queries/audit/child", "queries/audit/child.sql"),
    ],
)
def test_a_file_is_shown_as_psql_takes_it(cli: Cli, word: str, path: str) -> None:
    ran = cli.run("sql", "show", word)
    assert ran.code == 0, ran.err
    assert ran.out == (assets.root("sql") / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("word", ["01", "04_create_functions", "V001", "migration/V001__initial_schema"])
def test_what_makes_the_database_is_not_run_and_the_command_is_named(wn: Cli, rows: Rows, word: str) -> None:
    ran = wn.run("sql", "run", word)
    assert ran.code == 4
    assert "makes the database itself" in ran.err
    assert "next: wnadmin setup apply" in ran.err
    assert rows.all() == []


@pytest.fixture
def child(server: Server, fresh_db: str) -> UUID:
    """A child with a log."""
    with server.session(fresh_db) as session:
        found: UUID = session.scalar("SELECT c.id FROM family.child_profiles AS c ORDER BY c.id LIMIT 1")
        session.run("UPDATE family.child_profiles SET first_name = 'Renamed' WHERE id = %s", [found])
    return found


@pytest.fixture
def stranger(server: Server, fresh_db: str) -> Iterator[str]:
    """A login that sees every row of the log and may not write to the ledger."""
    with server.session(fresh_db) as session:
        session.run("CREATE ROLE stranger LOGIN BYPASSRLS")
        session.run(f'GRANT CONNECT ON DATABASE "{fresh_db}" TO stranger')
        session.run("GRANT USAGE ON SCHEMA audit TO stranger")
        session.run("GRANT SELECT ON audit.activity_log TO stranger")
        yield server.dsn(fresh_db, "stranger")
        _forget(session)


def _forget(session: Session) -> None:
    session.run("DROP OWNED BY stranger")
    session.run("DROP ROLE stranger")


def test_a_personal_query_is_recorded_before_it_is_shown(wn: Cli, rows: Rows, child: UUID) -> None:
    ran = wn.run("sql", "run", "queries/audit/child", f"child_id={child}")
    assert ran.code == 0, ran.err
    assert "Renamed" in ran.out
    ((phase, payload),) = rows.all()
    assert phase == "read"
    assert payload["argv"] == ["sql", "run", "queries/audit/child", f"child_id={child}"]


def test_what_cannot_be_recorded_is_not_shown(wn: Cli, rows: Rows, child: UUID, stranger: str) -> None:
    words = ("sql", "run", "queries/audit/child", f"child_id={child}", "--dsn", stranger)
    nowhere = wn.run(*words, env={"WNADMIN_STATE": "/dev/null/state"})
    assert nowhere.code == 4, nowhere.out
    assert nowhere.out == ""
    assert "Renamed" not in nowhere.err
    # One that is not personal is shown all the same.
    other = ("sql", "run", "queries/queries/extension", "--dsn", stranger)
    assert wn.run(*other, env={"WNADMIN_STATE": "/dev/null/state"}).code == 0
    spooled = wn.run(*words)
    assert spooled.code == 0, spooled.err
    assert "Renamed" in spooled.out
    assert rows.all() == [], "the ledger is closed to this login, so the record is in its spool"
    assert any("queries/audit/child" in path.read_text() for path in wn.state.rglob("*") if path.is_file())
