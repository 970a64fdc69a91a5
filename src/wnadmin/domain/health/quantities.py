"""Quantities as an operator writes them: ``5min``, ``10GB``, ``80%``, ``3``; and as a finding shows them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, TypeAlias, cast, get_args

from wnadmin.errors import Failed, UsageError
from wnadmin.render import cells

Unit: TypeAlias = Literal["count", "level", "%", "s", "days", "bytes", "ms"]
"""What a check measures. ``level`` is the check's own judgement: 0 well, 1 warn, 2 critical."""

_NUMBER = re.compile(r"^\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<suffix>[A-Za-z%]*)\s*$")
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "day": 86400, "days": 86400}
_BYTES = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}


def unit(text: str) -> Unit:
    """Read the unit of a check's header."""
    if text not in get_args(Unit):
        raise Failed(f"unknown unit {text} in the header of a check")
    return cast("Unit", text)


def parse(text: str, unit: Unit) -> float:
    """Read a threshold in ``unit``; a bare number is in the unit itself. Raises UsageError."""
    match = _NUMBER.match(text)
    if match is None:
        raise UsageError(f"cannot read the threshold {text!r}", next=f"Example: {EXAMPLES[unit]}")
    number, suffix = float(match["number"]), match["suffix"]
    if not suffix:
        return number
    if unit == "%" and suffix == "%":
        return number
    if unit == "bytes" and suffix.lower() in _BYTES:
        return number * _BYTES[suffix.lower()]
    if unit in ("s", "days", "ms") and suffix in _SECONDS:
        return number * _SECONDS[suffix] / {"s": 1, "days": 86400, "ms": 0.001}[unit]
    raise UsageError(
        f"cannot read the threshold {text!r}",
        why=f"{suffix} does not measure {WHAT[unit]}.",
        next=f"Example: {EXAMPLES[unit]}",
    )


EXAMPLES: dict[Unit, str] = {
    "count": "10",
    "level": "1",
    "%": "80%",
    "s": "5min",
    "days": "30d",
    "bytes": "10GB",
    "ms": "250ms",
}
WHAT: dict[Unit, str] = {
    "count": "a number of things",
    "level": "a level",
    "%": "a share",
    "s": "a time",
    "days": "a time",
    "bytes": "a size",
    "ms": "a time",
}


def show(value: float | Decimal | None, unit: Unit) -> str:
    """Write a quantity for people; '' for None, and for a level, which the words explain."""
    if value is None or unit == "level":
        return ""
    if unit == "count":
        # An average an hour has many digits and few that mean anything.
        return cells.quantity(_whole(round(float(value), 2 if value < 10 else 1)), "")
    if unit == "%":
        return f"{cells.quantity(_whole(round(float(value), 1)), '')} %"
    return cells.quantity(_whole(value), unit)


def _whole(value: float | Decimal) -> float | Decimal | int:
    return int(value) if value == int(value) else value
