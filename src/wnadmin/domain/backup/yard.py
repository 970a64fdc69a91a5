"""Where a backup is tried: the connected server, or a private one that is made for it and removed again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wnadmin.domain.backup import programs, proof
from wnadmin.domain.backup.values import Sidecar
from wnadmin.errors import Refused, WnError
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.embedded import Cluster, discover
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target
from wnadmin.results import Progress

_HOME: Final = "wnadmin-drill-"


@dataclass(frozen=True, slots=True)
class Yard:
    """A server to restore on: ``open`` connects to a database of it, with any settings on top."""

    target: Target
    open: Callable[[str], Session]
    where: str


def connected(connections: Connections) -> Yard:
    """The server that the command is connected to."""
    admin = connections.target.admin_database

    def open_(dbname: str) -> Session:
        return connections.open(connections.target.at(dbname or admin), settings=proof.PRINTING, statement_timeout="0")

    return Yard(connections.target, open_, connections.target.describe())


@contextlib.contextmanager
def private(major: int, progress: Progress) -> Iterator[Yard]:
    """A server of one's own for the block, of this major or a newer one; Refused where there is none to start.

    It is removed with all in it. What killed runs left behind is removed first.
    """
    found = sorted((one for one in discover() if one.version[0] >= major), key=lambda one: one.version)
    if not found:
        raise Refused(
            f"no server of PostgreSQL {major} or newer can be started here",
            why="A dump does not go back into an older server.",
            next=f"Install PostgreSQL {major}, set WNADMIN_PG_BINDIR, or drill on the connected server.",
        )
    sweep()
    home = Path(tempfile.mkdtemp(prefix=_HOME))
    # The server may belong to another account than ours: its home hides it, the way there does not.
    home.chmod(0o755)
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    cluster = Cluster(home / "pg", {**os.environ, "WNADMIN_PG_BINDIR": str(found[0].bindir)})
    connections: Connections | None = None
    try:
        progress(f"start a private {found[0].label}", 0, 0)
        # No statement of a subject may land in a log, and what is lost with the machine is only a copy.
        cluster.start({"log_min_error_statement": "panic", "max_locks_per_transaction": "512"}, fsync=False)
        connections = Connections(Target(cluster.conninfo(), source="the private server"), "backup drill")
        yield replace(connected(connections), where="a private server")
    finally:
        if connections is not None:
            connections.close()
        _destroy(home)
        os.close(lock)


def sweep() -> list[Path]:
    """Remove the private servers that nobody uses any more; gives their folders."""
    swept = []
    for home in sorted(Path(tempfile.gettempdir()).glob(f"{_HOME}*")):
        try:
            descriptor = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            _destroy(home)
            swept.append(home)
        finally:
            os.close(descriptor)
    return swept


def _destroy(home: Path) -> None:
    with contextlib.suppress(WnError):
        Cluster(home / "pg").destroy()
    shutil.rmtree(home, ignore_errors=True)


def make_roles(yard: Yard, side: Sidecar, stopping: Callable[[], bool]) -> None:
    """Make the roles of the dumped cluster on a private server, whose own superuser stands in for its namesake."""
    tool = programs.tool("psql", side.server_major)
    where = programs.address(yard.target, user="postgres", dbname="postgres", command="backup drill")
    with programs.door(yard.target, own=True, where=where) as door, tempfile.TemporaryFile() as text:
        text.write(side.globals.encode())
        text.seek(0)
        argv = [str(tool.path), "-X", "-q", "-o", "/dev/null", "-d", door.conninfo]
        # A role that is there already, such as postgres, is no error.
        programs.Pipe([programs.Program(argv, {**door.env, **tool.env})], stdin=text).wait(lambda: None, stopping)
