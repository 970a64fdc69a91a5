"""From the beginning of an id, as an operator types it, to the one operation it means."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from wnadmin.domain.audit import gather
from wnadmin.errors import UsageError
from wnadmin.ledger.spool import Spool

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

SEARCHED = 1000
"""How many of the newest operations the beginning of an id is compared with."""


def identify(db: Database | None, text: str, spool: Spool | None = None) -> UUID:
    """Give the id that ``text`` is, or is the beginning of; UsageError when it is none or several."""
    try:
        return UUID(text)
    except ValueError:
        pass
    if len(text) < 4:
        raise UsageError(f"{text!r} is too short for an operation's id", next="Give at least four characters of it.")
    newest = gather.newest(db, spool or Spool(), since=None, limit=SEARCHED, everywhere=True)
    hits = {one.op_id for one in newest.operations if str(one.op_id).startswith(text.lower())}
    if not hits:
        raise UsageError(
            f"no operation begins with {text!r}",
            why=_compared(newest),
            next="See `wnadmin audit log`, or give the whole id.",
        )
    if len(hits) > 1:
        raise UsageError(f"{text!r} is the beginning of {len(hits)} operations", next="Give more of the id.")
    return hits.pop()


def _compared(newest: gather.Gathered) -> str:
    count = len(newest.operations)
    number = f"the newest {SEARCHED}" if count >= SEARCHED else f"all {count}"
    if newest.looked:
        return f"It was compared with {number} operations of ledger and spool."
    return " ".join((f"It was compared with {number} operations {newest.scope}.", *newest.notes))
