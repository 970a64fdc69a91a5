"""`migrate repair`: the history corrected as Flyway's repair corrects it; the schema itself is not touched."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wnadmin.domain.migrate import ready, run, work
from wnadmin.domain.migrate.judge import Entry, Judgement, judge
from wnadmin.domain.setup import flyway, turn
from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.flyway import HistoryRow
from wnadmin.domain.setup.migrations import OWNER, Migration, find
from wnadmin.domain.setup.work import roll_back, since
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database, Statement
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, Value, World

COMMAND: Final = "migrate repair"
_KEY: Final = "repair"
_REMOVE: Final = "changes/migrate/remove_failed"
_DELETE: Final = "changes/migrate/mark_deleted"
_MISSING: Final = "if it is gone for good: --delete-missing"


@dataclass(frozen=True, slots=True)
class Mend:
    """One correction: the bundled change with its values, the one that takes it back, and a sentence."""

    does: str
    name: str
    values: Mapping[str, Value]
    undo: str
    undo_values: Mapping[str, Value]


def plan_repair(
    locations: tuple[Path, ...], connect: run.Connect, inputs: Inputs, *, wait: float, delete_missing: bool = False
) -> Plan:
    """Describe every correction; nothing to do where Flyway's repair would find nothing.

    ``inputs`` are those of an earlier run, whose corrections are finished or taken back.

    A migration whose file is missing is marked as deleted only with ``delete_missing``: were the file only in a folder
    that is not named here, it would be run again. Flyway does it unasked.
    """
    files = find(locations)
    with connect() as session:
        db = Database(session)
        seen, rows = ready.require(db, COMMAND)
        judged = judge(rows, files)
        mends = _saved(inputs) or _mends(judged, delete_missing=delete_missing)
        if any(entry.state == "failed" for entry in judged.entries) and (who := turn.holders(session)):
            raise Refused(
                "a migration is at work",
                why=f"What looks failed may be what it is doing. Held by {who[0]}.",
                next=f"Wait for it to end, then look: wnadmin migrate status{files.options}",
            )
        title = f"Repair the migration history of {db.name}"
        missing = [entry.title for entry in judged.entries if entry.state == "missing"]
        if not mends:
            left = f"; not here is the file of {', '.join(missing)}: {_MISSING}" if missing else ""
            return Plan(title, (), nothing=f"there is nothing to repair in the history{left}")
        changes = [db.prepared(one.name, one.values, rows=1) for one in mends]
        backwards = [db.prepared(one.undo, one.undo_values, rows=1) for one in reversed(mends)]
    become = "" if seen.acting == OWNER else OWNER

    def carry_out(statements: Sequence[Statement]) -> Callable[[World], Receipt]:
        def carry(world: World) -> Receipt:
            with connect() as session:
                return _together(session, statements, become, wait, world)

        return carry

    put_back = carry_out(backwards)

    def undo(world: World, receipt: Receipt) -> Receipt:
        return put_back(world)

    wanted = {one.does for one in mends}

    def done() -> bool:
        with connect() as session:
            left = judge(flyway.read_history(session) or (), files)
        return not wanted & {mend.does for mend in _mends(left, delete_missing=True)}

    def verify() -> list[Finding]:
        with connect() as session:
            left = judge(flyway.read_history(session) or (), files)
        again = [mend.does for mend in _mends(left, delete_missing=True) if mend.does in wanted]
        if again:
            return [finding(run.HISTORY, "critical", one) for one in again]
        return [finding(run.HISTORY, "ok", "the history is as Flyway's repair would leave it")]

    head = ("BEGIN;", f"{turn.TRY};", *((f'SET LOCAL ROLE "{become}";',) if become else ()))
    step = Step(
        _KEY,
        "Correct the migration history" if len(mends) == 1 else f"Make {len(mends)} corrections in the history",
        (*head, *(one.rendered.shown for one in changes), "COMMIT;"),
        carry_out(changes),
        done=done,
        undo=undo,
        undo_shows=tuple(one.rendered.shown for one in backwards),
    )
    names = {one.name for one in mends}
    effects = [one.does for one in mends]
    if _REMOVE in names:
        effects.append("what a failed migration left in the schema stays: undo it by its rollback procedure first")
    if _DELETE in names:
        effects.append("what a deleted migration made stays too; should its file come back, it would be run again")
    else:
        effects += [f"{one} stays as it is: its file is not here; {_MISSING}" for one in missing]
    saved: dict[str, Json] = {"mends": [_kept(one) for one in mends]}
    follow = f"wnadmin migrate validate{files.options}"
    return Plan(title, (step,), tuple(effects), saved, verify, target="migration history", next=follow)


def _together(session: Session, statements: Sequence[Statement], become: str, wait: float, world: World) -> Receipt:
    began = time.monotonic()
    session.run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
    try:
        turn.take(session, wait=wait, world=world, doing="migration")
        if become:
            session.run(work.become(become, local=True))
        for one in statements:
            work.execute(session, one)
        session.run("COMMIT", doing="commit")
    except BaseException:
        roll_back(session)
        raise
    return Receipt(_KEY, len(statements), since(began))


def _mends(judged: Judgement, *, delete_missing: bool) -> list[Mend]:
    """In Flyway's order: failed entries go, missing ones are marked, the others are aligned with their files."""
    found = [mend for entry in judged.entries for mend in _corrections(entry)]
    found.sort(key=lambda mend: mend.name != _REMOVE)
    if not delete_missing:
        return found
    # The ranks that the removed entries have had are free by then.
    rank = flyway.next_rank([entry.row for entry in judged.entries if entry.row and entry.row.success])
    gone = [entry.row for entry in judged.entries if entry.state == "missing" and entry.row]
    marks = [_deletion(row, rank + number) for number, row in enumerate(gone)]
    removed = sum(mend.name == _REMOVE for mend in found)
    return [*found[:removed], *marks, *found[removed:]]


