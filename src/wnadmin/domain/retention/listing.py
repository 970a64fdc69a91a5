"""``retention list``: every policy, what it says, and how much is past it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wnadmin.domain.retention import look
from wnadmin.domain.retention.values import Policy, Task
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table

_COLUMNS = (
    Column("policy"),
    Column("table"),
    Column("kept", "kept for"),
    Column("action"),
    Column("due", "past it", unit="rows"),
    Column("held", "on hold", unit="rows"),
    Column("oldest", "since"),
    Column("remark"),
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What admin.get_retention_backlog() says of a policy; ``overdue`` None is not known, and 10,000 the most."""

    code: str
    overdue: int | None
    oldest_due: datetime | None
    evidence: str
    detail: str


def report(db: Database, *, exact: bool) -> Report:
    """List the policies with their backlog; ``exact`` counts every row, and those on hold, which needs to see them."""
    policies = look.policies(db)
    rows: list[tuple[Cell, ...]]
    if exact:
        look.require(db)
        found = {one.policy.code: one for one in look.tasks(db, policies, lambda one: True, lambda code: None)}
        rows = [_exact(one, found.get(one.code)) for one in policies]
        notes: tuple[str, ...] = ()
    else:
        known = {one.code: one for one in db.rows("queries/retention/backlog", Backlog)}
        rows = [_quick(one, known.get(one.code)) for one in policies]
        notes = ("At most 10,000 rows a policy are counted; --exact counts all, and those on hold.",)
    table = Table("policies", _COLUMNS, tuple(rows), shown=_few(rows, exact=exact))
    without = sum(1 for row in rows if row[2] is None)
    notes += (f"{without} more policies have no period: --format json has them.",) * bool(without)
    return Report("retention-list", (table,), notes=notes, next="wnadmin retention apply --dry-run")


def _few(rows: list[tuple[Cell, ...]], *, exact: bool) -> Table:
    """What fits a screen: a policy nearly always has the name of its table, and without a period it is never due."""
    places = (0, 2, 3, 4, 5, 7) if exact else (0, 2, 3, 4, 7)
    shown = tuple(tuple(row[n] for n in places) for row in rows if row[2] is not None)
    return Table("policies", tuple(_COLUMNS[n] for n in places), shown)


def _quick(policy: Policy, known: Backlog | None) -> tuple[Cell, ...]:
    overdue = known.overdue if known else None
    remark = _remark(policy)
    if known is not None and overdue is None:
        remark = known.detail
    elif known is not None and known.evidence == "partial":
        remark = "of a sample"
    return (*_says(policy), overdue, None, known.oldest_due if known and overdue else None, remark)


def _exact(policy: Policy, task: Task | None) -> tuple[Cell, ...]:
    if task is None or task.way in ("none", "with", "elsewhere"):
        return (*_says(policy), None, None, None, task.why if task else _remark(policy))
    waiting = f"{len(task.waiting)} for partitions detach" if task.waiting else ""
    count = task.count
    return (*_says(policy), count.due, count.held, count.oldest, waiting)


def _says(policy: Policy) -> tuple[Cell, ...]:
    return policy.code, policy.table, policy.period, policy.action


def _remark(policy: Policy) -> str:
    if not policy.is_active:
        return "not active"
    return "" if policy.period else "as long as it is needed"
