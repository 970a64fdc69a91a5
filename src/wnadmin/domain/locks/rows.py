"""The forest as rows, one a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from wnadmin.domain.locks.facts import Facts, Prepared, Waiting, gather
from wnadmin.domain.locks.graph import Graph, Spot, build
from wnadmin.domain.sessions.sight import HIDDEN
from wnadmin.postgres.database import Database

Kind = Literal["root", "cycle", "hard", "soft"]


@dataclass(frozen=True, slots=True)
class Session:
    """One session of the forest; it stands once, below the nearest of its blockers, in reading order.

    ``key`` is the pid, or minus the transaction id of a prepared transaction (0 when it is gone already), which has
    a ``gid`` and no ``pid``. ``blockers`` are the keys of all it waits for, ``hard`` of those that hold what it
    wants; the others only stand before it in the queue. ``root`` is where its tree begins, ``roots`` all trees it is
    in. ``direct`` counts those that wait for it, ``below`` those that stand below it, of a root also those that
    are drawn below another one. ``wanted`` is its own mode, ``held`` the one its parent holds, ``ahead`` the one its
    parent wants before it. ``relation`` is quoted and with its schema.
    """

    session: str
    key: int
    pid: int | None
    backend_start: datetime | None
    xact_start: datetime | None
    gid: str | None
    root: int
    roots: Sequence[int]
    depth: int
    path: Sequence[int]
    kind: Kind
    blockers: Sequence[int]
    hard: Sequence[int]
    direct: int
    below: int
    locktype: str | None
    relation: str | None
    object: str | None
    wanted: str | None
    held: str | None
    ahead: str | None
    waited: timedelta | None
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
    hidden: bool
    query: str | None

    @property
    def waiting(self) -> bool:
        """Whether it waits itself: all do but the roots."""
        return self.kind != "root"

    @property
    def name(self) -> str:
        """Its pid, or the gid of a prepared transaction."""
        return named(self.key, self.gid)


def forest(db: Database, *, show_queries: bool = False) -> list[Session]:
    """Look at the forest once; waits for no lock. Empty when nobody is blocked."""
    facts = gather(db, show_queries=show_queries)
    graph = build(facts)
    things = Things(facts)
    return [row(facts, graph, things, spot) for spot in graph.spots]


def named(key: int, gid: str | None) -> str:
    """Name a session: its pid, or the gid of a prepared transaction."""
    if key > 0:
        return str(key)
    return f"prepared {gid}" if gid is not None else "a prepared transaction that is gone"


def target(locktype: str | None, relation: str | None, thing: str | None) -> str:
    """Say what is waited for: the relation, the row or transaction in it, or whatever else it is."""
    if relation and thing:
        return f"{relation} {thing}"
    return relation or thing or locktype or "something"


def people(many: int) -> str:
    """Count sessions: ``1 session``, ``7 sessions``."""
    return f"{many} session{'' if many == 1 else 's'}"


def row(facts: Facts, graph: Graph, things: Things, spot: Spot) -> Session:
    """Give the session at one spot of the forest."""
    key, parent = spot.key, spot.parent
    party = facts.parties.get(key)
    prepared = things.prepared.get(key)
    want = graph.wants[key] if key in graph.blockers else None
    links = graph.links.get(key, ())
    kind: Kind = "cycle" if spot.cycle else "root" if parent is None else "hard" if parent.hard else "soft"
    return Session(
        session="  " * (len(spot.path) - 1) + named(key, prepared.gid if prepared else None),
        key=key,
        pid=key if key > 0 else None,
        backend_start=party.backend_start if party else None,
        xact_start=party.xact_start if party else None,
        gid=prepared.gid if prepared else None,
        root=spot.root,
        roots=spot.roots,
        depth=len(spot.path) - 1,
        path=spot.path,
        kind=kind,
        blockers=sorted(graph.blockers.get(key, ())),
        hard=[one.blocker for one in links if one.hard],
        direct=spot.direct,
        below=spot.below,
        locktype=want.locktype if want else None,
        relation=things.relation(want) if want else None,
        object=things.object(want) if want else None,
        wanted=want.mode if want else None,
        held=parent.mode if parent and parent.hard else None,
        ahead=parent.mode if parent and not parent.hard else None,
        waited=want.waited if want else None,
        backend_type=party.backend_type if party else None,
        role=party.role if party else prepared.role if prepared else None,
        superuser=party.superuser if party else prepared.superuser if prepared else None,
        database=party.database if party else prepared.database if prepared else None,
        application=party.application if party else None,
        client=party.client if party else None,
        state=state_of(facts, key),
        state_age=party.state_age if party else None,
        xact_age=party.xact_age if party else prepared.age if prepared else None,
        xid=party.xid if party else prepared.xid if prepared else None,
        xmin=party.xmin if party else None,
        wait_event_type=party.wait_event_type if party else None,
        wait_event=party.wait_event if party else None,
        command=party.command if party else None,
        query_id=party.query_id if party else None,
        wraparound=party.wraparound if party else None,
        hidden=party is not None and party.state == HIDDEN,
        query=party.query if party else None,
    )


def state_of(facts: Facts, key: int) -> str | None:
    """Say what a session is doing: as the server says it, or prepared, gone or hidden."""
    if key <= 0:
        return "prepared"
    party = facts.parties.get(key)
    return party.state if party else "gone"


class Things:
    """Names for what is waited for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.prepared: dict[int, Prepared] = {-int(one.xid): one for one in facts.prepared}
        rows: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for one in facts.held:
            if one.locktype == "tuple" and one.pid is not None and one.database == facts.here:
                rows[one.pid].append((one.page or 0, one.tuple or 0, one.relation or 0))
        # Who waits for another's transaction because of a row holds the lock on that row, first in its queue.
        self.rows = {pid: min(found) for pid, found in rows.items()}

    def relation(self, want: Waiting) -> str | None:
        """Give the relation, quoted and with its schema; of another database only its number can be known."""
        if want.relation is None:
            row = self.rows.get(want.pid) if want.locktype == "transactionid" else None
            return self.facts.relations.get(row[2]) if row else None
        name = self.facts.relations.get(want.relation) if want.database in (0, self.facts.here) else None
        if name is not None:
            return name
        return f"relation {want.relation} of database {self.facts.databases.get(want.database or 0, want.database)}"

    def object(self, want: Waiting) -> str | None:
        """Say which row, transaction, advisory key or other object it is."""
        match want.locktype:
            case "tuple":
                return f"row ({want.page},{want.tuple})"
            case "page":
                return f"page {want.page}"
            case "transactionid":
                row = self.rows.get(want.pid)
                return f"{f'row ({row[0]},{row[1]}), ' if row else ''}transaction {want.transactionid}"
            case "virtualxid":
                return f"virtual transaction {want.virtualxid}"
            case "advisory" if want.objsubid == 1:
                return f"advisory key {_signed((want.classid or 0) << 32 | (want.objid or 0))}"
            case "advisory":
                return f"advisory keys {want.classid}, {want.objid}"
        if want.tag in self.facts.objects:
            return self.facts.objects[want.tag]
        return f"object {want.objid} of catalog {want.classid}" if want.classid is not None else None


def _signed(key: int) -> int:
    """Give a key of 64 bits as the bigint that pg_advisory_lock was called with."""
    return key - (1 << 64) if key >= 1 << 63 else key
