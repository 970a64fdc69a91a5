"""Lists of privileges as PostgreSQL prints them: read, compared, and put back in their old order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from wnadmin.domain.readonly.values import EVERYBODY, Listed, Privilege
from wnadmin.postgres.sql import SQL, Composable, Identifier

_LETTERS: Final = {
    "INSERT": "a", "SELECT": "r", "UPDATE": "w", "DELETE": "d", "TRUNCATE": "D", "REFERENCES": "x", "TRIGGER": "t",
    "EXECUTE": "X", "USAGE": "U", "CREATE": "C", "CONNECT": "c", "TEMPORARY": "T", "MAINTAIN": "m",
}  # fmt: skip
"""Privilege by privilege, the letter in a list."""

_KINDS: Final = {
    "table": SQL("TABLE"),
    "column": SQL("TABLE"),
    "sequence": SQL("SEQUENCE"),
    "schema": SQL("SCHEMA"),
    "database": SQL("DATABASE"),
    "function": SQL("ROUTINE"),
}

Entry = tuple[str, str, bool, str]
"""Grantee, letter, with grant option, grantor."""


def parse(text: str) -> frozenset[Entry]:
    """Read the text of a list, as ``{a=r/b,"c d"=w*/b}``; '' is an empty one."""
    found: set[Entry] = set()
    for item in _items(text.strip("{}")):
        grantee, rest = _name(item)
        letters, _, behind = rest.removeprefix("=").partition("/")
        grantor, _ = _name(behind)
        for at, letter in enumerate(letters):
            if letter != "*":
                found.add((grantee, letter, letters[at + 1 : at + 2] == "*", grantor))
    return frozenset(found)


def _items(text: str) -> Iterator[str]:
    """Undo the quoting of an array."""
    item, quoted, escaped = "", False, False
    for one in text:
        if escaped:
            item, escaped = item + one, False
        elif one == "\\":
            escaped = True
        elif one == '"':
            quoted = not quoted
        elif one == "," and not quoted:
            yield item
            item = ""
        else:
            item += one
    if item:
        yield item


def _name(text: str) -> tuple[str, str]:
    """Take the name at the beginning, which may be quoted as an identifier."""
    if not text.startswith('"'):
        cut = min((text.index(one) for one in "=/" if one in text), default=len(text))
        return text[:cut], text[cut:]
    name, at = "", 1
    while at < len(text):
        if text[at] == '"':
            if text[at + 1 : at + 2] != '"':
                break
            at += 1
        name += text[at]
        at += 1
    return name, text[at + 1 :]


def entries(privileges: Iterable[Privilege]) -> frozenset[Entry]:
    """Give privileges in the same form."""
    return frozenset((one.grantee, _LETTERS.get(one.privilege, "?"), one.grantable, one.grantor) for one in privileges)


def fenced(one: Listed) -> frozenset[Entry]:
    """What is left of a list when the fence has taken its part."""
    return entries(each for each in one.privileges if not each.taken)


# --- statements -------------------------------------------------------------------------------------------------


def take(one: Listed) -> list[Composable]:
    """Take away what lets change data."""
    found: list[Composable] = []
    for (grantor, grantee), group in _by_pair(each for each in one.privileges if each.taken):
        words = SQL("REVOKE {} ON {} FROM {}{}").format(
            _privileges(one, group), _object(one), _grantee(grantee), SQL(" CASCADE" if _any_grantable(group) else "")
        )
        found += _as(one, grantor, words)
    return found


def put_back(one: Listed) -> list[Composable]:
    """Write the whole list anew in its old order: a GRANT alone would put what was taken at the end."""
    found: list[Composable] = []
    names = dict.fromkeys([one.owner, *(each.grantee for each in one.privileges)])
    words = SQL(", ").join(_grantee(name) for name in names)
    if one.kind == "column":
        found.append(SQL("REVOKE ALL ({}) ON {} FROM {} CASCADE").format(Identifier(one.detail), _object(one), words))
    else:
        found.append(SQL("REVOKE ALL ON {} FROM {} CASCADE").format(_object(one), words))
    for (grantor, grantee), group in _by_pair(one.privileges):
        found += _grants(one, grantor, grantee, group)
    return found


def give(one: Listed, missing: Iterable[Privilege]) -> list[Composable]:
    """Give back single privileges, at the end of a list that somebody else has changed meanwhile."""
    found: list[Composable] = []
    for (grantor, grantee), group in _by_pair(missing):
        found += _grants(one, grantor, grantee, group)
    return found


def _grants(one: Listed, grantor: str, grantee: str, group: list[Privilege]) -> list[Composable]:
    found: list[Composable] = []
    for grantable in (True, False):
        some = [each for each in group if each.grantable is grantable]
        if some:
            ending = SQL(" WITH GRANT OPTION" if grantable else "")
            words = SQL("GRANT {} ON {} TO {}{}").format(
                _privileges(one, some), _object(one), _grantee(grantee), ending
            )
            found += _as(one, grantor, words)
    return found


def _by_pair(privileges: Iterable[Privilege]) -> list[tuple[tuple[str, str], list[Privilege]]]:
    return [(key, list(group)) for key, group in groupby(privileges, lambda each: (each.grantor, each.grantee))]


def _any_grantable(group: Iterable[Privilege]) -> bool:
    return any(each.grantable for each in group)


def _as(one: Listed, grantor: str, words: Composable) -> list[Composable]:
    # A superuser grants as the owner; what somebody else granted only that role takes and gives.
    if grantor == one.owner:
        return [words]
    return [SQL("SET LOCAL ROLE {}").format(Identifier(grantor)), words, SQL("SET LOCAL ROLE NONE")]


def _privileges(one: Listed, group: Iterable[Privilege]) -> Composable:
    words = [SQL(each.privilege) for each in group if each.privilege in _LETTERS]
    if one.kind == "column":
        return SQL(", ").join(SQL("{} ({})").format(each, Identifier(one.detail)) for each in words)
    return SQL(", ").join(words)


def _grantee(name: str) -> Composable:
    return SQL("PUBLIC") if name == EVERYBODY else Identifier(name)


def _object(one: Listed) -> Composable:
    name = Identifier(one.schema, one.name) if one.schema else Identifier(one.name)
    if one.kind == "function":
        # The catalog's own spelling of the arguments, quoted by it.
        return SQL("{} {}({})").format(_KINDS[one.kind], name, SQL(one.detail))
    return SQL("{} {}").format(_KINDS[one.kind], name)
