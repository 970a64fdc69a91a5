"""Values of settings, as PostgreSQL reads and shows them: ``128MB`` is 16384 blocks of 8kB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, TypeAlias

Value: TypeAlias = "Decimal | bool | str"
"""A number in the setting's own unit, a switch, or a text (of an enumeration in lower case)."""

# Case counts, as it does for the server: kB and not KB.
_BYTES: Final = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_MICROSECONDS: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_FAMILIES: Final = (_BYTES, _MICROSECONDS)
_NUMBER: Final = re.compile(
    r"\s*(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))\s*(?P<unit>[A-Za-z]*)\s*"
)
_UNIT: Final = re.compile(r"(?P<count>\d*)(?P<name>[A-Za-z]+)")
_ON: Final = ("on", "true", "yes", "1")
_OFF: Final = ("off", "false", "no", "0")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting holds: ``type`` and ``unit`` as pg_settings has them (``8kB``, ``min``, '' for none)."""

    type: str
    unit: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is a quantity."""
        return self.type in ("integer", "real")


def parse(text: str, kind: Kind) -> Value:
    """Read a value as the server would; ValueError when it would refuse it."""
    if kind.type == "bool":
        return _switch(text)
    if kind.type == "enum":
        return text.strip().lower()
    if not kind.is_number:
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    number = _decimal(match["number"], octal=kind.type == "integer")
    if match["unit"]:
        if not kind.unit:
            raise ValueError(f"{text!r} has a unit, and the setting has none")
        family, size = _of(kind.unit)
        if match["unit"] not in family:
            raise ValueError(f"{text!r} has a unit that does not measure this; it takes {', '.join(family)}")
        number = number * family[match["unit"]] / size
    return number.to_integral_value(ROUND_HALF_EVEN) if kind.type == "integer" else number


def show(value: Value, kind: Kind) -> str:
    """Write a value as SHOW does: in the largest unit that leaves a whole number."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value
    # Beyond what any setting of a server holds, arithmetic on units ends.
    if not kind.unit or value <= 0 or value.adjusted() > 18 or value != value.to_integral_value():
        return _plain(value) + ("" if not kind.unit or value <= 0 else kind.unit)
    family, size = _of(kind.unit)
    total = value * size
    for name, worth in reversed(family.items()):
        if total % worth == 0:
            return f"{_plain(total / worth)}{name}"
    return f"{_plain(value)}{kind.unit}"


def words(text: str) -> list[str]:
    """Split a list of names as the server does: at commas, names in lower case unless quoted."""
    found = []
    for quoted, bare in re.findall(r'"((?:[^"]|"")*)"|([^,"\s]+)', text):
        found.append(quoted.replace('""', '"') if quoted else bare.lower())
    return found


def _switch(text: str) -> bool:
    word = text.strip().lower()
    # The server takes any beginning that says which of them is meant; a lone "o" does not.
    if word and word != "o":
        if any(one.startswith(word) for one in _ON):
            return True
        if any(one.startswith(word) for one in _OFF):
            return False
    raise ValueError(f"{text!r} is neither on nor off")


def _of(unit: str) -> tuple[dict[str, int], int]:
    """Give the family of a unit such as ``8kB``, and its size in the family's smallest one."""
    match = _UNIT.fullmatch(unit)
    for family in _FAMILIES:
        if match is not None and match["name"] in family:
            return family, int(match["count"] or 1) * family[match["name"]]
    raise ValueError(f"unknown unit {unit}")


def _decimal(text: str, *, octal: bool) -> Decimal:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if digits[:2] in ("0x", "0X"):
        return Decimal(sign * int(digits, 16))
    if octal and len(digits) > 1 and digits.startswith("0") and digits.isdigit():
        try:
            return Decimal(sign * int(digits, 8))
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
    return sign * Decimal(digits)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
