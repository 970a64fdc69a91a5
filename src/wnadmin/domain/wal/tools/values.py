"""What is known of a backup that another tool keeps, whichever tool it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

UNKNOWN: Final = "unknown"
"""Stands where a tool did not say it; the empty string means that there is none."""

STRANGE: Final = "it lists what is not understood"


@dataclass(frozen=True)
class Kept:
    """One backup in a tool's catalogue.

    ``kind`` is full, differential, incremental or unknown. ``bytes`` is what the backup takes where it is kept,
    without the WAL beside it. ``first_wal`` and ``last_wal`` are the segments it needs to be consistent.
    ``trouble`` is why it is not to be relied on, in the tool's words; empty when it is good.
    """

    tool: str
    name: str
    """The stanza, the server or the prefix."""
    label: str
    kind: str
    started: datetime | None
    finished: datetime | None
    first_wal: str
    last_wal: str
    bytes: int | None
    trouble: str


@dataclass(frozen=True)
class Seen:
    """What an installed tool answered.

    ``kept`` is by name, the newest first. ``archive_first`` and ``archive_last`` are the first and the last segment
    in its archive: empty when there is none; unknown when that could not be read, and when it keeps the archives of
    several clusters, whose segments have no common order. ``trouble`` is why it could not be read, wholly or in part,
    or that it has nothing, in its own words; else empty.
    """

    tool: str
    version: str
    kept: tuple[Kept, ...]
    archive_first: str
    archive_last: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one tool's adapter hands over; ``absent`` are the names asked for that it does not have, and its words."""

    seen: Seen
    absent: Mapping[str, str] = field(default_factory=dict)


def found(
    tool: str,
    version: str,
    *,
    kept: list[Kept] | None = None,
    archives: list[tuple[str, str]] | None = None,
    troubles: list[str] | None = None,
    absent: Mapping[str, str] | None = None,
) -> Found:
    """Put together what was read; ``archives`` are the first and last segment of each archive, None when unread."""
    first, last = ("", "") if archives == [] else (UNKNOWN, UNKNOWN)
    if archives is not None and len(archives) == 1:
        first, last = archives[0]
    return Found(
        Seen(tool, version, tuple(kept or []), first, last, "; ".join(dict.fromkeys(troubles or []))), absent or {}
    )
