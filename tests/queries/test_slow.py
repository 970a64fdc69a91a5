"""`queries slow`: every version of the extension, any schema, hidden rows, and why it is empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support import Cli, Server, end_server, start_server
from wnadmin.domain.queries import slow
from wnadmin.errors import Blind, Refused
from wnadmin.postgres.database import Database
from wnadmin.results import Report

VERSIONS = ("1.4", "1.7", "1.8", "1.9", "1.10", "1.11")
ODD = 'sta"tis; tics'


@pytest.fixture
def statistics(server: Server, empty_db: str) -> str:
    """A database with the extension, and nothing else."""
    with server.session(empty_db) as session:
        session.run("CREATE SCHEMA extensions")
        session.run("CREATE EXTENSION pg_stat_statements SCHEMA extensions")
    return empty_db


def look(server: Server, dbname: str, *, user: str = "postgres", by: slow.By = "total", show: bool = False) -> Report:
    with server.session(dbname, user) as session:
        return slow.report(Database(session), by=by, top=1000, show=show, everywhere=False)


def cells(report: Report, table: str, column: str) -> list[object]:
    (found,) = (one for one in report.tables if one.name == table)
    at = [one.name for one in found.columns].index(column)
    return [row[at] for row in found.rows]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_of_the_extension_counts_and_not_the_servers(server: Server, empty_db: str, version: str) -> None:
    with server.session(empty_db) as session:
        session.run(f'CREATE SCHEMA "{ODD.replace(chr(34), chr(34) * 2)}"')
        quoted = ODD.replace('"', '""')
        session.run(f"CREATE EXTENSION pg_stat_statements SCHEMA \"{quoted}\" VERSION '{version}'")
        session.run("SELECT pg_sleep(0.02), 'a value' AS of_the_test")
    for by in ("total", "mean", "calls", "io", "temp"):
        report = look(server, empty_db, by=by, show=True)
        texts = [str(one) for one in cells(report, "texts", "query")]
        assert any("pg_sleep($1)" in one for one in texts)
    assert f"pg_stat_statements {version}" in report.text
    number = tuple(int(part) for part in version.split("."))
    nested = set(cells(report, "origin", "nested"))
    assert (nested <= {True, False}) if number >= (1, 9) else (nested == {None})
    assert all((one is not None) == (number >= (1, 11)) for one in cells(report, "origin", "since"))
    assert all((one is not None) == (number >= (1, 8)) for one in cells(report, "io", "wal_bytes"))


def test_it_sorts_and_shares(server: Server, statistics: str) -> None:
    with server.session(statistics) as session:
        session.run("SELECT extensions.pg_stat_statements_reset()")
        session.run("SELECT pg_sleep(0.3)")
        for _ in range(20):
            session.run("SELECT 1 AS often")
        session.run("SET work_mem = '64kB'")
        session.run("SELECT count(*) FROM (SELECT g FROM generate_series(1, 50000) AS g ORDER BY g DESC) AS sorted")
    first = {
        by: str(cells(look(server, statistics, by=by, show=True), "texts", "query")[0])
        for by in ("total", "mean", "calls", "temp")
    }
    assert "pg_sleep" in first["total"]
    assert "pg_sleep" in first["mean"]
    assert "often" in first["calls"]
    assert "generate_series" in first["temp"]
    report = look(server, statistics)
    share = cells(report, "statements", "share")[0]
    assert isinstance(share, float) and 50 < share <= 100
    assert cells(report, "statements", "kind")[0] == "SELECT"
    assert max(int(str(one)) for one in cells(report, "statements", "calls")) >= 20


def test_only_this_database_unless_told(server: Server, statistics: str, cli: Cli) -> None:
    other = server.create()
    try:
        with server.session(other) as session:
            session.run("SELECT 1 AS elsewhere_only")
        wn = Cli(cli.folder, server.dsn(statistics))
        words = ("queries", "slow", "--show-queries", "--top", "1000", "--format", "json")
        here, everywhere = wn.run(*words), wn.run(*words, "--all-databases")
        assert "elsewhere_only" not in here.out
        assert "elsewhere_only" in everywhere.out
        assert {"database"} <= set(everywhere.json()["tables"]["origin"][0])
    finally:
        server.drop(other)


def test_texts_are_hidden_and_strings_never_shown(server: Server, statistics: str, cli: Cli) -> None:
    secret = "hunter" + "2-of-the-test"
    with server.session(statistics) as session:
        session.run("CREATE ROLE slow_masked LOGIN")
        try:
            session.run(f"ALTER ROLE slow_masked PASSWORD '{secret}'")
            session.run(f"SET app.encryption_key = '{secret}'")
        finally:
            session.run("DROP ROLE slow_masked")
    wn = Cli(cli.folder, server.dsn(statistics))
    for words in ((), ("--show-queries",)):
        for form in ("json", "plain", "table"):
            ran = wn.run("queries", "slow", "--top", "1000", "--format", form, *words)
            assert ran.code == 0, ran.err
            assert secret not in ran.out + ran.err
            assert ("encryption_key" in ran.out) == bool(words)
    assert "ALTER" in cells(look(server, statistics), "statements", "kind")


@pytest.fixture
def limited(server: Server, statistics: str) -> Iterator[str]:
    with server.session(statistics) as session:
        session.run("CREATE ROLE slow_limited LOGIN")
        session.run("GRANT USAGE ON SCHEMA extensions TO slow_limited")
    yield "slow_limited"
    with server.session(statistics) as session:
        session.run("DROP OWNED BY slow_limited")
        session.run("DROP ROLE slow_limited")


def test_what_is_hidden_is_counted_and_named(server: Server, statistics: str, limited: str) -> None:
    with server.session(statistics) as session:
        session.run("SELECT 1 AS not_yours")
    report = look(server, statistics, user=limited, show=True)
    ids = cells(report, "statements", "queryid")
    hidden = ids.count(None)
    assert hidden > 0
    assert "not_yours" not in str(report)
    (note,) = (one for one in report.notes if "<insufficient privilege>" in one)
    assert note.startswith(f"{hidden} of {len(ids)} statements")
    assert f'GRANT pg_read_all_stats TO "{limited}"' in note
    with server.session(statistics) as session:
        session.run(f"GRANT pg_read_all_stats TO {limited}")
    seeing = look(server, statistics, user=limited, show=True)
    assert None not in cells(seeing, "statements", "queryid")
    assert "not_yours" in str(seeing)


def test_without_the_right_to_read_it_is_an_error_with_the_grant(server: Server, statistics: str, limited: str) -> None:
    with server.session(statistics) as session:
        session.run(f"REVOKE USAGE ON SCHEMA extensions FROM {limited}")
        session.run("REVOKE SELECT ON extensions.pg_stat_statements FROM PUBLIC")
    with pytest.raises(Blind) as blind:
        look(server, statistics, user=limited)
    assert blind.value.next == (
        f"GRANT USAGE ON SCHEMA extensions TO {limited}; GRANT SELECT ON extensions.pg_stat_statements TO {limited}"
    )


def test_not_created_here(server: Server, empty_db: str, cli: Cli) -> None:
    ran = Cli(cli.folder, server.dsn(empty_db)).run("queries", "slow")
    assert ran.code == 4
    assert "was not created in this database" in ran.err
    assert "CREATE EXTENSION pg_stat_statements" in ran.err


def empties(server: Server, dbname: str, **settings: str) -> Report:
    """What a session with these settings sees once everything was forgotten."""
    with server.session(dbname, **settings) as session:
        session.run("SELECT extensions.pg_stat_statements_reset()")
        return slow.report(Database(session), by="total", top=5, show=False, everywhere=True)


def test_why_it_is_empty(server: Server, statistics: str) -> None:
    off = empties(server, statistics, compute_query_id="off")
    assert off.tables[0].empty.startswith("nothing is collected: compute_query_id is off")
    none = empties(server, statistics, **{"pg_stat_statements.track": "none"})
    assert "pg_stat_statements.track is none" in none.tables[0].empty


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COLLECTS = slow.Collecting("top", "auto", True, True, "postgres", 0, NOW - timedelta(days=3), 0, NOW)


def test_why_it_is_empty_when_it_collects() -> None:
    assert slow.why_empty("here", COLLECTS, False) == "nothing was counted yet"
    young = replace(COLLECTS, since=NOW - timedelta(minutes=1))
    assert slow.why_empty("here", young, False) == "nothing was counted yet: the statistics were reset a moment ago"
    others = replace(COLLECTS, everywhere=12)
    assert slow.why_empty("here", others, False) == "no statement of here was counted; 12 of other databases were"
    assert slow.why_empty("here", replace(COLLECTS, since=None), True) == "nothing was counted yet"


def test_not_preloaded(cli: Cli) -> None:
    server = start_server("unloaded", {"shared_preload_libraries": ""})
    try:
        with server.session("postgres") as session, pytest.raises(Refused) as refused:
            slow.report(Database(session), by="total", top=5, show=False, everywhere=False)
        assert refused.value.why == "It is not in shared_preload_libraries."
        with server.session("postgres") as session:
            session.run("CREATE EXTENSION pg_stat_statements SCHEMA public")
            with pytest.raises(Refused) as refused:
                slow.report(Database(session), by="total", top=5, show=False, everywhere=False)
        assert refused.value.what == "pg_stat_statements is not loaded"
    finally:
        end_server(server)


def test_io_time_is_not_zero_where_it_is_not_measured(server: Server, statistics: str) -> None:
    with server.session(statistics, track_io_timing="off") as session:
        report = slow.report(Database(session), by="io", top=5, show=False, everywhere=False)
    assert set(cells(report, "io", "io_ms")) == {None}
    assert any("track_io_timing is off" in one for one in report.notes)


@pytest.mark.parametrize("words", [("--by", "speed"), ("--top", "0"), ("--top", "x")])
def test_bad_words_are_usage_errors(server: Server, statistics: str, cli: Cli, words: tuple[str, ...]) -> None:
    assert Cli(cli.folder, server.dsn(statistics)).run("queries", "slow", *words).code == 2
