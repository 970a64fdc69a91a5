"""What the tests of `health run` share: a server that may be filled and spoiled, and words about findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support import Ran, Server
from wnadmin.errors import WnError
from wnadmin.postgres.session import Session

SLOTS, FOR_MONITORS, FOR_SUPERUSERS = 20, 1, 2
DB = "wondernest"
ORDINARY, MONITOR = "trap_ordinary", "trap_monitor"
LOW = ("--threshold", "idle-in-transaction=1ms,2ms", "--threshold", "long-transactions=1ms,2ms")

Health = Callable[..., Ran]


def found(ran: Ran) -> list[dict[str, Any]]:
    """The findings of a run with ``--format json``."""
    findings: list[dict[str, Any]] = ran.json()["findings"]
    return findings


def severities(ran: Ran) -> dict[str, set[str]]:
    """The severities by check."""
    by: dict[str, set[str]] = {}
    for one in found(ran):
        by.setdefault(one["check"], set()).add(one["severity"])
    return by


def end(server: Server, *sessions: Session) -> None:
    """End them from the server's side: one that waits cannot be closed from its own, and its slot is to be free."""
    with server.session() as other:
        for one in sessions:
            with suppress(WnError):
                other.run("SELECT pg_terminate_backend(%s, 5000)", [one.backend_pid])
            one.close()


@contextmanager
def busy(server: Server, *statements: str, waits: str = "", user: str = "postgres") -> Iterator[Session]:
    """A session that has run the statements, and with ``waits`` is still at that one."""
    session = server.session(DB, user, lock_timeout="0", statement_timeout="0")
    try:
        for text in statements:
            session.run(text)
        if waits:
            session._connection.pgconn.send_query(waits.encode())
            session._connection.pgconn.flush()
        yield session
    finally:
        end(server, session)


def settings(folder: Path, *, primary: str, standbys: Sequence[str] = (), extra: str = "") -> None:
    """Write wnadmin.toml with the profile ``trap`` where this test's wnadmin reads it."""
    path = folder / ".config" / "wnadmin" / "wnadmin.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"[profiles.trap]\nprimary = {json.dumps(primary)}\nstandbys = {json.dumps(list(standbys))}\n{extra}\n"
    path.write_text(text, encoding="utf-8")
