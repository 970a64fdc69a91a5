"""What it takes to make one partition: its statements, in the transactions that they are run in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.partitions import bounds, ladder, look, statements
from wnadmin.domain.partitions.bounds import Every, Span
from wnadmin.domain.partitions.ladder import Wanted
from wnadmin.domain.partitions.values import Circumstances, Grant, Linked, Model, Table, path
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable

MOVED: Final = 10_000
"""So many rows are moved out of a default partition at most, as it is locked meanwhile."""


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What all new partitions of a table have in common. ``become`` is the role to take on, '' for one's own."""

    table: Table
    every: Every
    model: Model
    grants: tuple[Grant, ...]
    given: tuple[str, ...]
    linked: tuple[Linked, ...]
    columns: tuple[str, ...]
    become: str

    @property
    def key(self) -> tuple[str, str]:
        """Name and type of the key."""
        return self.table.parent.key_column or "", self.table.parent.key_type or ""

    @property
    def default(self) -> tuple[str, str] | None:
        """Schema and name of the default partition, if there is one."""
        one = self.table.default
        return (one.schema, one.name) if one else None

    @property
    def wanted(self) -> Wanted:
        """The locks that attaching takes."""
        own = (self.table.default.oid,) if self.table.default else ()
        return Wanted(own, tuple(one.oid for one in self.linked), (self.table.parent.oid,))


@dataclass(frozen=True, slots=True)
class Draft:
    """A partition to be made, within ``span``; ``rows`` of it are in the default partition now."""

    shared: Shared
    name: str
    span: Span
    rows: int

    @property
    def path(self) -> str:
        """Name it for people."""
        return path(self.shared.model.schema, self.name)

    @property
    def constraint(self) -> str:
        """The name of the constraint that keeps its rows out of the default partition meanwhile."""
        return f"{statements.EXCLUDES}{self.shared.every.suffix(self.span.lower)}"

    @property
    def beforehand(self) -> tuple[Composable, Composable] | None:
        """What is run before, each in a transaction of its own, so that ATTACH need not read the default partition."""
        default = self.shared.default
        if default is None or self.rows:
            return None
        key, key_type = self.shared.key
        return (
            statements.exclude(default, self.constraint, key, self.span, key_type),
            statements.validate(default, self.constraint),
        )

    def together(self) -> list[Composable]:
        """What is run in one transaction; only the last statements hold locks that others could wait for."""
        shared = self.shared
        model, default = shared.model, shared.default
        key, key_type = shared.key
        part = (model.schema, self.name)
        told = f"Partition of {model.schema}.{model.name} for {self.span} (UTC)."
        if shared.every.months == 1 and shared.every.at(self.span.lower) == self.span:
            told = f"Partition of {model.schema}.{model.name} for {self.span.lower:%Y-%m} (UTC)."
        made: list[Composable] = [
            statements.create(model, self.name),
            *statements.take_over(model, self.name, shared.grants, shared.given, told),
        ]
        if (lock := statements.lock(shared.linked)) is not None:
            made.append(lock)
        if default is not None and self.rows:
            condition = statements.within(key, self.span, key_type)
            made += [
                statements.exclusive(*default),
                statements.triggers(default, on=False),
                statements.move(default, part, shared.columns, condition),
                statements.triggers(default, on=True),
            ]
        if not model.is_superuser:
            # There is no row that a policy could hide, or one that was checked where it comes from.
            made.append(statements.with_policies())
        made.append(statements.attach(model.schema, model.name, part, self.span, key_type))
        if default is not None and not self.rows:
            made.append(statements.drop_constraint(*default, self.constraint))
        return made


def shared(db: Database, table: Table, seen: Circumstances) -> Shared:
    """Look at what new partitions of a table take over; Refused for a login that cannot act as its owner."""
    parent = table.parent
    look.require_right(table.path, parent.owner, seen, may_change=parent.may_change)
    if table.every is None:
        raise Refused(f"{table.path} cannot be kept", why=table.refusal)
    sibling = table.placed[-1].part.oid if table.placed else 0
    model = db.rows("queries/partitions/model", Model, parent=parent.oid, sibling=sibling)[0]
    become = "" if model.is_superuser or model.acting == model.owner else model.owner
    maker = become or model.acting
    given = [one.grantee for one in db.rows("queries/partitions/given", _Given, role=maker, schema=model.schema)]
    columns: Sequence[_Named] = ()
    if table.default is not None:
        columns = db.rows("queries/partitions/columns", _Named, part=table.default.oid)
    return Shared(
        table,
        table.every,
        model,
        tuple(db.rows("queries/partitions/grants", Grant, parent=parent.oid)),
        tuple(given),
        tuple(look.linked(db, parent.oid)),
        tuple(one.name for one in columns),
        become,
    )


@dataclass(frozen=True, slots=True)
class _Given:
    grantee: str


def drafts(db: Database, shared: Shared, spans: Sequence[Span], most: int) -> list[Draft]:
    """Draft a partition for each stretch; Refused where a default partition holds what cannot be moved."""
    taken = {one.name for one in db.rows("queries/partitions/taken", _Named, schema=shared.model.schema)}
    found = []
    for span in spans:
        name = bounds.name(shared.model.name, shared.every, span, frozenset(taken))
        taken.add(name)
        found.append(Draft(shared, name, span, _held(db, shared, span, most)))
    return found


def _held(db: Database, shared: Shared, span: Span, most: int) -> int:
    default = shared.default
    if default is None:
        return 0
    key, key_type = shared.key
    rows = int(db.session.scalar(statements.count(default, statements.within(key, span, key_type), most)) or 0)
    if rows > most:
        raise Refused(
            f"{path(*default)} holds more than {most:,} rows of {span}",
            why="They are moved while it is locked, in one transaction.",
            next=f"Allow more at a quiet time: --move-rows {most * 10}",
        )
    if rows and any(one.refers for one in shared.linked):
        names = ", ".join(path(one.schema, one.name) for one in shared.linked if one.refers)
        raise Refused(
            f"{path(*default)} holds rows of {span}, and {names} refers to them",
            why="A row that is moved would be deleted for whoever refers to it.",
            next="Move them by hand, together with what refers to them.",
        )
    return rows


def make(db: Database, draft: Draft, milliseconds: int) -> None:
    """Make the partition, or nothing; waits for each lock no longer than that."""
    ladder.together(db, milliseconds, draft.shared.become, draft.together(), f"make {draft.path}")
