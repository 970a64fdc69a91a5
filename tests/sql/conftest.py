"""Two ordinary households and a sample one, in a database that several tests look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.sql.support import Household, make_household
from tests.support import Server
from wnadmin.postgres.session import Session


@pytest.fixture(scope="session")
def street(server: Server, template: str) -> Iterator[tuple[str, Mapping[str, Household]]]:
    """A database with the households "a", "b" and "sample"; tests roll back what they change."""
    name = server.create(template)
    with server.session(name) as session:
        houses = {kind: make_household(session, kind, sample=kind == "sample") for kind in ("a", "b", "sample")}
    yield name, houses
    server.drop(name)


@pytest.fixture
def root(server: Server, street: tuple[str, Mapping[str, Household]]) -> Iterator[Session]:
    """A superuser in the database of the households."""
    with server.session(street[0]) as session:
        yield session


@pytest.fixture
def looking(server: Server, db: str) -> Iterator[Session]:
    """A superuser in the database for looking only."""
    with server.session(db) as session:
        yield session
