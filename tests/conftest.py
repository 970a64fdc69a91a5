"""Fixtures: one real server a worker, a template with the whole database, databases of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import Cli, Server, end_server, install, scratch, start_server

TEMPLATE = "wondernest_template"

# This machine may be shared and slow: time is no property of the code.
settings.register_profile("short", deadline=None)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for this worker. Roles and settings of it are shared: use fresh_server to change them."""
    one = start_server("tests")
    yield one
    end_server(one)


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """The name of a database with 01 to 07, three months ahead, with samples; only to be copied."""
    with server.session() as session:
        session.run(f"CREATE DATABASE \"{TEMPLATE}\" TEMPLATE template0 ENCODING 'UTF8'")
    install(server, TEMPLATE)
    return TEMPLATE


@pytest.fixture(scope="session")
def db(server: Server, template: str) -> Iterator[str]:
    """The name of a set-up database for looking only."""
    name = server.create(template)
    yield name
    server.drop(name)


@pytest.fixture
def fresh_db(server: Server, template: str) -> Iterator[str]:
    """The name of a set-up database of one's own."""
    name = server.create(template)
    yield name
    server.drop(name)


@pytest.fixture
def empty_db(server: Server) -> Iterator[str]:
    """The name of an empty database of one's own."""
    name = server.create()
    yield name
    server.drop(name)


@pytest.fixture(scope="session")
def set_up_home(server: Server, template: str) -> Iterator[Path]:
    """A stopped copy source: a server of its own with the template in it."""
    one = start_server("fresh-template")
    with one.session() as session:
        session.run(f"CREATE DATABASE \"{TEMPLATE}\" TEMPLATE template0 ENCODING 'UTF8'")
    install(one, TEMPLATE)
    one.cluster.stop()
    yield one.home
    end_server(one)


@pytest.fixture
def fresh_server(set_up_home: Path) -> Iterator[Server]:
    """A server of one's own, for what is cluster-wide, with the template database in it."""
    from tests.support import SETTINGS
    from wnadmin.postgres.embedded import Cluster

    home = scratch("fresh")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")
    cluster.start(SETTINGS, fsync=False)
    one = Server(cluster, home)
    yield one
    end_server(one)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """wnadmin with folders of its own and no server named."""
    return Cli(tmp_path)
