"""What the retention policies say of partitions: which are past, what becomes of them, what must be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wnadmin.domain.partitions import statements
from wnadmin.domain.partitions.bounds import Span
from wnadmin.domain.partitions.mark import Mark
from wnadmin.domain.partitions.statements import Hold
from wnadmin.domain.partitions.values import Former, Policy, Table
from wnadmin.errors import Blind
from wnadmin.postgres.database import Database

Policies = Mapping[tuple[str, str], Policy]

WHOLE: Final = ("detach_partition", "delete")
"""Actions after which a partition goes with its rows; the others have to be carried out row by row first."""


@dataclass(frozen=True, slots=True)
class _Link:
    link: int
    above: int | None
    schema: str
    name: str
    columns: list[str]
    referenced: list[str]
    has_hold: bool


def policy_of(policies: Policies, schema: str, table: str, key_column: str | None) -> Policy | None:
    """Give the policy that a table's own time decides; None without one, or when something else decides."""
    one = policies.get((schema, table))
    return one if one is not None and one.time_column == key_column and one.keeps_from is not None else None


def past(policy: Policy | None, span: Span) -> bool:
    """Whether a stretch is past as a whole."""
    return policy is not None and policy.keeps_from is not None and span.upper <= policy.keeps_from


def count(table: Table, policies: Policies) -> int:
    """Say how many partitions of a table are past."""
    parent = table.parent
    policy = policy_of(policies, parent.schema, parent.name, parent.key_column)
    return sum(1 for one in table.open if past(policy, one))


def empty(db: Database, schema: str, name: str) -> bool | None:
    """Whether a table has no row; None where the login may not see its rows."""
    try:
        return not db.session.scalar(statements.any_row(schema, name))
    except Blind:
        return None


def fate(db: Database, one: Former, mark: Mark, policies: Policies, now: datetime, grace: int) -> str:
    """Say why a former partition is not dropped now, '' when it is to be."""
    policy = policy_of(policies, mark.schema, mark.table, mark.key_column)
    days = (now - mark.at).total_seconds() / 86400
    if days < grace:
        return f"it was detached {max(days, 0):.0f} days ago, and is kept for {grace}"
    if policy is None:
        return f"no active policy says how long rows of {mark.parent} are kept"
    if not past(policy, mark.span):
        return f"{policy.code} keeps its rows for {policy.period}, and they are not past yet"
    if policy.action not in WHOLE:
        bare = empty(db, one.schema, one.name)
        if bare is None:
            return "this login may not see whether it is empty"
        if not bare:
            return f"{policy.code} says {policy.action}, and it still holds rows that this was not done with"
    return ""


def held(db: Database, one: Former, parent: int | None) -> int:
    """Count the rows that must be kept: on hold themselves, not to go yet, or of somebody who is on hold."""
    query = statements.kept(one.schema, one.name, _holds(db, parent), own=one.has_hold, until=one.has_until)
    return 0 if query is None else int(db.session.scalar(query, doing=f"look for legal holds in {one.path}") or 0)


def _holds(db: Database, parent: int | None) -> tuple[Hold, ...]:
    if parent is None:
        return ()
    links = db.rows("queries/partitions/holds", _Link, parent=parent)
    found = []
    for one in links:
        if one.above is not None:
            continue
        above = tuple(
            Hold(x.schema, x.name, tuple(x.columns), tuple(x.referenced), True)
            for x in links
            if x.above == one.link and x.has_hold
        )
        if one.has_hold or above:
            found.append(Hold(one.schema, one.name, tuple(one.columns), tuple(one.referenced), one.has_hold, above))
    return tuple(found)
