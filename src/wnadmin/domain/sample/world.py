"""The sample world as numbers: which families, from which seed, between which days, in which batches.

The rows themselves are made by the server, from ``sql/changes/sample``: each value comes from a hash of the
seed and of the number of the family, so the same wish gives the same rows wherever it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from wnadmin import assets
from wnadmin.postgres.database import Database
from wnadmin.postgres.variables import Rendered, names, render
from wnadmin.results import Value

BATCH = 250
"""Families in one transaction: about 20,000 rows, well under a second or two."""

ACTIVITY = 4
"""Visits of a child, on average."""

YEARS = 10
"""The longest world: a child must still be a child at its end."""

FILES = ("accounts", "households", "activity", "billing", "trail")
"""What one batch runs, in this order, in one transaction."""


@dataclass(frozen=True, slots=True)
class Range:
    """Families ``first`` to ``last``, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def parse_ranges(text: str) -> tuple[Range, ...]:
    """Read what ``write_ranges`` wrote."""
    found = (part.partition("-") for part in text.split(",") if part)
    return tuple(Range(int(first), int(last)) for first, _, last in found)


def write_ranges(ranges: Sequence[Range]) -> str:
    """Write ranges as ``1-250,500-500``, for the ledger."""
    return ",".join(str(one) for one in ranges)


def chunks(ranges: Sequence[Range], size: int = BATCH) -> Iterator[Range]:
    """Cut ranges into pieces of at most ``size`` families."""
    for one in ranges:
        for first in range(one.first, one.last + 1, size):
            yield Range(first, min(first + size - 1, one.last))


@dataclass(frozen=True, slots=True)
class Wish:
    """Which world: families 1 to ``families`` of ``seed``, who lived from ``since`` to ``until`` (UTC days).

    ``activity`` is the average number of visits of a child; the rest of what it does follows from it.
    """

    families: int
    seed: int
    since: date
    until: date
    activity: int = ACTIVITY

    def values(self, part: Range) -> dict[str, Value]:
        """The variables of the bundled files for ``part`` of the world."""
        return {
            "seed": self.seed,
            "first": part.first,
            "last": part.last,
            "since": f"{self.since} 00:00:00+00",
            "until": f"{self.until} 00:00:00+00",
            "activity": self.activity,
            "families": self.families,
        }


def since(until: date, years: int) -> date:
    """The first day of a world of so many years; 29 February begins on the 28th."""
    year = until.year - years
    return date(year, 2, 28) if (until.month, until.day) == (2, 29) else until.replace(year=year)


def batch(db: Database, wish: Wish, part: Range) -> list[Rendered]:
    """The statements that load ``part``, ready to run in one transaction."""
    return [_rendered(db, f"changes/sample/{name}", wish, part) for name in FILES]


def load(db: Database, wish: Wish, part: Range) -> None:
    """Load the families of ``part``: all of them or, when anything fails, none."""
    _together(db, batch(db, wish, part))


def removal(db: Database, wish: Wish, part: Range) -> Rendered:
    """The statements that remove ``part``, ready to run in one transaction."""
    return _rendered(db, "changes/sample/remove", wish, part)


def remove(db: Database, wish: Wish, part: Range) -> None:
    """Remove the families of ``part`` with all that hangs on them."""
    _together(db, [removal(db, wish, part)])


def absent(db: Database, wish: Wish) -> tuple[Range, ...]:
    """Those of the wished families that are not in the database."""
    return tuple(db.rows("queries/sample/absent", Range, families=wish.families, seed=wish.seed))


def query(db: Database, name: str, wish: Wish, part: Range) -> dict[str, Value]:
    """The variables that the bundled query ``name`` takes."""
    values = wish.values(part)
    return {one: values[one] for one in names(assets.load(name, db.version).text)}


def _rendered(db: Database, name: str, wish: Wish, part: Range) -> Rendered:
    return render(assets.load(name, db.version).text, query(db, name, wish, part), name)


def _together(db: Database, statements: Sequence[Rendered]) -> None:
    with db.session.transaction():
        for one in statements:
            db.session.run(one.query, one.bound, doing="sample world")
