"""Sessions of a forest made by hand, for judgements without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wnadmin.domain.locks.facts import Facts, Party, Waiting
from wnadmin.domain.locks.graph import build
from wnadmin.domain.locks.rows import Session, Things, row

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def session(key: int = 100, **more: Any) -> Session:
    """A root that is idle in a transaction for an hour, changed by ``more``."""
    values: dict[str, Any] = {
        "session": str(key),
        "key": key,
        "pid": key if key > 0 else None,
        "backend_start": NOW,
        "xact_start": NOW,
        "gid": None,
        "root": key,
        "roots": [key],
        "depth": 0,
        "path": [key],
        "kind": "root",
        "blockers": [],
        "hard": [],
        "direct": 1,
        "below": 1,
        "locktype": None,
        "relation": None,
        "object": None,
        "wanted": None,
        "held": None,
        "ahead": None,
        "waited": None,
        "backend_type": "client backend",
        "role": "app",
        "superuser": False,
        "database": "wn",
        "application": "web",
        "client": "local",
        "state": "idle in transaction",
        "state_age": timedelta(hours=1),
        "xact_age": timedelta(hours=2),
        "xid": None,
        "xmin": None,
        "wait_event_type": "Client",
        "wait_event": "ClientRead",
        "command": "SELECT",
        "query_id": None,
        "wraparound": False,
        "hidden": False,
        "query": None,
    }
    return Session(**{**values, **more})


def forest(blockers: dict[int, set[int]]) -> list[Session]:
    """The forest of these waiters and their blockers, all of them hard."""
    waiting = [
        Waiting(
            pid,
            sorted(found),
            "ExclusiveLock",
            NOW + timedelta(seconds=number),
            timedelta(seconds=60),
            "advisory",
            1,
            None,
            None,
            None,
            None,
            None,
            0,
            pid,
            1,
            False,
        )
        for number, (pid, found) in enumerate(blockers.items())
    ]
    keys = set(blockers).union(*blockers.values()) if blockers else set()
    one = session()
    known = {name: getattr(one, name, None) for name in Party.__slots__}
    parties = {key: _party({**known, "pid": key}) for key in keys}
    facts = Facts(waiting=waiting, parties=parties)
    graph = build(facts)
    things = Things(facts)
    return [row(facts, graph, things, spot) for spot in graph.spots]


def _party(values: dict[str, Any]) -> Party:
    return Party(**values)
