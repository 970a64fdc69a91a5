"""JSON that somebody else wrote: what is missing or of another kind is unknown, and nothing here raises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.wal.tools.values import UNKNOWN

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_FIRST_YEAR: Final = 1970


def document(text: str) -> tuple[object, bool]:
    """Read one JSON document; the flag says whether it is one."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None, False
    return value, True


def inside(value: object, *keys: str) -> object:
    """Go down into nested objects; None where there is nothing."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def objects(value: object) -> list[Mapping[str, object]]:
    """Give the objects of a list, and of nothing else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def strange(value: object) -> bool:
    """Whether this is something else than a list of objects."""
    return not isinstance(value, list) or not all(isinstance(one, dict) for one in value)


def texts(value: object) -> list[str]:
    """Give the strings of a list, and of nothing else."""
    return [_sound(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A string that is not empty, else unknown."""
    return _sound(value) if isinstance(value, str) and value else UNKNOWN


def number(value: object) -> int | None:
    """A whole number that is not negative, also one written as a string of digits."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def segment(value: object) -> str:
    """The name of a WAL segment, else unknown."""
    return value if isinstance(value, str) and _SEGMENT.fullmatch(value) else UNKNOWN


def moment(value: object) -> datetime | None:
    """Seconds since 1970, or ISO 8601 with an offset; a time that does not say its zone is unknown."""
    seconds = number(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            if read.tzinfo is not None and read.year >= _FIRST_YEAR:
                return read.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _sound(words: str) -> str:
    """JSON may hold half a surrogate pair, which no stream can print."""
    return words.encode(errors="replace").decode()
