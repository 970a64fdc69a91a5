"""How wide each column of a table is drawn: so that it fits, breaks few words, and is not taller than need be.

Computed here and not by rich, which crops a table that cannot fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from wnadmin.render import fold

GAP: Final = 2
"""Cells between two columns."""
RIGID: Final = 40
"""A number, time or identifier up to this long is never broken."""
FLEXIBLE: Final = 14
"""A column of text may be narrowed to this many cells before the table becomes records."""
_SAMPLE: Final = 60
"""Rows, spread over a long table, that decide for all."""
_PICKED: Final = (0.3, 0.6, 0.9, 1.0)
"""Of the cells that need more than a line, the lengths that are tried: from short to long."""
_HIDDEN: Final = 0.1
_SLACK: Final = 1.15
_MANY: Final = 5
"""So many columns at least may be better read as records."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column to be drawn; a rigid one is not broken while there is another way."""

    title: str
    right: bool = False
    rigid: bool = False


def fit(heads: Sequence[Head], columns: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Choose the widths of columns with these cells.

    None if not even broken words make them fit, or if they would be so tall that records are easier to read.
    """
    room = width - GAP * (len(heads) - 1) - (1 if len(heads) > 1 else 0)
    natural = [
        max(widest(head.title), *(widest(cell) for cell in cells), 2) if cells else max(widest(head.title), 2)
        for head, cells in zip(heads, columns, strict=True)
    ]
    if sum(natural) <= room:
        return natural
    sample = max(-(-max(map(len, columns), default=0) // _SAMPLE), 1)
    sampled = [column[::sample] for column in columns]
    tried = [_shared(sampled, natural, least, room) for least in _least(heads, columns, natural) if sum(least) <= room]
    best = min(tried, key=lambda widths: _price(sampled, widths, 1.3), default=None)
    if best is not None and len(heads) >= _MANY and _price(sampled, best, 2) > _records(heads, sampled, width):
        return None
    return best


def names_of(heads: Sequence[Head], width: int) -> int:
    """Give the cells for the names of columns where each row is a record."""
    return min(max(widest(head.title) for head in heads), width // 3)


def widest(text: str) -> int:
    """Give the cells of the longest line."""
    return max((cell_len(line) for line in text.split("\n")), default=0)


def _least(heads: Sequence[Head], columns: Sequence[Sequence[str]], natural: Sequence[int]) -> list[list[int]]:
    """Give the least widths, from the ones that break no word to those that break every one."""
    rigid = [head.rigid and wish <= RIGID for head, wish in zip(heads, natural, strict=True)]
    found = []
    for longest, most in ((fold.words, RIGID), (fold.pieces, RIGID), (fold.pieces, FLEXIBLE)):
        least = []
        for head, cells, wish, stiff in zip(heads, columns, natural, rigid, strict=True):
            title = min(longest(head.title), most)
            inside = max(map(widest, cells), default=0) if stiff else max(map(longest, cells), default=0)
            least.append(min(wish, max(title, inside if stiff else min(inside, most), 2)))
        found.append(least)
    return found


def _shared(columns: Sequence[Sequence[str]], natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Share out the room, each time where it takes away the most lines a cell, until no more lines can be spared."""
    cells = [_lengths(column) for column in columns]
    widths = list(least)
    taken = [_lines(column, width) for column, width in zip(cells, widths, strict=True)]
    while sum(widths) < room:
        best: tuple[float, int, int, list[int]] | None = None
        for n, column in enumerate(cells):
            others = [max(row) for row in zip(*(taken[:n] + taken[n + 1 :]), strict=True)] or [1] * len(column)
            before = _cost(taken[n], others)
            for width in _useful(column, widths[n], min(natural[n], widths[n] + room - sum(widths))):
                lines = _lines(column, width)
                gain = (before - _cost(lines, others)) / (width - widths[n])
                if gain > 0 and (best is None or gain > best[0]):
                    best = (gain, n, width, lines)
        if best is None:
            break
        _, n, widths[n], taken[n] = best
    while sum(widths) < room and (open_ := [n for n, wish in enumerate(natural) if widths[n] < wish]):
        # Words do not fill a line to its end: who is broken into the most lines gets what is left over.
        widths[max(open_, key=lambda n: natural[n] / widths[n])] += 1
    return widths


def _price(columns: Sequence[Sequence[str]], widths: Sequence[int], broken_word: float) -> float:
    """Give the lines of all rows, about as many as they will be with words kept whole, more for each that is not."""
    lines = [_lines(_lengths(column), width) for column, width in zip(columns, widths, strict=True)]
    broken = sum(fold.words(cell) > width for column, width in zip(columns, widths, strict=True) for cell in column)
    tallest: list[int] = [max(row) for row in zip(*lines, strict=True)]
    return _SLACK * sum(tallest) + broken_word * broken


def _records(heads: Sequence[Head], columns: Sequence[Sequence[str]], width: int) -> int:
    """Give the lines of all rows as records: one for its number, those of its cells, and one between two of them."""
    values = max(width - names_of(heads, width) - GAP - 1, 1)
    return sum(sum(_lines(_lengths(column), values)) for column in columns) + 2 * len(columns[0])


def _lengths(column: Sequence[str]) -> list[list[int]]:
    return [[cell_len(line) for line in cell.split("\n")] for cell in column]


def _lines(column: Sequence[Sequence[int]], width: int) -> list[int]:
    """Give the lines that each cell takes, as if words could be broken anywhere."""
    return [
        (-(-cell[0] // width) or 1) if len(cell) == 1 else sum(-(-length // width) or 1 for length in cell)
        for cell in column
    ]


def _cost(lines: Sequence[int], others: Sequence[int]) -> float:
    """Give the lines of all rows, and a little for each line of this column that is hidden beside a longer cell."""
    return sum(map(max, lines, others)) + _HIDDEN * sum(lines)


def _useful(column: Sequence[Sequence[int]], width: int, most: int) -> list[int]:
    """Give the wider widths at which some of these cells would take a line less."""
    lengths = sorted({length for cell in column for length in cell if length > width})
    picked = {lengths[int(part * (len(lengths) - 1))] for part in _PICKED} if lengths else set()
    found = set()
    for length in picked:
        now = -(-length // width)
        found |= {-(-length // lines) for lines in (now - 1, now // 2, 1)}
    return sorted(one for one in found if width < one <= most)
