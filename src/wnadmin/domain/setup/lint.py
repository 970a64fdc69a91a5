"""What must not be in a setup file or migration: whatever psql, Flyway and one transaction do not agree on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.setup.glance import ALONE, TRANSACTION
from wnadmin.domain.setup.scan import Lines, Token, tokens
from wnadmin.domain.setup.split import split


@dataclass(frozen=True, slots=True)
class Problem:
    """Something at ``file``:``line`` that stops the file from being run; ``rule`` is its stable name."""

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


_VARIABLE: Final = re.compile(r":'\w+'|:\"\w+\"")


def lint(file: str, text: str) -> list[Problem]:
    """List what is wrong in ``text``, in the order of its lines; ``file`` is only repeated in the problems."""
    lines = Lines(text)
    visible = _without_copy_data(text)
    pieces = list(tokens(visible))
    found = [
        Problem(file, line, rule, message)
        for line, rule, message in (*_lexical(text, pieces, lines), *_statements(visible, pieces))
    ]
    # One line may hold the same trap several times; once is enough to find it.
    return sorted(dict.fromkeys(found), key=lambda one: (one.line, one.rule))


def _lexical(text: str, pieces: Sequence[Token], lines: Lines) -> Iterator[tuple[int, str, str]]:
    if text.startswith("\ufeff"):
        yield 1, "byte-order-mark", "the file begins with a byte order mark, which the server does not accept"
    if (at := text.find("\0")) >= 0:
        yield lines.at(at), "nul", "a NUL character, which PostgreSQL text cannot hold"
    for match in re.finditer(r"\$\{", text):
        yield (
            lines.at(match.start()),
            "placeholder",
            "'${' is a placeholder to Flyway, also in comments and strings; write it otherwise",
        )
    previous = ""
    for at, token in enumerate(pieces):
        if token.open:
            yield lines.at(token.start), "unterminated", f"this {_WHAT[token.kind]} is never closed"
        elif token.kind == "other" and token.text == "\\":
            word = "".join(one.text for one in pieces[at : at + 2]).rstrip()
            yield lines.at(token.start), "psql", f"psql meta-command {word}: only psql understands it"
        elif token.kind in ("string", "quoted") and previous == ":" and _VARIABLE.fullmatch(f":{token.text}"):
            yield lines.at(token.start), "psql", f"psql variable :{token.text}: only psql fills it in"
        previous = token.text if previous != ":" else ""


_WHAT: Final = {"comment": "comment", "dollar": "dollar quote", "string": "string", "quoted": "quoted name"}


def _statements(text: str, pieces: Sequence[Token]) -> Iterator[tuple[int, str, str]]:
    for one in split(text, pieces):
        first = one.words[0] if one.words else ""
        line = " ".join(one.words)
        if first in TRANSACTION or line.startswith(("START TRANSACTION", "PREPARE TRANSACTION")):
            name = TRANSACTION.get(first) or " ".join(line.split()[:2])
            yield one.line, "transaction", f"{name} ends or begins a transaction; a file runs in one as a whole"
        for pattern, name in ALONE:
            if re.match(pattern, line):
                yield one.line, "not-in-transaction", f"{name} cannot run inside a transaction"
                break
        if first == "COPY" and re.search(r"\b(FROM STDIN|TO STDOUT)\b", line):
            yield one.line, "copy", "COPY with the client needs psql; write INSERT instead"


def _without_copy_data(text: str) -> str:
    r"""Blank out the lines between COPY … FROM STDIN and ``\.``: they are data, not SQL. Positions stay."""
    pieces: list[str] = []
    at = 0
    while True:
        start = _copy_end(text, at)
        if start is None:
            return "".join((*pieces, text[at:]))
        data = text.find("\n", start) + 1 or len(text)
        end_mark = re.compile(r"^\\\.\r?$", re.MULTILINE).search(text, data)
        end = end_mark.end() if end_mark else len(text)
        pieces += [text[at:data], re.sub(r"[^\n]", " ", text[data:end])]
        at = end


def _copy_end(text: str, at: int) -> int | None:
    if not re.search(r"\bstdin\b", text[at:], re.IGNORECASE):
        return None
    for one in split(text[at:]):
        if one.words[:1] == ("COPY",) and re.search(r"\bFROM STDIN\b", " ".join(one.words)):
            return at + one.end
    return None
