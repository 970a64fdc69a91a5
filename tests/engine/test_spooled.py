"""What was begun in the spool has its end there too, whatever becomes of the database."""

from __future__ import annotations

from tests.support import Cli, Server


def test_a_setup_stays_finished_when_its_database_is_gone(cli: Cli, server: Server, empty_db: str) -> None:
    there = Cli(cli.folder, server.dsn(empty_db))
    assert there.run("setup", "apply", "--yes", "--months", "3").code == 0
    server.drop(empty_db)
    gone = there.run("audit", "unfinished", "--format", "json")
    assert gone.code == 0
    assert gone.json()["tables"]["unfinished"] == []
    assert "cannot connect" in gone.err, "it says that it sees the spool alone"
