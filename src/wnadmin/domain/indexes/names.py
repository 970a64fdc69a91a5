"""Find an index by what an operator types: ``schema.index``, quoted as in SQL or not, or its name alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from wnadmin.errors import UsageError

_PART = re.compile(r'"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>[^".]+)')


def parts(text: str) -> tuple[tuple[str, bool], ...]:
    """Split a possibly qualified name into (name, was quoted); a malformed one is a single unquoted name."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return ((text, False),)
        quoted = match["quoted"]
        found.append((quoted.replace('""', '"'), True) if quoted is not None else (match["bare"], False))
        at = match.end()
        if at < len(text):
            if text[at] != "." or at + 1 == len(text):
                return ((text, False),)
            at += 1
    return tuple(found) or ((text, False),)


def unquoted(name: str) -> tuple[str, ...]:
    """The names behind a shown name: ``s."a ""b"`` gives ``('s', 'a "b')``."""
    return tuple(part for part, _ in parts(name))


def find(text: str, known: Mapping[str, int]) -> int:
    """Give the id of the index that ``text`` names; ``known`` maps shown names to ids.

    What is not quoted matches as it is, or in lower case as in SQL. Raises UsageError with the near matches.
    """
    plain = {unquoted(name): (name, oid) for name, oid in known.items()}
    for wanted in _readings(text):
        hits = [(name, oid) for path, (name, oid) in plain.items() if path[-len(wanted) :] == wanted]
        if len(hits) == 1:
            return hits[0][1]
        if hits:
            raise UsageError(
                f"{text} is the name of {len(hits)} indexes",
                why=", ".join(sorted(name for name, _ in hits)),
                next="Name it with its schema.",
            )
    near = _near(text, known)
    raise UsageError(
        f"there is no index {text}",
        why="Indexes of partitions and of the system's own schemas count too, temporary ones do not."
        if not near
        else "",
        next=f"Did you mean {', '.join(near)}?" if near else "See `wnadmin indexes review --all`.",
    )


def _readings(text: str) -> Iterable[tuple[str, ...]]:
    split = parts(text)
    yield tuple(name for name, _ in split)
    yield tuple(name if quoted else name.lower() for name, quoted in split)
    # A name with dots in it that was typed without quotes.
    yield (text,)
    schema, _, rest = text.partition(".")
    if rest:
        yield (schema, rest)


def _near(text: str, known: Mapping[str, int]) -> Sequence[str]:
    by_last = {unquoted(name)[-1]: name for name in known}
    whole = get_close_matches(text, list(known), n=3)
    last = get_close_matches(parts(text)[-1][0], list(by_last), n=3)
    return list(dict.fromkeys([*whole, *(by_last[one] for one in last)]))[:3]
