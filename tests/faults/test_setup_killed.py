"""`setup apply` killed with -9: afterwards the database is empty or complete, and the ledger shows the orphan."""

from __future__ import annotations

import json
import random
import time

import pytest

from tests.support import Cli, Server

USUAL_SECONDS = 3.0


def kill_and_look(cli: Cli, server: Server, dbname: str, after: float) -> str:
    """Kill a setup after so many seconds and give what stands then; finishes it through the ledger."""
    cli = Cli(cli.folder, server.dsn(dbname))
    process = cli.start(["setup", "apply", "--yes", "--months", "3"])
    try:
        process.wait(timeout=after)
    except Exception:
        process.kill()
    process.communicate()
    _await_rollback(server, dbname)
    with server.session(dbname) as session:
        tables = session.scalar("SELECT count(*) FROM pg_tables WHERE schemaname IN ('core', 'family', 'content')")
        history = session.scalar("SELECT to_regclass('public.flyway_schema_history') IS NOT NULL")
    state = "complete" if tables > 10 and history else "empty" if tables == 0 and not history else "between"
    assert state != "between", f"{tables} tables, history {history}, killed after {after:.2f} s"
    unfinished = cli.run("audit", "unfinished", "--format", "json")
    assert unfinished.code == 0, unfinished.err
    orphans = unfinished.json()["tables"]["unfinished"]
    if orphans:
        assert len(orphans) == 1, _phases(cli)
        assert orphans[0]["command"].startswith("setup apply")
        resumed = cli.run("audit", "resume", orphans[0]["operation"], "--yes")
        assert resumed.code == 0, resumed.err
    else:
        # Killed before the intent, or after the outcome.
        assert "intent" not in _phases(cli) or state == "complete", _phases(cli)
        assert cli.run("setup", "apply", "--yes").code == 0
    assert cli.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"] == []
    again = cli.run("setup", "apply", "--check")
    assert again.code == 0, again.out + again.err
    return state


def _phases(cli: Cli) -> list[str]:
    path = cli.state / "ledger-spool.jsonl"
    return [json.loads(line)["phase"] for line in path.read_text().splitlines()] if path.exists() else []


def _await_rollback(server: Server, dbname: str) -> None:
    deadline = time.monotonic() + 20
    with server.session() as eye:
        while eye.scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'wnadmin/setup%%'",
            [dbname],
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("share", [0.35, 0.6, 0.85])
def test_killed(cli: Cli, server: Server, empty_db: str, share: float) -> None:
    kill_and_look(cli, server, empty_db, USUAL_SECONDS * share)


@pytest.mark.more
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random_moments(cli: Cli, server: Server, empty_db: str, seed: int) -> None:
    after = random.Random(seed).uniform(0.2, USUAL_SECONDS)
    kill_and_look(cli, server, empty_db, after)
