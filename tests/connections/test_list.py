"""`connections list`: every limit with how full it is, also when no slot is left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import Cli, Server, end_server, start_server
from wnadmin.postgres.session import Session


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server with few slots: 12, of which 3 are for superusers and 2 reserved."""
    one = start_server("slots", {"max_connections": "12", "reserved_connections": "2"})
    with one.session() as session:
        session.run("CREATE ROLE app LOGIN")
        session.run("CREATE ROLE three LOGIN CONNECTION LIMIT 3")
        session.run("CREATE ROLE shut LOGIN CONNECTION LIMIT 0")
        session.run("CREATE DATABASE two CONNECTION LIMIT 2")
    yield one
    end_server(one)


@contextlib.contextmanager
def crowd(server: Server, many: int, user: str, dbname: str = "postgres") -> Iterator[list[Session]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.session(dbname, user)) for _ in range(many)]


def limits(wn: Cli, dsn: str) -> dict[tuple[str, str], dict[str, Any]]:
    ran = wn.run("connections", "list", "--format", "json", "--dsn", dsn)
    assert ran.code == 0, ran.err
    document = ran.json()
    assert document["schema"] == "wnadmin/connections-list/1"
    return {(one["scope"], one["name"]): one for one in document["tables"]["limits"]}


def test_a_role_at_its_limit_is_full_while_the_server_is_not(cli: Cli, small: Server) -> None:
    with crowd(small, 3, "three"):
        found = limits(cli, small.dsn())
        three = found["role", "three"]
        assert (three["used"], three["most"], three["share"]) == (3, 3, 100.0)
        assert three["remark"] == "full: the next login is refused"
        assert found["server", "ordinary logins"]["share"] < 100
        screen = cli.run("connections", "list", "--dsn", small.dsn(), "--format", "table", env={"COLUMNS": "80"})
        assert "100 %" in screen.out
        assert max(map(len, screen.out.splitlines())) <= 80
        refused = cli.run("connections", "list", "--dsn", small.dsn(user="three"))
        assert refused.code == 5
        assert "too many connections" in refused.err


def test_a_role_without_any_slot_is_full(cli: Cli, small: Server) -> None:
    one = limits(cli, small.dsn())["role", "shut"]
    assert (one["used"], one["most"], one["share"]) == (0, 0, 100.0)


def test_a_database_at_its_limit(cli: Cli, small: Server) -> None:
    with crowd(small, 2, "app", "two"):
        one = limits(cli, small.dsn())["database", "two"]
        assert (one["used"], one["most"], one["share"]) == (2, 2, 100.0)


def test_all_slots_taken(cli: Cli, small: Server) -> None:
    """Ordinary logins are out at 12 - 3 - 2; a superuser still looks, and so does a role for the reserved ones."""
    with crowd(small, 7, "app"):
        refused = cli.run("connections", "list", "--dsn", small.dsn(user="app"))
        assert refused.code == 5
        assert "log in as a role that may use the reserved ones" in refused.err
        found = limits(cli, small.dsn())
        ordinary = found["server", "ordinary logins"]
        # The look itself has a slot too, one of the reserved.
        assert (ordinary["used"], ordinary["most"]) == (8, 7)
        assert ordinary["share"] > 100
        assert found["server", "max_connections"]["most"] == 12
        for words in (["locks", "tree"], ["sessions", "list"]):
            assert cli.run(*words, "--dsn", small.dsn()).code == 0
        document = cli.run("connections", "list", "--format", "json", "--dsn", small.dsn()).json()
        assert document["next"] == "wnadmin sessions list --state idle"
        groups = {(one["role"], one["state"]): one["sessions"] for one in document["tables"]["groups"]}
        assert groups["app", "idle"] == 7


def test_background_processes_take_no_slot(cli: Cli, small: Server) -> None:
    assert limits(cli, small.dsn())["server", "max_connections"]["used"] == 1


def test_a_superuser_is_held_to_no_limit_of_its_own(cli: Cli, small: Server) -> None:
    with small.session() as session:
        session.run("CREATE ROLE boss LOGIN SUPERUSER CONNECTION LIMIT 1")
        try:
            with crowd(small, 2, "boss"):
                one = limits(cli, small.dsn())["role", "boss"]
                assert (one["used"], one["share"]) == (2, None)
                assert one["remark"] == "superuser: no limit holds it"
        finally:
            session.run("DROP ROLE boss")


def test_without_privileges_it_says_what_it_cannot_tell(cli: Cli, small: Server) -> None:
    with crowd(small, 2, "three"):
        ran = cli.run("connections", "list", "--format", "json", "--dsn", small.dsn(user="app"))
        document = ran.json()
        assert any("GRANT pg_read_all_stats TO app;" in note for note in document["notes"])
        states = {(one["role"], one["state"]) for one in document["tables"]["groups"]}
        assert ("three", "hidden") in states
        three = next(one for one in document["tables"]["limits"] if one["name"] == "three")
        assert three["used"] == 2, "who is connected is no secret"
    seen = cli.run("connections", "list", "--format", "json", "--dsn", small.dsn()).json()
    assert seen["notes"] == []
