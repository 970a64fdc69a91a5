"""Several setups at once, a setup beside Flyway, and setups that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.setup.support import Progress, Setup, run_steps
from tests.support import ROOT, Server, end_server, start_server
from wnadmin.domain.setup import flyway, work
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.names import ROLES
from wnadmin.errors import Refused, ServerError


@pytest.fixture
def roleless(bundle: Bundle) -> Iterator[Setup]:
    """A server on which WonderNest has never been."""
    server = start_server("roleless")
    yield Setup(server, bundle)
    end_server(server)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment and give what they gave or raised."""
    found: list[Any] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def run(number: int) -> None:
        gate.wait()
        try:
            found[number] = works[number]()
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_two_setups_of_one_database(setup: Setup, server: Server, empty_db: str) -> None:
    plans = [setup.plan(empty_db), setup.plan(empty_db)]
    receipts = at_once(*(lambda plan=plan: run_steps(plan)[0] for plan in plans))
    assert sorted(receipt.rows for receipt in receipts) == [0, 1]
    late = next(one for one in receipts if one.rows == 0)
    assert (late.values, late.text) == ({"already": True, "why": work.MEANWHILE}, work.MEANWHILE)
    assert work.MEANWHILE == "another setup had made it meanwhile"
    assert setup.differences(empty_db) == []
    with server.session(empty_db) as session:
        assert len(flyway.read_history(session) or ()) == 1


def test_two_databases_of_one_cluster(roleless: Setup) -> None:
    server = roleless.server
    for round_ in range(2):
        names = [f"twin_{round_}_{number}" for number in range(3)]
        receipts = at_once(*(lambda name=name: roleless.apply(name, create=True) for name in names))
        for name, receipt in zip(names, receipts, strict=True):
            assert not isinstance(receipt, Exception), receipt
            assert roleless.differences(name) == []
        with server.session() as session:
            for name in names:
                session.run(f"DROP DATABASE {name}")
            for role in ROLES:
                session.run(f"DROP ROLE {role}")


def test_setup_waits_for_whoever_migrates(setup: Setup, server: Server, empty_db: str) -> None:
    progress = Progress()
    with server.session(empty_db) as flyway_like:
        flyway_like.run("BEGIN")
        flyway_like.run("SELECT pg_advisory_xact_lock(77433833903597)")
        with pytest.raises(Refused, match="another setup or Flyway"):
            setup.apply(empty_db, progress, wait=0.6)
        assert "waiting for another setup" in progress.said
        assert setup.classify(empty_db).kind == "empty"
        timer = threading.Timer(0.6, lambda: flyway_like.run("ROLLBACK"))
        timer.start()
        (receipt,) = setup.apply(empty_db, wait=30.0)
        timer.join()
    assert receipt.rows == 1


def test_setup_holds_flyways_lock_while_it_works(setup: Setup, server: Server, empty_db: str) -> None:
    seen: list[object] = []

    class Watch(Progress):
        def __call__(self, what: str, done: int, total: int) -> None:
            with server.session(empty_db) as session:
                seen.append(session.scalar("SELECT pg_try_advisory_lock(77433833903597)"))

    setup.apply(empty_db, Watch())
    assert seen
    assert not any(seen)
    with server.session(empty_db) as session:
        assert session.scalar("SELECT pg_try_advisory_lock(77433833903597)")


@pytest.mark.parametrize(
    ("state", "text", "collides"),
    [
        ("23505", 'duplicate key value violates unique constraint "pg_authid_rolname_index"', True),
        ("23505", 'duplicate key value violates unique constraint "pg_auth_members_role_member_index"', True),
        ("23505", 'duplicate key value violates unique constraint "users_email_normalized_key"', False),
        ("42710", 'role "wondernest_app" already exists', True),
        ("42710", 'constraint "x" for relation "y" already exists', False),
        ("XX000", "tuple concurrently updated", True),
        ("40P01", "deadlock detected", True),
        ("42501", "permission denied", False),
    ],
)
def test_what_is_tried_again(state: str, text: str, collides: bool) -> None:
    error = ServerError(text, sqlstate=state)
    if collides:
        with pytest.raises(work.Collision):
            work._check_collision(error)
    else:
        work._check_collision(error)


# --- kill -9 ----------------------------------------------------------------------------------------------------

DRIVER = """
import json, sys
from pathlib import Path
from wnadmin.domain.setup import bundle
from wnadmin.domain.setup.run import plan_apply
from wnadmin.domain.setup.wishes import Wishes
from wnadmin.postgres.session import connect, parse_dsn
from wnadmin.postgres.target import Target
from wnadmin.results import World
task = json.loads(sys.argv[1])
target = Target(parse_dsn(task["dsn"]))
plan = plan_apply(
    Wishes(task["database"], months_ahead=3), lambda name: connect(target.at(name), command="setup apply"),
    bundle=bundle.load(Path(task["folder"])),
)
print("planned", flush=True)
for step in plan.steps:
    step.run(World({}, lambda what, done, total: print(what, flush=True), lambda: False))
print("done", flush=True)
"""


def killed_after(setup: Setup, folder: Path, database: str, wait: float) -> str:
    """Run setup in a process of its own, kill it ``wait`` seconds after it began to work; its last words."""
    task = {"dsn": setup.server.dsn(), "database": database, "folder": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(task)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "planned\n"
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    return rest[-1] if rest else ""


def alone(server: Server, database: str) -> None:
    """Wait until the killed setup's backend has noticed."""
    deadline = time.monotonic() + 30
    with server.session() as session:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        while session.scalar(query, [database]):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def kill_and_look(setup: Setup, folder: Path, database: str, wait: float) -> str:
    last = killed_after(setup, folder, database, wait)
    found = setup.classify(database)
    # Also while its backend still runs nobody may see a half.
    assert found.kind in ("empty", "complete"), (wait, last, found.found)
    alone(setup.server, database)
    found = setup.classify(database)
    assert found.kind in ("empty", "complete"), (wait, last, found.found)
    if found.kind == "empty":
        setup.apply(database)
    assert setup.differences(database) == []
    return found.kind


def test_kill_minus_nine_leaves_all_or_nothing(setup: Setup, server: Server, bundle_folder: Path) -> None:
    moments = random.Random(20261122)  # moments, not secrets
    kinds = set()
    for wait in [0.0, 3.0, *(moments.uniform(0.02, 0.9) for _ in range(3))]:
        name = server.create()
        kinds.add(kill_and_look(setup, bundle_folder, name, wait))
        server.drop(name)
    assert kinds == {"empty", "complete"}


@pytest.mark.more
def test_kill_minus_nine_at_many_moments(setup: Setup, server: Server, bundle_folder: Path) -> None:
    for number in range(40):
        name = server.create()
        kill_and_look(setup, bundle_folder, name, number * 0.03)
        server.drop(name)
