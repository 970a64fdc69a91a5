"""A server of each major, from .servers (`make servers`), with the whole database set up by wnadmin itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT, SETTINGS, Cli, Server, scratch
from wnadmin.postgres.embedded import Cluster

MAJORS = (15, 16, 17, 18)


@dataclass(frozen=True, slots=True)
class Major:
    """One major's server, and wnadmin pointed at its database."""

    number: int
    server: Server
    cli: Cli
    dbname: str


@pytest.fixture(scope="module", params=MAJORS)
def major(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Major]:
    number: int = request.param
    bindir = ROOT / ".servers" / str(number) / "bin"
    assert bindir.is_dir(), f"PostgreSQL {number} is missing: run `make servers`"
    home = scratch(f"major{number}")
    # The server's own user must reach the programs, wherever the checkout is.
    programs = home / "programs"
    shutil.copytree(bindir.parent, programs, symlinks=True)
    env = {"WNADMIN_PG_BINDIR": str(programs / "bin"), "PATH": os.environ["PATH"]}
    cluster = Cluster(home / "pg", env)
    cluster.start(SETTINGS, fsync=False)
    server = Server(cluster, home)
    folder: Path = tmp_path_factory.mktemp(f"major{number}")
    cli = Cli(folder, server.dsn("wondernest_prod"), env)
    made = cli.run("setup", "apply", "--create", "--yes", "--months", "3")
    assert made.code == 0, made.out + made.err
    yield Major(number, server, cli, "wondernest_prod")
    cluster.destroy()
    shutil.rmtree(home, ignore_errors=True)
