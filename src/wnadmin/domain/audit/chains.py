"""Exports put in order, and where the rows they hold stand to the rows of a ledger."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.audit import records
from wnadmin.domain.audit.records import Head
from wnadmin.errors import Refused, UsageError
from wnadmin.ledger import checkpoint, database, export
from wnadmin.ledger.chain import ZERO
from wnadmin.ledger.export import Export, Row
from wnadmin.ledger.walk import Noted
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

_CHUNK: Final = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a ledger begins and ends: ``prev`` is the hash before row ``first``, ``h`` that of row ``last``."""

    first: int
    prev: bytes
    last: int
    h: bytes

    @property
    def begin(self) -> Head:
        """The row that went before the first one here; 0 for a whole ledger."""
        return Head(self.first - 1, bytes(self.prev))


@dataclass(frozen=True, slots=True)
class Tip:
    """How far an import joined another chain: its row ``seq`` with the hash ``h``, here row ``here``."""

    chain: str
    token: str
    seq: int
    h: str
    here: int


def bounds(session: Session) -> Bounds:
    """Look where the ledger begins and ends; an empty one begins before row 1."""
    rows = Database(session).rows("queries/audit/bounds", Bounds)
    return rows[0] if rows else Bounds(1, ZERO, 0, ZERO)


def tips(session: Session) -> list[Tip]:
    """Look how far other chains were joined."""
    return Database(session).rows("queries/audit/joined", Tip)


def lives(session: Session, state: Path | None) -> list[records.Restored]:
    """Give what the ledger says about restores of its database, oldest first, whatever it is worth."""
    rows = Database(session).rows("queries/audit/restored", Noted)
    return [one for row in rows if (one := records.restored(row, state))]


