"""An export: a piece of a ledger as a file that anybody can read, prove and keep.

JSON lines: a head that says whose rows follow, the rows as they stand in the table, an end that counts them, hashes
every byte before it and is signed. A file without its end was cut short.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.ledger import keys
from wnadmin.ledger.chain import Phase, digest

SCHEMA: Final = "wnadmin/ledger-export/1"
SUFFIX: Final = ".jsonl"
_LONGEST: Final = 64 << 20
"""Bytes of the longest line that is read; a file without line ends must not fill the memory."""
_EVERY: Final = 1000

Kind: TypeAlias = Literal["export", "sealed"]
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
_ORIGIN: Final = re.compile(r"wnadmin-ledger/\d{1,20}/\d{1,10}")
_PHASES: Final = frozenset(get_args(Phase))


class Row(NamedTuple):
    """A row as it stands in a file; ``ts`` is RFC 3339 in UTC."""

    seq: int
    ts: str
    op_id: str
    phase: str
    envelope: str
    payload: str
    prev: bytes
    h: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Whose rows: ``origin`` names the ledger, ``prev`` is the hash of the row before ``first``."""

    kind: Kind
    origin: str
    database: str
    first: int
    through: int
    prev: bytes

    @property
    def name(self) -> str:
        """Name the file."""
        sealed = "-sealed" if self.kind == "sealed" else ""
        return f"{self.origin.replace('/', '-')}-{self.first:09d}-{self.through:09d}{sealed}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Export:
    """A file that has its end: ``h`` is the hash of its last row, ``sha256`` that of all before the end."""

    path: Path
    head: Head
    h: bytes
    sha256: str
    verdict: keys.Verdict

    @property
    def rows(self) -> int:
        """How many rows it says it has."""
        return self.head.through - self.head.first + 1


def facts_of(head: Head) -> dict[str, Any]:
    """Give what head and end of a file both say."""
    return {
        "schema": SCHEMA,
        "kind": head.kind,
        "origin": head.origin,
        "database": head.database,
        "from": head.first,
        "through": head.through,
        "prev": head.prev.hex(),
    }


def look(path: Path, state: Path | None = None) -> Export | None:
    """Read head and end of a file; None when it is none of ours. Raises Refused for one that was cut short or edited.

    Only the rows' own reading, by :func:`rows`, proves what stands between.
    """
    try:
        with path.open("rb") as file:
            head = _object(file.readline(_LONGEST))
            if head.get("schema") != SCHEMA:
                return None
            end, trailing = _last(file)
    except OSError as error:
        raise UsageError(f"cannot read {path}", why=f"{error.strerror or error}.", next="Name another file.") from None
    if trailing or end.get("end") is not True:
        raise edited(path, "its end is missing: it was cut short", 0)
    try:
        found = Head(
            head["kind"],
            head["origin"],
            head["database"],
            head["from"],
            head["through"],
            bytes.fromhex(head["prev"]),
        )
        if not _ORIGIN.fullmatch(found.origin) or not 0 < found.first <= found.through or len(found.prev) != 32:
            raise edited(path, "its head names no rows of a ledger", 1)
        facts = {**facts_of(found), "h": end["h"], "sha256": end["sha256"]}
        if {key: end[key] for key in facts} != facts:
            raise edited(path, "its end speaks of other rows than its head", 1)
        verdict = keys.judge("export", facts, end.get("signature"), state)
        if verdict.trust == "bad":
            raise edited(path, "its end is not what was signed", 0)
        return Export(path, found, bytes.fromhex(end["h"]), str(end["sha256"]), verdict)
    except (KeyError, TypeError, ValueError):
        raise edited(path, "its head or its end is no longer readable", 1) from None


