"""The ledger in the database: append through its one function, read, follow the chain, look at its guards."""

from __future__ import annotations

import re
import struct
from binascii import hexlify
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from wnadmin.errors import Failed
from wnadmin.ledger.chain import ZERO, Entry, Links, Phase, uncovered
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL

_APPEND = "SELECT a.seq, a.ts, a.h FROM audit.ledger_append(%s::uuid, %s::text, %s::text) AS a"
_ALREADY = (
    "SELECT l.seq, l.ts, l.h FROM ONLY audit.operator_ledger AS l"
    " WHERE l.op_id = %s::uuid AND l.phase = %s::text AND l.payload = %s::text ORDER BY l.seq DESC LIMIT 1"
)
_CHECKPOINT = "SELECT audit.ledger_checkpoint(%s::bigint, %s::text)"
_STREAM = SQL(
    "COPY (SELECT l.seq, l.ts, l.op_id, l.prev, l.h, l.phase, l.envelope, l.payload"
    " FROM ONLY audit.operator_ledger AS l ORDER BY l.seq) TO STDOUT (FORMAT binary)"
)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whose database this is and what this login can do with its ledger."""

    system_identifier: str
    database_oid: int
    database_name: str
    login: str
    standby: bool
    installed: bool
    may_append: bool
    may_checkpoint: bool
    may_read: bool
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
class SpoolHead:
    """The end of a spool as row ``row`` of the ledger remembers it: its entry ``seq`` had the hash ``h``."""

    seq: int
    h: bytes
    row: int


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


def already(session: Session, op_id: UUID, phase: Phase, payload: str) -> Appended | None:
    """Find an entry that an earlier try may have appended before its answer was lost."""
    rows = session.run(_ALREADY, (str(op_id), phase, payload), "look for the entry").rows
    return Appended(*rows[0]) if rows else None


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


class Walk:
    """One pass over the whole table: the chain, and the hash of each row that somebody asked for.

    ``spool`` is the place of a spool whose heads are gathered as well.
    """

    def __init__(self, wanted: Collection[int] = (), spool: str = "") -> None:
        self.links = Links()
        self.hashes: dict[int, bytes] = {}
        self._wanted = frozenset(wanted)
        self._mark = b'"spool":{"at":"%b","h":"' % spool.encode()
        self._marked: dict[bytes, int] = {}

    @property
    def heads(self) -> list[SpoolHead]:
        """Give each head of the spool that the rows remember, by its number, with the first row that has it."""
        found = [SpoolHead(int(one[2]), bytes.fromhex(one[1].decode()), row) for one, row in self._heads()]
        return sorted(found, key=lambda head: (head.seq, head.row))

    def _heads(self) -> Iterator[tuple[re.Match[bytes], int]]:
        for text, row in self._marked.items():
            if (one := _HEAD_TEXT.fullmatch(text)) is not None:
                yield one, row

    def run(self, session: Session) -> Walk:
        """Stream all rows in one snapshot and follow the chain; raises Blind without SELECT."""
        with session.transaction(read_only=True):
            # However long the ledger is: half a chain proves nothing.
            session.run("SET LOCAL statement_timeout = 0")
            self._follow(session.copy_out(_STREAM))
        return self

    def _follow(self, blocks: Iterable[memoryview]) -> None:
        follow, wanted, clock = self.links.follow, self._wanted, _Clock()
        mark, marked = self._mark, self._marked
        for seq, micros, op_id, prev, h, phase, envelope, payload in _rows(blocks):
            follow(seq, envelope, payload, prev, h)
            if seq in wanted:
                self.hashes[seq] = h
            if (at := payload.find(mark)) >= 0:
                # Few heads, many rows: the same text again says nothing new.
                marked.setdefault(payload[at + len(mark) : payload.find(b"}", at)], seq)
            if clock.agrees(micros, envelope) and _named(op_id, phase, payload):
                continue
            if wrong := _closely(seq, micros, op_id, phase, envelope, payload):
                self.links.report(seq, "column", wrong)


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEADER = b"PGCOPY\n\xff\r\n\x00"
# fields, seq, ts, op_id, prev, h, then the length of the phase; each value has its length before it.
_FIXED = struct.Struct(">hiqiqi16si32si32si")
_FIXED_SIZE = _FIXED.size
_LENGTH = struct.Struct(">i")
_END = b"\xff\xff"

_HEAD_TEXT = re.compile(rb'([0-9a-f]{64})","seq":([1-9][0-9]{0,17})')

_Raw = tuple[int, int, bytes, bytes, bytes, bytes, bytes, bytes]


def _rows(blocks: Iterable[memoryview]) -> Iterator[_Raw]:
    """Cut the binary COPY stream into rows, wherever the driver cut it into blocks."""
    rest = b""
    begun = ended = False
    for block in blocks:
        data = rest + block
        at, size = 0, len(data)
        if not begun:
            if size < 19:
                rest = data
                continue
            if not data.startswith(_HEADER):
                raise Failed("the server's binary COPY does not begin as documented")
            at = 19 + _LENGTH.unpack_from(data, 15)[0]
            begun = True
        # Most blocks are one row and no more.
        while at < size and (found := _row(data, at, size)) is not None:
            row, at = found
            yield row
        rest = data[at:]
        # The stream is read to its end, or the session could not be used again.
        ended = rest == _END
    if not ended:
        raise Failed("the server's binary COPY ended too early")


def _row(data: bytes, at: int, size: int) -> tuple[_Raw, int] | None:
    """Cut one row; None when it is not there in full."""
    begin = at + _FIXED_SIZE
    if begin > size:
        return None
    _, _, seq, _, micros, _, op_id, size_prev, prev, size_h, h, length = _FIXED.unpack_from(data, at)
    if size_prev != 32 or size_h != 32 or length < 0:
        raise Failed(
            f"row {seq} of the ledger has a form that audit.ledger_append does not write",
            why="A hash has not 32 bytes or a value is missing: the table's constraints were taken away.",
            next="wnadmin setup verify",
        )
    end = begin + length
    if end + 4 > size:
        return None
    phase = data[begin:end]
    begin = end + 4
    end = begin + _LENGTH.unpack_from(data, end)[0]
    if end + 4 > size:
        return None
    envelope = data[begin:end]
    begin = end + 4
    end = begin + _LENGTH.unpack_from(data, end)[0]
    if end > size:
        return None
    return (seq, micros, op_id, prev, h, phase, envelope, data[begin:end]), end


# What audit.ledger_append writes at the beginning of an envelope, and what the recorder writes in a payload. Inside a
# JSON text a quote is escaped, so these bytes are a key and the beginning of its value.
_TS = b'{"ts" : "'
_OP_ID = b'"op_id":"'
_OP_ID_SIZE = len(_OP_ID)
_PHASE = {one.encode(): b'"phase":"%b"' % one.encode() for one in get_args(Phase)}


class _Clock:
    """Compares the column ts with the time in the envelope, without parsing the same second twice."""

    def __init__(self) -> None:
        self._second = b""
        self._micros = 0

    def agrees(self, micros: int, envelope: bytes) -> bool:
        """Whether both say the same; False also means: look closer."""
        if not envelope.startswith(_TS) or envelope[28:29] != b"." or envelope[35:37] != b'Z"':
            return False
        second = envelope[9:28]
        try:
            if second != self._second:
                moment = datetime.fromisoformat(second.decode()).replace(tzinfo=UTC)
                self._micros = (moment - _EPOCH) // _MICROSECOND
                self._second = second
            return self._micros + int(envelope[29:35]) == micros
        except ValueError:
            return False


def _named(op_id: bytes, phase: bytes, payload: bytes) -> bool:
    """Whether the payload names operation and phase as the columns do; False also means: look closer."""
    begin = payload.find(_OP_ID) + _OP_ID_SIZE
    return (
        payload[begin : begin + 36].replace(b"-", b"") == hexlify(op_id)
        and payload.find(_OP_ID, begin) < 0
        and phase in _PHASE
        and _PHASE[phase] in payload
    )


def _closely(seq: int, micros: int, op_id: bytes, phase: bytes, envelope: bytes, payload: bytes) -> str:
    """Say which column contradicts the hashed texts, '' when none does."""
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return f"row {seq} was changed: ts is not the one in its envelope"
    name: Any = phase.decode()
    return uncovered(Entry(seq, moment, UUID(bytes=op_id), name, envelope.decode(), payload.decode(), ZERO, ZERO))
