"""kill -9 in each phase: the next run finishes it or undoes it, and says so."""

from __future__ import annotations

import subprocess

import pytest

from tests.partitions.support import Place
from tests.partitions.test_default import SETUP
from tests.partitions.test_detach import old
from tests.support import Cli

WAITS = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'wnadmin/partitions%' "
    "AND datname = current_database() AND wait_event_type = 'Lock'"
)
GONE = (
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'wnadmin/partitions%' "
    "AND datname = current_database()"
)


def kill(place: Place, process: subprocess.Popen[str]) -> None:
    """Kill the program; the server may go on with its statement until it finds out."""
    process.kill()
    process.communicate()


def unfinished(wn: Cli) -> str:
    found = wn.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    assert len(found) == 1, found
    return str(found[0]["operation"])


def test_while_it_makes(place: Place, wn: Cli) -> None:
    # The second table cannot have its lock; the first is done by then.
    tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'audio'::regnamespace"
    before = place.scalar(tables)
    with place.holding("LOCK TABLE audio.speech_metrics IN ROW EXCLUSIVE MODE"):
        process = wn.start(["partitions", "maintain", "--ahead", "4", "--yes"])
        place.until(WAITS)
        kill(place, process)
    place.until(GONE)
    assert place.scalar(tables) == before
    assert len(place.bounds("analytics.events")) == 6
    operation = unfinished(wn)
    resumed = wn.run("audit", "resume", operation, "--yes", "--format", "json")
    assert resumed.code == 0, resumed.err
    # What was done is nothing to be done: its step is skipped, or not even there any more.
    assert {one["key"]: one["status"] for one in resumed.json()["steps"]}["make audio.sessions"] == "done"
    assert wn.run("partitions", "maintain", "--ahead", "4", "--check").code == 0
    assert wn.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"] == []


def test_between_the_constraint_and_the_partition(bare: Place, wn_bare: Cli) -> None:
    bare.run(*SETUP)
    with bare.holding("LOCK TABLE public.kinds IN ROW EXCLUSIVE MODE"):
        process = wn_bare.start(["partitions", "maintain", "--ahead", "6", "--yes"])
        bare.until(WAITS)
        kill(bare, process)
    bare.until(GONE)
    assert bare.scalar("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'wnadmin_excludes%'") == 1
    checked = wn_bare.run("partitions", "maintain", "--ahead", "6", "--check")
    assert checked.code == 3
    assert "public.log: an interrupted run left wnadmin_excludes_" in checked.out
    done = wn_bare.run("partitions", "maintain", "--ahead", "6", "--yes")
    assert done.code == 0, done.err
    assert bare.scalar("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'wnadmin_excludes%'") == 0
    assert wn_bare.run("partitions", "maintain", "--ahead", "6", "--check").code == 0


@pytest.mark.parametrize(
    ("hold", "left"),
    [
        # Before the mark; after the mark; between the two transactions of the detach.
        pytest.param(
            "LOCK TABLE content.engagement_2024_01 IN SHARE UPDATE EXCLUSIVE MODE",
            "attached",
            id="mark",
            marks=pytest.mark.more,
        ),
        pytest.param(
            "LOCK TABLE ONLY content.engagement IN SHARE UPDATE EXCLUSIVE MODE",
            "attached",
            id="begin",
            marks=pytest.mark.more,
        ),
        pytest.param("SELECT count(*) FROM content.engagement", "pending", id="middle"),
    ],
)
def test_while_it_detaches(place: Place, wn: Cli, hold: str, left: str) -> None:
    name = old(place)
    comment = place.scalar(f"SELECT obj_description('{name}'::regclass)")
    with place.holding(hold):
        process = wn.start(["partitions", "detach", name, "--yes"])
        if left == "pending":
            place.until(f"SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = '{name}'::regclass")
        else:
            place.until(WAITS)
        kill(place, process)
        place.until(GONE)
        assert place.standing(name) == left
    operation = unfinished(wn)
    # A run that names nothing finishes what is half done and undoes what had not begun.
    seen = wn.run("partitions", "detach", "--check")
    marked = str(place.scalar(f"SELECT obj_description('{name}'::regclass)")).startswith("wnadmin:detached")
    assert seen.code == (3 if marked else 0)
    if left == "pending":
        assert f"{name} was left half detached; that is finished." in seen.out
    elif marked:
        assert f"{name} was marked and never detached; the mark is taken back." in seen.out
        assert wn.run("partitions", "detach", "--yes").code == 0
        assert place.scalar(f"SELECT obj_description('{name}'::regclass)") == comment
        assert wn.run("partitions", "detach", "--check").code == 0
    # And the unfinished operation goes on with what it was asked for.
    resumed = wn.run("audit", "resume", operation, "--yes")
    assert resumed.code == 0, resumed.err
    assert place.standing(name) == "detached"
    assert wn.run("partitions", "detach", "--check").code == 0
    undone = wn.run("audit", "undo", operation, "--yes")
    assert undone.code == 0, undone.err
    assert place.standing(name) == "attached"
    assert place.scalar(f"SELECT obj_description('{name}'::regclass)") == comment


def test_while_it_retires(place: Place, wn: Cli) -> None:
    name = old(place)
    assert wn.run("partitions", "detach", name, "--yes").code == 0
    # Its foreign keys are dropped, the table itself is in use.
    with place.holding(f"LOCK TABLE {name} IN ACCESS SHARE MODE") as let_go:
        process = wn.start(["partitions", "retire", "--grace", "0", "--yes"])
        place.until(WAITS)
        kill(place, process)
        let_go()
    place.until(GONE)
    assert place.standing(name) == "detached"
    operation = unfinished(wn)
    resumed = wn.run("audit", "resume", operation, "--yes")
    assert resumed.code == 0, resumed.err
    assert place.standing(name) == "gone"
    assert wn.run("partitions", "retire", "--grace", "0", "--check").code == 0
