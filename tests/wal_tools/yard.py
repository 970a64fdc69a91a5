"""A server of its own whose WAL goes to a real tool, and what is needed to run that tool as its own user."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT, SETTINGS, Server, scratch
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.embedded.procs import Account, identity, server_account

TOOLS = {"pgbackrest": "pgbackrest", "barman": "barman"}
"""Each program with the package that has it."""
# pgBackRest of Debian 12 knows PostgreSQL up to this one.
MAJOR = 15


def found(program: str) -> str:
    """Where the real one is; the test is skipped where there is none."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed; .ci/run has it where apt-get has the package {TOOLS[program]}")
    return path


@dataclass(frozen=True, slots=True)
class Yard:
    """The server, the folder of all that belongs to the tools, and who owns it."""

    server: Server
    folder: Path
    account: Account

    @property
    def programs(self) -> Path:
        """PostgreSQL's programs."""
        return self.folder / "programs" / "bin"

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self.folder / "pg" / "data"

    def make(self, *names: str) -> list[Path]:
        """Make directories that belong to the server's user."""
        paths = [self.folder / name for name in names]
        for path in paths:
            path.mkdir()
            os.chown(path, self.account.uid, self.account.gid)
        return paths

    def run(self, *words: str, fails: bool = False, env: dict[str, str] | None = None) -> str:
        """Run a program as the server's user, who is the one that these tools are made for."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **identity(self.account),
        )
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def opened(prefix: str, archive_command: str) -> Iterator[Yard]:
    """Start the server; in the command, FOLDER stands for the folder. Nothing is archived until the WAL is switched."""
    bindir = ROOT / ".servers" / str(MAJOR) / "bin"
    assert bindir.is_dir(), f"PostgreSQL {MAJOR} is missing: run `make servers`"
    folder = scratch(prefix)
    # The server's own user must reach the programs, wherever the checkout is.
    shutil.copytree(bindir.parent, folder / "programs", symlinks=True)
    env = {"WNADMIN_PG_BINDIR": str(folder / "programs" / "bin"), "PATH": os.environ["PATH"]}
    cluster = Cluster(folder / "pg", env)
    archiving = {"archive_mode": "on", "archive_command": archive_command.replace("FOLDER", str(folder))}
    cluster.start({**SETTINGS, **archiving}, fsync=False)
    try:
        yield Yard(Server(cluster, folder), folder, server_account())
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)
