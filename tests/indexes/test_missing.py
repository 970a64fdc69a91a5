"""Where an index may be missing: foreign keys, tables read from end to end, selective columns, and hypopg."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.indexes.support import lacking, look, make, rows
from tests.support import SETTINGS, Server, end_server, scratch
from wnadmin.postgres.embedded import Cluster
from wnadmin.results import Report

STATEMENTS = (
    "CREATE TABLE public.parent (id int PRIMARY KEY)",
    "INSERT INTO public.parent SELECT generate_series(1, 500)",
    'CREATE TABLE public.child (id int PRIMARY KEY, "P;a""r" int REFERENCES public.parent, mail text, kind int,'
    " spot point, word varchar(40))",
    "INSERT INTO public.child SELECT g, g % 500 + 1, md5(g::text), g % 3, point(g, g), md5(g::text)"
    " FROM generate_series(1, 20000) AS g",
    "CREATE TABLE public.months (at int, fk int REFERENCES public.parent) PARTITION BY RANGE (at)",
    "CREATE TABLE public.months_1 PARTITION OF public.months FOR VALUES FROM (0) TO (10)",
    "VACUUM ANALYZE",
    "SELECT count(*) FROM public.child WHERE mail = 'x'",
    "UPDATE public.parent SET id = id WHERE id = 7",
)


def one(report: Report, of: str, /, **wanted: str) -> dict[str, Any]:
    return next(row for row in rows(report, of) if all(row[key] == value for key, value in wanted.items()))


@pytest.fixture(scope="module")
def dbname(server: Server) -> Iterator[str]:
    name = server.create()
    make(server, name, *STATEMENTS)
    yield name
    server.drop(name)


def test_it_is_told_with_numbers(server: Server, dbname: str) -> None:
    report = lacking(server.target(dbname))
    keys = {row["table"]: row for row in rows(report, "foreign_keys")}
    assert set(keys) == {"public.child", "public.months"}
    assert (keys["public.child"]["columns"], keys["public.child"]["referred_changes"]) == ('"P;a""r"', 1)
    child = one(report, "sequential", table="public.child")
    assert child["scans"] >= 1
    assert child["bytes"] > 1 << 20
    assert lacking(server.target(dbname), big=1 << 40).tables[1].rows == ()


def test_selective_columns_are_those_that_lead_no_index(server: Server, dbname: str) -> None:
    report = lacking(server.target(dbname), least=1000)
    found = {row["column"]: row for row in rows(report, "selective") if row["table"] == "public.child"}
    assert set(found) == {'"P;a""r"', "mail", "word"}
    assert found["mail"]["distinct_values"] == 20000
    assert found['"P;a""r"']["rows_each"] == pytest.approx(40, abs=2)


def test_hidden_statistics_are_unknown(server: Server, dbname: str) -> None:
    with server.session() as session:
        session.run("CREATE ROLE miss_nobody LOGIN")
    try:
        report = lacking(server.target(dbname, "miss_nobody"), least=1000)
        assert rows(report, "selective") == []
        (note,) = [note for note in report.notes if "pg_stats hides" in note]
        assert note.startswith("unknown: ")
        assert "GRANT SELECT ON public.child TO miss_nobody" in note
        assert {row["table"] for row in rows(report, "foreign_keys")} == {"public.child", "public.months"}
    finally:
        with server.session() as session:
            session.run("DROP ROLE miss_nobody")


def test_columns_that_were_not_analyzed_are_unknown(server: Server, dbname: str) -> None:
    make(server, dbname, "CREATE TABLE public.late (a int)", "INSERT INTO public.late SELECT generate_series(1, 5000)")
    make(server, dbname, "VACUUM public.late")
    notes = lacking(server.target(dbname), least=1000).notes
    assert "unknown: columns of public.late were not analyzed: ANALYZE public.late" in notes
    make(server, dbname, "DROP TABLE public.late")


def test_without_hypopg_nobody_pretends(server: Server, dbname: str) -> None:
    report = lacking(server.target(dbname))
    assert rows(report, "planner") == []
    assert any("hypopg is not installed" in note for note in report.notes)


def test_wondernest_itself_lacks_no_foreign_key_index(server: Server, db: str) -> None:
    found = look(server.target(db))
    assert found.unindexed == set()
    names = {row["index"].partition(".")[0] for row in rows(found.report, "indexes")}
    assert {"core", "family", "content", "audio", "subscription", "analytics", "safety", "ml", "audit"} <= names
    assert found.droppable == set() or all("." in name for name in found.droppable)


BINDIR = Path("/usr/lib/postgresql/15/bin")
CONTROL = Path("/usr/share/postgresql/15/extension/hypopg.control")


@pytest.mark.more
@pytest.mark.skipif(not CONTROL.exists(), reason="hypopg for PostgreSQL 15 is not installed; .ci/run has it")
def test_the_planner_is_asked_through_hypopg() -> None:
    home = scratch("hypopg")
    env = {"WNADMIN_PG_BINDIR": str(BINDIR), "PATH": "/usr/bin:/bin"}
    cluster = Cluster(home / "pg", env)
    cluster.start(SETTINGS, fsync=False)
    server = Server(cluster, home)
    try:
        name = server.create()
        make(server, name, 'CREATE SCHEMA "Ex t"', 'CREATE EXTENSION hypopg SCHEMA "Ex t"', *STATEMENTS)
        report = lacking(server.target(name), least=1000)
        child = one(report, "planner", table="public.child", columns='"P;a""r"')
        assert child["cost_after"] < child["cost_before"] / 2
        assert child["answer"] == "the planner would use it"
        assert child["bytes"] > 0
        months = one(report, "planner", table="public.months")
        assert (months["cost_before"], months["answer"]) == (None, "hypopg cannot index a partitioned table")
        with server.session(name) as session:
            session.run("CREATE ROLE hypo_monitor LOGIN IN ROLE pg_monitor")
            assert session.scalar("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'") == 2
        blind = lacking(server.target(name, "hypo_monitor"), least=1000)
        assert rows(blind, "planner") == []
        assert any('GRANT USAGE ON SCHEMA "Ex t" TO hypo_monitor' in note for note in blind.notes)
        make(server, name, 'GRANT USAGE ON SCHEMA "Ex t" TO hypo_monitor')
        refused = one(lacking(server.target(name, "hypo_monitor")), "planner", table="public.child")
        assert refused["cost_before"] is None
        assert "GRANT SELECT ON public.child TO hypo_monitor" in refused["answer"]
    finally:
        end_server(server)
        shutil.rmtree(home, ignore_errors=True)
