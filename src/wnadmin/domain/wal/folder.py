"""What an archive folder holds: which segments, which are missing, and how far each base backup reaches.

Read as plain files, by whoever runs wnadmin; nothing is opened but the small files and the first bytes of a few
segments.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from wnadmin.domain.wal import names
from wnadmin.domain.wal.names import Label, Segment, Switch

STAMP: Final = "WNADMIN_ARCHIVE"
"""The file that names the server whose archive a folder is; the shipped command copies nothing without it."""

_PART: Final = re.compile(r"\.[0-9A-Za-z._-]+\.\d+\.part")
_SYSTEM_AT: Final = 24
_MOST: Final = 65536
"""Bytes; a history or a label is far smaller."""


@dataclass(frozen=True, slots=True)
class Run:
    """Segments of one timeline without a hole between them; ``since`` and ``until`` are when those were written."""

    first: int
    last: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """One timeline in the folder.

    ``before`` are its forebears, None where its history file is missing or damaged; ``began`` is when that file was
    written, which a server does when it is promoted.
    """

    number: int
    runs: tuple[Run, ...]
    before: tuple[Switch, ...] | None
    began: datetime | None

    @property
    def segments(self) -> int:
        """How many there are."""
        return sum(one.last - one.first + 1 for one in self.runs)

    @property
    def missing(self) -> int:
        """How many are missing between the first and the last."""
        return sum(other.first - one.last - 1 for one, other in pairwise(self.runs))


@dataclass(frozen=True, slots=True)
class Base:
    """A base backup that the folder has a label of. ``file`` is the label's name."""

    file: str
    label: Label
    finished: datetime


