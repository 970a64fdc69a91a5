"""`partitions detach`: concurrently, finished when cut off, marked, and taken back."""

from __future__ import annotations

import json
import threading
from uuid import uuid4

import pytest

from tests.partitions.support import Place, Progress, carry_out, take_back
from tests.support import Cli
from wnadmin.domain.partitions import detach, look, make, mark
from wnadmin.domain.partitions.values import Former
from wnadmin.errors import Blind, Failed, Refused, UsageError
from wnadmin.results import Plan

OLD = "content.engagement_2024_01"


def old(place: Place, table: str = "content.engagement", month: str = "2024-01") -> str:
    """Make a partition that is past; gives its name."""
    carry_out(make.plan_create(place.db(), table, month, "", {}))
    return f"{table}_{month.replace('-', '_')}"


def plan(place: Place, *names: str, due: bool = False, wait: float = 20, user: str = "") -> Plan:
    return detach.plan_detach(place.db(user), names, {}, due_=due, wait=wait)


def former(place: Place) -> list[Former]:
    return look.former(place.db())


def visit(place: Place, when: str) -> None:
    """A visit of a sample child."""
    place.run(
        "ALTER TABLE content.engagement DISABLE TRIGGER USER; INSERT INTO content.engagement (child_id, item_id, "
        f"started_at) SELECT c.id, i.id, '{when}' FROM family.child_profiles c, content.items i LIMIT 1; "
        "ALTER TABLE content.engagement ENABLE TRIGGER USER"
    )


