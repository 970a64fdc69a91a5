"""What stands in the way of a command, in words and exit codes."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Rows
from tests.support import Cli, Server


def profile(cli: Cli, server: Server, dbname: str, more: str = "") -> dict[str, str]:
    path = cli.folder / "wnadmin.toml"
    path.write_text(f'[profiles.here]\nprimary = "{server.dsn(dbname)}"\n{more}\n')
    return {"WNADMIN_CONFIG": str(path)}


def test_an_unknown_profile(cli: Cli, server: Server) -> None:
    ran = cli.run("queries", "reset", "--profile", "her", env=profile(cli, server, "postgres"))
    assert ran.code == 2
    assert "unknown profile her" in ran.err
    assert "Did you mean --profile here?" in ran.err


def test_nothing_names_a_server(cli: Cli) -> None:
    ran = cli.run("queries", "reset")
    assert ran.code == 5
    assert "no server is named" in ran.err
    assert "wnadmin server start" in ran.err


def test_an_unreachable_server(cli: Cli) -> None:
    ran = cli.run("queries", "reset", "--dsn", f"host={cli.folder} port=5999 dbname=wondernest_prod")
    assert ran.code == 5
    assert "cannot connect to wondernest_prod" in ran.err
    assert "pg_isready" in ran.err
    logged = cli.run("audit", "log", "--format", "json").json()["tables"]["operations"]
    assert [one["status"] for one in logged] == ["refused"], "an attempt counts too"


def test_a_dsn_that_cannot_be_read_is_not_quoted(cli: Cli) -> None:
    ran = cli.run("queries", "reset", "--dsn", "host=x password=swordfish oops")
    assert ran.code == 2
    assert "swordfish" not in ran.out + ran.err
    assert "cannot read the connection string" in ran.err


def test_a_server_older_than_the_minimum(cli: Cli, server: Server, db: str) -> None:
    ran = cli.run("queries", "reset", "--profile", "here", env=profile(cli, server, db, "minimum_server = 99"))
    assert ran.code == 4
    assert "older than the minimum 99" in ran.err


def test_production_wants_a_reason(cli: Cli, server: Server, fresh_db: str, rows: Rows) -> None:
    with server.session(fresh_db) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
    env = profile(cli, server, fresh_db, "production = true")
    ran = cli.run("queries", "reset", "--profile", "here", "--yes", env=env)
    assert ran.code == 4
    assert "a change in production under --yes needs a reason" in ran.err
    assert rows.phases() == ["refused"]
    assert cli.run("queries", "reset", "--profile", "here", "--yes", "--reason", "INC-7", env=env).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sql", "list", "--format", "xml"), "unknown format xml"),
        (("audit", "verify", "--fail-on", "ok"), "unknown severity ok"),
        (("sql", "show", "queries/audit/chidl"), "Did you mean queries/audit/child?"),
        (("server", "stop", "--mode", "slow"), "unknown mode slow"),
    ],
)
def test_usage(cli: Cli, words: tuple[str, ...], message: str) -> None:
    ran = cli.run(*words)
    assert ran.code == 2
    assert message in ran.err


def test_an_unknown_noun_is_a_usage_error(cli: Cli) -> None:
    ran = cli.run("querys", "reset")
    assert ran.code == 2
    assert "querys" in ran.err


def test_an_unprivileged_login_is_told_the_grant(wn: Cli, server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
    ran = Cli(wn.folder, server.dsn(fresh_db, "wondernest_monitor")).run("queries", "reset", "--yes")
    assert ran.code == 4
    assert "this login may not reset the statement statistics" in ran.err
    assert "GRANT EXECUTE" in ran.err


def test_a_change_is_not_sent_through_sql_run(wn: Cli) -> None:
    ran = wn.run("sql", "run", "changes/queries/reset", "schema=extensions")
    assert ran.code == 4
    assert "is not a query" in ran.err
