"""The statements of a SQL file, each with the line on which it begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wnadmin.domain.setup.scan import Lines, Token, tokens


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: ``text`` without its semicolon, 1-based ``line``, and its span of characters in the file.

    ``words`` are its unquoted words in upper case, comments left out.
    """

    text: str
    line: int
    start: int
    end: int
    words: tuple[str, ...] = ()

    def excerpt(self, lines: int = 6, width: int = 160) -> str:
        """Give the first lines, for an error message."""
        rows = self.text.splitlines()
        shown = [row if len(row) <= width else f"{row[: width - 1]}…" for row in rows[:lines]]
        if len(rows) > lines:
            shown.append(f"… ({len(rows) - lines} more lines)")
        return "\n".join(shown)


def split(text: str, pieces: Iterable[Token] | None = None) -> list[Statement]:
    """Cut ``text`` at the semicolons that end statements; what holds only blanks and comments is no statement.

    ``pieces`` are its tokens, where they are known already.
    """
    lines = Lines(text)
    found: list[Statement] = []
    words: list[str] = []
    begin = -1
    parens = body = 0

    def close(end: int) -> None:
        nonlocal begin
        if begin >= 0:
            found.append(Statement(text[begin:end].rstrip(), lines.at(begin), begin, end, tuple(words)))
        begin = -1
        words.clear()

    for token in pieces if pieces is not None else tokens(text):
        if token.kind in ("space", "comment"):
            continue
        if token.kind == "word":
            word = token.text.upper()
            if parens == 0 and _may_have_body(words):
                # CREATE FUNCTION … BEGIN ATOMIC … END holds statements of its own; CASE has an END, too.
                if word == "BEGIN" or (body and word == "CASE"):
                    body += 1
                elif word == "END" and body:
                    body -= 1
            words.append(word)
        elif token.text == "(":
            parens += 1
        elif token.text == ")":
            parens = max(0, parens - 1)
        elif token.text == ";" and parens == 0 and body == 0:
            close(token.start)
            continue
        if begin < 0:
            begin = token.start
    close(len(text))
    return found


def _may_have_body(words: Sequence[str]) -> bool:
    if not words or words[0] != "CREATE":
        return False
    rest = words[3:4] if list(words[1:3]) == ["OR", "REPLACE"] else words[1:2]
    return list(rest) in (["FUNCTION"], ["PROCEDURE"])


def statement_at(statements: Sequence[Statement], position: int) -> Statement | None:
    """Find the statement that holds the 0-based character ``position``; None when it is between statements."""
    for one in statements:
        if one.start <= position <= one.end:
            return one
    return None
