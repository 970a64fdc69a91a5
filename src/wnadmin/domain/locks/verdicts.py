"""What to do about one session that holds others up: end it, cancel it, wait, or leave it alone, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from wnadmin.domain.locks.forest import short
from wnadmin.domain.locks.rows import Session, target
from wnadmin.domain.sessions import words

Action = Literal["end", "cancel", "rollback", "wait", "keep", "unknown"]
"""``end`` the session, ``cancel`` its statement, ``rollback`` a prepared transaction; ``wait`` for it; ``keep`` it:
ending it is the wrong remedy; ``unknown``: what it is cannot be seen."""

ACTS: frozenset[Action] = frozenset({"end", "cancel", "rollback"})

MOMENT = timedelta(seconds=2)
"""An idle transaction younger than this may be between two statements."""

HIDDEN_FROM_US = "This login may not see what it does, nor since when it is connected"
DUMPS = frozenset({"pg_dump", "pg_dumpall", "pg_basebackup", "pg_receivewal"})
STRONG = frozenset({"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about one session, why, and what is lost by it, as far as that can be known."""

    action: Action
    why: str
    loses: str = ""


def root(one: Session, patience: timedelta) -> Verdict:
    """Judge a session that others wait for and that waits for nobody (or stands in a deadlock)."""
    return _without_a_session(one) or _of_the_server(one) or _replicating(one) or _idle(one) or _running(one, patience)


def gate(one: Session, behind: int) -> Verdict:
    """Judge a session that waits itself and has ``behind`` others queued up behind it."""
    if one.hidden:
        return Verdict("unknown", HIDDEN_FROM_US)
    if other := _of_the_server(one) or _replicating(one):
        return other
    what = f"{short(one.wanted)} on {target(one.locktype, one.relation, one.object)}"
    why = (
        f"It waits itself ({words.age(one.waited)}), and {behind} stand behind it only because it wants {what}. "
        "Cancel it and run it again with SET lock_timeout = '3s', instead of ending who it waits for"
    )
    return Verdict("cancel", why, "its statement, and what its transaction did before it")


def gates(found: Sequence[Session]) -> list[Session]:
    """Find waiters that others only stand behind in the queue: DDL, most of the time."""
    ahead = {key for one in found for key in one.blockers if key not in one.hard}
    return [
        one
        for one in found
        if one.key in ahead and one.kind in ("hard", "soft") and one.locktype == "relation" and one.wanted in STRONG
    ]


def _without_a_session(one: Session) -> Verdict | None:
    if one.state == "gone":
        return Verdict("unknown", "It ended while it was looked at; look again")
    if one.state == "prepared" and one.gid is None:
        return Verdict("unknown", "A prepared transaction held the lock and is gone already; look again")
    if one.state == "prepared":
        why = (
            f"A prepared transaction, {words.age(one.xact_age)} old, owned by {one.role}: no session to end. If its "
            f"coordinator will not finish it, roll it back in database {one.database}, as its owner or a superuser"
        )
        return Verdict("rollback", why, "all that it changed; the coordinator may hold it for committed: ask first")
    if one.hidden:
        return Verdict("unknown", HIDDEN_FROM_US)
    if one.kind == "cycle":
        return Verdict("wait", "A deadlock: the server itself ends one of its sessions after deadlock_timeout")
    return None


def _of_the_server(one: Session) -> Verdict | None:
    if one.backend_type == "startup":
        why = "The standby replays a change of the primary; it lets go when that transaction's end is replayed"
        return Verdict("keep", why)
    if one.backend_type == "autovacuum worker" and one.wraparound:
        why = "Autovacuum to prevent wraparound: it would begin again at once. Let it finish; it may run faster with a "
        return Verdict("keep", why + "higher autovacuum_vacuum_cost_limit")
    if one.backend_type == "autovacuum worker":
        why = "Autovacuum gives way by itself, deadlock_timeout after someone waits for it"
        return Verdict("wait", why, "the work of this vacuum")
    return None


def _replicating(one: Session) -> Verdict | None:
    kind = one.backend_type or ""
    if kind == "walsender" or one.application in DUMPS:
        what = "replication or a base backup" if kind == "walsender" else f"{one.application} at work"
        return Verdict("keep", f"This is {what}; ending it loses the whole of it", "the backup or the stream")
    if kind.startswith("logical replication"):
        why = "A subscription's worker starts again by itself; stop it with ALTER SUBSCRIPTION … DISABLE"
        return Verdict("keep", why)
    if kind not in ("client backend", ""):
        return Verdict("keep", f"A background process ({kind}), which the server may start again at once")
    if (one.application or "").startswith("wnadmin/"):
        return Verdict("wait", f"This is {one.application} of an operator; see wnadmin audit unfinished")
    if one.wait_event == "SyncRep":
        why = "It has committed and waits for a synchronous standby; ending it undoes nothing. Look at the standby, or "
        return Verdict("keep", why + "at synchronous_standby_names")
    return None


def _idle(one: Session) -> Verdict | None:
    since = words.age(one.state_age)
    if one.state == "idle in transaction (aborted)":
        return Verdict("end", f"Its transaction has failed {since} ago and was never ended", "nothing: it has failed")
    if one.state == "idle in transaction":
        if one.state_age is not None and one.state_age < MOMENT:
            return Verdict("wait", f"Idle in its transaction for {since} only: it may be between two statements")
        return Verdict("end", f"Idle in its transaction for {since}; only its client would end it", _lost(one))
    if one.state == "idle":
        return Verdict("end", f"Idle for {since}, with a lock of the whole session (advisory)", "its session's locks")
    return None


def _running(one: Session, patience: timedelta) -> Verdict:
    since = words.age(one.state_age)
    if one.state != "active":
        return Verdict("unknown", f"Its state is {one.state or 'not tracked'}: whether it works cannot be seen")
    doing = f" ({one.command})" if one.command else ""
    if one.state_age is None or one.state_age < patience:
        return Verdict("wait", f"Its statement{doing} has run for {since} only", _lost(one))
    if one.wait_event in ("ClientWrite", "ClientRead"):
        why = f"Its statement{doing} has waited for its client, running for {since}"
        return Verdict("end", why, _lost(one))
    return Verdict("cancel", f"Its statement{doing} has run for {since}", _lost(one))


def _lost(one: Session) -> str:
    if one.xid is None:
        return "nothing written (no transaction id)"
    age = f" since {words.age(one.xact_age)}" if one.xact_age is not None else ""
    return f"what transaction {one.xid} wrote{age}; how much cannot be seen"
