"""`backup drill`: restored, compared, looked at, and thrown away in every case."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backup.support import copy, create, databases, limited, payloads, reseal, severities, sidecar
from tests.standby import standby_of
from tests.support import Cli, Server
from wnadmin.domain.backup import files
from wnadmin.domain.backup.drill import PREFIX
from wnadmin.domain.backup.yard import sweep


def scratches(server: Server) -> set[str]:
    return {one for one in databases(server) if one.startswith(PREFIX)}


def test_it_proves_and_leaves_nothing(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    dump = create(here, folder)
    ran = here.run("backup", "drill", "--latest", str(folder), "--yes", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    proof = {one["check"]: one["severity"] for one in ran.json()["proof"]}
    assert set(proof.values()) == {"ok"}
    assert set(proof) == {
        "backup.restore",
        "backup.content",
        "after-restore.history",
        "after-restore.partitions",
        "after-restore.read-only",
        "backup.file",
        "backup.objectives",
        "backup.scratch",
    }
    assert scratches(server) == set()
    done = [one for one in payloads(here, server, fresh_db) if one["phase"] == "done"][-1]["receipt"]["values"]
    assert done["rto_milliseconds"] > 0
    assert 0 <= done["rpo_seconds"] < 600
    known = files.look(files.at(dump)).verified
    assert known is not None
    assert (known.level, known.failed) == ("content", None)
    assert here.run("backup", "drill", str(dump), "--check").code == 3


def test_on_a_private_server_without_any_other(here: Cli, folder: Path) -> None:
    dump = create(here, folder)
    ran = Cli(here.folder).run("backup", "drill", str(dump), "--private", "--yes", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert {one["check"] for one in ran.json()["proof"]} >= {"backup.content", "after-restore.partitions"}
    assert sweep() == []


@pytest.mark.parametrize("private", [True, False])
def test_another_content_fails_and_leaves_nothing(here: Cli, server: Server, folder: Path, private: bool) -> None:
    dump = create(here, folder)
    side = sidecar(dump)
    tables = tuple(replace(one, hash="1") if one.path == "core.users" else one for one in side.tables)
    reseal(dump, replace(side, tables=tables))
    ran = here.run("backup", "drill", str(dump), "--yes", *(["--private"] if private else []))
    assert ran.code == 1
    assert "core.users has" in ran.out
    assert "but not the same ones" in ran.out
    assert scratches(server) == set()
    assert sweep() == []
    known = files.look(files.at(dump)).verified
    assert known is not None
    assert known.failed == "content"


def test_a_dump_that_does_not_restore(shelf: tuple[Cli, Path], server: Server, tmp_path: Path) -> None:
    dump = copy(shelf[1] / "z5.dump", tmp_path)
    dump.write_bytes(dump.read_bytes()[:-200_000])
    reseal(dump)
    ran = shelf[0].run("backup", "drill", str(dump), "--yes")
    assert ran.code == 1
    assert "pg_restore failed" in ran.out
    assert scratches(server) == set()


def test_a_partition_with_other_bounds_is_seen(here: Cli, folder: Path) -> None:
    dump = create(here, folder)
    side = sidecar(dump)
    first, *rest = side.partitions
    moved = replace(first, bound=first.bound.replace("FROM ('2", "FROM ('1"))
    reseal(dump, replace(side, partitions=(moved, *rest)))
    ran = here.run("backup", "drill", str(dump), "--yes", "--format", "json")
    assert ran.code == 1
    proof = {one["check"]: one["severity"] for one in ran.json()["proof"]}
    assert (proof["backup.content"], proof["after-restore.partitions"]) == ("ok", "critical")


def test_killed_it_leaves_a_name_that_the_next_one_tells(here: Cli, server: Server, folder: Path) -> None:
    dump = create(here, folder)
    process = here.start(["backup", "drill", str(dump), "--yes"])
    deadline = time.monotonic() + 30
    while not scratches(server):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    left = scratches(server)
    assert len(left) == 1
    _until_alone(server, *left)
    shown = here.run("backup", "drill", str(dump), "--dry-run")
    assert f'by a killed drill: DROP DATABASE "{next(iter(left))}"' in shown.out
    unfinished = here.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    resumed = here.run("audit", "resume", unfinished[0]["operation"], "--yes")
    assert resumed.code == 0, resumed.out + resumed.err
    assert scratches(server) == set()


def _until_alone(server: Server, name: str) -> None:
    deadline = time.monotonic() + 30
    with server.session() as eye:
        while eye.scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name]):
            assert time.monotonic() < deadline, "pg_restore outlives its wnadmin"
            time.sleep(0.05)


def test_refused_on_a_standby_and_without_a_superuser(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    dump = create(here, folder)
    ran = here.run("backup", "drill", str(dump), "--yes", "--dsn", server.dsn("postgres", "wondernest_operator"))
    assert ran.code in (4, 5)
    with server.session() as session:
        session.run("DROP ROLE IF EXISTS plain_person")
        session.run("CREATE ROLE plain_person LOGIN")
    ran = here.run("backup", "drill", str(dump), "--yes", "--dsn", server.dsn("postgres", "plain_person"))
    assert ran.code == 4
    assert "takes a superuser" in ran.err
    with standby_of(server) as standby:
        ran = here.run("backup", "drill", str(dump), "--yes", "--dsn", standby.dsn("postgres"))
        assert ran.code == 4
        assert "standby" in ran.err


def test_a_full_disk_says_nothing_of_the_backup(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    """No file of the private server may grow beyond a WAL segment, and one table does."""
    with server.session(fresh_db) as session:
        session.run("CREATE TABLE public.big AS SELECT n, repeat('x', 100) AS x FROM generate_series(1, 170000) AS n")
    dump = create(here, folder)
    ran = limited(here, 2**24 + 2**20, "backup", "verify", str(dump), "--level", "content", "--format", "json")
    assert ran.code == 3
    assert severities(ran)["backup.restore"] == "unknown", ran.out
    assert "it could not be tried" in ran.out
    known = files.look(files.at(dump)).verified
    assert known is not None
    assert (known.level, known.failed) == ("archive", None)
    drilled = limited(here, 2**24 + 2**20, "backup", "drill", str(dump), "--private", "--yes")
    assert drilled.code == 1
    known = files.look(files.at(dump)).verified
    assert known is not None
    assert (known.level, known.failed) == ("archive", None)
    assert sweep() == []


def test_usage(here: Cli, folder: Path) -> None:
    assert here.run("backup", "drill").code == 2
    assert here.run("backup", "drill", "x.dump", "--latest", str(folder)).code == 2
    assert here.run("backup", "drill", "--latest", str(folder)).code == 4
    assert Cli(here.folder).run("backup", "drill", "--latest", str(folder)).code in (4, 5)
