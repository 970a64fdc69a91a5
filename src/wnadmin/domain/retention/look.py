"""Look at every policy: how its rows go, how many are due, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from wnadmin.domain.retention import manifest, statements
from wnadmin.domain.retention.manifest import Entry
from wnadmin.domain.retention.values import Count, Leaf, Leg, Policy, Reference, Task, Way, rows
from wnadmin.errors import Blind, Refused
from wnadmin.postgres.database import Database

NONE: Final = Count(0, 0, 0, None)

ARCHIVES: Final = {"audio.sessions": "audio.sessions", "audio.speech_metrics": "audio.sessions"}
"""Tables whose rows the database knows how to archive, each with the table that it goes with."""

_LEDGER: Final = "audit.operator_ledger"


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether retention can be enforced here at all."""

    read_only: bool
    login: str
    has_policies: bool
    sees_all_rows: bool


def require(db: Database) -> None:
    """Refuse a database without policies, in read-only mode, or a login that would not see all rows."""
    ready = db.rows("queries/retention/ready", Ready)[0]
    if not ready.has_policies:
        raise Refused(f"{db.name} has no retention policies", why="It is not set up.", next="wnadmin setup apply")
    if ready.read_only:
        raise Refused(
            f"{db.name} is read-only",
            why="default_transaction_read_only is on for this server, database or login.",
            next="End read-only mode, then run it again; nothing was changed.",
        )
    if not ready.sees_all_rows:
        raise Refused(
            f"{ready.login} cannot enforce retention",
            why="It is subject to row-level security: rows and legal holds would be hidden from it.",
            next="Log in as a superuser, or as a role with BYPASSRLS that may SELECT, UPDATE and DELETE there.",
        )


def policies(db: Database, judged_at: str = "") -> list[Policy]:
    """Give all policies, judged by a moment or by now."""
    return db.rows("queries/retention/policies", Policy, now=judged_at)


def tasks(
    db: Database, found: Collection[Policy], chosen: Callable[[Policy], bool], tell: Callable[[str], None]
) -> list[Task]:
    """Judge each active policy with a period that is ``chosen``; ``tell`` hears which one is being counted."""
    result = []
    for one in found:
        if one.is_active and one.period is not None and chosen(one):
            tell(one.code)
            result.append(_judge(db, one))
    return result


def _judge(db: Database, policy: Policy) -> Task:
    entry = manifest.entries().get(policy.table)
    if policy.table == _LEDGER:
        return Task(policy, "elsewhere", _old(db, policy), why="it goes by seals: wnadmin audit seal")
    obstacle = _obstacle(policy, entry)
    if obstacle is not None or entry is None:
        why, follow = obstacle or ("", "")
        return Task(policy, "none", _old(db, policy), why=why, next=follow)
    if policy.action == "archive" and (table := ARCHIVES[policy.table]) != policy.table:
        return Task(policy, "with", NONE, why=f"goes with {table}")
    references = tuple(db.rows("queries/retention/references", Reference, oid=policy.oid))
    held = [one for one in references if one.action == "c" and one.has_hold and policy.action == "delete"]
    if held:
        # A row that is put on hold while it goes with another one would be gone without a trace of the hold.
        why = f"rows of {held[0].table} would go with those of {policy.table}, and may be on hold themselves"
        return Task(policy, "none", _old(db, policy), why=why, next=f"Give {held[0].name} another ON DELETE")
    dependents = tuple(one for one in references if _goes_with(one, policy))
    references = tuple(one for one in references if one not in dependents)
    if policy.action == "archive":
        policy = replace(policy, cut=_whole_days(db, policy))
    leaves = db.rows("queries/retention/leaves", Leaf, oid=policy.oid, time_column=policy.time_column)
    if policy.action == "detach_partition":
        return _months(db, policy, entry, references, leaves)
    counted = _count(db, policy, (policy.schema, policy.name), entry, references)
    ways: dict[str, Way] = {"archive": "archive", "pseudonymise": "pseudonymise", "delete": "delete"}
    way = ways[policy.action]
    effects = _effects(db, policy, entry, references, dependents) if way == "delete" and counted.due else ()
    legs = () if way == "archive" else tuple(leg for leaf in leaves for leg in _legs(policy, leaf, counted.due))
    return Task(policy, way, counted, legs, references, dependents, effects=effects)


