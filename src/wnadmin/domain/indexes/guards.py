"""The guards: each answers one question about an index, in words a person can check."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from wnadmin.domain.indexes.facts import Index, NodeView, Relation, World
from wnadmin.domain.tables.quantity import quoted

Answer = Literal["passes", "keep", "unknown"]

IDLE = timedelta(days=90)
"""Unused for so long, though it was used before: worth a question, no proof."""

_LEFTOVER = re.compile(r'^(?P<name>.*)_cc(?P<kind>new|old)\d*"?$', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as evidence: the least age of the statistics, and the least size worth a drop in bytes."""

    min_age: timedelta = timedelta(days=35)
    min_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Guard:
    """One answer. ``keep``: the index stays. ``unknown``: nobody can say, so nothing is dropped for it."""

    name: str
    answer: Answer
    detail: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Scans over all nodes that were reached; ``by_node`` as (node, scans, last scan).

    ``missing`` names nodes that do not know the index. ``last_known`` is False where a node with scans cannot say
    when the last one was.
    """

    scans: int = 0
    last: datetime | None = None
    last_known: bool = True
    looked_at: datetime | None = None
    by_node: tuple[tuple[str, int, datetime | None], ...] = ()
    missing: tuple[str, ...] = ()


def usage(nodes: Sequence[NodeView], leaves: Sequence[Index]) -> Usage:
    """Sum the scans of the physical indexes over the nodes."""
    by_node: list[tuple[str, int, datetime | None]] = []
    missing: list[str] = []
    for node in nodes:
        uses = [node.uses[one.oid] for one in leaves if one.oid in node.uses]
        if len(uses) < len(leaves):
            missing.append(node.name)
        lasts = [one.last for one in uses if one.last is not None]
        by_node.append((node.name, sum(one.scans for one in uses), max(lasts, default=None)))
    lasts = [last for _, _, last in by_node if last is not None]
    return Usage(
        scans=sum(scans for _, scans, _ in by_node),
        last=max(lasts, default=None),
        last_known=all(last is not None for _, scans, last in by_node if scans),
        looked_at=max((node.looked_at for node in nodes if node.looked_at is not None), default=None),
        by_node=tuple(by_node),
        missing=tuple(missing),
    )


def gaps(world: World) -> tuple[str, ...]:
    """What is missing before any index may be called droppable: every node of this cluster, seen and counting."""
    found = [f"{node.name} was not reached ({node.why_not})" for node in world.nodes if node.why_not]
    reached = world.reached
    first = next((node for node in reached if node.name == world.source), None)
    for node in reached:
        if first is not None and node.system != first.system:
            found.append(f"{node.name} is another cluster than {first.name}, its statistics say nothing here")
        elif first is not None and node.database != first.database:
            found.append(f"{node.name} is connected to another database than {first.name}")
        if not node.counts:
            found.append(f"track_counts is off on {node.name}, scans are not counted")
    if reached and all(node.in_recovery for node in reached):
        found.append("the primary was not asked")
    streaming = sum(node.standbys for node in reached)
    followers = sum(node.in_recovery for node in reached)
    if streaming > followers:
        more = streaming - followers
        found.append(
            f"{more} standby{'s' if more > 1 else ''} of this cluster {'are' if more > 1 else 'is'} not in the "
            "profile (see pg_stat_replication) and may use it"
        )
    return tuple(found)


def constraint(index: Index) -> Guard:
    """Primary key, unique or exclusion constraint."""
    name = "constraint"
    if index.primary:
        return Guard(name, "keep", f"it is the primary key {index.constraint}".rstrip())
    if index.exclusion:
        return Guard(name, "keep", f"it enforces the exclusion constraint {index.constraint}".rstrip())
    if index.constraint:
        return Guard(name, "keep", f"it enforces the unique constraint {index.constraint}")
    return Guard(name, "passes", "no constraint needs it")


def unique(index: Index) -> Guard:
    """A unique index enforces something even when nobody reads it."""
    if index.unique:
        return Guard("unique", "keep", "it is unique: it enforces that, whether it is scanned or not")
    return Guard("unique", "passes", "it enforces nothing")


def referring(index: Index) -> Guard:
    """Foreign keys may refer to a unique index that no constraint stands on."""
    name = "foreign keys that refer to it"
    if index.referring:
        return Guard(name, "keep", _referring(index.referring))
    return Guard(name, "passes", "none")


def _referring(count: int) -> str:
    return "a foreign key refers to it" if count == 1 else f"{count} foreign keys refer to it"


def replica_identity(index: Index) -> Guard:
    """Logical replication finds rows by it."""
    if index.replica_identity:
        return Guard("replica identity", "keep", "it is the replica identity of its table")
    return Guard("replica identity", "passes", "it is not")


def clustered(index: Index) -> Guard:
    """CLUSTER without a name follows it."""
    if index.clustered:
        return Guard("clustered", "keep", "its table is clustered on it: ALTER TABLE … SET WITHOUT CLUSTER first")
    return Guard("clustered", "passes", "it is not")


def partitions(index: Index) -> Guard:
    """Attached indexes cannot be dropped alone, and an unfinished partitioned one is being put together."""
    if index.parent:
        return Guard("partitions", "keep", "it is attached to a partitioned index, which is judged in its place")
    if index.partitioned and not index.valid:
        return Guard("partitions", "keep", "made ON ONLY the partitioned table: not every partition is attached yet")
    return Guard("partitions", "passes", "judged over all partitions" if index.partitioned else "not attached")


def extension(table: Relation | None) -> Guard:
    """What an extension made, its script expects."""
    if table is not None and table.extension:
        return Guard("extension", "keep", f"its table belongs to the extension {table.extension}")
    return Guard("extension", "passes", "it belongs to none")


def being_built(index: Index, world: World) -> Guard:
    """An index under construction is invalid too."""
    name = "being built"
    if index.oid in world.building:
        return Guard(name, "keep", "it is being built right now")
    if world.blind_builds and not index.in_service:
        seer = next((node.login for node in world.reached if node.name == world.source), "") or "this login"
        return Guard(
            name,
            "unknown",
            f"an index is being built and this login cannot see which: GRANT pg_read_all_stats TO {quoted(seer)}",
        )
    if not index.in_service and next((n.in_recovery for n in world.reached if n.name == world.source), False):
        return Guard(name, "unknown", "builds are seen on the primary only, and it was not reached")
    return Guard(name, "passes", "it is not")


def takes_over(losers: Sequence[str]) -> Guard:
    """What stands in for another must stay when that one goes."""
    if losers:
        return Guard("takes over", "keep", f"it does the work of {', '.join(losers)} as well")
    return Guard("takes over", "passes", "no other index leans on it")


def foreign_key_support(last_of: Sequence[str], also: Sequence[str]) -> Guard:
    """Deleting a referred row would read the whole table."""
    name = "foreign key support"
    if last_of:
        return Guard(name, "keep", f"it is the only index for the foreign key {', '.join(last_of)}")
    if also:
        return Guard(name, "passes", f"another index supports {', '.join(also)} too")
    return Guard(name, "passes", "it supports no foreign key")


def lock(index: Index, leaves: Sequence[Index]) -> Guard:
    """Under an exclusive lock neither size nor predicate can be read."""
    if not index.readable or any(not one.readable for one in leaves):
        return Guard("lock", "unknown", "an exclusive lock on it or its table is held or waited for, it was not read")
    return Guard("lock", "passes", "readable")


def scans(used: Usage) -> Guard:
    """Whether anybody read it."""
    if used.scans:
        places = ", ".join(f"{count:,} on {node}" for node, count, _ in used.by_node if count)
        last = f", last {used.last:%Y-%m-%d}" if used.last is not None and used.last_known else ""
        return Guard("scans", "keep", f"it is used: scans {places}{last}")
    if not used.by_node:
        return Guard("scans", "unknown", "no node could be asked")
    if used.missing:
        return Guard("scans", "unknown", f"{', '.join(used.missing)} does not know it (yet)")
    return Guard("scans", "passes", f"no scan on {', '.join(node for node, _, _ in used.by_node)}")


def idle(used: Usage) -> Guard:
    """Used before, and not for a long time; needs last_idx_scan, from 16 on."""
    if used.scans and used.last_known and used.last is not None and used.looked_at is not None:
        since = used.looked_at - used.last
        if since >= IDLE:
            return Guard(
                "idle",
                "unknown",
                f"{used.scans:,} scans, the last {since.days} days ago: a job once a year may need it",
            )
    return Guard("idle", "passes", "")


def statistics_age(nodes: Sequence[NodeView], leaves: Sequence[Index], limits: Limits) -> Guard:
    """Every node must have counted long enough."""
    name, least = "statistics age", limits.min_age
    young: list[str] = []
    ages: list[str] = []
    for node in nodes:
        begun = [node.uses[one.oid].since for one in leaves if one.oid in node.uses]
        since = max((one for one in (node.counted_since, *begun) if one is not None), default=None)
        if since is None or node.looked_at is None:
            young.append(f"{node.name} does not say since when it counts")
            continue
        age = node.looked_at - since
        ages.append(f"{node.name} {days(age)}")
        if age < least:
            young.append(f"{node.name} has counted for {days(age)} only")
    if young:
        return Guard(name, "unknown", f"{'; '.join(young)} (needs {days(least)})")
    if not ages:
        return Guard(name, "unknown", "no node could be asked")
    return Guard(name, "passes", ", ".join(ages))


def own_age(index: Index, world: World, limits: Limits) -> Guard:
    """An index made yesterday has no scans either."""
    name, least = "own age", limits.min_age
    node = next((one for one in world.reached if one.name == world.source), None)
    if index.written_at is not None and node is not None and node.looked_at is not None:
        age = node.looked_at - index.written_at
        if age < least:
            return Guard(name, "unknown", f"it was made or altered {days(age)} ago (needs {days(least)})")
        return Guard(name, "passes", f"made {days(age)} ago")
    if least <= timedelta(0):
        return Guard(name, "passes", "not asked for")
    if node is None or node.looked_at is None or node.made_at is None or node.next_transaction <= 0:
        return Guard(name, "unknown", "nobody knows when it was made")
    # Without commit timestamps: its transactions at the mean rate of the cluster's life.
    life = node.looked_at - node.made_at
    age = life * min(index.transactions_ago / node.next_transaction, 1.0)
    told = f"made {index.transactions_ago:,} transactions ago, about {days(age)} at the cluster's mean rate"
    if age < least:
        return Guard(name, "unknown", f"{told} (needs {days(least)})")
    return Guard(name, "passes", told)


def table_in_use(nodes: Sequence[NodeView], tables: Collection[int], builds: int) -> Guard:
    """Where nobody reads the table, an unread index means nothing; to build an index reads it once."""
    name = "table in use"
    reads = sum(node.reads.get(table, 0) for node in nodes for table in tables)
    if reads <= builds:
        told = f"was read {reads:,} times, no more than building its indexes takes" if reads else "was not read either"
        return Guard(name, "unknown", f"its table {told}, so its scans say nothing")
    return Guard(name, "passes", f"its table was read {reads:,} times")


def planner_statistics(index: Index, *, kept_elsewhere: bool) -> Guard:
    """ANALYZE keeps statistics for an index's expressions, and they go with it."""
    name = "planner statistics"
    if index.has_expressions and not kept_elsewhere:
        return Guard(
            name,
            "unknown",
            "the planner may use the statistics of its expression without scanning it: "
            "CREATE STATISTICS on the expression would keep them",
        )
    return Guard(name, "passes", "none would be lost")


def size(leaves: Sequence[Index], limits: Limits) -> Guard:
    """A few pages are not worth a change in production."""
    known = [one.bytes for one in leaves if one.bytes is not None]
    if len(known) < len(leaves):
        return Guard("size", "unknown", "it was not measured")
    if sum(known) < limits.min_bytes:
        return Guard(
            "size", "keep", f"it is small: {sum(known) // 1024} kB, the limit is {limits.min_bytes // 1024} kB"
        )
    return Guard("size", "passes", f"{sum(known) // 1024:,} kB")


def leftover(name: str) -> str:
    """Say which index a failed REINDEX CONCURRENTLY was about, by the name that it leaves; '' for other names."""
    match = _LEFTOVER.match(name)
    if match is None:
        return ""
    what = "the new copy" if match["kind"] == "new" else "the old copy"
    closing = '"' if name.endswith('"') else ""
    return f"{what} that a failed REINDEX CONCURRENTLY of {match['name']}{closing} left"


def days(age: timedelta) -> str:
    """A length of time as a person says it."""
    total = int(age.total_seconds())
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if abs(total) >= seconds:
            count = total // seconds
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{total} seconds"
