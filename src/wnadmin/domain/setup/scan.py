"""Reading SQL as psql's lexer does: what is a word, what is quoted, where a statement ends.

sqlparse guesses at statement ends from keywords and cuts some function bodies in two; here only the lexical rules
of PostgreSQL are used (nested comments, dollar quotes, ``E''`` strings, parentheses, ``BEGIN ATOMIC`` bodies), with
``standard_conforming_strings`` on. So a file has as many statements as the server gives results.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

Kind = Literal["space", "comment", "dollar", "string", "quoted", "word", "number", "other"]

_KINDS: Final[Mapping[str, Kind]] = {
    "space": "space",
    "word": "word",
    "comment": "comment",
    "string": "string",
    "quoted": "quoted",
    "dollar": "dollar",
    "number": "number",
    "other": "other",
    "open_string": "string",
    "open_quoted": "quoted",
    "open_dollar": "dollar",
}

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+)
      | (?P<word>(?![eEbBxXnN]'|[uU]&['"])[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
      | (?P<comment>--[^\r\n]*)
      | (?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*' | [eE]'(?:[^'\\]|\\.|'')*')
      | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
      | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$)
      | (?P<number>\$?[0-9][0-9A-Za-z_.]*)
      | (?P<block>/\*)
      | (?P<open_string>(?:[eEbBxXnN]|[uU]&)?'.*)
      | (?P<open_quoted>(?:[uU]&)?".*)
      | (?P<open_dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$.*)
      | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE: Final = re.compile(r"/\*|\*/")


class Token(NamedTuple):
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
        for match in _TOKEN.finditer(text, at):
            name, start, at = match.lastgroup or "other", match.start(), match.end()
            if name == "block":
                at, unfinished = _block_end(text, at)
                yield Token("comment", text[start:at], start, at, unfinished)
                # The pattern knows no nesting: go on behind the comment.
                break
            unfinished = name.startswith("open_")
            yield Token(_KINDS[name], match[0], start, at, unfinished)


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
