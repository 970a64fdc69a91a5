"""``sessions list``: the sessions of a server, those first that hold up others."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from wnadmin.domain.sessions import words
from wnadmin.domain.sessions.sight import sight
from wnadmin.errors import UsageError
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table


@dataclass(frozen=True, slots=True)
class Session:
    """One session; ``session`` is ``PID@BACKEND_START``, None (like most else) when it is hidden from this login."""

    pid: int
    session: str | None
    backend_start: datetime | None
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
    locks: int
    waits: bool
    blocks: int
    wait_event_type: str | None
    wait_event: str | None
    leader: int | None
    query_id: int | None
    hidden: bool
    query: str | None


@dataclass(frozen=True, slots=True)
class Name:
    """A role or database that can be asked for."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which sessions to list; empty: any. ``everything`` lists background processes too."""

    state: str = ""
    older_than: str = ""
    role: str = ""
    database: str = ""
    everything: bool = False


_SHOWN = (
    Column("pid"),
    Column("who"),
    Column("state"),
    Column("state_age", "for"),
    Column("xact_age", "xact"),
    Column("locks"),
    Column("blocks"),
)
_TITLES = {"state_age": "for", "xact_age": "xact"}


def sessions(db: Database, filters: Filters, *, wide: bool = False, show_queries: bool = False) -> Report:
    """List sessions; raises UsageError for a state, role, database or duration that there is not."""
    found = db.rows(
        "queries/sessions/list",
        Session,
        state=words.state(filters.state) if filters.state else "",
        older_than=_interval(filters.older_than),
        role=filters.role,
        database=filters.database,
        all=filters.everything,
        show_queries=show_queries,
    )
    if not found:
        _require(db, filters)
    view = sight(db)
    hidden = sum(one.hidden for one in found)
    unseen = "state, query and ages" if not (filters.state or filters.older_than) else "they may or may not match"
    blocking = [one for one in found if one.blocks]
    return Report(
        "sessions-list",
        (_table(found, wide, show_queries, _nobody(filters)),),
        notes=(*view.notes(hidden, unseen), *(words.QUERIES_NOTE if show_queries else ())),
        next="wnadmin locks tree" if blocking else "",
        personal=show_queries,
    )


def _nobody(filters: Filters) -> str:
    if filters == Filters():
        return "nobody else is connected; --all lists background processes too"
    return "no session matches"


def _table(found: list[Session], wide: bool, show_queries: bool, nobody: str) -> Table:
    shown = None if wide else replace(_narrow(found, show_queries), empty=nobody)
    return replace(_wide(found, show_queries), empty=nobody, shown=shown)


def _narrow(found: list[Session], show_queries: bool) -> Table:
    columns = (*_SHOWN, Column("query")) if show_queries else _SHOWN
    rows = []
    for one in found:
        cells: list[Cell] = [
            one.pid,
            words.who(one.role, one.database, one.application, one.backend_type),
            one.state,
            one.state_age,
            one.xact_age,
            one.locks,
            one.blocks,
        ]
        rows.append((*cells, words.one_line(one.query)) if show_queries else tuple(cells))
    return Table("sessions", columns, tuple(rows))


def _wide(found: list[Session], show_queries: bool) -> Table:
    names = [one.name for one in fields(Session) if show_queries or one.name != "query"]
    # What is to be pasted comes first.
    names.sort(key=lambda name: name != "session")
    columns = tuple(Column(name, _TITLES.get(name, "")) for name in names)
    rows = tuple(tuple(getattr(one, name) for name in names) for one in found)
    return Table("sessions", columns, rows)


def _interval(text: str) -> str:
    return f"{words.duration(text, '--older-than').total_seconds()} seconds" if text else ""


def _require(db: Database, filters: Filters) -> None:
    known = db.rows("queries/sessions/names", Name)
    for kind, wanted in (("role", filters.role), ("database", filters.database)):
        names = [one.name for one in known if one.kind == kind]
        if wanted and wanted not in names:
            near = get_close_matches(wanted, names, n=1)
            raise UsageError(
                f"--{kind}: there is no {kind} {wanted}",
                next=f"Did you mean {near[0]}?" if near else "List all with: wnadmin connections list",
            )
