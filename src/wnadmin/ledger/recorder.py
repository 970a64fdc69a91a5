"""The recorder of one command: the database's ledger where it can be written, this user's spool where it cannot.

It has a session of its own, in autocommit and never idle in a transaction, so that what it records survives the
rollback of what it records about. Not for use by two threads at once.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from uuid import UUID

from wnadmin import settings
from wnadmin.errors import NoConnection, Refused, WnError
from wnadmin.ledger import canonical, checkpoint, database, locks
from wnadmin.ledger.chain import Phase, Sink
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.session import Session, Timeouts, connect
from wnadmin.postgres.target import Target
from wnadmin.results import Json
from wnadmin.secret import Personal

PAYLOAD_VERSION = 1
"""``v`` of every payload; it rises when a key changes its meaning."""

_TIMEOUTS = Timeouts(lock="5s", statement="15s", connect=5)
_HURRIED = Timeouts(lock="250ms", statement="2s", connect=5)
_SETTINGS = {
    # A database in read-only mode still records who did what to it.
    "default_transaction_read_only": "off",
    "synchronous_commit": "on",
    # The session waits as long as the change takes; losing it would lose the lock.
    "idle_session_timeout": "0",
}
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an entry stands. ``why`` says why it is in the spool, ``note`` what else did not succeed."""

    sink: Sink
    seq: int
    why: str = ""
    note: str = ""

    @property
    def where(self) -> str:
        """Say it in words: ``ledger #41`` or ``spool #7 (the ledger is not installed in postgres)``."""
        remark = self.note if self.sink == "database" else self.why
        place = "ledger" if self.sink == "database" else "spool"
        return f"{place} #{self.seq} ({remark})" if remark else f"{place} #{self.seq}"


