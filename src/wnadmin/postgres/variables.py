"""psql's variables in bundled SQL: ``:'name'`` is a literal, ``:"name"`` an identifier.

The text that runs is the text psql would send for ``psql -v name=value``: plain values become quoted literals.
A Personal or Secret value is bound as a parameter instead, and every use is cast in the file (``:'email'::text``),
so the server sees the same types either way. Variables inside quotes, dollar quotes, quoted identifiers and
comments are left alone, as psql leaves them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from wnadmin.errors import UsageError
from wnadmin.results import Value
from wnadmin.secret import MASK, Personal, Secret

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\uffff][\w]*|)\$.*?\$(?P=tag)\$)
      | (?P<estring>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*')
      | (?P<string>'(?:[^']|'')*')
      | (?P<ident>"(?:[^"]|"")*")
      | (?P<cast>::)
      | (?P<literal>:'(?P<lname>\w+)')
      | (?P<quoted>:"(?P<qname>\w+)")
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """``query`` with ``%s`` markers for ``bound`` (or none and no doubling of ``%``), and ``shown`` for people."""

    query: str
    bound: tuple[str, ...]
    shown: str


def names(text: str) -> tuple[str, ...]:
    """List the variables a bundled text uses, each once, in order of first use."""
    found: dict[str, None] = {}
    for match in _TOKEN.finditer(text):
        if name := match["lname"] or match["qname"]:
            found[name] = None
    return tuple(found)


def render(text: str, values: Mapping[str, Value], where: str = "the statement") -> Rendered:
    """Fill in the variables as psql does; a missing or unused one is a UsageError."""
    # Reading a long text token by token takes longer than many a server needs to run it.
    plain_text = ":'" not in text and ':"' not in text
    wanted = () if plain_text else names(text)
    if missing := [name for name in wanted if name not in values]:
        raise UsageError(f"{where} needs a value for {', '.join(missing)}", next=f"Give it as {missing[0]}=VALUE.")
    if unused := [name for name in values if name not in wanted]:
        raise UsageError(
            f"{where} has no variable {', '.join(unused)}", next=f"It takes: {', '.join(wanted) or 'none'}."
        )
    if plain_text:
        return Rendered(text, (), text)
    bound: list[str] = []
    binds = any(isinstance(values[name], (Personal, Secret)) for name in wanted)
    query: list[str] = []
    shown: list[str] = []

    def put(piece: str, display: str | None = None) -> None:
        query.append(piece.replace("%", "%%") if binds else piece)
        shown.append(piece if display is None else display)

    at = 0
    for match in _TOKEN.finditer(text):
        put(text[at : match.start()])
        at = match.end()
        if match["literal"]:
            value = values[match["lname"]]
            if isinstance(value, Secret):
                bound.append(value.reveal())
                query.append("%s")
                shown.append(f"'{MASK}'")
            elif isinstance(value, Personal):
                bound.append(value.value)
                query.append("%s")
                shown.append(literal(value.value))
            else:
                put(literal(plain(value)))
        elif match["quoted"]:
            put(identifier(plain(values[match["qname"]])))
        else:
            put(match[0])
    put(text[at:])
    return Rendered("".join(query), tuple(bound), "".join(shown))


def plain(value: Value) -> str:
    """Give the text that ``psql -v`` would be given; None becomes '', which the files read as absence."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Personal, Secret)):
        raise TypeError("a personal or secret value is bound, not inlined")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (date, UUID)):
        return str(value)
    return str(value)


def literal(value: str) -> str:
    """Quote as libpq's PQescapeLiteral does."""
    if "\0" in value:
        raise UsageError("a value holds a NUL character, which PostgreSQL text cannot hold")
    quoted = value.replace("'", "''")
    if "\\" in quoted:
        return " E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def identifier(value: str) -> str:
    """Quote as libpq's PQescapeIdentifier does."""
    if "\0" in value or not value:
        raise UsageError("an identifier is empty or holds a NUL character")
    return '"' + value.replace('"', '""') + '"'
