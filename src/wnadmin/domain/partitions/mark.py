"""The mark of a detached partition: parent, bounds and moment, as the table's comment.

At DETACH the catalog forgets all three. A comment stays with its table, also through a dump and a restore; it is
written before the detach, so that there is no moment at which a table is neither a partition nor marked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wnadmin.domain.partitions.bounds import BEGINNING, END, Span
from wnadmin.domain.partitions.values import Parent, path

PREFIX: Final = "wnadmin:detached"
"""With this every mark begins; `setup drift` leaves such tables out."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is remembered of a detached partition; ``comment`` is the one it had."""

    schema: str
    table: str
    key_column: str
    key_type: str
    span: Span
    at: datetime
    comment: str | None

    @property
    def parent(self) -> str:
        """Name the table that it was a partition of."""
        return path(self.schema, self.table)


def make(parent: Parent, span: Span, at: datetime, comment: str | None) -> Mark:
    """Make the mark of a partition; a mark that it already has is not taken for its comment."""
    if comment is not None and comment.startswith(PREFIX):
        earlier = read(comment)
        comment = earlier.comment if earlier else None
    return Mark(parent.schema, parent.name, parent.key_column or "", parent.key_type or "", span, at, comment)


def write(mark: Mark) -> str:
    """Write a mark as a comment."""
    facts = {
        "schema": mark.schema,
        "table": mark.table,
        "key": mark.key_column,
        "type": mark.key_type,
        "from": _text(mark.span.lower),
        "to": _text(mark.span.upper),
        "at": mark.at.isoformat(timespec="seconds"),
        "comment": mark.comment,
    }
    return f"{PREFIX} {json.dumps(facts, ensure_ascii=False)}"


def read(comment: str) -> Mark | None:
    """Read a mark; None for one that is not whole."""
    try:
        facts = json.loads(comment.removeprefix(PREFIX))
        schema, table, key, kind = (facts[key] for key in ("schema", "table", "key", "type"))
        said = facts["comment"]
        if not all(isinstance(one, str) for one in (schema, table, key, kind)) or not isinstance(said, str | None):
            return None
        span = Span(_moment(facts["from"]) or BEGINNING, _moment(facts["to"]) or END)
        at = _moment(facts["at"])
        if at is None or span.lower >= span.upper:
            return None
    except (ValueError, TypeError, KeyError):
        return None
    return Mark(schema, table, key, kind, span, at, said)


def _text(moment: datetime) -> str | None:
    return None if moment in (BEGINNING, END) else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a moment without its zone")
    return found
