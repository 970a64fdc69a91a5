"""Empty, complete, partial or foreign, and what is said about it."""

from __future__ import annotations

import pytest

from tests.setup.support import Setup
from tests.support import Server
from wnadmin.domain.setup import flyway
from wnadmin.errors import Refused


def prepare(server: Server, database: str, *statements: str) -> None:
    with server.session(database) as session:
        for statement in statements:
            session.run(statement)


def history(
    server: Server, database: str, *rows: tuple[str | None, str, bool], kind: str = "SQL", sum_: int = 0
) -> None:
    """Make a history with (version, description, success) rows."""
    with server.session(database) as session:
        for statement in flyway.DDL:
            session.run(statement)
        for rank, (version, description, success) in enumerate(rows, 1):
            session.run(
                "INSERT INTO public.flyway_schema_history (installed_rank, version, description, type, script,"
                " checksum, installed_by, execution_time, success) VALUES (%s, %s, %s, %s, 's', %s, 'x', 1, %s)",
                [rank, version, description, kind, sum_, success],
            )


@pytest.mark.parametrize(
    "statements",
    [
        (),
        ("CREATE SCHEMA extensions", "CREATE EXTENSION pgcrypto SCHEMA extensions"),
        ("CREATE EXTENSION pg_stat_statements SCHEMA public",),
        ("CREATE EXTENSION hstore", "COMMENT ON SCHEMA public IS 'x'"),
    ],
)
def test_empty(setup: Setup, server: Server, empty_db: str, statements: tuple[str, ...]) -> None:
    prepare(server, empty_db, *statements)
    assert setup.classify(empty_db).kind == "empty"


def test_an_empty_history_is_no_obstacle(setup: Setup, server: Server, empty_db: str) -> None:
    history(server, empty_db)
    found = setup.classify(empty_db)
    assert (found.kind, found.history) == ("empty", ())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TABLE public.orders (id int)", "table public.orders"),
        ("CREATE SCHEMA shop", "schema shop"),
        ("CREATE VIEW public.v AS SELECT 1", "view public.v"),
        ("CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f(integer)"),
        ("CREATE TYPE public.mood AS ENUM ('good')", "type public.mood"),
        ("CREATE SEQUENCE public.s", "sequence public.s"),
        ("CREATE SCHEMA core CREATE TABLE core.invoices (id int)", "core.invoices"),
        ("CREATE SCHEMA audit CREATE VIEW audit.changes AS SELECT 1", "audit.changes"),
    ],
)
def test_foreign(setup: Setup, server: Server, empty_db: str, statement: str, said: str) -> None:
    prepare(server, empty_db, statement)
    found = setup.classify(empty_db)
    assert found.kind == "foreign"
    assert said in " ".join(found.found)
    with pytest.raises(Refused) as caught:
        setup.plan(empty_db)
    assert said in caught.value.why
    assert "belongs to something else" in caught.value.what


def test_the_history_of_another_application_is_foreign(setup: Setup, server: Server, empty_db: str) -> None:
    history(server, empty_db, ("1", "create shop", True))
    assert setup.classify(empty_db).kind == "foreign"


def test_complete(setup: Setup, server: Server, fresh_db: str) -> None:
    history(server, fresh_db, ("001", "initial schema", True))
    found = setup.classify(fresh_db)
    assert (found.kind, found.recorded, found.migrated, found.differences) == ("complete", True, False, ())
    plan = setup.plan(fresh_db)
    assert (plan.steps, plan.nothing) == ((), f"{fresh_db} is complete. Nothing to do.")


def test_complete_without_a_history_says_so(setup: Setup, fresh_db: str) -> None:
    found = setup.classify(fresh_db)
    assert (found.kind, found.recorded) == ("complete", False)
    assert "its migration history does not hold V001" in setup.plan(fresh_db).nothing


@pytest.mark.parametrize("version", ["1", "001", "1.0"])
def test_any_spelling_of_the_version_counts(setup: Setup, server: Server, fresh_db: str, version: str) -> None:
    history(server, fresh_db, (version, "initial schema", True))
    assert setup.classify(fresh_db).recorded


def test_a_migrated_database_is_complete_and_not_compared(setup: Setup, server: Server, fresh_db: str) -> None:
    history(server, fresh_db, ("001", "initial schema", True), ("002", "add field", True), (None, "views", True))
    prepare(server, fresh_db, "DROP TABLE ml.recommendations", "ALTER TABLE core.users ADD COLUMN nickname text")
    found = setup.classify(fresh_db)
    assert (found.kind, found.migrated) == ("complete", True)
    assert "at migration 002" in setup.plan(fresh_db).nothing


def test_drift_leaves_it_complete(setup: Setup, server: Server, fresh_db: str) -> None:
    history(server, fresh_db, ("001", "initial schema", True))
    prepare(
        server,
        fresh_db,
        "DROP INDEX content.idx_engagement_item_id_started_at",
        "CREATE TABLE public.scratch (id int)",
        "COMMENT ON TABLE core.users IS NULL",
    )
    found = setup.classify(fresh_db)
    assert found.kind == "complete"
    assert "2 facts have changed" in setup.plan(fresh_db).nothing


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP SCHEMA ml CASCADE", "schemas missing: ml"),
        ("DROP TABLE ml.recommendations", "ml.recommendations"),
        ("DROP POLICY users_tenant ON core.users", "policy core.users users_tenant"),
        ("DROP FUNCTION core.find_login(text)", "function core.find_login(text)"),
        ("DROP TRIGGER users_updated_at ON core.users", "trigger core.users users_updated_at"),
        ("ALTER TABLE core.users DROP COLUMN locale", "column core.users.locale"),
    ],
)
@pytest.mark.parametrize("recorded", [True, False])
def test_partial(setup: Setup, server: Server, fresh_db: str, statement: str, said: str, recorded: bool) -> None:
    if recorded:
        history(server, fresh_db, ("001", "initial schema", True))
    prepare(server, fresh_db, statement)
    found = setup.classify(fresh_db)
    assert found.kind == "partial"
    assert said in " ".join(found.found)
    with pytest.raises(Refused) as caught:
        setup.plan(fresh_db)
    assert "half-made" in caught.value.what
    assert said in caught.value.why


@pytest.mark.parametrize("count", range(1, 7))
def test_half_of_the_files_is_partial(setup: Setup, server: Server, empty_db: str, count: int) -> None:
    with server.session(empty_db) as session:
        for file in setup.bundle.files[:count]:
            assert session.script(file.text).error is None
    assert setup.classify(empty_db).kind == "partial"


def test_empty_schemas_are_partial(setup: Setup, server: Server, empty_db: str) -> None:
    prepare(server, empty_db, "CREATE SCHEMA core", "CREATE SCHEMA audit")
    found = setup.classify(empty_db)
    assert (found.kind, found.present) == ("partial", ("core", "audit"))


def test_a_failed_v001_is_partial(setup: Setup, server: Server, fresh_db: str) -> None:
    history(server, fresh_db, ("001", "initial schema", False))
    assert setup.classify(fresh_db).kind == "partial"


def test_a_history_without_its_schemas_is_partial(setup: Setup, server: Server, empty_db: str) -> None:
    history(server, empty_db, ("001", "initial schema", True))
    assert setup.classify(empty_db).kind == "partial"
