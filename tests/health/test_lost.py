"""A server that goes away in the middle of a look: one critical finding, and no check of that node is well."""

from __future__ import annotations

import threading
import time

from tests.support import Cli, Server
from wnadmin.domain.health import checks, thresholds
from wnadmin.domain.health.look import Memory, look
from wnadmin.postgres.nodes import Nodes
from wnadmin.postgres.session import connect

SLEEPS = """
CREATE OR REPLACE FUNCTION admin.get_db_health_metrics()
RETURNS TABLE (metric_name text, metric_value numeric, unit text, status text, detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN PERFORM pg_catalog.pg_sleep(60); END $$
"""
ASKED = ("reachable", "blocking", "database-metrics", "settings")


def kill(server: Server, pid: int) -> None:
    """End the server process once it sleeps."""
    with server.session() as other:
        deadline = time.monotonic() + 30
        while other.scalar("SELECT wait_event FROM pg_catalog.pg_stat_activity WHERE pid = %s", [pid]) != "PgSleep":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        other.run("SELECT pg_catalog.pg_terminate_backend(%s, 5000)", [pid])


def test_a_node_lost_in_the_middle_is_critical(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run(SLEEPS)
    nodes = Nodes([server.target(fresh_db)], lambda one: connect(one, command="health"))
    (node,) = nodes.reached()
    assert node.db is not None
    killer = threading.Thread(target=kill, args=(server, node.db.session.backend_pid))
    killer.start()
    chosen = [checks.named(id) for id in ASKED]
    found = look(node, chosen, thresholds.limits({}, ()), Memory()).findings
    killer.join()
    nodes.close()
    assert [(one.check, one.severity) for one in found] == [("blocking", "ok"), ("reachable", "critical")]
    assert "the connection was lost during database-metrics. 2 checks could not be made" in found[1].detail


def test_a_look_does_not_wait_for_a_locked_ledger(server: Server, fresh_db: str, cli: Cli) -> None:
    with server.session(fresh_db) as session:
        session.run("BEGIN")
        session.run("LOCK TABLE audit.operator_ledger IN ACCESS EXCLUSIVE MODE")
        ran = cli.run("locks", "tree", "--dsn", server.dsn(fresh_db), timeout=30)
        assert ran.code == 0, ran.err
        spool = (cli.state / "ledger-spool.jsonl").read_text()
        assert "locks tree" in spool
