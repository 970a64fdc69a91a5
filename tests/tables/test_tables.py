"""Sizes, bloat and vacuum debt of real tables."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.indexes.support import make, waiting
from tests.support import Cli, Server
from wnadmin.domain.tables import owed, sizes, wasted
from wnadmin.postgres.database import Database
from wnadmin.results import Report

GIB = 1 << 30


@pytest.fixture(scope="module")
def dbname(server: Server) -> Iterator[str]:
    name = server.create()
    make(
        server,
        name,
        "CREATE SCHEMA ext",
        "CREATE EXTENSION pgstattuple SCHEMA ext",
        'CREATE SCHEMA "Au;dio"',
        'CREATE TABLE "Au;dio".events (at int, note text, fk int) PARTITION BY RANGE (at)',
        'CREATE TABLE "Au;dio".y1 PARTITION OF "Au;dio".events FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (at)',
        'CREATE TABLE "Au;dio".y1_a PARTITION OF "Au;dio".y1 FOR VALUES FROM (0) TO (50)',
        'CREATE TABLE "Au;dio".y1_b PARTITION OF "Au;dio".y1 FOR VALUES FROM (50) TO (100)',
        'CREATE TABLE "Au;dio".y2 PARTITION OF "Au;dio".events FOR VALUES FROM (100) TO (200)',
        'CREATE INDEX events_fk ON "Au;dio".events (fk)',
        """INSERT INTO "Au;dio".events SELECT g % 200, md5(g::text), g FROM generate_series(1, 40000) AS g""",
        "CREATE TABLE public.fresh (id bigint PRIMARY KEY, word text, flag boolean, more numeric)",
        "INSERT INTO public.fresh SELECT g, repeat('x', g % 40), g % 2 = 0, g * 1.5"
        " FROM generate_series(1, 120000) AS g",
        "CREATE TABLE public.holes (id bigint PRIMARY KEY, word text)",
        "INSERT INTO public.holes SELECT g, md5(g::text) FROM generate_series(1, 60000) AS g",
        "DELETE FROM public.holes WHERE id % 4 > 0",
        "CREATE TABLE public.wide (id int, body text)",
        "ALTER TABLE public.wide ALTER COLUMN body SET STORAGE EXTERNAL",
        "INSERT INTO public.wide SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 500) AS g",
        "DELETE FROM public.wide WHERE id % 2 = 0",
        "CREATE TABLE public.spared (id int, word text) WITH (fillfactor = 50)",
        "INSERT INTO public.spared SELECT g, md5(g::text) FROM generate_series(1, 30000) AS g",
        "CREATE TABLE public.dropped (id int, word text, gone int)",
        "INSERT INTO public.dropped SELECT g, md5(g::text), g FROM generate_series(1, 30000) AS g",
        "ALTER TABLE public.dropped DROP COLUMN gone",
        "VACUUM ANALYZE",
        "CREATE TABLE public.stale (id int, word text)",
        "INSERT INTO public.stale SELECT g, md5(g::text) FROM generate_series(1, 20000) AS g",
        "ANALYZE public.stale",
        "INSERT INTO public.stale SELECT g, md5(g::text) FROM generate_series(1, 20000) AS g",
        "CREATE TABLE public.unknown (id int, word text)",
        "INSERT INTO public.unknown SELECT g, md5(g::text) FROM generate_series(1, 30000) AS g",
    )
    yield name
    server.drop(name)


@pytest.fixture
def db(server: Server, dbname: str) -> Iterator[Database]:
    with server.session(dbname, lock_timeout="100ms", default_transaction_read_only="on") as session:
        yield Database(session)


@pytest.fixture(scope="module")
def logins(server: Server) -> Iterator[tuple[str, str]]:
    with server.session() as session:
        session.run("CREATE ROLE tab_monitor LOGIN IN ROLE pg_monitor")
        session.run("CREATE ROLE tab_nobody LOGIN")
    yield "tab_monitor", "tab_nobody"
    with server.session() as session:
        session.run("DROP ROLE tab_monitor, tab_nobody")


def rows(report: Report, table: str = "tables", by: str = "") -> dict[str, dict[str, Any]]:
    """One table of a report by its first column."""
    found = next(one for one in report.tables if one.name == table)
    names = [column.name for column in found.columns]
    return {str(row[0]): dict(zip(names, row, strict=True)) for row in found.rows}


def bloat(db: Database, *, below: int = GIB, leaves: bool = False) -> dict[str, dict[str, Any]]:
    report = wasted.report(db, leaves=leaves, top=0, least=1, below=below, seconds=20)
    return {**rows(report), **rows(report, "indexes")}


def test_sizes_are_those_of_the_server(db: Database) -> None:
    together = rows(sizes.report(db, leaves=False, top=0))
    session = db.session
    for name in ("public.fresh", "public.holes", "public.wide"):
        told = session.scalar("SELECT pg_total_relation_size(%s::regclass)", [name])
        assert together[name]["total_bytes"] == told
        assert together[name]["index_bytes"] == session.scalar("SELECT pg_indexes_size(%s::regclass)", [name])
    assert together["public.wide"]["toast_bytes"] > 1 << 20
    events = together['"Au;dio".events']
    assert (events["partitions"], events["estimated_rows"]) == (3, 40000)
    assert events["total_bytes"] == session.scalar(
        """SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('"Au;dio".events')"""
    )
    assert together["public.unknown"]["estimated_rows"] is None


def test_leaves_are_shown_for_themselves_and_sum_up(db: Database) -> None:
    together = rows(sizes.report(db, leaves=False, top=0))
    each = rows(sizes.report(db, leaves=True, top=0))
    parts = [row for name, row in each.items() if name.startswith('"Au;dio".')]
    assert {'"Au;dio".y1_a', '"Au;dio".y1_b', '"Au;dio".y2'} == {row["table"] for row in parts}
    assert sum(row["total_bytes"] for row in parts) == together['"Au;dio".events']["total_bytes"]


def test_top_leaves_out_and_says_so(db: Database) -> None:
    report = sizes.report(db, leaves=False, top=2)
    assert len(rows(report)) == 2
    assert any("more, smaller, not shown" in note for note in report.notes)
    assert rows(report, "total")["8"]["total_bytes"] > sum(row["total_bytes"] for row in rows(report).values())


@pytest.mark.parametrize("held", [True, False], ids=["held", "waited for"])
def test_an_exclusive_lock_is_not_queued_behind(server: Server, dbname: str, db: Database, held: bool) -> None:
    with server.session(dbname) as holder:
        holder.run("BEGIN")
        holder.run("LOCK TABLE public.wide IN ACCESS EXCLUSIVE MODE" if held else "SELECT 1 FROM public.wide")
        if held:
            _passes_over(db)
        else:
            with waiting(server, dbname, "ALTER TABLE public.wide ADD COLUMN more int"):
                _passes_over(db)
        holder.run("ROLLBACK")
    assert rows(sizes.report(db, leaves=False, top=0))["public.wide"]["total_bytes"] > 1 << 20


def _passes_over(db: Database) -> None:
    began = time.monotonic()
    report = sizes.report(db, leaves=False, top=0)
    assert rows(report)["public.wide"]["total_bytes"] == 0
    (note,) = [note for note in report.notes if "ACCESS EXCLUSIVE" in note]
    assert "public.wide" in note
    assert rows(report)["public.fresh"]["total_bytes"] > 1 << 20
    found = bloat(db)
    assert found["public.wide"]["wasted_bytes"] is None
    assert found["public.wide"]["how"] == "withheld: not measured: an exclusive lock is held or waited for"
    assert "public.wide" in rows(owed.report(db, leaves=False, top=0)), "vacuum debt opens no relation"
    assert time.monotonic() - began < 5


def test_waste_is_counted_exactly(db: Database) -> None:
    found = bloat(db)
    assert {row["how"] for row in found.values()} <= {"exact", "3 exact"}
    assert found["public.fresh"]["wasted_percent"] < 3
    assert found["public.fresh_pkey"]["wasted_percent"] == 0, "a fresh btree is 90 % dense and not bloated"
    assert 65 < found["public.holes"]["wasted_percent"] < 80
    assert found["public.holes_pkey"]["wasted_percent"] > 60
    assert found["public.wide (TOAST)"]["wasted_percent"] > 40
    assert found["public.spared"]["wasted_percent"] < 3, "the fillfactor leaves free on purpose"


def test_estimates_agree_with_counts_or_are_withheld(db: Database) -> None:
    exact, estimated = bloat(db), bloat(db, below=0)
    compared = 0
    for name, row in estimated.items():
        if row["how"] == "estimate":
            compared += 1
            assert row["wasted_percent"] == pytest.approx(exact[name]["wasted_percent"], abs=8), name
        else:
            assert row["wasted_bytes"] is None or "estimate" in row["how"], name
    assert compared >= 5
    assert "statistics are stale: 20,000 changes" in estimated["public.stale"]["how"]
    assert "not analyzed" in estimated["public.unknown"]["how"]
    assert "dropped columns" in estimated["public.dropped"]["how"]
    assert "TOAST cannot be estimated" in estimated["public.wide (TOAST)"]["how"]


def test_the_cap_and_the_time_are_kept(db: Database) -> None:
    capped = bloat(db, below=5 << 20)
    assert "exact" in capped["public.spared"]["how"]
    assert "exact" not in capped["public.fresh"]["how"]
    out_of_time = wasted.report(db, leaves=False, top=0, least=1, below=GIB, seconds=0)
    assert "exact" not in rows(out_of_time)["public.fresh"]["how"]
    assert "0 s for reading were used up" in rows(out_of_time)["public.wide (TOAST)"]["how"]


def test_bloat_by_login(server: Server, dbname: str, logins: tuple[str, str]) -> None:
    monitor, nobody = logins
    with server.session(dbname, nobody) as session:
        report = wasted.report(Database(session), leaves=False, top=0, least=1 << 20, below=GIB, seconds=20)
        assert {row["wasted_bytes"] for row in rows(report).values()} == {None}, "blind is no zero"
        assert all("withheld: " in row["how"] for row in rows(report).values())
        assert "pg_stats hides 4 of 4 columns" in rows(report)["public.fresh"]["how"]
        (note,) = [note for note in report.notes if "GRANT" in note]
        assert "GRANT pg_stat_scan_tables TO tab_nobody; GRANT USAGE ON SCHEMA ext TO tab_nobody" in note
    make(server, dbname, "GRANT USAGE ON SCHEMA ext TO tab_monitor")
    with server.session(dbname, monitor) as session:
        found = bloat(Database(session))
        assert 65 < found["public.holes"]["wasted_percent"] < 80
        assert found["public.fresh_pkey"]["how"] == "exact"
    make(server, dbname, "REVOKE USAGE ON SCHEMA ext FROM tab_monitor")


def test_without_the_extension_it_says_so(server: Server) -> None:
    name = server.create()
    make(server, name, "CREATE TABLE public.t (a int)", "INSERT INTO public.t SELECT generate_series(1, 100)")
    with server.session(name) as session:
        report = wasted.report(Database(session), leaves=False, top=0, least=1, below=GIB, seconds=5)
    assert rows(report)["public.t"]["how"] == "withheld: too small for an estimate"
    assert any("CREATE EXTENSION pgstattuple" in note for note in report.notes)
    server.drop(name)


def test_debt_is_measured_by_the_tables_own_rules(server: Server, dbname: str, db: Database) -> None:
    make(
        server,
        dbname,
        "CREATE TABLE public.eager (a int) WITH (autovacuum_vacuum_threshold = 5, autovacuum_vacuum_scale_factor = 0)",
        "CREATE TABLE public.lazy (a int) WITH (autovacuum_enabled = false)",
        "INSERT INTO public.eager SELECT generate_series(1, 100)",
        "INSERT INTO public.lazy SELECT generate_series(1, 100)",
        "VACUUM ANALYZE public.eager",
        "DELETE FROM public.eager WHERE a <= 10",
        "DELETE FROM public.lazy WHERE a <= 10",
    )
    try:
        report = owed.report(db, leaves=False, top=0)
        found = rows(report)
        assert (found["public.eager"]["dead_rows"], found["public.eager"]["due_percent"]) == (10, 200.0)
        assert found["public.eager"]["due"] == "dead rows"
        assert found["public.eager"]["vacuumed_at"] is not None
        assert (found["public.lazy"]["dead_rows"], found["public.lazy"]["due_percent"]) == (10, 20.0)
        assert found["public.lazy"]["remarks"] == "autovacuum_enabled=false"
        assert found['"Au;dio".events']["remarks"].startswith("worst: ")
        assert any("autovacuum is off" in note for note in report.notes)
        assert set(rows(report, "database")) == {"transaction ids", "multixact ids"}
    finally:
        make(server, dbname, "DROP TABLE public.eager, public.lazy")


def test_who_holds_the_horizon_is_named(server: Server, dbname: str, db: Database, logins: tuple[str, str]) -> None:
    make(server, dbname, "CREATE TABLE public.held (a int)")
    with server.session(dbname) as holder:
        holder.run("BEGIN")
        holder.run("INSERT INTO public.held VALUES (1)")
        holder.run("PREPARE TRANSACTION 'the; ''gid'")
    try:
        make(server, dbname, *("SELECT pg_current_xact_id()" for _ in range(3)))
        notes = owed.report(db, leaves=False, top=0).notes
        assert any("prepared transaction 'the; ''gid' of postgres" in note for note in notes), notes
        with server.session(dbname, logins[1]) as session:
            blind = owed.report(Database(session), leaves=False, top=0).notes
        assert any("unknown: who holds back" in note and "GRANT pg_read_all_stats" in note for note in blind)
    finally:
        make(server, dbname, "ROLLBACK PREPARED 'the; ''gid'", "DROP TABLE public.held")


def test_a_running_vacuum_is_shown(server: Server, dbname: str, db: Database, logins: tuple[str, str]) -> None:
    with server.session(dbname, vacuum_cost_delay="100ms", vacuum_cost_limit="1") as slow:
        thread = threading.Thread(target=lambda: _ends(lambda: slow.run("VACUUM (DISABLE_PAGE_SKIPPING) public.fresh")))
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not (found := rows(owed.report(db, leaves=False, top=1), "running")):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            (row,) = found.values()
            assert (row["table"], row["by"]) == ("public.fresh", "client backend")
            assert row["phase"]
            with server.session(dbname, logins[1]) as session:
                report = owed.report(Database(session), leaves=False, top=1)
            assert any("1 running vacuums and who holds" in note for note in report.notes)
        finally:
            slow.cancel()
            thread.join(30)


def _ends(work: Any) -> None:
    from wnadmin.errors import WnError

    try:
        work()
    except WnError as error:
        assert error.sqlstate == "57014", error


def test_on_a_standby_nothing_is_promised(server: Server, dbname: str) -> None:
    from tests.standby import catch_up, standby_of

    with standby_of(server) as standby:
        catch_up(server, standby)
        with standby.session(dbname) as session:
            report = owed.report(Database(session), leaves=False, top=0)
            assert any("a standby counts no dead rows" in note for note in report.notes)
            together = rows(sizes.report(Database(session), leaves=False, top=0))
            assert together["public.fresh"]["total_bytes"] > 1 << 20
            assert 65 < bloat(Database(session))["public.holes"]["wasted_percent"] < 80


@pytest.mark.parametrize("words", [("sizes",), ("sizes", "--all"), ("bloat",), ("bloat", "--all"), ("vacuum-debt",)])
def test_the_program_shows_it_at_80_columns(server: Server, dbname: str, cli: Cli, words: tuple[str, ...]) -> None:
    mine = Cli(cli.folder, server.dsn(dbname), {"COLUMNS": "80"})
    ran = mine.run("tables", *words, "--format", "table")
    assert ran.code == 0, ran.err
    assert "public.fresh" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    machine = mine.run("tables", *words, "--format", "json")
    assert machine.json()["schema"] == f"wnadmin/tables-{words[0]}/1"


def test_a_bad_size_is_a_usage_error(server: Server, dbname: str, cli: Cli) -> None:
    mine = Cli(cli.folder, server.dsn(dbname))
    ran = mine.run("tables", "bloat", "--exact-below", "1 banana")
    assert (ran.code, "this is not a size" in ran.err) == (2, True)
