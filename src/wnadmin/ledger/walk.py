"""One pass over the whole ledger: its chain, and all that the proofs of its beginning, its end and its past need."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from wnadmin.ledger import stream
from wnadmin.ledger.chain import ZERO, Links
from wnadmin.ledger.joined import PREFIX, Joined, unwrap
from wnadmin.postgres.session import Session

_HEAD_TEXT = re.compile(rb'([0-9a-f]{64})","seq":([1-9][0-9]{0,17})')
_JOINED = PREFIX.encode()
_SEAL = b'"seal":{'
_RESTORED = b'"restored_from":{'
_LIMIT = 20


@dataclass(frozen=True, slots=True)
class SpoolHead:
    """The end of a spool as row ``row`` of the ledger remembers it: its entry ``seq`` had the hash ``h``."""

    seq: int
    h: bytes
    row: int


@dataclass(frozen=True, slots=True)
class Noted:
    """A row that says something about the ledger itself; ``payload`` is its text."""

    row: int
    payload: str


@dataclass(slots=True)
class Span:
    """The rows that one import joined of one chain: here ``row`` to ``last_row``, there ``seq`` to ``last``.

    ``prev`` is the hash that went before the first of them, ``h`` that of the last.
    """

    row: int
    seq: int
    prev: bytes
    count: int = 0
    last_row: int = 0
    last: int = 0
    h: bytes = ZERO
    gapless: bool = True
    broken: list[str] = field(default_factory=list)

    def follow(self, row: int, one: Joined) -> None:
        """Take the next row of it."""
        if self.count and (one.seq != self.last + 1 or one.prev != self.h):
            self.gapless = False
        if not one.holds and len(self.broken) < _LIMIT:
            self.broken.append(f"row {row} is not what it was in its own chain: its texts do not give the hash it had")
        self.count += 1
        self.last_row, self.last, self.h = row, one.seq, one.h


class Walk:
    """Follows the chain and remembers the hash of each row that somebody asked for.

    ``spool`` is the place of a spool whose heads are gathered as well. ``origin`` names the ledger itself: of the rows
    that were joined from an earlier life of it the wanted hashes are kept too.
    """

    def __init__(self, wanted: Collection[int] = (), spool: str = "", origin: str = "") -> None:
        self.links = Links()
        self.begin: tuple[int, bytes] = (0, ZERO)
        """Number and hash that the first row says went before it."""
        self.hashes: dict[int, bytes] = {}
        self.former: dict[int, set[bytes]] = {}
        self.seals: list[Noted] = []
        self.restored: list[Noted] = []
        self.spans: dict[tuple[str, str], Span] = {}
        self._origin = origin
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
            self._follow(stream.rows(session))
        return self

    def _follow(self, rows: Iterable[stream.Raw]) -> None:
        follow, wanted, clock = self.links.follow, self._wanted, stream.Clock()
        mark, marked, named = self._mark, self._marked, stream.named
        for seq, micros, op_id, prev, h, phase, envelope, payload in rows:
            if seq > 1 and not self.links.count:
                self.begin = seq - 1, prev
                self.links.begin(seq - 1, prev)
            follow(seq, envelope, payload, prev, h)
            if seq in wanted:
                self.hashes[seq] = h
            if (at := payload.find(mark)) >= 0:
                # Few heads, many rows: the same text again says nothing new.
                marked.setdefault(payload[at + len(mark) : payload.find(b"}", at)], seq)
            if payload.startswith(_JOINED):
                self._join(seq, payload)
            elif phase in (b"checkpoint", b"outcome"):
                self._note(seq, phase, payload)
            if clock.agrees(micros, envelope) and named(op_id, phase, payload):
                continue
            if wrong := stream.closely(seq, micros, op_id, phase, envelope, payload):
                self.links.report(seq, "column", wrong)

    def _join(self, row: int, payload: bytes) -> None:
        one = unwrap(payload.decode())
        if one is None:
            return
        key = (one.chain, one.by)
        if key not in self.spans:
            self.spans[key] = Span(row, one.seq, one.prev)
        self.spans[key].follow(row, one)
        if one.chain == self._origin and one.seq in self._wanted:
            self.former.setdefault(one.seq, set()).add(one.h)

    def _note(self, row: int, phase: bytes, payload: bytes) -> None:
        if phase == b"checkpoint" and _SEAL in payload:
            self.seals.append(Noted(row, payload.decode()))
        elif _RESTORED in payload:
            self.restored.append(Noted(row, payload.decode()))
