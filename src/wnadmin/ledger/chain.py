"""The hash chain: each entry's hash covers its number, the hash before it and its two texts.

``h = sha256('wnadmin-ledger-v1' NUL int8(seq) prev int8(length of envelope) envelope payload)``, numbers big-endian,
texts UTF-8; the first ``prev`` is 32 zero bytes. audit.ledger_append computes the same in the server.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

Phase: TypeAlias = Literal["intent", "done", "outcome", "read", "declined", "dry_run", "refused", "checkpoint"]
Sink: TypeAlias = Literal["database", "spool"]

PREFIX = b"wnadmin-ledger-v1\x00"
ZERO = bytes(32)
"""The ``prev`` of the first entry."""

# Looked up once: a long ledger calls them a million times.
_pack = struct.Struct(">18sq32sq").pack
_sha256 = hashlib.sha256


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored; ``envelope`` and ``payload`` verbatim, ``prev`` and ``h`` 32 bytes each.

    ``joined`` names the chain that an entry comes from which is shown as it was there, '' for the ledger's own.
    """

    seq: int
    ts: datetime
    op_id: UUID
    phase: Phase
    envelope: str
    payload: str
    prev: bytes
    h: bytes
    sink: Sink = "database"
    joined: str = ""

    def facts(self) -> dict[str, Any]:
        """Parse the payload; a payload that is no JSON object gives {}."""
        return _object(self.payload)

    def circumstances(self) -> dict[str, Any]:
        """Parse the envelope (who, from where, when); one that is no JSON object gives {}."""
        return _object(self.envelope)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def digest(seq: int, prev: bytes, envelope: bytes, payload: bytes) -> bytes:
    """Hash one entry from its parts; ``prev`` has 32 bytes."""
    return _sha256(_pack(PREFIX, seq, prev, len(envelope)) + envelope + payload).digest()


Fault: TypeAlias = Literal["link", "gap", "column"]


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold: the entry's number, the kind of fault and what was seen."""

    seq: int
    fault: Fault
    detail: str


class Links:
    """Follows a chain entry by entry; remembers the last number and hash, and every break up to a limit."""

    def __init__(self, limit: int = 20) -> None:
        self.seq = 0
        self.h = ZERO
        self.count = 0
        self.breaks: list[Break] = []
        self.more = 0
        """How many breaks were found beyond the limit."""
        self._limit = limit
        self._named = 0

    def begin(self, seq: int, h: bytes) -> None:
        """Begin after row ``seq`` with its hash ``h``, where the rows up to it are known to be elsewhere."""
        self.seq, self.h = seq, h

    def headless(self, seq: int) -> None:
        """Note that the rows 1 to ``seq``, after which the chain was begun, are accounted for by nothing."""
        missing = f"rows 1 to {seq} are missing" if seq > 1 else "row 1 is missing"
        self.breaks.insert(0, Break(1, "gap", f"{missing}: row {seq + 1} follows row 0"))

    def report(self, seq: int, fault: Fault, detail: str) -> None:
        """Note one break; a row is named once, unless rows before it are missing as well."""
        if fault != "gap" and self._named == seq:
            return
        if fault != "gap":
            self._named = seq
        if len(self.breaks) < self._limit:
            self.breaks.append(Break(seq, fault, detail))
        else:
            self.more += 1

    def follow(self, seq: int, envelope: bytes, payload: bytes, prev: bytes, h: bytes) -> None:
        """Take the next entry and compare it with the one before."""
        if seq != self.seq + 1:
            self._missing(seq)
        elif prev != self.h:
            self.report(
                seq,
                "link",
                f"row {seq} does not follow from row {self.seq}: one of the two was replaced"
                if self.seq
                else "row 1 does not begin a chain: rows before it were removed",
            )
        if _sha256(_pack(PREFIX, seq, prev, len(envelope)) + envelope + payload).digest() != h:
            self.report(seq, "link", f"row {seq} was changed: its envelope and payload do not give its hash")
        self.seq, self.h = seq, h
        self.count += 1

    def _missing(self, seq: int) -> None:
        first, last = self.seq + 1, seq - 1
        if seq <= self.seq:
            self.report(seq, "gap", f"row {seq} stands after row {self.seq}")
        elif first == last:
            self.report(first, "gap", f"row {first} is missing: row {seq} follows row {self.seq}")
        else:
            self.report(first, "gap", f"rows {first} to {last} are missing: row {seq} follows row {self.seq}")


def check(entries: Iterable[Entry]) -> Links:
    """Check a whole chain from its first entry, given in order."""
    links = Links()
    for one in entries:
        links.follow(one.seq, one.envelope.encode(), one.payload.encode(), one.prev, one.h)
    return links


def uncovered(entry: Entry) -> str:
    """Say which of the columns beside the hashed texts contradicts them, '' when none does.

    Time stands in the envelope, operation and phase in the payload; the hash covers only those.
    """
    facts, envelope = entry.facts(), entry.circumstances()
    if facts.get("op_id", str(entry.op_id)) != str(entry.op_id):
        return f"row {entry.seq} was changed: op_id is not the one in its payload"
    if facts.get("phase", entry.phase) != entry.phase:
        return f"row {entry.seq} was changed: phase is not the one in its payload"
    try:
        same = datetime.fromisoformat(envelope["ts"]) == entry.ts
    except (KeyError, TypeError, ValueError):
        same = False
    return "" if same else f"row {entry.seq} was changed: ts is not the one in its envelope"
