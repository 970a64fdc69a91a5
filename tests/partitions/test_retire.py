"""`partitions retire`: grace, policies, legal holds on every floor, and what came in between."""

from __future__ import annotations

import pytest

from tests.partitions.support import Place, carry_out
from tests.partitions.test_detach import old, plan, visit
from tests.support import Cli
from wnadmin.domain.partitions import retire
from wnadmin.errors import Failed, UsageError
from wnadmin.results import Plan


def out(place: Place, table: str = "content.engagement", month: str = "2024-01") -> str:
    """A detached partition; gives its name."""
    name = old(place, table, month)
    carry_out(plan(place, name))
    return name


def retiring(place: Place, *names: str, grace: int = 0) -> Plan:
    return retire.plan_retire(place.db(), names, grace, {})


def test_after_the_grace_it_is_dropped(place: Place, wn: Cli) -> None:
    name = out(place)
    waiting = wn.run("partitions", "retire", "--check")
    assert waiting.code == 0
    assert f"Left alone: {name}: it was detached 0 days ago, and is kept for 7" in waiting.out
    words = ("partitions", "retire", "--grace", "0")
    assert wn.run(*words, "--check").code == 3
    done = wn.run(*words, "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert [one["severity"] for one in done.json()["proof"]] == ["ok"]
    assert place.standing(name) == "gone"
    assert wn.run(*words, "--check").code == 0
    with pytest.raises(UsageError, match=f"there is no detached partition {name}"):
        retiring(place, name)


def test_attached_partitions_and_other_tables_are_not_named(place: Place) -> None:
    name = old(place)
    with pytest.raises(UsageError, match=f"there is no detached partition {name}"):
        retiring(place, name)
    with pytest.raises(UsageError, match=r"there is no detached partition core\.users"):
        retiring(place, "core.users")


def test_the_policy_decides(place: Place) -> None:
    name = out(place)
    place.run("UPDATE audit.data_retention_policies SET retention_period = '9 years' WHERE table_name = 'engagement'")
    assert "keeps its rows for 9 years, and they are not past yet" in retiring(place).nothing
    place.run("UPDATE audit.data_retention_policies SET is_active = false WHERE table_name = 'engagement'")
    assert "no active policy says how long rows of content.engagement are kept" in retiring(place).nothing
    assert place.standing(name) == "detached"


def test_what_is_to_be_archived_first_stays_while_it_holds_rows(place: Place) -> None:
    empty = out(place, "audio.sessions", "2024-01")
    full = out(place, "audio.sessions", "2024-02")
    place.run(
        f"SET session_replication_role = replica; INSERT INTO {full} (child_id, started_at) "
        "SELECT c.id, '2024-02-05Z' FROM family.child_profiles c LIMIT 1"
    )
    found = retiring(place)
    assert [step.key for step in found.steps] == [f"drop {empty}"]
    assert any(f"Left alone: {full}: audio.sessions says archive, and it still holds rows" in x for x in found.effects)
    carry_out(found)
    assert (place.standing(empty), place.standing(full)) == ("gone", "detached")


def test_an_unreadable_mark_is_left_alone(place: Place) -> None:
    name = out(place)
    place.run(f"COMMENT ON TABLE {name} IS 'wnadmin:detached at some time'")
    assert f"Left alone: {name}: its mark cannot be read" in retiring(place).nothing


@pytest.mark.parametrize(
    "hold",
    [
        "UPDATE family.child_profiles SET legal_hold = true",
        "UPDATE family.families SET legal_hold = true",
    ],
    ids=["child", "family"],
)
def test_rows_of_somebody_on_hold_are_kept(place: Place, hold: str) -> None:
    name = old(place)
    visit(place, "2024-01-15Z")
    carry_out(plan(place, name))
    place.run(hold)
    found = retiring(place)
    assert not found.steps
    assert f"Left alone: {name}: 1 rows of it are on legal hold, or not to go yet" in found.nothing


TRAIL = (
    'INSERT INTO audit.activity_log ("timestamp", action, table_schema, table_name, retention_until, legal_hold) '
    "VALUES ('2021-01-05Z', 'DELETE', 'core', 'users', {until}, {hold})"
)


@pytest.mark.parametrize(
    ("until", "hold", "kept"), [("NULL", "true", 1), ("'2999-01-01'", "false", 1), ("'2022-01-01'", "false", 0)]
)
def test_rows_that_say_so_themselves_are_kept(place: Place, until: str, hold: str, kept: int) -> None:
    name = old(place, "audit.activity_log", "2021-01")
    place.run("SET session_replication_role = replica; " + TRAIL.format(until=until, hold=hold))
    carry_out(plan(place, name))
    assert len(retiring(place).steps) == 1 - kept


def test_a_hold_that_is_set_after_the_plan(place: Place) -> None:
    name = old(place)
    visit(place, "2024-01-15Z")
    carry_out(plan(place, name))
    found = retiring(place)
    place.run("UPDATE family.child_profiles SET legal_hold = true")
    with pytest.raises(Failed, match=f"{name} has 1 rows that are on legal hold") as caught:
        carry_out(found)
    assert "put on hold since the plan" in caught.value.why
    assert place.scalar(f"SELECT count(*) FROM {name}") == 1
    # Its foreign keys are gone by then; whom its rows belong to is known from the parent.
    assert "1 rows of it are on legal hold" in retiring(place).nothing


def test_one_that_was_attached_again_is_not_dropped(place: Place) -> None:
    name = out(place)
    found = retiring(place)
    place.run(
        f"ALTER TABLE content.engagement ATTACH PARTITION {name} FOR VALUES FROM ('2024-01-01Z') TO ('2024-02-01Z')"
    )
    with pytest.raises(Failed):
        carry_out(found)
    assert place.standing(name) == "attached"


@pytest.mark.usefixtures("hurried")
def test_a_lock_that_is_never_free(place: Place) -> None:
    name = out(place)
    found = retiring(place)
    with place.holding("SELECT 1 FROM family.child_profiles"):
        with pytest.raises(Failed, match="a lock was not to be had in 2 attempts") as caught:
            carry_out(found)
        assert "has family.child_profiles in AccessShareLock" in caught.value.why
    assert place.standing(name) == "detached"
    assert (
        place.scalar(f"SELECT count(*) FROM pg_constraint WHERE conrelid = '{name}'::regclass AND contype = 'f'") == 2
    )
    carry_out(retiring(place))
