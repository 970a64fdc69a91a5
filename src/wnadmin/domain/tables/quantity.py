"""Sizes as an operator types and reads them, and names as a GRANT wants them."""

from __future__ import annotations

import re

from wnadmin.errors import UsageError

_SIZE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-zA-Z]*)\s*")
_BARE = re.compile(r"[a-z_][a-z0-9_]*")
_UNITS = {"": 0, "b": 0, "bytes": 0, "k": 1, "kb": 1, "kib": 1, "m": 2, "mb": 2, "mib": 2, "g": 3, "gb": 3, "gib": 3}
_UNITS |= {"t": 4, "tb": 4, "tib": 4}


def size(text: str, option: str) -> int:
    """Read ``64kB``, ``1 GB`` or ``0`` as bytes, in PostgreSQL's powers of 1024; UsageError names ``option``."""
    match = _SIZE.fullmatch(text)
    if match is None or match["unit"].lower() not in _UNITS:
        raise UsageError(f"{option} {text}: this is not a size", next=f"Write it as {option} 64MB or {option} 0.")
    return int(float(match["number"]) * 1024 ** _UNITS[match["unit"].lower()])


def shown(count: int) -> str:
    """A size in a sentence."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def quoted(name: str) -> str:
    """A role or schema as it is written in a GRANT."""
    return name if _BARE.fullmatch(name) else '"' + name.replace('"', '""') + '"'
