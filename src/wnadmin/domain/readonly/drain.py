"""Ending the sessions that began before: the idle ones at once, the others when their time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from wnadmin.domain.readonly import look
from wnadmin.domain.readonly.values import Client, Kept, listed
from wnadmin.errors import Failed
from wnadmin.postgres.database import Database
from wnadmin.results import Receipt, World

_POLL: Final = 0.05
_PATIENCE: Final = 10.0
"""Seconds in which a session that was told to end has to be gone."""

_OWN: Final = ("wnadmin/", "pg_dump")


def spared(one: Client) -> bool:
    """Whether a superuser's session is wnadmin's own or a dump's. A superuser is held by nothing here anyway."""
    return one.is_superuser and one.application.startswith(_OWN)


def counts(one: Client, kept: Kept) -> bool:
    """Whether a session's role could write when read-only mode began, and is not exempt.

    Of others nothing is to be feared: a session of the backup or monitoring role goes on.
    """
    return one.role not in kept.exempt and (one.role in kept.writers or one.is_superuser) and not spared(one)


def survivors(clients: Sequence[Client], kept: Kept, cut: datetime | None) -> list[Client]:
    """Give the sessions that began before ``cut`` (None: whenever) and are not held by read-only mode."""
    return [one for one in clients if counts(one, kept) and (cut is None or one.since is None or one.since < cut)]


def drain(
    db: Database, key: str, chosen: Callable[[Sequence[Client]], list[Client]], grace: float, world: World
) -> Receipt:
    """End the chosen sessions; those in a transaction get ``grace`` seconds to finish it.

    Raises Failed when it was stopped, or when a session does not end.
    """
    began = time.monotonic()
    ended: set[tuple[int, datetime | None]] = set()
    told = 0.0
    total = max(1, round(grace * 1000))
    while left := chosen(look.clients(db)):
        waited = time.monotonic() - began
        over = waited >= grace
        for one in left:
            if (over or one.state == "idle") and (one.pid, one.since) not in ended:
                end(db, one)
                ended.add((one.pid, one.since))
        open_ = [one for one in left if (one.pid, one.since) not in ended]
        if open_ and world.stopping():
            raise Failed(
                f"stopped while {len(open_)} sessions were finishing",
                why=f"Still there: {listed([str(one) for one in open_])}.",
            )
        if not open_ and not told:
            told = waited
        if waited > max(grace, told) + _PATIENCE:
            raise Failed(
                f"{len(left)} sessions do not end",
                why=f"They were told to: {listed([str(one) for one in left])}.",
                next="See what they wait for: wnadmin sessions list",
            )
        what = f"waiting for {len(open_)} transactions" if open_ else "ending sessions"
        world.progress(what, min(total, round(waited * 1000)), total)
        time.sleep(_POLL)
    return Receipt(key, len(ended), round((time.monotonic() - began) * 1000))


def end(db: Database, one: Client) -> None:
    """End one session, if it is still the same."""
    since = one.since.isoformat() if one.since else ""
    if since:
        change = db.prepared("changes/readonly/end_session", {"pid": one.pid, "since": since})
        db.session.run(change.rendered.query, change.rendered.bound, doing=f"end {one}")
