"""How the database is reached: to change it, as a client does, and through the pooler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wnadmin.errors import WnError
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.pooler import Pooler, plain
from wnadmin.postgres.session import Session, target_from_dsn
from wnadmin.settings import Profile

_SETTINGS: Final = {
    # The way out of read-only mode must not be closed by it.
    "default_transaction_read_only": "off",
    # One look at the privileges of all tables: compiling it takes longer than making it.
    "jit": "off",
    "idle_session_timeout": "0",
}

_CANARY: Final = "CREATE TEMPORARY TABLE wnadmin_canary (id integer)"


@dataclass(frozen=True, slots=True)
class Canary:
    """What became of a write that is taken back: ``sqlstate`` '' when it worked."""

    sqlstate: str
    message: str = ""

    @property
    def read_only(self) -> bool:
        """Whether it was refused for that reason; without the privilege it would be refused for another."""
        return self.sqlstate == "25006"

    def __str__(self) -> str:
        if self.read_only:
            return "a new session begins read-only"
        return "a new session may write" + (f" ({self.message})" if self.sqlstate else "")


@dataclass(frozen=True, slots=True)
class Ways:
    """``db`` may write whatever the database says. ``fresh`` opens a session as a client's begins."""

    db: Database
    fresh: Callable[[], Session]
    pooler: Pooler | None = None


def ways(connections: Connections, profile: Profile) -> Ways:
    """Connect, and say how else the database is reached."""
    session = connections.open(settings=_SETTINGS)
    pooler = None
    if profile.pooler:
        target = target_from_dsn(profile.pooler, source=f"pooler of profile {profile.name}")
        alias = target.database() or session.dbname
        pooler = Pooler(target.at(alias), connections.command, alias)
    fresh = connections.target.at(session.dbname)
    return Ways(Database(session), lambda: plain(fresh, connections.command), pooler)


def canary(opened: Callable[[], Session]) -> Canary:
    """Try to write in a new session, and take it back. Raises NoConnection."""
    with opened() as session:
        session.run("BEGIN")
        try:
            session.run(_CANARY)
            found = Canary("")
        except WnError as error:
            if error.sqlstate is None:
                raise
            found = Canary(error.sqlstate, error.what)
        session.run("ROLLBACK")
    return found
