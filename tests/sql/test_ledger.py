"""The ledger's own functions, called with plain SQL by those who may and those who may not."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from tests.sql.support import column, refused
from tests.support import Server
from wnadmin.postgres.session import Session

SEES = "SELECT DISTINCT op_id FROM audit.ledger_own(NULL, NULL)"


def append(session: Session, op_id: UUID, phase: str, payload: str = "{}") -> int:
    """Append an entry; gives its number."""
    return int(session.scalar("SELECT seq FROM audit.ledger_append(%s, %s, %s)", [str(op_id), phase, payload]))


def test_a_writer_reads_its_own_operations_and_no_others(server: Server, fresh_db: str) -> None:
    mine, other = uuid4(), uuid4()
    with server.session(fresh_db) as root, server.session(fresh_db, "wondernest_migration") as session:
        append(session, mine, "intent")
        append(root, other, "intent")
        # Whoever is first owns the operation; who adds to it sees no more for that.
        append(root, mine, "outcome")
        append(session, other, "intent")
        assert column(session, SEES) == [mine]
        entries = "SELECT phase FROM audit.ledger_own(%s, NULL)"
        assert column(session, entries, [str(mine), str(other)]) == ["outcome", "intent"]
        assert column(session, "SELECT count(*) FROM audit.ledger_own(NULL, 0)") == [0]
        assert column(root, SEES) == [other]
        with refused("42501"):
            session.run("SELECT * FROM audit.operator_ledger")


@pytest.mark.parametrize("login", ["wondernest_app", "wondernest_analytics", "wondernest_monitor"])
def test_who_does_not_write_calls_neither(server: Server, fresh_db: str, login: str) -> None:
    with server.session(fresh_db, login) as session:
        for call in (SEES, "SELECT audit.ledger_remove_sealed(1)"):
            with refused("42501"):
                session.run(call)


def test_only_what_is_sealed_and_past_its_period_goes(server: Server, fresh_db: str) -> None:
    remove = "SELECT audit.ledger_remove_sealed(%s)"
    with server.session(fresh_db) as root:
        last = append(root, uuid4(), "read")
        h = root.scalar("SELECT encode(h, 'hex') FROM audit.operator_ledger WHERE seq = %s", [last])
        facts = {"seal": {"from": 1, "through": last, "count": last, "h": h}}
        seal = append(root, uuid4(), "checkpoint", json.dumps(facts))
        with refused("P0002"):
            root.run(remove, [last])
        with refused("42501"):
            root.run(remove, [seal])
        policy = "UPDATE audit.data_retention_policies SET {} WHERE policy_code = 'audit.operator_ledger'"
        root.run(policy.format("retention_period = '1 microsecond'"))
        root.run(policy.format("is_active = false"))
        with refused("42501"):
            root.run(remove, [seal])
        root.run(policy.format("is_active = true"))
        with refused("23514"):
            root.run(remove, [append(root, uuid4(), "checkpoint", json.dumps({"seal": {**facts["seal"], "h": "00"}}))])
        assert root.scalar(remove, [seal]) == last
        assert root.scalar("SELECT min(seq) FROM audit.operator_ledger") == seal
        # The chain goes on: the next entry still follows from the last.
        assert append(root, uuid4(), "read") == seal + 2
