"""Databases with rows that are past their time, some of them on legal hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.retention.support import Place
from tests.support import Cli, Server

SEED = Path(__file__).with_name("seed.sql")


@pytest.fixture(scope="session")
def seeded(server: Server, template: str) -> str:
    """A database with such rows; only to be copied."""
    name = server.create(template)
    with server.session(name) as session:
        result = session.script(SEED.read_text(encoding="utf-8"))
        assert result.error is None, (result.error, result.context)
    return name


@pytest.fixture
def place(server: Server, seeded: str, cli: Cli) -> Iterator[Place]:
    """Such a database of one's own, and wnadmin on it."""
    name = server.create(seeded)
    yield Place(server, name, Cli(cli.folder, server.dsn(name)))
    server.drop(name)
