"""Output that cannot be written, and places that do not agree."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support import Cli, Server


@pytest.mark.parametrize("words", [("sql", "list"), ("sql", "list", "--format", "json")])
def test_a_full_disk_under_stdout_is_told(cli: Cli, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            cli.argv(*words), env=cli.env(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "cannot write the output: No space left on device" in done.stderr
    assert "internal error" not in done.stderr


def test_a_closed_stdout_is_told(cli: Cli) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" >&-', *cli.argv("sql", "list")],
        env=cli.env(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "standard output is closed" in done.stderr


def test_a_reader_that_leaves_is_no_error_to_shout_about(cli: Cli) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" "$@" | head -n 1', *cli.argv("sql", "list")],
        env=cli.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "internal error" not in done.stderr


def test_a_setup_is_not_resumed_on_another_database(cli: Cli, server: Server, empty_db: str, db: str) -> None:
    """Its intent is in the spool, which knows many databases."""
    here = Cli(cli.folder, server.dsn(empty_db))
    with server.session(empty_db, idle_in_transaction_session_timeout="0") as gate:
        gate.run("BEGIN")
        gate.run("SELECT pg_advisory_xact_lock(77433833903597)")
        process = here.start(["setup", "apply", "--yes"])
        with server.session() as eye:
            while not eye.scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state = 'idle in transaction'"
                " AND application_name = 'wnadmin/setup apply'",
                [empty_db],
            ):
                assert process.poll() is None
        process.kill()
        process.communicate()
        gate.run("COMMIT")
    (orphan,) = here.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    elsewhere = Cli(cli.folder, server.dsn(db)).run("audit", "resume", orphan["operation"], "--yes")
    assert elsewhere.code == 4
    assert f"was begun on {empty_db}" in elsewhere.err
    assert here.run("audit", "resume", orphan["operation"], "--yes").code == 0


def test_what_is_taken_back_is_shown_in_the_form_that_was_asked_for(wn: Cli) -> None:
    loaded = wn.run("sample", "load", "--families", "2", "--years", "1", "--yes", "--format", "json")
    assert loaded.code == 0, loaded.err
    planned = wn.run("audit", "undo", loaded.json()["operation"], "--dry-run", "--format", "ndjson")
    assert planned.code == 0, planned.err
    assert all(json.loads(line) for line in planned.out.splitlines())
    undone = wn.run("audit", "undo", loaded.json()["operation"], "--yes", "--format", "json")
    assert undone.code == 0, undone.err
    assert (undone.json()["schema"], undone.json()["status"]) == ("wnadmin/sample-load/1", "done")
    assert {step["status"] for step in undone.json()["steps"]} == {"undone"}
    wrong = wn.run("audit", "undo", loaded.json()["operation"], "--format", "xml")
    assert (wrong.code, wrong.out) == (2, "")
    assert "unknown format xml" in wrong.err


def test_an_at_sign_in_a_uri_does_not_show_half_a_password(cli: Cli) -> None:
    ran = cli.run("setup", "status", "--dsn", "postgresql://u:s3cret@word@127.0.0.1:1/x")
    assert ran.code == 2
    assert "percent-encoded" in ran.err
    assert "word@" not in ran.err + ran.out


def test_a_check_that_is_not_there_cannot_be_allowed(wn: Cli) -> None:
    ran = wn.run("audit", "verify", "--allow-unknown", "ledger.lnik")
    assert ran.code == 2
    assert "Did you mean ledger.link?" in ran.err


def test_without_any_postgresql_the_server_is_not_even_planned(cli: Cli) -> None:
    ran = cli.run("server", "start", "--yes", env={"WNADMIN_PG_BINDIR": "/nonexistent", "WNADMIN_PG_PROVIDER": ""})
    assert ran.code in (1, 2, 4)
    assert "why:" in ran.err
    assert "next:" in ran.err
    assert "Plan:" not in ran.err


@pytest.mark.parametrize(
    ("words", "table"),
    [
        (("locks", "tree"), "forest"),
        (("locks", "waits"), "waits"),
        (("locks", "advise"), "candidates"),
        (("sessions", "list"), "sessions"),
    ],
)
def test_machines_get_every_column_and_people_when_they_ask(wn: Cli, words: tuple[str, ...], table: str) -> None:
    def head(*more: str) -> str:
        ran = wn.run(*words, "--table", table, "--format", "csv", *more)
        assert ran.code == 0, ran.err
        return ran.out.splitlines()[0]

    assert head() == head("--wide")
    assert "backend_start" in head() or "waiter_start" in head()
    assert "query" not in head().split(","), "texts only where they are asked for"


def test_one_table_of_a_report_as_csv(wn: Cli) -> None:
    refused = wn.run("connections", "list", "--format", "csv")
    assert (refused.code, refused.out) == (2, "")
    assert "csv is one table, and this result has 2: limits, groups" in refused.err
    assert "next: Add --table limits, or another of them" in refused.err
    limits = wn.run("connections", "list", "--format", "csv", "--table", "limits")
    assert limits.code == 0, limits.err
    assert limits.out.splitlines()[0] == "scope,name,used,most,share,remark,unsure,exempt"
    assert any(line.startswith("server,ordinary logins,") for line in limits.out.splitlines())
    wrong = wn.run("connections", "list", "--table", "limit")
    assert wrong.code == 2
    assert "Did you mean --table limits?" in wrong.err


def test_a_table_of_an_empty_report_is_empty_and_not_missing(cli: Cli, server: Server, empty_db: str) -> None:
    with server.session(empty_db, compute_query_id="off") as session:
        session.run("CREATE EXTENSION pg_stat_statements SCHEMA public")
    dsn = f"{server.dsn(empty_db)} options='-c compute_query_id=off'"
    words = ("queries", "slow", "--table", "io", "--dsn", dsn)
    ran = cli.run(*words, "--format", "csv")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("n,hit,")
    assert "I/O" not in cli.run(*words).out
