"""`locks tree` and `locks waits` on staged fires, with exact counts, and the psql files as a second opinion."""

from __future__ import annotations

import os
import subprocess
from dataclasses import fields
from typing import Any

from tests.locks.conftest import Stage, TwoTrees
from tests.support import Cli, Server
from wnadmin.domain.locks import rows
from wnadmin.domain.locks.forest import ALIKE, FIRST, _table, trees
from wnadmin.domain.locks.rows import Session
from wnadmin.domain.locks.waits import Edge, edges

_PASSING = {"waited", "state_age", "xact_age", "blocker_xact_age", "wait_event_type", "wait_event"}


def look(stage: Stage) -> list[Session]:
    """The forest, after proving that the psql files give the same."""
    db = stage.database()
    found = rows.forest(db)
    names = [one.name for one in fields(Session) if one.name not in _PASSING]
    assert _plain(found, names) == _plain(db.rows("queries/locks/tree", Session, show_queries=False), names)
    for every in (False, True):
        names = [one.name for one in fields(Edge) if one.name not in _PASSING]
        shown = edges(db, everything=every)
        psql = db.rows("queries/locks/waits", Edge, all=every, show_queries=False)
        assert _plain(shown, names) == _plain(psql, names)
    return found


def _plain(found: list[Any], names: list[str]) -> list[dict[str, object]]:
    return [{name: _cell(getattr(one, name), name) for name in names} for one in found]


def _cell(value: object, name: str) -> object:
    if isinstance(value, list | tuple):
        return list(value) if name == "path" else sorted(value)
    return value


def by_pid(found: list[Session]) -> dict[int | None, Session]:
    return {one.pid: one for one in found}


def test_two_trees_three_and_two_blocked(stage: Stage, two_trees: TwoTrees) -> None:
    found = look(stage)
    assert [one.below for one in found if one.depth == 0] == [3, 2]
    assert trees(found) == ("2 trees: 3 and 2 blocked; 5 sessions in all wait",)
    sessions = by_pid(found)
    first, second = two_trees.behind
    one, two, three = two_trees.chain
    paths = {each.pid: tuple(each.path) for each in found}
    assert paths == {
        two_trees.reader.pid: (two_trees.reader.pid,),
        two_trees.ddl.pid: (two_trees.reader.pid, two_trees.ddl.pid),
        first.pid: (two_trees.reader.pid, two_trees.ddl.pid, first.pid),
        second.pid: (two_trees.reader.pid, two_trees.ddl.pid, second.pid),
        one.pid: (one.pid,),
        two.pid: (one.pid, two.pid),
        three.pid: (one.pid, two.pid, three.pid),
    }
    ddl = sessions[two_trees.ddl.pid]
    assert (ddl.kind, ddl.relation, ddl.wanted, ddl.held, ddl.command, ddl.direct, ddl.below) == (
        "hard",
        "fire.reads",
        "AccessExclusiveLock",
        "AccessShareLock",
        "ALTER TABLE",
        2,
        2,
    )
    behind = sessions[first.pid]
    assert (behind.kind, behind.wanted, behind.held, behind.ahead) == (
        "soft",
        "AccessShareLock",
        None,
        "AccessExclusiveLock",
    )
    assert behind.waited is not None and behind.waited.total_seconds() > 0
    last = sessions[three.pid]
    assert (last.kind, last.relation, last.locktype) == ("hard", "fire.rows", "transactionid")
    assert last.object is not None and last.object.startswith("row (0,2), transaction ")
    assert sessions[one.pid].xid is not None
    assert sessions[two_trees.reader.pid].state == "idle in transaction"
    assert sessions[two_trees.reader.pid].backend_start is not None


