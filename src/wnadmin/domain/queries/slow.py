"""What takes the server's time, as pg_stat_statements counted it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from wnadmin.domain.queries import source
from wnadmin.domain.queries.source import Source
from wnadmin.domain.queries.text import masked
from wnadmin.errors import Blind
from wnadmin.postgres.database import Database
from wnadmin.results import Column, Report, Table

By: TypeAlias = Literal["total", "mean", "calls", "io", "temp"]

FRESH: Final = timedelta(minutes=10)
"""Statistics younger than this say little."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one role: times in milliseconds, ``share`` and ``hit`` in percent, sizes in bytes.

    ``queryid``, ``kind`` and ``query`` are None where the login may not see them. None elsewhere: this version of
    the extension does not count it, or for ``io_ms``: the server does not measure it. ``load_ms``, ``statements``
    and ``hidden`` are about all that was looked at and the same in each row.
    """

    queryid: str | None
    kind: str | None
    query: str | None
    role: str
    database: str
    toplevel: bool | None
    calls: int
    rows: int
    total_ms: float
    mean_ms: float
    max_ms: float
    share: float | None
    hit: float | None
    read_bytes: int
    written_bytes: int
    temp_bytes: int
    io_ms: float | None
    wal_bytes: int | None
    since: datetime | None
    load_ms: float | None
    statements: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Collecting:
    """How the server collects. ``dropped``: how often statements were forgotten for want of room."""

    track: str | None
    compute_query_id: str
    track_io_timing: bool
    sees_all: bool
    login: str
    everywhere: int
    since: datetime | None
    dropped: int | None
    looked: datetime


@dataclass(frozen=True, slots=True)
class Readable:
    """What stands between this login and the statistics, with the GRANT for each."""

    enters: bool
    reads: bool
    calls: bool
    to_enter: str
    to_read: str
    to_call: str | None


def report(db: Database, *, by: By, top: int, show: bool, everywhere: bool) -> Report:
    """Give the ``top`` statements by ``by``; texts only with ``show``, other databases only with ``everywhere``.

    Raises Refused where nothing can have been collected, Blind where this login may not read it.
    """
    found = source.find(db)
    _require_readable(db, found)
    collecting = db.rows("queries/queries/collecting", Collecting, schema=found.schema)[0]
    rows = db.rows(
        "queries/queries/slow", Statement, schema=found.schema, by=by, top=top, show=show, everywhere=everywhere
    )
    empty = why_empty(db.name, collecting, everywhere)
    tables = [_statements(rows, empty, show), _io(rows), _origin(rows, everywhere)]
    if show:
        tables.append(_texts(rows))
    return Report(
        "queries-slow",
        tuple(tables),
        text=_headline(db, found, collecting, rows, by, everywhere),
        notes=tuple(_notes(collecting, rows, show)),
        next="" if show or not rows else "wnadmin queries slow --show-queries",
    )


def _require_readable(db: Database, found: Source) -> None:
    may = db.rows("queries/queries/readable", Readable, schema=found.schema)[0]
    missing = [
        grant
        for has, grant in ((may.enters, may.to_enter), (may.reads, may.to_read), (may.calls, may.to_call))
        if not has and grant
    ]
    if missing:
        raise Blind(
            "this login may not read the statement statistics",
            why=f"They stand in the schema {found.schema}.",
            next="; ".join(missing),
        )


def why_empty(dbname: str, collecting: Collecting, everywhere: bool) -> str:
    """Say why nothing was found, as far as the settings and the other databases tell."""
    if collecting.track == "none":
        return "nothing is collected: pg_stat_statements.track is none"
    if collecting.compute_query_id == "off":
        return "nothing is collected: compute_query_id is off, and without an id no statement is counted"
    if collecting.everywhere and not everywhere:
        return f"no statement of {dbname} was counted; {collecting.everywhere} of other databases were"
    if (age := _age(collecting)) is not None and age < FRESH:
        return "nothing was counted yet: the statistics were reset a moment ago"
    return "nothing was counted yet"


def _age(collecting: Collecting) -> timedelta | None:
    return None if collecting.since is None else collecting.looked - collecting.since


def _headline(
    db: Database, found: Source, collecting: Collecting, rows: list[Statement], by: By, everywhere: bool
) -> str:
    where = "all databases" if everywhere else db.name
    number = rows[0].statements if rows else 0
    order = {"total": "total time", "mean": "mean time", "calls": "calls", "io": "blocks moved", "temp": "temp blocks"}
    since = f"since {collecting.since:%Y-%m-%d %H:%M:%SZ}, " if collecting.since else ""
    return (
        f"{where}: {len(rows)} of {number} statements by {order[by]}\n"
        f"counted {since}by pg_stat_statements {found.version}"
    )


def _notes(collecting: Collecting, rows: list[Statement], show: bool) -> list[str]:
    notes = []
    if collecting.track == "none" and rows:
        notes.append("Nothing is counted any more: pg_stat_statements.track is none.")
    if collecting.compute_query_id == "off" and rows:
        notes.append("Nothing is counted any more: compute_query_id is off.")
    hidden = rows[0].hidden if rows else 0
    if hidden:
        notes.append(
            f"{hidden} of {rows[0].statements} statements are other roles': <insufficient privilege> hides their id "
            f'and text. GRANT pg_read_all_stats TO "{_doubled(collecting.login)}"'
        )
    elif not rows and not collecting.sees_all:
        notes.append(f'To see other roles: GRANT pg_read_all_stats TO "{_doubled(collecting.login)}"')
    if collecting.dropped:
        notes.append(
            f"Statements were forgotten {collecting.dropped} times for want of room, the least used first: "
            "raise pg_stat_statements.max."
        )
    age = _age(collecting)
    if rows and age is not None and age < FRESH:
        notes.append(f"The statistics are {int(age.total_seconds())} s old and say little yet.")
    if rows and not collecting.track_io_timing:
        notes.append("I/O time is not measured: track_io_timing is off.")
    if any(one.toplevel is False for one in rows):
        notes.append("Nested statements count in their callers too, so shares may add up to more than 100 %.")
    if show:
        notes.append("Strings and comments are left out of the texts.")
    return notes


def _doubled(name: str) -> str:
    return name.replace('"', '""')


_COUNTED = (
    "role",
    "database",
    "toplevel",
    "max_ms",
    "hit",
    "read_bytes",
    "written_bytes",
    "temp_bytes",
    "io_ms",
    "wal_bytes",
    "since",
)


def _statements(rows: list[Statement], empty: str, show: bool) -> Table:
    """Give what fits a screen; for machines everything about a statement stands in its one row."""
    columns = (
        Column("n", "#"),
        Column("queryid", "query id"),
        Column("share", unit="%"),
        Column("total_ms", "total", unit="ms"),
        Column("mean_ms", "mean", unit="ms"),
        Column("calls", unit="rows"),
        Column("rows", unit="rows"),
        Column("kind"),
    )
    cells = tuple(
        (n, one.queryid, _percent(one.share), one.total_ms, one.mean_ms, one.calls, one.rows, one.kind)
        for n, one in enumerate(rows, 1)
    )
    more = tuple((*(getattr(one, name) for name in _COUNTED), *([_text(one)] if show else [])) for one in rows)
    named = (*_COUNTED, *(["query"] if show else []))
    return Table(
        "statements",
        (*columns, *(Column(name) for name in named)),
        tuple((*few, *rest) for few, rest in zip(cells, more, strict=True)),
        empty=empty,
        shown=Table("statements", columns, cells, empty=empty),
    )


def _io(rows: list[Statement]) -> Table:
    columns = (
        Column("n", "#"),
        Column("hit", "cache hit", unit="%"),
        Column("read_bytes", "read", unit="bytes"),
        Column("written_bytes", "written", unit="bytes"),
        Column("io_ms", "I/O time", unit="ms"),
        Column("temp_bytes", "temp", unit="bytes"),
        Column("wal_bytes", "WAL", unit="bytes"),
        Column("max_ms", "longest", unit="ms"),
    )
    cells = tuple(
        (
            n,
            _percent(one.hit),
            one.read_bytes,
            one.written_bytes,
            one.io_ms,
            one.temp_bytes,
            one.wal_bytes,
            one.max_ms,
        )
        for n, one in enumerate(rows, 1)
    )
    return Table("io", columns, cells, title="I/O", empty="")


def _origin(rows: list[Statement], everywhere: bool) -> Table:
    columns = [Column("n", "#"), Column("role"), Column("nested"), Column("since", "counted since")]
    if everywhere:
        columns.insert(2, Column("database"))
    cells = []
    for n, one in enumerate(rows, 1):
        nested = None if one.toplevel is None else not one.toplevel
        cells.append((n, one.role, one.database, nested, one.since) if everywhere else (n, one.role, nested, one.since))
    return Table("origin", tuple(columns), tuple(cells), title="Origin", empty="")


def _texts(rows: list[Statement]) -> Table:
    cells = tuple((n, _text(one)) for n, one in enumerate(rows, 1))
    return Table("texts", (Column("n", "#"), Column("query")), cells, title="Texts", empty="")


def _text(one: Statement) -> str | None:
    return None if one.query is None else masked(one.query)


def _percent(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
