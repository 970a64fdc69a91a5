"""What tests share: real servers of their own, and wnadmin run as its user runs it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wnadmin import assets
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session, connect
from wnadmin.postgres.target import Target

ROOT = Path(__file__).parents[1]
_numbers = itertools.count(1)

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "max_prepared_transactions": "10",
    "wal_level": "logical",
    "jit": "off",
    "autovacuum": "off",
}


def scratch(prefix: str) -> Path:
    """Make a directory that the server's own user can enter too, in memory where there is room."""
    shm = Path("/dev/shm")
    room = shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 2**31
    path = Path(tempfile.mkdtemp(prefix=f"wnadmin-{prefix}-", dir=shm if room else None))
    path.chmod(0o755)
    return path


@dataclass(frozen=True, slots=True)
class Server:
    """A running server of the tests."""

    cluster: Cluster
    home: Path

    def target(self, dbname: str = "postgres", user: str = "postgres") -> Target:
        """Where to connect as ``user``."""
        return Target({**self.cluster.conninfo(dbname), "user": user}, source="the tests")

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """The same as a conninfo string."""
        return " ".join(f"{key}={value}" for key, value in self.target(dbname, user).parameters.items())

    def session(self, dbname: str = "postgres", user: str = "postgres", **settings: str) -> Session:
        """Connect; the caller closes. ``row_security`` may be given as on."""
        shown = settings.pop("row_security", "off") == "on"
        return connect(self.target(dbname, user), command="tests", settings=settings, row_security=shown)

    def session_version(self) -> int:
        """``server_version_num`` of the server."""
        with self.session() as session:
            return session.version

    def create(self, template: str = "template0") -> str:
        """Create a database with a name of its own."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        with self.session() as session:
            session.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Drop a database and whoever is in it."""
        with self.session() as session:
            session.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def start_server(prefix: str, options: Mapping[str, str] | None = None) -> Server:
    """Start a server with the tests' settings, without fsync."""
    home = scratch(prefix)
    cluster = Cluster(home / "pg")
    cluster.start({**SETTINGS, **(options or {})}, fsync=False)
    return Server(cluster, home)


def end_server(server: Server) -> None:
    """Stop the server and remove its data."""
    server.cluster.destroy()
    shutil.rmtree(server.home, ignore_errors=True)


def install(server: Server, dbname: str, *, months: int = 3, samples: bool = True) -> None:
    """Run 01 to 07 into ``dbname`` in one transaction."""
    with server.session(dbname) as session:
        session.run("BEGIN")
        session.run("SELECT set_config('wondernest.months_ahead', %s, true)", [str(months)])
        session.run("SELECT set_config('app.seed_samples', %s, true)", ["on" if samples else "off"])
        for file in assets.database_files():
            result = session.script(file.text)
            if result.error is not None:
                raise AssertionError(f"{file.name}: {result.error.what} {result.context}") from result.error
        session.run("COMMIT")


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of wnadmin printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Parse stdout as one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Cli:
    """wnadmin as a program, with a state folder, a home and a configuration of its own."""

    folder: Path
    dsn: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The folder of spool and checkpoints."""
        return self.folder / "state"

    def env(self) -> dict[str, str]:
        """The environment of each run: nothing of the tester's own libpq settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "WNADMIN_", "XDG_"))}
        provider = {key: os.environ[key] for key in ("WNADMIN_PG_PROVIDER", "WNADMIN_PG_BINDIR") if key in os.environ}
        return {
            **kept,
            **provider,
            "HOME": str(self.folder),
            "WNADMIN_STATE": str(self.state),
            "WNADMIN_HOME": str(self.folder / "server"),
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONWARNINGS": "error",
            "NO_COLOR": "1",
            **self.extra,
        }

    def argv(self, *words: str) -> list[str]:
        """The command line of one run; the database is named unless the words name one."""
        where = ["--dsn", self.dsn] if self.dsn and not {"--dsn", "-d", "--profile", "-p"} & set(words) else []
        return [sys.executable, "-m", "wnadmin", *words, *where]

    def run(
        self,
        *words: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Ran:
        """Run to the end."""
        done = subprocess.run(
            self.argv(*words),
            env={**self.env(), **(env or {})},
            text=True,
            timeout=timeout,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, words: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start and leave it running; the caller ends it."""
        return subprocess.Popen(
            self.argv(*words),
            env={**self.env(), **(env or {})},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
