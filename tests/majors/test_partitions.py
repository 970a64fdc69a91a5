"""Partitions on PostgreSQL 15 to 18: made, carried over, taken out, put back, dropped."""

from __future__ import annotations

import json

import pytest

from tests.majors.conftest import Major
from tests.partitions.support import Place, carry_out
from tests.partitions.test_default import NOW, SETUP
from wnadmin.domain.partitions import make

pytestmark = pytest.mark.more


def test_there_and_back(major: Major) -> None:
    cli, place = major.cli, Place(major.server, major.dbname)
    ahead = ("partitions", "maintain", "--ahead", "6")
    assert cli.run(*ahead, "--check").code == 3
    login = ("--dsn", major.server.dsn(major.dbname, "wondernest_migration"))
    done = cli.run(*ahead, "--yes", "--format", "json", *login)
    assert done.code == 0, done.err
    assert cli.run(*ahead, "--check").code == 0
    verified = cli.run("setup", "verify", "--format", "json").json()["findings"]
    assert {one["severity"] for one in verified} <= {"ok", "skipped"}, verified
    assert cli.run("partitions", "create", "content.engagement", "2024-01", "--yes").code == 0
    name = "content.engagement_2024_01"
    out = cli.run("partitions", "detach", "--due", "--yes", "--format", "json")
    assert out.code == 0, out.err
    assert place.standing(name) == "detached"
    drift = cli.run("setup", "drift", "--format", "json")
    assert drift.code == 0, drift.out
    assert cli.run("audit", "undo", out.json()["operation"], "--yes").code == 0
    assert place.standing(name) == "attached"
    assert cli.run("partitions", "detach", name, "--yes").code == 0
    assert cli.run("partitions", "retire", "--grace", "0", "--yes").code == 0
    assert place.standing(name) == "gone"
    listed = cli.run("partitions", "list", "--format", "json")
    assert [one["state"] for one in listed.json()["tables"]["tables"]] == ["ok"] * 4
    assert json.dumps(listed.json())


def test_a_default_partition_and_an_interrupted_detach(major: Major) -> None:
    name = major.server.create()
    place = Place(major.server, name)
    try:
        place.run(*SETUP)
        place.run("INSERT INTO public.log VALUES ('2026-12-05Z', 1, 1)")
        carry_out(make.plan_maintain(place.db(), (), 2, NOW))
        assert place.scalar("SELECT count(*) FROM ONLY public.log_2026_12") == 1
        place.run("CREATE TABLE public.plain (LIKE public.log) PARTITION BY RANGE (at)")
        carry_out(make.plan_create(place.db(), "public.plain", "2024-01", "2024-02", {}))
        dsn = ("--dsn", major.server.dsn(name))
        with place.holding("SELECT count(*) FROM public.plain"):
            cut = major.cli.run("partitions", "detach", "public.plain_2024_01", "--wait", "0", "--yes", *dsn)
            assert cut.code == 1
            assert "public.plain_2024_01 is half detached" in cut.out + cut.err
            assert place.standing("public.plain_2024_01") == "pending"
        finished = major.cli.run("partitions", "detach", "--yes", *dsn)
        assert finished.code == 0, finished.err
        assert place.standing("public.plain_2024_01") == "detached"
    finally:
        place.close()
        major.server.drop(name)


def test_identity_is_not_copied(major: Major) -> None:
    """LIKE with IDENTITY is refused by ATTACH from 17 on, and until then an insert into the partition needs it."""
    name = major.server.create()
    place = Place(major.server, name)
    try:
        number = "bigint GENERATED ALWAYS AS IDENTITY" if major.number >= 17 else "bigint NOT NULL"
        place.run(
            f"CREATE TABLE public.log (id {number}, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)"
        )
        carry_out(make.plan_create(place.db(), "public.log", "2024-01", "2024-03", {}))
        if major.number >= 17:
            place.run("INSERT INTO public.log (at) VALUES ('2024-01-05'), ('2024-03-05')")
            assert place.column("SELECT id FROM public.log ORDER BY 1") == [1, 2]
        assert len(place.bounds("public.log")) == 3
    finally:
        place.close()
        major.server.drop(name)
