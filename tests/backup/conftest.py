"""A folder for backups, and a database with something in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Cli, Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the backups of one test go."""
    path = tmp_path / "backups"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def here(cli: Cli, server: Server, fresh_db: str) -> Cli:
    """wnadmin pointed at a database of one's own."""
    return Cli(cli.folder, server.dsn(fresh_db))


@pytest.fixture(scope="module")
def shelf(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Path]]:
    """A backup in the clear, made without compression and with: ``z0.dump`` and ``z5.dump``; only to be copied."""
    home = tmp_path_factory.mktemp("shelf")
    name = server.create(template)
    with server.session(name) as session:
        # Most of a small dump is definitions; damage is to hit rows.
        session.run(
            "CREATE TABLE public.filler AS"
            " SELECT n, 'Rabbit ' || md5(n::text) AS name FROM generate_series(1, 40000) AS n"
        )
    cli = Cli(home, server.dsn(name))
    for level in ("0", "5"):
        made = cli.run("backup", "create", "--to", str(home), "--name", f"z{level}", "--compress", level, "--yes")
        assert made.code == 0, made.out + made.err
    yield cli, home
    server.drop(name)
