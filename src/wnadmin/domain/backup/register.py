"""The register of copies, ``audit.backups``: which copies of this database exist, where, and until when.

Whoever was erased lives on in every copy made before, until it is removed. The sidecar beside a copy says so to
whoever finds it; the register says so to whoever asks the database. It is kept where it can be written: not on a
standby, not in read-only mode. What is missing there is seen by `backup list` and made up for by `backup prune` on
the primary: from the sidecars in the folder, and from what ledger and spool know of removals.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

from wnadmin.domain.backup.files import Kept, Place
from wnadmin.domain.backup.files import look as look_at
from wnadmin.errors import UsageError
from wnadmin.ledger import database as ledger
from wnadmin.ledger.operations import operations
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.results import Finding

Kind: TypeAlias = Literal["dump", "base_backup", "wal", "archive"]
Key: TypeAlias = tuple[str, str]
"""Digest and place: a copy of a copy is another one."""

CHECK: Final = "backup.register"

_NEWEST: Final = 5000
"""How many operations of the ledger are searched for removals."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One copy. ``digest`` is the hash of its sidecar or manifest, ``place`` machine and path.

    ``covers`` is the table it holds, None for the whole database; ``snapshot_at`` and ``snapshot_lsn`` are not after
    the moment that its rows are of.
    """

    kind: Kind
    name: str
    place: str
    digest: str
    covers: str | None
    system_identifier: str
    snapshot_at: datetime
    snapshot_lsn: str
    bytes: int
    is_encrypted: bool
    expires_at: datetime

    @property
    def key(self) -> Key:
        """What tells it from every other copy."""
        return self.digest, self.place


@dataclass(frozen=True, slots=True)
class State:
    """Whose register this is, and what this login can do with it."""

    system_identifier: str
    database: str
    login: str
    standby: bool
    read_only: bool
    installed: bool
    may_write: bool
    may_read: bool

    @property
    def obstacle(self) -> str:
        """Say why nothing can be registered, '' when it can."""
        if not self.installed:
            return f"{self.database} has no register of backups"
        if self.standby:
            return "this server is a standby"
        if self.read_only:
            return f"{self.database} is in read-only mode"
        if not self.may_write:
            return f"{self.login} may not execute audit.register_backup"
        return ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Where the register and a folder differ.

    ``missing`` are backups of this database that are there and not registered, ``gone`` registered ones that were
    pruned, ``lost`` registered ones that are not there, and nobody knows why. ``why`` says why nothing can be
    written now, and ``blind`` why it was not even read; then the others are empty. ``later``: whether that can be
    made up for.
    """

    known: frozenset[Key] = frozenset()
    missing: tuple[Kept, ...] = ()
    gone: tuple[Entry, ...] = ()
    lost: tuple[Entry, ...] = ()
    why: str = ""
    blind: str = ""
    later: bool = True


def address(path: Path) -> str:
    """Name a place on this machine so that it is known on every other."""
    return f"{socket.gethostname()}:{path.resolve()}"


def key(kept: Kept) -> Key:
    """What tells a dump from every other copy."""
    return kept.sha256, address(kept.place.dump)


def entry(kept: Kept) -> Entry:
    """Make the entry of a dump that has its sidecar; UsageError for one without."""
    side = kept.sidecar
    if side is None:
        raise UsageError(f"{kept.place.dump} has no sidecar to register it by")
    return Entry(
        "dump",
        side.name,
        address(kept.place.dump),
        kept.sha256,
        None,
        side.system_identifier,
        side.snapshot_at,
        side.lsn,
        side.bytes,
        side.encrypted,
        side.expires_at,
    )


def look(db: Database) -> State:
    """Look at the register and at oneself; needs no privilege."""
    return db.rows("queries/backup/register_state", State)[0]


def standing(db: Database) -> list[Entry]:
    """List the copies that are registered and not removed; needs SELECT on the register."""
    return db.rows("queries/backup/registered", Entry)


def write(db: Database, one: Entry) -> None:
    """Register a copy; a second time it changes nothing but a removal that was none, and a later expiry."""
    values = {**asdict(one), "covers": one.covers or ""}
    rendered = db.prepared("changes/backup/register", values).rendered
    db.session.run(rendered.query, rendered.bound, doing="register the backup")


