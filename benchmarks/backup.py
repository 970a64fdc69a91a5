"""`backup create` beside a bare pg_dump and a hash pass, `backup drill` beside a bare pg_restore and the same pass."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.measure import Row, Work, median, process, turns
from benchmarks.places import Ground, environment, wnadmin
from wnadmin.domain.backup import files, proof
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Tool, client_tool
from wnadmin.postgres.session import Session

CREATE_BOUND = 1.1
DRILL_BOUND = 1.2

ROWS = """
    CREATE TABLE public.bulk AS
    SELECT n AS id, md5(n::text) AS a, md5((n + 1)::text) AS b, '2026-01-01'::timestamptz + n * '1 s'::interval AS at
    FROM generate_series(1, %s) AS n
"""


def backup(ground: Ground, *, rows: int, rounds: int) -> list[Row]:
    """Measure both on a copy of the ground's database with a big table beside the others."""
    dbname = "backup_bench"
    with ground.session("postgres") as session:
        session.run(f'DROP DATABASE IF EXISTS "{dbname}" WITH (FORCE)')
        session.run(f'CREATE DATABASE "{dbname}" TEMPLATE "{ground.dbname}"')
    with ground.session(dbname) as session:
        for start in range(4):
            session.run(ROWS.replace("bulk", f"bulk{start}"), [rows // 4])
        session.run("ANALYZE")
    folder = Path(tempfile.mkdtemp(prefix="wnadmin-bench-"))
    try:
        return [
            row
            for jobs in (1, 2)
            for row in (_create(ground, dbname, folder, jobs, rounds), *_drill(ground, dbname, folder, jobs, rounds))
        ]
    finally:
        shutil.rmtree(folder)
        ground.drop(dbname)


def _sessions(ground: Ground, dbname: str, jobs: int) -> list[Session]:
    return [ground.session(dbname, settings=proof.PRINTING) for _ in range(jobs)]


def _hash(ground: Ground, dbname: str, jobs: int) -> None:
    """The same pass, alone: as many sessions, one snapshot."""
    sessions = _sessions(ground, dbname, jobs)
    try:
        proof.begin(sessions[0])
        snapshot = str(sessions[0].scalar("SELECT pg_catalog.pg_export_snapshot()"))
        for one in sessions[1:]:
            proof.begin(one, snapshot)
        wanted = proof.tables(Database(sessions[0]))
        proof.Hashing(sessions, wanted).finish(lambda: None, lambda: False)
    finally:
        for one in sessions:
            one.close()


def _env(tool: Tool) -> dict[str, str]:
    return {**os.environ, **tool.env}


def _words(jobs: int) -> list[str]:
    return ["--jobs", str(jobs)] if jobs > 1 else []


def _create(ground: Ground, dbname: str, folder: Path, jobs: int, rounds: int) -> Row:
    tool = client_tool("pg_dump", 17)
    form = "directory" if jobs > 1 else "custom"
    numbers = itertools.count()

    def bare() -> None:
        out = folder / f"bare{next(numbers)}"
        argv = [str(tool.path), f"--format={form}", *_words(jobs), f"--file={out}", ground.dsn(dbname)]
        process(argv, _env(tool))()
        files.remove(out)

    def peer() -> None:
        bare()
        _hash(ground, dbname, jobs)

    def ours() -> None:
        name = f"ours{next(numbers)}"
        argv = wnadmin("backup", "create", "--to", str(folder), "--name", name, "--yes", *_words(jobs))
        process([*argv, "--dsn", ground.dsn(dbname)], environment(folder))()
        for path in folder.glob(f"{name}.*"):
            files.remove(path)

    times = turns({"ours": ours, "peer": peer, "hash": lambda: _hash(ground, dbname, jobs)}, rounds)
    whole, hashing = median(times["peer"]), median(times["hash"])
    return Row(
        f"backup.create.{jobs}",
        f"backup create, {form}, {jobs} jobs: ≤ {CREATE_BOUND} × pg_dump and a hash pass",
        "s",
        median(times["ours"]),
        whole,
        f"pg_dump, then hash ({hashing:.2f} s)",
        whole * CREATE_BOUND,
    )


def _drill(ground: Ground, dbname: str, folder: Path, jobs: int, rounds: int) -> list[Row]:
    name = f"drilled{jobs}"
    made = wnadmin("backup", "create", "--to", str(folder), "--name", name, "--yes", *_words(jobs))
    process([*made, "--dsn", ground.dsn(dbname)], environment(folder))()
    dump = next(path for path in folder.glob(f"{name}.dump*") if path.suffix != ".json")
    tool = client_tool("pg_restore", 17)
    scratch = "backup_bench_scratch"

    def peer() -> None:
        with ground.session("postgres") as session:
            session.run(f'CREATE DATABASE "{scratch}" TEMPLATE template0')
        argv = [str(tool.path), "--exit-on-error", *_words(jobs), f"--dbname={ground.dsn(scratch)}", str(dump)]
        process(argv, _env(tool))()
        _hash(ground, scratch, jobs)
        ground.drop(scratch)

    def ours() -> None:
        argv = wnadmin("backup", "drill", str(dump), "--yes", *_words(jobs))
        process([*argv, "--dsn", ground.dsn(dbname)], environment(folder))()

    works: dict[str, Work] = {"ours": ours, "peer": peer}
    times = turns(works, rounds)
    whole = median(times["peer"])
    return [
        Row(
            f"backup.drill.{jobs}",
            f"backup drill, {jobs} jobs: ≤ {DRILL_BOUND} × pg_restore and a hash pass",
            "s",
            median(times["ours"]),
            whole,
            "createdb, pg_restore, hash, dropdb",
            whole * DRILL_BOUND,
        )
    ]
