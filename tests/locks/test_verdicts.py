"""When ending is the wrong remedy, and what is said instead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.locks.support import session
from wnadmin.domain.locks import statements, verdicts

MINUTE = timedelta(minutes=1)
LONG, SHORT = timedelta(hours=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("action", "word", "facts"),
    [
        ("end", "only its client would end it", {}),
        ("wait", "between two statements", {"state_age": SHORT}),
        ("end", "has failed", {"state": "idle in transaction (aborted)"}),
        ("end", "advisory", {"state": "idle"}),
        ("wait", "has run for 1.0 s only", {"state": "active", "state_age": SHORT}),
        ("cancel", "(SELECT) has run for 1h", {"state": "active", "wait_event": None}),
        ("end", "waited for its client", {"state": "active", "wait_event": "ClientWrite"}),
        ("keep", "synchronous standby", {"state": "active", "wait_event": "SyncRep"}),
        ("keep", "pg_dump at work", {"state": "active", "application": "pg_dump"}),
        ("wait", "wnadmin audit unfinished", {"application": "wnadmin/setup apply"}),
        ("keep", "base backup", {"state": "active", "backend_type": "walsender"}),
        ("keep", "wraparound", {"state": "active", "backend_type": "autovacuum worker", "wraparound": True}),
        ("wait", "gives way", {"state": "active", "backend_type": "autovacuum worker"}),
        ("keep", "ALTER SUBSCRIPTION", {"state": "active", "backend_type": "logical replication apply worker"}),
        ("keep", "background process (pg_cron)", {"state": "active", "backend_type": "pg_cron"}),
        ("keep", "replays", {"state": None, "backend_type": "startup"}),
        ("wait", "deadlock", {"kind": "cycle", "state": "active"}),
        ("rollback", "no session to end", {"state": "prepared", "key": -7, "gid": "x", "backend_type": None}),
        ("unknown", "gone already", {"state": "prepared", "key": 0, "gid": None, "backend_type": None}),
        ("unknown", "look again", {"state": "gone", "backend_type": None}),
        ("unknown", "may not see", {"state": "hidden", "hidden": True, "backend_type": None}),
        ("unknown", "cannot be seen", {"state": "disabled"}),
    ],
)
def test_each_root_gets_its_remedy(action: str, word: str, facts: dict[str, Any]) -> None:
    verdict = verdicts.root(session(**facts), MINUTE)
    assert verdict.action == action
    assert word in verdict.why


def test_what_is_lost_is_said_as_far_as_it_is_known() -> None:
    assert verdicts.root(session(), MINUTE).loses == "nothing written (no transaction id)"
    written = verdicts.root(session(xid="77"), MINUTE).loses
    assert "transaction 77" in written
    assert "cannot be seen" in written


def test_patience_decides_about_a_running_statement() -> None:
    running = session(state="active", wait_event=None, state_age=timedelta(minutes=3))
    assert verdicts.root(running, timedelta(minutes=5)).action == "wait"
    assert verdicts.root(running, timedelta(minutes=2)).action == "cancel"


def test_only_clients_are_cancelled_for_those_behind_them() -> None:
    waiting: dict[str, Any] = {
        "kind": "hard",
        "depth": 1,
        "locktype": "relation",
        "wanted": "AccessExclusiveLock",
        "waited": MINUTE,
    }
    assert verdicts.gate(session(**waiting), 5).action == "cancel"
    assert verdicts.gate(session(**waiting, backend_type="startup"), 5).action == "keep"
    assert verdicts.gate(session(**waiting, hidden=True, backend_type=None), 5).action == "unknown"


def test_text_is_quoted_for_pasting() -> None:
    assert statements.text("it's") == "'it''s'"
    assert statements.text("a\\b\n\x1b'\u202e") == "E'a\\\\b\\u000a\\u001b''\\u202e'"
    assert statements.text("\U000e0001") == "E'\\U000e0001'"
