"""What a dump carries beside the rows of tables: where sequences stand, and large objects.

A sequence belongs to no snapshot: whoever asks it changes it for everyone, at once. So it is looked at twice, when
the snapshot is exported and when pg_dump has ended; what pg_dump read in between is not before the one and not
after the other. Where both are the same, as in a quiet database, the restored one must be that exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.backup import statements
from wnadmin.domain.backup.values import ObjectsProof, SequenceProof
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

_AT_ONCE: Final = 200
"""How many sequences are read by one statement."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a sequence stands: at ``value``, which was given out if ``called``; its way goes by ``step``."""

    schema: str
    name: str
    step: int
    cycles: bool
    value: int
    called: bool

    def __str__(self) -> str:
        """Say where."""
        return f"{'at' if self.called else 'before'} {self.value:,}"


@dataclass(frozen=True, slots=True)
class _Listed:
    schema: str
    name: str
    step: int
    cycles: bool


@dataclass(frozen=True, slots=True)
class _Objects:
    count: int
    readable: bool


@dataclass(frozen=True, slots=True)
class _Hash:
    count: int
    hash: str


def sequences(session: Session) -> tuple[Standing, ...]:
    """Look where every sequence stands that a dump carries, by name.

    In an open transaction none of them can be dropped from then on until it ends.
    """
    listed = Database(session).rows("queries/backup/sequences", _Listed)
    found: list[Standing] = []
    for start in range(0, len(listed), _AT_ONCE):
        some = listed[start : start + _AT_ONCE]
        query = statements.standings([(one.schema, one.name) for one in some])
        rows = session.run(query, doing="look where the sequences stand").rows
        there = {number: (value, called) for number, value, called in rows}
        for number, one in enumerate(some):
            value, called = there[number]
            found.append(Standing(one.schema, one.name, one.step, one.cycles, value, called))
    return tuple(found)


def between(first: Sequence[Standing], last: Sequence[Standing]) -> tuple[SequenceProof, ...]:
    """Put the two looks together."""
    later = {(one.schema, one.name): one for one in last}
    proofs = []
    for one in first:
        end = later.get((one.schema, one.name), one)
        proofs.append(
            SequenceProof(
                one.schema, one.name, one.step, one.cycles, one.value, one.called, end.value, end.called
            )
        )  # fmt: skip
    return tuple(proofs)


def _range(one: SequenceProof) -> tuple[Standing, Standing]:
    return (
        Standing(one.schema, one.name, one.step, one.cycles, one.first, one.first_called),
        Standing(one.schema, one.name, one.step, one.cycles, one.last, one.last_called),
    )


def _place(one: Standing) -> tuple[int, bool]:
    return (one.value if one.step > 0 else -one.value), one.called


def is_vague(one: SequenceProof) -> bool:
    """Whether the two looks promise nothing: it was set back, or may have gone round, while it was dumped."""
    first, last = _range(one)
    return _place(first) != _place(last) and (one.cycles or _place(first) > _place(last))


def judge_sequences(promised: Sequence[SequenceProof], found: Sequence[Standing]) -> tuple[list[str], list[str]]:
    """Say what is wrong with the restored sequences, and of which nothing can be said."""
    there = {(one.schema, one.name): one for one in found}
    wrong, vague = [], []
    for one in promised:
        other = there.pop((one.schema, one.name), None)
        first, last = _range(one)
        if other is None:
            wrong.append(f"the sequence {one.path} is missing")
        elif is_vague(one):
            vague.append(f"{one.path} was set back or went round while it was dumped, so where it stands is not known")
        elif not _place(first) <= _place(other) <= _place(last):
            range_ = f"{first}" if first == last else f"between {first.value:,} and {last.value:,}"
            wrong.append(f"{one.path} stands {other} instead of {range_}")
    wrong += [f"the sequence {one.schema}.{one.name} was not in the dump" for one in there.values()]
    return wrong, vague


def objects(session: Session) -> ObjectsProof:
    """Count the large objects and hash what is in them, as far as this login may read them."""
    db = Database(session)
    seen = db.rows("queries/backup/objects", _Objects)[0]
    if not seen.count or not seen.readable:
        return ObjectsProof(seen.count, None if seen.count else "0")
    found = db.rows("queries/backup/object_hash", _Hash)[0]
    return ObjectsProof(found.count, found.hash)


def judge_objects(promised: ObjectsProof, found: ObjectsProof) -> tuple[list[str], list[str]]:
    """Say what is wrong with the restored large objects, and what cannot be said of them."""
    if promised.count != found.count:
        return [f"there are {found.count:,} large objects instead of {promised.count:,}"], []
    if promised.hash is None or found.hash is None:
        who = "that made the backup" if promised.hash is None else "that restored it"
        return [], [f"{found.count:,} large objects were counted only: the login {who} may not read them"]
    if promised.hash != found.hash:
        return [f"there are {found.count:,} large objects, but not the same ones"], []
    return [], []
