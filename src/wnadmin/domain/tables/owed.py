"""``tables vacuum-debt``: what waits for vacuum, what runs, and who keeps dead rows from being removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from wnadmin.domain.tables.debt import Debt, VacuumRow, debt
from wnadmin.domain.tables.quantity import quoted
from wnadmin.results import Column, Report, Table

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

HELD = 100_000
"""Transactions: a horizon older than this is named."""
NOTEWORTHY = 0.25
"""Of freeze_max_age: from this part on the oldest relation is named."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A row of ``queries/tables/vacuum_settings``."""

    name: str
    setting: str


@dataclass(frozen=True, slots=True)
class DatabaseRow:
    """The row of ``queries/tables/vacuum_database``."""

    login: str
    sees_all: bool
    in_recovery: bool
    xid_age: int
    mxid_age: int
    counted_since: datetime | None


@dataclass(frozen=True, slots=True)
class RunningRow:
    """A row of ``queries/tables/vacuuming``; all but ``pid`` may be None for a login that may not see it."""

    pid: int
    oid: int | None
    name: str | None
    backend_type: str | None
    began: datetime | None
    phase: str | None
    blocks: int | None
    scanned: int | None
    vacuumed: int | None
    index_rounds: int | None
    indexes: int | None
    indexes_done: int | None
    dead_items: int | None
    memory_percent: float | None


@dataclass(frozen=True, slots=True)
class HolderRow:
    """A row of ``queries/tables/horizon``, the oldest first."""

    kind: str
    name: str
    age: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Owed:
    """One table, or a partitioned one with all its partitions: sums of rows, and the worst of every part."""

    name: str
    dead: int
    live: int
    percent_due: float
    worst: str
    due: tuple[str, ...]
    vacuumed_at: datetime | None
    analyzed_at: datetime | None
    xid_percent: float
    mxid_percent: float
    disabled: int
    parts: int


def gathered(debts: Iterable[Debt], *, leaves: bool) -> list[Owed]:
    """Sum into topmost tables unless ``leaves``; who is furthest behind comes first.

    ``vacuumed_at`` and ``analyzed_at`` of several are those of the one that has waited longest, None when one never
    had any.
    """
    groups: dict[int, list[Debt]] = {}
    for one in debts:
        groups.setdefault(one.row.oid if leaves else one.row.top, []).append(one)
    found = []
    for members in groups.values():
        first = members[0].row
        tables = [one for one in members if not one.row.toast] or members
        worst = max(members, key=lambda one: one.worst)
        own = _label(worst.row)
        name = _label(first) if leaves else first.top_name
        vacuumed = [_later(one.row.vacuumed_at, one.row.autovacuumed_at) for one in tables]
        analyzed = [_later(one.row.analyzed_at, one.row.autoanalyzed_at) for one in tables]
        found.append(
            Owed(
                name,
                sum(one.row.dead for one in members),
                sum(one.row.live for one in members),
                round(100 * worst.worst, 1),
                own if own != name else "",
                tuple(dict.fromkeys(reason for one in members for reason in one.due)),
                min((at for at in vacuumed if at is not None), default=None) if None not in vacuumed else None,
                min((at for at in analyzed if at is not None), default=None) if None not in analyzed else None,
                max(one.xid_percent for one in members),
                max(one.mxid_percent for one in members),
                sum(not one.rules.enabled for one in members),
                len(members),
            )
        )
    return sorted(found, key=lambda one: (-one.percent_due, -one.dead, one.name))


def _label(row: VacuumRow) -> str:
    return f"{row.name} (TOAST)" if row.toast else row.name


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def report(db: Database, *, leaves: bool, top: int) -> Report:
    """Compare each table with its thresholds; the system's own tables count for ages only."""
    settings = {row.name: row.setting for row in db.rows("queries/tables/vacuum_settings", SettingRow)}
    (base,) = db.rows("queries/tables/vacuum_database", DatabaseRow)
    debts = [debt(row, settings) for row in db.rows("queries/tables/vacuum", VacuumRow)]
    running = db.rows("queries/tables/vacuuming", RunningRow)
    holders = db.rows("queries/tables/horizon", HolderRow)
    found = gathered((one for one in debts if not one.row.system and not one.row.temporary), leaves=leaves)
    shown = found[:top] if top else found
    notes = list(_blindness(base, settings, running))
    if len(shown) < len(found):
        notes.append(f"{len(found) - len(shown)} more, less behind, are not shown (--top 0 shows all)")
    notes += _oldest(debts, settings)
    notes += _holders(holders, base)
    return Report(
        "tables-vacuum-debt",
        (_debts(shown), _ages(shown), _database(base, settings), _running(running)),
        notes=tuple(notes),
    )


_DEBTS = (
    Column("table"),
    Column("dead_rows", "dead", unit="rows"),
    Column("due_percent", "of due", unit="%"),
    Column("due", "waits for"),
    Column("vacuumed_at", "vacuumed"),
    Column("remarks"),
)
_MORE = ("live", "worst", "disabled", "parts", "analyzed_at", "xid_percent", "mxid_percent")
"""Fields of :class:`Owed` that machines get in the same row."""


