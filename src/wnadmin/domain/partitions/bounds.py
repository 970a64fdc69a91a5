"""Stretches of time: what the catalog says of a partition, what a table's step is, what is missing.

All moments are in UTC; a ``date`` or a ``timestamp`` without zone is read as UTC. ``BEGINNING`` and ``END`` stand for
no bound.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)

TIMES: Final = ("timestamp with time zone", "timestamp without time zone", "date")
"""The types of a key that is time."""

_BOUND: Final = re.compile(r"FOR VALUES FROM \((MINVALUE|'[^']*')\) TO \((MAXVALUE|'[^']*')\)")
_LONGEST: Final = 63
_NEWEST: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From ``lower``, included, to ``upper``, not included."""

    lower: datetime
    upper: datetime

    def __str__(self) -> str:
        """Say it for people; moments at midnight are days."""
        return f"{told(self.lower)} to {told(self.upper)}"


def told(moment: datetime) -> str:
    """Say a moment in UTC for people."""
    if moment == BEGINNING:
        return "the beginning"
    if moment == END:
        return "the end"
    return f"{moment:%Y-%m-%d}" if moment.time() == time() else f"{moment:%Y-%m-%d %H:%M}Z"


def parse(bound: str) -> Span | None:
    """Read a bound as the catalog prints it in UTC; None for a default partition and for what is no single time."""
    match = _BOUND.fullmatch(bound)
    if match is None:
        return None
    try:
        lower, upper = (_moment(one) for one in match.groups())
    except ValueError:
        return None
    return Span(lower, upper)


def _moment(text: str) -> datetime:
    plain = text.strip("'")
    if text == "MINVALUE" or plain == "-infinity" or plain.endswith(" BC"):
        return BEGINNING
    if text == "MAXVALUE" or plain == "infinity" or re.match(r"\d{5}", plain):
        return END
    found = datetime.fromisoformat(plain)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def words(moment: datetime, key_type: str) -> str | None:
    """Write a moment as a literal of the key's type; None stands for MINVALUE or MAXVALUE."""
    if moment in (BEGINNING, END):
        return None
    if key_type == "date":
        return f"{moment:%Y-%m-%d}"
    fraction = f".{moment.microsecond:06d}" if moment.microsecond else ""
    zone = "+00" if key_type == "timestamp with time zone" else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}{zone}"


@dataclass(frozen=True, slots=True)
class Every:
    """The step of a table: so many months, or else so many days; ``anchor`` is where one of them begins."""

    months: int
    days: int
    anchor: datetime

    def __str__(self) -> str:
        """Say it for people."""
        count, unit = (self.months, "month") if self.months else (self.days, "day")
        if self.months == 12:
            count, unit = 1, "year"
        return unit if count == 1 else f"{count} {unit}s"

    def at(self, moment: datetime) -> Span:
        """Give the stretch that a moment is in."""
        if self.months:
            number = (_month(moment) - _month(self.anchor)) // self.months * self.months + _month(self.anchor)
            return Span(_of(number), _of(number + self.months))
        length = timedelta(days=self.days)
        lower = self.anchor + (moment - self.anchor) // length * length
        return Span(lower, lower + length)

    def between(self, start: datetime, end: datetime) -> Iterator[Span]:
        """Give the stretches from the one that ``start`` is in to the one before ``end``."""
        one = self.at(start)
        while one.lower < end:
            yield one
            one = self.at(one.upper)

    def before(self, moment: datetime) -> datetime:
        """Give the beginning of the stretch before that of a moment."""
        return self.at(self.at(moment).lower - timedelta(microseconds=1)).lower

    def suffix(self, moment: datetime) -> str:
        """Give the end of the name of the partition that a moment is in."""
        return f"{self.at(moment).lower:{'%Y_%m' if self.months else '%Y_%m_%d'}}"


MONTH: Final = Every(1, 0, datetime(2000, 1, 1, tzinfo=UTC))


def _month(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _of(number: int) -> datetime:
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def step(spans: Iterable[Span]) -> Every | None:
    """Tell a table's step from its newest partitions; None when they have none in common.

    Bounds that were written in another time zone miss midnight by some hours, and are taken for the nearest one.
    """
    finite = sorted(one for one in spans if one.lower != BEGINNING and one.upper != END)[-_NEWEST:]
    found: Counter[tuple[int, int]] = Counter()
    anchors: dict[tuple[int, int], datetime] = {}
    for one in finite:
        lower, upper = _midnight(one.lower), _midnight(one.upper)
        if lower.day == upper.day == 1 and _month(upper) > _month(lower):
            key = (_month(upper) - _month(lower), 0)
        else:
            key = (0, (upper - lower).days)
        if any(key):
            found[key] += 1
            anchors[key] = lower
    if not found:
        return None
    # Of two that are as frequent the one seen last.
    most = max(found.values())
    months, days = [key for key in anchors if found[key] == most][-1]
    return Every(months, days, anchors[months, days])


def _midnight(moment: datetime) -> datetime:
    near = moment + timedelta(hours=12)
    return datetime.combine(near.date(), time(), UTC)


def missing(every: Every, start: datetime, end: datetime, spans: Sequence[Span]) -> list[Span]:
    """Give what no partition covers of the stretches between two moments, each cut at the ends of a stretch."""
    found = []
    for one in every.between(start, end):
        at = one.lower
        for other in sorted(spans):
            if other.upper <= at or other.lower >= one.upper:
                continue
            if other.lower > at:
                found.append(Span(at, other.lower))
            at = max(at, other.upper)
        if at < one.upper:
            found.append(Span(at, one.upper))
    return found


def holes(spans: Sequence[Span]) -> list[Span]:
    """Give what lies between partitions and belongs to none."""
    found, at = [], None
    for one in sorted(spans):
        if at is not None and one.lower > at:
            found.append(Span(at, one.lower))
        at = one.upper if at is None else max(at, one.upper)
    return found


def reach(spans: Sequence[Span], now: datetime) -> datetime:
    """Say until when rows find a partition without a hole, from now on; now itself when this moment has none."""
    at = now
    for one in sorted(spans):
        if one.lower <= at < one.upper:
            at = one.upper
    return at


def name(table: str, every: Every, one: Span, taken: frozenset[str]) -> str:
    """Choose the name of a new partition, within PostgreSQL's 63 bytes; a taken one gets a number."""
    suffix = every.suffix(one.lower)
    number = 1
    while True:
        ending = f"_{suffix}" if number == 1 else f"_{suffix}_{number}"
        room = _LONGEST - len(ending)
        chosen = table.encode()[:room].decode(errors="ignore") + ending
        if chosen not in taken:
            return chosen
        number += 1


def period(text: str) -> date | None:
    """Read a month (``2027-03``) or a day; None for anything else."""
    try:
        return date.fromisoformat(f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text)
    except ValueError:
        return None
