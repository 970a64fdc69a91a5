"""Clusters to try things on: real servers, in a directory that the server's own user can enter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.server.support import IS_ROOT, Nest, clear, new_directory, plain_environment
from wnadmin.postgres.embedded import Account, Cluster, server_account
from wnadmin.postgres.embedded.discovery import choose
from wnadmin.postgres.embedded.launch import within_reach
from wnadmin.postgres.embedded.places import Layout


@pytest.fixture(scope="session")
def template() -> Iterator[Cluster]:
    path = new_directory()
    cluster = Cluster(path / "template", plain_environment())
    cluster.start(fsync=False)
    cluster.stop()
    yield cluster
    clear(path)


@pytest.fixture
def nest(template: Cluster) -> Iterator[Nest]:
    path = new_directory()
    yield Nest(path, template)
    clear(path)


@pytest.fixture
def running(nest: Nest) -> Cluster:
    """A server that runs, without fsync."""
    cluster = nest.cluster()
    cluster.start(fsync=False)
    return cluster


@pytest.fixture(scope="session")
def ordinary() -> Account:
    """Someone who is not root: the server's user when root runs the tests, else whoever does."""
    return server_account()


@pytest.fixture
def their_home(nest: Nest, ordinary: Account) -> Path:
    """A home that belongs to the ordinary user."""
    path = nest.path / "theirs"
    path.mkdir(0o700)
    if IS_ROOT:
        os.chown(path, ordinary.uid, ordinary.gid)
    return path


@pytest.fixture
def their_env(nest: Nest, ordinary: Account) -> dict[str, str]:
    """Where the ordinary user finds a PostgreSQL, also when this checkout is closed to them."""
    real = choose(env=plain_environment())
    layout = Layout(nest.path / "programs")
    layout.home.mkdir()
    layout.home.chmod(0o755)
    provider = within_reach(real, ordinary, layout, lambda _: None)
    return plain_environment() if provider is real else plain_environment(WNADMIN_PG_BINDIR=str(provider.bindir))


Wrap = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def wrapped(nest: Nest) -> Wrap:
    """A bindir of shell scripts around the real programs; each may get lines that run first."""
    real = choose(env=plain_environment())

    def make(first: Mapping[str, str]) -> Path:
        bindir = nest.path / "wrapped" / "bin"
        bindir.mkdir(parents=True)
        for directory in (bindir.parent, bindir):
            directory.chmod(0o755)
        library = f"export LD_LIBRARY_PATH='{real.libdir}'\n" if real.libdir else ""
        for name in ("postgres", "initdb", "psql"):
            script = bindir / name
            script.write_text(
                f'#!/bin/sh\n{library}[ "$1" = --version ] || {{ :\n{first.get(name, ":")}\n}}\n'
                f"exec '{real.bindir}/{name}' \"$@\"\n"
            )
            script.chmod(0o755)
        return bindir

    return make
