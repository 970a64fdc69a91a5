"""The ledger as the server streams it: binary COPY cut into rows, and what is wrong with a row beside its hash."""

from __future__ import annotations

import struct
from binascii import hexlify
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from wnadmin.errors import Failed
from wnadmin.ledger.chain import ZERO, Entry, Phase, uncovered
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Composable, Literal

_SELECT = SQL(
    "SELECT l.seq, l.ts, l.op_id, l.prev, l.h, l.phase, l.envelope, l.payload FROM ONLY audit.operator_ledger AS l"
)
_ALL = SQL("COPY ({} ORDER BY l.seq) TO STDOUT (FORMAT binary)").format(_SELECT)
_RANGE = SQL("COPY ({} WHERE l.seq BETWEEN {} AND {} ORDER BY l.seq) TO STDOUT (FORMAT binary)")

Raw = tuple[int, int, bytes, bytes, bytes, bytes, bytes, bytes]
"""seq, ts in microseconds since 2000, op_id, prev, h, phase, envelope, payload."""


def select(first: int | None = None, through: int | None = None) -> Composable:
    """Give the statement that streams the rows ``first`` to ``through``, or all."""
    if first is None or through is None:
        return _ALL
    return _RANGE.format(_SELECT, Literal(first), Literal(through))


def rows(session: Session, first: int | None = None, through: int | None = None) -> Iterator[Raw]:
    """Stream rows in order; raises Blind without SELECT. Left in the middle, the session is closed."""
    return cut(session.copy_out(select(first, through)))


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """Give the time of a row; OverflowError where no date is that late."""
    return _EPOCH + timedelta(microseconds=micros)


_HEADER = b"PGCOPY\n\xff\r\n\x00"
# fields, seq, ts, op_id, prev, h, then the length of the phase; each value has its length before it.
_FIXED = struct.Struct(">hiqiqi16si32si32si")
_FIXED_SIZE = _FIXED.size
_LENGTH = struct.Struct(">i")
_END = b"\xff\xff"


def cut(blocks: Iterable[memoryview]) -> Iterator[Raw]:
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


def _row(data: bytes, at: int, size: int) -> tuple[Raw, int] | None:
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


class Clock:
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
                at = datetime.fromisoformat(second.decode()).replace(tzinfo=UTC)
                self._micros = (at - _EPOCH) // _MICROSECOND
                self._second = second
            return self._micros + int(envelope[29:35]) == micros
        except ValueError:
            return False


def named(op_id: bytes, phase: bytes, payload: bytes) -> bool:
    """Whether the payload names operation and phase as the columns do; False also means: look closer."""
    begin = payload.find(_OP_ID) + _OP_ID_SIZE
    return (
        payload[begin : begin + 36].replace(b"-", b"") == hexlify(op_id)
        and payload.find(_OP_ID, begin) < 0
        and phase in _PHASE
        and _PHASE[phase] in payload
    )


def closely(seq: int, micros: int, op_id: bytes, phase: bytes, envelope: bytes, payload: bytes) -> str:
    """Say which column contradicts the hashed texts, '' when none does."""
    try:
        at = moment(micros)
    except OverflowError:
        return f"row {seq} was changed: ts is not the one in its envelope"
    name: Any = phase.decode()
    return uncovered(Entry(seq, at, UUID(bytes=op_id), name, envelope.decode(), payload.decode(), ZERO, ZERO))
