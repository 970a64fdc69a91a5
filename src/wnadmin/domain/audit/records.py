"""Rows that say something about the ledger itself, signed: a seal of its beginning, and a restore from a backup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wnadmin.ledger import keys
from wnadmin.ledger.walk import Noted
from wnadmin.results import Json

SEAL: Final = "seal"
RESTORED: Final = "restored_from"


@dataclass(frozen=True, slots=True)
class Head:
    """Row ``seq`` with its hash."""

    seq: int
    h: bytes

    def facts(self) -> dict[str, Json]:
        """Give its form in a payload."""
        return {"seq": self.seq, "h": self.h.hex()}


@dataclass(frozen=True, slots=True)
class Seal:
    """Rows ``first`` to ``through`` are in the file ``name`` of that hash, and may go; ``row`` says so."""

    row: int
    origin: str
    first: int
    through: int
    h: bytes
    name: str
    sha256: str
    verdict: keys.Verdict


@dataclass(frozen=True, slots=True)
class Restored:
    """The database was restored: its ledger went on after ``after``, in row ``row``, as the ledger ``into``.

    ``chain`` is the ledger it was restored from, '' where that is not known. ``known`` is the furthest row of that one
    that a checkpoint proved then; ``joins`` says up to which row each chain was joined, and by which import.
    """

    row: int
    chain: str
    into: str
    database: str
    after: Head
    known: Head | None
    joins: tuple[tuple[str, str, Head], ...]
    token: str
    verdict: keys.Verdict

    @property
    def joined(self) -> int:
        """The furthest row of the former ledger that is here, in it or joined."""
        return max([self.after.seq, *(head.seq for chain, _, head in self.joins if chain == self.chain)])

    @property
    def lost(self) -> int:
        """How many rows are known to have been and are not here."""
        return max(0, self.known.seq - self.joined) if self.known else 0


def signed(kind: str, facts: Mapping[str, Json], state: Path | None) -> dict[str, Json]:
    """Give ``facts`` and their signature as they stand in a payload; raises Refused when they cannot be signed."""
    return {kind: facts, "signature": keys.sign(kind, facts, state)}


def seal(noted: Noted, state: Path | None) -> Seal | None:
    """Read a seal; None when the row is none."""
    facts, verdict = _facts(noted, SEAL, state)
    try:
        return Seal(
            noted.row,
            str(facts["origin"]),
            int(facts["from"]),
            int(facts["through"]),
            bytes.fromhex(facts["h"]),
            str(facts["name"]),
            str(facts["sha256"]),
            verdict,
        )
    except (KeyError, TypeError, ValueError):
        return None


def restored(noted: Noted, state: Path | None) -> Restored | None:
    """Read what a restore says; None where it says nothing about the ledger."""
    facts, verdict = _facts(noted, RESTORED, state)
    try:
        ledger = facts["ledger"]
        return Restored(
            noted.row,
            str(ledger["chain"]),
            str(ledger["into"]),
            str(facts["database"]),
            _head(ledger["after"]),
            _head(ledger["known"]) if ledger["known"] else None,
            tuple((str(one["chain"]), str(one["token"]), _head(one)) for one in ledger["joins"]),
            str(ledger["token"]),
            verdict,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _head(facts: Mapping[str, Any]) -> Head:
    return Head(int(facts["seq"]), bytes.fromhex(facts["h"]))


def _facts(noted: Noted, kind: str, state: Path | None) -> tuple[Mapping[str, Any], keys.Verdict]:
    try:
        payload = json.loads(noted.payload)
    except ValueError:
        return {}, keys.Verdict("missing")
    facts = payload.get(kind) if isinstance(payload, dict) else None
    if not isinstance(facts, dict):
        return {}, keys.Verdict("missing")
    return facts, keys.judge(kind, facts, payload.get("signature"), state)
