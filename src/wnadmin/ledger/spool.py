"""The spool: a ledger of one user in a file, for when the database cannot take an entry.

One JSON object a line, chained like the table from 32 zero bytes of its own. A crash may leave a line cut short:
the next append begins on a fresh line and records where the torn bytes stand, and verification names them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from wnadmin import settings
from wnadmin.errors import Failed, Refused
from wnadmin.ledger import canonical, private
from wnadmin.ledger.chain import ZERO, Entry, Links, Phase, digest, uncovered
from wnadmin.results import Json

NAME = "ledger-spool.jsonl"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of the spool that are no entry.

    ``torn`` is the end of a write that a crash cut short; anything else was put there afterwards.
    """

    offset: int
    length: int
    torn: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """The whole spool: its entries, its chain, what is no entry, and what is wrong with the file itself."""

    entries: tuple[Entry, ...]
    links: Links
    damage: tuple[Damage, ...]
    guard: str = ""


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where the next entry goes: after ``seq`` with hash ``h``; ``stray`` are the bytes behind that entry."""

    seq: int
    h: bytes
    offset: int
    stray: bytes
    fresh_line: bool


class Spool:
    """The spool of one state folder (default: this user's)."""

    def __init__(self, state: Path | None = None) -> None:
        self.path = (state or settings.state_dir()) / NAME

    def append(self, op_id: UUID, phase: Phase, payload: str, circumstances: Mapping[str, Json]) -> Entry:
        """Add one entry and write it to the disk; the cost does not grow with the file.

        ``circumstances`` go into the envelope beside time, user, host and process. Raises Refused ("cannot
        record …") when the file cannot be used or the disk is full; the file is then as it was before.
        """
        try:
            with private.locked(self.path) as descriptor:
                tail = _tail(descriptor, os.fstat(descriptor).st_size)
                entry = _make(tail, op_id, phase, payload, circumstances)
                private.append(descriptor, (b"\n" if tail.fresh_line else b"") + _line(entry))
                return entry
        except OSError as error:
            raise Refused(
                f"cannot record the {phase} in the spool {self.path}",
                why=f"{error.strerror or error}.",
                next="Free space or make the folder writable, or name another folder with WNADMIN_STATE.",
            ) from None
        except Refused as error:
            raise Refused(
                f"cannot record the {phase} in the spool: {error.what}", why=error.why, next=error.next
            ) from None

    @property
    def place(self) -> str:
        """Tell this spool apart from those of other machines, users and folders: 16 hexadecimal digits.

        Nothing in the folder decides it, so that a folder begun anew is still held to what the old one had.
        """
        folder = os.path.realpath(self.path.parent)
        parts = (private.host(), private.os_user(), folder)
        return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]

    def head(self) -> tuple[int, bytes] | None:
        """Give number and hash of the last entry; None when there is none or it cannot be read now."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            _share(descriptor)
            tail = _tail(descriptor, os.fstat(descriptor).st_size)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return (tail.seq, tail.h) if tail.seq else None

    def entries(self) -> tuple[Entry, ...]:
        """Give all entries, oldest first; bytes that are no entry are left to :meth:`inspect`."""
        return self.inspect().entries

    def inspect(self) -> Inspection:
        """Read the whole file and check its chain; a missing file is an empty spool. Raises Failed."""
        try:
            data, guard = self._read()
        except FileNotFoundError:
            return Inspection((), Links(), ())
        except OSError as error:
            raise Failed(
                f"cannot read the spool {self.path}",
                why=f"{error.strerror or error}.",
                next="Look at the file's owner and mode.",
            ) from None
        return inspect(data, guard)

    def _read(self) -> tuple[bytes, str]:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _share(descriptor)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(), private.fault(os.fstat(descriptor))
        finally:
            os.close(descriptor)


def _share(descriptor: int) -> None:
    # A writer is at work for a millisecond; its half-written line must not look torn.
    until = time.monotonic() + private.LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError("another process has held its lock for too long") from None
            time.sleep(0.001)


def _make(tail: _Tail, op_id: UUID, phase: Phase, payload: str, circumstances: Mapping[str, Json]) -> Entry:
    now = datetime.now(UTC)
    facts: dict[str, Any] = {
        **circumstances,
        "ts": now,
        "os_user": private.os_user(),
        "host": private.host(),
        "pid": os.getpid(),
        "pid_start": private.process_start(os.getpid()),
    }
    if tail.stray:
        facts["stray"] = _stray(tail.offset, tail.stray)
    envelope = canonical.dumps(facts)
    seq = tail.seq + 1
    h = digest(seq, tail.h, envelope.encode(), payload.encode())
    return Entry(seq, now, op_id, phase, envelope, payload, tail.h, h, "spool")


def _stray(offset: int, data: bytes) -> dict[str, Any]:
    return {"offset": offset, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _line(entry: Entry) -> bytes:
    return (
        canonical.dumps(
            {
                "seq": entry.seq,
                "ts": entry.ts,
                "op_id": entry.op_id,
                "phase": entry.phase,
                "envelope": entry.envelope,
                "payload": entry.payload,
                "prev": entry.prev.hex(),
                "h": entry.h.hex(),
            }
        ).encode()
        + b"\n"
    )


def _parse(line: bytes) -> Entry | None:
    try:
        value = json.loads(line)
        entry = Entry(
            int(value["seq"]),
            datetime.fromisoformat(value["ts"]),
            UUID(value["op_id"]),
            value["phase"],
            value["envelope"],
            value["payload"],
            bytes.fromhex(value["prev"]),
            bytes.fromhex(value["h"]),
            "spool",
        )
        entry.envelope.encode()
        entry.payload.encode()
        entry.phase.encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return entry if entry.ts.tzinfo is not None and len(entry.prev) == len(entry.h) == 32 else None


def _whole(entry: Entry) -> bool:
    return digest(entry.seq, entry.prev, entry.envelope.encode(), entry.payload.encode()) == entry.h


def _tail(descriptor: int, size: int) -> _Tail:
    """Find the last whole entry by reading backwards from the end."""
    chunk = _CHUNK
    while size:
        start = max(0, size - chunk)
        data = os.pread(descriptor, size - start, start)
        # The first line of the piece may have begun before it.
        first = 0 if start == 0 else data.find(b"\n") + 1
        end = len(data)
        while (start == 0 or first) and end > first:
            line_end = end - 1 if data[end - 1 : end] == b"\n" else end
            begin = max(first, data.rfind(b"\n", first, line_end) + 1)
            entry = _parse(data[begin:line_end])
            if entry is not None and _whole(entry):
                stray = data[end:]
                return _Tail(entry.seq, entry.h, start + end, stray, bool(stray) or line_end == end)
            end = begin
        if start == 0:
            return _Tail(0, ZERO, 0, data, True)
        chunk *= 4
    return _Tail(0, ZERO, 0, b"", False)


def inspect(data: bytes, guard: str = "") -> Inspection:
    """Check the bytes of a spool; ``guard`` is what is wrong with the file itself, if anything."""
    entries: list[Entry] = []
    damage: list[Damage] = []
    links = Links()
    good_end = at = 0
    while at < len(data):
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline + 1
        entry = _parse(data[at : end if newline < 0 else newline])
        if entry is not None:
            if at - 1 > good_end:
                damage.append(_judge(good_end, data[good_end : at - 1], entry))
            entries.append(replace(entry, sink="spool"))
            links.follow(entry.seq, entry.envelope.encode(), entry.payload.encode(), entry.prev, entry.h)
            if wrong := uncovered(entry):
                links.report(entry.seq, "column", wrong)
            good_end = end
        at = end
    if good_end < len(data):
        damage.append(_judge(good_end, data[good_end:], None))
    return Inspection(tuple(entries), links, tuple(damage), guard)


def _judge(offset: int, stray: bytes, following: Entry | None) -> Damage:
    where = f"{len(stray)} bytes at offset {offset} are no entry"
    torn = not stray.endswith(b"\n")
    if following is None:
        return Damage(
            offset,
            len(stray),
            torn,
            f"{where}: "
            + (
                "a write was cut short there, and nothing was recorded since"
                if torn
                else "the last line was changed after it was written"
            ),
        )
    known = following.circumstances().get("stray") == _stray(offset, stray)
    if known and torn:
        return Damage(offset, len(stray), True, f"{where}: a write was cut short there, as row {following.seq} records")
    if known:
        return Damage(offset, len(stray), False, f"{where}: a line was changed before row {following.seq} was recorded")
    return Damage(offset, len(stray), False, f"{where}, and row {following.seq} does not account for them")
