"""WAL archived by the shipped command, and the way back, on PostgreSQL 15 to 18."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.majors.conftest import Major
from tests.wal.support import Yard, findings, severities, whole, yard
from tests.wal.test_recovery import PAGE, now, paused, recover, write

pytestmark = pytest.mark.more


@pytest.fixture(scope="module")
def plot(major: Major) -> Iterator[Yard]:
    """Archiving on each major, set up by `backup wal config`."""
    one = yard(major.server, major.cli, major.dbname)
    one.begin(**({"summarize_wal": "on"} if major.number >= 17 else {}))
    one.sql("CREATE TABLE public.days (what text, at timestamptz)", major.dbname)
    yield one


def test_archived_and_probed(plot: Yard) -> None:
    plot.base_backup("base")
    found = plot.cli.run("backup", "wal", "check", "--probe", "--format", "json")
    assert set(severities(found).values()) == {"ok"}, severities(found)
    assert plot.config("--check").code == 0


def test_back_to_a_moment(plot: Yard, major: Major) -> None:
    base = plot.base_backup("for a moment")
    write(plot, "before", major.dbname)
    target = now(plot)
    write(plot, "after", major.dbname)
    plot.archived(plot.switch())
    asked = findings(plot.cli.run("backup", "wal", "check", "--at", target.isoformat(), "--format", "json"))
    assert asked["wal.at"]["severity"] == "ok"
    one = recover(plot, base, target, dbname=major.dbname)
    try:
        with one.session() as session:
            plot.until(lambda: paused(session), "it does not reach the target")
        assert one.days() == ["before"]
    finally:
        one.remove()


def test_incremental_backups(plot: Yard, major: Major) -> None:
    """From 17 on; before, the server's own program says that it does not know them."""
    full = plot.base_backup("full")
    manifest = str(full / "backup_manifest")
    if major.number < 17:
        with pytest.raises(AssertionError, match="--incremental"):
            plot.base_backup("later", "--incremental", manifest)
        return
    with plot.server.session(major.dbname) as session:
        session.run("DELETE FROM public.days")
    write(plot, "between", major.dbname)
    later = plot.base_backup("later", "--incremental", manifest)
    target = now(plot)
    write(plot, "after", major.dbname)
    plot.archived(plot.switch())
    kinds = plot.cli.run("backup", "wal", "status", "--format", "json").json()["tables"]["backups"]
    assert [(each["label"], each["kind"]) for each in kinds][:2] == [
        ("of later", "incremental"),
        ("of full", "full"),
    ]
    (combine,) = re.findall(r"`(pg_combinebackup [^`]+)`", whole(PAGE))
    one = recover(plot, later, target, copy=f'FULL="{full}"\n{combine}', dbname=major.dbname)
    try:
        with one.session() as session:
            plot.until(lambda: paused(session), "it does not reach the target")
        assert one.days() == ["between"]
    finally:
        one.remove()
