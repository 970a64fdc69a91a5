"""``health run``: beside check_postgres on the same server, on thousands of partitions, and what it costs others."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, median, percentile, turns
from benchmarks.places import Ground, environment, install, wnadmin

PEER = "check_postgres"
EQUIVALENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "connection": ("reachable", ()),
    "version": ("version", ("--warning=15.1",)),
    "backends": ("connections", ()),
    "txn_idle": ("idle-in-transaction", ("--warning=300", "--critical=1800")),
    "txn_time": ("long-transactions", ("--warning=1800", "--critical=3600")),
    "query_time": ("long-transactions", ("--warning=1800", "--critical=3600")),
    "locks": ("blocking", ("--warning=500", "--critical=waiting=5")),
    "prepared_txns": ("prepared-transactions", ()),
    "txn_wraparound": ("xid-age", ()),
    "autovac_freeze": ("xid-age", ()),
    "last_vacuum": ("autovacuum-debt", ()),
    "last_autovacuum": ("autovacuum-debt", ()),
    "last_analyze": ("statistics-age", ()),
    "last_autoanalyze": ("statistics-age", ()),
    "bloat": ("table-bloat", ()),
    "hitratio": ("cache-hit", ()),
    "wal_files": ("wal-size", ("--warning=500", "--critical=1000")),
    "archive_ready": ("archiver", ()),
    "replication_slots": ("replication-slots", ("--warning=5GB", "--critical=20GB")),
    "sequence": ("sequences", ()),
    "disabled_triggers": ("disabled-triggers", ()),
    "settings_checksum": ("settings", (f"--warning={'0' * 32}",)),
    "commitratio": ("database-metrics", ()),
    "database_size": ("database-metrics", ("--warning=1TB", "--critical=2TB")),
}
"""What check_postgres has for one of our checks: action, the check's id, its options.

Both of its actions where it parts what was done by hand from what was done by itself, and one check of ours looks at
both. Left out: `checkpoint`, which needs a Perl module that the package only suggests; `hot_standby_delay` and
`replicate_row`, which ask two servers; `new_version_pg`, which asks the internet; `fsm_*`, which exist for servers
before 8.4 only; the sizes of relations, which no check of ours judges."""

WIDE = Path(__file__).parent / "wide.sql"
PARTITIONS = 5000
CLIENTS = 4
TAKES_UP = "health run, all checks"

_WATERMARK = """
import atexit, runpy, sys
def peak():
    with open("/proc/self/status") as status:
        sys.stderr.write(next(line for line in status if line.startswith("VmHWM")))
