"""Commands of the tests' own, and eyes for the ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import Cli, Server


@pytest.fixture
def rows(server: Server, fresh_db: str) -> Rows:
    return Rows(server, fresh_db)


@pytest.fixture
def wn(cli: Cli, server: Server, fresh_db: str) -> Cli:
    """wnadmin pointed at a database of one's own."""
    return Cli(cli.folder, server.dsn(fresh_db))


class Rows:
    """The ledger of a database as plain values."""

    def __init__(self, server: Server, dbname: str) -> None:
        self.server = server
        self.dbname = dbname

    def all(self) -> list[tuple[str, dict[str, Any]]]:
        with self.server.session(self.dbname) as session:
            answer = session.run("SELECT phase, payload FROM audit.operator_ledger ORDER BY seq")
        return [(phase, json.loads(payload)) for phase, payload in answer.rows]

    def phases(self) -> list[str]:
        return [phase for phase, _ in self.all()]
