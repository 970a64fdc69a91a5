"""One cell as text for a person and as data for a machine.

People: ``1.2 GiB``, ``3m 12s``, ``2026-01-31 08:00:00Z`` (whole seconds), ``yes``; nothing that could steer a
terminal. Machines: raw numbers in the column's unit, RFC 3339 with microseconds, seconds for durations.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID

from wnadmin.results import Cell, Unit
from wnadmin.secret import MASK, Personal, Secret

Data: TypeAlias = "str | int | float | bool | list[Data] | dict[str, Data] | None"
"""What JSON can hold."""

HIDDEN: Final = "\u2039personal\u203a"
"""Printed instead of a personal value that is not to be revealed."""

EXACT: Final = 2**53 - 1
"""The largest whole number that every JSON reader keeps; beyond it numbers travel as strings."""

# Spaces other than U+0020, and the two joiners that scripts and emoji need, are not "printable" to Python.
_KEPT: Final = frozenset(
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u200c\u200d"
)
_NAMED: Final = {"\t": "\\t", "\r": "\\r", "\n": "\\n"}

# Inside a JSON text these stand only within strings: C1, invisible and bidirectional characters, surrogates.
_UNSAFE_JSON: Final = re.compile(
    "[\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def visible(text: str, keep: str = "\n") -> str:
    """Replace what does not print by an escape that does (``\\x1b``, ``\\u202e``), except ``keep``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or c in _KEPT else _escape(c) for c in text)


def _escape(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_number(cell: Cell) -> bool:
    """Say whether the cell is a quantity, to be aligned to the right."""
    return isinstance(cell, int | float | Decimal | timedelta) and not isinstance(cell, bool)


def human(cell: Cell, unit: Unit = "", *, reveal: bool = True) -> str:
    """Give the cell as a person reads it, harmless to a terminal; None is empty, newlines are kept."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return visible(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float | Decimal):
        return quantity(cell, unit)
    if isinstance(cell, timedelta):
        return duration(Decimal(cell // timedelta(microseconds=1)) / 1_000_000)
    if isinstance(cell, datetime):
        return visible(moment(cell.replace(microsecond=0)).replace("T", " "))
    if isinstance(cell, Mapping | Sequence) and not isinstance(cell, bytes):
        return visible(json_text(machine(cell, reveal=reveal)))
    return visible(str(machine(cell, reveal=reveal)))


def machine(cell: object, *, reveal: bool = True) -> Data:
    """Give the cell as JSON data, exactly; what is no Cell (a driver may hand out an inet) as its text.

    Whole numbers beyond 2^53 - 1 and every Decimal are strings; NaN and the infinities are the strings
    ``NaN``, ``Infinity`` and ``-Infinity``, as PostgreSQL's to_json has them; a duration is in seconds.
    """
    if cell is None or isinstance(cell, str | bool):
        return cell
    if isinstance(cell, Secret):
        return MASK
    if isinstance(cell, Personal):
        return cell.value if reveal else HIDDEN
    if isinstance(cell, int):
        return int(cell) if abs(cell) <= EXACT else str(int(cell))
    if isinstance(cell, float):
        return float(cell) if math.isfinite(cell) else _odd(cell)
    if isinstance(cell, Decimal):
        return number(cell)
    if isinstance(cell, timedelta):
        return _seconds(cell)
    if isinstance(cell, datetime):
        return moment(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, UUID):
        return str(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return "\\x" + cell.hex()
    if isinstance(cell, Mapping):
        return {str(key): machine(value, reveal=reveal) for key, value in cell.items()}
    if isinstance(cell, Sequence):
        return [machine(value, reveal=reveal) for value in cell]
    return str(cell)


def flat(cell: Cell, *, reveal: bool = True) -> str | None:
    """Give the cell as one exact text for csv; None stays None, lists and maps are compact JSON."""
    data = machine(cell, reveal=reveal)
    if data is None or isinstance(data, str):
        return data
    return json_text(data)


def json_text(data: Data, indent: int | None = None) -> str:
    """Give JSON with invisible characters escaped, compact unless ``indent``; letters stay as they are."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)
    return _UNSAFE_JSON.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def moment(value: datetime) -> str:
    """Give RFC 3339 in UTC with Z; a time without a zone stays without one."""
    if value.tzinfo is None:
        return value.isoformat()
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # year 1 or 9999 at the edge
        return value.isoformat()


def number(value: int | float | Decimal) -> str:
    """Give every digit of an exact number; a float as far as ten significant ones."""
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else _odd(value)
    if isinstance(value, int):
        return str(int(value))
    if value.is_finite() and -100 < value.adjusted() < 100:
        return f"{value:f}"
    return str(value)


def quantity(value: int | float | Decimal, unit: Unit) -> str:
    """Give a number with its unit: ``1.2 GiB``, ``45 ms``, ``3d 4h``, ``99.5 %``, ``1,204``."""
    if not unit or not math.isfinite(value):
        return number(value)
    if unit == "bytes":
        return size(value)
    if unit == "ms":
        return duration(Decimal(value) / 1000)
    if unit == "s":
        return duration(Decimal(value))
    if unit == "rows":
        return f"{value:,.0f}" if not isinstance(value, int) else f"{value:,}"
    text = str(int(value)) if isinstance(value, int) else f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{text} {'%' if unit == '%' else 'd'}"


def size(value: int | float | Decimal) -> str:
    """Give a size in binary units, three significant digits or so: ``512 B``, ``1.2 GiB``, ``340 MiB``."""
    amount = abs(Decimal(value))
    sign = "-" if value < 0 else ""
    names = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    step = 0
    while step + 1 < len(names) and amount >= Decimal("1023.5"):
        amount /= 1024
        step += 1
    whole = step == 0 or amount >= 100
    return f"{sign}{amount:.0f} {names[step]}" if whole else f"{sign}{amount:.1f} {names[step]}"


def duration(seconds: Decimal) -> str:
    """Give a duration in one or two units: ``0.2 ms``, ``45 ms``, ``12.3 s``, ``3m 12s``, ``3d 4h``."""
    sign = "-" if seconds < 0 else ""
    amount = abs(seconds)
    if amount == 0:
        return "0 s"
    if amount < Decimal("0.0095"):
        return f"{sign}{amount * 1000:.1f} ms" if amount >= Decimal("0.00005") else f"{sign}<0.1 ms"
    if amount < Decimal("0.9995"):
        return f"{sign}{amount * 1000:.0f} ms"
    if amount < Decimal("59.95"):
        return f"{sign}{amount:.1f} s"
    minutes, second = divmod(int(amount.to_integral_value()), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        first, second_part = f"{days:,}d", f"{hour}h"
    elif hours:
        first, second_part = f"{hours}h", f"{minute}m"
    else:
        first, second_part = f"{minute}m", f"{second}s"
    return f"{sign}{first}" if second_part.startswith("0") else f"{sign}{first} {second_part}"


def _seconds(value: timedelta) -> int | float | str:
    micros = value // timedelta(microseconds=1)
    if micros % 1_000_000 == 0:
        return micros // 1_000_000
    # Below 2^53 microseconds (285 years) the shortest float text names exactly this microsecond.
    return micros / 1_000_000 if abs(micros) <= EXACT else number(Decimal(micros) / 1_000_000)


def _odd(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
