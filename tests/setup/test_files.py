"""The bundled files on a real server: one statement one result, and every way to run them gives one catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup.support import captured, counts, differences, psql
from tests.support import Server
from wnadmin import assets
from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.compare import compare
from wnadmin.domain.setup.lint import lint
from wnadmin.domain.setup.split import split

SQL = assets.root("sql")
NAMES = [one.name for one in assets.database_files()]


@pytest.mark.parametrize("name", NAMES)
def test_files_are_free_of_traps(name: str) -> None:
    assert lint(name, (SQL / name).read_text(encoding="utf-8")) == []


def test_v001_is_made_of_the_files() -> None:
    path = SQL / "migration" / bundles.V001
    assert path.read_text(encoding="utf-8") == bundles.build_v001(bundles.load_files(SQL)), "run: make v001"
    assert lint(path.name, path.read_text(encoding="utf-8")) == []


def test_expected_json_describes_the_files(server: Server, template: str) -> None:
    committed = bundles.load_expected(SQL / bundles.EXPECTED)
    assert dict(committed.files) == {one.name: one.sha256 for one in bundles.load_files(SQL)}, "run: make expected"
    assert compare(committed.catalog, captured(server, template)) == []


def test_the_bundle_fits_together() -> None:
    assert bundles.load().edited() == []
    assert bundles.load().problems() == []


def test_expected_json_survives_reading_and_writing(bundle: Bundle, bundle_folder: Path) -> None:
    text = (bundle_folder / bundles.EXPECTED).read_text(encoding="utf-8")
    assert bundles.dump_expected(bundle.expected.catalog, bundle.files) == text
    assert max(map(len, text.splitlines())) < 10_000


def test_each_statement_gives_one_result(server: Server, empty_db: str) -> None:
    with server.session(empty_db) as session:
        session.run("BEGIN")
        for name in NAMES:
            text = (SQL / name).read_text(encoding="utf-8")
            result = session.script(text)
            assert result.error is None
            assert result.completed == len(split(text)), name
        session.run("ROLLBACK")


def test_split_finds_what_the_server_counts_in_tricky_text(server: Server, empty_db: str) -> None:
    from tests.setup.test_split_lint import TRICKY

    text = "CREATE SCHEMA core; CREATE TABLE core.t (a int);" + TRICKY.replace("COMMIT", "NULL")
    with server.session(empty_db) as session:
        result = session.script(text)
    assert result.error is None
    assert result.completed == len(split(text))


def test_v001_gives_the_same_catalog(server: Server, empty_db: str, bundle: Bundle) -> None:
    with server.session(empty_db) as session, session.transaction():
        result = session.script(bundle.v001.text)
        assert result.error is None, result.error
    assert differences(server, empty_db, bundle.expected.catalog) == []


def test_psql_in_one_transaction_gives_the_same_catalog(server: Server, empty_db: str, bundle: Bundle) -> None:
    done = psql(server, empty_db, "-1", *(word for name in NAMES for word in ("-f", str(SQL / name))))
    assert (done.returncode, done.stderr) == (0, "")
    assert differences(server, empty_db, bundle.expected.catalog) == []


def test_psql_file_by_file_and_again(server: Server, empty_db: str, bundle: Bundle) -> None:
    for _ in range(2):
        for name in NAMES:
            done = psql(server, empty_db, "-f", str(SQL / name))
            assert (done.returncode, done.stderr) == (0, ""), name
        assert differences(server, empty_db, bundle.expected.catalog) == []


def test_running_the_files_again_changes_no_row(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        before = counts(session)
    for name in NAMES:
        assert psql(server, fresh_db, "-f", str(SQL / name)).returncode == 0
    with server.session(fresh_db) as session:
        ahead = [one for one in counts(session) if not one[0].startswith("pg_")]
    # The files' own default is 12 months ahead, the template has 3: only partitions are added.
    assert [one for one in before if not one[0].startswith("pg_")] == [one for one in ahead if one[0] in dict(before)]


def test_the_files_refuse_a_database_that_was_migrated(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        for statement in flyway.DDL:
            session.run(statement)
        for number, version in enumerate(("001", "002"), 1):
            change = flyway.parse_name(f"V{version}__change.sql")
            session.run(flyway.insert_row(change, rank=number, sum_=0, milliseconds=1))
    for name in NAMES:
        done = psql(server, fresh_db, "-f", str(SQL / name))
        assert done.returncode == 3
        assert "at migration 002" in done.stderr
