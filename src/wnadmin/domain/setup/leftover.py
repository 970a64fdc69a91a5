"""What a look that was killed has left behind: shadow databases, and private servers with their folders.

A shadow is in use as long as its maker lives: of a database the maker holds an advisory lock, of a folder a file lock.
Both end with the process, whatever ended it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.setup.wishes import Connect
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Identifier, Literal

DATABASE: Final = "wnadmin_shadow_"
FOLDER: Final = "wnadmin-shadow-"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class _Shadow:
    name: str
    in_use: bool
    may_drop: bool


def claim(admin: Session, name: str) -> None:
    """Say that the shadow of this name, which is yet to be made, is in use while ``admin`` is connected."""
    admin.run(SQL("SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended({}, 0))").format(Literal(name)))


def clear(db: Database, connect: Connect, admin_database: str) -> list[str]:
    """Drop what nobody uses any more and tell each; what this login may not drop, or not here, is told too.

    ``db`` is any database of the server; it is not changed. Folders are those of this user on this machine.
    """
    told = [f"removed {home}, which a look that was cut off had left behind" for home in sweep()]
    idle = [one for one in db.rows("queries/setup/shadows", _Shadow, prefix=DATABASE) if not one.in_use]
    if not idle:
        return told
    fixed = db.in_recovery() or db.session.scalar("SELECT pg_catalog.current_setting('transaction_read_only')") == "on"
    for one in idle:
        drop = SQL("DROP DATABASE IF EXISTS {}").format(Identifier(one.name))
        if one.may_drop and not fixed:
            with contextlib.suppress(WnError):
                with connect(admin_database) as admin:
                    admin.run(drop, doing=f"drop {one.name}")
                told.append(f"dropped {one.name}, which a look that was cut off had left behind")
                continue
        told.append(f"{one.name} was left behind by a look that was cut off: {db.session.quote(drop)}")
    return told


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for a private server, in use for the block; it is removed with the server in it."""
    home = Path(tempfile.mkdtemp(prefix=FOLDER))
    # The server may run as another account than ours.
    home.chmod(0o755)
    lock = os.open(home / "unlocked", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # It has its name only when it is locked, so that nobody finds it free.
        (home / "unlocked").rename(home / _LOCK)
        yield home
    finally:
        _destroy(home)
        os.close(lock)


def sweep() -> list[Path]:
    """Remove the folders of this user that nobody uses any more, and stop the servers in them."""
    swept = []
    for home in sorted(Path(tempfile.gettempdir()).glob(f"{FOLDER}*")):
        try:
            # Others may put anything into a folder for all.
            if home.lstat().st_uid != os.geteuid() or home.is_symlink():
                continue
            lock = os.open(home / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _destroy(home)
            swept.append(home)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
    return swept


def _destroy(home: Path) -> None:
    with contextlib.suppress(WnError):
        Cluster(home / "pg").destroy()
    shutil.rmtree(home, ignore_errors=True)
