"""The content of a database as numbers: the rows of each table and the sum of their hashes, in one snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.backup import carried, statements
from wnadmin.domain.backup.carried import Standing
from wnadmin.domain.backup.values import ObjectsProof, TableProof
from wnadmin.errors import Blind, Failed, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

PRINTING: Final[Mapping[str, str]] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "60s",
    "jit": "off",
}
"""Settings of a session that hashes: rows must be printed alike wherever and whenever it is done."""

_POLL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a database that nobody writes to: tables by name, large objects, sequences."""

    tables: tuple[TableProof, ...]
    objects: ObjectsProof
    sequences: tuple[Standing, ...]
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A table to be hashed; ``bytes`` as the last VACUUM or ANALYZE saw it."""

    schema: str
    name: str
    bytes: int


def tables(db: Database) -> list[Asked]:
    """List the tables that a dump carries rows of, the biggest first."""
    return db.rows("queries/backup/tables", Asked)


def begin(session: Session, snapshot: str = "") -> None:
    """Begin the transaction that hashes, in the exported ``snapshot`` or in one of its own."""
    if session.version >= 170000:
        session.run("SET transaction_timeout = 0")
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if snapshot:
        # A snapshot's name is hexadecimal digits and dashes, given by the server.
        session.run(f"SET TRANSACTION SNAPSHOT '{_checked(snapshot)}'")


def _checked(snapshot: str) -> str:
    if not all(one.isalnum() or one == "-" for one in snapshot):
        raise Failed("the server gave a snapshot with an odd name")
    return snapshot


class Hashing:
    """Hashes large objects and tables in several sessions at once, one thread a session; begins when it is made.

    The sessions are in their transactions already, and are not used by others until :meth:`finish` came back.
    """

    def __init__(self, sessions: Sequence[Session], wanted: Sequence[Asked]) -> None:
        self._sessions = sessions
        # Taken from the end; None stands for the large objects.
        self._left: list[Asked | None] = [*reversed(wanted), None]
        self._lock = threading.Lock()
        self._found: list[TableProof] = []
        self._errors: list[WnError] = []
        self._began = time.monotonic()
        self.total = len(wanted)
        self.at = ""
        """The table begun last."""
        self.objects = ObjectsProof(0, None)
        """The large objects, once it is over."""
        self.milliseconds = 0
        """How long it took, from the first to the last, once it is over."""
        self._threads = [threading.Thread(target=self._work, args=(one,), daemon=True) for one in sessions]
        for one in self._threads:
            one.start()

    @property
    def done(self) -> int:
        """How many tables are through."""
        return len(self._found)

    @property
    def running(self) -> bool:
        """Whether any is still being read."""
        return any(one.is_alive() for one in self._threads)

    @property
    def failed(self) -> bool:
        """Whether one of them could not be read."""
        return bool(self._errors)

    def cancel(self) -> None:
        """Give up: no further table is begun, and running statements are cancelled."""
        with self._lock:
            self._left.clear()
        for one in self._sessions:
            one.cancel()

    def finish(self, watch: Callable[[], None], stopping: Callable[[], bool]) -> tuple[TableProof, ...]:
        """Wait for the end and give the proofs, by name; raises what stood in the way."""
        try:
            while self.running:
                if stopping():
                    raise Failed("stopped: it was interrupted", next="Run it again.")
                watch()
                next((one for one in self._threads if one.is_alive()), self._threads[0]).join(_POLL)
        except BaseException:
            self.cancel()
            raise
        finally:
            for one in self._threads:
                one.join()
        if self._errors:
            raise self._errors[0]
        return tuple(sorted(self._found, key=lambda one: (one.schema, one.name)))

    def _work(self, session: Session) -> None:
        while True:
            with self._lock:
                if not self._left or self._errors:
                    break
                one = self._left.pop()
                self.at = f"{one.schema}.{one.name}" if one else "large objects"
            try:
                if one is None:
                    self.objects = carried.objects(session)
                else:
                    query = statements.proof(one.schema, one.name)
                    count, total = session.run(query, doing=f"hash {one.schema}.{one.name}").rows[0]
                    with self._lock:
                        self._found.append(TableProof(one.schema, one.name, count, total or "0"))
            except WnError as error:
                with self._lock:
                    self._errors.append(error)
                break
        with self._lock:
            self.milliseconds = round((time.monotonic() - self._began) * 1000)


def differences(promised: Sequence[TableProof], found: Sequence[TableProof]) -> list[str]:
    """Say where two contents differ, a sentence a table; nothing when they are equal."""
    there = {(one.schema, one.name): one for one in found}
    said = []
    for one in promised:
        other = there.pop((one.schema, one.name), None)
        if other is None:
            said.append(f"{one.path} is missing")
        elif other.rows != one.rows:
            said.append(f"{one.path} has {other.rows:,} rows instead of {one.rows:,}")
        elif other.hash != one.hash:
            said.append(f"{one.path} has {one.rows:,} rows, but not the same ones")
    said += [f"{one.path} was not in the dump" for one in there.values()]
    return said


def content(
    sessions: Sequence[Session], watch: Callable[[str, int, int], None], stopping: Callable[[], bool]
) -> Content:
    """Hash a whole database that nobody writes to.

    The sessions come with :data:`PRINTING`. Raises Blind where rows are hidden.
    """
    for one in sessions:
        begin(one)
    wanted = tables(Database(sessions[0]))
    hashing = Hashing(sessions, wanted)
    found = hashing.finish(lambda: watch(f"compare {hashing.at}", hashing.done, hashing.total), stopping)
    standing = carried.sequences(sessions[0])
    for one in sessions:
        one.run("COMMIT")
    return Content(found, hashing.objects, standing, hashing.milliseconds)


def hidden(error: Blind) -> Blind:
    """Say that hidden rows make no proof."""
    return Blind(
        f"this login does not see every row: {error.what}",
        why=error.why,
        next=error.next or "Log in as a superuser or as a role with BYPASSRLS and SELECT on every table.",
        sqlstate=error.sqlstate,
    )