def test_five_edges_for_five_waiters(wn: Cli, two_trees: TwoTrees) -> None:
    ran = wn.run("locks", "waits", "--format", "json")
    assert ran.code == 0, ran.err
    document = ran.json()
    assert document["schema"] == "wnadmin/locks-waits/1"
    shown = {(one["waiter"], one["blocker"]): one for one in document["tables"]["waits"]}
    reader, ddl, (first, second) = two_trees.reader.pid, two_trees.ddl.pid, two_trees.behind
    one, two, three = (each.pid for each in two_trees.chain)
    assert {pair: each["kind"] for pair, each in shown.items()} == {
        (ddl, reader): "hard",
        (first.pid, ddl): "soft",
        (second.pid, ddl): "soft",
        (two, one): "hard",
        (three, two): "hard",
    }
    assert (shown[ddl, reader]["wanted"], shown[ddl, reader]["held"]) == ("AccessExclusiveLock", "AccessShareLock")
    assert shown[first.pid, ddl]["relation"] == "fire.reads"
    assert all(each["waited"] > 0 for each in shown.values())


def test_the_screen_draws_the_trees(wn: Cli, two_trees: TwoTrees) -> None:
    ran = wn.run("locks", "tree")
    assert ran.code == 0, ran.err
    assert "note: 2 trees: 3 and 2 blocked; 5 sessions in all wait" in ran.out
    assert "next: wnadmin locks advise" in ran.out
    line = next(each for each in ran.out.splitlines() if str(two_trees.ddl.pid) in each.split()[:2])
    assert line.startswith("└")
    assert "wants AccessExclusive on fire.reads; held: AccessShare; ALTER TABLE" in line
    assert ran.out.count("queued behind AccessExclusive (soft)") == 2
    narrow = wn.run("locks", "tree", "--format", "table", env={"COLUMNS": "80"})
    assert max(map(len, narrow.out.splitlines())) <= 80


def test_machines_get_every_fact(wn: Cli, two_trees: TwoTrees) -> None:
    ran = wn.run("locks", "tree", "--format", "json")
    forest = {one["pid"]: one for one in ran.json()["tables"]["forest"]}
    assert len(forest) == 7
    ddl = forest[two_trees.ddl.pid]
    assert ddl["root"] == two_trees.reader.pid
    assert (ddl["relation"], ddl["wanted"], ddl["held"], ddl["hard"]) == (
        "fire.reads",
        "AccessExclusiveLock",
        "AccessShareLock",
        [two_trees.reader.pid],
    )
    assert "query" not in ddl


