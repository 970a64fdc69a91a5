"""The statement that would mend a difference; words, where something would be lost or a person has to decide.

What is DDL ends with a semicolon. Names that would have to be quoted are left to a person: the catalog's names are
plain, and whatever else has got in did not come from these files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wnadmin.domain.setup import mend_code, mend_rights, mend_tables
from wnadmin.domain.setup.beside import BESIDE, COMMENT
from wnadmin.domain.setup.compare import Difference
from wnadmin.domain.setup.mend_base import BY_HAND, Known, Source, facts, plain

__all__ = ["Known", "Source", "in_order", "mend"]

_ANY_NAME: Final = (BESIDE, "extension")


def mend(known: Known, one: Difference) -> str:
    """Give the DDL or the words for one difference."""
    if one.kind not in _ANY_NAME and not plain(one.object):
        return BY_HAND if one.change == "unexpected" else "mend it by hand"
    if words := known.goes_with_schema(one):
        return words
    return _HANDLERS[one.kind](known, one) or known.words(one)


_HANDLERS: Final[Mapping[str, Callable[[Known, Difference], str]]] = {
    "schema": mend_code.schema,
    "type": mend_code.type_,
    "table": mend_tables.table,
    "column": mend_tables.column,
    "constraint": mend_tables.constraint,
    "index": mend_tables.index,
    "function": mend_code.function,
    "view": mend_code.view,
    "trigger": mend_tables.trigger,
    "policy": mend_tables.policy,
    "other": mend_code.other,
    "grant": mend_rights.grant,
    "role": mend_rights.role,
    "membership": mend_rights.membership,
    "setting": mend_rights.setting,
    "extension": mend_rights.extension,
    "default privilege": mend_rights.default_privilege,
    COMMENT: mend_code.comment,
    BESIDE: mend_rights.beside,
}

_FIRST: Final = (
    "role",
    "membership",
    "schema",
    "extension",
    "type",
    "other",
    "table",
    "column",
    "constraint",
    "function",
    "view",
    "index",
    "trigger",
    "policy",
    "grant",
    "default privilege",
    "setting",
    COMMENT,
    BESIDE,
)
"""What others need comes before them."""


def in_order(known: Known) -> list[Difference]:
    """All differences in an order in which their statements can be run: what is needed first, what goes last."""

    def rank(one: Difference) -> tuple[int, int, int, str, int]:
        if one.kind == "setting" and one.object.endswith(f" {mend_rights.READ_ONLY}"):
            return (-1, 0, 0, "", 0)
        at = _FIRST.index(one.kind)
        if one.change == "unexpected":
            # What is too much goes when nothing refers to it any more, and what hangs on something before that.
            return (1, -at, 0, "", 0)
        source, line = "", 0
        if one.kind in ("function", "view"):
            # They use each other: their order in the files is one that works.
            at = _FIRST.index("function")
            source, _, number = known.place(one.object).partition(":")
            line = int(number or 0)
        return (0, at, _need(known, one), source, line)

    return sorted(known.differences, key=rank)


def _need(known: Known, one: Difference) -> int:
    if one.kind != "constraint":
        return 0
    wanted = known.facts("constraint", one.object) or facts(one.actual)
    return {"PRIMARY": 0, "UNIQUE": 0, "EXCLUDE": 0, "CHECK": 1}.get(str(wanted.get("definition")).split(" ")[0], 2)
