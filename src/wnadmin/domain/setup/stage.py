"""A stage to try things on: a transaction that is always rolled back, in which one can be anybody."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wnadmin.errors import WnError
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Composable, Identifier
from wnadmin.postgres.values import Answer

_SETTINGS: Final = (
    "SET LOCAL statement_timeout = '30s'",
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL client_min_messages = error",
    # Consent that is given on the stage counts also where only a verifiable one does.
    "SET LOCAL wondernest.consent_method = 'signed_form'",
)

_STANDBY: Final = "this node is a standby, on which nothing can be written, not even to be taken back"
_READ_ONLY: Final = "transactions are read-only here, so nothing can be written, not even to be taken back"
_NO_SUPERUSER: Final = "only a superuser can try what other roles can do"

REMEDIES: Final = {
    _STANDBY: "Name the primary with --dsn",
    _READ_ONLY: "End read-only mode (default_transaction_read_only is on)",
    _NO_SUPERUSER: "Log in as a superuser",
}
"""What to do about each reason that :func:`unable` gives."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one statement: its answer, or the SQLSTATE and message of its error."""

    answer: Answer | None
    sqlstate: str = ""
    message: str = ""

    @property
    def worked(self) -> bool:
        """Whether the statement succeeded."""
        return self.answer is not None

    @property
    def value(self) -> Any:
        """The first column of the first row, None without one."""
        return self.answer.rows[0][0] if self.answer is not None and self.answer.rows else None

    @property
    def count(self) -> int:
        """How many rows it gave or touched."""
        if self.answer is None:
            return 0
        return self.answer.count if self.answer.count is not None else len(self.answer.rows)

    def __str__(self) -> str:
        return "it worked" if self.worked else f"{self.message} ({self.sqlstate})"


class Stage:
    """The open transaction. Nothing that is done here stays; no sequence is used by WonderNest either."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, query: str | Composable, bound: Sequence[object] = ()) -> Answer:
        """Run a statement that must work; raises WnError."""
        return self._session.run(query, bound)

    def attempt(self, query: str | Composable, bound: Sequence[object] = (), *, keep: bool = False) -> Attempt:
        """Run a statement that may fail; what it did is taken back unless ``keep`` and it worked."""
        self._session.run("SAVEPOINT attempt")
        try:
            answer = self._session.run(query, bound)
        except WnError as error:
            if error.sqlstate is None:
                raise
            self._session.run("ROLLBACK TO SAVEPOINT attempt")
            self._session.run("RELEASE SAVEPOINT attempt")
            return Attempt(None, error.sqlstate, error.what)
        if not keep:
            self._session.run("ROLLBACK TO SAVEPOINT attempt")
        self._session.run("RELEASE SAVEPOINT attempt")
        return Attempt(answer)

    @contextlib.contextmanager
    def become(self, login: str, *, user: object = None, role: str = "") -> Iterator[None]:
        """Be ``login`` as if it had logged in, for the parent ``user``, having taken on ``role``.

        Whatever is done within is taken back at its end.
        """
        with self.aside():
            self._session.run(SQL("SET LOCAL SESSION AUTHORIZATION {}").format(Identifier(login)))
            if role:
                self._session.run(SQL("SET LOCAL ROLE {}").format(Identifier(role)))
            self._session.run("SET LOCAL row_security = on")
            self.sign_in(user)
            yield

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take back, at the end of the block, whatever is done and set within."""
        self._session.run("SAVEPOINT aside")
        try:
            yield
        finally:
            # On a broken connection there is nothing left to take back.
            with contextlib.suppress(WnError):
                self._session.run("ROLLBACK TO SAVEPOINT aside")
                self._session.run("RELEASE SAVEPOINT aside")

    def sign_in(self, user: object) -> None:
        """Set the parent for whom the application works; None is nobody."""
        text = "" if user is None else str(user)
        self._session.run("SELECT pg_catalog.set_config('app.current_user_id', %s, true)", [text])


@contextlib.contextmanager
def stage(session: Session) -> Iterator[Stage]:
    """Open a stage on an idle session and roll back at the end."""
    session.run("BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        for setting in _SETTINGS:
            session.run(setting)
        yield Stage(session)
    finally:
        with contextlib.suppress(WnError):
            session.run("ROLLBACK")


def unable(session: Session) -> str:
    """Say why nothing can be tried here, '' when it can."""
    if session.scalar("SELECT pg_catalog.pg_is_in_recovery()"):
        return _STANDBY
    if session.scalar("SELECT pg_catalog.current_setting('transaction_read_only')") == "on":
        return _READ_ONLY
    if not session.scalar("SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user"):
        return _NO_SUPERUSER
    return ""
