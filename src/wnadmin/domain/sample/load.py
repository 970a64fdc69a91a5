"""Load a sample world, prove that it is there, and take it back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime

from wnadmin.domain.sample import world
from wnadmin.domain.sample.world import Range, Wish
from wnadmin.errors import CutOff, Refused, UsageError
from wnadmin.postgres.database import Batches, Database, Statement
from wnadmin.results import Finding, Inputs, Plan, Step
from wnadmin.settings import Profile

TRIES = 20
"""How often a partition is tried for: making one gives up after half a second behind a lock."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a look at the catalog says: ``missing`` names what is not there, '' when the database is set up."""

    read_only: bool
    missing: str
    no_partitions: bool
    sees_all_rows: bool


@dataclass(frozen=True, slots=True)
class Present:
    """What is in the database already."""

    has_real_users: bool
    has_real_families: bool
    plans: int
    has_content: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A partition that is missing: ``month`` is its first day."""

    parent: str
    month: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of each kind a range of families has."""

    families: int
    guardians: int
    children: int
    visits: int
    speech_sessions: int

    def __add__(self, other: Count) -> Count:
        return Count(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Count)))


def wish(families: int, seed: int, years: int, until: str, inputs: Inputs) -> Wish:
    """Make a Wish of the command's words; the last day of an interrupted run is kept."""
    for name, value, least, most in (
        ("families", families, 1, 1_000_000),
        ("seed", seed, 0, 2**31 - 1),
        ("years", years, 1, world.YEARS),
    ):
        if not least <= value <= most:
            raise UsageError(f"--{name} {value} is out of range", next=f"Give {least:,} to {most:,}.")
    today = datetime.now(UTC).date()
    chosen = str(inputs.get("until") or until or today)
    try:
        end = date.fromisoformat(chosen)
    except ValueError:
        raise UsageError(f"cannot read the day {chosen!r}", next="Write it as YYYY-MM-DD.") from None
    if not date(2000, 1, 1) <= end <= today:
        raise UsageError(f"--until {end} is out of range", next=f"Give 2000-01-01 to {today}, which is today.")
    return Wish(families, seed, world.since(end, years), end)


def plan(db: Database, profile: Profile, wished: Wish, inputs: Inputs) -> Plan:
    """Describe the loading of what is missing of the world; refuse where samples must not go."""
    _require(db, profile)
    ranges = _ranges(inputs) or world.absent(db, wished)
    title = f"Load {wished.families:,} sample families of seed {wished.seed} into {db.name}"
    if not ranges:
        return Plan(title, (), nothing=f"all {wished.families:,} families of seed {wished.seed} are there already")
    promised = _count(db, "queries/sample/promised", wished, ranges)
    months = _months(db, wished)
    steps = [
        _families(db, wished, ranges),
        db.statement("Refresh the planner's statistics", "changes/sample/statistics", key="statistics"),
    ]
    if months:
        steps.insert(0, _partitions(db, wished, months))
    return Plan(
        title,
        tuple(steps),
        effects=(
            f"{promised.guardians:,} guardians, {promised.children:,} children, {promised.visits:,} visits and "
            f"{promised.speech_sessions:,} speech sessions from {wished.since} to {wished.until} are added, with "
            "metrics, events, payments and audit rows.",
            "Every user is marked is_sample, has an address under @example.com and cannot sign in.",
            *((f"{len(months)} month partitions are made; they stay when the load is undone.",) if months else ()),
        ),
        inputs={"families": world.write_ranges(ranges), "until": str(wished.until)},
        verify=lambda: _prove(db, wished, ranges, promised),
        target=f"{db.name}/sample world",
        next="wnadmin setup verify",
    )


