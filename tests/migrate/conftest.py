"""Databases with a migration history, and `migrate` on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.migrate.support import EXAMPLE, Migrate, record_v001
from tests.support import Cli, Server


@pytest.fixture(scope="session")
def recorded(server: Server, template: str) -> str:
    """A database with 01 to 07 and its history; only to be copied."""
    name = server.create(template)
    record_v001(server, name)
    return name


@pytest.fixture
def fresh_db(server: Server, recorded: str) -> Iterator[str]:
    """Such a database of one's own."""
    name = server.create(recorded)
    yield name
    server.drop(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of migrations."""
    path = tmp_path / "migration"
    path.mkdir()
    return path


@pytest.fixture
def example(server: Server, fresh_db: str) -> Migrate:
    """`migrate` with the example of the document."""
    return Migrate(server, fresh_db, (EXAMPLE,))


@pytest.fixture
def own(server: Server, fresh_db: str, folder: Path) -> Migrate:
    """`migrate` with a folder of one's own."""
    return Migrate(server, fresh_db, (folder,))


@pytest.fixture
def wn(server: Server, fresh_db: str, tmp_path: Path) -> Cli:
    """wnadmin on such a database."""
    return Cli(tmp_path / "cli", server.dsn(fresh_db))
