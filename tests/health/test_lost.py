"""A server that goes away in the middle of a look: one critical finding, and no check of that node is well."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support import Cli, Server
from wnadmin.domain.health import checks, thresholds
from wnadmin.domain.health.checks import Check
from wnadmin.domain.health.look import Memory, look
from wnadmin.postgres.nodes import Nodes
from wnadmin.postgres.session import connect

ASKED = ("reachable", "connections", "settings", "sequences")


class Ending(list[Check]):
    """Checks of which the server process does not live to see the third.

    They are gone through twice: once for what they need, then to run them.
    """

    server: Server
    pid: int
    passes = 0

    def __iter__(self) -> Iterator[Check]:
        self.passes += 1
        for number, check in enumerate(super().__iter__()):
            if number == 2 and self.passes == 2:
                with self.server.session() as other:
                    other.run("SELECT pg_catalog.pg_terminate_backend(%s, 5000)", [self.pid])
            yield check


def test_a_node_lost_in_the_middle_is_critical(server: Server, db: str) -> None:
    target = server.target(db)
    nodes = Nodes([target], lambda one: connect(one, command="health"))
    (node,) = nodes.reached()
    assert node.db is not None
    chosen = Ending(checks.named(id) for id in ASKED)
    chosen.server, chosen.pid = server, node.db.session.backend_pid
    found = look(node, chosen, thresholds.limits({}, ()), Memory()).findings
    nodes.close()
    verdicts = {one.check: one.severity for one in found}
    assert verdicts["reachable"] == "critical"
    assert "settings" not in verdicts
    assert "sequences" not in verdicts
    lost = next(one for one in found if one.check == "reachable")
    assert "the connection was lost during settings. 2 checks could not be made" in lost.detail


def test_a_look_does_not_wait_for_a_locked_ledger(server: Server, fresh_db: str, cli: Cli) -> None:
    with server.session(fresh_db) as session:
        session.run("BEGIN")
        session.run("LOCK TABLE audit.operator_ledger IN ACCESS EXCLUSIVE MODE")
        ran = cli.run("locks", "tree", "--dsn", server.dsn(fresh_db), timeout=30)
        assert ran.code == 0, ran.err
        spool = (cli.state / "ledger-spool.jsonl").read_text()
        assert "locks tree" in spool
