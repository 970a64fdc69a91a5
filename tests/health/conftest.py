"""Fixtures of `health run`: a server of its own with few slots, and wnadmin looking at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.health.support import DB, FOR_MONITORS, FOR_SUPERUSERS, MONITOR, ORDINARY, SLOTS, Health
from tests.support import Cli, Ran, Server, end_server, install, start_server


@pytest.fixture(scope="session")
def place() -> Iterator[Server]:
    """A server of its own with few slots, the database, and two logins without any privilege."""
    slots = {
        "max_connections": str(SLOTS),
        "superuser_reserved_connections": str(FOR_SUPERUSERS),
        "reserved_connections": str(FOR_MONITORS),
    }
    one = start_server("traps", slots)
    try:
        with one.session() as session:
            session.run(f"CREATE DATABASE {DB} TEMPLATE template0 ENCODING 'UTF8'")
        install(one, DB, samples=False)
        with one.session() as session:
            for role in (ORDINARY, MONITOR):
                session.run(f"CREATE ROLE {role} LOGIN")
                session.run(f"GRANT CONNECT ON DATABASE {DB} TO {role}")
            session.run(f"GRANT pg_monitor, pg_use_reserved_connections TO {MONITOR}")
        yield one
    finally:
        end_server(one)


@pytest.fixture
def health(place: Server, cli: Cli) -> Health:
    """``health run`` on that server, as superuser unless another ``user`` is named."""

    def run(*words: str, user: str = "postgres", dbname: str = DB, dsn: str = "") -> Ran:
        where = () if "-p" in words else ("--dsn", dsn or place.dsn(dbname, user))
        ran = cli.run("health", "run", *words, *where)
        assert "internal error" not in ran.err, ran.err
        return ran

    return run


@pytest.fixture
def copied(place: Server) -> Iterator[str]:
    """A copy of the database, to be spoiled."""
    name = place.create(DB)
    yield name
    place.drop(name)
