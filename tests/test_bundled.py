"""Every bundled query is one statement that the server takes, with a header, and runs in plain psql."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.support import Server
from wnadmin import assets
from wnadmin.postgres.variables import names, render
from wnadmin.results import Value

QUERIES = [one for one in assets.catalogue() if one.name.startswith("queries/")]
ALL = assets.catalogue()

IDENTIFIERS = {"schema": "extensions"}
BY_TYPE = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date": "2026-01-01",
    "timestamptz": "2026-01-01T00:00:00Z",
    "boolean": "true",
    "interval": "1 day",
}


def values(text: str) -> dict[str, Value]:
    """A value for each variable, by the type its use is cast to."""
    found: dict[str, Value] = {}
    for name in names(text):
        cast = re.search(rf":'{name}'\)?(?:, '')?\)?::(\w+)(\[\])?", text)
        if cast is None:
            assert name in IDENTIFIERS, f"the use of {name} is not cast"
            found[name] = IDENTIFIERS[name]
        else:
            found[name] = "{}" if cast[2] else BY_TYPE.get(cast[1], "1")
    return found


@pytest.mark.parametrize("file", ALL, ids=lambda one: one.name)
def test_the_header_says_what_it_is(file: assets.SqlFile) -> None:
    assert file.answers, f"{file.name} needs `-- answers:` or `-- does:`"
    assert file.privileges, f"{file.name} needs `-- privileges:`"
    assert file.cost, f"{file.name} needs `-- cost:`"
    assert file.since >= 15


@pytest.fixture(scope="module")
def with_statistics(server: Server, db: str) -> str:
    with server.session(db) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
    return db


@pytest.mark.parametrize("file", QUERIES, ids=lambda one: one.name)
def test_the_server_takes_it(server: Server, with_statistics: str, file: assets.SqlFile) -> None:
    text = assets.load(file.name, server.session_version()).text
    rendered = render(text, values(text), file.name)
    with server.session(with_statistics) as session:
        session.run("PREPARE bundled AS " + rendered.query)


@pytest.mark.parametrize("file", QUERIES, ids=lambda one: one.name)
def test_psql_runs_it_as_it_is(server: Server, with_statistics: str, file: assets.SqlFile) -> None:
    """psql -v name=value -f FILE runs it without wnadmin."""
    tool = server.cluster.tool("psql")
    path = assets.load(file.name, server.session_version()).path
    given = [f"--set={name}={value}" for name, value in values(path.read_text()).items()]
    done = subprocess.run(
        [str(tool.path), "-X", "-q", "-v", "ON_ERROR_STOP=1", *given, "-f", str(path), server.dsn(with_statistics)],
        env={**os.environ, **tool.env},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
