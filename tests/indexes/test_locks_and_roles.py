"""Locks that must not be queued behind, builds in progress, logins that see little, and names that bite."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.indexes.support import explained, look, make, rows, waiting
from tests.support import Cli, Server
from wnadmin.errors import UsageError

HOSTILE = 'x"; DROP TABLE public.t; --\n\x1b[31m'


@pytest.fixture(scope="module")
def dbname(server: Server) -> Iterator[str]:
    name = server.create()
    make(
        server,
        name,
        "CREATE TABLE public.t (a int, b text)",
        "INSERT INTO public.t SELECT g, g::text FROM generate_series(1, 1000) AS g",
        "CREATE INDEX t_a ON public.t (a)",
        "CREATE INDEX t_b ON public.t (lower(b)) WHERE a > 0",
        "CREATE TABLE public.free (a int)",
        "CREATE INDEX free_a ON public.free (a)",
        "SELECT count(*) FROM public.t",
        "SELECT count(*) FROM public.t",
        "SELECT count(*) FROM public.t",
        "SELECT count(*) FROM public.free",
        "SELECT count(*) FROM public.free",
    )
    yield name
    server.drop(name)


@pytest.fixture(scope="module")
def logins(server: Server) -> Iterator[tuple[str, str]]:
    """A monitor and a nobody."""
    with server.session() as session:
        session.run("CREATE ROLE idx_monitor LOGIN IN ROLE pg_monitor")
        session.run('CREATE ROLE "idx Nobody" LOGIN')
    yield "idx_monitor", "idx Nobody"
    with server.session() as session:
        session.run('DROP ROLE idx_monitor, "idx Nobody"')


@pytest.mark.parametrize("held", [True, False], ids=["held", "waited for"])
def test_an_exclusive_lock_is_not_queued_behind(server: Server, dbname: str, held: bool) -> None:
    lock = "LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE"
    with server.session(dbname) as holder:
        holder.run("BEGIN")
        holder.run(lock if held else "SELECT 1 FROM public.t")
        try:
            if held:
                _passes_over(server, dbname)
            else:
                # LOCK needs a transaction block; ALTER TABLE takes the same lock by itself.
                with waiting(server, dbname, "ALTER TABLE public.t ADD COLUMN more int"):
                    _passes_over(server, dbname)
        finally:
            holder.run("ROLLBACK")
    assert look(server.target(dbname))["public.t_a"]["verdict"] == "droppable"


def _passes_over(server: Server, dbname: str) -> None:
    began = time.monotonic()
    found = look(server.target(dbname))
    assert time.monotonic() - began < 3
    for name in ("public.t_a", "public.t_b"):
        assert (found[name]["verdict"], found[name]["bytes"]) == ("insufficient evidence", None)
        assert "an exclusive lock on it or its table is held or waited for" in found[name]["why"]
    assert found["public.free_a"]["verdict"] == "droppable"
    assert any("ACCESS EXCLUSIVE" in note and "public.t_a" in note for note in found.report.notes)
    dossier = explained(server.target(dbname), name="public.t_b")
    assert "unknown: its definition" in " ".join(dossier.notes)
    assert "UNDO" not in dossier.text


def test_an_index_under_construction_is_not_broken(server: Server, dbname: str, logins: tuple[str, str]) -> None:
    _, nobody = logins
    with server.session(dbname) as holder:
        holder.run("BEGIN")
        holder.run("UPDATE public.free SET a = a")
        with waiting(server, dbname, "CREATE INDEX CONCURRENTLY free_new ON public.free (a, (a + 1))"):
            found = look(server.target(dbname))
            assert (found["public.free_new"]["verdict"], found["public.free_new"]["kind"]) == ("keep", "")
            assert found["public.free_new"]["why"] == "it is being built right now"
            blind = look(server.target(dbname, nobody))
            assert blind["public.free_new"]["verdict"] == "insufficient evidence"
            assert 'GRANT pg_read_all_stats TO "idx Nobody"' in blind["public.free_new"]["why"]
        holder.run("ROLLBACK")
    left = look(server.target(dbname))
    assert (left["public.free_new"]["verdict"], left["public.free_new"]["kind"]) == ("droppable", "invalid")
    make(server, dbname, "DROP INDEX public.free_new")


def test_monitor_and_nobody_reach_the_same_verdicts(server: Server, dbname: str, logins: tuple[str, str]) -> None:
    all_seen = {row["index"]: row["verdict"] for row in rows(look(server.target(dbname)).report, "indexes")}
    for login in logins:
        found = look(server.target(dbname, login))
        assert {row["index"]: row["verdict"] for row in rows(found.report, "indexes")} == all_seen


def test_bloat_by_login(server: Server, logins: tuple[str, str]) -> None:
    monitor, nobody = logins
    name = server.create()
    make(
        server,
        name,
        "CREATE SCHEMA ext",
        "CREATE EXTENSION pgstattuple SCHEMA ext",
        "CREATE TABLE public.t (a int, b int)",
        "INSERT INTO public.t SELECT g, g FROM generate_series(1, 700000) AS g",
        "CREATE INDEX t_a ON public.t (a)",
        "CREATE INDEX t_b ON public.t (b) WHERE b > 0",
        "DELETE FROM public.t WHERE a % 20 > 0",
        "VACUUM ANALYZE public.t",
    )
    owner = look(server.target(name))
    for index in ("public.t_a", "public.t_b"):
        assert "bloated" in owner[index]["kind"]
        assert "are waste (counted)" in owner[index]["why"]
    # The monitor may read pages, as soon as it may enter the schema of the extension.
    refused = look(server.target(name, monitor))
    assert "bloated" not in refused["public.t_b"]["kind"]
    assert any("GRANT USAGE ON SCHEMA ext TO idx_monitor" in note for note in refused.report.notes)
    make(server, name, "GRANT USAGE ON SCHEMA ext TO idx_monitor")
    allowed = look(server.target(name, monitor))
    assert "bloated" in allowed["public.t_b"]["kind"]
    blind = look(server.target(name, nobody))
    assert "bloated" not in blind["public.t_a"]["kind"]
    assert any('GRANT pg_stat_scan_tables TO "idx Nobody"' in note for note in blind.report.notes)
    assert any("pg_stats hides 1 of 1 columns" in note for note in blind.report.notes)
    # Switched off, a full btree over plain columns is estimated, a partial one never.
    off = look(server.target(name), below=0)
    assert "are waste (estimated)" in off["public.t_a"]["why"]
    assert "bloated" not in off["public.t_b"]["kind"]
    server.drop(name)


def test_hostile_names_are_shown_and_found(server: Server, dbname: str, cli: Cli) -> None:
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    make(server, dbname, f"CREATE SCHEMA {quoted}", f"CREATE TABLE {quoted}.{quoted} ({quoted} int)")
    index = '"i' + HOSTILE.replace('"', '""') + '"'
    make(server, dbname, f"CREATE INDEX {index} ON {quoted}.{quoted} ({quoted})")
    try:
        name = f"{quoted}.{index}"
        assert name in look(server.target(dbname))
        mine = Cli(cli.folder, server.dsn(dbname))
        ran = mine.run("indexes", "explain", name, "--format", "json")
        assert ran.code == 0, ran.err
        assert f"CREATE INDEX CONCURRENTLY {index} ON" in ran.json()["text"]
        for form in ("table", "plain", "markdown"):
            shown = mine.run("indexes", "review", "--all", "--format", form)
            assert shown.code == 0, shown.err
            assert "\x1b" not in shown.out
        lacking = mine.run("indexes", "missing", "--big", "0", "--rows", "0", "--format", "json")
        assert lacking.code == 0, lacking.err
        with server.session(dbname) as session:
            assert session.scalar("SELECT count(*) FROM public.t") == 1000
    finally:
        make(server, dbname, f"DROP SCHEMA {quoted} CASCADE")


def test_an_unknown_index_has_a_near_match(server: Server, dbname: str) -> None:
    with pytest.raises(UsageError) as refused:
        explained(server.target(dbname), name="public.t_aa")
    assert "public.t_a" in refused.value.next


def test_the_screen_fits_80_columns(server: Server, dbname: str, cli: Cli) -> None:
    mine = Cli(cli.folder, server.dsn(dbname), {"COLUMNS": "80"})
    for words in (("review", "--all"), ("explain", "public.t_b"), ("missing", "--big", "0")):
        ran = mine.run("indexes", *words, "--format", "table")
        assert ran.code == 0, ran.err
        long = [line for line in ran.out.splitlines() if len(line) > 80 and "CREATE" not in line]
        assert long == []


def test_a_bad_size_is_a_usage_error(server: Server, dbname: str, cli: Cli) -> None:
    mine = Cli(cli.folder, server.dsn(dbname))
    ran = mine.run("indexes", "review", "--min-size", "lots")
    assert (ran.code, "--min-size lots" in ran.err) == (2, True)
    assert mine.run("indexes", "review", "--min-age", "-1").code == 2
