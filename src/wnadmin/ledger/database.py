"""The ledger in the database: append through its one function, read, look at its guards."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from wnadmin.ledger.chain import Entry, Phase
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

_APPEND = "SELECT a.seq, a.ts, a.h FROM audit.ledger_append(%s::uuid, %s::text, %s::text) AS a"
# As JSON, since the driver writes an array character by character.
_APPEND_ALL = (
    "SELECT max(a.seq) FROM json_to_recordset(%s::json) AS e (op_id uuid, phase text, payload text)"
    " CROSS JOIN LATERAL audit.ledger_append(e.op_id, e.phase, e.payload) AS a"
)
_ALREADY = (
    "SELECT l.seq, l.ts, l.h FROM ONLY audit.operator_ledger AS l"
    " WHERE l.op_id = %s::uuid AND l.phase = %s::text AND l.payload = %s::text ORDER BY l.seq DESC LIMIT 1"
)
_HASHES = "SELECT l.seq, l.h FROM ONLY audit.operator_ledger AS l WHERE l.seq = ANY (%s::bigint[])"
_CHECKPOINT = "SELECT audit.ledger_checkpoint(%s::bigint, %s::text)"


@dataclass(frozen=True, slots=True)
class Presence:
    """Whose database this is and what this login can do with its ledger.

    ``may_read_own`` is whether it sees the operations that it began itself, which whoever writes may.
    """

    system_identifier: str
    database_oid: int
    database_name: str
    login: str
    standby: bool
    installed: bool
    may_append: bool
    may_checkpoint: bool
    may_read: bool
    may_read_own: bool
    may_remove: bool
    has_append: bool

    @property
    def origin(self) -> str:
        """Name this ledger apart from every other, for its checkpoints outside."""
        return f"wnadmin-ledger/{self.system_identifier}/{self.database_oid}"

    @property
    def obstacle(self) -> str:
        """Say why nothing can be appended here, '' when it can."""
        if self.standby:
            return "this server is a standby"
        if not self.installed or not self.has_append:
            return f"the ledger is not installed in {self.database_name}"
        if not self.may_append:
            return f"{self.login} may not execute audit.ledger_append"
        return ""


@dataclass(frozen=True, slots=True)
class Appended:
    """The place and hash of an entry that was just appended."""

    seq: int
    ts: datetime
    h: bytes


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule that protects the ledger, whether it holds, and what was found."""

    object: str
    rule: str
    holds: bool
    found: str


@dataclass(frozen=True, slots=True)
class Mirrored:
    """One checkpoint in the database's own copy, compared with the row it speaks of."""

    seq: int
    sink: str
    written_at: datetime
    row_exists: bool
    row_agrees: bool


@dataclass(frozen=True, slots=True)
class Orphan:
    """An operation of the database whose newest intent has no outcome there."""

    op_id: UUID
    seq: int
    ts: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """A session of wnadmin on the server; ``since`` is None where the login may not see it."""

    pid: int
    application_name: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    ts: datetime
    op_id: UUID
    phase: Phase
    envelope: str
    payload: str
    prev: bytes
    h: bytes


def present(session: Session) -> Presence:
    """Look whether the ledger is there, writable and readable; needs no privilege."""
    return Database(session).rows("queries/audit/presence", Presence)[0]


def append(session: Session, op_id: UUID, phase: Phase, payload: str) -> Appended:
    """Append one entry; a WnError when the server does not take it."""
    row = session.run(_APPEND, (str(op_id), phase, payload), "append to the ledger").rows[0]
    return Appended(row[0], row[1], row[2])


def append_all(session: Session, entries: Sequence[tuple[str, str, str]]) -> int:
    """Append entries (operation, phase, payload) in this order in one transaction; gives the number of the last."""
    listed = [{"op_id": op_id, "phase": phase, "payload": payload} for op_id, phase, payload in entries]
    text = json.dumps(listed, ensure_ascii=False)
    return int(session.scalar(_APPEND_ALL, (text,), "append to the ledger"))


def already(session: Session, op_id: UUID, phase: Phase, payload: str) -> Appended | None:
    """Find an entry that an earlier try may have appended before its answer was lost."""
    rows = session.run(_ALREADY, (str(op_id), phase, payload), "look for the entry").rows
    return Appended(*rows[0]) if rows else None


def hashes(session: Session, seqs: Collection[int]) -> dict[int, bytes]:
    """Give the hashes of these rows; a number without a row is left out."""
    if not seqs:
        return {}
    return {row[0]: bytes(row[1]) for row in session.run(_HASHES, (list(seqs),), "look for the rows").rows}


def mirror(session: Session, seq: int, sink: str) -> None:
    """Copy the checkpoint of row ``seq`` into audit.ledger_checkpoints."""
    session.run(_CHECKPOINT, (seq, sink), "record the checkpoint")


def entries(
    session: Session, *, op_id: UUID | None = None, since: datetime | None = None, limit: int | None = None
) -> list[Entry]:
    """Give entries newest first: of one operation, since a time, at most ``limit``. Raises Blind, Vanished."""
    return _entries(Database(session).rows("queries/audit/entries", _Row, op_id=op_id, since=since, limit=limit))


def newest_operations(session: Session, *, since: datetime | None = None, limit: int | None = None) -> list[Entry]:
    """Give every entry of the ``limit`` newest operations, newest entry first."""
    return _entries(Database(session).rows("queries/audit/operations", _Row, since=since, limit=limit))


def entries_of(session: Session, op_ids: Collection[UUID]) -> list[Entry]:
    """Give every entry of these operations, newest first."""
    if not op_ids:
        return []
    listed = "{" + ",".join(sorted(str(one) for one in op_ids)) + "}"
    return _entries(Database(session).rows("queries/audit/some_operations", _Row, op_ids=listed))


def own(session: Session, op_ids: Collection[UUID] | None = None, limit: int | None = None) -> list[Entry]:
    """Give every entry of the newest operations that this login began, newest first: of these ids only when given."""
    listed = None if op_ids is None else "{" + ",".join(sorted(str(one) for one in op_ids)) + "}"
    return _entries(Database(session).rows("queries/audit/own_operations", _Row, op_ids=listed, limit=limit))


def orphans(session: Session) -> list[Orphan]:
    """Give the operations that have no outcome in this database, newest first."""
    return Database(session).rows("queries/audit/unfinished", Orphan)


def running(session: Session) -> list[Running]:
    """Give wnadmin's sessions on this server."""
    return Database(session).rows("queries/audit/running", Running)


def guards(session: Session) -> list[Guard]:
    """Look at triggers, owners, grants and functions that protect the ledger; reads catalogs only."""
    return Database(session).rows("queries/audit/guards", Guard)


def mirrored(session: Session) -> list[Mirrored]:
    """Compare the database's own checkpoints with its rows."""
    return Database(session).rows("queries/audit/mirror", Mirrored)


def _entries(rows: Iterable[_Row]) -> list[Entry]:
    return [Entry(r.seq, r.ts, r.op_id, r.phase, r.envelope, r.payload, bytes(r.prev), bytes(r.h)) for r in rows]
