"""Taking one partition out, and putting it back.

The mark comes first. DETACH … CONCURRENTLY is two transactions: cut off between them it leaves a partition that is
``pending``, whose rows nobody sees through the parent; only FINALIZE goes on from there, and is always tried first.
A table with a default partition cannot do so, and is locked against everybody for a moment.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.partitions import ladder, look, mark, statements
from wnadmin.domain.partitions.bounds import Span
from wnadmin.domain.partitions.ladder import Ladder, Wanted
from wnadmin.domain.partitions.values import Linked, Parent, path
from wnadmin.errors import Failed, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable
from wnadmin.results import World

AGE: Final = "1 second"
"""A transaction of this age that may still see a partition is not waited for with locks held."""
_AGAIN: Final = (*ladder.AGAIN, "57014")


@dataclass(frozen=True, slots=True)
class Target:
    """A partition to be taken out. ``become`` is the role to take on, ``linked`` who shares foreign keys."""

    parent: Parent
    default: int | None
    oid: int
    schema: str
    name: str
    span: Span
    comment: str | None
    pending: bool
    become: str
    linked: tuple[Linked, ...]

    @property
    def path(self) -> str:
        """Name it for people."""
        return path(self.schema, self.name)

    @property
    def key(self) -> str:
        """The key of its step."""
        return f"detach {self.path}"

    @property
    def wanted(self) -> Wanted:
        """The locks that detaching takes."""
        own = (self.parent.oid, self.default, self.oid) if self.default else (self.oid,)
        return Wanted(own, tuple(one.oid for one in self.linked), (self.parent.oid,))

    def statement(self, how: str = "") -> Composable:
        """Take it out."""
        return statements.detach(self.parent.schema, self.parent.name, (self.schema, self.name), how)


@dataclass(frozen=True, slots=True)
class Older:
    """A transaction that may still see a partition."""

    pid: int
    login: str
    application_name: str
    backend_type: str
    state: str
    xact_start: datetime

    def __str__(self) -> str:
        """Say it in one line."""
        who = f"{self.login or self.backend_type} with {self.application_name or 'no name'}"
        return f"{who} (server process {self.pid}, in its transaction since {self.xact_start:%Y-%m-%d %H:%M:%S} UTC)"


def back(one: Target) -> list[Composable]:
    """Attach it again, with the comment that it had."""
    part = (one.schema, one.name)
    made: list[Composable] = []
    if (lock := statements.lock(one.linked)) is not None:
        made.append(lock)
    made.append(statements.attach(one.parent.schema, one.parent.name, part, one.span, one.parent.key_type or ""))
    kept = mark.make(one.parent, one.span, datetime.now(UTC), one.comment)
    return [*made, statements.comment_on(*part, kept.comment)]


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


def put_back(db: Database, one: Target, milliseconds: int) -> None:
    """Attach it again, or nothing; the constraint that the detach left is not needed any more."""
    session = db.session
    with session.transaction():
        session.run(statements.patience(milliseconds, local=True))
        if one.become:
            session.run(statements.become(one.become, local=True))
        for each in back(one):
            session.run(each, doing=f"attach {one.path} again")
        for found in db.rows("queries/partitions/redundant", _Named, part=one.oid):
            session.run(statements.drop_constraint(one.schema, one.name, found.name))


def marking(one: Target, at: datetime) -> Composable:
    """Mark it; a mark that is there already keeps its moment."""
    known = mark.read(one.comment or "") if (one.comment or "").startswith(mark.PREFIX) else None
    made = known or mark.make(one.parent, one.span, at, one.comment)
    return statements.comment_on(one.schema, one.name, mark.write(made))


def carry_out(db: Database, one: Target, climbing: Ladder, wait: float, world: World) -> int:
    """Take it out, from wherever an earlier attempt left it; gives how many attempts that took.

    Older transactions are waited for so many seconds. Raises Failed with who is in the way.
    """
    now = look.state(db, one.parent.oid, one.oid)
    if now.standing == "gone":
        raise Failed(f"{one.path} is gone", why="Somebody dropped it since the plan.", next="Make a new plan.")
    doing = f"detach {one.path}"
    marked = marking(one, datetime.now(UTC))
    if one.default is not None and now.standing == "attached":
        lock = statements.lock(one.linked)
        run = [marked, *([lock] if lock is not None else []), one.statement()]
        return climbing.climb(
            db,
            lambda milliseconds: ladder.together(db, milliseconds, one.become, run, doing),
            lambda: one.wanted,
            doing,
            world,
        )
    attempts = climbing.climb(
        db,
        lambda milliseconds: ladder.together(db, milliseconds, one.become, [marked], f"mark {one.path}"),
        lambda: Wanted(shared=(one.oid,)),
        f"mark {one.path}",
        world,
    )
    try:
        return attempts + _concurrently(db, one, climbing, wait, world)
    except WnError:
        _unmark(db, one)
        raise


def _unmark(db: Database, one: Target) -> None:
    """Take the mark back from a partition that stayed attached; if that fails too, the next run does it."""
    with contextlib.suppress(WnError):
        if look.state(db, one.parent.oid, one.oid).standing == "attached":
            kept = mark.make(one.parent, one.span, datetime.now(UTC), one.comment)
            statement = statements.comment_on(one.schema, one.name, kept.comment)
            ladder.together(db, ladder.LONGEST, one.become, [statement], f"take the mark of {one.path} back")


def _concurrently(db: Database, one: Target, climbing: Ladder, wait: float, world: World) -> int:
    """Detach in two transactions, and finish what was cut off between them; gives how often it was tried."""
    deadline = time.monotonic() + wait
    rungs = climbing.attempts
    number = 0
    while True:
        standing = look.state(db, one.parent.oid, one.oid).standing
        if standing in ("detached", "gone"):
            return number
        milliseconds = rungs[min(number, len(rungs) - 1)]
        number += 1
        how = "FINALIZE" if standing == "pending" else "CONCURRENTLY"
        if how == "CONCURRENTLY" or not older(db):
            try:
                ladder.alone(db, milliseconds, one.become, one.statement(how), f"detach {one.path}")
                continue
            except WnError as error:
                if error.sqlstate == "23503":
                    raise _referred(one, error) from None
                if error.sqlstate not in _AGAIN:
                    raise
        standing = look.state(db, one.parent.oid, one.oid).standing
        if world.stopping():
            raise _half(db, one) if standing == "pending" else Failed(f"the detach of {one.path} was stopped")
        if standing == "attached" and number >= len(rungs):
            raise ladder.given_up(db, one.wanted, f"detach {one.path}", number)
        if standing == "pending" and time.monotonic() > deadline:
            raise _half(db, one)
        world.progress(f"detach {one.path}: waiting for older transactions", 0, 0)
        climbing.sleep(climbing.rest(min(number, 3)))


def older(db: Database, age: str = AGE) -> list[Older]:
    """List the transactions of this age that may still see what is being detached, the oldest first."""
    return db.rows("queries/partitions/older", Older, age=age)


def _half(db: Database, one: Target) -> Failed:
    found = older(db, "0 seconds")
    why = "Older transactions may still see it: " + "; ".join(map(str, found[:3])) if found else "A lock was not free"
    return Failed(
        f"{one.path} is half detached: nobody sees its rows through {one.parent.path} any more",
        why=f"{why}.",
        next="When they have ended, or were ended (wnadmin sessions list), finish it: wnadmin partitions detach",
        sqlstate="55P03",
    )


def _referred(one: Target, error: WnError) -> Failed:
    names = ", ".join(path(x.schema, x.name) for x in one.linked if x.refers)
    return Failed(
        f"rows of {names} refer to rows of {one.path}",
        why=error.what,
        next="What refers to them goes first: let its retention policy be carried out.",
        sqlstate=error.sqlstate,
    )
