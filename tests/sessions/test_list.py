"""`sessions list`: who is there, filters that hide nothing, and what a login may not see."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from tests.support import Cli, Server
from wnadmin.domain.sessions import words
from wnadmin.postgres.session import Session

_roles = itertools.count(1)


@pytest.fixture
def wn(cli: Cli, server: Server, empty_db: str) -> Cli:
    return Cli(cli.folder, server.dsn(empty_db))


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    name = f"watcher_{next(_roles)}"
    with server.session() as session:
        session.run(f"CREATE ROLE {name} LOGIN")
        yield name
        session.run(f"DROP ROLE {name}")


@pytest.fixture
def idler(server: Server, empty_db: str) -> Iterator[Session]:
    """A session that has changed something and does not go on."""
    with server.session(empty_db, idle_in_transaction_session_timeout="0") as session:
        session.run("CREATE TABLE public.things AS SELECT 1 AS id")
        session.run("BEGIN")
        session.run("UPDATE public.things SET id = 2")
        session.run("SELECT 'child@example.com'")
        yield session


def listed(wn: Cli, *words: str) -> dict[int, dict[str, object]]:
    ran = wn.run("sessions", "list", "--format", "json", *words)
    assert ran.code == 0, ran.err
    document = ran.json()
    assert document["schema"] == "wnadmin/sessions-list/1"
    return {one["pid"]: one for one in document["tables"]["sessions"]}


def test_a_session_is_named_for_good(wn: Cli, server: Server, idler: Session) -> None:
    one = listed(wn)[idler.backend_pid]
    assert (one["state"], one["role"], one["waits"], one["hidden"]) == ("idle in transaction", "postgres", False, False)
    assert one["xid"] is not None
    assert isinstance(one["locks"], int) and one["locks"] >= 2
    pid, _, began = str(one["session"]).partition("@")
    assert one["session"] == f"{one['pid']}@{one['backend_start']}"
    with server.session() as session:
        text = "SELECT pid FROM pg_stat_activity WHERE pid = %s::int AND backend_start = %s::timestamptz"
        assert session.scalar(text, [pid, began]) == idler.backend_pid


def test_the_screen_fits_and_names_pid_and_who(wn: Cli, idler: Session) -> None:
    ran = wn.run("sessions", "list", "--format", "table", env={"COLUMNS": "80"})
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    assert any(str(idler.backend_pid) in line and "idle in transaction" in line for line in ran.out.splitlines())


def test_who_blocks_comes_first(wn: Cli, server: Server, empty_db: str, idler: Session) -> None:
    import threading

    with server.session(empty_db) as waiter:
        thread = threading.Thread(target=lambda: waiter.run("UPDATE public.things SET id = 3"))
        thread.start()
        with server.session() as watcher:
            deadline = time.monotonic() + 30
            while not watcher.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        ran = wn.run("sessions", "list", "--format", "json")
        rows = ran.json()["tables"]["sessions"]
        assert (rows[0]["pid"], rows[0]["blocks"]) == (idler.backend_pid, 1)
        assert ran.json()["next"] == "wnadmin locks tree"
        assert next(one for one in rows if one["pid"] == waiter.backend_pid)["waits"] is True
        idler.run("ROLLBACK")
        thread.join(30)


def test_filters(wn: Cli, idler: Session) -> None:
    pid = idler.backend_pid
    assert pid in listed(wn, "--state", "idle-in-transaction")
    assert pid not in listed(wn, "--state", "active")
    assert pid not in listed(wn, "--older-than", "1h")
    assert pid in listed(wn, "--older-than", "1ms", "--database", idler.dbname, "--role", "postgres")
    assert pid not in listed(wn, "--database", "postgres")
    assert all(one["backend_type"] == "client backend" for one in listed(wn).values())
    kinds = {one["backend_type"] for one in listed(wn, "--all").values()}
    assert {"checkpointer", "client backend"} <= kinds


def test_an_aborted_transaction_is_idle_in_one_too(wn: Cli, idler: Session) -> None:
    from wnadmin.errors import ServerError

    with pytest.raises(ServerError):
        idler.run("SELECT 1 / 0")
    found = listed(wn, "--state", "idle in transaction")
    assert found[idler.backend_pid]["state"] == "idle in transaction (aborted)"


@pytest.mark.parametrize(
    ("option", "near"),
    [
        (["--state", "idel"], "Did you mean --state 'idle'?"),
        (["--role", "postgre"], "Did you mean postgres?"),
        (["--database", "postgress"], "Did you mean postgres?"),
        (["--older-than", "soon"], "Example: --older-than 5min"),
    ],
)
def test_what_there_is_not_is_refused_with_the_near_match(wn: Cli, option: list[str], near: str) -> None:
    ran = wn.run("sessions", "list", *option)
    assert ran.code == 2
    assert near in ran.err


def test_queries_are_masked(wn: Cli, idler: Session) -> None:
    assert "child@example.com" not in wn.run("sessions", "list", "--wide").out
    shown = wn.run("sessions", "list", "--show-queries")
    assert "SELECT 'child@example.com'" in shown.out
    assert "personal data" in shown.out


def test_hidden_is_not_idle_and_never_filtered_away(
    wn: Cli, server: Server, empty_db: str, idler: Session, role: str
) -> None:
    dsn = server.dsn(empty_db, role)
    for filters in ([], ["--state", "active"], ["--older-than", "1d"]):
        ran = wn.run("sessions", "list", "--format", "json", "--dsn", dsn, *filters)
        assert ran.code == 0, ran.err
        one = next(row for row in ran.json()["tables"]["sessions"] if row["pid"] == idler.backend_pid)
        assert (one["state"], one["hidden"], one["session"]) == ("hidden", True, None)
        assert any(f"GRANT pg_read_all_stats TO {role};" in note for note in ran.json()["notes"])
    assert "idle" not in wn.run("sessions", "list", "--dsn", dsn).out.split("note:")[0]
    with server.session() as session:
        session.run(f"GRANT pg_monitor TO {role}")
    seen = wn.run("sessions", "list", "--format", "json", "--dsn", dsn).json()
    assert not any(row["hidden"] for row in seen["tables"]["sessions"])
    assert seen["notes"] == []


def test_durations_as_they_are_typed() -> None:
    seconds = {"90": 90, "1h30m": 5400, "5min": 300, "250ms": 0.25, "2 d": 172800, "1.5s": 1.5}
    assert {text: words.duration(text, "--x").total_seconds() for text in seconds} == seconds


def test_hostile_application_names(wn: Cli, idler: Session) -> None:
    idler.run("SELECT set_config('application_name', E'| [red]x[/] \\x1b[31m', false)")
    out = wn.run("sessions", "list").out
    assert "| [red]x[/]" in out
    assert "\x1b" not in out
