"""What the policies, the catalog and the manifest say, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Way: TypeAlias = Literal["delete", "pseudonymise", "archive", "months", "with", "elsewhere", "none"]
"""How the rows of a policy go.

``months`` is by whole partitions, ``with`` is those of another policy, ``elsewhere`` another command does, ``none``
nothing can.
"""


def rows(count: int) -> str:
    """Say how many rows."""
    return f"{count:,} row{'s' * (count != 1)}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it stands, and what the catalog says of its table. ``oid`` is 0 where there is no such table.

    ``cut`` is the first moment that is kept and ``judged_at`` the moment it was told from, both as the server
    writes them; ``days`` is the period in whole days, rounded up. ``fingerprint`` changes with the policy.
    """

    code: str
    schema: str
    name: str
    action: str
    is_active: bool
    time_column: str | None
    period: str | None
    days: int | None
    cut: str | None
    judged_at: str
    fingerprint: str
    oid: int
    kind: str
    has_time: bool
    is_partition_key: bool
    has_until: bool
    has_hold: bool
    has_mark: bool
    may_change: bool

    @property
    def table(self) -> str:
        """The table, for people and for the manifest."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A table that holds rows: a partition, or the whole. ``pages`` is its size in blocks.

    ``lower`` and ``upper`` are its bounds in time as the server writes them, None for none. ``by_time`` and
    ``by_until`` say whether an index gives its rows in that order.
    """

    oid: int
    schema: str
    name: str
    pages: int
    lower: str | None
    upper: str | None
    by_time: bool
    by_until: bool

    def is_past(self, cut: str) -> bool:
        """Whether all of it lies before ``cut``."""
        return self.upper is not None and datetime.fromisoformat(self.upper) <= datetime.fromisoformat(cut)

    def is_kept(self, cut: str) -> bool:
        """Whether none of it lies before ``cut``."""
        return self.lower is not None and datetime.fromisoformat(self.lower) >= datetime.fromisoformat(cut)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key that leads to a policy's table; ``columns`` and ``keys`` are JSON lists."""

    name: str
    schema: str
    table_name: str
    action: str
    columns: str
    keys: str
    has_hold: bool

    @property
    def table(self) -> str:
        """The table that refers."""
        return f"{self.schema}.{self.table_name}"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each referring column with the column it refers to."""
        return list(zip(json.loads(self.columns), json.loads(self.keys), strict=True))


@dataclass(frozen=True, slots=True)
class Count:
    """Rows past their time: ``due`` go, ``held`` stay for a legal hold, ``referenced`` because others need them."""

    due: int
    held: int
    referenced: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Leg:
    """One stretch of work: the rows of ``leaf`` that a condition picks, in the order of ``column`` or of the blocks.

    ``by`` is ``until`` for rows with a date of their own, ``time`` for those without, ``all`` where no row has one.
    """

    leaf: Leaf
    by: Literal["until", "time", "all"]
    column: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """A policy, how its rows go and how many are due; ``why`` and ``next`` say what stands in the way.

    ``waiting`` names partitions that are past as a whole: they go as such. ``effects`` are rows of other tables.
    ``earlier`` is how many of those that were due when the operation was planned no longer were when it was resumed.
    """

    policy: Policy
    way: Way
    count: Count
    legs: tuple[Leg, ...] = ()
    references: tuple[Reference, ...] = ()
    dependents: tuple[Reference, ...] = ()
    why: str = ""
    next: str = ""
    waiting: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard to work: at most ``rows`` a batch, and busy ``share`` percent of the time."""

    rows: int
    share: int
