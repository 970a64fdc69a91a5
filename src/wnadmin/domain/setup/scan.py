"""Reading SQL as psql's lexer does: what is a word, what is quoted, where a statement ends.

sqlparse guesses at statement ends from keywords and cuts some function bodies in two; here only the lexical rules
of PostgreSQL are used (nested comments, dollar quotes, ``E''`` strings, parentheses, ``BEGIN ATOMIC`` bodies), with
``standard_conforming_strings`` on. So a file has as many statements as the server gives results.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["space", "comment", "dollar", "string", "quoted", "word", "number", "other"]

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+)
      | (?P<comment>--[^\r\n]*)
      | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$)
      | (?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
      | (?P<estring>[eE]'(?:[^'\\]|\\.|'')*')
      | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
      | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
      | (?P<number>\$?[0-9][0-9A-Za-z_.]*)
      | (?P<block>/\*)
      | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL from ``start`` to ``end``; ``open`` is true when its closing quote or mark is missing."""

    kind: Kind
    text: str
    start: int
    end: int
    open: bool = False


def tokens(text: str) -> Iterator[Token]:
    """Give every piece of ``text`` in order, without gaps."""
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:  # the last alternative takes any character
            raise AssertionError(at)
        end, unfinished = match.end(), False
        kind: Kind
        if match["block"] is not None:
            kind = "comment"
            end, unfinished = _block_end(text, end)
        elif match["dollar"] is not None:
            kind = "dollar"
            close = text.find(match["dollar"], end)
            unfinished = close < 0
            end = len(text) if unfinished else close + len(match["dollar"])
        elif match["other"] is not None and match["other"] in "'\"":
            kind, end, unfinished = ("string" if match["other"] == "'" else "quoted"), len(text), True
        elif match["space"] is not None:
            kind = "space"
        elif match["comment"] is not None:
            kind = "comment"
        elif match["string"] is not None or match["estring"] is not None:
            kind = "string"
        elif match["quoted"] is not None:
            kind = "quoted"
        elif match["word"] is not None:
            kind = "word"
        elif match["number"] is not None:
            kind = "number"
        else:
            kind = "other"
        yield Token(kind, text[at:end], at, end, unfinished)
        at = end


def _block_end(text: str, at: int) -> tuple[int, bool]:
    depth = 1
    while depth:
        edge = _BLOCK_EDGE.search(text, at)
        if edge is None:
            return len(text), True
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at, False


class Lines:
    """The line number of a position in a text; a line ends at LF."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(self, position: int) -> int:
        """Give the 1-based line of the 0-based character ``position``."""
        return bisect_right(self._starts, position)
