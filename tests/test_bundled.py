"""Every bundled query is one statement that the server takes, with a header, and runs in plain psql."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Server
from wnadmin import assets
from wnadmin.postgres.database import Database
from wnadmin.postgres.variables import names, render
from wnadmin.results import Value

QUERIES = [one for one in assets.catalogue() if one.name.startswith(("queries/", "checks/"))]
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


HOLDS_SUBJECTS = re.compile(
    r"\b(?:FROM|JOIN)\s+(?:ONLY\s+)?"
    r"(?:(?:core|family|content|audio|subscription|analytics|safety|ml)\.\w+|audit\.(?!operator_ledger|ledger_)\w+)"
)


@pytest.mark.parametrize("path", sorted((assets.root("sql") / "queries").rglob("*.sql")), ids=lambda one: one.name)
def test_a_query_of_subjects_says_whether_it_shows_a_person(path: Path) -> None:
    """`sql run` records a personal query before it shows its rows, and knows it by its header alone."""
    file = assets.read(path, path.name)
    said = file.facts.get("personal")
    assert said in (None, "yes", "no")
    assert said or not HOLDS_SUBJECTS.search(file.text), "it reads a subject's table: `-- personal: yes` or `no`?"


EXTENSIONS = ("pg_stat_statements", "pgstattuple")


@pytest.fixture(scope="module")
def with_extensions(server: Server, template: str) -> Iterator[str]:
    name = server.create(template)
    with server.session(name) as session:
        for extension in EXTENSIONS:
            session.run(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA extensions")
    yield name
    server.drop(name)


@pytest.mark.parametrize("file", QUERIES, ids=lambda one: one.name)
def test_the_server_takes_it(server: Server, with_extensions: str, file: assets.SqlFile) -> None:
    with server.session(with_extensions) as session:
        text = Database(session).file(file.name).text
        rendered = render(text, values(text), file.name)
        session.run("PREPARE bundled AS " + rendered.query)


@pytest.mark.parametrize("file", QUERIES, ids=lambda one: one.name)
def test_psql_runs_it_as_it_is(server: Server, with_extensions: str, file: assets.SqlFile) -> None:
    """psql -v name=value -f FILE runs it without wnadmin."""
    tool = server.cluster.tool("psql")
    with server.session(with_extensions) as session:
        path = Database(session).file(file.name).path
    given = [f"--set={name}={value}" for name, value in values(path.read_text()).items()]
    done = subprocess.run(
        [str(tool.path), "-X", "-q", "-v", "ON_ERROR_STOP=1", *given, "-f", str(path), server.dsn(with_extensions)],
        env={**os.environ, **tool.env},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