def test_out_marked_and_back_with_its_rows(place: Place, wn: Cli) -> None:
    name = old(place)
    visit(place, "2024-01-15Z")
    words = ("partitions", "detach", name)
    assert wn.run(*words, "--check").code == 3
    done = wn.run(*words, "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert place.standing(name) == "detached"
    (one,) = former(place)
    known = mark.read(one.mark)
    assert known is not None
    assert (one.path, known.parent, known.key_column, str(known.span)) == (
        name,
        "content.engagement",
        "started_at",
        "2024-01-01 to 2024-02-01",
    )
    assert known.comment == "Partition of content.engagement for 2024-01 (UTC)."
    assert place.scalar(f"SELECT count(*) FROM {name}") == 1
    assert place.scalar("SELECT count(*) FROM content.engagement WHERE started_at < '2025-01-01'") == 0
    # Nobody reads it around the parent, and new months do not take its place.
    assert place.scalar(f"SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = '{name}'::regclass")
    with pytest.raises(Refused, match="2024-01-01 to 2024-02-01 was detached and is kept"):
        make.plan_create(place.db(), "content.engagement", "2024-01", "2024-02", {})
    again = wn.run(*words, "--check")
    assert again.code == 2
    assert f"there is no partition {name}" in again.err
    assert wn.run("partitions", "detach", "--check").code == 0
    undone = wn.run("audit", "undo", done.json()["operation"], "--yes")
    assert undone.code == 0, undone.err
    assert place.standing(name) == "attached"
    assert place.scalar("SELECT count(*) FROM content.engagement WHERE started_at < '2025-01-01'") == 1
    assert place.scalar(f"SELECT obj_description('{name}'::regclass)") == known.comment
    checks = f"SELECT count(*) FROM pg_constraint WHERE conrelid = '{name}'::regclass AND contype = 'c'"
    parent = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'content.engagement'::regclass AND contype = 'c'"
    assert place.scalar(checks) == place.scalar(parent)


def test_what_the_policy_has_done_with(place: Place, wn: Cli) -> None:
    gone = [old(place), old(place, "analytics.events"), old(place, "audio.sessions")]
    old(place, month="2026-09")
    first = plan(place, due=True)
    assert [step.key for step in first.steps] == [f"detach {one}" for one in sorted(gone)]
    # Rows of a quarter ago are archived one by one; until that was done their partition stays.
    place.run(
        "ALTER TABLE audio.sessions DISABLE TRIGGER USER; INSERT INTO audio.sessions (child_id, started_at) "
        "SELECT c.id, '2024-01-05Z' FROM family.child_profiles c LIMIT 1; "
        "ALTER TABLE audio.sessions ENABLE TRIGGER USER"
    )
    second = plan(place, due=True)
    assert [step.key for step in second.steps] == [f"detach {gone[1]}", f"detach {gone[0]}"]
    assert (
        "audio.sessions: 1 past partitions still hold rows, and audio.sessions says archive: that comes first."
        in second.effects
    )
    assert wn.run("partitions", "detach", "--due", "--check").code == 3
    assert wn.run("partitions", "detach", "--due", "--yes").code == 0
    assert wn.run("partitions", "detach", "--due", "--check").code == 0
    # A policy that is not active keeps everything.
    old(place, month="2023-12")
    place.run("UPDATE audit.data_retention_policies SET is_active = false WHERE policy_code = 'content.engagement'")
    last = plan(place, "content.engagement", due=True)
    assert not last.steps
    assert "content.engagement: no active policy says how long its rows are kept" in last.nothing


def test_what_takes_rows_now_is_refused(place: Place) -> None:
    names = sorted(place.bounds("content.engagement"))
    for name in names[1:]:
        with pytest.raises(Refused, match="takes rows of now or later"):
            plan(place, name)
    with pytest.raises(UsageError, match=r"there is no partition content\.nothing"):
        plan(place, "content.nothing")
    with pytest.raises(Refused, match="wondernest_monitor may not change"):
        plan(place, names[0], user="wondernest_monitor")


def test_rows_that_others_refer_to_stay(place: Place) -> None:
    name = old(place, "audio.sessions")
    place.run(
        "SET session_replication_role = replica; INSERT INTO audio.sessions (id, child_id, started_at) "
        f"SELECT '{uuid4()}', c.id, '2024-01-05Z' FROM family.child_profiles c LIMIT 1; "
        "INSERT INTO audio.speech_metrics (session_id, session_started_at, child_id, "
        "window_start, window_seconds) SELECT id, started_at, child_id, started_at, 60 "
        "FROM audio.sessions WHERE started_at = '2024-01-05Z'"
    )
    with pytest.raises(Failed, match=f"rows of audio.speech_metrics refer to rows of {name}"):
        carry_out(plan(place, name))
    assert place.standing(name) == "attached"
    assert (
        place.scalar(f"SELECT obj_description('{name}'::regclass)") == "Partition of audio.sessions for 2024-01 (UTC)."
    )


def test_an_owner_under_its_own_policies(place: Place) -> None:
    """It detaches what nobody refers to; whether somebody refers to a row it could not see, and says so."""
    name = old(place)
    carry_out(plan(place, name, user="wondernest_migration"))
    assert place.standing(name) == "detached"
    other = old(place, "audio.sessions")
    with pytest.raises(Blind, match="row-level security") as caught:
        carry_out(plan(place, other, user="wondernest_migration"))
    assert "superuser" in caught.value.next
    assert place.standing(other) == "attached"
    assert not str(place.scalar(f"SELECT obj_description('{other}'::regclass)")).startswith(mark.PREFIX)


def test_cut_off_by_an_old_reader_and_finished(place: Place, wn: Cli) -> None:
    name = old(place)
    other = old(place, month="2024-02")
    with place.holding("SELECT count(*) FROM content.engagement"):
        with pytest.raises(Failed, match=f"{name} is half detached") as caught:
            carry_out(plan(place, name, wait=0))
        assert "postgres with holder (server process" in caught.value.why
        assert caught.value.next.endswith("finish it: wnadmin partitions detach")
        assert place.standing(name) == "pending"
        shown = wn.run("partitions", "list", "--format", "json").json()
        (row,) = [one for one in shown["tables"]["tables"] if one["table"] == "content.engagement"]
        assert f"{name} is half detached" in row["state"]
        assert shown["next"] == "wnadmin partitions detach"
        # Its months can be made meanwhile, and say what is left to do.
        ahead = make.plan_maintain(place.db(), ("content.engagement",), 4, {})
        assert f"{name} is half detached: `wnadmin partitions detach` finishes that." in ahead.effects
        carry_out(ahead)
    # The next detach of anything finishes it first.
    both = plan(place, other)
    assert [step.title.split(",")[0] for step in both.steps] == [f"Finish the detach of {name}", f"Detach {other}"]
    carry_out(both)
    assert (place.standing(name), place.standing(other)) == ("detached", "detached")
    assert {one.path for one in former(place)} == {name, other}
    assert wn.run("partitions", "detach", "--check").code == 0


def test_it_waits_for_the_reader_and_finishes_by_itself(place: Place) -> None:
    name = old(place)
    progress = Progress()
    with place.holding("SELECT count(*) FROM content.engagement") as let_go:
        timer = threading.Timer(1.5, let_go)
        timer.start()
        carry_out(plan(place, name), progress)
        timer.join()
    assert place.standing(name) == "detached"
    assert f"detach {name}: waiting for older transactions" in progress.said


@pytest.mark.usefixtures("hurried")
def test_a_lock_that_is_never_free(place: Place) -> None:
    name = old(place)
    comment = place.scalar(f"SELECT obj_description('{name}'::regclass)")
    with place.holding("LOCK TABLE ONLY content.engagement IN SHARE UPDATE EXCLUSIVE MODE"):
        with pytest.raises(Failed, match="a lock was not to be had in 2 attempts, and nothing was changed") as caught:
            carry_out(plan(place, name))
        assert "has content.engagement in ShareUpdateExclusiveLock" in caught.value.why
        assert "postgres with holder (server process" in caught.value.why
    assert place.standing(name) == "attached"
    assert place.scalar(f"SELECT obj_description('{name}'::regclass)") == comment


def test_a_mark_without_a_detach_is_taken_back(place: Place, wn: Cli) -> None:
    name = old(place)
    db = place.db()
    (table,) = [one for one in look.tables(db) if one.path == "content.engagement"]
    known = mark.make(table.parent, table.placed[0].span, look.circumstances(db, "x").moment, "as it was")
    db.session.run(f"COMMENT ON TABLE {name} IS '{mark.write(known)}'")
    checked = wn.run("partitions", "detach", "--check")
    assert checked.code == 3
    assert f"{name} was marked and never detached; the mark is taken back." in checked.out
    assert wn.run("partitions", "detach", "--yes").code == 0
    assert place.scalar(f"SELECT obj_description('{name}'::regclass)") == "as it was"
    assert place.standing(name) == "attached"


def test_the_record_of_an_unfinished_run_is_enough(place: Place) -> None:
    name = old(place)
    first = plan(place, name)
    recorded = json.loads(json.dumps(dict(first.inputs)))
    receipts = carry_out(first)
    again = detach.plan_detach(place.db(), [name], recorded, due_=False, wait=5)
    assert [step.key for step in again.steps] == [f"detach {name}"]
    assert again.steps[0].done is not None and again.steps[0].done()
    take_back(again, receipts)
    assert place.standing(name) == "attached"
    # What was dropped since cannot be attached, and hinders nothing.
    carry_out(plan(place, name))
    place.run(f"DROP TABLE {name}")
    take_back(again, receipts)
