"""What an operator waits for: whole processes, from the command line to the exit code."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.measure import Row, median, process, turns
from benchmarks.places import ROOT, Ground, environment, install, wnadmin
from wnadmin import assets

READ = "import typer, rich.table, psycopg, sys; psycopg.connect(sys.argv[1]).execute('select 1')"


def start(ground: Ground, *, rounds: int = 15) -> list[Row]:
    """--version and --help against importing typer; a read command against importing what it needs anyway."""
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder))
        python, dsn = sys.executable, ground.dsn()
        took = turns(
            {
                "typer": process([python, "-c", "import typer"], env),
                "version": process(wnadmin("--version"), env),
                "help": process(wnadmin("--help"), env),
                "peer": process([python, "-c", READ, dsn], env),
                "read": process(wnadmin("sql", "run", "queries/queries/extension", "--dsn", dsn), env),
            },
            rounds,
            warm=2,
        )
    typer, peer = median(took["typer"]), median(took["peer"])
    bare = "import typer"
    return [
        Row("version", "wnadmin --version, ≤ 2 ×", "ms", median(took["version"]), typer, bare, 2 * typer),
        Row("help", "wnadmin --help, ≤ 3 ×", "ms", median(took["help"]), typer, bare, 3 * typer),
        Row("read", "a read command, ≤ 1.5 ×", "ms", median(took["read"]), peer, "imports, select 1", 1.5 * peer),
    ]


def setup(ground: Ground, *, rounds: int = 5) -> list[Row]:
    """``setup apply`` against psql with the same seven files, each time into a new database."""
    env_of_psql = _psql_environment(ground)
    files = [word for file in assets.database_files() for word in ("-f", str(file.path))]
    psql = [str(ground.cluster.tool("psql").path), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"]
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder))
        apply: list[float] = []
        plain: list[float] = []
        verify: list[float] = []
        for turn in _turns(rounds):
            for name in turn:
                ground.create("bench_setup")
                if name == "psql":
                    work = process([*psql, "-d", "bench_setup", *files], env_of_psql)
                    plain += turns({name: work}, 1, warm=0)[name]
                    continue
                dsn = ground.dsn("bench_setup")
                work = process(wnadmin("setup", "apply", "--yes", "--dsn", dsn), env)
                apply += turns({name: work}, 1, warm=0)[name]
                work = process(wnadmin("setup", "verify", "--dsn", dsn), env)
                verify += turns({name: work}, 1, warm=0)[name]
    peer, what = median(plain), "setup apply, ≤ 1.15 × + 0.7 s"
    return [
        Row("setup", what, "s", median(apply), peer, "psql -1 -f 01 … 07", 1.15 * peer + 0.7),
        Row("verify", "setup verify", "s", median(verify)),
    ]


def sample(ground: Ground, *, families: int = 10_000) -> list[Row]:
    """``sample load`` into a database of its own, with every trigger on."""
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder))
        ground.create("bench_sample")
        dsn = ground.dsn("bench_sample")
        install(ground, "bench_sample")
        work = process(wnadmin("sample", "load", "--families", str(families), "--yes", "--dsn", dsn), env)
        took = turns({"sample": work}, 1, warm=0)["sample"]
        ground.drop("bench_sample")
    return [Row("sample", f"sample load, {families:,} families", "s", took[0], bound=60 * families / 10_000)]


def _turns(rounds: int) -> Iterator[tuple[str, str]]:
    for number in range(rounds):
        yield ("psql", "wnadmin") if number % 2 == 0 else ("wnadmin", "psql")


def _psql_environment(ground: Ground) -> Mapping[str, str]:
    tool = ground.cluster.tool("psql")
    where = ground.cluster.conninfo("postgres")
    return {
        **tool.env,
        "PATH": "/usr/bin:/bin",
        "PGHOST": where["host"],
        "PGPORT": where["port"],
        "PGUSER": where["user"],
        "PWD": str(ROOT),
    }
