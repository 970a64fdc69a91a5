"""One change at a time: the try-lock on a change's target, and who holds it.

On a server it is an advisory lock of the ledger's session, so it ends with that session however the command ends.
Without a server it is a lock on a file of this user, which ends with the process.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wnadmin.errors import Refused
from wnadmin.ledger import canonical, private
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

TABLES = "the tables of this database"
"""The target of every change that makes, detaches or drops tables, and of a backup.

A dump holds a lock on each table for as long as it runs: a change of tables would queue up behind it, and every
query behind that change. The lock is the database's own, so the name needs none.
"""

_TRY = "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('wnadmin:' || %s::text, 0))"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. ``pid`` is a server process, or a local one when ``local``; 0 when it has just ended.

    ``since`` is when that session or process began, None where the login may not see it.
    """

    pid: int
    login: str
    application_name: str
    since: datetime | None
    local: bool = False

    def __str__(self) -> str:
        """Say who holds it, for an error message."""
        if not self.pid:
            return "a session that has just ended"
        since = f", since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        kind = "process" if self.local else "server process"
        return f"{self.login or 'another login'} with {self.application_name or 'no name'} ({kind} {self.pid}{since})"


@dataclass(frozen=True, slots=True)
class _Row:
    pid: int
    login: str | None
    application_name: str | None
    since: datetime | None


def try_lock(session: Session, name: str) -> Holder | None:
    """Take the lock ``name`` for this session; None when it is now held, else who has it."""
    for _ in range(5):
        if session.scalar(_TRY, (name,), "take the lock"):
            return None
        if rows := Database(session).rows("queries/audit/lock_holder", _Row, lock=name):
            one = rows[0]
            return Holder(one.pid, one.login or "", one.application_name or "", one.since)
    return Holder(0, "", "", None)


class FileLock:
    """A lock of this user on this machine; it stands in where no server is involved."""

    def __init__(self, name: str, state: Path) -> None:
        self._path = state / "locks" / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
        self._descriptor = -1

    def take(self, command: str) -> Holder | None:
        """Take the lock; None when it is now held, else who has it. Raises Refused when the file cannot be used."""
        try:
            private.folder(self._path.parent.parent)
            private.folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Refused(
                f"cannot take the lock {self._path}",
                why=f"{error.strerror}.",
                next="Make the folder writable, or name another with WNADMIN_STATE.",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.pread(descriptor, 4096, 0))
            os.close(descriptor)
            return holder
        facts = {
            "pid": os.getpid(),
            "login": private.os_user(),
            "application_name": f"wnadmin/{command}",
            "since": datetime.now(UTC),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, canonical.dumps(facts).encode(), 0)
        self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Give the lock back; releasing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _holder(text: bytes) -> Holder:
    try:
        facts = json.loads(text)
        return Holder(
            int(facts["pid"]),
            str(facts["login"]),
            str(facts["application_name"]),
            datetime.fromisoformat(facts["since"]),
            local=True,
        )
    except (ValueError, KeyError, TypeError):
        # It has the lock and has not yet written who it is.
        return Holder(0, "", "", None, local=True)
