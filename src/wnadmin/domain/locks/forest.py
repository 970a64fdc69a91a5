"""``locks tree``: the forest drawn, one line a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby

from wnadmin.domain.locks.rows import Session, forest, people, target
from wnadmin.domain.sessions import words
from wnadmin.domain.sessions.sight import sight
from wnadmin.domain.sessions.words import QUERIES_NOTE, one_line
from wnadmin.postgres.database import Database
from wnadmin.render.cells import visible
from wnadmin.results import Cell, Column, Report, Table

DEEPEST = 12
"""Deeper levels are drawn no further to the right."""

ALIKE = 8
"""So many more that wait alike are told in one line, after the ``FIRST``."""
FIRST = 3

NOBODY = "nobody waits for a lock"

_COLUMNS = (Column("tree"), Column("pid"), Column("below"), Column("waited"), Column("what"))


def tree(db: Database, *, wide: bool = False, show_queries: bool = False) -> Report:
    """Draw who blocks whom, with counts for each tree."""
    found = forest(db, show_queries=show_queries)
    hidden = sum(one.hidden for one in found)
    return Report(
        "locks-tree",
        (_table(found, wide, show_queries),),
        notes=(
            *trees(found),
            *unseen(db, hidden),
            *(QUERIES_NOTE if show_queries and found else ()),
        ),
        next="wnadmin locks advise" if found else "",
        personal=show_queries,
    )


def trees(found: Sequence[Session]) -> tuple[str, ...]:
    """Say how many trees there are and how many each of them blocks: ``2 trees: 3 and 2 blocked``."""
    tops = [one for one in found if one.depth == 0]
    if not tops:
        return ()
    counts = [str(one.below) for one in tops[:10]]
    listed = counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])} and {counts[-1]}"
    more = f" (and {len(tops) - 10} more trees)" if len(tops) > 10 else ""
    waiting = [one for one in found if one.waiting]
    several = [one for one in waiting if len(one.roots) > 1]
    words = [
        f"{len(tops)} tree{'' if len(tops) == 1 else 's'}: {listed} blocked{more}; {people(len(waiting))} in all wait"
    ]
    if several:
        words.append(
            f"{people(len(several))} of these hang from several roots: each stands below one and counts below all."
        )
    if any(one.kind == "cycle" for one in tops):
        words.append("A root that waits itself is in a deadlock: the server ends one of it after deadlock_timeout.")
    return tuple(words)


def _table(found: Sequence[Session], wide: bool, show_queries: bool) -> Table:
    drawn = lines(found)
    left_out = {"session", *(column.name for column in _COLUMNS), *(() if show_queries else ("query",))}
    names = [one.name for one in fields(Session) if one.name not in left_out]
    rows = tuple((*_row(one, found, drawn), *(getattr(one, name) for name in names)) for one in found)
    shown = None if wide else _narrow(found, drawn, show_queries)
    return Table("forest", (*_COLUMNS, *(Column(name) for name in names)), rows, empty=NOBODY, shown=shown)


def _narrow(found: Sequence[Session], drawn: Mapping[int, str], show_queries: bool) -> Table:
    if not show_queries:
        return Table("forest", _COLUMNS, tuple(_folded(found, drawn)), empty=NOBODY)
    rows = tuple((*_row(one, found, drawn), one_line(one.query)) for one in found)
    return Table("forest", (*_COLUMNS, Column("query")), rows, empty=NOBODY)


def _row(one: Session, found: Sequence[Session], drawn: Mapping[int, str]) -> list[Cell]:
    return [drawn[one.key], one.pid, one.below, one.waited, _what(one, found)]


def _folded(found: Sequence[Session], drawn: Mapping[int, str]) -> Iterator[tuple[Cell, ...]]:
    """Give a row a session, but one for many that wait alike: nobody reads two hundred in a fire."""
    for _, group in groupby(found, key=_likeness):
        alike = list(group)
        many = len(alike) - FIRST
        for one in alike if many < ALIKE else alike[:FIRST]:
            yield tuple(_row(one, found, drawn))
        if many >= ALIKE:
            last = alike[-1]
            longest = max((one.waited for one in alike[FIRST:] if one.waited is not None), default=None)
            what = "; ".join(part for part in _waits(last, found, alone=False) if part)
            said = f"{many} more, waiting {words.age(longest)} at most: {what} (--wide lists each)"
            yield (drawn[last.key], None, 0, None, visible(said, keep=""))


def _likeness(one: Session) -> tuple[object, ...]:
    if one.below or one.depth == 0:
        return (one.key,)
    return (one.path[-2], one.kind, one.locktype, one.relation, one.object, one.wanted, one.held, one.ahead)


def unseen(db: Database, hidden: int) -> tuple[str, ...]:
    """Say what of ``hidden`` sessions of a forest was not seen, and what would show it."""
    return sight(db).notes(hidden, "state, query, start and age of the transaction") if hidden else ()


def lines(found: Sequence[Session]) -> Mapping[int, str]:
    """Draw the branches in front of each session, by key; ``found`` is in reading order."""
    left = Counter(one.path[-2] for one in found if len(one.path) > 1)
    drawn: dict[int, str] = {}
    open_at: list[bool] = []
    for one in found:
        if one.depth == 0:
            drawn[one.key], open_at = "●", []
            continue
        parent = one.path[-2]
        left[parent] -= 1
        more = left[parent] > 0
        del open_at[one.depth - 1 :]
        line = "".join("│" if bar else " " for bar in open_at) + ("├" if more else "└")
        drawn[one.key] = line if len(line) <= DEEPEST else f"…{line[-DEEPEST + 1 :]}"
        open_at.append(more)
    return drawn


def _who(one: Session) -> str:
    if one.pid is None:
        return f"{one.name} of {words.who(one.role, one.database, '')}"
    return words.who(one.role, one.database, one.application, one.backend_type)


def _what(one: Session, found: Sequence[Session]) -> str:
    words = _waits(one, found) if one.waiting else [situation(one), grip(one, found)]
    return visible(f"{_who(one)}: {'; '.join(part for part in words if part)}", keep="")


def _waits(one: Session, found: Sequence[Session], *, alone: bool = True) -> list[str]:
    if one.kind == "cycle":
        how = f"in a deadlock with {', '.join(map(str, one.blockers))}"
    else:
        how = against(one.kind == "hard", one.held or one.ahead)
    parts = [f"wants {short(one.wanted)} on {target(one.locktype, one.relation, one.object)}", how]
    parent = one.path[-2] if len(one.path) > 1 else None
    others = [key for key in one.blockers if key != parent]
    if others and alone and one.kind != "cycle":
        shown = ", ".join(name(key, found) for key in others[:3])
        parts.append(f"also behind {shown}{f' and {len(others) - 3} more' if len(others) > 3 else ''}")
    if alone:
        parts.append(one.command or "")
    return parts


def against(hard: bool, mode: str | None) -> str:
    """Say what stands against a wait: a lock that is held, or one that is wanted before it (soft)."""
    return f"held: {short(mode)}" if hard else f"queued behind {short(mode)} (soft)"


def name(key: int, found: Sequence[Session]) -> str:
    """Name a session of the forest by its key."""
    return str(key) if key > 0 else next((one.name for one in found if one.key == key), "a prepared transaction")


def situation(one: Session) -> str:
    """Say what a root is doing: ``idle in transaction 4m; transaction 5m 3s``."""
    if one.state == "prepared":
        return f"prepared {words.age(one.xact_age)} ago; it has no session"
    if one.state == "gone":
        return "gone already"
    if one.state == "hidden":
        return "hidden from this login"
    said = f"{one.state or one.backend_type or 'a background process'} {words.age(one.state_age)}".rstrip()
    if one.state == "active" and one.command:
        said += f" ({one.command})"
    if one.xact_age is not None:
        said += f"; transaction {words.age(one.xact_age)}"
    return said


def grip(one: Session, found: Sequence[Session]) -> str:
    """Say what a root holds that others want; at most three things."""
    held: dict[str, None] = {}
    for other in found:
        if one.key in other.hard and other.depth > 0 and other.path[-2] == one.key and other.held:
            held[f"{short(other.held)} on {target(other.locktype, other.relation, other.object)}"] = None
    if not held:
        return ""
    things = list(held)
    return f"holds {', '.join(things[:3])}{f' and {len(things) - 3} more' if len(things) > 3 else ''}"


def short(mode: str | None) -> str:
    """Give a lock's mode without the word Lock at its end."""
    return (mode or "a lock").replace("Lock", "")