def _corrections(entry: Entry) -> list[Mend]:
    row, file = entry.row, entry.file
    if row is None:
        return []
    if not row.success:
        # Flyway removes every one of them, whatever its file.
        return [_removal(row)]
    if file is None or file.version is None or entry.state in ("baseline", "schema", "deleted", "superseded"):
        return []
    right_sum = row.checksum is None or row.checksum == file.checksum
    if right_sum and row.description == file.name.description and row.type == flyway.SQL_FILE:
        return []
    return [_alignment(row, file)]


def _removal(row: HistoryRow) -> Mend:
    title = " ".join(part for part in (row.version, row.description) if part)
    back: dict[str, Value] = {
        "rank": row.installed_rank,
        "version": row.version,
        "description": row.description,
        "type": row.type,
        "script": row.script,
        "checksum": row.checksum,
        "installed_by": row.installed_by,
        "installed_on": row.installed_on.isoformat(sep=" "),
        "milliseconds": row.execution_time,
    }
    values: dict[str, Value] = {"rank": row.installed_rank, "script": row.script}
    return Mend(
        f"the entry of {title}, which did not succeed, is removed from the history",
        _REMOVE,
        values,
        "changes/migrate/put_back",
        back,
    )


def _deletion(row: HistoryRow, rank: int) -> Mend:
    title = " ".join(part for part in (row.version, row.description) if part)
    values: dict[str, Value] = {"rank": row.installed_rank, "script": row.script, "new_rank": rank}
    return Mend(
        f"{title}, whose file is not here, is marked as deleted",
        _DELETE,
        values,
        "changes/migrate/unmark_deleted",
        {"rank": rank, "script": row.script},
    )


def _alignment(row: HistoryRow, file: Migration) -> Mend:
    old = {"checksum": row.checksum, "description": row.description, "type": row.type}
    checksum = None if row.checksum is None else file.checksum
    new = {"checksum": checksum, "description": file.name.description, "type": flyway.SQL_FILE}
    changed = ", ".join(f"{key} {old[key]} becomes {new[key]}" for key in old if old[key] != new[key])

    def values(old: Mapping[str, Value], new: Mapping[str, Value]) -> dict[str, Value]:
        return {"rank": row.installed_rank, **new, **{f"old_{key}": value for key, value in old.items()}}

    title = " ".join(part for part in (row.version, row.description) if part)
    name = "changes/migrate/realign"
    return Mend(f"{title}: {changed}", name, values(old, new), name, values(new, old))


def _kept(one: Mend) -> dict[str, Json]:
    """The ledger's form of a correction: names and numbers only."""
    return {
        "does": one.does,
        "name": one.name,
        "values": _json(one.values),
        "undo": one.undo,
        "undo_values": _json(one.undo_values),
    }


def _json(values: Mapping[str, Value]) -> dict[str, Json]:
    return {key: value if isinstance(value, int) or value is None else str(value) for key, value in values.items()}


def _saved(inputs: Inputs) -> list[Mend]:
    found: Any = inputs.get("mends", ())
    return [Mend(one["does"], one["name"], one["values"], one["undo"], one["undo_values"]) for one in found]