def test_psql_draws_it_alone(stage: Stage, two_trees: TwoTrees) -> None:
    from wnadmin import assets

    tool = stage.server.cluster.tool("psql")
    path = assets.load("queries/locks/tree").path
    words = ["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "show_queries=false", "-f", str(path)]
    done = subprocess.run(
        [str(tool.path), *words, stage.server.dsn(stage.dbname)],
        env={**os.environ, **tool.env},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    drawn = [line.split("|")[0] for line in done.stdout.splitlines()]
    assert drawn[:2] == [str(two_trees.reader.pid), f"  {two_trees.ddl.pid}"]
    assert sorted(drawn[2:4]) == sorted(f"    {one.pid}" for one in two_trees.behind)


def test_a_prepared_transaction_is_named(stage: Stage, wn: Cli) -> None:
    holder = stage.actor().do("BEGIN", "LOCK TABLE fire.reads")
    stage.prepare(holder, 'it\'s 50% "done"')
    reader = stage.actor().send("SELECT * FROM fire.reads")
    stage.waits(reader)
    found = look(stage)
    assert [(one.kind, one.pid, one.gid) for one in found] == [
        ("root", None, 'it\'s 50% "done"'),
        ("hard", reader.pid, None),
    ]
    root, waiter = found
    assert (root.key, root.xid, root.state, root.role) == (-int(root.xid or 0), root.xid, "prepared", "postgres")
    assert root.xact_age is not None
    assert (waiter.relation, waiter.held, list(waiter.blockers)) == ("fire.reads", "AccessExclusiveLock", [root.key])
    ran = wn.run("locks", "tree")
    assert 'prepared it\'s 50% "done"' in ran.out


def test_a_row_of_a_prepared_transaction(stage: Stage) -> None:
    holder = stage.actor().do("BEGIN", "UPDATE fire.rows SET v = 1 WHERE id = 3")
    stage.prepare(holder, "rows")
    waiter = stage.actor().send("UPDATE fire.rows SET v = 2 WHERE id = 3")
    stage.waits(waiter)
    root, below = look(stage)
    assert (root.gid, below.pid, below.locktype) == ("rows", waiter.pid, "transactionid")


def test_two_prepared_transactions_are_two_roots(stage: Stage) -> None:
    for gid in ("one", "two"):
        stage.prepare(stage.actor().do("BEGIN", "LOCK TABLE fire.reads IN SHARE MODE"), gid)
    waiter = stage.actor().send("INSERT INTO fire.reads VALUES (2)")
    stage.waits(waiter)
    found = look(stage)
    assert {one.gid for one in found if one.depth == 0} == {"one", "two"}
    below = by_pid(found)[waiter.pid]
    assert len(below.roots) == 2
    assert set(below.hard) == {one.key for one in found if one.depth == 0}


def test_several_blockers_and_one_waiter_in_two_trees(stage: Stage) -> None:
    readers = [stage.actor().do("BEGIN", "SELECT * FROM fire.reads") for _ in range(2)]
    ddl = stage.actor().send("TRUNCATE fire.reads")
    stage.waits(ddl)
    behind = stage.actor().send("SELECT * FROM fire.reads")
    stage.waits(behind)
    found = look(stage)
    assert sorted((one.pid, one.below) for one in found if one.depth == 0) == sorted((one.pid, 2) for one in readers)
    waiter = by_pid(found)[ddl.pid]
    assert sorted(waiter.hard) == sorted(one.pid for one in readers)
    assert sorted(waiter.roots) == sorted(waiter.hard)
    assert len(found) == 4, "each stands once"
    said = trees(found)
    assert said[0] == "2 trees: 2 and 2 blocked; 2 sessions in all wait"
    assert said[1].startswith("2 sessions of these hang from several roots")


def test_a_queue_for_one_row_is_a_star(stage: Stage) -> None:
    holder = stage.actor().do("BEGIN", "UPDATE fire.rows SET v = 1 WHERE id = 1")
    crowd = []
    for number in range(6):
        crowd.append(stage.actor().send(f"UPDATE fire.rows SET v = {number} WHERE id = 1"))
        stage.waits(crowd[-1])
    found = look(stage)
    assert by_pid(found)[holder.pid].below == 6
    assert max(one.depth for one in found) == 2
    last = by_pid(found)[crowd[-1].pid]
    assert sorted(last.blockers) == sorted(one.pid for one in crowd[:-1])
    assert list(last.hard) == [crowd[0].pid]
    db = stage.database()
    assert len(edges(db, everything=True)) == 1 + 5 * 6 // 2
    assert sum({one.waiter: one.more for one in edges(db)}.values()) == 16 - len(edges(db))


def test_many_alike_are_one_line(stage: Stage, wn: Cli) -> None:
    stage.actor().do("BEGIN", "LOCK TABLE fire.reads")
    crowd = [stage.actor().send("SELECT * FROM fire.reads") for _ in range(FIRST + ALIKE)]
    stage.waits(*crowd)
    found = look(stage)
    whole = _table(found, wide=False, show_queries=False)
    folded = whole.shown
    assert folded is not None
    assert len(folded.rows) == 1 + FIRST + 1
    assert str(folded.rows[-1][-1]).startswith(f"{ALIKE} more, waiting ")
    assert len(whole.rows) == 1 + FIRST + ALIKE, "machines get each of them"
    wide = _table(found, wide=True, show_queries=False)
    assert (wide.rows, wide.shown) == (whole.rows, None)
    assert f"1 tree: {FIRST + ALIKE} blocked" in wn.run("locks", "tree").out


def test_a_deadlock_to_be_has_an_end(stage: Stage, wn: Cli) -> None:
    cycle = [stage.actor(deadlock_timeout="1min").do("BEGIN") for _ in range(3)]
    for number, one in enumerate(cycle, 1):
        one.do(f"UPDATE fire.rows SET v = 1 WHERE id = {number}")
    for number, one in enumerate(cycle, 1):
        one.send(f"UPDATE fire.rows SET v = 2 WHERE id = {number % 3 + 1}")
    stage.waits(*cycle)
    outside = stage.actor(deadlock_timeout="1min").send("UPDATE fire.rows SET v = 3 WHERE id = 1")
    stage.waits(outside)
    found = look(stage)
    assert [one.kind for one in found if one.depth == 0] == ["cycle"]
    assert {one.pid for one in found} == {one.pid for one in (*cycle, outside)}
    assert found[0].below == 3
    assert "deadlock" in wn.run("locks", "tree").out
    assert "wait" in wn.run("locks", "advise").out


def test_hostile_names(stage: Stage, wn: Cli) -> None:
    stage.watcher.run('CREATE SCHEMA "a ""b"";"')
    stage.watcher.run('CREATE TABLE "a ""b"";"."drop\ntable x; --\u202e" (id int)')
    name = '"a ""b"";"."drop\ntable x; --\u202e"'
    holder = stage.actor().do("BEGIN", f"LOCK TABLE {name}")
    holder.do("SET application_name = '| evil'")
    waiter = stage.actor().send(f"SELECT * FROM {name}")
    stage.waits(waiter)
    assert by_pid(look(stage))[waiter.pid].relation == name
    plain = wn.run("locks", "tree").out
    assert "\u202e" not in plain
    assert '"a ""b"";"."drop\\ntable x; --\\u202e"' in plain
    machine = wn.run("locks", "tree", "--wide", "--format", "json").json()
    assert {one["relation"] for one in machine["tables"]["forest"]} == {None, name}


def test_a_relation_of_another_database_is_a_number(stage: Stage, server: Server) -> None:
    other = server.create()
    try:
        stage.actor(dbname=other).do("CREATE TABLE public.there (id int)", "BEGIN", "LOCK TABLE public.there")
        waiter = stage.actor(dbname=other).send("SELECT * FROM public.there")
        stage.waits(waiter)
        relation = by_pid(look(stage))[waiter.pid].relation
        assert relation is not None
        assert relation.startswith("relation ") and relation.endswith(f" of database {other}")
    finally:
        stage.clear()
        stage.actors.clear()
        server.drop(other)


def test_other_things_to_wait_for(stage: Stage) -> None:
    stage.actor().do("SELECT pg_advisory_lock(-7)")
    stage.actor().do("SELECT pg_advisory_lock(3, 4)")
    stage.actor().do("BEGIN", "COMMENT ON SCHEMA fire IS 'x'")
    one = stage.actor().send("SELECT pg_advisory_lock(-7)")
    two = stage.actor().send("SELECT pg_advisory_lock(3, 4)")
    three = stage.actor().send("DROP SCHEMA fire CASCADE")
    stage.waits(one, two, three)
    found = by_pid(look(stage))
    assert found[one.pid].object == "advisory key -7"
    assert found[two.pid].object == "advisory keys 3, 4"
    assert found[three.pid].object == "schema fire"


def test_parallel_workers_are_their_leader(stage: Stage) -> None:
    stage.watcher.run(
        "CREATE FUNCTION fire.slow(n integer) RETURNS integer LANGUAGE plpgsql PARALLEL SAFE AS "
        "$$ BEGIN PERFORM 1 FROM fire.reads; RETURN n; END $$"
    )
    stage.watcher.run("CREATE TABLE fire.big AS SELECT n FROM generate_series(1, 50000) AS n")
    stage.watcher.run("ANALYZE fire.big")
    blocker = stage.actor().do("BEGIN", "LOCK TABLE fire.reads")
    leader = stage.actor(
        parallel_setup_cost="0",
        parallel_tuple_cost="0",
        min_parallel_table_scan_size="0",
        max_parallel_workers_per_gather="2",
    ).send("SELECT sum(fire.slow(n)) FROM fire.big")

    def workers() -> bool:
        text = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return int(stage.watcher.scalar(text)) == 3

    stage.until(workers, "leader and two workers do not wait")
    found = look(stage)
    assert [(one.pid, one.depth, one.below) for one in found] == [(blocker.pid, 0, 1), (leader.pid, 1, 0)]
    assert list(found[1].hard) == [blocker.pid]
    # The other way round: a worker holds, its leader is named.
    ddl = stage.actor().send("ALTER TABLE fire.big ADD COLUMN more integer")
    stage.waits(ddl)
    assert by_pid(look(stage))[ddl.pid].hard == [leader.pid]
