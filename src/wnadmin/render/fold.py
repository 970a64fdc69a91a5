"""Where a line is broken that is too long: at a space, else inside a word behind a dot, an underscore or the like.

A word that fits on a line of its own is never broken; one that does not is broken at an unlucky letter only where it
has nothing better. Only the spaces at a break go; all else is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

_SOFT: Final = frozenset(".,;:_-/=@|&+)]}>")
"""A word may be broken behind one of these."""
_UNIT: Final = 3
_FIRST: Final = "."
"""What parts the names of an identifier, and is the best place if what follows then fits."""


def folded(text: Text, width: int) -> Text:
    """Give the text with newlines where it is to be broken for ``width`` cells."""
    if all(cell_len(line) <= width for line in text.plain.split("\n")):
        return text
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        spans = breaks(line.plain, width)
        lines += [line[start:end] for start, end in spans]
    found = Text("\n").join(lines)
    found.style = text.style
    return found


def breaks(line: str, width: int) -> list[tuple[int, int]]:
    """Give start and end of each part of one line; between two of them there are only spaces."""
    parts: list[tuple[int, int]] = []
    at = 0
    while (fits := _fits(line, at, width)) < len(line):
        end = _end(line, at, fits, width)
        parts.append((at, len(line[at:end].rstrip(" ")) + at))
        at = end
        while at < len(line) and line[at] == " ":
            at += 1
        if at == len(line):
            return parts
    return [*parts, (at, len(line))]


def pieces(text: str) -> int:
    """Give the cells of the longest piece that is not broken unless it must be."""
    return max((cell_len(piece) for word in text.split() for piece in _pieces(word)), default=0)


def words(text: str) -> int:
    """Give the cells of the longest word."""
    return max((cell_len(word) for word in text.split()), default=0)


def _pieces(word: str) -> Sequence[str]:
    found, begun = [], 0
    for place in range(1, len(word)):
        if _is_soft(word, place):
            found.append(word[begun:place])
            begun = place
    return [*found, word[begun:]]


def _end(line: str, at: int, fits: int, width: int) -> int:
    """Give the end of the line that begins at ``at`` and has room up to ``fits``."""
    if line[fits] == " " and not _is_unit(line, fits):
        return fits
    space = _space(line, at, fits)
    begins = space + 1 if space >= at else at
    ends = line.find(" ", fits)
    word = line[begins : ends if ends >= 0 else len(line)]
    if cell_len(word) <= width:
        return begins if begins > at else fits
    soft = [place for place in range(max(begins, at) + 1, fits + 1) if _is_soft(line, place)]
    if not soft:
        return begins if line[at:begins].strip(" ") else fits
    for place in reversed(soft):
        if line[place - 1] == _FIRST and cell_len(word[place - begins :]) <= width:
            return place
    return soft[-1]


def _space(line: str, at: int, end: int) -> int:
    """Give the last space between that does not part a number from its unit, else the last; -1 when there is none."""
    last = space = line.rfind(" ", at, end)
    while space > at and _is_unit(line, space):
        space = line.rfind(" ", at, space)
    return space if space > at and line[at:space].strip(" ") else last


def _is_unit(line: str, space: int) -> bool:
    """Say whether a short word behind this space tells what the number before it counts: ``60 %)``, ``10 GiB``."""
    end = line.find(" ", space + 1)
    word = line[space + 1 : end if end >= 0 else len(line)]
    return line[space - 1 : space].isdigit() and len(word.rstrip("),.;")) <= _UNIT and not word[:1].isdigit()


def _fits(line: str, at: int, width: int) -> int:
    """Give the end of what has room from ``at`` on: one character at least."""
    end, used = at, 0
    while end < len(line):
        used += cell_len(line[end])
        if used > width and end > at:
            break
        end += 1
    return end


def _is_soft(text: str, place: int) -> bool:
    """Say whether a word may be broken before ``place``: behind a soft sign, but not inside a number or a date."""
    sign = text[place - 1]
    if sign not in _SOFT or place >= len(text) or text[place] == " " or text[place] in _SOFT:
        return False
    return not (place > 1 and text[place - 2].isdigit() and text[place].isdigit())