atexit.register(peak)
runpy.run_module("wnadmin", run_name="__main__", alter_sys=True)
"""
"""wnadmin that says at its end how much memory it had at most; the accounts of a child would begin with ours."""

_SERVER_TIME = """
SELECT sum(s.total_exec_time + s.total_plan_time) / 1000
FROM extensions.pg_stat_statements AS s
INNER JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
WHERE d.datname = pg_catalog.current_database()
"""


@dataclass(frozen=True, slots=True)
class Programs:
    """How to call the two, for one database."""

    ground: Ground
    dbname: str
    folder: Path

    def health(self, *words: str) -> list[str]:
        """A look as a monitor starts it."""
        return wnadmin("health", "run", "--exit-style", "nagios", *words, "--dsn", self.ground.dsn(self.dbname))

    @property
    def env(self) -> dict[str, str]:
        """For wnadmin."""
        return environment(self.folder)

    def equivalents(self, *, bare: bool = False) -> None:
        """Run each of the peer's actions, one by one; RuntimeError for one that could not look.

        As installed it calls Debian's psql, a wrapper in Perl that finds the right one; ``bare`` hands it the server's
        own psql, which nobody has in the path of a monitor there, and which takes half the time.
        """
        program = _program()
        tool = self.ground.cluster.tool("psql")
        path = f"{tool.path.parent}:/usr/bin:/bin" if bare else f"/usr/bin:/bin:{tool.path.parent}"
        env = {**tool.env, "PATH": path, "HOME": str(self.folder)}
        where = self.ground.cluster.conninfo(self.dbname)
        for action, (_, words) in EQUIVALENTS.items():
            asked = [
                program,
                f"--action={action}",
                f"--host={where['host']}",
                f"--port={where['port']}",
                f"--dbname={self.dbname}",
                "--dbuser=postgres",
                *words,
            ]
            _answered(asked, env, rf"POSTGRES_{action.upper()} {_verdicts(action)}: ")

    def look(self) -> None:
        """Run all checks; RuntimeError when they could not be made."""
        _answered(self.health(), self.env, r"WNADMIN \w+ - .*\d+ ok")


def _verdicts(action: str) -> str:
    # It does not know when nothing was done by itself yet, and has looked all the same.
    return "(OK|WARNING|CRITICAL|UNKNOWN)" if action.startswith("last_auto") else "(OK|WARNING|CRITICAL)"


def _program() -> str:
    program = shutil.which(PEER)
    if program is None:
        raise RuntimeError(f"{PEER} is not installed: apt-get install check-postgres")
    return program


def _answered(argv: Sequence[str], env: Mapping[str, str], pattern: str) -> None:
    # The exit code is the verdict, whatever it is; only what was said shows whether there is one.
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if not re.match(pattern, done.stdout):
        said = " | ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise RuntimeError(f"{' '.join(argv[:3])} gave no verdict: {said}")


@contextlib.contextmanager
def _database(ground: Ground, name: str) -> Iterator[Programs]:
    """A set-up database of that name for the block."""
    ground.create(name)
    try:
        install(ground, name)
        with tempfile.TemporaryDirectory() as folder:
            yield Programs(ground, name, Path(folder))
    finally:
        ground.drop(name)


def peers(ground: Ground, *, rounds: int = 5) -> list[Row]:
    """All checks in one process against the peer's actions, each a process of its own, as a monitor starts them."""
    _program()
    with _database(ground, "bench_health") as programs:
        _analyzed(ground, programs.dbname)
        return _beside(programs, rounds, "health", "a new database")


def _beside(programs: Programs, rounds: int, name: str, where: str) -> list[Row]:
    took = turns(
        {"health": programs.look, "peer": programs.equivalents, "bare": partial(programs.equivalents, bare=True)},
        rounds,
    )
    ours, peer, bare = (median(took[key]) for key in ("health", "peer", "bare"))
    what, times = f"{TAKES_UP}, {where}, ≤ 1/10", f"{len(EQUIVALENTS)} × {PEER}"
    return [
        Row(name, what, "s", ours, peer, f"{times} as installed", peer / 10),
        Row(f"{name} bare", "  the same", "s", ours, bare, f"{times} with the bare psql"),
    ]


def _analyzed(ground: Ground, dbname: str) -> None:
    with ground.session(dbname) as session:
        session.run("VACUUM (ANALYZE)")


