"""A ledger whose database was restored: what was recorded since is joined, and a signed row says what is lost.

A dump holds the ledger as it was. What came after is in exports, in this user's spool, or nowhere; the checkpoints
outside still know how far it went. The row ``restored_from`` says all of it, and ``audit verify`` holds it to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from wnadmin import settings
from wnadmin.domain.audit import chains, join, records, spools
from wnadmin.domain.audit.records import Head, Restored
from wnadmin.errors import Failed, Refused, WnError
from wnadmin.ledger import checkpoint, database, export
from wnadmin.ledger.checkpoint import Anchor, Checkpoint
from wnadmin.ledger.export import Export
from wnadmin.ledger.recorder import Recorder
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Json, Progress

_PROVEN: Final = ("ledger.link", "ledger.gap", "ledger.tail", "ledger.restored", "ledger.joined", "ledger.seal")


@dataclass(frozen=True, slots=True)
class Former:
    """The database that a backup was taken of; ``since`` is the moment of its snapshot.

    ``facts`` are whatever else the row should say about the backup.
    """

    system_identifier: str
    database: str
    since: datetime
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Continued:
    """What became of the ledger: ``rows`` were joined, ``lost`` are known to have been and are in no file.

    ``words`` says it in a sentence, ``left_out`` why files that were found were not used.
    """

    rows: int = 0
    lost: int = 0
    words: str = "the database has no ledger"
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of the ledger that was: its name, its checkpoints here, and what can be joined of it."""

    name: str
    anchor: Anchor | None
    parts: tuple[join.Part, ...]
    left_out: tuple[str, ...]


