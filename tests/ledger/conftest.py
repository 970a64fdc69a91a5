"""Fixtures of the ledger's tests: a state folder, and a set-up database with a session of a superuser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Server
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's state folder, empty and not yet made."""
    path = tmp_path / "state"
    monkeypatch.setenv("WNADMIN_STATE", str(path))
    return path


@pytest.fixture
def target(server: Server, fresh_db: str) -> Target:
    """Where a set-up database of one's own is."""
    return server.target(fresh_db)


@pytest.fixture
def db(server: Server, fresh_db: str) -> Iterator[Database]:
    """That database, as a superuser."""
    with server.session(fresh_db) as session:
        yield Database(session)
