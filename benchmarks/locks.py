"""``locks tree`` in the fire: 200 sessions blocked, as a queue behind a DDL and as a queue for one row."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, median, process, turns
from benchmarks.places import Ground, environment, scratch, wnadmin
from benchmarks.processes import READ
from wnadmin.postgres.session import Session

ROOM = 0.150
"""Seconds on top of a bare process."""
PATIENCE = 120.0


def locks(*, blocked: int = 200, rounds: int = 15) -> list[Row]:
    """``locks tree`` as on a terminal, against importing what it needs anyway, connecting and ``select 1``."""
    rows: list[Row] = []
    settings = {"max_connections": str(blocked + 50), "deadlock_timeout": "1s"}
    with scratch(settings) as ground, tempfile.TemporaryDirectory() as folder:
        ground.create("bench_locks")
        env, dsn = _installed(Path(folder)), ground.dsn("bench_locks")
        with ground.session("bench_locks") as session:
            session.run("CREATE TABLE public.fire AS SELECT 1 AS id, 0 AS n")
        for name, scene in (("a DDL", _behind_a_ddl), ("one row", _for_a_row)):
            with scene(ground, blocked):
                took = turns(
                    {
                        "peer": process([sys.executable, "-c", READ, dsn], env),
                        "tree": process(wnadmin("locks", "tree", "--format", "table", "--dsn", dsn), env),
                    },
                    rounds,
                    warm=2,
                )
            peer, what = median(took["peer"]), f"locks tree, {blocked} blocked at {name}, ≤ + 150 ms"
            rows.append(Row("locks", what, "ms", median(took["tree"]), peer, "imports, select 1", peer + ROOM))
    return rows


def _installed(folder: Path) -> dict[str, str]:
    """As after an installation: both sides have their bytecode, kept outside the checkout."""
    env = {**environment(folder), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


@contextlib.contextmanager
def _behind_a_ddl(ground: Ground, blocked: int) -> Iterator[None]:
    """An idle transaction has read, a DDL waits for it, and all others wait behind the DDL."""
    with ground.session("bench_locks") as root:
        root.run("BEGIN")
        root.run("SELECT count(*) FROM public.fire")
        first = _crowd(ground, 1, "ALTER TABLE public.fire ADD COLUMN IF NOT EXISTS more integer;")
        _until(root, 1)
        rest = _crowd(ground, blocked - 1, "SELECT count(*) FROM public.fire;")
        _until(root, blocked)
        yield
        _release(root, first, rest)


@contextlib.contextmanager
def _for_a_row(ground: Ground, blocked: int) -> Iterator[None]:
    """An idle transaction has changed a row that all others want to change: each waits for all before it."""
    with ground.session("bench_locks") as root:
        root.run("BEGIN")
        root.run("UPDATE public.fire SET n = n + 1")
        crowd = _crowd(ground, blocked, "UPDATE public.fire SET n = n + 1;")
        _until(root, blocked)
        yield
        _release(root, crowd)


def _crowd(ground: Ground, many: int, text: str) -> subprocess.Popen[bytes]:
    """So many sessions that send the statement once."""
    tool, where = ground.cluster.tool("pgbench"), ground.cluster.conninfo("bench_locks")
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    running = subprocess.Popen(
        [str(tool.path), "-n", "-c", str(many), "-t", "1", "-f", "/dev/stdin"],
        env={**tool.env, "PATH": "/usr/bin:/bin", **{names[key]: value for key, value in where.items()}},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if running.stdin is None:
        raise RuntimeError("pgbench takes no input")
    running.stdin.write(text.encode())
    running.stdin.close()
    return running


def _until(session: Session, blocked: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while session.scalar("SELECT count(DISTINCT pid) FROM pg_catalog.pg_locks WHERE NOT granted") != blocked:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not {blocked} sessions wait")
        time.sleep(0.1)


def _release(root: Session, *crowds: subprocess.Popen[bytes]) -> None:
    root.run("ROLLBACK")
    for one in crowds:
        if one.wait(PATIENCE):
            raise RuntimeError("pgbench failed while it waited")
