"""`locks advise` on staged fires: the statement it prints does what it says, to that session and no other."""

from __future__ import annotations

import os
import re
import subprocess
import time
from datetime import timedelta

import pytest

from tests.locks.conftest import Actor, Stage, TwoTrees
from tests.support import Cli
from wnadmin.domain.locks import advice, rows, verdicts


def psql(stage: Stage, text: str) -> str:
    tool = stage.server.cluster.tool("psql")
    done = subprocess.run(
        [str(tool.path), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text, stage.server.dsn(stage.dbname)],
        env={**os.environ, **tool.env},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def weigh(stage: Stage, patience: str = "1min") -> advice.Advice:
    db = stage.database()
    limit = timedelta(minutes=1) if patience == "1min" else timedelta(0)
    return advice.weigh(db, rows.forest(db), limit)


def grow_old() -> None:
    """Nobody is judged for what may be a moment between two statements."""
    time.sleep(verdicts.MOMENT.total_seconds() + 0.2)


def commands(out: str) -> list[str]:
    # In lines that fit a terminal, those after the first indented; a gid may hold anything but a newline.
    return re.findall(r"^(?:SELECT|ROLLBACK) .*(?:\n    .*)*;$", out, re.MULTILINE)


def test_the_two_roots_are_named_and_their_end_frees_all(stage: Stage, two_trees: TwoTrees, wn: Cli) -> None:
    grow_old()
    found = weigh(stage)
    reader, first = two_trees.reader.pid, two_trees.chain[0].pid
    assert [(one.keys, one.frees) for one in found.ladder] == [((reader,), 3), ((reader, first), 5)]
    by_pid = {one.session.pid: one for one in found.candidates}
    assert {pid: one.alone for pid, one in by_pid.items()} == {reader: 3, first: 2, two_trees.ddl.pid: 2}
    assert (by_pid[reader].once, by_pid[reader].verdict.action) == (1, "end")
    assert by_pid[two_trees.ddl.pid].verdict.action == "cancel"
    assert not by_pid[two_trees.ddl.pid].advised, "the idle reader can be ended, so the DDL may go on"
    assert "lock_timeout" in by_pid[two_trees.ddl.pid].verdict.why
    ran = wn.run("locks", "advise")
    assert ran.code == 0, ran.err
    assert f"5 sessions wait. Act on {reader}, {first}: 5 of 5 go on." in ran.out
    assert "or cancel" in ran.out
    for text in commands(ran.out):
        assert psql(stage, text) == "t"
    for one in (two_trees.ddl, *two_trees.behind, *two_trees.chain[1:]):
        if one is two_trees.chain[1]:
            stage.until(lambda: not two_trees.chain[1].thread or not two_trees.chain[1].thread.is_alive(), "waits on")
            two_trees.chain[1].do("COMMIT")
        else:
            assert one.finished()
        assert one.error is None, one.error
    assert rows.forest(stage.database()) == []


def test_the_statement_does_nothing_when_the_world_has_moved_on(stage: Stage, two_trees: TwoTrees) -> None:
    grow_old()
    text = next(one.sql for one in weigh(stage).candidates if one.session.pid == two_trees.reader.pid)
    two_trees.reader.do("COMMIT", "BEGIN")
    assert psql(stage, text) == "", "another transaction of the same session"
    two_trees.reader.do("SELECT 1", "COMMIT")
    other = next(one.sql for one in weigh(stage).candidates if one.session.pid == two_trees.chain[0].pid)
    stale = other.replace("a.backend_start = '20", "a.backend_start = '19")
    assert stale != other
    assert psql(stage, stale) == "", "another session with the same pid"
    two_trees.chain[0].do("SELECT 1")


def test_a_prepared_transaction_is_rolled_back(stage: Stage, wn: Cli) -> None:
    gid = "a'b\"c; \n\\"
    stage.prepare(stage.actor().do("BEGIN", "LOCK TABLE fire.reads"), "plain")
    reader = stage.actor().send("SELECT * FROM fire.reads")
    stage.waits(reader)
    holder = stage.actor().do("BEGIN", "LOCK TABLE fire.rows")
    holder.session.run("PREPARE TRANSACTION E'a''b\"c; \\n\\\\'")
    other = stage.actor().send("SELECT * FROM fire.rows")
    stage.waits(other)
    found = weigh(stage)
    assert {one.session.gid: one.verdict.action for one in found.candidates} == {"plain": "rollback", gid: "rollback"}
    ran = wn.run("locks", "advise")
    texts = commands(ran.out)
    assert sorted(texts) == ["ROLLBACK PREPARED 'plain';", "ROLLBACK PREPARED E'a''b\"c; \\u000a\\\\';"]
    assert "pg_terminate_backend" not in ran.out
    for text in texts:
        psql(stage, text)
    assert reader.finished() and reader.error is None
    assert other.finished() and other.error is None


def test_of_another_database_it_says_where_to_connect(stage: Stage, wn: Cli) -> None:
    stage.prepare(stage.actor().do("BEGIN", "LOCK TABLE fire.reads"), "elsewhere")
    stage.waits(stage.actor().send("SELECT * FROM fire.reads"))
    ran = wn.run("locks", "advise", "--dsn", stage.server.dsn("postgres"))
    assert f"-- connected to database '{stage.dbname}':\nROLLBACK PREPARED 'elsewhere';" in ran.out


def running(stage: Stage) -> Actor:
    """Someone who reads for long."""
    one = stage.actor().send("SELECT pg_sleep(600) FROM fire.reads")
    text = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    stage.until(lambda: stage.watcher.scalar(text, [one.pid]) == 1, "does not run")
    return one


def test_a_statement_that_works_is_waited_for_and_the_ddl_gives_way(stage: Stage, wn: Cli) -> None:
    reader = running(stage)
    ddl = stage.actor().send("ALTER TABLE fire.reads ADD COLUMN more integer")
    stage.waits(ddl)
    behind = [stage.actor().send("SELECT * FROM fire.reads") for _ in range(3)]
    stage.waits(*behind)
    by_pid = {one.session.pid: one for one in weigh(stage).candidates}
    assert by_pid[reader.pid].verdict.action == "wait"
    assert (by_pid[ddl.pid].verdict.action, by_pid[ddl.pid].alone, by_pid[ddl.pid].advised) == ("cancel", 3, True)
    ran = wn.run("locks", "advise")
    assert f"4 sessions wait. Act on {ddl.pid}: 3 of 4 go on." in ran.out
    (text,) = commands(ran.out)
    assert "pg_cancel_backend" in text
    assert psql(stage, text) == "t"
    for one in behind:
        assert one.finished() and one.error is None
    assert ddl.finished() and ddl.error is not None
    assert reader.thread is not None and reader.thread.is_alive(), "the reader goes on"


def test_without_patience_the_statement_is_cancelled(stage: Stage, wn: Cli) -> None:
    reader = running(stage)
    ddl = stage.actor().send("ALTER TABLE fire.reads ADD COLUMN more integer")
    stage.waits(ddl)
    by_pid = {one.session.pid: one for one in weigh(stage, "0s").candidates}
    assert (by_pid[reader.pid].verdict.action, by_pid[reader.pid].advised) == ("cancel", True)
    assert "Nobody is to be ended now" in wn.run("locks", "advise").out
    ran = wn.run("locks", "advise", "--patience", "0s")
    (text,) = commands(ran.out)
    assert psql(stage, text) == "t"
    assert ddl.finished() and ddl.error is None


def test_two_idle_readers_are_ended_together(stage: Stage) -> None:
    readers = [stage.actor().do("BEGIN", "SELECT * FROM fire.reads") for _ in range(2)]
    waiter = stage.actor().send("TRUNCATE fire.reads")
    stage.waits(waiter)
    grow_old()
    found = weigh(stage)
    assert [(len(one.keys), one.frees, one.exact) for one in found.ladder] == [(2, 1, True)]
    assert {one.session.pid for one in found.advised} == {one.pid for one in readers}
    assert all(one.alone == 0 for one in found.advised)


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "-1s", "1min!", "999999999d"])
def test_a_bad_patience_is_refused(wn: Cli, text: str) -> None:
    ran = wn.run("locks", "advise", f"--patience={text}")
    assert ran.code == 2
    assert "--patience" in ran.err


def test_machines_get_the_statement(stage: Stage, two_trees: TwoTrees, wn: Cli) -> None:
    grow_old()
    document = wn.run("locks", "advise", "--wide", "--format", "json").json()
    assert document["schema"] == "wnadmin/locks-advise/1"
    one = next(row for row in document["tables"]["candidates"] if row["pid"] == two_trees.reader.pid)
    assert one["advised"] is True
    assert one["sql"].startswith("SELECT pg_catalog.pg_terminate_backend(a.pid, 5000) FROM pg_catalog.pg_stat_activity")
    assert f"a.pid = {two_trees.reader.pid} AND a.backend_start = '" in one["sql"]
    assert "a.backend_type = 'client backend'" in one["sql"]
    assert [row["frees"] for row in document["tables"]["sets"]] == [3, 5]
