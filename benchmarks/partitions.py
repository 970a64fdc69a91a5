"""``partitions maintain`` under readers and writers: how long any of them stands still, beside pg_partman."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Row, median, percentile, process
from benchmarks.places import SETTINGS, WORLDS, Ground, environment, install, wnadmin
from wnadmin.errors import WnError
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session

MONTHS = 24
LONGEST = 1.0
"""Seconds that no statement may take longer than."""
TABLES: Mapping[str, str] = {
    "analytics.events": "occurred_at",
    "audio.sessions": "started_at",
    "audit.activity_log": "timestamp",
    "content.engagement": "started_at",
}
DEBIAN = Path("/usr/lib/postgresql/15/bin")
CONTROL = Path("/usr/share/postgresql/15/extension/pg_partman.control")
PACKAGE = "postgresql-15-partman"

_CHILD = "(SELECT c.id FROM family.child_profiles AS c ORDER BY c.id LIMIT 1)"
_ITEM = "(SELECT i.id FROM content.items AS i ORDER BY i.id LIMIT 1)"
STATEMENTS = (
    f"INSERT INTO content.engagement (child_id, item_id) VALUES ({_CHILD}, {_ITEM})",  # noqa: S608
    f"INSERT INTO audio.sessions (child_id) VALUES ({_CHILD})",  # noqa: S608
    f"INSERT INTO analytics.events (child_id, event_name) VALUES ({_CHILD}, 'bench')",  # noqa: S608
    "INSERT INTO audit.activity_log (action, table_schema, table_name) VALUES ('INSERT', 'core', 'users')",
    f"SELECT count(*) FROM content.engagement AS e WHERE e.child_id = {_CHILD}",  # noqa: S608
    "SELECT max(s.started_at) FROM audio.sessions AS s WHERE s.started_at > now() - INTERVAL '1 day'",
    "SELECT count(*) FROM analytics.events AS e WHERE e.occurred_at > now() - INTERVAL '1 minute'",
    f"UPDATE family.child_profiles SET first_name = first_name WHERE id = {_CHILD}",  # noqa: S608
)
"""What the clients send, each alone: all four tables are written and read, and a table that they refer to."""
CLIENTS = 6
HOLDERS = 2
HELD = 0.15
"""Seconds that a transaction stays open after it has read and written: a change of tables has to wait for it."""


@dataclass(slots=True)
class Load:
    """Clients at work: the seconds that each statement took, from the moment it was recorded for."""

    stop: threading.Event = field(default_factory=threading.Event)
    took: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, session: Session, number: int) -> None:
        """Send the statements one after the other."""
        at = number
        with session:
            while not self.stop.is_set():
                began = time.perf_counter()
                try:
                    session.run(STATEMENTS[at % len(STATEMENTS)])
                except WnError as error:
                    self.errors.append(f"{STATEMENTS[at % len(STATEMENTS)][:40]}: {error.what}")
                with self._lock:
                    self.took.append(time.perf_counter() - began)
                at += 1
                time.sleep(0.002)

    def holder(self, session: Session) -> None:
        """Keep transactions open that have read and written."""
        with session:
            while not self.stop.is_set():
                session.run("BEGIN")
                for one in (0, 5, 2):
                    session.run(STATEMENTS[one])
                time.sleep(HELD)
                session.run("COMMIT")
                time.sleep(0.05)

    def take(self) -> list[float]:
        """Give what was recorded, and begin anew."""
        with self._lock:
            found, self.took = self.took, []
        return found


@dataclass(frozen=True, slots=True)
class Stood:
    """How long the statements took beside some work: the longest, the median of what they stood still, the work."""

    longest: float
    stall: float
    share: float
    work: float


def partitions(ground: Ground, *, calm: float = 4.0, rounds: int = 3) -> list[Row]:
    """Add so many months to four tables, while others read and write them."""
    with _with_partman(ground) as (place, version):
        ours = [_ours(place, calm) for _ in range(rounds)]
        theirs = [_theirs(place, calm) for _ in range(rounds)] if version else []
    worst = max(ours, key=lambda one: one.longest)
    peer = max(theirs, key=lambda one: one.longest) if theirs else None
    name = f"pg_partman {version} run_maintenance" if version else ""
    what = f"partitions maintain, {MONTHS} months × {len(TABLES)}, {CLIENTS} clients"
    return [
        Row(
            "partitions",
            f"longest statement beside {what}",
            "s",
            worst.longest,
            peer.longest if peer else None,
            name,
            LONGEST,
        ),
        Row(
            "partitions stall",
            "  median stall, beyond the longest of a calm time",
            "ms",
            median([one.stall for one in ours]),
            median([one.stall for one in theirs]) if theirs else None,
            bound=0.0,
        ),
        Row(
            "partitions stalled",
            "  statements that stood still at all, of 10,000",
            "",
            10_000 * median([one.share for one in ours]),
            10_000 * median([one.share for one in theirs]) if theirs else None,
        ),
        Row(
            "partitions work",
            "  how long it took",
            "s",
            median([one.work for one in ours]),
            median([one.work for one in theirs]) if theirs else None,
        ),
    ]


def _ours(ground: Ground, calm: float) -> Stood:
    with _database(ground) as dbname, tempfile.TemporaryDirectory() as folder:
        words = wnadmin("partitions", "maintain", "--ahead", str(3 + MONTHS), "--yes", "--dsn", ground.dsn(dbname))
        return _beside(ground, dbname, process(words, environment(Path(folder))), calm)


def _theirs(ground: Ground, calm: float) -> Stood:
    with _database(ground) as dbname:
        with ground.session(dbname) as session:
            session.run("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman")
            for table, key in TABLES.items():
                # It knows partitions by its own names only: those that are there are made anew by it.
                for (name,) in session.run(
                    "SELECT i.inhrelid::regclass::text FROM pg_inherits AS i WHERE i.inhparent = %s::regclass", [table]
                ).rows:
                    session.run(f"ALTER TABLE {table} DETACH PARTITION {name}; DROP TABLE {name}")
                session.run(
                    "SELECT partman.create_parent(%s, %s, 'native', 'monthly', p_premake := 3, "
                    "p_start_partition := to_char(now() - INTERVAL '1 month', 'YYYY-MM-01'))",
                    [table, key],
                )
            session.run("UPDATE partman.part_config SET premake = 3 + %s, infinite_time_partitions = true", [MONTHS])

        def work() -> None:
            with ground.session(dbname) as session:
                session.run("SELECT partman.run_maintenance()")

        return _beside(ground, dbname, work, calm)


def _beside(ground: Ground, dbname: str, work: Callable[[], object], calm: float) -> Stood:
    """Run the work beside the load; RuntimeError unless the partitions are there and every statement succeeded."""
    load = Load()
    threads = [threading.Thread(target=load.client, args=(ground.session(dbname), n)) for n in range(CLIENTS)]
    threads += [threading.Thread(target=load.holder, args=(ground.session(dbname),)) for _ in range(HOLDERS)]
    with ground.session(dbname) as session:
        before = _count(session)
        for one in threads:
            one.start()
        try:
            time.sleep(1)
            load.take()
            time.sleep(calm)
            ceiling = max(load.take())
            began = time.perf_counter()
            work()
            took = time.perf_counter() - began
            # Whoever waits at the end of the work is a part of it.
            time.sleep(0.5)
        finally:
            load.stop.set()
            for one in threads:
                one.join()
        found = load.take()
        made = _count(session) - before
    if made != MONTHS * len(TABLES):
        raise RuntimeError(f"{made} partitions were made instead of {MONTHS * len(TABLES)}")
    if load.errors:
        raise RuntimeError(f"{len(load.errors)} statements failed, one of them: {load.errors[0]}")
    stalls = [max(0.0, one - ceiling) for one in found]
    sys.stderr.write(
        f"  {len(found):,} statements, calm up to {ceiling * 1000:.0f} ms, beside the work up to "
        f"{max(found) * 1000:.0f} ms, 99th percentile {percentile(found, 0.99) * 1000:.0f} ms, work {took:.1f} s\n"
    )
    return Stood(max(found), median(stalls), sum(1 for one in stalls if one > 0) / len(stalls), took)


def _count(session: Session) -> int:
    return int(session.scalar("SELECT count(*) FROM pg_catalog.pg_inherits AS i JOIN pg_class AS c ON c.oid = "
                              "i.inhrelid WHERE c.relkind = 'r'"))  # fmt: skip


@contextlib.contextmanager
def _database(ground: Ground) -> Iterator[str]:
    """A set-up database with sample families, three months ahead."""
    name = "bench_partitions"
    ground.create(name)
    try:
        install(ground, name)
        yield name
    finally:
        ground.drop(name)


@contextlib.contextmanager
def _with_partman(ground: Ground) -> Iterator[tuple[Ground, str]]:
    """A server that has the peer and its version; the given one and '' where none has it."""
    if version := _version(ground):
        yield ground, version
        return
    if not CONTROL.exists():
        sys.stderr.write(f"  without pg_partman: apt-get install {PACKAGE}\n")
        yield ground, ""
        return
    WORLDS.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="partman-", dir=WORLDS))
    home.chmod(0o755)
    cluster = Cluster(home / "pg", {"WNADMIN_PG_BINDIR": str(DEBIAN), "PATH": "/usr/bin:/bin"})
    cluster.start({**SETTINGS, "shared_buffers": "512MB", "shared_preload_libraries": ""})
    try:
        other = Ground(cluster, "postgres")
        yield other, _version(other)
    finally:
        cluster.destroy()
        shutil.rmtree(home, ignore_errors=True)


def _version(ground: Ground) -> str:
    with ground.session("postgres") as session:
        found = session.scalar(
            "SELECT e.default_version FROM pg_catalog.pg_available_extensions AS e WHERE e.name = 'pg_partman'"
        )
    return str(found or "")
