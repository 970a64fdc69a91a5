"""``retention apply`` beside one bare DELETE of the same rows, and what it costs those who work meanwhile."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator

from benchmarks import health
from benchmarks.health import Programs
from benchmarks.measure import Row, median, seconds
from benchmarks.places import Ground, wnadmin
from wnadmin.postgres.session import Session

RECORDED, PLAIN = "analytics.insights", "ml.recommendations"
"""Tables whose deletions the trail records, and does not: there the batches are most of the work."""

_FAMILY = """
INSERT INTO core.users (id, email, first_name, is_sample)
VALUES (md5('bench/user')::uuid, 'bench@example.com', 'Bench', true);
INSERT INTO family.families (id, name, created_by, is_sample)
VALUES (md5('bench/family')::uuid, 'Bench', md5('bench/user')::uuid, true);
INSERT INTO family.child_profiles (id, family_id, first_name, birth_date, is_sample)
SELECT md5('bench/child/' || n)::uuid, md5('bench/family')::uuid, 'Bench', '2022-01-01', true
FROM generate_series(0, 999) AS n;
"""

_FILL = {
    RECORDED: "INSERT INTO analytics.insights (child_id, insight_type, title, period_start, period_end, created_at) "
    "SELECT md5('bench/child/' || n %% 1000)::uuid, 'speech', 'old', '2020-01-01', '2020-01-31', "
    "'2020-02-01'::timestamptz + n * INTERVAL '1 second' FROM generate_series(1, %s) AS n",
    PLAIN: "INSERT INTO ml.recommendations (child_id, item_id, score, created_at) "
    "SELECT md5('bench/child/' || n %% 1000)::uuid, (SELECT i.id FROM content.items AS i LIMIT 1), 0.5, "
    "'2020-02-01'::timestamptz + n * INTERVAL '1 second' FROM generate_series(1, %s) AS n",
}
_BARE = {
    RECORDED: "DELETE FROM analytics.insights AS t WHERE t.created_at < now() - INTERVAL '1 year'",
    PLAIN: "DELETE FROM ml.recommendations AS t WHERE t.created_at < now() - INTERVAL '90 days'",
}


def retention(ground: Ground, *, rows: int = 300_000, rounds: int = 3, pairs: int = 7, length: int = 6) -> list[Row]:
    """Rows a second of the whole command, and the 95th percentile of pgbench at half of what it could do beside it."""
    with health._database(ground, "bench_retention") as programs, ground.session(programs.dbname) as session:
        result = session.script(_FAMILY)
        if result.error is not None:
            raise RuntimeError(f"the benchmark's family: {result.error.what}")
        speeds = [row for table in (PLAIN, RECORDED) for row in _speed(programs, session, table, rows, rounds)]
        return [*speeds, _load(programs, session, rows, pairs, length)]


def _fill(session: Session, table: str, rows: int) -> None:
    session.run(f"TRUNCATE {table}, audit.activity_log")
    # Rows as they are found, without the work of the triggers that recorded them.
    session.run("SET session_replication_role = replica")
    session.run(_FILL[table], [rows])
    session.run("RESET session_replication_role")
    session.run(f"VACUUM (ANALYZE) {table}")
    session.run("CHECKPOINT")


def _words(programs: Programs, table: str) -> list[str]:
    where = ("--dsn", programs.ground.dsn(programs.dbname))
    return wnadmin("retention", "apply", "--yes", "--only", table, "--format", "json", *where)


def _speed(programs: Programs, session: Session, table: str, rows: int, rounds: int) -> list[Row]:
    found: dict[str, list[float]] = {"step": [], "whole": [], "bare": []}
    for number in range(rounds + 1):
        for name in ("ours", "bare") if number % 2 == 0 else ("bare", "ours"):
            _fill(session, table, rows)
            took = _ours(programs, table) if name == "ours" else {"bare": seconds(lambda: session.run(_BARE[table]))}
            if session.scalar(f"SELECT count(*) FROM {table}"):  # noqa: S608
                raise RuntimeError(f"{table} still has rows that are due")
            # The first round warms up.
            for key in took if number else ():
                found[key].append(took[key])
    step, whole, peer = (rows / median(found[key]) for key in ("step", "whole", "bare"))
    what = f"retention apply, {rows:,} rows of {table}, ≥ 0.5 ×"
    return [
        Row("retention", what, "rows/s", step, peer, "one bare DELETE", 0.5 * peer, least=True),
        Row("retention whole", "  the same with start, plan and proof", "rows/s", whole, peer, "one bare DELETE"),
    ]


def _ours(programs: Programs, table: str) -> dict[str, float]:
    """Seconds of the deletion with its pauses, as its receipt says, and of the whole program."""
    began = time.perf_counter()
    argv = _words(programs, table)
    done = subprocess.run(argv, env=programs.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    whole = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"retention apply ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    (step,) = json.loads(done.stdout)["steps"]
    return {"step": step["receipt"]["milliseconds"] / 1000, "whole": whole}


def _load(programs: Programs, session: Session, rows: int, pairs: int, length: int) -> Row:
    health._pgbench(programs, "-i", "-q", "-s", "10" if length > 1 else "1")
    rate = health._capacity(programs, length) / 2
    found: list[tuple[float, float]] = []
    for number in range(pairs):
        both: dict[bool, float] = {}
        for beside in (False, True) if number % 2 == 0 else (True, False):
            _fill(session, RECORDED, rows)
            with _applying(programs, session) if beside else contextlib.nullcontext():
                both[beside] = health._p95(programs, rate, length)
        found.append((both[True], both[False]))
    busy, alone = sorted(found, key=lambda pair: pair[0] / pair[1])[len(found) // 2]
    what = f"p95 of pgbench at {rate:,.0f}/s beside retention apply, ≤ 1.2 ×"
    return Row("retention load", what, "ms", busy, alone, f"alone, {pairs} pairs", 1.2 * alone)


@contextlib.contextmanager
def _applying(programs: Programs, session: Session) -> Iterator[None]:
    """Have ``retention apply`` deleting for the block; it must still do so at its end."""
    running = subprocess.Popen(
        _words(programs, RECORDED),
        env=programs.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        # Each deletion leaves its record.
        while not session.scalar("SELECT EXISTS (SELECT FROM audit.activity_log AS a WHERE a.action = 'DELETE')"):
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("retention apply deletes nothing")
            time.sleep(0.02)
        yield
        if running.poll() is not None:
            raise RuntimeError("retention apply was done before pgbench was: more rows are needed")
    finally:
        running.terminate()
        try:
            running.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