def after_restore(
    session: Session,
    former: Former,
    *,
    token: str,
    ends: Sequence[UUID] = (),
    exports: Sequence[Path] = (),
    folders: Sequence[Path] = (),
    state: Path | None = None,
    progress: Progress = lambda *_: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Continued:
    """Go on with the ledger of the database that was just restored into the one of ``session``.

    Appends the row ``restored_from``, signed, as the outcome of the operations ``ends`` (of a new one where there are
    none), then joins what was recorded since the dump: rows of ``exports``, or else of what is found in ``folders``,
    and of this user's spool. ``token`` names this restore: called again with it, it goes on where it was cut off.
    Raises Refused for one of ``exports`` that does not hold or fit, and Failed when the ledger cannot be written.
    """
    presence = database.present(session)
    if not presence.installed:
        return Continued()
    join.writable(session)
    life = _life(session, token, state)
    own = chains.bounds(session)
    after = life.after if life else Head(own.last, bytes(own.h))
    found = _find(session, former, after, exports, folders, state)
    if life is None:
        known = _known(found.anchor, after)
        facts = _facts(former, presence.origin, found, after, known, token)
        _say(session, facts, ends or [uuid4()], state)
    rows = 0
    for part in found.parts:
        heard = partial(_heard, progress, part)
        rows += join.append(session, part, token, heard, stopping) if part.count else 0
    if rows:
        _anchor(session, presence.origin, state)
    life = _life(session, token, state)
    if life is None:
        raise Failed("the restored database does not know where it came from", next="wnadmin audit verify")
    return Continued(rows, life.lost, _words(life, rows, found.left_out), found.left_out)


def require(exports: Sequence[Path], state: Path | None = None) -> list[Export]:
    """Refuse files that are no exports, that do not hold, or that nothing known here proves to be genuine.

    Whether they fit shows when the database is there.
    """
    chosen, others = chains.read(exports, state)
    if others:
        raise Refused(
            f"{others[0]} is no export of a ledger",
            why="Rows recorded since the dump come from what `audit export` wrote, and from this user's spool.",
            next="Name a file that `wnadmin audit export` wrote, or the folder of such files.",
        )
    if doubts := [f"{one.path.name}: {why}" for one in chosen if (why := chains.unproven(one, state))]:
        raise join.doubted(doubts, chosen)
    for one in chains.chains(chosen):
        for _ in one.rows():
            pass
    return chosen


def proof(session: Session, state: Path | None = None) -> list[Finding]:
    """Look again at the ledger of a restored database: its chain, and what it says about its past."""
    from wnadmin.domain.audit.verify import verify

    found = verify(Database(session), Spool(state), state=state).findings
    return [one for one in found if one.id in _PROVEN]


def _life(session: Session, token: str, state: Path | None) -> Restored | None:
    return next((one for one in chains.lives(session, state) if one.token == token), None)


def _heard(progress: Progress, part: join.Part, at: int) -> None:
    progress(f"rows from {part.name}", at, part.count)


def _find(
    session: Session,
    former: Former,
    after: Head,
    exports: Sequence[Path],
    folders: Sequence[Path],
    state: Path | None,
) -> _Found:
    name, anchor = _checkpoints(session, former.system_identifier, after, state)
    left_out: list[str] = []
    parts: list[join.Part] = []
    if exports:
        chosen = require(exports, state)
        parts = [_part(session, one, after) for one in chains.chains(chosen)]
    else:
        offered = _offered(folders, former, after, left_out, state)
        try:
            parts = [_part(session, one, after) for one in chains.chains(offered)]
        except WnError as error:
            left_out.append(f"{error.what}. {error.why}")
    if len(parts) > 1:
        left_out += [f"{one.name}: it is of {one.chain}, another database" for one in parts if one.chain != name]
        parts = [one for one in parts if one.chain == name]
    if parts and not name:
        name = parts[0].chain
        anchor = _read(name, state)
    if name:
        spool = Spool(state).path
        held = spools.look(Database(session), spool, [name], own=True)
        rows = tuple(row for row in held.rows if datetime.fromisoformat(row.ts) >= former.since)
        parts += [join.of_spool(replace(held, rows=rows))] if rows else []
    return _Found(name, anchor, tuple(parts), tuple(left_out))


def _part(session: Session, chain: chains.Chain, after: Head) -> join.Part:
    return join.of_chain(session, chain, [chain.name], empty=not after.seq)


def _offered(
    folders: Sequence[Path], former: Former, after: Head, left_out: list[str], state: Path | None
) -> list[Export]:
    """Give the exports in ``folders`` that hold what the database recorded since, as far as names tell."""
    found: list[Export] = []
    ours = f"wnadmin-ledger/{former.system_identifier}/"
    for path in [
        each for folder in folders for each in sorted(folder.glob(f"{ours.replace('/', '-')}*{export.SUFFIX}"))
    ]:
        try:
            one = export.look(path, state)
        except WnError as error:
            left_out.append(error.what)
            continue
        if one is None or one.head.database != former.database or one.head.through <= after.seq:
            continue
        if why := chains.unproven(one, state):
            left_out.append(f"{path}: {why}")
        elif one.head.origin.startswith(ours):
            found.append(one)
    return found


def _checkpoints(
    session: Session, system_identifier: str, after: Head, state: Path | None
) -> tuple[str, Anchor | None]:
    """Find the checkpoints of the ledger that was dumped: those that know most of its rows by their hashes."""
    folder = (state or settings.state_dir()) / "checkpoints"
    best: tuple[int, str, Anchor | None] = (0, "", None)
    for path in sorted(folder.glob(f"wnadmin-ledger-{system_identifier}-*.txt")):
        name = path.stem.replace("-", "/").replace("wnadmin/ledger", "wnadmin-ledger", 1)
        anchor = _read(name, state)
        if anchor is None:
            continue
        stand = database.hashes(session, [one.seq for one in anchor.checkpoints if one.seq <= after.seq])
        agreed = max((one.seq for one in anchor.checkpoints if stand.get(one.seq) == one.h), default=0)
        if agreed > best[0]:
            best = (agreed, name, anchor)
    return best[1], best[2]


def _read(name: str, state: Path | None) -> Anchor | None:
    try:
        return checkpoint.read(name, checkpoint.file_of(name, state))
    except Failed:
        return None


def _known(anchor: Anchor | None, after: Head) -> Head | None:
    """Give the last head that is known from outside, where it is beyond what was restored."""
    last = anchor.checkpoints[-1] if anchor and anchor.checkpoints else None
    return Head(last.seq, last.h) if last and last.seq > after.seq else None


def _facts(former: Former, into: str, found: _Found, after: Head, known: Head | None, token: str) -> dict[str, Json]:
    joins: list[Json] = [
        {"chain": one.chain, "token": token, "seq": one.through, "h": one.h.hex()}
        for one in found.parts
        if one.count and one.chain == found.name
    ]
    return {
        **former.facts,
        "database": former.database,
        "system_identifier": former.system_identifier,
        "snapshot_at": former.since.isoformat(),
        "ledger": {
            "chain": found.name,
            "into": into,
            "after": after.facts(),
            "known": known.facts() if known else None,
            "joins": joins,
            "token": token,
        },
    }


def _say(session: Session, facts: Mapping[str, Json], ends: Sequence[UUID], state: Path | None) -> None:
    payload = {
        "command": "backup restore",
        "status": "done",
        "detail": "restored-from",
        **records.signed(records.RESTORED, facts, state),
    }
    with Recorder.open(session.target, "backup restore", state=state) as recorder:
        for one in ends:
            recorded = recorder.outcome(one, payload)
            if recorded.sink != "database":
                raise Failed(
                    "the restored database does not know where it came from",
                    why=f"Its ledger could not be written: {recorded.why}.",
                    next="wnadmin audit unfinished",
                )


def _anchor(session: Session, origin: str, state: Path | None) -> None:
    """Put the end of what was joined outside too, as each outcome is."""
    own = chains.bounds(session)
    checkpoint.write(Checkpoint(origin, own.last, bytes(own.h)), state)
    database.mirror(session, own.last, checkpoint.sink_name())


def _words(life: Restored, rows: int, left_out: Sequence[str]) -> str:
    said = f"the ledger goes on after row {life.after.seq}"
    said += f"; {rows} rows recorded since the dump were joined" if rows else "; nothing recorded since was found"
    if life.lost:
        said += f"; {life.lost} more are known to have been, and are lost"
    return f"{said}; not used: {'; '.join(left_out)}" if left_out else said
