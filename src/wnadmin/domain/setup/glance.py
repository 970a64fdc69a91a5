"""A first look at a SQL file, which is all that most files need: can it hold anything that ``lint`` would find?

Reading every token takes a tenth of a second, of a setup that takes one or two. This blanks out what is quoted or
commented in one pass and looks at what remains; whatever it is not sure about is left to ``lint``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

TRANSACTION: Final[Mapping[str, str]] = {
    "BEGIN": "BEGIN",
    "COMMIT": "COMMIT",
    "END": "END",
    "ROLLBACK": "ROLLBACK",
    "ABORT": "ABORT",
    "SAVEPOINT": "SAVEPOINT",
    "RELEASE": "RELEASE SAVEPOINT",
}
"""First words that begin or end a transaction, and how they are called."""

ALONE: Final[Sequence[tuple[str, str]]] = (
    (r"VACUUM\b", "VACUUM"),
    (r"CREATE DATABASE\b", "CREATE DATABASE"),
    (r"DROP DATABASE\b", "DROP DATABASE"),
    (r"ALTER DATABASE\b.*\bSET TABLESPACE\b", "ALTER DATABASE … SET TABLESPACE"),
    (r"(CREATE|DROP) TABLESPACE\b", "a tablespace command"),
    (r"ALTER SYSTEM\b", "ALTER SYSTEM"),
    (r"CREATE (UNIQUE )?INDEX CONCURRENTLY\b", "CREATE INDEX CONCURRENTLY"),
    (r"DROP INDEX CONCURRENTLY\b", "DROP INDEX CONCURRENTLY"),
    (r"REINDEX\b.*\bCONCURRENTLY\b", "REINDEX CONCURRENTLY"),
    (r"REINDEX( VERBOSE| CONCURRENTLY)* (DATABASE|SYSTEM|SCHEMA)\b", "REINDEX of more than one table"),
    (r"ALTER TABLE\b.*\bDETACH PARTITION\b.*\b(CONCURRENTLY|FINALIZE)$", "DETACH PARTITION CONCURRENTLY"),
    (r"CLUSTER( VERBOSE)?$", "CLUSTER of all tables"),
    (r"(CREATE|DROP|ALTER) SUBSCRIPTION\b", "a subscription command"),
    (r"DISCARD ALL\b", "DISCARD ALL"),
)
"""Statements that cannot run inside a transaction: a pattern over their words in upper case, and their name."""

_MARK: Final = "\x01"
_LETTER: Final = r"A-Za-z_\x80-\U0010ffff"
_OPAQUE: Final = re.compile(
    rf"""--[^\r\n]*
      | (?<![{_LETTER}0-9$])[eE]'(?:[^'\\]|\\.|'')*'
      | (?:(?<![{_LETTER}0-9$])(?:[bBxXnN]|[uU]&))?(?<![eE])'(?:[^']|'')*'
      | (?:(?<![{_LETTER}0-9$])[uU]&)?"(?:[^"]|"")*"
      | (?<![{_LETTER}0-9$])\$(?P<tag>(?:[{_LETTER}][{_LETTER}0-9]*)?)\$.*?\$(?P=tag)\$
    """,
    re.VERBOSE | re.DOTALL,
)
# In 1.e'…' the letter is the number's, in a.e'…' the string's; behind a dollar it may be either's.
_UNSURE: Final = re.compile(r"""[.$](?:[eEbBxXnN]|[uU]&)['"]""")
# What is left of a quote, a block comment, psql's own words and variables.
_DOUBTFUL: Final = re.compile(rf"""['"\\]|/\*|\$(?![0-9])|(?<!:)(?:::)*:{_MARK}""")
_WORDS: Final = re.compile(rf"\$?[0-9][0-9A-Za-z_.]*|([{_LETTER}][{_LETTER}0-9$]*)")
_HEADS: Final = re.compile(
    "|".join(
        (
            rf"({'|'.join(TRANSACTION)})\b",
            r"(START|PREPARE) TRANSACTION",
            r"COPY\b",
            *(pattern for pattern, _ in ALONE),
        )
    )
)


def harmless(text: str) -> bool:
    """Whether ``lint`` would surely find nothing in ``text``; False says nothing."""
    if text.startswith("\ufeff") or "\0" in text or "${" in text or _MARK in text or _UNSURE.search(text):
        return False
    rest = _OPAQUE.sub(_MARK, text)
    if _DOUBTFUL.search(rest):
        return False
    # A semicolon in parentheses or in a body ends no statement; to take it for an end finds too much, never too little.
    return not any(_HEADS.match(_words(one)) for one in rest.split(";"))


def _words(text: str) -> str:
    return " ".join(filter(None, _WORDS.findall(text))).upper()
