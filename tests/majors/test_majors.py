"""The database, its proof, its ledger and every bundled query on PostgreSQL 15 to 18."""

from __future__ import annotations

import pytest

from tests.majors.conftest import Major
from tests.test_bundled import EXTENSIONS, QUERIES, values
from wnadmin import assets
from wnadmin.postgres.database import Database
from wnadmin.postgres.variables import render

pytestmark = pytest.mark.more


def test_it_is_the_major_it_says(major: Major) -> None:
    assert major.server.session_version() // 10000 == major.number


def test_the_database_is_proven(major: Major) -> None:
    proven = major.cli.run("setup", "verify", "--format", "json")
    assert proven.code == 0, proven.out
    findings = proven.json()["findings"]
    assert len(findings) > 10
    assert {one["severity"] for one in findings} == {"ok"}


def test_a_second_time_there_is_nothing_to_do(major: Major) -> None:
    assert major.cli.run("setup", "apply", "--check").code == 0


def test_psql_makes_the_same_database(major: Major) -> None:
    import os
    import subprocess

    name = major.server.create()
    tool = major.server.cluster.tool("psql")
    files = [word for file in assets.database_files() for word in ("-f", str(file.path))]
    made = subprocess.run(
        [str(tool.path), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", *files, major.server.dsn(name)],
        env={**os.environ, **tool.env, "PGOPTIONS": "-c wondernest.months_ahead=3"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    status = major.cli.run("setup", "status", "--format", "json", "--dsn", major.server.dsn(name))
    assert status.code == 0, status.err
    facts = {row["fact"]: row["value"] for row in status.json()["tables"]["setup"]}
    assert facts["differences from the files"] in (0, "0")


def test_sample_families_and_the_ledger(major: Major) -> None:
    loaded = major.cli.run("sample", "load", "--families", "20", "--years", "1", "--yes")
    assert loaded.code == 0, loaded.out + loaded.err
    verified = major.cli.run("audit", "verify", "--format", "json")
    assert verified.code == 0, verified.out


def test_every_bundled_query_runs(major: Major) -> None:
    with major.server.session(major.dbname) as session:
        for extension in EXTENSIONS:
            session.run(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA extensions")
        for file in QUERIES:
            text = Database(session).file(file.name).text
            rendered = render(text, values(text), file.name)
            session.run(rendered.query, doing=file.name)
