"""``audit export``: rows of the ledger as a file outside the database, each one going on where the last one ends."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from wnadmin.domain.audit import chains, join
from wnadmin.domain.audit.spooled import finding
from wnadmin.errors import Refused, UsageError, WnError
from wnadmin.ledger import database, export, exporter, stream
from wnadmin.ledger.chain import ZERO
from wnadmin.ledger.export import Export, Head
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Plan, Receipt, Step, World


@dataclass(frozen=True, slots=True)
class _Beyond:
    anything: bool


def plan(
    db: Database,
    folder: Path,
    inputs: Inputs,
    *,
    first: int | None = None,
    through: int | None = None,
    state: Path | None = None,
) -> Plan:
    """Describe the export of rows ``first`` to ``through`` into ``folder``.

    ``first`` is the one after the last that a file in the folder holds, unless given, and ``through`` the newest.
    Refused when the ledger cannot be read or the folder cannot be written to; UsageError for rows that are not there.
    """
    presence = join.readable(db)
    folder = place(folder, inputs)
    own = chains.bounds(db.session)
    through = _known(inputs, "through", own.last if through is None else through)
    given = first is not None
    first = _known(inputs, "from", _next(db, folder, presence.origin, own, state) if first is None else first)
    nothing = f"{folder} holds every row of the ledger"
    if first > through and not given:
        return Plan("Export the operator ledger", (), nothing=nothing)
    if not own.first <= first <= through <= own.last:
        raise UsageError(
            f"the ledger has no rows {first} to {through}",
            why=f"It has rows {own.first} to {own.last}." if own.last else "It is empty.",
            next="Leave --from and --through out to export what is not exported yet.",
        )
    head = describe(db, presence, own, "export", first, through)
    final = folder / head.name
    if not given and not db.rows("queries/audit/beyond", _Beyond, first=first, through=through)[0].anything:
        return Plan("Export the operator ledger", (), nothing=f"{nothing}, but those of its own export")
    if final.exists():
        if _same(final, db, head, state):
            return Plan("Export the operator ledger", (), nothing=f"{final} holds these rows already")
        if not inputs:
            raise exporter.taken(final)
    return Plan(
        "Export the operator ledger",
        (step("export", db, folder, head, state),),
        effects=(
            f"{through - first + 1:,} rows ({first} to {through}) of {presence.database_name} are written to {final}.",
            "The chain is proven on the way, and the file is signed; nothing in the database changes.",
        ),
        inputs={"from": first, "through": through, "folder": str(folder)},
        verify=lambda: prove(final, state),
        target=f"ledger export to {folder}",
        node="any",
        next=f"wnadmin audit verify --export {final}",
    )


def place(folder: Path, inputs: Inputs) -> Path:
    """Give the folder to write to, the one of an earlier run first; Refused when it is not there.

    Whether it can be written to shows when that is tried.
    """
    known = inputs.get("folder")
    folder = (Path(known) if isinstance(known, str) else folder).absolute()
    if not folder.is_dir():
        raise Refused(
            f"there is no folder {folder}",
            why="Exports are written only where somebody has made room for them.",
            next=f"mkdir -m 700 {folder}",
        )
    return folder


def describe(
    db: Database, presence: database.Presence, own: chains.Bounds, kind: export.Kind, first: int, through: int
) -> Head:
    """Describe the rows ``first`` to ``through`` as a file will."""
    before = own.prev if first == own.first else database.hashes(db.session, [first - 1]).get(first - 1, ZERO)
    return Head(kind, presence.origin, presence.database_name, first, through, bytes(before))


def step(key: str, db: Database, folder: Path, head: Head, state: Path | None) -> Step:
    """Describe the writing of a file as a step."""

    def run(world: World) -> Receipt:
        began = time.monotonic()
        count = head.through - head.first + 1
        one = exporter.write(
            db.session,
            folder,
            head,
            heard=lambda at: world.progress("rows of the ledger", at, count),
            stopping=world.stopping,
            state=state,
        )
        values = {"path": str(one.path), "h": one.h.hex(), "sha256": one.sha256}
        return Receipt(key, count, round((time.monotonic() - began) * 1000), values)

    shown = db.session.quote(stream.select(head.first, head.through))
    return Step(
        key,
        f"Write rows {head.first} to {head.through}",
        (f"{shown};",),
        run,
        done=lambda: _same(folder / head.name, db, head, state),
    )


def prove(path: Path, state: Path | None) -> list[Finding]:
    """Read the file again, each row."""
    try:
        one = export.look(path, state)
        count = sum(1 for _ in export.rows(one)) if one else 0
    except WnError as error:
        return [finding("export.link", "critical", error.what, thing=str(path), remediation=error.next)]
    sound = f"{count} rows, each gives its hash and follows the last"
    return [finding("export.link", "ok", sound, thing=str(path))]


def _known(inputs: Inputs, key: str, otherwise: int) -> int:
    value = inputs.get(key)
    return value if isinstance(value, int) else otherwise


def _next(db: Database, folder: Path, origin: str, own: chains.Bounds, state: Path | None) -> int:
    """Say at which row to go on: behind the furthest that a file of this ledger in the folder holds."""
    stem = origin.replace("/", "-")
    ends: dict[int, bytes] = {}
    for path in folder.glob(f"{stem}-*{export.SUFFIX}"):
        try:
            one = export.look(path, state)
        except WnError:
            # A file that does not hold does not count: its rows are exported anew.
            continue
        if one is not None and one.head.origin == origin:
            ends[one.head.through] = one.h
    stand = database.hashes(db.session, list(ends))
    stand[own.begin.seq] = own.begin.h
    return max([own.first, *(seq + 1 for seq, h in ends.items() if stand.get(seq) == h and seq >= own.begin.seq)])


def _same(path: Path, db: Database, head: Head, state: Path | None) -> bool:
    """Whether the file is there, whole, and holds exactly these rows of the ledger."""
    try:
        one: Export | None = export.look(path, state)
        if one is None or one.head != head:
            return False
        if database.hashes(db.session, [head.through]).get(head.through) != one.h:
            return False
        for _ in export.rows(one):
            pass
    except WnError:
        return False
    exporter.tidy(path)
    return True
