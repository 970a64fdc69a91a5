"""A server of this folder's own: read-only mode changes roles, which belong to the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.readonly.support import Ground
from tests.support import SETTINGS, Cli, Server, end_server, scratch
from wnadmin.postgres.embedded import Cluster


@pytest.fixture(scope="module")
def own_server(set_up_home: Path) -> Iterator[Server]:
    home = scratch("readonly")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")
    cluster.start(SETTINGS, fsync=False)
    one = Server(cluster, home)
    yield one
    end_server(one)


@pytest.fixture
def ground(own_server: Server, tmp_path: Path) -> Iterator[Ground]:
    """A database to be made read-only. Whatever a test does: in the end all is as it was, letter by letter."""
    one = Ground(own_server, TEMPLATE, Cli(tmp_path / "cli", own_server.dsn(TEMPLATE)))
    before = one.everything()
    yield one
    assert one.everything() == before