class Recorder:
    """Writes the entries of one command, and holds the locks of its change."""

    def __init__(self, target: Target | None, command: str, state: Path | None = None) -> None:
        self._target = target
        self._command = command
        self._state = state or settings.state_dir()
        self._spool = Spool(self._state)
        # Ties an outcome to its own intent, whatever the clocks of two sinks say.
        self._run = secrets.token_hex(4)
        self._session: Session | None = None
        self._presence: database.Presence | None = None
        self._failures = 0
        self._trouble: NoConnection | None = None
        self._locks: list[str] = []
        self._files: dict[str, locks.FileLock] = {}
        self._begun_in_spool: set[UUID] = set()
        self._hurried = False

    @classmethod
    def open(cls, target: Target | None, command: str, *, state: Path | None = None) -> Recorder:
        """Make a recorder for ``command``; it connects to ``target`` when it first has something to record.

        Without a target it writes to the spool. ``state`` is the state folder (default: this user's).
        """
        return cls(target, command, state)

    def goes_on(self, op_id: UUID) -> None:
        """Say that this run goes on with an earlier one, so that its end is recorded where that began."""
        if any(one.op_id == op_id and one.phase == "intent" for one in self._spool.entries()):
            self._begun_in_spool.add(op_id)

    def intent(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record that a change is about to be made; raises Refused when it can be recorded nowhere."""
        return self._record("intent", op_id, payload)

    def step_done(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record the receipt of a step; raises Refused when it can be recorded nowhere."""
        return self._record("done", op_id, payload)

    def outcome(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record how a change ended, and write its place outside the database as a checkpoint.

        Raises Refused when it can be recorded nowhere. A checkpoint that cannot be written is told in
        :attr:`Recorded.note`; the outcome stands.
        """
        return self._record("outcome", op_id, payload)

    def read(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record a read; raises Refused when it can be recorded nowhere.

        It waits for the ledger a moment only, then the spool has it: a look must not take longer for its row.
        """
        self._hurried = True
        return self._record("read", op_id, payload)

    def declined(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record that the operator said no; raises Refused when it can be recorded nowhere."""
        return self._record("declined", op_id, payload)

    def dry_run(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record that a plan was shown and not applied; raises Refused when it can be recorded nowhere."""
        return self._record("dry_run", op_id, payload)

    def refused(self, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        """Record that the command was refused, a failed login included; raises Refused when it can be nowhere."""
        return self._record("refused", op_id, payload)

    def try_lock(self, name: str) -> locks.Holder | None:
        """Take the lock on a change's target until :meth:`close`; None when it is held, else who has it.

        It is held by the ledger's session; without a target by a file of this user. Taking it twice is fine.
        Raises NoConnection, or the server's error.
        """
        if name in self._locks or name in self._files:
            return None
        if self._target is None:
            lock = locks.FileLock(name, self._state)
            holder = lock.take(self._command)
            if holder is None:
                self._files[name] = lock
            return holder
        session = self._connected()
        if session is None:
            raise self._trouble or NoConnection("cannot connect for the lock")
        holder = locks.try_lock(session, name)
        if holder is None:
            self._locks.append(name)
        return holder

    def close(self) -> None:
        """End the session and give the locks back; closing twice is fine."""
        self._drop()
        self._locks.clear()
        for lock in self._files.values():
            lock.release()
        self._files.clear()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, phase: Phase, op_id: UUID, payload: Mapping[str, object]) -> Recorded:
        text = self._text(phase, op_id, payload)
        why = "no server is involved"
        lost = False
        while self._target is not None:
            session, why = self._writable()
            if session is None:
                break
            try:
                # When an answer was lost with its connection, the entry may stand already.
                found = database.already(session, op_id, phase, text) if lost else None
                appended = found or database.append(session, op_id, phase, text)
            except WnError as error:
                why = error.what
                if session.alive or lost:
                    break
                lost = True
                self._drop()
                continue
            note = self._anchor(session, appended) if phase == "outcome" else ""
            if op_id in self._begun_in_spool and phase in ("intent", "outcome"):
                note = note or self._twice(op_id, phase, text)
            return Recorded("database", appended.seq, note=note)
        entry = self._spool.append(op_id, phase, text, self._circumstances(why))
        if phase == "intent":
            self._begun_in_spool.add(op_id)
        return Recorded("spool", entry.seq, why=why)

    def _twice(self, op_id: UUID, phase: Phase, text: str) -> str:
        # What was begun in the spool must have its end there too: the database may be gone or out of reach when
        # the spool is read, as after `server destroy`. Read together, the two count once.
        try:
            self._spool.append(op_id, phase, text, self._circumstances("its intent is here"))
        except Refused as error:
            return f"not in the spool, where it began: {error.what}"
        return ""

    def _text(self, phase: Phase, op_id: UUID, payload: Mapping[str, object]) -> str:
        # Operation and phase are hashed with the payload, since the columns beside it are not.
        facts = {"v": PAYLOAD_VERSION, **payload, "op_id": op_id, "phase": phase, "run": self._run}
        if self._target is not None and (head := self._spool.head()) is not None:
            # Nothing in the spool shows that its end was cut off; a row of the ledger that remembers it does.
            facts["spool"] = {"at": self._spool.place, "h": head[1].hex(), "seq": head[0]}
        try:
            return canonical.dumps(facts, self._pseudonym)
        except Refused:
            if phase in ("done", "outcome"):
                # The change has been made; losing its record would be worse than an anonymous one.
                return canonical.dumps(facts, canonical.masked)
            raise

    def _pseudonym(self, value: Personal) -> str:
        return value.pseudonym(canonical.pseudonym_key(self._state))

    def _circumstances(self, why: str) -> dict[str, Json]:
        known: dict[str, Json] = {"why": why, "command": self._command}
        if self._target is not None:
            known["target"] = self._target.describe()
        if self._presence is not None:
            known["origin"] = self._presence.origin
        return known

    def _writable(self) -> tuple[Session | None, str]:
        """Give a session whose ledger can be written, or None and the reason."""
        session = self._connected()
        if session is None:
            return None, self._trouble.what if self._trouble else "there is no connection"
        if self._presence is None or self._presence.obstacle:
            # `setup` creates the ledger, and a promotion ends recovery, while a recorder is open.
            try:
                self._presence = database.present(session)
            except WnError as error:
                if not session.alive:
                    self._drop()
                return None, error.what
        obstacle = self._presence.obstacle
        return (None, obstacle) if obstacle else (session, "")

    def _connected(self) -> Session | None:
        if self._session is not None and self._session.alive:
            return self._session
        if self._target is None or self._failures >= _TRIES:
            return None
        self._drop()
        try:
            session = connect(
                self._target,
                command=self._command,
                timeouts=_HURRIED if self._hurried else _TIMEOUTS,
                settings=_SETTINGS,
            )
        except NoConnection as error:
            self._failures += 1
            self._trouble = error
            return None
        self._session = session
        self._retake(session)
        return session

    def _retake(self, session: Session) -> None:
        # The locks of a lost session went with it. Whoever took one since will have seen our change's effects
        # or our unfinished intent; our own steps look before they act.
        for name in list(self._locks):
            with contextlib.suppress(WnError):
                if locks.try_lock(session, name) is not None:
                    self._locks.remove(name)

    def _anchor(self, session: Session, appended: database.Appended) -> str:
        presence = self._presence
        if presence is None:
            return ""
        try:
            checkpoint.write(checkpoint.Checkpoint(presence.origin, appended.seq, appended.h), self._state)
            if presence.may_checkpoint:
                database.mirror(session, appended.seq, checkpoint.sink_name())
        except WnError as error:
            return f"without its checkpoint: {error.what}: {error.why}"
        return ""

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
