"""Locks are asked for briefly, again and again: whoever waits for a strong lock makes all others wait behind it.

A statement that could not have its lock is rolled back with its transaction, so nothing of it stays. After the last
attempt whoever holds the lock is named.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from wnadmin.domain.partitions import statements
from wnadmin.errors import Failed, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable
from wnadmin.results import World

RUNGS: Final = (100, 100, 200, 300, 400, 500, 500, 500, 500, 1000)
"""Milliseconds that each attempt waits for a lock."""
ROUNDS: Final = 2
LONGEST: Final = 1000
"""Milliseconds. No attempt waits longer, and none longer than deadlock_timeout: past that the server begins to
cancel autovacuum for whoever waits."""

AGAIN: Final = ("55P03", "40P01")
"""A lock timeout, and a deadlock that was broken."""

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which locks a change needs, by OID: against everybody, against writers, against other changes of the table."""

    own: tuple[int, ...] = ()
    writers: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock that is wanted; what the login may not see is ''."""

    relation: str
    mode: str
    pid: int | None
    login: str
    application_name: str
    backend_type: str
    state: str
    xact_start: datetime | None

    def __str__(self) -> str:
        """Say it in one line."""
        who = f"{self.login or self.backend_type} with {self.application_name or 'no name'}"
        if self.pid is None:
            return f"a prepared transaction has {self.relation} in {self.mode}"
        since = f", in its transaction since {self.xact_start:%Y-%m-%d %H:%M:%S} UTC" if self.xact_start else ""
        state = f", {self.state}" if self.state else ""
        return f"{who} (server process {self.pid}{state}{since}) has {self.relation} in {self.mode}"


@dataclass(frozen=True, slots=True)
class Ladder:
    """How long to wait and how often; ``cap`` is the longest wait in milliseconds."""

    rungs: Sequence[int]
    rounds: int
    cap: int
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @property
    def attempts(self) -> list[int]:
        """The milliseconds of each attempt."""
        return [min(one, self.cap) for _ in range(self.rounds) for one in self.rungs]

    def rest(self, number: int) -> float:
        """Give the seconds to sleep after attempt ``number``: a moment first, then up to two seconds."""
        least, most = (0.05, 0.15) if number < len(self.rungs) // 2 else (0.5, 2.0)
        return random.uniform(least, most)  # noqa: S311  # jitter, not cryptography

    def climb(
        self, db: Database, one: Callable[[int], None], wanted: Callable[[], Wanted], doing: str, world: World
    ) -> int:
        """Call ``one`` with the milliseconds of each attempt until it has its locks; gives how many it took.

        Raises Failed with the holders' names when it never had them, or when it was stopped.
        """
        attempts = self.attempts
        for number, milliseconds in enumerate(attempts, 1):
            try:
                one(milliseconds)
            except WnError as error:
                if error.sqlstate not in AGAIN:
                    raise
                if number == len(attempts):
                    raise given_up(db, wanted(), doing, number) from None
            else:
                return number
            if world.stopping():
                raise Failed(f"{doing} was stopped while it waited for a lock", next="Nothing of it was done.")
            world.progress(f"{doing}: a lock was not free; once more", number, len(attempts))
            self.sleep(self.rest(number))
        raise AssertionError("unreachable")


def standing(deadlock_milliseconds: int) -> Ladder:
    """Give the ladder for a server with this ``deadlock_timeout``."""
    return Ladder(RUNGS, ROUNDS, min(LONGEST, deadlock_milliseconds))


def given_up(db: Database, wanted: Wanted, doing: str, attempts: int) -> Failed:
    """Make the error that names who holds what was wanted."""
    found = holders(db, wanted)
    why = "; ".join(str(one) for one in found[:_NAMED]) or "Whoever held it has let go meanwhile."
    if len(found) > _NAMED:
        why += f"; and {len(found) - _NAMED} more"
    pids = [one.pid for one in found if one.pid is not None]
    follow = "Run it again."
    if pids:
        follow = (
            f"See what it does and end it, or wait, and run it again: wnadmin locks tree (server process {pids[0]})"
        )
    return Failed(
        f"{doing}: a lock was not to be had in {attempts} attempts, and nothing was changed",
        why=why,
        next=follow,
        sqlstate="55P03",
    )


def holders(db: Database, wanted: Wanted) -> list[Holder]:
    """Say who holds now what is wanted, the oldest transaction first."""
    values = {name: "{" + ",".join(map(str, getattr(wanted, name))) + "}" for name in ("own", "writers", "shared")}
    return db.rows("queries/partitions/holders", Holder, **values)


def together(db: Database, milliseconds: int, become: str, run: Sequence[Composable], doing: str) -> None:
    """Run statements in one transaction, with short waits: all of it or nothing."""
    session = db.session
    with session.transaction():
        session.run(statements.patience(milliseconds, local=True))
        if become:
            session.run(statements.become(become, local=True))
        for one in run:
            session.run(one, doing=doing)


def alone(db: Database, milliseconds: int, become: str, one: Composable, doing: str) -> None:
    """Run a statement that cannot be in a transaction, with short waits."""
    session = db.session
    try:
        session.run(statements.patience(milliseconds, local=False))
        if become:
            session.run(statements.become(become, local=False))
        session.run(one, doing=doing)
    finally:
        # A connection that is lost has forgotten both.
        with contextlib.suppress(WnError):
            session.run("RESET ROLE")
            session.run("RESET lock_timeout")