@dataclass(frozen=True, slots=True)
class Reach:
    """How far WAL leads from a base backup without a hole.

    ``to`` is the last segment, None when not even the backup's own are whole; ``until`` is when that was archived.
    ``gap`` is the first segment that is missing though later ones are there.
    """

    to: Segment | None
    until: datetime | None
    gap: Segment | None


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found. ``owner`` is the system identifier in its stamp, '' without one.

    ``short`` are segments of a wrong size, ``foreign`` those of another server, ``needless`` partial segments whose
    whole content is in the next timeline, ``partials`` the others, ``leftovers`` what killed archive commands left,
    ``strange`` how many files are none of WAL's, ``damaged`` small files that cannot be read.
    """

    path: Path
    size: int
    owner: str = ""
    bytes: int = 0
    timelines: tuple[Timeline, ...] = ()
    bases: tuple[Base, ...] = ()
    short: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    partials: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    strange: int = 0

    @property
    def newest(self) -> Timeline | None:
        """The timeline with the highest number that has segments."""
        return next((one for one in reversed(self.timelines) if one.runs), None)

    def has(self, one: Segment) -> bool:
        """Whether this segment is there."""
        return any(run.first <= one.number <= run.last for run in self._runs(one.timeline))

    def gaps(self) -> Iterator[tuple[Segment, Segment]]:
        """Give the holes, as the first and the last segment that is missing.

        What lies on a branch that the newest timeline has left is no hole.
        """
        newest = self.newest
        way = self.ways(newest.number) if newest else {}
        for line in self.timelines:
            last = way.get(line.number)
            for one, other in pairwise(line.runs):
                if last is None or one.last < last:
                    yield Segment(line.number, one.last + 1), Segment(line.number, other.first - 1)
            yield from self._joints(line)

    def _joints(self, line: Timeline) -> Iterator[tuple[Segment, Segment]]:
        """The holes where a timeline leaves the one before it."""
        if not line.before or not line.runs:
            return
        switch = line.before[-1]
        number = switch.at // self.size
        earlier = [run for run in self._runs(switch.timeline) if run.first < number]
        if earlier and earlier[-1].last < number - 1:
            yield Segment(switch.timeline, earlier[-1].last + 1), Segment(switch.timeline, number - 1)
        if earlier and line.runs[0].first > number:
            yield Segment(line.number, number), Segment(line.number, line.runs[0].first - 1)

    def ways(self, timeline: int) -> dict[int, int | None]:
        """Give the timelines that lead to this one, and the last segment of each that is needed (None: all)."""
        line = next((one for one in self.timelines if one.number == timeline), None)
        way: dict[int, int | None] = {}
        if line is not None and line.before:
            # What the next timeline begins with is copied into its own first segment.
            way = {one.timeline: one.at // self.size - 1 for one in line.before}
        way[timeline] = None
        return way

    def reach(self, base: Base) -> Reach:
        """Follow the WAL from a base backup, on the newest timeline that comes after it."""
        number = base.label.start // self.size
        way = self.ways(self._destination(base))
        needed = (base.label.stop - 1) // self.size
        reached: tuple[Segment, datetime] | None = None
        for timeline, last in way.items():
            if timeline < base.label.timeline:
                continue
            while last is None or number <= last:
                run = next((one for one in self._runs(timeline) if one.first <= number <= one.last), None)
                if run is None:
                    gap = Segment(timeline, number)
                    return self._end(reached, needed, gap if self._continues(way, gap) else None)
                end = run.last if last is None else min(run.last, last)
                reached = Segment(timeline, end), run.until
                number = end + 1
        return self._end(reached, needed, None)

    def _end(self, reached: tuple[Segment, datetime] | None, needed: int, gap: Segment | None) -> Reach:
        if reached is None or reached[0].number < needed:
            return Reach(None, None, gap)
        return Reach(reached[0], reached[1], gap)

    def _destination(self, base: Base) -> int:
        """The newest timeline that goes on after this base backup; its own when none does."""
        for line in reversed(self.timelines):
            for one in line.before or ():
                if one.timeline == base.label.timeline and one.at >= base.label.stop:
                    return line.number
        return base.label.timeline

    def _continues(self, way: Mapping[int, int | None], gap: Segment) -> bool:
        """Whether something that lies behind this segment on the way is there."""
        for timeline, last in way.items():
            for run in self._runs(timeline):
                if timeline >= gap.timeline and run.last > gap.number and (last is None or run.first <= last):
                    return True
        return False

    def _runs(self, timeline: int) -> tuple[Run, ...]:
        return next((one.runs for one in self.timelines if one.number == timeline), ())


@dataclass(slots=True)
class _Found:
    segments: dict[int, dict[int, datetime]] = field(default_factory=dict)
    plain: dict[Segment, str] = field(default_factory=dict)
    histories: dict[int, tuple[tuple[Switch, ...], datetime]] = field(default_factory=dict)
    bases: list[Base] = field(default_factory=list)
    partials: dict[str, Segment] = field(default_factory=dict)
    short: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    strange: int = 0
    bytes: int = 0


def within(seconds: float, path: Path, size: int, system: str) -> Folder:
    """Read the folder as :func:`read` does; OSError also when it does not answer within ``seconds``.

    What hangs is left behind: nothing can end a look into a file system that is gone.
    """
    done: list[Folder | OSError] = []

    def look() -> None:
        try:
            done.append(read(path, size, system))
        except OSError as error:
            done.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise TimeoutError(errno.ETIMEDOUT, f"No answer within {seconds:g} s")
    if isinstance(done[0], OSError):
        raise done[0]
    return done[0]


def read(path: Path, size: int, system: str = "") -> Folder:
    """Read the folder where segments have ``size`` bytes; OSError when it cannot be.

    ``system`` is the server's identifier: with it the first and the last segment of each timeline are compared.
    """
    found = _Found()
    with os.scandir(path) as entries:
        for entry in entries:
            _file(found, entry, size)
    folder = Folder(
        path,
        size,
        owner(path),
        found.bytes,
        tuple(_timelines(found)),
        tuple(sorted(found.bases, key=lambda one: (one.label.timeline, one.label.start))),
        tuple(sorted(found.short)),
        leftovers=tuple(sorted(found.leftovers)),
        damaged=tuple(sorted(found.damaged)),
        strange=found.strange,
    )
    needless = [name for name, one in found.partials.items() if _superseded(folder, one)]
    return replace(
        folder,
        foreign=tuple(_foreign(folder, found, system)),
        needless=tuple(sorted(needless)),
        partials=tuple(sorted(found.partials.keys() - set(needless))),
    )


def owner(path: Path) -> str:
    """Give the system identifier in the folder's stamp, '' where there is none or it cannot be read."""
    try:
        return _small(path / STAMP).strip()
    except (OSError, ValueError):
        return ""


