"""Looking at the catalog: partitioned tables, former partitions, policies, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wnadmin.domain.partitions import bounds
from wnadmin.domain.partitions.values import (
    Circumstances,
    Former,
    Linked,
    Parent,
    Part,
    Placed,
    Policy,
    State,
    Table,
)
from wnadmin.errors import Refused, UsageError, Vanished
from wnadmin.postgres.database import Database
from wnadmin.postgres.errors import refuse_standby

OURS: Final = frozenset(
    {("content", "engagement"), ("audio", "sessions"), ("analytics", "events"), ("audit", "activity_log")}
)
"""Tables that are partitioned by month, whatever partitions they have by now."""


def tables(db: Database) -> list[Table]:
    """Give every partitioned table of the database with its partitions."""
    parts: dict[int, list[Part]] = {}
    for one in db.rows("queries/partitions/parts", Part):
        parts.setdefault(one.parent, []).append(one)
    return [_table(one, parts.get(one.oid, [])) for one in db.rows("queries/partitions/tables", Parent)]


def _table(parent: Parent, parts: Sequence[Part]) -> Table:
    default = next((one for one in parts if one.oid == parent.default_oid), None)
    placed, unread = [], []
    for one in parts:
        span = bounds.parse(one.bound) if parent.by_time else None
        if one is default:
            continue
        if span is None:
            unread.append(one)
        else:
            placed.append(Placed(one, span))
    placed.sort(key=lambda one: one.span)
    every = bounds.MONTH if (parent.schema, parent.name) in OURS else bounds.step(one.span for one in placed)
    return Table(parent, tuple(placed), default, tuple(unread), every, _refusal(parent, placed, unread, every))


def _refusal(parent: Parent, placed: Sequence[Placed], unread: Sequence[Part], every: bounds.Every | None) -> str:
    if parent.strategy != "r":
        return f"it is partitioned by {parent.key_definition}, not by ranges of time"
    if parent.key_columns > 1:
        return "it is partitioned by several columns"
    if not parent.by_time:
        return f"its key is {parent.key_type or 'an expression'}, not a column of time"
    if parent.is_nested:
        return "it is a partition itself"
    if any(one.part.kind == "p" for one in placed):
        return "its partitions are partitioned themselves"
    if unread:
        return f"the bounds of {unread[0].path} are no plain moments"
    if every is None:
        return "it has no partitions to tell a step from" if not placed else "its partitions have no step in common"
    return ""


def find(found: Sequence[Table], name: str) -> Table:
    """Find the table that an operator names, with its schema; UsageError when there is none."""
    for one in found:
        if name in (one.path, f"{one.parent.schema}.{one.parent.name}"):
            return one
    near = ", ".join(one.path for one in found[:6])
    raise UsageError(
        f"there is no partitioned table {name}",
        why=f"There are {near}{', …' if len(found) > 6 else ''}." if near else "There is none in this database.",
        next="Name it with its schema; see wnadmin partitions list",
    )


def chosen(found: Sequence[Table], names: Sequence[str]) -> list[Table]:
    """Find the tables that an operator names, or all that can be kept when none is named."""
    if not names:
        return [one for one in found if not one.refusal]
    wanted = [find(found, name) for name in dict.fromkeys(names)]
    for one in wanted:
        if one.refusal:
            raise Refused(
                f"{one.path} cannot be kept",
                why=f"{one.refusal[0].upper()}{one.refusal[1:]}.",
                next="Make and detach its partitions by hand.",
            )
    return wanted


def former(db: Database) -> list[Former]:
    """Give the detached partitions that are kept."""
    return db.rows("queries/partitions/detached", Former)


def linked(db: Database, parent: int) -> list[Linked]:
    """Give the tables that share a foreign key, each once, in the order in which they are locked."""
    found: dict[int, Linked] = {}
    for one in db.rows("queries/partitions/linked", Linked, parent=parent):
        found[one.oid] = one
    return list(found.values())


def state(db: Database, parent: int, part: int) -> State:
    """Look again how a partition stands to its parent."""
    return db.rows("queries/partitions/state", State, parent=parent, part=part)[0]


def policies(db: Database) -> dict[tuple[str, str], Policy]:
    """Give the active retention policies by table; none where the database has no such table."""
    try:
        rows = db.rows("queries/partitions/policies", Policy)
    except Vanished:
        return {}
    return {(one.schema, one.name): one for one in rows}


def circumstances(db: Database, doing: str) -> Circumstances:
    """Look at session and server; Refused where tables cannot be changed."""
    seen = db.rows("queries/partitions/session", Circumstances)[0]
    if seen.in_recovery:
        raise refuse_standby(f"`wnadmin {doing}`", "")
    if seen.read_only:
        raise Refused(
            f"{db.name} is read-only",
            why="Transactions are read-only here: default_transaction_read_only is on.",
            next="End read-only mode first: wnadmin readonly off",
        )
    return seen


def require_right(table: str, owner: str, seen: Circumstances, *, may_change: bool) -> None:
    """Refuse a login that cannot act as the owner of a table."""
    if not may_change:
        raise Refused(
            f"{seen.login} may not change {table}",
            why=f"It belongs to {owner}, and {seen.login} cannot become that role.",
            next="Log in as wondernest_migration or as a superuser: --dsn 'user=wondernest_migration dbname=…'",
        )
