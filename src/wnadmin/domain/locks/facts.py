"""What the server says about waiting and holding, raw: four short looks instead of one long one.

``queries/locks/tree`` gives the same forest in one statement for psql; a new connection plans that statement for
longer than these four take, and in a fire every connection is new. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wnadmin.postgres.database import Database

Tag = tuple[object, ...]
"""What a lock is on: the ten columns of pg_locks that name it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One process that waits: for what, since when, and the pids in its way (0: a prepared transaction)."""

    pid: int
    blockers: list[int]
    mode: str
    waitstart: datetime | None
    waited: timedelta | None
    locktype: str
    database: int | None
    relation: int | None
    page: int | None
    tuple: int | None
    virtualxid: str | None
    transactionid: str | None
    classid: int | None
    objid: int | None
    objsubid: int | None
    standby: bool

    @property
    def tag(self) -> Tag:
        """What it waits for."""
        return _tag(self)


@dataclass(frozen=True, slots=True)
class Held:
    """One lock that is held; ``pid`` None: by a prepared transaction."""

    pid: int | None
    virtualtransaction: str
    mode: str
    locktype: str
    database: int | None
    relation: int | None
    page: int | None
    tuple: int | None
    virtualxid: str | None
    transactionid: str | None
    classid: int | None
    objid: int | None
    objsubid: int | None

    @property
    def tag(self) -> Tag:
        """What it is on."""
        return _tag(self)


def _tag(one: Waiting | Held) -> Tag:
    return (
        one.locktype,
        one.database,
        one.relation,
        one.page,
        one.tuple,
        one.virtualxid,
        one.transactionid,
        one.classid,
        one.objid,
        one.objsubid,
    )


@dataclass(frozen=True, slots=True)
class Party:
    """One process of the server; ``leader`` for a parallel worker only."""

    pid: int
    leader: int | None
    backend_start: datetime | None
    xact_start: datetime | None
    backend_type: str | None
    role: str | None
    superuser: bool | None
    database: str | None
    application: str | None
    client: str | None
    state: str | None
    state_age: timedelta | None
    xact_age: timedelta | None
    xid: str | None
    xmin: str | None
    wait_event_type: str | None
    wait_event: str | None
    command: str | None
    query_id: int | None
    wraparound: bool | None
    query: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One prepared transaction."""

    xid: str
    gid: str
    role: str
    superuser: bool | None
    database: str
    prepared: datetime
    age: timedelta


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a relation or database; ``here`` is the connected database."""

    kind: str
    oid: int
    name: str


@dataclass(frozen=True, slots=True)
class Description:
    """What an object is; None when it is gone."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at a fire; everything is empty when nobody waits."""

    waiting: Sequence[Waiting] = ()
    held: Sequence[Held] = ()
    parties: Mapping[int, Party] = field(default_factory=dict)
    prepared: Sequence[Prepared] = ()
    relations: Mapping[int, str] = field(default_factory=dict)
    databases: Mapping[int, str] = field(default_factory=dict)
    here: int = 0
    objects: Mapping[Tag, str] = field(default_factory=dict)


def gather(db: Database, *, show_queries: bool = False) -> Facts:
    """Look who waits and, if anybody does, who holds what; no statement waits for a lock."""
    waiting = db.rows("queries/locks/blocked", Waiting)
    if not waiting:
        return Facts()
    held = db.rows(
        "queries/locks/held",
        Held,
        relations=_array({one.relation for one in waiting}),
        transactions=_array({one.transactionid for one in waiting}),
        virtuals=_array({one.virtualxid for one in waiting}),
        kinds=_array({one.locktype for one in waiting if one.classid is not None}),
        waiters=_array({one.pid for one in waiting}),
    )
    parties = {one.pid: one for one in db.rows("queries/locks/parties", Party, show_queries=show_queries)}
    prepared = db.rows("queries/locks/prepared", Prepared) if any(0 in one.blockers for one in waiting) else []
    relations = {one.relation for one in waiting} | {one.relation for one in held if one.locktype == "tuple"}
    names = db.rows("queries/locks/names", Name, relations=_array(relations))
    here = next((one.oid for one in names if one.kind == "here"), 0)
    return Facts(
        waiting,
        held,
        parties,
        prepared,
        {one.oid: one.name for one in names if one.kind == "relation"},
        {one.oid: one.name for one in names if one.kind != "relation"},
        here,
        _objects(db, waiting, here),
    )


def _objects(db: Database, waiting: Iterable[Waiting], here: int) -> dict[Tag, str]:
    found: dict[Tag, str] = {}
    for one in waiting:
        if one.locktype != "object" or one.database not in (0, here) or one.tag in found:
            continue
        values = {"class": one.classid, "object": one.objid, "sub": one.objsubid}
        for described in db.rows("queries/locks/object", Description, **values):
            if described.name is not None:
                found[one.tag] = described.name
    return found


def _array(values: Iterable[int | str | None]) -> str:
    # Numbers, and the server's own words for transactions and kinds: nothing that would need quotes.
    return "{" + ",".join(sorted(str(one) for one in values if one is not None)) + "}"
