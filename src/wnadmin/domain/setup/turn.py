"""One migration at a time: Flyway's own advisory lock, waited for by asking, and who holds it.

A lock that is waited for inside the server is a snapshot, for which CREATE INDEX CONCURRENTLY waits in turn; so it
is tried again and again instead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wnadmin.domain.setup import flyway
from wnadmin.errors import Failed, Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import World

TRY: Final = f"SELECT pg_catalog.pg_try_advisory_xact_lock({flyway.LOCK_KEY})"
"""Takes the lock until the end of the transaction; false when somebody else has it."""

TRY_LONG: Final = f"SELECT pg_catalog.pg_try_advisory_lock({flyway.LOCK_KEY})"
"""Takes the lock until the end of the session, for what cannot run in a transaction."""

WRITABLE: Final = (
    "Find out who set it and why, then in a session that may write:"
    " BEGIN READ WRITE; ALTER DATABASE … RESET default_transaction_read_only; COMMIT;"
)
"""What to do about a database whose transactions are read-only."""

_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Holder:
    """A session that holds the lock; what the login may not see is None."""

    pid: int
    login: str | None
    application_name: str | None
    since: datetime | None

    def __str__(self) -> str:
        since = f", since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        name = self.application_name or "no name"
        return f"{self.login or 'another login'} with {name} (server process {self.pid}{since})"


def holders(session: Session) -> list[Holder]:
    """Say who holds the lock now; at most one, except for a moment."""
    return Database(session).rows("queries/setup/turn", Holder, key=flyway.LOCK_KEY)


def take(session: Session, *, wait: float, world: World, doing: str, long: bool = False) -> None:
    """Take the lock, asking for up to ``wait`` seconds; ``doing`` is a noun such as ``setup``.

    Raises Refused with the holder's name, Failed when the operator stopped the waiting.
    """
    deadline = time.monotonic() + wait
    while not session.scalar(TRY_LONG if long else TRY):
        left = deadline - time.monotonic()
        if left <= 0:
            who = "; ".join(str(one) for one in holders(session))
            held = f"It has held the migration lock for the {wait:g} seconds that this one waited."
            raise Refused(
                f"another {doing} or Flyway is at work in {session.dbname}",
                why=f"{held} Held by {who}." if who else held,
                next="Wait for it, or see what it does: wnadmin sessions list",
            )
        if world.stopping():
            raise Failed(f"{doing} was stopped while it waited", next="Nothing was changed.")
        world.progress(f"waiting for another {doing}", round(wait - left), round(wait))
        time.sleep(_POLL_SECONDS)
