"""Databases with partitions of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.partitions.support import Place
from tests.support import Cli, Server
from wnadmin.domain.partitions import ladder


@pytest.fixture
def place(server: Server, fresh_db: str) -> Iterator[Place]:
    """A WonderNest database of one's own, three months ahead."""
    one = Place(server, fresh_db)
    yield one
    one.close()


@pytest.fixture
def bare(server: Server, empty_db: str) -> Iterator[Place]:
    """An empty database of one's own."""
    one = Place(server, empty_db)
    yield one
    one.close()


@pytest.fixture
def wn(place: Place, tmp_path: Path) -> Cli:
    """wnadmin on the WonderNest database."""
    return Cli(tmp_path / "cli", place.server.dsn(place.dbname))


@pytest.fixture
def wn_bare(bare: Place, tmp_path: Path) -> Cli:
    """wnadmin on the empty database."""
    return Cli(tmp_path / "cli", bare.server.dsn(bare.dbname))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ladder of two short rungs, for locks that are never free."""
    monkeypatch.setattr(ladder, "RUNGS", (30, 30))
    monkeypatch.setattr(ladder, "ROUNDS", 1)
    monkeypatch.setattr(ladder.Ladder, "rest", lambda self, number: 0.01)