@dataclass(frozen=True, slots=True)
class Chain:
    """Exports of the one ledger ``name``, each going on where the one before it ends, or overlapping it."""

    name: str
    files: tuple[Export, ...]

    @property
    def before(self) -> Head:
        """The row that goes before the first one."""
        return Head(self.files[0].head.first - 1, self.files[0].head.prev)

    @property
    def end(self) -> Head:
        """The last row."""
        return Head(self.files[-1].head.through, self.files[-1].h)

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Read and prove all rows, and give those behind row ``after``; Refused where a file does not hold."""
        last = self.before
        for one in self.files:
            for row in export.rows(one):
                if row.seq < last.seq:
                    continue
                if row.seq == last.seq:
                    if row.h != last.h:
                        raise _contradiction(one.path, row.seq)
                    continue
                if row.prev != last.h:
                    raise _contradiction(one.path, last.seq)
                last = Head(row.seq, row.h)
                if row.seq > after:
                    yield row


def _contradiction(path: Path, seq: int) -> Refused:
    return Refused(
        f"{path} tells another row {seq} than the export before it",
        why="They have one origin and are not one chain: the database was restored between the two.",
        next="Import them one by one.",
    )


def chains(exports: Iterable[Export]) -> list[Chain]:
    """Put exports in order, one chain for each ledger; Refused where rows between two of them are missing."""
    found: list[Chain] = []
    ordered = sorted(exports, key=lambda one: (one.head.origin, one.head.first, -one.head.through))
    for name, group in itertools.groupby(ordered, key=lambda one: one.head.origin):
        files: list[Export] = []
        for one in group:
            last = files[-1].head.through if files else one.head.first - 1
            if files and one.head.through <= last:
                # All of it is in the one before.
                continue
            if one.head.first > last + 1:
                raise Refused(
                    f"rows {last + 1} to {one.head.first - 1} are missing between the exports",
                    why=f"{files[-1].path.name} ends at row {last}, and {one.path.name} begins at row "
                    f"{one.head.first}.",
                    next="Give the file that holds them as well.",
                )
            files.append(one)
        found.append(Chain(name, tuple(files)))
    return found


def unproven(one: Export, state: Path | None) -> str:
    """Say why nothing known here proves that an export is genuine; '' where its signature or a checkpoint does."""
    if one.verdict.good:
        return ""
    kept = checkpoint.read(one.head.origin, checkpoint.file_of(one.head.origin, state))
    if kept and any((each.seq, each.h) == (one.head.through, one.h) for each in kept.checkpoints):
        return ""
    return one.verdict.why.rstrip(".")


@dataclass(frozen=True, slots=True)
class Place:
    """``fork`` is the last row that both have in their own right, ``here`` the furthest that is here, also joined."""

    fork: Head
    here: Head


def locate(
    session: Session,
    chain: Chain,
    origins: Sequence[str],
    joined: Sequence[Tip],
    *,
    empty: bool = False,
    heard: Callable[[int], None] = lambda _: None,
) -> Place:
    """Find where ``chain`` leaves the ledger; reads and proves all of it, so that nothing is begun with a bad file.

    ``origins`` are the names this ledger has had, ``joined`` what was joined to it already. ``empty`` is whether the
    ledger began as a restored one without a row. Raises Refused for a file that does not hold, and for rows that have
    nothing to do with this ledger.
    """
    own = bounds(session)
    reached = {(one.seq, bytes.fromhex(one.h)) for one in joined if one.chain == chain.name}
    fork = here = None
    if chain.before == own.begin or (chain.before.seq and _stands(session, chain.before)):
        fork = here = chain.before
    if fork is not None and not fork.seq and not (empty and chain.name in origins):
        # Every ledger begins before row 1: that much two of them always share.
        fork = here = None
    if (chain.before.seq, chain.before.h) in reached:
        here = chain.before
    rows = chain.rows()
    count = 0
    while part := list(itertools.islice(rows, _CHUNK)):
        count += len(part)
        heard(count)
        if part[0].seq <= own.last:
            stand = database.hashes(session, [row.seq for row in part if row.seq <= own.last])
            same = [row for row in part if stand.get(row.seq) == row.h or Head(row.seq, row.h) == own.begin]
            if same:
                fork = here = Head(same[-1].seq, same[-1].h)
        for row in part:
            if (row.seq, row.h) in reached:
                here = Head(row.seq, row.h)
    if here is None and chain.end.seq < own.begin.seq and chain.name in origins:
        raise Refused(
            f"rows {chain.before.seq + 1} to {chain.end.seq} were sealed, and are not put back",
            why=f"This ledger begins at row {own.first}; what went before is past its retention period.",
            next="To prove the file: wnadmin audit verify --export FILE",
        )
    if here is None:
        raise _stranger(chain, own, origins)
    return Place(fork or here, here)


def _stands(session: Session, head: Head) -> bool:
    return database.hashes(session, [head.seq]).get(head.seq) == head.h


def _stranger(chain: Chain, own: Bounds, origins: Sequence[str]) -> Refused:
    first = chain.before.seq + 1
    if chain.name in origins and first > own.last + 1:
        return Refused(
            f"rows {own.last + 1} to {first - 1} are missing between this ledger and {chain.files[0].path}",
            why=f"It ends at row {own.last}, and the export begins at row {first}.",
            next="Give the export that holds them as well.",
        )
    return Refused(
        f"{chain.files[0].path} holds rows of another database",
        why=f"They are of {chain.files[0].head.database} ({chain.name}), and none of them is a row of this ledger.",
        next="Connect to that database, or to one that was restored from it.",
    )


def read(paths: Iterable[Path], state: Path | None) -> tuple[list[Export], list[Path]]:
    """Look at files and folders: the exports, and what is none (it may be a spool). Raises Refused, UsageError."""
    exports: list[Export] = []
    others: list[Path] = []
    for path in dict.fromkeys(paths):
        if path.is_dir():
            inside = sorted(path.glob(f"*{export.SUFFIX}"))
            if not inside:
                raise UsageError(f"there is no export in {path}", next="Name the files, or the folder they are in.")
            exports += [one for each in inside if (one := export.look(each, state))]
        elif one := export.look(path, state):
            exports.append(one)
        else:
            others.append(path)
    return exports, others