def _debts(found: Sequence[Owed]) -> Table:
    title, empty = "Tables against their own autovacuum thresholds", "there are no tables"
    rows = tuple(
        (one.name, one.dead, one.percent_due, ", ".join(one.due), one.vacuumed_at, "; ".join(_remarks(one)))
        for one in found
    )
    return Table(
        "tables",
        (*_DEBTS, *(Column(key) for key in _MORE)),
        tuple((*row, *(getattr(one, key) for key in _MORE)) for row, one in zip(rows, found, strict=True)),
        title=title,
        empty=empty,
        shown=Table("tables", _DEBTS, rows, title=title, empty=empty),
    )


def _ages(found: Sequence[Owed]) -> Table:
    return Table(
        "ages",
        (
            Column("table"),
            Column("xid_percent", "xid age", unit="%"),
            Column("mxid_percent", "mxid age", unit="%"),
            Column("analyzed_at", "analyzed"),
        ),
        tuple((one.name, one.xid_percent, one.mxid_percent, one.analyzed_at) for one in found),
        title="Ages, in percent of the table's own freeze_max_age",
        empty="there are no tables",
    )


def _remarks(one: Owed) -> list[str]:
    schema = f"{one.name.rpartition('.')[0]}."
    alike = '"' not in one.worst and one.worst.startswith(schema)
    found = [f"worst: {one.worst.removeprefix(schema) if alike else one.worst}"] if one.worst else []
    if one.disabled:
        found.append("autovacuum_enabled=false" if one.parts == 1 else f"autovacuum_enabled=false on {one.disabled}")
    return found


def _database(base: DatabaseRow, settings: Mapping[str, str]) -> Table:
    xid = int(settings["autovacuum_freeze_max_age"])
    mxid = int(settings["autovacuum_multixact_freeze_max_age"])
    return Table(
        "database",
        (
            Column("what"),
            Column("age", unit="rows"),
            Column("percent_of_freeze_max_age", "% of freeze_max_age", unit="%"),
            Column("percent_of_wraparound", "% of wraparound", unit="%"),
        ),
        tuple(
            (what, age, round(100 * age / limit, 1), round(100 * age / 2**31, 2))
            for what, age, limit in (
                ("transaction ids", base.xid_age, xid),
                ("multixact ids", base.mxid_age, mxid),
            )
        ),
        title="The database",
    )


def _running(running: Sequence[RunningRow]) -> Table:
    return Table(
        "running",
        (
            Column("pid"),
            Column("table"),
            Column("by"),
            Column("began"),
            Column("phase"),
            Column("scanned_percent", "scanned", unit="%"),
            Column("dead_items", "dead items", unit="rows"),
            Column("memory_percent", "memory", unit="%"),
            Column("index_rounds", "index rounds"),
            Column("indexes"),
        ),
        tuple(
            (
                one.pid,
                one.name,
                one.backend_type,
                one.began,
                one.phase,
                round(100 * one.scanned / one.blocks, 1) if one.blocks and one.scanned is not None else None,
                one.dead_items,
                None if one.memory_percent is None else round(one.memory_percent, 1),
                one.index_rounds,
                f"{one.indexes_done} of {one.indexes}" if one.indexes else None,
            )
            for one in running
        ),
        title="Vacuums that run now",
        empty="none",
    )


def _blindness(base: DatabaseRow, settings: Mapping[str, str], running: Sequence[RunningRow]) -> Iterable[str]:
    if settings.get("track_counts") != "on":
        yield "unknown: track_counts is off, so nobody counts dead rows and autovacuum does not run"
    if settings.get("autovacuum") != "on":
        yield "autovacuum is off: only ages beyond freeze_max_age still start it"
    if base.in_recovery:
        yield "unknown: a standby counts no dead rows; ask the primary"
    if base.counted_since is not None:
        yield f"dead rows and times of vacuum are known since {base.counted_since:%Y-%m-%d %H:%M:%SZ} only"
    if not base.sees_all:
        hidden = sum(one.oid is None for one in running)
        seen = f"{hidden} running vacuums and " if hidden else ""
        yield (
            f"unknown: {seen}who holds back the removal of dead rows; GRANT pg_read_all_stats TO {quoted(base.login)}"
        )


def _oldest(debts: Sequence[Debt], settings: Mapping[str, str]) -> list[str]:
    limits = {
        "transaction": int(settings["autovacuum_freeze_max_age"]),
        "multixact": int(settings["autovacuum_multixact_freeze_max_age"]),
    }
    found = []
    for kind, worst in (
        ("transaction", max(debts, key=lambda one: one.row.xid_age, default=None)),
        ("multixact", max(debts, key=lambda one: one.row.mxid_age, default=None)),
    ):
        age = 0 if worst is None else worst.row.xid_age if kind == "transaction" else worst.row.mxid_age
        if worst is not None and age >= NOTEWORTHY * limits[kind]:
            what = "a temporary table, which only its session can vacuum" if worst.row.temporary else ""
            found.append(
                f"the oldest {kind} age, {age:,}, is that of {_label(worst.row)}{f' ({what})' if what else ''}"
            )
    return found


def _holders(holders: Sequence[HolderRow], base: DatabaseRow) -> list[str]:
    old = [one for one in holders if one.age >= HELD] or list(holders[:1])
    found = []
    for one in old:
        since = f", since {one.since:%Y-%m-%d %H:%M:%SZ}" if one.since is not None else ""
        found.append(f"dead rows younger than {one.age:,} transactions are kept for {one.kind} {one.name}{since}")
    if not holders and base.sees_all:
        found.append("nobody holds back the removal of dead rows")
    return found
