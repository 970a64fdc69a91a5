"""Which locks each change takes, as a second session sees them in pg_locks, and what others can do meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.partitions.support import Place, Progress, carry_out
from tests.partitions.test_default import NOW, SETUP
from tests.partitions.test_detach import old, plan
from wnadmin.domain.partitions import bounds, draft, ladder, look, make, statements
from wnadmin.domain.partitions.ladder import Ladder, Wanted
from wnadmin.errors import Failed
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import Composable
from wnadmin.results import World

STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
TARGETS = ("family.child_profiles", "content.items")


def strongest(place: Place, pid: int) -> dict[str, str]:
    """The strongest lock that a server process has on each table."""
    query = (
        "SELECT l.relation::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
        "WHERE l.pid = %s AND l.granted AND l.locktype = 'relation' AND c.relkind IN ('r', 'p') "
        "AND c.relnamespace <> 'pg_catalog'::regnamespace"
    )
    found: dict[str, str] = {}
    with place.server.session(place.dbname) as eye:
        for name, mode in eye.run(query, [pid]).rows:
            found[name] = max(found.get(name, mode), mode, key=STRENGTH.index)
    return found


def locks_of(place: Place, *run: Composable | str) -> dict[str, str]:
    """What a transaction of these statements has locked before it ends."""
    session = place.session()
    session.run("BEGIN")
    for one in run:
        session.run(one)
    found = strongest(place, session.backend_pid)
    session.run("ROLLBACK")
    return found


def drafted(place: Place, table: str) -> draft.Draft:
    db = place.db()
    one = look.find(look.tables(db), table)
    shared = draft.shared(db, one, look.circumstances(db, "tests"))
    after = bounds.MONTH.at(one.placed[-1].span.upper)
    return draft.drafts(db, shared, [after], 10)[0]


def test_making(place: Place) -> None:
    one = drafted(place, "content.engagement")
    found = locks_of(place, *one.together())
    # The new table itself is nobody else's to see yet.
    assert found == {
        "content.engagement": "ShareUpdateExclusiveLock",
        **dict.fromkeys(TARGETS, "ShareRowExclusiveLock"),
    }
    # Until the last two statements nothing is locked that anybody could wait for.
    assert locks_of(place, *one.together()[:-2]) == {"content.engagement": "AccessShareLock"}


def test_making_beside_a_default(bare: Place) -> None:
    bare.run(*SETUP)
    one = drafted(bare, "public.log")
    assert one.beforehand is not None
    exclude, validate = one.beforehand
    assert locks_of(bare, exclude) == {"public.rest": "AccessExclusiveLock"}
    bare.session().run(exclude)
    assert locks_of(bare, validate)["public.rest"] == "ShareUpdateExclusiveLock"
    bare.session().run(validate)
    found = locks_of(bare, *one.together())
    assert found == {
        "public.log": "ShareUpdateExclusiveLock",
        "public.rest": "AccessExclusiveLock",
        "public.kinds": "ShareRowExclusiveLock",
    }


def test_a_plain_detach_locks_everything(bare: Place) -> None:
    bare.run(*SETUP)
    found = locks_of(bare, statements.detach("public", "log", ("public", "log_2026_10")))
    assert found["public.log"] == found["public.rest"] == found["public.log_2026_10"] == "AccessExclusiveLock"
    assert found["public.kinds"] == "ShareRowExclusiveLock"


@contextmanager
def detaching(place: Place, name: str) -> Iterator[Session]:
    """Detach concurrently in a thread, waiting for ever; gives its session."""
    session = place.session()
    session.run("SET lock_timeout = 0")
    schema, _, bare_name = name.partition(".")
    statement = statements.detach("content", "engagement", (schema, bare_name), "CONCURRENTLY")
    thread = threading.Thread(target=lambda: session.run(statement))
    thread.start()
    try:
        yield session
    finally:
        thread.join(30)
        assert not thread.is_alive()


def test_a_concurrent_detach_stops_nobody(place: Place) -> None:
    name = old(place)
    with place.holding("SELECT count(*) FROM content.engagement") as let_go, detaching(place, name) as session:
        place.until(f"SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = '{name}'::regclass")
        # Between its two transactions it holds a lock of the session only, and nobody waits behind it.
        assert "AccessExclusiveLock" not in strongest(place, session.backend_pid).values()
        with place.server.session(place.dbname, lock_timeout="100ms") as other:
            other.run("SET session_replication_role = replica")
            other.run("SELECT count(*) FROM content.engagement")
            other.run(
                "INSERT INTO content.engagement (child_id, item_id, started_at) SELECT c.id, i.id, now() "
                "FROM family.child_profiles c, content.items i LIMIT 1"
            )
        let_go()
    assert place.standing(name) == "detached"


def test_the_second_half_of_a_concurrent_detach(place: Place) -> None:
    name = old(place)
    with (
        place.holding("LOCK TABLE family.child_profiles IN ROW EXCLUSIVE MODE") as let_go,
        detaching(place, name) as session,
    ):
        place.until(
            "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock' "
            f"AND relation = 'family.child_profiles'::regclass AND pid = {session.backend_pid}"
        )
        found = strongest(place, session.backend_pid)
        assert found[name] == "AccessExclusiveLock"
        assert found["content.engagement"] == "ShareUpdateExclusiveLock"
        let_go()
    assert place.standing(name) == "detached"


def test_dropping_is_parted_from_unlinking(place: Place) -> None:
    name = old(place)
    carry_out(plan(place, name))
    schema, _, table = name.partition(".")
    key = statements.drop_constraint(schema, table, "engagement_child_id_fkey")
    assert locks_of(place, key) == {name: "AccessExclusiveLock", "family.child_profiles": "AccessExclusiveLock"}
    place.session().run(key)
    place.session().run(statements.drop_constraint(schema, table, "engagement_item_id_fkey"))
    gone = locks_of(place, statements.drop(schema, table))
    # The table itself is no name any more; nothing else is locked.
    assert not set(gone) & {"content.engagement", *TARGETS}


# --- a holder that never lets go --------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
def test_nothing_is_left_behind_a_lock_that_is_never_free(place: Place) -> None:
    before = place.column("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'i') ORDER BY 1")
    found = make.plan_maintain(place.db(), ("content.engagement",), 4, {})
    with place.holding("LOCK TABLE family.child_profiles IN ROW EXCLUSIVE MODE"):
        with pytest.raises(
            Failed, match=r"make content\.engagement_.*: a lock was not to be had in 2 attempts"
        ) as caught:
            carry_out(found)
        assert "postgres with holder (server process" in caught.value.why
        assert "has family.child_profiles in RowExclusiveLock" in caught.value.why
        assert "wnadmin locks tree" in caught.value.next
    after = place.column("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'i') ORDER BY 1")
    assert after == before
    carry_out(found)


@pytest.mark.usefixtures("hurried")
def test_a_default_that_is_never_free_keeps_no_constraint(bare: Place) -> None:
    bare.run(*SETUP)
    found = make.plan_maintain(bare.db(), (), 1, NOW)
    with bare.holding("LOCK TABLE public.kinds IN ROW EXCLUSIVE MODE"), pytest.raises(Failed, match="not to be had"):
        carry_out(found)
    assert bare.scalar("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'wnadmin_excludes%'") == 0
    assert len(bare.bounds("public.log")) == 3


def test_an_old_transaction_in_the_way_is_named_beforehand(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "OLD", 0.0)
    with place.holding("LOCK TABLE family.child_profiles IN ROW EXCLUSIVE MODE"):
        found = make.plan_maintain(place.db(), ("content.engagement",), 4, {})
    (said,) = [one for one in found.effects if one.startswith("In the way now: ")]
    assert "has family.child_profiles in RowExclusiveLock" in said


def test_the_ladder_is_short_and_ends(place: Place) -> None:
    rungs = ladder.standing(1000)
    assert rungs.attempts == [100, 100, 200, 300, 400, 500, 500, 500, 500, 1000] * 2
    assert max(ladder.standing(250).attempts) == 250
    slept: list[float] = []
    tried: list[int] = []
    one = Ladder((1, 2), 2, 1000, slept.append)

    def work(milliseconds: int) -> None:
        tried.append(milliseconds)
        if len(tried) < 4:
            raise Failed("no lock", sqlstate="55P03")

    assert one.climb(place.db(), work, Wanted, "try", World({}, Progress(), lambda: False)) == 4
    assert tried == [1, 2, 1, 2]
    assert len(slept) == 3 and all(0 < each <= 2 for each in slept)
    with pytest.raises(Failed, match="try was stopped while it waited for a lock"):
        tried.clear()
        one.climb(place.db(), work, Wanted, "try", World({}, Progress(), lambda: True))


def test_others_are_held_up_no_longer_than_a_rung(place: Place) -> None:
    """A writer queued behind an attempt goes on when the attempt gives up."""
    found = make.plan_maintain(place.db(), ("content.engagement",), 4, {})
    longest = 0.0
    done = threading.Event()
    with place.holding("LOCK TABLE family.child_profiles IN ROW EXCLUSIVE MODE") as let_go:

        def work() -> None:
            carry_out(found)
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        with place.server.session(place.dbname) as writer:
            place.until(
                "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'family.child_profiles'::regclass"
            )
            for _ in range(20):
                began = time.monotonic()
                writer.run("UPDATE family.child_profiles SET first_name = first_name WHERE false")
                longest = max(longest, time.monotonic() - began)
        let_go()
        thread.join(60)
    assert done.is_set()
    # The rungs up to then; generous for a slow machine, far below what a lock timeout of seconds would give.
    assert longest < 3
