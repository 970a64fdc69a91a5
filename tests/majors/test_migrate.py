"""Migrations, drift and adoption on PostgreSQL 15 to 18."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.majors.conftest import Major
from tests.migrate.support import EXAMPLE, history, scalar, write
from tests.migrate.test_apply import ALONE, COLUMN, CONCURRENTLY, GONE
from tests.support import install

pytestmark = pytest.mark.more

HERE = ("--location", str(EXAMPLE))


def test_the_example_there_and_back(major: Major) -> None:
    cli, server, name = major.cli, major.server, major.dbname
    assert cli.run("migrate", "validate", *HERE).code == 3
    assert cli.run("migrate", "apply", *HERE, "--check").code == 3
    login = ("--dsn", server.dsn(name, "wondernest_migration"))
    done = cli.run("migrate", "apply", *HERE, "--yes", "--format", "json", *login)
    assert done.code == 0, done.err
    assert cli.run("migrate", "apply", *HERE, "--check").code == 0
    assert cli.run("migrate", "validate", *HERE).code == 0
    assert scalar(server, name, COLUMN) == 1
    # 01 to 07 and V002 in a shadow on this server, and on a private one.
    for place in ("here", "apart"):
        seen = cli.run("setup", "drift", *HERE, "--shadow", place, "--format", "json")
        assert seen.code == 0, seen.out
        assert [one["severity"] for one in seen.json()["findings"]] == ["ok"]
    undone = cli.run("audit", "undo", done.json()["operation"], "--yes")
    assert undone.code == 0, undone.err
    assert scalar(server, name, COLUMN) == 0
    assert cli.run("setup", "drift").code == 0


def test_without_a_transaction(major: Major, tmp_path: Path) -> None:
    write(tmp_path, "V002__index.sql", CONCURRENTLY, rollback=GONE, head=ALONE)
    here = ("--location", str(tmp_path))
    done = major.cli.run("migrate", "apply", *here, "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert [(row.version, row.success) for row in history(major.server, major.dbname)] == [("001", True), ("002", True)]
    assert major.cli.run("setup", "drift", *here).code == 0
    assert major.cli.run("audit", "undo", done.json()["operation"], "--yes").code == 0
    assert len(history(major.server, major.dbname)) == 1


def test_adoption(major: Major) -> None:
    name = major.server.create()
    install(major.server, name)
    dsn = ("--dsn", major.server.dsn(name))
    assert major.cli.run("setup", "adopt", *dsn, "--check").code == 3
    done = major.cli.run("setup", "adopt", *dsn, "--yes")
    assert done.code == 0, done.out + done.err
    assert major.cli.run("migrate", "validate", *dsn).code == 0
    assert major.cli.run("setup", "verify", *dsn).code == 0
