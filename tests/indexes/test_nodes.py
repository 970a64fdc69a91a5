"""An index is judged over all nodes of the profile: with a real standby, without one, with a wrong one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.indexes.support import explained, look, make, rows
from tests.standby import catch_up, standby_of
from tests.support import Cli, Server, end_server, start_server
from wnadmin.errors import WnError
from wnadmin.postgres.target import Target

STATEMENTS = (
    "CREATE TABLE public.t (a int, b int, c int)",
    "INSERT INTO public.t SELECT g, g, g FROM generate_series(1, 5000) AS g",
    "CREATE INDEX t_a ON public.t (a)",
    "CREATE INDEX t_b ON public.t (b)",
    "CREATE INDEX t_c ON public.t (c)",
    "CREATE INDEX t_c2 ON public.t (c)",
    "VACUUM ANALYZE public.t",
    "SELECT count(*) FROM public.t",
    "SELECT count(*) FROM public.t",
    "SELECT count(*) FROM public.t",
    "SELECT count(*) FROM public.t",
    "SELECT count(*) FROM public.t",
)


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    """A server of one's own: its standby must be the only one."""
    one = start_server("indexes")
    yield one
    end_server(one)


@pytest.fixture(scope="module")
def dbname(primary: Server) -> str:
    name = primary.create()
    make(primary, name, *STATEMENTS)
    return name


@pytest.fixture(scope="module")
def replica(primary: Server, dbname: str) -> Iterator[Server]:
    with standby_of(primary) as one:
        catch_up(primary, one)
        with one.session(dbname) as session:
            assert session.scalar("SELECT b FROM public.t WHERE b = 7") == 7
            session.run("SELECT pg_stat_force_next_flush()")
            session.run("SELECT 1")
        yield one


def test_without_standbys_the_primary_alone_tells(primary: Server, dbname: str) -> None:
    assert look(primary.target(dbname)).droppable == {"public.t_a", "public.t_b", "public.t_c2"}


def test_an_index_used_on_the_standby_is_kept(primary: Server, dbname: str, replica: Server) -> None:
    found = look(primary.target(dbname), replica.target(dbname))
    assert found.droppable == {"public.t_a", "public.t_c2"}
    assert found["public.t_b"]["verdict"] == "keep"
    assert found["public.t_b"]["why"].startswith("it is used: scans 1 on standby1")
    nodes = {row["node"]: row["role"] for row in rows(found.report, "nodes")}
    assert nodes == {"primary": "primary", "standby1": "standby"}
    usage = rows(explained(primary.target(dbname), replica.target(dbname), name="t_b"), "usage")
    assert [(row["node"], row["scans"]) for row in usage] == [("primary", 0), ("standby1", 1)]


def test_a_standby_that_the_profile_does_not_name_leaves_no_evidence(
    primary: Server, dbname: str, replica: Server
) -> None:
    found = look(primary.target(dbname))
    assert found.droppable == set()
    assert "1 standby of this cluster is not in the profile" in found["public.t_a"]["why"]


def test_a_standby_alone_cannot_speak_for_the_primary(primary: Server, dbname: str, replica: Server) -> None:
    found = look(replica.target(dbname))
    assert found.droppable == set()
    assert "the primary was not asked" in found["public.t_a"]["why"]


def test_a_node_that_is_away_is_named(primary: Server, dbname: str, replica: Server) -> None:
    nowhere = Target({"host": "/nonexistent", "dbname": dbname}, source="the tests")
    found = look(primary.target(dbname), replica.target(dbname), nowhere)
    assert found.droppable == set()
    assert found["public.t_a"]["verdict"] == "insufficient evidence"
    assert "standby2 was not reached" in found["public.t_a"]["why"]
    assert found["public.t_b"]["verdict"] == "keep", "what is used is kept whoever is away"
    with pytest.raises(WnError):
        look(nowhere)


def test_when_only_the_standby_answers_its_catalog_is_read(primary: Server, dbname: str, replica: Server) -> None:
    nowhere = Target({"host": "/nonexistent", "dbname": dbname}, source="the tests")
    found = look(nowhere, replica.target(dbname))
    assert found.droppable == set()
    assert "primary was not reached" in found["public.t_a"]["why"]


def test_another_cluster_or_database_proves_nothing(
    primary: Server, dbname: str, replica: Server, server: Server
) -> None:
    other = look(primary.target(dbname), replica.target(dbname), server.target("postgres"))
    assert other.droppable == set()
    assert "standby2 is another cluster than primary" in other["public.t_a"]["why"]
    elsewhere = look(primary.target(dbname), replica.target("postgres"))
    assert elsewhere.droppable == set()
    assert "connected to another database" in elsewhere["public.t_a"]["why"]


def test_an_index_that_the_standby_does_not_know_yet(primary: Server, dbname: str, replica: Server) -> None:
    with replica.session() as session:
        session.run("SELECT pg_wal_replay_pause()")
    try:
        make(primary, dbname, "CREATE INDEX t_new ON public.t (a, b)")
        found = look(primary.target(dbname), replica.target(dbname))
        assert "standby1 does not know it" in found["public.t_new"]["why"] or found["public.t_new"]["verdict"] == "keep"
        assert "public.t_new" not in found.droppable
        make(primary, dbname, "DROP INDEX public.t_new")
    finally:
        with replica.session() as session:
            session.run("SELECT pg_wal_replay_resume()")
    catch_up(primary, replica)


def test_the_profile_names_the_nodes(primary: Server, dbname: str, replica: Server, cli: Cli) -> None:
    config = cli.folder / "wnadmin.toml"
    config.write_text(
        f'[profiles.both]\nprimary = "{primary.dsn(dbname)}"\nstandbys = ["{replica.dsn(dbname)}"]\n'
        f'[profiles.broken]\nprimary = "{primary.dsn(dbname)}"\nstandbys = ["host=/nonexistent dbname=x"]\n'
    )
    env = {"WNADMIN_CONFIG": str(config)}
    words = ("indexes", "review", "--min-age", "0", "--min-size", "0", "--all", "--format", "json")
    ran = cli.run(*words, "--profile", "both", env=env)
    assert ran.code == 0, ran.err
    found = {row["index"]: row["verdict"] for row in ran.json()["tables"]["indexes"]}
    assert ran.json()["schema"] == "wnadmin/indexes-review/1"
    assert found == {
        "public.t_a": "droppable",
        "public.t_b": "keep",
        "public.t_c": "keep",
        "public.t_c2": "droppable",
    }
    ran = cli.run(*words, "--profile", "broken", env=env)
    assert ran.code == 0, ran.err
    assert "droppable" not in {row["verdict"] for row in ran.json()["tables"]["indexes"]}
    assert any("standby1 was not reached" in note for note in ran.json()["notes"])


def test_a_crash_takes_the_statistics_and_their_age_with_it() -> None:
    one = start_server("crashed")
    try:
        name = one.create()
        make(one, name, *STATEMENTS)
        before = rows(look(one.target(name)).report, "nodes")[0]["counted_since"]
        with one.session() as session:
            victim = session.scalar("SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")
        crashed = time.time()
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:
            try:
                found = look(one.target(name))
                since = rows(found.report, "nodes")[0]["counted_since"]
                if since.timestamp() >= crashed - 1:
                    break
            except WnError:
                pass
            assert time.monotonic() < deadline, "the server comes back and says since when it counts"
            time.sleep(0.1)
        assert since > before
        assert found["public.t_a"]["verdict"] == "insufficient evidence"
        assert "was not read either" in found["public.t_a"]["why"]
    finally:
        end_server(one)
