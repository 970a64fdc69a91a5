"""The names of WAL files and what the small ones among them say. No I/O.

A segment is named by its timeline and its number, ``000000010000000A000000FE``: timeline 1, the 0xFE-th segment of
the 0xA-th 4 GiB, as long as segments have 16 MiB. Numbers here count segments from the beginning of all WAL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal

Kind = Literal["segment", "partial", "history", "backup"]

_NAME: Final = re.compile(
    r"(?P<timeline>[0-9A-F]{8})"
    r"(?:(?P<high>[0-9A-F]{8})(?P<low>[0-9A-F]{8})(?P<partial>\.partial)?(?P<backup>\.[0-9A-F]{8}\.backup)?"
    r"|(?P<history>\.history))"
    r"(?P<packed>\.(?:gz|zst|lz4|bz2|xz|lzma|br))?"
)
_LSN: Final = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_SWITCH: Final = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)(?:\s+(.*))?$")
_FACT: Final = re.compile(r"^([A-Z ]+): (.*)$")
_FILE: Final = re.compile(r"\(file ([0-9A-F]{24})\)")
_4_GIB: Final = 1 << 32


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A place in the WAL: a timeline, and the number of a segment on it."""

    timeline: int
    number: int

    def name(self, size: int) -> str:
        """Give its file name where segments have ``size`` bytes."""
        each = _4_GIB // size
        return f"{self.timeline:08X}{self.number // each:08X}{self.number % each:08X}"


@dataclass(frozen=True, slots=True)
class File:
    """What the name of a file in an archive says. ``number`` is 0 for a history; ``packed`` is its ending, if any."""

    kind: Kind
    timeline: int
    number: int = 0
    packed: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """An earlier timeline and the LSN (bytes) at which it was left."""

    timeline: int
    at: int


@dataclass(frozen=True, slots=True)
class Label:
    """A base backup as its history file tells of it: where it begins, and from where on it is consistent.

    ``base`` is the LSN of the backup that an incremental one builds on, '' for a full one.
    """

    label: str
    timeline: int
    start: int
    stop: int
    first: str
    last: str
    started: datetime | None
    finished: datetime | None
    base: str


def parse(name: str, size: int) -> File | None:
    """Read a file's name where segments have ``size`` bytes; None for a file that is none of WAL's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    timeline = int(match["timeline"], 16)
    packed = match["packed"] or ""
    if match["history"]:
        return File("history", timeline, 0, packed)
    each = _4_GIB // size
    low = int(match["low"], 16)
    if low >= each or timeline == 0 or (match["partial"] and match["backup"]):
        return None
    kind: Kind = "backup" if match["backup"] else "partial" if match["partial"] else "segment"
    return File(kind, timeline, int(match["high"], 16) * each + low, packed)


def lsn(text: str) -> int:
    """Read an LSN, ``A/FE000028``, as bytes since the beginning; ValueError when it is none."""
    match = _LSN.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return (int(match[1], 16) << 32) + int(match[2], 16)


def shown(position: int) -> str:
    """Write an LSN as PostgreSQL does."""
    return f"{position >> 32:X}/{position & (_4_GIB - 1):X}"


def history(text: str) -> tuple[Switch, ...]:
    """Read a timeline history file: the timelines before it, oldest first; ValueError when it is damaged."""
    found: list[Switch] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _SWITCH.match(line)
        if match is None:
            raise ValueError(line)
        found.append(Switch(int(match[1]), lsn(match[2])))
    if not found or any(one.timeline >= other.timeline for one, other in pairwise(found)):
        raise ValueError("no line, or timelines out of order")
    return tuple(found)


def label(text: str) -> Label:
    """Read a backup history file (``….backup`` in the archive); ValueError when it is damaged."""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        if match := _FACT.match(line):
            facts[match[1]] = match[2]
    try:
        start, stop = facts["START WAL LOCATION"], facts["STOP WAL LOCATION"]
        first, last = _FILE.search(start), _FILE.search(stop)
        if first is None or last is None:
            raise ValueError("no file")
        return Label(
            facts.get("LABEL", ""),
            int(facts["START TIMELINE"]),
            lsn(start.split()[0]),
            lsn(stop.split()[0]),
            first[1],
            last[1],
            _moment(facts, "START TIME"),
            _moment(facts, "STOP TIME"),
            facts.get("INCREMENTAL FROM LSN", ""),
        )
    except KeyError as error:
        raise ValueError(f"no {error.args[0]}") from None


def _moment(facts: Mapping[str, str], name: str) -> datetime | None:
    # In the server's log_timezone; only the abbreviation of UTC means the same everywhere.
    text, _, zone = facts.get(name, "").rpartition(" ")
    if zone not in ("UTC", "GMT"):
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
