"""`setup drift` on a database with many partitions and a migration beyond the files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import Row, median, seconds
from benchmarks.places import Ground, install
from wnadmin import assets
from wnadmin.domain.migrate import run
from wnadmin.domain.setup import bundle, drift, flyway
from wnadmin.domain.setup.migrations import find
from wnadmin.domain.setup.shadow import Ways
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import connect
from wnadmin.results import World

PARTITIONS = 500
BOUND = 2.0
NAME = "bench_drift"
_MIGRATION = """\
-- rollback: DROP TABLE core.bench_notes;
SET LOCAL lock_timeout = '2s';
CREATE TABLE core.bench_notes (id bigint PRIMARY KEY, note text);
"""


def drifts(ground: Ground, *, partitions: int = PARTITIONS, rounds: int = 7) -> list[Row]:
    """Time the comparison with expected.json, and the one with a shadow, in a database of its own."""
    ground.create(NAME)
    # Four tables are partitioned by month.
    install(ground, NAME, months=partitions // 4)
    known = bundle.load()
    ways = Ways(lambda name: ground.session(name), lambda target: connect(target, command="benchmarks"), "postgres")
    try:
        with tempfile.TemporaryDirectory() as folder, ground.session(NAME) as session:
            db = Database(session)
            count = session.scalar(
                "SELECT count(*) FROM pg_catalog.pg_class AS c WHERE c.relispartition AND c.relkind = 'r'"
            )
            places = (assets.root("sql") / "migration", Path(folder))
            for statement in flyway.DDL:
                session.run(statement)
            v001 = flyway.parse_name(bundle.V001)
            session.run(flyway.insert_row(v001, rank=1, sum_=known.v001_checksum, milliseconds=1))
            session.run("ALTER TABLE public.flyway_schema_history OWNER TO wondernest_owner")

            def look() -> None:
                found = drift.drift(db, find(places), ways, bundle=known)
                if found.worst != "ok":
                    raise RuntimeError(f"the database differs: {found.findings[0].detail}")

            look()
            alone = median([seconds(look) for _ in range(rounds)])
            (Path(folder) / "V002__notes.sql").write_text(_MIGRATION, encoding="utf-8")
            plan = run.plan_apply(run.Wanted(places), lambda: ground.session(NAME))
            for step in plan.steps:
                step.run(World({}, lambda what, done, total: None, lambda: False))
            look()
            shadowed = median([seconds(look) for _ in range(rounds)])
    finally:
        ground.drop(NAME)
    what = f"{count} partitions"
    return [
        Row("drift", f"setup drift, {what}", "s", alone, bound=BOUND),
        Row("drift-shadow", f"setup drift, {what}, a migration: with a shadow", "s", shadowed, bound=BOUND),
    ]
