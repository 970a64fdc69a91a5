"""The looks on a standby: its replay waits for queries, and queries wait for its replay."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.standby import standby_of
from tests.support import Cli, Server, end_server, start_server
from wnadmin.domain.locks import rows, verdicts
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    primary = start_server("locks-primary")
    with primary.session() as session:
        session.run("CREATE TABLE public.things AS SELECT 1 AS id")
    with standby_of(primary, options={"max_standby_streaming_delay": "-1"}) as standby:
        yield primary, standby
    end_server(primary)


def until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def look(standby: Server) -> list[rows.Session]:
    with standby.session() as session:
        return rows.forest(Database(session))


def look_twice(standby: Server) -> list[rows.Session]:
    """A look at what does not change any more: psql sees the same."""
    with standby.session() as session:
        db = Database(session)
        found = rows.forest(db)
        psql = db.rows("queries/locks/tree", rows.Session, show_queries=False)
        assert [(one.pid, one.kind, one.below) for one in found] == [(one.pid, one.kind, one.below) for one in psql]
        return found


def ends(session: Session, statement: str) -> threading.Thread:
    def run() -> None:
        with contextlib.suppress(WnError):
            session.run(statement)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_replay_and_queries_wait_for_each_other(pair: tuple[Server, Server], cli: Cli) -> None:
    primary, standby = pair
    with standby.session(idle_in_transaction_session_timeout="0") as reader, standby.session() as late:
        reader.run("SET application_name = 'app'")
        reader.run("BEGIN")
        reader.run("SELECT * FROM public.things")
        with primary.session() as session:
            session.run("ALTER TABLE public.things ADD COLUMN more integer")
        until(lambda: any(one.backend_type == "startup" for one in look(standby)), "replay does not wait")
        thread = ends(late, "SELECT * FROM public.things")
        until(lambda: len(look(standby)) == 3, "the second reader does not wait")
        found = look_twice(standby)
        assert [(one.depth, one.pid if one.backend_type != "startup" else "startup") for one in found] == [
            (0, reader.backend_pid),
            (1, "startup"),
            (2, late.backend_pid),
        ]
        assert (found[1].wanted, found[1].relation) == ("AccessExclusiveLock", "public.things")
        assert found[0].below == 2
        ran = cli.run("locks", "tree", "--dsn", standby.dsn())
        assert ran.code == 0, ran.err
        assert "1 tree: 2 blocked" in ran.out
        time.sleep(verdicts.MOMENT.total_seconds())
        advice = cli.run("locks", "advise", "--dsn", standby.dsn())
        assert "This is a standby" in advice.out
        assert f"WHERE a.pid = {reader.backend_pid}\n" in advice.out
        reader.run("COMMIT")
        thread.join(60)
        until(lambda: look(standby) == [], "somebody still waits")


def test_a_lock_of_the_primary_is_kept_by_replay(pair: tuple[Server, Server], cli: Cli) -> None:
    primary, standby = pair
    with primary.session() as owner, standby.session() as reader:
        owner.run("BEGIN")
        owner.run("LOCK TABLE public.things IN ACCESS EXCLUSIVE MODE")
        owner.run("SELECT pg_current_xact_id()")
        owner.run("SELECT pg_switch_wal()")

        def replayed() -> bool:
            text = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
            return bool(reader.scalar(text))

        until(replayed, "the lock is not replayed")
        thread = ends(reader, "SELECT * FROM public.things")
        until(lambda: len(look(standby)) == 2, "the reader does not wait")
        root, waiter = look_twice(standby)
        assert (root.backend_type, waiter.pid) == ("startup", reader.backend_pid)
        ran = cli.run("locks", "advise", "--dsn", standby.dsn())
        assert "Nobody is to be ended now" in ran.out
        assert "replays a change of the primary" in " ".join(ran.out.split())
        owner.run("COMMIT")
        thread.join(60)


def test_sessions_and_connections_work_there(pair: tuple[Server, Server], cli: Cli) -> None:
    _, standby = pair
    for words in (["sessions", "list", "--all"], ["connections", "list"]):
        ran = cli.run(*words, "--dsn", standby.dsn())
        assert ran.code == 0, ran.err
    assert "startup" in cli.run("sessions", "list", "--all", "--dsn", standby.dsn()).out
