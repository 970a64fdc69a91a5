"""Where the Unix socket of a server lives: short enough, and closed to everyone else."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from wnadmin.errors import Failed
from wnadmin.postgres.embedded.places import HOME, Layout, Marker, make_private
from wnadmin.postgres.embedded.procs import Account

# The kernel's own limit is 107 bytes; PostgreSQL and its clients differ below it.
_SOCKET_PATH_BYTES = 90
_LONGEST_SOCKET = ".s.PGSQL.65535"


def socket_directory(layout: Layout, marker: Marker, account: Account) -> Path:
    """Make and return the directory of the socket: in the home, or a short one when that path will not do."""
    if _fits(layout.socket):
        make_private(layout.socket, account)
        return layout.socket
    recorded = Path(marker.socket) if marker.socket else None
    if recorded is not None and is_private(recorded, account):
        return recorded
    # A random name cannot be squatted; the marker remembers it.
    name = f"wnadmin-{os.urandom(6).hex()}"
    for parent in _short_parents():
        path = parent / name
        with contextlib.suppress(OSError):
            path.mkdir(0o700)
            make_private(path, account)
            return path
    raise Failed(
        f"there is no place for the socket of {layout.home}",
        why=f"{layout.socket} is too long or has a comma, and no short directory can be written",
        next=f"set {HOME} to a shorter path without commas",
    )


def is_private(path: Path, account: Account) -> bool:
    """Whether this is a real directory that only ``account`` may enter."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and not found.st_mode & 0o077


def drop_socket_directory(path: Path, account: Account) -> None:
    """Remove a short socket directory that :func:`socket_directory` made."""
    if path.name.startswith("wnadmin-") and is_private(path, account):
        for name in os.listdir(path):
            if name.startswith(".s.PGSQL."):
                (path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.rmdir()


def _fits(directory: Path) -> bool:
    # libpq reads a comma in a host as the end of one and the beginning of the next.
    return len(os.fsencode(directory / _LONGEST_SOCKET)) <= _SOCKET_PATH_BYTES and "," not in str(directory)


def _short_parents() -> Iterator[Path]:
    uid = os.geteuid()
    runtime = Path("/run") if uid == 0 else Path(f"/run/user/{uid}")
    with contextlib.suppress(OSError):
        if runtime.stat().st_uid == uid:
            yield runtime
    yield Path("/tmp")  # noqa: S108 -- mode 0700, a random name, and checked again at each start
