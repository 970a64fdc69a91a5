"""What only the newest servers have: constraints that are not enforced, statistics with an age of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.indexes.support import look, make, rows
from tests.standby import catch_up, standby_of
from tests.support import ROOT, SETTINGS, Server, end_server, scratch
from wnadmin import assets
from wnadmin.domain.indexes.gather import UsageRow
from wnadmin.domain.tables import owed
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster

pytestmark = pytest.mark.more


@pytest.fixture(scope="module")
def newest() -> Iterator[Server]:
    """PostgreSQL 18, from `make servers`."""
    bindir = ROOT / ".servers" / "18" / "bin"
    assert bindir.is_dir(), "PostgreSQL 18 is missing: run `make servers`"
    home = scratch("newest")
    # The server's own user must reach the programs, wherever the checkout is.
    shutil.copytree(bindir.parent, home / "programs", symlinks=True)
    cluster = Cluster(home / "pg", {"WNADMIN_PG_BINDIR": str(home / "programs" / "bin"), "PATH": os.environ["PATH"]})
    cluster.start({**SETTINGS, "autovacuum_vacuum_max_threshold": "10"}, fsync=False)
    server = Server(cluster, home)
    yield server
    end_server(server)


@pytest.fixture(scope="module")
def dbname(newest: Server) -> str:
    name = newest.create()
    make(
        newest,
        name,
        "CREATE TABLE public.p (id int PRIMARY KEY)",
        "CREATE TABLE public.c (a int NOT NULL CONSTRAINT lax REFERENCES public.p NOT ENFORCED, b int NOT NULL"
        " CONSTRAINT strict REFERENCES public.p)",
        "CREATE INDEX c_a ON public.c (a)",
        "INSERT INTO public.p SELECT generate_series(1, 1000)",
        "ANALYZE public.p",
        "DELETE FROM public.p WHERE id <= 20",
        "SELECT count(*) FROM public.c",
        "SELECT count(*) FROM public.c",
    )
    return name


def test_a_foreign_key_that_is_not_enforced_needs_no_index(newest: Server, dbname: str) -> None:
    found = look(newest.target(dbname))
    assert found.unindexed == {"strict"}
    assert found["public.c_a"]["verdict"] == "droppable"


def test_the_statistics_of_19_are_read_by_name(newest: Server, dbname: str) -> None:
    """Where the server has no such column the age is unknown, and nothing fails."""
    text = assets.load("queries/indexes/usage", 190000).text
    assert text != assets.load("queries/indexes/usage", 180000).text
    with newest.session(dbname) as session:
        found = [UsageRow(*row) for row in session.run(text).rows]
    assert {row.since for row in found} == {None}
    assert len(found) == 2


def test_the_maximum_threshold_counts(newest: Server, dbname: str) -> None:
    with newest.session(dbname) as session:
        report = owed.report(Database(session), leaves=False, top=0)
    found = {row["table"]: row for row in rows(report, "tables")}
    assert (found["public.p"]["dead_rows"], found["public.p"]["due_percent"]) == (20, 200.0)


def test_a_standby_of_another_major_streams_too(newest: Server, dbname: str) -> None:
    with standby_of(newest, slot="of_newest") as standby:
        make(newest, dbname, "CREATE TABLE public.later (a int)")
        catch_up(newest, standby)
        assert look(newest.target(dbname), standby.target(dbname)).droppable == {"public.c_a"}
        assert look(newest.target(dbname)).droppable == set()
