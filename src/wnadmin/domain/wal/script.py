"""The shipped archive command: its text, and writing it where the server can run it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shlex
import stat
from pathlib import Path
from typing import Final

from wnadmin.errors import Failed, Refused, UsageError

PATH: Final = Path("/usr/local/bin/wnadmin-archive")
"""Where it goes unless told otherwise."""

_MODE: Final = 0o755
_OURS: Final = b"#!/bin/sh\n# wnadmin-archive:"


def text() -> bytes:
    """Give the program."""
    path = Path(__file__).with_name("archive.sh")
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"cannot read {path}", why=f"{error.strerror}.", next="Install wnadmin again.") from None


def digest() -> str:
    """Give the SHA-256 of the program, as the server computes it of what it sees."""
    return hashlib.sha256(text()).hexdigest()


def shows(path: Path) -> str:
    """Give what writes it, to be read before it is run, and to be pasted on the server's machine."""
    word = shlex.quote(str(path))
    return f"cat > {word} << 'END OF SCRIPT'\n{text().decode()}END OF SCRIPT\nchmod {_MODE:o} {word}"


def require_place(path: Path, option: str) -> None:
    """Refuse a path that no setting can hold."""
    if not path.is_absolute() or not str(path).isprintable() or path.name in ("", ".", ".."):
        raise UsageError(
            f"{option} {path}: this is not an absolute path",
            why="The server starts in its data directory, wherever that is.",
            next=f"Example: {option} {'/srv/wal' if option == '--to' else PATH}",
        )


def refuse_foreign(path: Path) -> None:
    """Refuse to write over what is not an earlier version of it, or where others could replace it."""
    parent = path.parent
    try:
        state = parent.stat()
    except OSError as error:
        raise Refused(
            f"the archive command cannot be written to {path}",
            why=f"{parent}: {error.strerror}.",
            next="Name another place: --script PATH",
        ) from None
    if state.st_mode & stat.S_IWOTH and not state.st_mode & stat.S_ISVTX:
        raise Refused(
            f"everybody can write in {parent}",
            why="Whoever replaces the script there runs a program as the server's user.",
            next="Name another place: --script PATH",
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise Refused(
            f"the archive command cannot be written to {path}",
            why=f"This user may not write in {parent}.",
            next="Run it as root, or name another place: --script PATH",
        )
    if path.is_symlink() or (path.exists() and not is_ours(path)):
        raise Refused(
            f"{path} is there already, and is not the archive command of wnadmin",
            why="It would be overwritten.",
            next="Name another place: --script PATH",
        )


def is_ours(path: Path) -> bool:
    """Whether there is some version of it there, as far as this machine sees it."""
    try:
        with path.open("rb") as file:
            return file.read(len(_OURS)) == _OURS
    except OSError:
        return False


def write(path: Path) -> None:
    """Write it in one move, readable and executable for everybody, and flush it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text())
                file.flush()
                os.fchmod(handle, _MODE)
                os.fsync(handle)
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Failed(
            f"the archive command could not be written to {path}", why=f"{error.strerror}.", next="Make room there."
        ) from None
