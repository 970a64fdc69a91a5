"""wondernest_monitor sees all that the checks look at, and opens no table of a person for it."""

from __future__ import annotations

from tests.conftest import TEMPLATE
from tests.support import Cli, Server
from wnadmin.domain.health import checks


def test_no_check_is_blind_for_the_monitor(fresh_server: Server, cli: Cli) -> None:
    # A server of its own: logins that other tests make have no limits, and what the server sets is hidden from it.
    ran = cli.run("health", "run", "--format", "json", "--dsn", fresh_server.dsn(TEMPLATE, "wondernest_monitor"))
    findings = ran.json()["findings"]
    assert {one["check"] for one in findings} == {check.id for check in checks.every()}
    assert not [(one["check"], one["detail"]) for one in findings if one["severity"] == "unknown"]


def test_its_grants_are_those_the_checks_need(server: Server, db: str, cli: Cli) -> None:
    ran = cli.run("health", "grants", "--format", "json", "--dsn", server.dsn(db))
    assert ran.code == 0, ran.out
    needs = {need.partition(":")[2] for check in checks.every() for need in check.needs}
    assert {one["object"].split(" ")[-1] for one in ran.json()["findings"]} >= needs


def test_a_role_without_anything_gets_the_statements(server: Server, fresh_db: str, cli: Cli) -> None:
    with server.session(fresh_db) as session:
        session.run("CREATE ROLE wn_newcomer LOGIN")
    try:
        ran = cli.run("health", "grants", "--role", "wn_newcomer", "--format", "json", "--dsn", server.dsn(fresh_db))
        assert ran.code == 3
        statements = [one["remediation"] for one in ran.json()["findings"] if one["severity"] == "warn"]
        assert "GRANT pg_read_all_stats TO wn_newcomer" in statements
        with server.session(fresh_db) as session:
            for one in statements:
                for statement in one.split("; "):
                    session.run(statement)
        again = cli.run("health", "grants", "--role", "wn_newcomer", "--format", "json", "--dsn", server.dsn(fresh_db))
        assert again.code == 0, again.out
    finally:
        with server.session(fresh_db) as session:
            session.run("DROP OWNED BY wn_newcomer")
            session.run("DROP ROLE wn_newcomer")


def test_an_unknown_role_is_refused(server: Server, db: str, cli: Cli) -> None:
    ran = cli.run("health", "grants", "--role", "nobody there", "--dsn", server.dsn(db))
    assert ran.code == 4
    assert "there is no role nobody there" in ran.err


def test_list_and_explain_need_no_server(cli: Cli) -> None:
    listed = cli.run("health", "list", "--format", "json")
    assert listed.code == 0, listed.err
    assert {row["id"] for row in listed.json()["tables"]["checks"]} == {check.id for check in checks.every()}
    explained = cli.run("health", "explain", "connections")
    assert explained.out.startswith("# Connection slots\n")
    assert "pg_stat_activity" in explained.out
    only = cli.run("health", "explain", "connections", "--sql")
    assert only.out.startswith("-- answers:")


def test_an_unknown_check_names_the_near_one(cli: Cli) -> None:
    ran = cli.run("health", "explain", "idle-in-transactions")
    assert (ran.code, ran.out) == (2, "")
    assert "unknown check idle-in-transactions" in ran.err
    assert "Did you mean idle-in-transaction?" in ran.err
