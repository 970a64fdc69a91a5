"""What is known of partitioned tables, as values; the rows of ``sql/queries/partitions``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from wnadmin.domain.partitions.bounds import TIMES, Every, Span

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")

Standing: TypeAlias = Literal["attached", "pending", "detached", "gone"]
"""How a table stands to its parent; ``pending``: a detach was cut off, its rows are not seen through the parent."""


def path(schema: str, name: str) -> str:
    """Name a table as it can be typed again: what is not plain is quoted."""
    return ".".join(one if _PLAIN.fullmatch(one) else '"' + one.replace('"', '""') + '"' for one in (schema, name))


@dataclass(frozen=True, slots=True)
class Parent:
    """A partitioned table, as the catalog has it."""

    oid: int
    schema: str
    name: str
    owner: str
    strategy: str
    key_definition: str
    key_columns: int
    key_column: str | None
    key_type: str | None
    is_nested: bool
    default_oid: int | None
    may_change: bool

    @property
    def path(self) -> str:
        """Name it for people."""
        return path(self.schema, self.name)

    @property
    def by_time(self) -> bool:
        """Whether it is partitioned by one column of time."""
        return self.strategy == "r" and self.key_columns == 1 and self.key_type in TIMES


@dataclass(frozen=True, slots=True)
class Part:
    """A partition, as the catalog has it. ``bytes`` is None where it is locked or lies elsewhere."""

    parent: int
    oid: int
    schema: str
    name: str
    kind: str
    pending: bool
    bound: str
    comment: str | None
    estimated_rows: int | None
    bytes: int | None

    @property
    def path(self) -> str:
        """Name it for people."""
        return path(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Placed:
    """A partition with its bounds."""

    part: Part
    span: Span


@dataclass(frozen=True, slots=True)
class Table:
    """A partitioned table with its partitions, oldest first.

    ``unread`` are those whose bounds are no single stretch of time. ``every`` is None where the partitions have no
    step in common. ``refusal`` says why it cannot be kept by wnadmin, '' when it can.
    """

    parent: Parent
    placed: tuple[Placed, ...]
    default: Part | None
    unread: tuple[Part, ...]
    every: Every | None
    refusal: str

    @property
    def path(self) -> str:
        """Name it for people."""
        return self.parent.path

    @property
    def spans(self) -> tuple[Span, ...]:
        """The bounds of what is attached, also of what is about to be detached."""
        return tuple(one.span for one in self.placed)

    @property
    def open(self) -> tuple[Span, ...]:
        """The bounds of what rows can be written to."""
        return tuple(one.span for one in self.placed if not one.part.pending)

    @property
    def pending(self) -> tuple[Placed, ...]:
        """The partition whose detach was cut off; at most one."""
        return tuple(one for one in self.placed if one.part.pending)


@dataclass(frozen=True, slots=True)
class Linked:
    """A table that shares a foreign key; ``refers`` says that it is the one that refers to the partitioned table."""

    oid: int
    schema: str
    name: str
    refers: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """A retention policy. ``keeps_from`` is the first moment that is kept, None where nothing is ever past."""

    code: str
    schema: str
    name: str
    time_column: str | None
    action: str
    keeps_from: datetime | None
    period: str | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The session and the server, as ``queries/partitions/session`` saw them."""

    in_recovery: bool
    read_only: bool
    login: str
    acting: str
    is_superuser: bool
    deadlock_milliseconds: int
    moment: datetime


@dataclass(frozen=True, slots=True)
class Model:
    """What a new partition takes over from its parent, and its storage parameters from a sibling."""

    schema: str
    name: str
    owner: str
    login: str
    acting: str
    is_superuser: bool
    rls_enabled: bool
    rls_forced: bool
    replica_identity: str
    identity_columns: list[str] | None
    tablespace: str | None
    access_method: str | None
    persistence: str
    options: list[str]
    toast_options: list[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do with a table; ``grantee`` '' is everybody."""

    grantee: str
    is_owner: bool
    privileges: list[str] | None
    grantable: list[str] | None


@dataclass(frozen=True, slots=True)
class Former:
    """A former partition that is kept: ``mark`` is the comment that says so."""

    oid: int
    schema: str
    name: str
    owner: str
    may_change: bool
    mark: str
    estimated_rows: int | None
    heap_bytes: int
    foreign_keys: list[str]
    has_hold: bool
    has_until: bool

    @property
    def path(self) -> str:
        """Name it for people."""
        return path(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class State:
    """How a partition stands to its parent now, and its comment."""

    standing: Standing
    comment: str | None