def _file(found: _Found, entry: os.DirEntry[str], size: int) -> None:
    if entry.name == STAMP or not entry.is_file(follow_symlinks=False):
        return
    if _PART.fullmatch(entry.name):
        found.leftovers.append(entry.name)
        return
    one = names.parse(entry.name, size)
    if one is None:
        found.strange += 1
        return
    try:
        state = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        # An old segment, removed while we look.
        return
    when = datetime.fromtimestamp(state.st_mtime, UTC)
    found.bytes += state.st_size
    if one.kind == "segment":
        if not one.packed and state.st_size != size:
            # What is not whole is not there.
            found.short.append(entry.name)
            return
        found.segments.setdefault(one.timeline, {})[one.number] = when
        if not one.packed:
            found.plain[Segment(one.timeline, one.number)] = entry.path
    elif one.kind == "partial":
        found.partials[entry.name] = Segment(one.timeline, one.number)
    elif one.packed:
        # A packed history counts as one that is there and says nothing.
        found.damaged.append(entry.name)
    else:
        _read(found, one, entry, when)


def _read(found: _Found, one: names.File, entry: os.DirEntry[str], when: datetime) -> None:
    try:
        text = _small(Path(entry.path))
        if one.kind == "history":
            found.histories[one.timeline] = names.history(text), when
        else:
            label = names.label(text)
            found.bases.append(Base(entry.name, label, _ended(label, when)))
    except (OSError, ValueError):
        found.damaged.append(entry.name)


def _ended(label: Label, archived: datetime) -> datetime:
    """When a base backup had ended for sure: its label knows the second only, and was archived after that."""
    if label.finished is None:
        return archived
    return max(label.finished, min(label.finished + timedelta(seconds=1), archived))


def _small(path: Path) -> str:
    # What stands under the name may be anything; a pipe must not stop a look.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a file")
        return file.read(_MOST).decode()


def _timelines(found: _Found) -> Iterator[Timeline]:
    for number in sorted({*found.segments, *found.histories}):
        # The first one has no history.
        before, began = found.histories.get(number, (() if number == 1 else None, None))
        yield Timeline(number, tuple(_runs(found.segments.get(number, {}))), before, began)


def _runs(segments: Mapping[int, datetime]) -> Iterator[Run]:
    current: Run | None = None
    for number in sorted(segments):
        if current is not None and number == current.last + 1:
            current = replace(current, last=number, until=segments[number])
            continue
        if current is not None:
            yield current
        current = Run(number, number, segments[number], segments[number])
    if current is not None:
        yield current


def _superseded(folder: Folder, one: Segment) -> bool:
    """Whether the timeline that follows has this part of the WAL in a whole segment."""
    for line in folder.timelines:
        for switch in line.before or ():
            later = Segment(line.number, one.number)
            if switch.timeline == one.timeline and switch.at // folder.size == one.number and folder.has(later):
                return True
    return False


def _foreign(folder: Folder, found: _Found, system: str) -> Iterator[str]:
    if not system:
        return
    for line in folder.timelines:
        ends: Sequence[int] = [number for run in line.runs[:1] + line.runs[-1:] for number in (run.first, run.last)]
        for number in sorted(set(ends)):
            path = found.plain.get(Segment(line.number, number))
            if path is not None and (seen := _system(path)) not in (system, ""):
                yield f"{Path(path).name} is of the server {seen}"


def _system(path: str) -> str:
    """The system identifier in a segment's first page, '' where it cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(_SYSTEM_AT + 8)
    except OSError:
        return ""
    return str(int.from_bytes(head[_SYSTEM_AT:], sys.byteorder, signed=True)) if len(head) == _SYSTEM_AT + 8 else ""
