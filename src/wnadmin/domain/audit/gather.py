"""Entries of the database and of this user's spool, read together and as far as this login can see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from wnadmin.domain.setup.names import LOGIN_ROLES
from wnadmin.errors import ServerError
from wnadmin.ledger import database, private
from wnadmin.ledger.chain import Entry
from wnadmin.ledger.operations import Operation, operations
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database


@dataclass(frozen=True, slots=True)
class Gathered:
    """Operations newest first, and what could not be seen, in words for the operator.

    ``looked`` is whether the database's ledger was read, ``scope`` in words what was, '' where it was all of it.
    ``elsewhere`` are the operations of the spool that are about other databases than the connected one, newest first.
    """

    operations: tuple[Operation, ...]
    notes: tuple[str, ...]
    looked: bool
    elsewhere: tuple[Operation, ...] = ()
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """How far one can see: ``blind`` says why the ledger of ``db`` cannot be read, '' when it can.

    ``own`` is whether the operations that this login began can be read all the same.
    """

    db: Database | None
    presence: database.Presence | None
    blind: str
    own: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what cannot be seen, if anything."""
        return (self.blind,) if self.blind else ()

    def concerns(self, one: Operation) -> bool:
        """Whether an operation is about the connected database or this machine; without a database any is.

        What was recorded without a connection has no more than the words it was called with.
        """
        if self.db is None or self.presence is None or any(entry.sink == "database" for entry in one.entries):
            return True
        known = [entry.circumstances() for entry in one.entries]
        origins = {str(facts["origin"]) for facts in known if "origin" in facts}
        if origins:
            return self.presence.origin in origins
        targets = {str(facts["target"]) for facts in known if "target" in facts}
        return not targets or self.db.session.target.describe() in targets

    def entries_of(self, op_ids: set[UUID]) -> list[Entry]:
        """Give the ledger's entries of these operations, none where it cannot be read."""
        if self.db is None or not op_ids:
            return []
        if self.own:
            return database.own(self.db.session, op_ids)
        return [] if self.blind else database.entries_of(self.db.session, op_ids)

    @property
    def scope(self) -> str:
        """Say where was looked, '' for everywhere."""
        if self.own:
            return "in the spool or among this login's own operations; the rest of the ledger was not read"
        return "in the spool; the ledger was not read" if self.blind else ""


def look(db: Database | None) -> Sight:
    """Look whether the ledger of ``db`` can be read."""
    if db is None:
        return Sight(None, None, "No server is connected: only the spool is shown.")
    presence = database.present(db.session)
    blind, own = "", False
    if not presence.installed:
        blind = f"The ledger is not installed in {presence.database_name}: only the spool is shown."
    elif not presence.may_read:
        own = presence.may_read_own
        shown = "only what it began itself is shown, and the spool" if own else "only the spool is shown"
        blind = f"The ledger is hidden from {presence.login}: {shown}. {remedy(presence)}"
    return Sight(db, presence, blind, own)


def remedy(presence: database.Presence) -> str:
    """Say how to come to see the ledger: a grant, but never one to a login of a program."""
    if presence.login in LOGIN_ROLES:
        return "Log in as a member of wondernest_operator."
    return f'GRANT wondernest_operator TO "{presence.login}";'


def newest(
    db: Database | None, spool: Spool, *, since: datetime | None, limit: int, everywhere: bool = False
) -> Gathered:
    """Give the ``limit`` newest operations of both sinks; with ``everywhere`` also those of other databases."""
    sight = look(db)
    spooled = operations(spool.entries())
    rows: list[Entry] = []
    if db is not None and not sight.blind:
        rows = database.newest_operations(db.session, since=since, limit=limit)
    elif db is not None and sight.own:
        rows = database.own(db.session, limit=limit)
    stored = {entry.op_id for entry in rows}
    mine = [each for each in spooled if everywhere or each.op_id in stored or sight.concerns(each)]
    # A change may have begun in one sink and ended in the other.
    rows += sight.entries_of({each.op_id for each in mine[:limit]} - stored)
    chosen = operations([*rows, *(entry for each in mine for entry in each.entries)])
    known = {each.op_id for each in mine}
    others = [each for each in spooled if each.op_id not in known]
    return Gathered(
        tuple([each for each in chosen if since is None or each.started >= since][:limit]),
        sight.notes,
        not sight.blind,
        tuple(each for each in others if since is None or each.started >= since),
        sight.scope,
    )


def one(db: Database | None, spool: Spool, op_id: UUID) -> Gathered:
    """Give the operation ``op_id`` of both sinks, whatever database it is about, or none."""
    sight = look(db)
    found = [entry for entry in spool.entries() if entry.op_id == op_id]
    found += sight.entries_of({op_id})
    return Gathered(tuple(operations(found)), sight.notes, not sight.blind, scope=sight.scope)


def unended(db: Database | None, spool: Spool) -> Gathered:
    """Give the operations that neither sink has an end of."""
    sight = look(db)
    spooled = operations(spool.entries())
    begun = {each.op_id for each in spooled if each.unfinished}
    if db is not None and not sight.blind:
        begun |= {orphan.op_id for orphan in database.orphans(db.session)}
    elif db is not None and sight.own:
        begun |= {each.op_id for each in operations(database.own(db.session)) if each.unfinished}
    found = [entry for each in spooled if each.op_id in begun for entry in each.entries]
    found += sight.entries_of(begun)
    here: list[Operation] = []
    elsewhere: list[Operation] = []
    for each in operations(found):
        mine = sight.concerns(each)
        # A step alone tells that the rest is in a ledger; where that is not read, nothing can be said of it.
        if each.unfinished and (each.phase == "intent" or (mine and not sight.blind)):
            (here if mine else elsewhere).append(each)
    return Gathered(tuple(here), sight.notes, not sight.blind, tuple(elsewhere), sight.scope)


def states(db: Database | None, chosen: Iterable[Operation]) -> dict[UUID, str]:
    """Say of unfinished operations whether they are ``running``, ``cut short`` without an outcome, or ``unknown``."""
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
    if last.joined and "backend_pid" in facts:
        # It began in another life of the database: no session of this server is its own.
        return "cut short"
    if last.sink == "database" and not last.joined:
        if sessions is None:
            return "unknown"
        alive = any(s.pid == facts.get("backend_pid") and (s.since is None or s.since <= last.ts) for s in sessions)
        return "running" if alive else "cut short"
    if facts.get("host") != private.host():
        return "unknown"
    pid, start = facts.get("pid"), facts.get("pid_start")
    alive = isinstance(pid, int) and bool(start) and private.process_start(pid) == start
    return "running" if alive else "cut short"
