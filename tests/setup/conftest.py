"""The files as they are now with all that is derived from them, and ways to run and to break a plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.setup.support import Setup, build_bundle, secure
from tests.support import Server
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.postgres.session import Session


@pytest.fixture(scope="session")
def bundle_folder(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 01 to 07, V001 and expected.json that fit together."""
    folder = tmp_path_factory.mktemp("bundle")
    build_bundle(server, template, folder)
    return folder


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    """The same, loaded."""
    from wnadmin.domain.setup import bundle as bundles

    return bundles.load(bundle_folder)


# A copy of a template has its objects, but not the privileges on the database itself: 07 grants them again.


@pytest.fixture(scope="session")
def db(server: Server, template: str, bundle: Bundle) -> Iterator[str]:
    """A set-up database for looking only, the privileges on the database included."""
    name = server.create(template)
    secure(server, name, bundle)
    yield name
    server.drop(name)


@pytest.fixture
def fresh_db(server: Server, template: str, bundle: Bundle) -> Iterator[str]:
    """A set-up database of one's own, the privileges on the database included."""
    name = server.create(template)
    secure(server, name, bundle)
    yield name
    server.drop(name)


@pytest.fixture
def setup(server: Server, bundle: Bundle) -> Setup:
    """`setup apply` on the tests' server."""
    return Setup(server, bundle)


@pytest.fixture
def mine(server: Server, fresh_db: str) -> Iterator[Session]:
    """A superuser in a set-up database of one's own."""
    with server.session(fresh_db) as session:
        yield session


@pytest.fixture
def looking(server: Server, db: str) -> Iterator[Session]:
    """A superuser in the database for looking only."""
    with server.session(db) as session:
        yield session
