"""``locks waits``: one line an edge of the forest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal

from wnadmin.domain.locks.facts import Facts, Waiting, gather
from wnadmin.domain.locks.forest import NOBODY, against, short, unseen
from wnadmin.domain.locks.graph import LATE, Link, build
from wnadmin.domain.locks.rows import Things, named, state_of, target
from wnadmin.domain.sessions.words import QUERIES_NOTE, one_line
from wnadmin.postgres.database import Database
from wnadmin.render.cells import visible
from wnadmin.results import Cell, Column, Report, Table


@dataclass(frozen=True, slots=True)
class Edge:
    """One waiter and one of its blockers. ``more`` is how many other blockers of this waiter are not listed."""

    waiter: int
    waiter_start: datetime | None
    waiter_role: str | None
    waiter_database: str | None
    waiter_state: str | None
    blocker: int
    blocker_start: datetime | None
    blocker_gid: str | None
    blocker_role: str | None
    blocker_state: str | None
    blocker_xact_age: timedelta | None
    kind: Literal["hard", "soft"]
    locktype: str | None
    relation: str | None
    object: str | None
    wanted: str | None
    held: str | None
    ahead: str | None
    waited: timedelta | None
    more: int
    waiter_query: str | None
    blocker_query: str | None


def waits(db: Database, *, everything: bool = False, wide: bool = False, show_queries: bool = False) -> Report:
    """List who waits for whom, the longest wait first."""
    found = edges(db, everything=everything, show_queries=show_queries)
    hidden = {one.waiter for one in found if one.waiter_state == "hidden"}
    hidden |= {one.blocker for one in found if one.blocker_state == "hidden"}
    return Report(
        "locks-waits",
        (_table(found, wide, show_queries),),
        notes=(
            *_implied(found),
            *unseen(db, len(hidden)),
            *(QUERIES_NOTE if show_queries and found else ()),
        ),
        next="wnadmin locks advise" if found else "",
        personal=show_queries,
    )


def _implied(found: Sequence[Edge]) -> tuple[str, ...]:
    left_out = sum({one.waiter: one.more for one in found}.values())
    if not left_out:
        return ()
    return (
        f"{left_out:,} edge{'' if left_out == 1 else 's'} to others before them in the same queue follow from these; "
        "--all lists them.",
    )


def _table(found: Sequence[Edge], wide: bool, show_queries: bool) -> Table:
    queries = ("waiter_query", "blocker_query")
    names = [one.name for one in fields(Edge) if show_queries or one.name not in queries]
    rows = tuple(tuple(getattr(one, name) for name in names) for one in found)
    shown = None if wide else _narrow(found, show_queries)
    return Table("waits", tuple(Column(name) for name in names), rows, empty=NOBODY, shown=shown)


def _narrow(found: Sequence[Edge], show_queries: bool) -> Table:
    columns = [Column("waiter"), Column("waited"), Column("blocker"), Column("what")]
    if show_queries:
        columns += [Column("waiter_query"), Column("blocker_query")]
    return Table("waits", tuple(columns), tuple(_row(one, show_queries) for one in found), empty=NOBODY)


def _row(one: Edge, show_queries: bool) -> tuple[Cell, ...]:
    blocker = named(one.blocker, one.blocker_gid)
    thing = target(one.locktype, one.relation, one.object)
    what = f"wants {short(one.wanted)} on {thing}; {against(one.kind == 'hard', one.held or one.ahead)}"
    cells: tuple[Cell, ...] = (one.waiter, one.waited, visible(blocker, keep=""), visible(what, keep=""))
    return (*cells, one_line(one.waiter_query), one_line(one.blocker_query)) if show_queries else cells


def edges(db: Database, *, everything: bool = False, show_queries: bool = False) -> list[Edge]:
    """Look at the edges once, without those that the order of a queue implies unless ``everything``."""
    facts = gather(db, show_queries=show_queries)
    graph = build(facts)
    things = Things(facts)
    order = sorted(graph.blockers, key=lambda key: (graph.wants[key].waitstart or LATE, key))
    found: list[Edge] = []
    for key in order:
        chosen = graph.edges(key) if everything else sorted(graph.links[key], key=lambda one: not one.hard)
        more = len(graph.blockers[key]) - len(chosen)
        found += [_edge(facts, things, graph.wants[key], one, more) for one in chosen]
    return found


def _edge(facts: Facts, things: Things, want: Waiting, link: Link, more: int) -> Edge:
    waiter, blocker = facts.parties.get(link.waiter), facts.parties.get(link.blocker)
    prepared = things.prepared.get(link.blocker)
    return Edge(
        waiter=link.waiter,
        waiter_start=waiter.backend_start if waiter else None,
        waiter_role=waiter.role if waiter else None,
        waiter_database=waiter.database if waiter else None,
        waiter_state=state_of(facts, link.waiter),
        blocker=link.blocker,
        blocker_start=blocker.backend_start if blocker else None,
        blocker_gid=prepared.gid if prepared else None,
        blocker_role=blocker.role if blocker else prepared.role if prepared else None,
        blocker_state=state_of(facts, link.blocker),
        blocker_xact_age=blocker.xact_age if blocker else prepared.age if prepared else None,
        kind="hard" if link.hard else "soft",
        locktype=want.locktype,
        relation=things.relation(want),
        object=things.object(want),
        wanted=want.mode,
        held=link.mode if link.hard else None,
        ahead=None if link.hard else link.mode,
        waited=want.waited,
        more=more,
        waiter_query=waiter.query if waiter else None,
        blocker_query=blocker.query if blocker else None,
    )
