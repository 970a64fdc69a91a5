"""Files of this user's state folder: made 0600 in a 0700 folder, locked, never followed through a link."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from wnadmin.errors import Refused

LOCK_SECONDS = 10.0
"""How long an append waits for another process of this user."""


def folder(path: Path) -> Path:
    """Make the folder ``path`` with mode 0700 if it is missing; raises OSError or Refused.

    A folder that others may write in is refused: they could put another file in place of ours.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = path.stat()
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            f"others may write in the folder {path}",
            why=f"Its mode is {stat.S_IMODE(facts.st_mode):04o}; the ledger's files must be yours alone.",
            next=f"chmod go-w {path}",
        )
    return path


def fault(facts: os.stat_result) -> str:
    """Say what is wrong with the owner or mode of a private file, '' when nothing is."""
    if not stat.S_ISREG(facts.st_mode):
        return "it is not a regular file"
    if facts.st_uid != os.geteuid():
        return f"it belongs to user {facts.st_uid}"
    if facts.st_mode & 0o077:
        return f"its mode is {stat.S_IMODE(facts.st_mode):04o} instead of 0600"
    return ""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Open ``path`` for reading and appending under an exclusive lock, making it if it is missing.

    Gives the descriptor. Raises OSError (the folder or file cannot be used, or TimeoutError) or Refused.
    """
    folder(path.parent)
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o600)
        sync_folder(path.parent)
    try:
        if wrong := fault(os.fstat(descriptor)):
            raise Refused(
                f"{path} cannot be trusted",
                why=f"For a file of the ledger, {wrong}.",
                next=f"Find out who changed it, then: chmod 600 {path}",
            )
        _lock(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError("another process has held its lock for too long") from None
            time.sleep(0.001)


def append(descriptor: int, data: bytes) -> None:
    """Write ``data`` at the end and to the disk, or leave the file as it was and raise OSError."""
    before = os.fstat(descriptor).st_size
    try:
        rest = memoryview(data)
        while rest:
            # A full disk first writes a part; the error comes with the next call.
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, before)
            os.fsync(descriptor)
        raise


def create(path: Path, data: bytes) -> None:
    """Make ``path`` with ``data`` at once and whole, unless it exists already; raises OSError or Refused."""
    folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            append(descriptor, data)
        finally:
            os.close(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a new name in ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def os_user() -> str:
    """Name the operating-system user of this process, by number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


@cache
def host() -> str:
    """Name this machine."""
    return socket.gethostname()


def process_start(pid: int) -> str:
    """Tell apart two processes with one number: the start of ``pid`` in ticks since boot, '' when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold blanks and parentheses; the start is the 20th field after it.
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""
