"""The comparison sees every kind of change, and nothing that is only a major's way of saying it."""

from __future__ import annotations

import pytest

from tests.support import Server
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.catalog import KINDS, Catalog, capture
from wnadmin.domain.setup.compare import Difference, compare
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Json


def after(session: Session, bundle: Bundle, *changes: str) -> list[Difference]:
    """The differences while ``changes`` are made; they are taken back."""
    session.run("BEGIN")
    try:
        for change in changes:
            session.run(change)
        return compare(bundle.expected.catalog, capture(Database(session)))
    finally:
        session.run("ROLLBACK")


def told(found: list[Difference]) -> set[tuple[str, str, str]]:
    return {(one.kind, one.object, one.change if one.change != "different" else one.attribute) for one in found}


def test_a_set_up_database_is_as_expected(looking: Session, bundle: Bundle) -> None:
    actual = capture(Database(looking))
    assert compare(bundle.expected.catalog, actual) == []
    assert all(actual.objects[kind] for kind in KINDS if kind not in ("other", "setting"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("ALTER TABLE core.users ADD COLUMN shoe_size int",
         {("column", "core.users.shoe_size", "unexpected"), ("table", "core.users", "columns")}),
        ("ALTER TABLE core.users ALTER COLUMN first_name DROP NOT NULL",
         {("column", "core.users.first_name", "not_null")}),
        ("ALTER TABLE core.users ALTER COLUMN status SET DEFAULT 'suspended'",
         {("column", "core.users.status", "default")}),
        ("ALTER TABLE core.users DROP CONSTRAINT users_status_check",
         {("constraint", "core.users users_status_check", "missing")}),
        ("CREATE INDEX extra ON core.users (created_at)", {("index", "core.extra", "unexpected")}),
        ("ALTER TABLE core.users NO FORCE ROW LEVEL SECURITY", {("table", "core.users", "rls")}),
        ("DROP POLICY users_tenant ON core.users", {("policy", "core.users users_tenant", "missing")}),
        ("ALTER POLICY users_tenant ON core.users USING (true)", {("policy", "core.users users_tenant", "using")}),
        ("ALTER TABLE core.users DISABLE TRIGGER users_updated_at",
         {("trigger", "core.users users_updated_at", "enabled")}),
        ("DROP TRIGGER users_updated_at ON core.users", {("trigger", "core.users users_updated_at", "missing")}),
        ("COMMENT ON TABLE core.users IS NULL", {("table", "core.users", "comment")}),
        ("GRANT SELECT ON core.users TO wondernest_monitor",
         {("grant", "table core.users to wondernest_monitor", "unexpected")}),
        ("GRANT SELECT (email) ON core.users TO wondernest_analytics",
         {("grant", "column core.users.email to wondernest_analytics", "unexpected")}),
        ("REVOKE DELETE ON core.users FROM wondernest_rw",
         {("grant", "table core.users to wondernest_rw", "privileges")}),
        ("REVOKE DELETE ON core.users FROM wondernest_owner",
         {("grant", "table core.users to its owner", "unexpected")}),
        ("GRANT EXECUTE ON FUNCTION family.my_child_ids() TO PUBLIC",
         {("grant", "function family.my_child_ids() to PUBLIC", "unexpected")}),
        ("GRANT CREATE ON SCHEMA core TO wondernest_app", {("grant", "schema core to wondernest_app", "unexpected")}),
        ("ALTER FUNCTION family.my_child_ids() SECURITY INVOKER", {("function", "family.my_child_ids()", "security")}),
        ("ALTER FUNCTION family.my_child_ids() RESET search_path", {("function", "family.my_child_ids()", "settings")}),
        ("ALTER FUNCTION family.my_child_ids() OWNER TO postgres", {("function", "family.my_child_ids()", "owner")}),
        ("CREATE OR REPLACE FUNCTION core.touch_updated_at() RETURNS trigger LANGUAGE plpgsql"
         " SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
         {("function", "core.touch_updated_at()", "body")}),
        ("ALTER TYPE core.auth_provider ADD VALUE 'passkey'", {("type", "core.auth_provider", "labels")}),
        ("ALTER DOMAIN core.currency_code DROP CONSTRAINT currency_code_check",
         {("type", "core.currency_code", "checks")}),
        ("ALTER VIEW analytics.bi_milestones SET (security_invoker = false)",
         {("view", "analytics.bi_milestones", "options")}),
        ("CREATE SEQUENCE core.numbers",
         {("other", "sequence core.numbers", "unexpected")}),
        ("CREATE RULE quiet AS ON DELETE TO core.users DO INSTEAD NOTHING",
         {("other", "rule core.users quiet", "unexpected")}),
        ("DROP EXTENSION pgcrypto", {("extension", "pgcrypto", "missing")}),
        ("ALTER ROLE wondernest_app BYPASSRLS", {("role", "wondernest_app", "bypassrls")}),
        ("ALTER ROLE wondernest_app CONNECTION LIMIT 500", {("role", "wondernest_app", "connection_limit")}),
        ("REVOKE wondernest_rw FROM wondernest_app", {("membership", "wondernest_app in wondernest_rw", "missing")}),
        ("GRANT wondernest_rw TO wondernest_app WITH ADMIN OPTION",
         {("membership", "wondernest_app in wondernest_rw", "admin")}),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)  # fmt: skip
def test_every_change_is_seen(
    looking: Session, bundle: Bundle, change: str, expected: set[tuple[str, str, str]]
) -> None:
    ours = {one for one in told(after(looking, bundle, change)) if not _follows(one, change)}
    assert ours == expected


def _follows(one: tuple[str, str, str], change: str) -> bool:
    """A new owner or object brings privileges of its own along."""
    return one[0] == "grant" and ("OWNER TO" in change or change.startswith(("CREATE FUNCTION", "CREATE SEQUENCE")))


def test_settings_of_the_database_are_seen(looking: Session, bundle: Bundle) -> None:
    name = looking.dbname
    found = after(looking, bundle, f"ALTER DATABASE \"{name}\" SET work_mem = '1GB'")
    assert told(found) == {("setting", "everyone work_mem", "unexpected")}


def test_default_privileges_are_seen(looking: Session, bundle: Bundle) -> None:
    found = after(
        looking, bundle, "ALTER DEFAULT PRIVILEGES FOR ROLE wondernest_owner GRANT SELECT ON TABLES TO PUBLIC"
    )
    assert ("default privilege", "wondernest_owner tables to PUBLIC", "unexpected") in told(found)


@pytest.mark.parametrize(
    "change",
    [
        "SELECT admin.create_monthly_partition('content.engagement', '2040-01-01')",
        "CREATE SCHEMA reports CREATE TABLE monthly (a int)",
        "CREATE TABLE public.scratch (a int)",
        "CREATE ROLE wondernest_somebody LOGIN",
        "ALTER ROLE wondernest_app PASSWORD 'a long and unguessable one'",
        "CREATE EXTENSION pg_stat_statements SCHEMA extensions",
        "INSERT INTO content.categories (slug, name) VALUES ('x-test', 'x')",
        "ANALYZE core.users",
    ],
)
def test_what_is_no_difference(looking: Session, bundle: Bundle, change: str) -> None:
    prepare = () if "stat_statements" not in change else ("DROP EXTENSION IF EXISTS pg_stat_statements",)
    assert after(looking, bundle, *prepare, change) == []


def test_differences_can_be_filtered(looking: Session, bundle: Bundle) -> None:
    looking.run("BEGIN")
    try:
        looking.run("ALTER TABLE core.users ADD COLUMN shoe_size int")
        actual = capture(Database(looking))
    finally:
        looking.run("ROLLBACK")
    assert [one.kind for one in compare(bundle.expected.catalog, actual, kinds=("column",))] == ["column"]
    assert compare(bundle.expected.catalog, actual, keep=lambda one: one.kind == "role") == []


def test_a_difference_says_what_it_is() -> None:
    changed = Difference("column", "core.users.email", "not_null", True, False)
    assert str(changed) == "column core.users.email: not_null is false, expected true"
    assert str(Difference("table", "core.users", "", {"owner": "a"}, None)) == "table core.users: missing"
    assert str(Difference("table", "core.users", "", None, {"owner": "a"})) == "table core.users: unexpected"
    listed = Difference("policy", "p", "to", ["a", "b"], None)
    assert str(listed) == "policy p: to is not set, expected a, b"


def one(major: int, kind: str, name: str, **facts: Json) -> Catalog:
    return Catalog(major, {kind: {name: facts}})


def test_what_an_older_major_cannot_say_is_left_out() -> None:
    new = one(17, "grant", "table t to r", privileges="MAINTAIN, SELECT")
    assert compare(new, one(15, "grant", "table t to r", privileges="SELECT")) == []
    assert compare(new, one(17, "grant", "table t to r", privileges="SELECT")) != []
    assert compare(one(17, "grant", "table t to r", privileges="MAINTAIN*"), Catalog(16, {})) == []
    member = one(17, "membership", "a in b", admin=False, inherit=True, set=False)
    assert compare(member, one(15, "membership", "a in b", admin=False)) == []
    assert compare(member, one(16, "membership", "a in b", admin=False, inherit=True, set=True)) != []
    assert compare(one(17, "membership", "a in pg_maintain", admin=False), Catalog(16, {})) == []
    assert compare(one(17, "membership", "a in pg_maintain", admin=False), Catalog(18, {})) != []
    later = one(18, "membership", "a in pg_signal_autovacuum_worker", admin=False)
    assert compare(Catalog(17, {}), later) == []


def test_whoever_may_connect_sees_the_same_catalog(server: Server, db: str, bundle: Bundle) -> None:
    with server.session(db, "wondernest_monitor") as session:
        assert compare(bundle.expected.catalog, capture(Database(session))) == []
