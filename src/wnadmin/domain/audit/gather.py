"""Entries of the database and of this user's spool, read together and as far as this login can see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from wnadmin.errors import ServerError
from wnadmin.ledger import database, private
from wnadmin.ledger.chain import Entry
from wnadmin.ledger.operations import Operation, operations
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database


@dataclass(frozen=True, slots=True)
class Gathered:
    """Operations newest first, and what could not be seen, in words for the operator."""

    operations: tuple[Operation, ...]
    notes: tuple[str, ...]


def readable(db: Database | None) -> tuple[database.Presence | None, str]:
    """Look whether the ledger of ``db`` can be read; the text says why not, '' when it can."""
    if db is None:
        return None, "No server is connected: only the spool is shown."
    presence = database.present(db.session)
    if not presence.installed:
        return presence, f"The ledger is not installed in {presence.database_name}: only the spool is shown."
    if not presence.may_read:
        return presence, f"The ledger is hidden from {presence.login}: only the spool is shown. {grant(presence)}"
    return presence, ""


def grant(presence: database.Presence) -> str:
    """Give the statement that would let this login read the ledger."""
    return f'GRANT wondernest_operator TO "{presence.login}";'


def newest(db: Database | None, spool: Spool, *, since: datetime | None, limit: int) -> Gathered:
    """Give the ``limit`` newest operations of both sinks."""
    _, blind = readable(db)
    spooled = spool.entries()
    found: list[Entry] = list(spooled)
    if db is not None and not blind:
        found += database.newest_operations(db.session, since=since, limit=limit)
        # A change may have begun in one sink and ended in the other.
        recent = [one.op_id for one in operations(spooled)[:limit]]
        found += database.entries_of(db.session, set(recent) - _ids(found[len(spooled) :]))
    chosen = [one for one in operations(found) if since is None or one.started >= since]
    return Gathered(tuple(chosen[:limit]), (blind,) if blind else ())


def one(db: Database | None, spool: Spool, op_id: UUID) -> Gathered:
    """Give the operation ``op_id`` of both sinks, or none."""
    _, blind = readable(db)
    found = [entry for entry in spool.entries() if entry.op_id == op_id]
    if db is not None and not blind:
        found += database.entries_of(db.session, [op_id])
    return Gathered(tuple(operations(found)), (blind,) if blind else ())


def unended(db: Database | None, spool: Spool) -> Gathered:
    """Give the operations that neither sink has an end of."""
    _, blind = readable(db)
    spooled = spool.entries()
    found: list[Entry] = list(spooled)
    if db is not None and not blind:
        begun = {entry.op_id for entry in spooled if entry.phase == "intent"}
        open_there = {orphan.op_id for orphan in database.orphans(db.session)}
        found += database.entries_of(db.session, begun | open_there)
    chosen = tuple(each for each in operations(found) if each.unfinished)
    return Gathered(chosen, (blind,) if blind else ())


def states(db: Database | None, chosen: Iterable[Operation]) -> dict[UUID, str]:
    """Say of unfinished operations whether they are ``running``, ``ended`` without an outcome, or ``unknown``."""
    chosen = tuple(chosen)
    sessions: list[database.Running] | None = None
    if db is not None and any(each.entries[-1].sink == "database" for each in chosen):
        try:
            sessions = database.running(db.session)
        except ServerError:
            sessions = None
    return {each.op_id: _state(each.entries[-1], sessions) for each in chosen}


def _state(last: Entry, sessions: list[database.Running] | None) -> str:
    facts = last.circumstances()
    if last.sink == "database":
        if sessions is None:
            return "unknown"
        alive = any(s.pid == facts.get("backend_pid") and (s.since is None or s.since <= last.ts) for s in sessions)
        return "running" if alive else "ended"
    if facts.get("host") != private.host():
        return "unknown"
    pid, start = facts.get("pid"), facts.get("pid_start")
    alive = isinstance(pid, int) and bool(start) and private.process_start(pid) == start
    return "running" if alive else "ended"


def _ids(entries: Iterable[Entry]) -> set[UUID]:
    return {entry.op_id for entry in entries}
