"""One real change, `queries reset`, through the whole engine: shown, asked, recorded, proven, resumed."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.engine.conftest import Rows
from tests.support import Cli, Server


@pytest.fixture
def used(server: Server, fresh_db: str) -> None:
    """Statistics to forget."""
    with server.session(fresh_db) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
        for _ in range(3):
            session.run("SELECT 42 AS something_to_count")


class Terminal:
    """wnadmin at a pseudo-terminal."""

    def __init__(self, cli: Cli, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            cli.argv(*words),
            env=cli.env(),
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            # A shell's background job ignores Ctrl-C, and its children inherit that; a terminal's do not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(slave)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.master, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode() + b"\n")

    def end(self) -> int:
        """Wait for the end, reading on so that the program never blocks on a full terminal."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"it did not end: {self.seen}")
            if select.select([self.master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.master, 4096).decode()
        os.close(self.master)
        if self.process.stdout:
            self.process.stdout.close()
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.end()


def test_a_dry_run_shows_the_sql_and_leaves_one_row(wn: Cli, rows: Rows, used: None) -> None:
    ran = wn.run("queries", "reset", "--dry-run")
    assert ran.code == 0, ran.err
    assert '"extensions".pg_stat_statements_reset(0, d.oid, 0)' in ran.out
    assert rows.phases() == ["dry_run"]


def test_check_says_there_is_something_to_do(wn: Cli, rows: Rows, used: None) -> None:
    assert wn.run("queries", "reset", "--check").code == 3
    assert rows.phases() == ["dry_run"]


def test_applied_it_is_proven_and_recorded(wn: Cli, rows: Rows, used: None) -> None:
    ran = wn.run("queries", "reset", "--yes", "--reason", "after a release", "--format", "json")
    assert ran.code == 0, ran.err
    outcome = ran.json()
    assert outcome["schema"] == "wnadmin/queries-reset/1"
    assert outcome["status"] == "done"
    assert [one["severity"] for one in outcome["proof"]] == ["ok"]
    assert "pg_stat_statements_reset" in ran.err  # the plan is shown, on stderr
    (intent, first), (done, second), (ended, third) = rows.all()
    assert (intent, done, ended) == ("intent", "done", "outcome")
    assert first["reason"] == "after a release"
    assert first["argv"] == ["queries", "reset"]
    assert second["step"] == "reset"
    assert third["status"] == "done"
    assert list((wn.state).glob("*heckpoint*")), "the head must also stand outside the database"


def test_without_a_terminal_it_is_refused(wn: Cli, rows: Rows, used: None) -> None:
    ran = wn.run("queries", "reset")
    assert ran.code == 4
    assert "this change needs a yes, and there is no terminal to ask at" in ran.err
    assert "next: Add --yes to apply it, or --dry-run to see it." in ran.err
    assert rows.phases() == ["refused"]


def test_declined_at_the_terminal(wn: Cli, rows: Rows, used: None) -> None:
    terminal = Terminal(wn, "queries", "reset")
    terminal.wait_for("[y/N]")
    terminal.type("n")
    assert terminal.end() == 4
    assert rows.phases() == ["declined"]


def test_confirmed_at_the_terminal(wn: Cli, rows: Rows, used: None) -> None:
    terminal = Terminal(wn, "queries", "reset")
    terminal.wait_for("[y/N]")
    assert "pg_stat_statements_reset" in terminal.seen
    terminal.type("y")
    assert terminal.end() == 0
    assert rows.phases() == ["intent", "done", "outcome"]


def test_a_second_operator_is_refused_and_told_who_is_first(wn: Cli, server: Server, fresh_db: str, used: None) -> None:
    from wnadmin.ledger.recorder import Recorder

    with Recorder.open(server.target(fresh_db), "queries reset", state=wn.folder / "other") as first:
        assert first.try_lock(f"{fresh_db}/statement statistics") is None
        ran = wn.run("queries", "reset", "--yes")
    assert ran.code == 4
    assert f"another operator is changing {fresh_db}/statement statistics" in ran.err
    assert "queries reset" in ran.err.split("why:")[1]


def test_killed_before_the_step_it_is_resumed(wn: Cli, rows: Rows, server: Server, fresh_db: str, used: None) -> None:
    """The intent is written, the process dies before anything is changed."""
    terminal = Terminal(wn, "queries", "reset", "--reason", "orphan")
    terminal.wait_for("[y/N]")
    with server.session(fresh_db, idle_in_transaction_session_timeout="0") as gate:
        # Appends take this lock; while it is held the intent is on its way.
        gate.run("BEGIN")
        gate.run("LOCK TABLE audit.operator_ledger IN EXCLUSIVE MODE")
        terminal.type("y")
        _await_blocked(server, fresh_db)
        terminal.kill()
        gate.run("COMMIT")
    _await(lambda: rows.phases() == ["intent"])
    _resume_and_prove(wn, rows)


def test_killed_after_the_step_it_is_resumed_without_repeating_it(
    wn: Cli, rows: Rows, server: Server, fresh_db: str, used: None
) -> None:
    """The step is done, the process dies while it looks again."""
    terminal = Terminal(wn, "queries", "reset")
    terminal.wait_for("[y/N]")
    with server.session(fresh_db, idle_in_transaction_session_timeout="0") as gate:
        gate.run("BEGIN")
        gate.run("LOCK TABLE extensions.pg_stat_statements IN ACCESS EXCLUSIVE MODE")
        terminal.type("y")
        _await(lambda: "done" in rows.phases())
        terminal.kill()
        gate.run("COMMIT")
    assert rows.phases() == ["intent", "done"]
    outcome = _resume_and_prove(wn, rows)
    assert [step["status"] for step in outcome["steps"]] == ["skipped"]
    assert rows.phases().count("done") == 1


def _resume_and_prove(wn: Cli, rows: Rows) -> dict[str, list[dict[str, str]]]:
    listed = wn.run("audit", "unfinished", "--format", "json")
    assert listed.code == 0, listed.err
    (orphan,) = listed.json()["tables"]["unfinished"]
    assert orphan["command"] == "queries reset"
    verified = wn.run("audit", "verify", "--format", "json")
    assert verified.code == 3
    assert "ledger.unfinished" in verified.out
    resumed = wn.run("audit", "resume", orphan["operation"][:8], "--yes", "--format", "json")
    assert resumed.code == 0, resumed.err
    assert (resumed.json()["schema"], resumed.json()["status"]) == ("wnadmin/queries-reset/1", "done")
    assert resumed.json()["operation"] == orphan["operation"]
    assert wn.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"] == []
    assert [payload["status"] for phase, payload in rows.all() if phase == "outcome"] == ["done"]
    again = wn.run("audit", "resume", orphan["operation"], "--yes")
    assert again.code == 4
    assert "is finished" in again.err
    whole = wn.run("audit", "log", "--operation", orphan["operation"], "--format", "json")
    return {"steps": _outcome_steps(whole.json())}


def _outcome_steps(log: dict[str, dict[str, list[dict[str, str]]]]) -> list[dict[str, str]]:
    import json

    payloads = [json.loads(one["payload"]) for one in log["tables"]["entries"]]
    steps: list[dict[str, str]] = [one for one in payloads if one["phase"] == "outcome"][-1]["steps"]
    return steps


def _await(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _await_blocked(server: Server, dbname: str) -> None:
    with server.session() as eye:
        _await(
            lambda: eye.scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", [dbname]
            )
        )


def test_ctrl_c_before_the_answer_changes_nothing(wn: Cli, rows: Rows, used: None) -> None:
    terminal = Terminal(wn, "queries", "reset")
    terminal.wait_for("[y/N]")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 4
    assert rows.phases() == ["declined"]