def _obstacle(policy: Policy, entry: Entry | None) -> tuple[str, str] | None:
    """Say why the rows of a policy cannot go, and what to do about it."""
    correct = f"Correct {policy.code} in audit.data_retention_policies, or end it with is_active = false"
    if not policy.oid:
        return f"there is no table {policy.table}", correct
    if policy.time_column is None or not policy.has_time:
        return f"{policy.table} has no time in column {policy.time_column or '(none)'}", correct
    if entry is None:
        why = f"{policy.table} is not in sql/manifest.toml, so nobody knows whose rows are on hold"
        return why, "Classify the table there, or end the policy with is_active = false"
    if policy.action == "archive" and policy.table not in ARCHIVES:
        return f"there is no archive for {policy.table}", correct
    if policy.action == "pseudonymise" and not (policy.has_mark and entry.redact):
        return f"nothing says which rows of {policy.table} have lost their names (identity_erased_at)", correct
    if policy.action == "detach_partition" and not (policy.kind == "p" and policy.is_partition_key):
        return f"{policy.table} has no partitions by {policy.time_column}", correct
    if not policy.may_change:
        grant = f"GRANT SELECT, UPDATE, DELETE ON {policy.table} TO the login, or log in as a superuser"
        return f"this login may not change {policy.table}", grant
    return None


def _old(db: Database, policy: Policy) -> Count:
    """Count by age alone; where even that cannot be told, one row stands for all."""
    if not policy.oid or not policy.has_time:
        return Count(1, 0, 0, None)
    try:
        return Count(int(db.session.scalar(statements.old(policy)) or 0), 0, 0, None)
    except Blind:
        return Count(1, 0, 0, None)


def _goes_with(one: Reference, policy: Policy) -> bool:
    """Whether rows that would stand against a deletion are under the same policy, and so go with it."""
    entry = manifest.entries().get(one.table)
    return one.action in ("a", "r") and entry is not None and entry.policy == policy.code


def _whole_days(db: Database, policy: Policy) -> str:
    """The routine of the database takes days."""
    query = "SELECT (%s::timestamptz - pg_catalog.make_interval(days => %s))::text"
    return str(db.session.scalar(query, (policy.judged_at, policy.days)))


def _legs(policy: Policy, leaf: Leaf, due: int) -> list[Leg]:
    cut = str(policy.cut)
    in_time = not (policy.is_partition_key and leaf.is_kept(cut))
    # Where most blocks have a row that goes they are read one after the other; an index would only be a detour.
    is_worth_it = due < leaf.pages and not (policy.is_partition_key and leaf.is_past(cut))
    column = policy.time_column if leaf.by_time and is_worth_it else None
    if not policy.has_until:
        return [Leg(leaf, "all", column)] if in_time else []
    legs = [Leg(leaf, "until", "retention_until" if leaf.by_until and is_worth_it else None)]
    return [*legs, Leg(leaf, "time", column)] if in_time else legs


def _months(db: Database, policy: Policy, entry: Entry, references: tuple[Reference, ...], leaves: list[Leaf]) -> Task:
    """Partitions that are past as a whole go as such, but not those in which a row is on hold."""
    waiting, legs, total = [], [], NONE
    for leaf in leaves:
        # What a default partition has taken in has no partition of its own to go with.
        is_default = leaf.lower is None and leaf.upper is None
        if not (is_default or leaf.is_past(str(policy.cut))):
            continue
        one = _count(db, policy, (leaf.schema, leaf.name), entry, references)
        if not (is_default or one.held):
            waiting.append(f"{leaf.schema}.{leaf.name}")
            continue
        total = _both(total, one)
        if one.due:
            legs += _legs(policy, leaf, one.due)
    return Task(policy, "months", total, tuple(legs), references, waiting=tuple(waiting))


def recount(db: Database, task: Task) -> Count:
    """Count again what is past the time of a task that was planned."""
    entry = manifest.entries()[task.policy.table]
    if task.way != "months":
        return _count(db, task.policy, (task.policy.schema, task.policy.name), entry, task.references)
    total = NONE
    for leaf in {leg.leaf for leg in task.legs}:
        total = _both(total, _count(db, task.policy, (leaf.schema, leaf.name), entry, task.references))
    return total


def _both(one: Count, other: Count) -> Count:
    oldest = min((at for at in (one.oldest, other.oldest) if at is not None), default=None)
    return Count(one.due + other.due, one.held + other.held, one.referenced + other.referenced, oldest)


def _count(
    db: Database, policy: Policy, table: tuple[str, str], entry: Entry, references: tuple[Reference, ...]
) -> Count:
    query = statements.count(policy, table, entry, references)
    row = db.session.run(query, doing=f"count what is due of {policy.code}").rows[0]
    return Count(*row)


def _effects(
    db: Database,
    policy: Policy,
    entry: Entry,
    references: tuple[Reference, ...],
    dependents: tuple[Reference, ...],
) -> tuple[str, ...]:
    """Say what becomes of rows of other tables."""
    words = []
    for one in (*references, *dependents):
        if one.action in ("a", "r") and one not in dependents:
            continue
        query = statements.touched(policy, entry, one, references)
        number = db.session.scalar(query, doing=f"count what goes with {policy.code}")
        if number:
            single = number == 1
            if one in dependents or one.action == "c":
                fate = "goes with them" if single else "go with them"
            else:
                fate = f"{'loses its' if single else 'lose their'} {one.pairs[0][0]}"
            words.append(f"{rows(number)} of {one.table} {fate}")
    return tuple(words)