def _require(db: Database, profile: Profile) -> None:
    own = "Use a database of your own: wnadmin server start, then wnadmin setup apply."
    if profile.production:
        raise Refused(
            "sample data does not go into production",
            why=f"The profile {profile.name} says production = true.",
            next=own,
        )
    if db.in_recovery():
        raise Refused(
            "this server is a standby", why="A standby takes no changes.", next="Name the primary with --dsn."
        )
    ready = db.rows("queries/sample/ready", Ready)[0]
    if ready.read_only:
        raise Refused(
            f"transactions are read-only in {db.name}",
            why="default_transaction_read_only is on for this server, database or login.",
            next="End read-only mode, then run it again; nothing was changed.",
        )
    if ready.missing or ready.no_partitions:
        raise Refused(
            f"{db.name} is not a complete WonderNest database",
            why=f"Missing: {ready.missing or 'admin.create_monthly_partition'}.",
            next="wnadmin setup apply",
        )
    if not ready.sees_all_rows:
        raise Refused(
            "this login cannot load a sample world",
            why="It is subject to row-level security and would not see whether real users are there.",
            next="Connect as a superuser.",
        )
    present = db.rows("queries/sample/present", Present)[0]
    if present.has_real_users or present.has_real_families:
        kind = "user" if present.has_real_users else "family"
        raise Refused(
            f"{db.name} has a {kind} who is not a sample" if kind == "user" else f"{db.name} has a real family",
            why="Sample and real data are never mixed.",
            next=own,
        )
    if not present.plans or not present.has_content:
        raise Refused(
            f"{db.name} has no {'subscription plans' if not present.plans else 'approved content'}",
            why="A sample world refers to the reference data of 06_seed_data.sql.",
            next="wnadmin setup apply",
        )


def _ranges(inputs: Inputs) -> tuple[Range, ...]:
    text = inputs.get("families")
    return world.parse_ranges(text) if isinstance(text, str) else ()


def _months(db: Database, wished: Wish) -> list[Month]:
    values = world.query(db, "queries/sample/months", wished, Range(1, 1))
    return db.rows("queries/sample/months", Month, **values)


def _partitions(db: Database, wished: Wish, months: Sequence[Month]) -> Step:
    one = [db.prepared("changes/sample/partition", {"parent": m.parent, "month": m.month}) for m in months]
    work = Batches(
        "Make month partitions",
        "partitions",
        left=lambda: zip(months, one, strict=True),
        apply=lambda pair: _patiently(db, pair[1], pair[0].parent),
        total=len(months),
        size=lambda pair: 1,
        shows=(one[0].rendered.shown, f"-- … and {len(one) - 1} more, to {months[-1].month}"),
    )
    return db.batches(f"Make {len(months)} month partitions", "partitions", work, done=lambda: not _months(db, wished))


def _patiently(db: Database, statement: Statement, doing: str) -> None:
    for left in range(TRIES - 1, -1, -1):
        try:
            db.session.run(statement.rendered.query, statement.rendered.bound, doing)
            return
        except CutOff:
            if not left:
                raise
            time.sleep(0.25)


def _families(db: Database, wished: Wish, ranges: Sequence[Range]) -> Step:
    total = sum(len(one) for one in ranges)
    first = next(world.chunks(ranges))
    work = Batches(
        "Load families",
        "families",
        left=lambda: world.chunks(_left(db, wished, ranges)),
        apply=lambda part: world.load(db, wished, part),
        total=total,
        size=len,
        shows=("BEGIN;", *(one.shown for one in world.batch(db, wished, first)), "COMMIT;"),
    )
    removal = Batches(
        "Remove families",
        "families",
        left=lambda: world.chunks(ranges),
        apply=lambda part: world.remove(db, wished, part),
        total=total,
        size=len,
        shows=("BEGIN;", world.removal(db, wished, first).shown, "COMMIT;"),
    )
    return db.batches(
        f"Load {total:,} families, {world.BATCH} a transaction",
        "families",
        work,
        done=lambda: not _left(db, wished, ranges),
        undo=removal,
    )


def _left(db: Database, wished: Wish, ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Those of ``ranges`` that are not loaded: both lists are in order."""
    gaps = world.absent(db, wished)
    found = (Range(max(a.first, b.first), min(a.last, b.last)) for a in gaps for b in ranges)
    return tuple(one for one in found if one.first <= one.last)


def _count(db: Database, name: str, wished: Wish, ranges: Sequence[Range]) -> Count:
    total = Count(0, 0, 0, 0, 0)
    for one in ranges:
        total += db.rows(name, Count, **world.query(db, name, wished, one))[0]
    return total


def _prove(db: Database, wished: Wish, ranges: Sequence[Range], promised: Count) -> list[Finding]:
    found = asdict(_count(db, "queries/sample/loaded", wished, ranges))
    return [
        Finding(
            f"sample.{kind}",
            "sample.loaded",
            "ok" if found[kind] == wanted else "critical",
            f"{found[kind]:,} {kind.replace('_', ' ')} are there, {wanted:,} were promised",
            object=db.name,
            measured=str(found[kind]),
            threshold=str(wanted),
        )
        for kind, wanted in asdict(promised).items()
    ]
