"""``audit import``: rows of an export or a spool become rows of a ledger that goes on.

They are appended through the ledger's own function, each in front of it what it was: nobody can give a row another
time or login than the server's, and what it had is proven by its own chain. What is here already is left out, so that
an import can be cut off anywhere and begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from wnadmin.domain.audit import chains, gather, spools
from wnadmin.domain.audit.chains import Chain
from wnadmin.domain.audit.spools import Held
from wnadmin.errors import Failed, Refused
from wnadmin.ledger import database
from wnadmin.ledger.export import Export, Row
from wnadmin.ledger.joined import Joined, wrap
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

TARGET: Final = "the operator ledger of this database"
"""What two imports or seals must not change at once."""
_ROWS: Final = 500
_BYTES: Final = 1 << 20
"""A batch is one transaction, and holds up every other writer of the ledger for as long as it takes."""
_STRETCH: Final = 4
"""A batch may grow so many times larger to end where no operation is under way: cut off there, none looks so."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is joined of one chain: ``count`` rows ``first`` to ``through``, read by ``rows`` behind what is here.

    ``h`` is the hash of the last one; ``name`` says for people where they come from.
    """

    chain: str
    name: str
    first: int
    through: int
    h: bytes
    count: int
    rows: Callable[[], Iterable[Row]]


def plan(
    db: Database, paths: Sequence[Path], inputs: Inputs, *, unproven: bool = False, state: Path | None = None
) -> Plan:
    """Describe the import of ``paths`` (exports, folders of them, spools), or of this user's own spool without any.

    ``unproven`` takes what nothing known here proves to be genuine; it has to be confirmed by a word. Raises Refused
    and UsageError before anything is changed.
    """
    require(db)
    token = inputs.get("token")
    token = token if isinstance(token, str) else str(uuid4())
    known = inputs.get("paths")
    # An unfinished import goes on with the files that it began with, wherever it is called.
    paths = [Path(str(one)) for one in known] if isinstance(known, list) else [one.absolute() for one in paths]
    origins = names(db, state)
    exports, others = chains.read(paths, state)
    notes: list[str] = []
    parts: list[Part] = []
    doubts: list[str] = []
    began_empty = {one.chain for one in chains.lives(db.session, state) if not one.after.seq and one.verdict.good}
    for one in chains.chains(exports):
        found = of_chain(db.session, one, origins, empty=one.name in began_empty)
        if found.count:
            doubts += [f"{each.path.name}: {why}" for each in one.files if (why := chains.unproven(each, state))]
            parts.append(found)
    own = Spool(state).path
    for path in others or ([] if paths else [own]):
        held = spools.look(db, path, origins, own=not others)
        if held.rows:
            doubts += [] if path.resolve() == own.resolve() else [f"{path.name}: A spool is not signed"]
            parts.append(of_spool(held))
        if held.others:
            count = "1 entry" if held.others == 1 else f"{held.others} entries"
            verbs = (
                "is not about this database and stays" if held.others == 1 else "are not about this database and stay"
            )
            notes.append(f"{count} of {path} {verbs} there.")
    if doubts and not unproven:
        raise doubted(doubts, exports)
    return Plan(
        "Import into the operator ledger",
        tuple(_step(db, one, token) for one in parts),
        effects=(*_effects(parts), *notes),
        inputs={"token": token, "paths": [str(one) for one in paths], "unproven": list(doubts)},
        verify=lambda: prove(db, state),
        target=TARGET,
        confirm="unproven" if doubts else "",
        nothing=" ".join(["every row is here already.", *notes]) if notes else "every row is here already",
        next="wnadmin audit verify",
    )


def readable(db: Database) -> database.Presence:
    """Refuse a database without a ledger, or a login that may not read it."""
    presence = database.present(db.session)
    if not presence.installed or not presence.has_append:
        raise Refused(
            f"the ledger is not installed in {presence.database_name}",
            why="There is nothing to work on.",
            next="wnadmin setup apply",
        )
    if not presence.may_read:
        raise Refused(
            f"{presence.login} may not read the operator ledger",
            why="Its rows are for those who operate the database, and for compliance.",
            next=gather.remedy(presence),
        )
    return presence


def require(db: Database) -> database.Presence:
    """Refuse a database without a ledger, or a login that may not both read and append to it."""
    presence = readable(db)
    if not presence.may_append:
        raise Refused(
            f"{presence.login} may not append to the operator ledger",
            why="It may not execute audit.ledger_append.",
            next=gather.remedy(presence),
        )
    return presence


def names(db: Database, state: Path | None) -> list[str]:
    """Give every name that the ledger of ``db`` has had: its own, and those of the databases it was restored from."""
    former = [one.chain for one in chains.lives(db.session, state) if one.chain and one.verdict.good]
    return list(dict.fromkeys([database.present(db.session).origin, *former]))


def of_chain(session: Session, chain: Chain, origins: Sequence[str], *, empty: bool) -> Part:
    """Find what of a chain of exports is not here; reads all of it. Raises Refused. ``empty`` as in chains.locate."""
    here = chains.locate(session, chain, origins, chains.tips(session), empty=empty).here
    files = len(chain.files)
    name = chain.files[0].path.name if files == 1 else f"{files} files in {chain.files[0].path.parent}"
    end = chain.end
    return Part(chain.name, name, here.seq + 1, end.seq, end.h, end.seq - here.seq, lambda: chain.rows(here.seq))


def of_spool(held: Held) -> Part:
    """Give what of a spool is not here."""
    first, last = held.rows[0], held.rows[-1]
    return Part(held.chain, str(held.path), first.seq, last.seq, last.h, len(held.rows), lambda: held.rows)


def doubted(doubts: Sequence[str], exports: Sequence[Export]) -> Refused:
    """The error for files that nothing known here proves: ``doubts`` are ``NAME: why`` each."""
    remedy = next((one.verdict.next for one in exports if one.verdict.next), "")
    anyway = "wnadmin audit import --unproven"
    return Refused(
        f"nothing known here proves {doubts[0].partition(': ')[0]}",
        why=f"{doubts[0].partition(': ')[2].rstrip('.')}, and no checkpoint of this user has its last row.",
        next=f"{remedy}, or take it as it is: {anyway}" if remedy else f"Take it as it is: {anyway}",
    )


def _effects(parts: Sequence[Part]) -> list[str]:
    said = [
        f"{one.count:,} {'row' if one.count == 1 else 'rows'} from {one.name} ({_range(one)}) "
        f"{'is' if one.count == 1 else 'are'} appended under new numbers, each with what it was."
        for one in parts
    ]
    if said:
        said.append(
            "`audit log` shows them at the time at which they were written. Nothing here is changed or removed."
        )
    return said


def _range(one: Part) -> str:
    return f"its rows {one.first} to {one.through}" if one.through > one.first else f"its row {one.first}"


def _step(db: Database, one: Part, token: str) -> Step:
    key = f"join {one.chain} {one.first}"

    def run(world: World) -> Receipt:
        began = time.monotonic()
        writable(db.session)
        title = f"rows from {one.name}"
        count = append(db.session, one, token, lambda at: world.progress(title, at, one.count), world.stopping)
        values: dict[str, Json] = {"chain": one.chain, "from": one.first, "through": one.through}
        return Receipt(key, count, round((time.monotonic() - began) * 1000), values)

    shown = f"SELECT audit.ledger_append(…);  -- {one.count:,} times, {_ROWS} in a transaction"
    return Step(key, f"Join {_range(one)} from {one.name}", (shown,), run)


def writable(session: Session) -> None:
    """Let the session write: a database in read-only mode still records who did what to it."""
    session.run("SET default_transaction_read_only = off")


def append(
    session: Session,
    one: Part,
    token: str,
    heard: Callable[[int], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Append the rows of ``one`` in batches, each a transaction; gives how many. Raises Failed when it is to stop."""
    count, size = 0, 0
    batch: list[tuple[str, str, str]] = []
    under_way: set[str] = set()
    for row in one.rows():
        was = Joined(one.chain, token, row.seq, row.prev, row.h, row.ts, row.envelope, row.payload)
        payload = wrap(was)
        batch.append((row.op_id, row.phase, payload))
        size += len(payload)
        if row.phase == "intent":
            under_way.add(row.op_id)
        elif row.phase == "outcome":
            under_way.discard(row.op_id)
        full = max(len(batch) / _ROWS, size / _BYTES)
        if full >= _STRETCH or (full >= 1 and not under_way):
            count += _flush(session, batch)
            batch, size, under_way = [], 0, set()
            heard(count)
            if stopping():
                raise Failed(f"stopped after {count:,} of {one.count:,} rows", why="It was interrupted.")
    count += _flush(session, batch)
    if count != one.count:
        raise Failed(
            f"{count:,} rows were joined where {one.count:,} were read before",
            why=f"{one.name} was changed meanwhile.",
            next="wnadmin audit verify",
        )
    return count


def _flush(session: Session, batch: Sequence[tuple[str, str, str]]) -> int:
    if batch:
        database.append_all(session, batch)
    return len(batch)


def prove(db: Database, state: Path | None = None) -> list[Finding]:
    """Look again: does the chain hold, and each joined row with it?"""
    from wnadmin.domain.audit.verify import verify

    found = verify(db, Spool(state), state=state).findings
    return [one for one in found if one.id in ("ledger.link", "ledger.gap", "ledger.joined", "ledger.restored")]
