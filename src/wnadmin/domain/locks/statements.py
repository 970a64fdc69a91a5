"""The statement that ends one session, for psql: guarded, so that it never meets another that has the same pid."""

from __future__ import annotations

from datetime import UTC, datetime

from wnadmin.domain.locks.rows import Session
from wnadmin.domain.locks.verdicts import Action
from wnadmin.postgres.sql import SQL, Composable, Composed, Literal

WAIT_MS = 5000
"""How long pg_terminate_backend waits for the end, in milliseconds."""

_TERMINATE = SQL("SELECT pg_catalog.pg_terminate_backend(a.pid, {})")
_CANCEL = SQL("SELECT pg_catalog.pg_cancel_backend(a.pid)")
_SESSIONS = SQL("FROM pg_catalog.pg_stat_activity AS a")
_PID = SQL("WHERE a.pid = {}")
_BEGAN = SQL("AND a.backend_start = {}")
_CLIENT = SQL("AND a.backend_type = 'client backend'")
# What was judged is its transaction: the same session may be in another one by now, or in none.
_TRANSACTION = SQL("AND a.xact_start = {}")


def act(one: Session, action: Action, *, between: str = " ") -> Composable | None:
    """Compose what ``action`` means for a session; None when there is nothing to run or not enough is known.

    ``between`` stands between its clauses.
    """
    if action == "rollback" and one.gid is not None:
        return SQL("ROLLBACK PREPARED {};").format(SQL(text(one.gid)))
    if one.pid is None or one.backend_start is None:
        return None
    if action not in ("end", "cancel"):
        return None
    does = _TERMINATE.format(Literal(WAIT_MS)) if action == "end" else _CANCEL
    parts = [does, _SESSIONS, _PID.format(Literal(one.pid)), _BEGAN.format(_moment(one.backend_start)), _CLIENT]
    if one.xact_start is not None:
        parts.append(_TRANSACTION.format(_moment(one.xact_start)))
    return Composed([SQL(between).join(parts), SQL(";")])


def _moment(when: datetime) -> Literal:
    return Literal(when.astimezone(UTC).isoformat(sep=" ", timespec="microseconds"))


def text(value: str) -> str:
    """Quote a text so that it can be printed on one line and pasted: what does not print is escaped."""
    if value.isprintable() and "\\" not in value:
        return "'" + value.replace("'", "''") + "'"
    out = "".join(
        "''" if char == "'" else "\\\\" if char == "\\" else char if char.isprintable() else _escape(char)
        for char in value
    )
    return f"E'{out}'"


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
