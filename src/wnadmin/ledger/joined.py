"""Entries of another chain, joined to a ledger: rows of a spool, or of the ledger that a database was restored from.

They are appended as payloads, so that the server's own envelope says who joined them and when. What they were stands
in front of the payload: their chain, number, hashes and the envelope they had. From it each can be proven as it was.

``{"spooled_at":TIME,"spooled":{"at":CHAIN,"by":IMPORT,"h":HASH,"prev":HASH,"seq":N,"witness":ENVELOPE},PAYLOAD…``
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from wnadmin.ledger.chain import Entry, digest

PREFIX: Final = '{"spooled_at":"'
_HEAD: Final = re.compile(
    r'\{"spooled_at":"(?P<at>[^"\\]*)","spooled":\{"at":"(?P<chain>[^"\\]*)","by":"(?P<by>[^"\\]*)",'
    r'"h":"(?P<h>[0-9a-f]{64})","prev":"(?P<prev>[0-9a-f]{64})","seq":(?P<seq>[1-9][0-9]{0,17}),'
    r'"witness":(?P<witness>"[^"\\]*(?:\\.[^"\\]*)*")\}',
    re.DOTALL,
)
_TEXT: Final = ',"spooled_text":'


@dataclass(frozen=True, slots=True)
class Joined:
    """What a joined entry was in its own chain; ``by`` is the import that joined it."""

    chain: str
    by: str
    seq: int
    prev: bytes
    h: bytes
    at: str
    envelope: str
    payload: str

    @property
    def holds(self) -> bool:
        """Whether its texts still give the hash it had."""
        return digest(self.seq, self.prev, self.envelope.encode(), self.payload.encode()) == self.h


def wrap(one: Joined) -> str:
    """Give the payload that ``one`` has in the ledger it is joined to; :func:`unwrap` gives it back exactly."""
    head = (
        f'{PREFIX}{one.at}","spooled":{{"at":"{one.chain}","by":"{one.by}","h":"{one.h.hex()}",'
        f'"prev":"{one.prev.hex()}","seq":{one.seq},"witness":{json.dumps(one.envelope, ensure_ascii=False)}}}'
    )
    if _is_object(one.payload):
        return f"{head},{one.payload[1:]}"
    return f"{head}{_TEXT}{json.dumps(one.payload, ensure_ascii=False)}}}"


def _is_object(payload: str) -> bool:
    if not payload.startswith('{"') or payload.startswith('{"spooled_'):
        return False
    try:
        return isinstance(json.loads(payload), dict)
    except ValueError:
        return False


def unwrap(payload: str) -> Joined | None:
    """Give what :func:`wrap` was given; None for a payload of the ledger's own."""
    if not payload.startswith(PREFIX) or (head := _HEAD.match(payload)) is None:
        return None
    rest = payload[head.end() :]
    try:
        text = json.loads(rest[len(_TEXT) : -1]) if rest.startswith(_TEXT) else "{" + rest[1:]
        envelope = json.loads(head["witness"], strict=False)
    except ValueError:
        return None
    if not isinstance(text, str):
        return None
    return Joined(
        head["chain"],
        head["by"],
        int(head["seq"]),
        bytes.fromhex(head["prev"]),
        bytes.fromhex(head["h"]),
        head["at"],
        envelope,
        text,
    )


def original(entry: Entry) -> Entry:
    """Give an entry as it was before it was joined, under the number it has now; others are given back."""
    while (one := unwrap(entry.payload)) is not None:
        try:
            moment = datetime.fromisoformat(one.at)
        except ValueError:
            return entry
        if moment.tzinfo is None:
            return entry
        entry = replace(entry, ts=moment, envelope=one.envelope, payload=one.payload, joined=one.chain)
    return entry
