"""What the ledger and the activity log say: ``audit log``, ``audit unfinished``, ``audit child``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from wnadmin.domain.audit import gather
from wnadmin.errors import Blind, Failed, UsageError
from wnadmin.ledger.chain import Entry
from wnadmin.ledger.operations import Operation
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table

_LOG = (
    Column("started", "started (UTC)"),
    Column("operation"),
    Column("command"),
    Column("status"),
    Column("who"),
    Column("target"),
    Column("steps"),
    Column("milliseconds", "time", "ms"),
    Column("recorded"),
)
_ENTRIES = (
    Column("recorded"),
    Column("ts", "time (UTC)"),
    Column("phase"),
    Column("step"),
    Column("status"),
    Column("login"),
    Column("payload"),
)
_UNFINISHED = (
    Column("operation"),
    Column("started", "started (UTC)"),
    Column("command"),
    Column("who"),
    Column("target"),
    Column("state"),
    Column("done"),
    Column("recorded"),
)


def log(
    db: Database | None,
    spool: Spool | None = None,
    *,
    limit: int = 50,
    since: datetime | None = None,
    op_id: UUID | None = None,
) -> Report:
    """List what was done, newest first: at most ``limit`` operations, begun at ``since`` (UTC) or later.

    With ``op_id`` that operation alone, and each of its entries. Reads this user's spool too; operations there that
    are about other databases than the connected one are counted in the notes, and so is what this login cannot read.
    """
    spool = spool or Spool()
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    found = gather.newest(db, spool, since=since, limit=limit) if op_id is None else gather.one(db, spool, op_id)
    nothing = "nothing is recorded" if op_id is None else f"nothing is recorded of {op_id}"
    nothing = f"{nothing} {found.scope}".rstrip()
    tables = [Table("operations", _LOG, tuple(_log_row(one) for one in found.operations), empty=nothing)]
    if op_id is not None:
        rows = tuple(_entry_row(entry) for one in found.operations for entry in one.entries)
        tables.append(Table("entries", _ENTRIES, rows, "Entries", "none"))
    follow = "wnadmin audit unfinished" if any(one.unfinished for one in found.operations) else ""
    return Report("audit-log", tuple(tables), notes=(*found.notes, *_left_out(found)), next=follow)


def _left_out(found: gather.Gathered) -> tuple[str, ...]:
    if not found.elsewhere:
        return ()
    count = len(found.elsewhere)
    what = "1 operation of another database is" if count == 1 else f"{count} operations of other databases are"
    return (f"{what} in the spool and not shown; --operation shows one, wherever it was.",)


def unfinished(db: Database | None, spool: Spool | None = None) -> Report:
    """List the operations that were begun and have no outcome in the database or this user's spool.

    ``state`` is ``running`` while the session or process that began it is there, ``cut short`` when it is gone,
    ``unknown`` when that cannot be seen from here. What the spool has of other databases than the connected one
    comes last, with the state ``elsewhere``: its end may be in their ledgers.
    """
    found = gather.unended(db, spool or Spool())
    states = gather.states(db, found.operations)
    states.update({one.op_id: "elsewhere" for one in found.elsewhere})
    rows = tuple(
        (one.op_id, one.started, _line(one), one.who, one.target, states[one.op_id], _done(one), _where(one))
        for one in (*found.operations, *found.elsewhere)
    )
    notes = list(found.notes)
    if found.elsewhere:
        here = "" if found.operations or not found.looked else "Every operation of this database has an outcome. "
        notes.append(f"{here}Whether one of elsewhere has ended, its own ledger knows: connect there.")
    left = [one for one in found.operations if states[one.op_id] != "running"]
    nothing = f"nothing unfinished is {found.scope}" if found.scope else "every operation has an outcome"
    return Report(
        "audit-unfinished",
        (Table("unfinished", _UNFINISHED, rows, empty=nothing),),
        notes=tuple(notes),
        next=f"wnadmin audit resume {left[0].op_id}" if left else "",
    )


def find(db: Database | None, op_id: UUID, spool: Spool | None = None) -> Operation | None:
    """Give one operation from both sinks, for resume and undo; None when nothing is recorded of it.

    Raises UsageError where it may well be recorded and this login does not see it.
    """
    found = gather.one(db, spool or Spool(), op_id)
    if not found.operations and found.scope:
        raise UsageError(
            f"there is no operation {op_id} {found.scope}",
            why=found.notes[0] if found.notes else "",
            next="Log in as whoever began it, or as a member of wondernest_operator.",
        )
    return found.operations[0] if found.operations else None


@dataclass(frozen=True, slots=True)
class _Known:
    is_there: bool


def child(db: Database, child_id: UUID) -> Report:
    """Give the activity log of one child, newest first, and say when there is no such child any more.

    Raises Blind where row-level security hides rows, and Failed when neither the children nor the log know the id.
    """
    table = db.table("queries/audit/child", {"child_id": child_id})
    known: bool | None
    try:
        known = db.rows("queries/audit/child_known", _Known, child_id=child_id)[0].is_there
    except Blind:
        known = None
    if known is False and not table.rows:
        raise Failed(
            f"no child {child_id} is known here",
            why="It is not in family.child_profiles, and the activity log has no row of it. Rows past their retention "
            "are gone, and of an erased child a keyed hash is kept that cannot be searched by the id.",
            next="Check the id, and that this is the right database.",
        )
    return Report(
        "audit-child",
        (Table(table.name, table.columns, table.rows, table.title, f"no change is recorded of child {child_id}"),),
        notes=_whether_known(known, table, db),
    )


def _whether_known(known: bool | None, table: Table, db: Database) -> tuple[str, ...]:
    if known:
        return () if table.rows else ("The child is there; rows of the log past their retention are gone.",)
    if known is None:
        login = db.session.scalar("SELECT pg_catalog.quote_ident(session_user)")
        return (
            "Whether the child is there cannot be seen: "
            f"GRANT USAGE ON SCHEMA family TO {login}; GRANT SELECT ON family.child_profiles TO {login};",
        )
    names = [column.name for column in table.columns]
    when, action, name = (names.index(one) for one in ("timestamp", "action", "table_name"))
    removed = next((row[when] for row in table.rows if (row[action], row[name]) == ("DELETE", "child_profiles")), None)
    if isinstance(removed, datetime):
        at = removed.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return (f"There is no such child any more: it was removed on {at}. This is what is left of its log.",)
    return ("There is no such child any more; its removal is not in the log. This is what is left of it.",)


def _log_row(one: Operation) -> tuple[Cell, ...]:
    return (
        one.started,
        one.op_id,
        _line(one),
        one.outcome or "unfinished",
        one.who,
        one.target,
        len(one.receipts),
        one.milliseconds,
        _where(one),
    )


def _entry_row(entry: Entry) -> tuple[Cell, ...]:
    facts, envelope = entry.facts(), entry.circumstances()
    return (
        _place(entry),
        entry.ts,
        entry.phase,
        str(facts.get("step", "")),
        str(facts.get("status", "")),
        str(envelope.get("session_user", "")),
        entry.payload,
    )


def _line(one: Operation) -> str:
    return shlex.join(one.argv) if one.argv else one.command


def _done(one: Operation) -> str:
    return ", ".join(one.receipts)


def _where(one: Operation) -> str:
    last = one.entries[-1]
    begun = _place(one.entries[0])
    return begun if last.sink == one.entries[0].sink else f"{begun}, {_place(last)}"


def _place(entry: Entry) -> str:
    return f"{'ledger' if entry.sink == 'database' else 'spool'} #{entry.seq}{', joined' if entry.joined else ''}"
