"""The servers that benchmarks run on: a scratch server for one run, and the one that keeps the big world."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wnadmin import assets
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session, Timeouts, connect
from wnadmin.postgres.target import Target

ROOT = Path(__file__).parents[1]
WORLDS = ROOT / ".worlds"

SETTINGS: Mapping[str, str] = {
    "shared_preload_libraries": "pg_stat_statements",
    # Statement statistics are for operators; here they would only be measured along.
    "pg_stat_statements.track": "none",
    "jit": "off",
    "autovacuum": "off",
    "track_io_timing": "off",
    "track_functions": "none",
    "log_min_duration_statement": "-1",
    "log_statement": "none",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "1GB",
    "effective_cache_size": "8GB",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A running server with a database on it that holds a world."""

    cluster: Cluster
    dbname: str

    def target(self, dbname: str = "", user: str = "postgres") -> Target:
        """Where to connect as ``user``."""
        return Target({**self.cluster.conninfo(dbname or self.dbname), "user": user}, source="the benchmarks")

    def dsn(self, dbname: str = "") -> str:
        """The same for the superuser, as a conninfo string."""
        return " ".join(f"{key}={value}" for key, value in self.target(dbname).parameters.items())

    def session(
        self,
        dbname: str = "",
        user: str = "postgres",
        *,
        row_security: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> Session:
        """Connect without time limits; the caller closes."""
        limits = Timeouts(lock="30s", statement="0", idle_in_transaction="0")
        return connect(
            self.target(dbname, user),
            command="benchmarks",
            timeouts=limits,
            settings=settings,
            row_security=row_security,
        )

    def database(self, settings: Mapping[str, str] | None = None) -> Database:
        """Connect as the superuser, with the bundled SQL at hand."""
        return Database(self.session(settings=settings))

    def create(self, name: str) -> None:
        """Make an empty database, in place of one of that name."""
        with self.session("postgres") as session:
            session.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            session.run(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")

    def drop(self, name: str) -> None:
        """Drop a database and whoever is in it."""
        with self.session("postgres") as session:
            session.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def exists(self, name: str) -> bool:
        """Whether the database is there."""
        with self.session("postgres") as session:
            return bool(session.run("SELECT 1 FROM pg_catalog.pg_database AS d WHERE d.datname = %s", [name]).rows)


def install(ground: Ground, dbname: str, *, months: int = 3) -> None:
    """Run 01 to 07 in one transaction."""
    with ground.session(dbname) as session:
        session.run("BEGIN")
        session.run("SELECT pg_catalog.set_config('wondernest.months_ahead', %s, true)", [str(months)])
        for file in assets.database_files():
            result = session.script(file.text)
            if result.error is not None:
                raise RuntimeError(f"{file.name}: {result.error.what} {result.context}") from result.error
        session.run("COMMIT")


@contextlib.contextmanager
def scratch(settings: Mapping[str, str] | None = None) -> Iterator[Ground]:
    """A server for one run, on a disk and with fsync, as an operator would have it."""
    WORLDS.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="scratch-", dir=WORLDS))
    # The server may belong to another account than ours: its home hides it, the way there does not.
    home.chmod(0o755)
    cluster = Cluster(home / "pg")
    cluster.start({**SETTINGS, "shared_buffers": "512MB", **(settings or {})})
    try:
        yield Ground(cluster, "world")
    finally:
        cluster.destroy()
        with contextlib.suppress(OSError):
            home.rmdir()


def environment(folder: Path) -> dict[str, str]:
    """The environment of a measured wnadmin: its own folders, nothing of the tester's libpq settings."""
    # What is installed has its bytecode.
    ours = ("PG", "WNADMIN_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {
        **kept,
        "HOME": str(folder),
        "WNADMIN_STATE": str(folder / "state"),
        "WNADMIN_HOME": str(folder / "server"),
        "PYTHONPATH": str(ROOT / "src"),
        "NO_COLOR": "1",
    }


def wnadmin(*words: str) -> list[str]:
    """The command line of wnadmin in this Python."""
    return [sys.executable, "-m", "wnadmin", *words]
