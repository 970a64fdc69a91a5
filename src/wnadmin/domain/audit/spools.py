"""What a spool holds about a database and its ledger does not have yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.errors import Refused, UsageError
from wnadmin.ledger import canonical
from wnadmin.ledger.chain import Entry
from wnadmin.ledger.export import Row
from wnadmin.ledger.operations import Operation, operations
from wnadmin.ledger.spool import Inspection, Spool, inspect
from wnadmin.postgres.database import Database

CHAIN: Final = "spool/"
"""What the name of a spool's chain begins with; the hash of its first entry follows, wherever the file is."""


@dataclass(frozen=True, slots=True)
class Held:
    """The entries of one spool that are about a database: ``rows`` are not in its ledger yet, ``others`` of others."""

    path: Path
    chain: str
    rows: tuple[Row, ...]
    known: int
    others: int


@dataclass(frozen=True, slots=True)
class _Hash:
    h: str


def look(db: Database, path: Path, origins: Collection[str], *, own: bool) -> Held:
    """Look what the spool ``path`` holds about ``db``, whose ledger has had the names ``origins``.

    Raises Refused where the spool itself does not hold, and UsageError for a file that is no spool.
    """
    seen = Spool(path.parent).inspect() if own else _elsewhere(path)
    wrong = [one.detail for one in seen.links.breaks] + [one.detail for one in seen.damage if not one.torn]
    if wrong:
        raise Refused(
            f"the spool {path} does not hold: {wrong[0]}",
            why="What was changed afterwards is not taken into the ledger.",
            next="wnadmin audit verify",
        )
    if not seen.entries:
        if not own:
            raise UsageError(f"{path} is neither an export nor a spool", next="Name a file that `audit export` wrote.")
        return Held(path, "", (), 0, 0)
    chain = CHAIN + seen.entries[0].h.hex()[:16]
    there = {one.h for one in db.rows("queries/audit/joined_hashes", _Hash, chain=chain)}
    described = db.session.target.describe()
    mine = {one.op_id for one in operations(seen.entries) if about(one, origins, described)}
    entries = [one for one in seen.entries if one.op_id in mine]
    rows = tuple(_row(one) for one in entries if one.h.hex() not in there)
    return Held(path, chain, rows, len(entries) - len(rows), len(seen.entries) - len(entries))


def about(one: Operation, origins: Collection[str], described: str) -> bool:
    """Whether an operation is about the ledgers ``origins``, or else was recorded under the words ``described``."""
    known = [entry.circumstances() for entry in one.entries]
    found = {str(facts["origin"]) for facts in known if "origin" in facts}
    return bool(found & set(origins)) if found else described in {str(facts.get("target", "")) for facts in known}


def _elsewhere(path: Path) -> Inspection:
    try:
        return inspect(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}", why=f"{error.strerror}.", next="Name another file.") from None


def _row(one: Entry) -> Row:
    return Row(
        one.seq,
        canonical.timestamp(one.ts),
        str(one.op_id),
        one.phase,
        one.envelope,
        one.payload,
        one.prev,
        one.h,
    )
