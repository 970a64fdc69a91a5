"""What stands beside the ten schemas, and comments: read from the files and from the database alike."""

from __future__ import annotations

from tests.setup.test_drift import run
from tests.support import Server
from wnadmin.domain.setup import beside
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.catalog import Catalog
from wnadmin.domain.setup.compare import compare
from wnadmin.postgres.database import Database


def test_the_files_say_what_the_database_has(server: Server, db: str, bundle: Bundle) -> None:
    written = beside.written(bundle)
    with server.session(db) as session:
        there = beside.look(Database(session))
    assert there.things == {}
    assert len(written.comments) > 500
    assert list(beside.differ(written, there)) == []


def test_what_extensions_bring_does_not_count(server: Server, fresh_db: str) -> None:
    run(server, fresh_db, "CREATE EXTENSION hstore", "CREATE EXTENSION citext SCHEMA core")
    with server.session(fresh_db) as session:
        there = beside.look(Database(session))
    assert sorted(there.things) == ["extension citext", "extension hstore"]


def test_an_owner_without_any_privilege_is_a_fact_on_every_major() -> None:
    def catalog(major: int, **grants: str) -> Catalog:
        return Catalog(major, {"grant": {name: {"privileges": text} for name, text in grants.items()}})

    for major in (15, 18):
        (one,) = compare(catalog(15), catalog(major, own=""))
        assert (one.object, one.change) == ("own", "unexpected")
    # What is nothing but MAINTAIN is nothing to an older one.
    assert compare(catalog(15), catalog(18, other="MAINTAIN")) == []