def mark_removed(db: Database, key: Key) -> bool:
    """Note that a copy was removed; False when that was known, or the copy was not."""
    rendered = db.prepared("changes/backup/mark_removed", {"digest": key[0], "place": key[1]}).rendered
    return bool(db.session.scalar(rendered.query, rendered.bound, doing="note the removal"))


def shown(one: Entry) -> str:
    """The call that registers a copy whose digest is not known yet, as text."""
    digest = one.digest or "‹hash of the sidecar›"
    return f"SELECT audit.register_backup('{one.kind}', '{one.name}', '{one.place}', '{digest}', …);"


def gap(db: Database | None, folder: Path, found: Sequence[Kept]) -> Gap:
    """Compare the register of the connected database with a folder."""
    if db is None:
        return Gap(blind="no server is connected")
    state = look(db)
    if not state.installed or not state.may_read:
        return Gap(blind=state.obstacle or f"{state.login} may not read audit.backups", later=state.installed)
    rows = {one.key: one for one in standing(db)}
    whole = [one for one in found if one.sidecar is not None and not one.trouble]
    missing = [one for one in whole if key(one) not in rows and _is_of(one, state)]
    here = address(folder)
    absent = [one for one in rows.values() if one.place.rpartition("/")[0] == here and not is_there(one.key)]
    pruned = _pruned(db) if absent else frozenset()
    return Gap(
        frozenset(rows),
        tuple(missing),
        tuple(one for one in absent if one.place in pruned),
        tuple(one for one in absent if one.place not in pruned),
        state.obstacle,
    )


def _is_of(kept: Kept, state: State) -> bool:
    side = kept.sidecar
    return side is not None and (side.system_identifier, side.database.name) == (
        state.system_identifier,
        state.database,
    )


def is_there(key: Key) -> bool:
    """Whether a copy on this machine stands in its place; one that has its name only is another."""
    path = Path(key[1].partition(":")[2])
    return path.exists() and look_at(Place(path)).sha256 in ("", key[0])


def _pruned(db: Database) -> frozenset[str]:
    """Find in ledger and spool the places from which `backup prune` has removed something, or had begun to."""
    entries = list(Spool().entries())
    presence = ledger.present(db.session)
    if presence.installed and presence.may_read:
        entries += ledger.newest_operations(db.session, limit=_NEWEST)
    found: set[str] = set()
    for one in operations(entries):
        if one.command != "backup prune":
            continue
        found |= {str(receipt.values["place"]) for receipt in one.receipts.values() if "place" in receipt.values}
        folder, going = one.inputs.get("folder"), one.inputs.get("going")
        if isinstance(going, list) and isinstance(folder, str):
            found |= {f"{folder}/{name}" for name in going}
    return frozenset(found)


def told(gap: Gap, folder: Path) -> list[str]:
    """Say to people where the register lags behind a folder."""
    said = []
    if gap.missing or gap.gone:
        count = len(gap.missing) + len(gap.gone)
        how = f" ({gap.why}: do it on the primary)" if gap.why else ""
        said.append(f"{count} not noted in the register yet: `wnadmin backup prune {folder}` does it{how}.")
    if gap.lost:
        names = ", ".join(one.name for one in gap.lost[:3]) + ("…" if len(gap.lost) > 3 else "")
        said.append(f"Registered here, and not there: {names}. They count as copies until they expire.")
    return said


def finding(db: Database, wanted: Iterable[Entry], folder: Path) -> Finding:
    """Look again whether copies are registered; what cannot be registered here and now is skipped, and says so."""
    wanted = list(wanted)
    state = look(db)
    if state.obstacle:
        later = "" if not state.installed else f"; `wnadmin backup prune {folder}` on the primary makes up for it"
        return Finding(CHECK, CHECK, "skipped", f"not registered: {state.obstacle}{later}")
    if not state.may_read:
        return Finding(CHECK, CHECK, "skipped", f"registered, and not looked at: {state.login} may not read the table")
    known = {one.key for one in standing(db)}
    lacking = [one for one in wanted if one.key not in known]
    if lacking:
        return Finding(CHECK, CHECK, "critical", f"not registered: {', '.join(one.name for one in lacking)}")
    if len(wanted) == 1:
        return Finding(CHECK, CHECK, "ok", f"registered until {wanted[0].expires_at:%Y-%m-%d}")
    return Finding(CHECK, CHECK, "ok", f"{len(wanted)} copies are registered")