def _last(file: Any) -> tuple[dict[str, Any], bool]:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65536))
    data = file.read()
    if not data.endswith(b"\n"):
        return {}, True
    return _object(data[:-1].rpartition(b"\n")[2]), False


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def edited(path: Path, what: str, line: int) -> Refused:
    """The error for a file that is not as it was written; ``line`` 0 is its end."""
    return Refused(
        f"{path} does not hold at {f'line {line}' if line else 'its end'}: {what}",
        why="It is not the file that was written.",
        next="Get another copy of it. Nothing was taken from this one.",
    )


def rows(one: Export) -> Iterator[Row]:
    """Read the rows and prove each; at the end, that the file is the one that was written.

    Raises Refused naming line and row where something does not hold. Rows were given by then that do hold: whoever
    acts on them reads the file to its end first.
    """
    head, whole = one.head, hashlib.sha256()
    seq, last = head.first - 1, head.prev
    try:
        with one.path.open("rb", buffering=1 << 20) as file:
            whole.update(file.readline(_LONGEST))
            for number in range(2, one.rows + 2):
                line = file.readline(_LONGEST)
                seq += 1
                row = _row(line)
                if row is None or row.seq != seq:
                    what = f"row {seq} is not there" if row is None else f"row {row.seq} stands where row {seq} should"
                    raise edited(one.path, what, number)
                if row.prev != last:
                    raise edited(one.path, f"row {seq} does not follow from the row before it", number)
                if wrong := fault(row):
                    raise edited(one.path, f"row {seq} {wrong}", number)
                whole.update(line)
                last = row.h
                yield row
            rest = file.readline(_LONGEST)
            more = file.read(1)
    except OSError as error:
        raise Failed(f"cannot read {one.path}", why=f"{error.strerror or error}.") from None
    if more or _object(rest).get("end") is not True:
        raise edited(one.path, f"something stands after row {seq}", one.rows + 2)
    if last != one.h or whole.hexdigest() != one.sha256:
        raise edited(one.path, "its rows or its head are not those of its end", 0)


def _row(line: bytes) -> Row | None:
    try:
        value = json.loads(line)
        row = Row(
            value["seq"],
            value["ts"],
            value["op_id"],
            value["phase"],
            value["envelope"],
            value["payload"],
            bytes.fromhex(value["prev"]),
            bytes.fromhex(value["h"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    words = (row.ts, row.op_id, row.phase, row.envelope, row.payload)
    sound = type(row.seq) is int and all(type(one) is str for one in words) and len(row.prev) == len(row.h) == 32
    return row if sound else None


def fault(row: Row) -> str:
    """Say what is wrong with a row by itself, '' when nothing is: its hash, or a column that it does not cover."""
    try:
        envelope, payload = row.envelope.encode(), row.payload.encode()
    except UnicodeEncodeError:
        return "holds what no database can hold"
    if "\0" in row.payload or not _UUID.fullmatch(row.op_id) or not _TIME.fullmatch(row.ts):
        return "holds what no database can hold"
    if digest(row.seq, row.prev, envelope, payload) != row.h:
        return "was changed: its envelope and payload do not give its hash"
    if row.phase not in _PHASES:
        return f"has the phase {row.phase!r}, which no ledger has"
    # The common case by the bytes alone; whatever differs is parsed.
    ts = row.ts if "." in row.ts else f"{row.ts[:-1]}.000000Z"
    if (
        row.envelope.startswith(f'{{"ts" : "{ts}"')
        and row.payload.count('"op_id":') == 1
        and f'"op_id":"{row.op_id}"' in row.payload
        and f'"phase":"{row.phase}"' in row.payload
    ):
        return ""
    return _columns(row)


def _columns(row: Row) -> str:
    facts, envelope = _object(row.payload.encode()), _object(row.envelope.encode())
    if facts.get("op_id", row.op_id) != row.op_id:
        return "was changed: op_id is not the one in its payload"
    if facts.get("phase", row.phase) != row.phase:
        return "was changed: phase is not the one in its payload"
    try:
        same = datetime.fromisoformat(envelope["ts"]) == datetime.fromisoformat(row.ts)
    except (KeyError, TypeError, ValueError):
        same = False
    return "" if same else "was changed: ts is not the one in its envelope"