def wide(ground: Ground, *, partitions: int = PARTITIONS, rounds: int = 5, beside: bool = True) -> list[Row]:
    """A database with thousands of partitions and twice as many indexes: time, memory, ``beside`` the peer too."""
    with _database(ground, "bench_wide") as programs:
        with ground.session(programs.dbname) as session:
            session.run(WIDE.read_text(encoding="utf-8").replace(":partitions", str(partitions)))
        _analyzed(ground, programs.dbname)
        took = turns({"look": programs.look}, rounds)["look"]
        where = f"{partitions:,} partitions"
        rows = [
            Row("health wide", f"{TAKES_UP}, {where}", "s", median(took), bound=1.5),
            Row("health memory", f"  its memory at most, {where}", "MB", _peak(programs), bound=80),
        ]
        # Without the program `peers` has said so.
        if beside and shutil.which(PEER):
            rows += _beside(programs, max(1, rounds // 2), "health wide peers", where)
        return rows


def _peak(programs: Programs) -> float:
    words = programs.health()[3:]
    argv = [sys.executable, "-c", _WATERMARK, *words]
    done = subprocess.run(argv, env=programs.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    if found is None or not done.stdout.startswith("WNADMIN "):
        raise RuntimeError(f"health run gave no verdict: {done.stderr.strip()[-300:]}")
    return int(found[1]) * 1024 / 1e6


# --- what it costs those who work -------------------------------------------------------------------------------


def load(ground: Ground, *, pairs: int = 7, length: int = 6, size: int = 10) -> list[Row]:
    """pgbench at half of what it could do, alone and beside ``health run --watch 1``, in turns."""
    with _database(ground, "bench_load") as programs:
        bench = partial(_pgbench, programs)
        bench("-i", "-q", "-s", str(size))
        _analyzed(ground, programs.dbname)
        rate = _capacity(programs, length) / 2
        found: list[tuple[float, float]] = []
        for number in range(pairs):
            both: dict[bool, float] = {}
            for watched in (False, True) if number % 2 == 0 else (True, False):
                with _watch(programs) if watched else contextlib.nullcontext():
                    both[watched] = _p95(programs, rate, length)
            found.append((both[True], both[False]))
        # The pair in the middle stands for all; its ratio is the median.
        beside, alone = sorted(found, key=lambda pair: pair[0] / pair[1])[len(found) // 2]
        what = f"p95 of pgbench at {rate:,.0f}/s beside health run --watch 1, ≤ 1.1 ×"
        return [
            Row("health load", what, "ms", beside, alone, f"alone, {pairs} pairs", 1.1 * alone),
            Row("health look", "  server time of one look", "ms", _server_time(programs)),
        ]


def _pgbench(programs: Programs, *words: str) -> str:
    tool = programs.ground.cluster.tool("pgbench")
    where = programs.ground.cluster.conninfo(programs.dbname)
    env = {
        **tool.env,
        "PATH": "/usr/bin:/bin",
        "PGHOST": where["host"],
        "PGPORT": where["port"],
        "PGUSER": "postgres",
        # Waiting for the disk would hide what a look takes from the processors, and differ from run to run.
        "PGOPTIONS": "-c synchronous_commit=off",
    }
    argv = [str(tool.path), *words, programs.dbname]
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pgbench {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def _capacity(programs: Programs, length: int) -> float:
    """Transactions a second without a limit."""
    said = _pgbench(programs, "-n", "-c", str(CLIENTS), "-j", "1", "-T", str(length))
    found = re.search(r"^tps = ([\d.]+)", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pgbench told no tps: {said[-300:]}")
    return float(found[1])


def _p95(programs: Programs, rate: float, length: int) -> float:
    """Seconds that 95 % of the transactions do not exceed, counted from when each was due."""
    with tempfile.TemporaryDirectory() as folder:
        words = ("-n", "-c", str(CLIENTS), "-j", "1", "-T", str(length), "-R", f"{rate:.0f}")
        _pgbench(programs, *words, "--log", f"--log-prefix={folder}/log")
        lines = [line for log in Path(folder).iterdir() for line in log.read_text(encoding="utf-8").splitlines()]
    # client, number, microseconds, script, second, microsecond, delay of the start
    took = [int(line.split()[2]) / 1e6 for line in lines]
    if not took:
        raise RuntimeError("pgbench logged no transaction")
    return percentile(took, 0.95)


@contextlib.contextmanager
def _watch(programs: Programs) -> Iterator[None]:
    """Have ``health run --watch 1`` looking for the block; it must still look at its end."""
    shown = programs.folder / "watched"
    with shown.open("w", encoding="utf-8") as out:
        argv = wnadmin("health", "run", "--watch", "1", "--format", "ndjson")
        running = subprocess.Popen(
            [*argv, "--dsn", programs.ground.dsn(programs.dbname)],
            env=programs.env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _grows(shown, running, 0)
            before = shown.stat().st_size
            yield
            _grows(shown, running, before)
        finally:
            # Not SIGINT: what was started in the background of a shell does not hear it.
            running.terminate()
            try:
                running.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()


def _grows(shown: Path, running: subprocess.Popen[str], beyond: int) -> None:
    deadline = time.monotonic() + 30
    while shown.stat().st_size <= beyond:
        if running.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("health run --watch does not look")
        time.sleep(0.05)


def _server_time(programs: Programs) -> float:
    """Seconds that the server's executor and planner were busy with one look."""
    ground, dsn = programs.ground, programs.ground.dsn(programs.dbname)
    counted = "-c pg_stat_statements.track=all -c pg_stat_statements.track_planning=on"
    with ground.session(programs.dbname) as session:
        session.run("SELECT extensions.pg_stat_statements_reset()")
        argv = wnadmin("health", "run", "--exit-style", "nagios", "--dsn", f"{dsn} options='{counted}'")
        _answered(argv, programs.env, r"WNADMIN \w+ - ")
        return float(session.scalar(_SERVER_TIME))
