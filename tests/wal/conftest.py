"""A server of one's own whose WAL is archived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.support import SETTINGS, Cli, Server, end_server, scratch
from tests.wal.support import Yard, command, ready, shipped_command, yard
from wnadmin.postgres.embedded import Cluster


@pytest.fixture
def plot(fresh_server: Server, cli: Cli) -> Iterator[Yard]:
    """A server that does not archive yet, with a folder where it could."""
    yield yard(fresh_server, cli, TEMPLATE)


@pytest.fixture
def archiving(plot: Yard) -> Yard:
    """A server that archives with the shipped command."""
    plot.begin()
    return plot


@pytest.fixture(scope="module")
def ground(set_up_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """One archiving server for the tests of a module; `sound` puts it right before each."""
    home = scratch("wal")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")
    cluster.start(SETTINGS, fsync=False)
    server = Server(cluster, home)
    one = yard(server, Cli(tmp_path_factory.mktemp("wal")), TEMPLATE)
    one.begin()
    yield one
    server.cluster.stop("immediate")
    end_server(server)


@pytest.fixture
def sound(ground: Yard) -> Yard:
    """The server archives, nothing waits, and its counters begin anew."""
    command(ground, shipped_command(ground))
    ground.archived(ground.switch())
    ground.until(lambda: ready(ground) == 0, "what waits is not archived")
    ground.sql("SELECT pg_stat_reset_shared('archiver')")
    return ground
