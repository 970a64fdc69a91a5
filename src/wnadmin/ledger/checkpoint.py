"""Checkpoints: the head of a ledger, kept outside its database.

A chain cannot see that its end was cut off or that all of it was made anew; a head that was written elsewhere can.
The form is the body of a C2SP checkpoint: ``origin``, number and base64 hash a line each, then an empty line. One
append-only file a ledger; the file is the authority, the table in the database its mirror.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path

from wnadmin import settings
from wnadmin.errors import Failed, Refused
from wnadmin.ledger import private


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Row ``seq`` had the hash ``h`` when it was the head."""

    origin: str
    seq: int
    h: bytes

    def body(self) -> bytes:
        """Give the text that stands in the file."""
        return f"{self.origin}\n{self.seq}\n{base64.b64encode(self.h).decode()}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a checkpoint file holds; ``damaged`` counts the pieces that are no checkpoint of its origin."""

    path: Path
    checkpoints: tuple[Checkpoint, ...]
    damaged: int = 0
    guard: str = ""


def file_of(origin: str, state: Path | None = None) -> Path:
    """Name the file of ``origin`` in the state folder."""
    return (state or settings.state_dir()) / "checkpoints" / (origin.replace("/", "-") + ".txt")


def sink_name() -> str:
    """Name this user's checkpoint file in the mirror."""
    return f"file:{private.os_user()}@{private.host()}"


def write(one: Checkpoint, state: Path | None = None) -> Path:
    """Append a checkpoint and write it to the disk; raises Refused when that fails, the file is then as before."""
    path = file_of(one.origin, state)
    try:
        private.folder(path.parent.parent)
        with private.locked(path) as descriptor:
            size = os.fstat(descriptor).st_size
            end = os.pread(descriptor, 2, max(0, size - 2))
            # A write that a crash cut short must not swallow the next one.
            private.append(descriptor, (b"" if end in (b"", b"\n\n") else b"\n\n") + one.body())
    except OSError as error:
        raise Refused(
            f"cannot write the checkpoint {path}",
            why=f"{error.strerror or error}.",
            next="Free space or make the folder writable, or name another with WNADMIN_STATE.",
        ) from None
    return path


def read(origin: str, path: Path) -> Anchor | None:
    """Read a checkpoint file; None when there is none. Raises Failed when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with open(descriptor, "rb", closefd=False) as file:
                data, guard = file.read(), private.fault(os.fstat(descriptor))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"cannot read the checkpoints {path}", why=f"{error.strerror or error}.") from None
    found: list[Checkpoint] = []
    damaged = 0
    for piece in data.split(b"\n\n"):
        one = _parse(piece.strip(b"\n"))
        if one is not None and one.origin == origin:
            found.append(one)
        elif piece.strip(b"\n"):
            damaged += 1
    return Anchor(path, tuple(found), damaged, guard)


def _parse(piece: bytes) -> Checkpoint | None:
    lines = piece.split(b"\n")
    if len(lines) != 3:
        return None
    try:
        seq, h = int(lines[1]), base64.b64decode(lines[2], validate=True)
        return Checkpoint(lines[0].decode(), seq, h) if seq > 0 and len(h) == 32 else None
    except (ValueError, binascii.Error):
        return None
