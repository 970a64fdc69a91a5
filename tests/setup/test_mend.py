"""What drift gives as a statement mends the difference: it is run as given, and the next look finds nothing."""

from __future__ import annotations

import pytest

from tests.migrate.support import record_v001
from tests.setup.support import bad, secure
from tests.setup.test_drift import Look, look, run, ways
from tests.support import Server
from wnadmin.domain.setup import drift
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.migrations import bundled, find
from wnadmin.postgres.database import Database
from wnadmin.results import Finding

__all__ = ["look"]

CHILD = "family.child_profiles"

TABLES = (
    (f"ALTER TABLE {CHILD} ALTER COLUMN primary_language DROP DEFAULT", f"column {CHILD}.primary_language default"),
    (f"ALTER TABLE {CHILD} ALTER COLUMN first_name DROP NOT NULL", f"column {CHILD}.first_name not_null"),
    (f"ALTER TABLE {CHILD} ALTER COLUMN gender TYPE varchar(20)", f"column {CHILD}.gender type"),
    (f"ALTER TABLE {CHILD} DROP COLUMN restriction_reason", f"column {CHILD}.restriction_reason"),
    ("ALTER TABLE family.families RENAME COLUMN timezone TO zone", "column family.families.timezone"),
    (
        "ALTER TABLE core.users ALTER COLUMN email SET STATISTICS 500",
        "beside planner setting of column core.users.email",
    ),
    (
        "ALTER TABLE core.users ALTER COLUMN first_name SET STORAGE external, ALTER first_name SET (n_distinct = 5)",
        "beside planner setting of column core.users.first_name",
    ),
    ("ALTER TABLE content.items SET (fillfactor = 70)", "table content.items options"),
    ("ALTER TABLE content.creators REPLICA IDENTITY FULL", "table content.creators replica_identity"),
    ("ALTER TABLE content.categories OWNER TO postgres", "table content.categories owner"),
    ("ALTER TABLE core.user_devices DISABLE ROW LEVEL SECURITY", "table core.user_devices rls"),
    ("ALTER TABLE family.child_notes RENAME TO notes_of_children", "table family.child_notes"),
    ("DROP TABLE ml.child_features", "table ml.child_features"),
    (
        "ALTER TABLE family.families RENAME CONSTRAINT families_pkey TO families_key",
        "constraint family.families families_pkey",
    ),
    ("ALTER TABLE family.family_members DROP CONSTRAINT family_members_pkey", "index family.family_members_pkey"),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'family.idx_child_profiles_family_id'::regclass",
        "index family.idx_child_profiles_family_id invalid",
    ),
    ("CREATE TRIGGER surplus BEFORE UPDATE ON core.users FOR EACH ROW EXECUTE FUNCTION core.touch_updated_at()", ""),
    ("ALTER TABLE core.users ENABLE ALWAYS TRIGGER users_updated_at", "trigger core.users users_updated_at enabled"),
    ("CREATE RULE surplus AS ON DELETE TO content.creators DO INSTEAD NOTHING", "other rule content.creators surplus"),
    ("CREATE STATISTICS core.surplus ON first_name, timezone FROM core.users", "other statistics core.surplus"),
    ("CREATE SEQUENCE core.surplus_seq", "other sequence core.surplus_seq"),
)
CODE = (
    (
        "CREATE OR REPLACE FUNCTION core.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NEW; END'",
        "function core.touch_updated_at() body",
    ),
    (
        "ALTER FUNCTION core.is_trusted_caller() VOLATILE PARALLEL UNSAFE COST 7",
        "function core.is_trusted_caller() cost",
    ),
    ("ALTER FUNCTION core.cleanup_expired_sessions() STRICT", "function core.cleanup_expired_sessions() strict"),
    ("ALTER FUNCTION core.cleanup_expired_sessions() OWNER TO postgres", ""),
    ("DROP FUNCTION core.decrypt_text", "function core.decrypt_text(bytea, text)"),
    ("CREATE FUNCTION core.surplus() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function core.surplus()"),
    ("DROP MATERIALIZED VIEW analytics.platform_daily CASCADE", "view analytics.platform_daily"),
    ("ALTER VIEW analytics.bi_milestones SET (security_barrier = true)", "view analytics.bi_milestones options"),
    ("DROP VIEW analytics.bi_subscriptions", "view analytics.bi_subscriptions"),
    (
        "CREATE OR REPLACE VIEW admin.trigger_monitoring AS SELECT * FROM admin.trigger_monitoring LIMIT 1",
        "view admin.trigger_monitoring definition",
    ),
    ("CREATE VIEW core.surplus_view AS SELECT core.surplus() AS one", "view core.surplus_view"),
    ("ALTER TYPE core.auth_provider RENAME VALUE 'email' TO 'mail'", "type core.auth_provider labels"),
    ("ALTER DOMAIN core.language_tag SET DEFAULT 'x'", "type core.language_tag default"),
    ("ALTER DOMAIN core.language_tag ADD CONSTRAINT surplus CHECK (value <> 'zz')", "type core.language_tag checks"),
    ("CREATE TYPE core.surplus_pair AS (a int)", "type core.surplus_pair"),
    ("CREATE TYPE core.surplus_range AS RANGE (subtype = int4)", "type core.surplus_range"),
    ("CREATE DOMAIN core.surplus_domain AS int", "type core.surplus_domain"),
    ("COMMENT ON TABLE core.users IS 'it''s $$ changed'", "comment table core.users text"),
    ("COMMENT ON COLUMN core.users.email IS NULL", "comment column core.users.email"),
    ("COMMENT ON FUNCTION core.touch_updated_at() IS 'x'", "comment function core.touch_updated_at() text"),
    ("COMMENT ON POLICY users_owner ON core.users IS 'x'", "comment policy core.users users_owner"),
    ("COMMENT ON MATERIALIZED VIEW analytics.content_popularity IS 'x'", ""),
)
RIGHTS = (
    (f"GRANT SELECT ON {CHILD} TO PUBLIC", f"grant table {CHILD} to PUBLIC"),
    (f"REVOKE ALL ON {CHILD} FROM wondernest_owner", f"grant table {CHILD} to its owner"),
    (
        "GRANT SELECT ON content.items TO wondernest_ro WITH GRANT OPTION",
        "grant table content.items to wondernest_ro privileges",
    ),
    ("GRANT SELECT (email) ON core.users TO wondernest_monitor", "grant column core.users.email to wondernest_monitor"),
    ("REVOKE USAGE ON SCHEMA family FROM wondernest_rw", "grant schema family to wondernest_rw"),
    ("ALTER SCHEMA ml OWNER TO postgres", "schema ml owner"),
    ("REVOKE USAGE ON TYPE core.auth_provider FROM PUBLIC", "grant type core.auth_provider to PUBLIC"),
    ("REVOKE CONNECT ON DATABASE {database} FROM wondernest_app", "grant database to wondernest_app"),
    (
        "DROP POLICY child_profiles_context ON family.child_profiles; CREATE POLICY child_profiles_context"
        " ON family.child_profiles TO wondernest_ro USING (true)",
        "policy family.child_profiles child_profiles_context kind",
    ),
    (
        "ALTER POLICY child_profiles_tenant ON family.child_profiles TO PUBLIC",
        f"policy {CHILD} child_profiles_tenant to",
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE wondernest_owner IN SCHEMA family GRANT ALL ON TABLES TO wondernest_app",
        "default privilege wondernest_owner tables in family to wondernest_app",
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE wondernest_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        "default privilege wondernest_owner functions to wondernest_owner",
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA family GRANT SELECT ON TABLES TO PUBLIC",
        "beside default privilege postgres tables in family to PUBLIC",
    ),
    ("ALTER DATABASE {database} SET work_mem = '7MB'", "setting everyone work_mem"),
    (
        "ALTER DATABASE {database} SET default_transaction_read_only = on",
        "setting everyone default_transaction_read_only",
    ),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "beside right to create in schema public to PUBLIC"),
    ("GRANT ALL ON public.flyway_schema_history TO wondernest_app", ""),
    ("ALTER EXTENSION pgcrypto SET SCHEMA public", "extension pgcrypto schema"),
    ("CREATE EXTENSION hstore", "beside extension hstore"),
    (
        "CREATE FUNCTION public.surplus() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "beside function public.surplus()",
    ),
    (
        "CREATE EVENT TRIGGER surplus ON ddl_command_end EXECUTE FUNCTION public.surplus()",
        "beside event trigger surplus",
    ),
    ("CREATE PUBLICATION surplus FOR TABLE family.child_profiles", "beside publication surplus"),
    ('CREATE FOREIGN DATA WRAPPER "sur plus"', "beside foreign data wrapper sur plus"),
    ("CREATE CAST (core.auth_provider AS int) WITH INOUT", "beside cast core.auth_provider as integer"),
    ("CREATE OPERATOR public.=== (leftarg = int, rightarg = int, function = int4eq)", ""),
    ('CREATE COLLATION public.surplus FROM "C"', "beside collation public.surplus"),
)


def statements(found: list[Finding]) -> list[str]:
    """What is given as statements, in the order of the findings."""
    return [one.remediation for one in found if one.remediation.endswith(";")]


@pytest.mark.parametrize("changes", [TABLES, CODE, RIGHTS], ids=["tables", "code", "rights"])
def test_what_is_given_mends(look: Look, server: Server, fresh_db: str, changes: tuple[tuple[str, str], ...]) -> None:
    record_v001(server, fresh_db)
    assert bad(look(fresh_db).findings) == []
    with server.session(fresh_db) as session:
        for statement, _ in changes:
            made = session.script(statement.replace("{database}", f'"{fresh_db}"'))
            assert made.error is None, (statement, made.error)
    seen = bad(look(fresh_db).findings)
    names = {one.object for one in seen}
    assert {name for _, name in changes if name} <= names
    # Whatever is not a statement follows from one that is.
    assert {one.remediation.partition(" with ")[0] for one in seen if not one.remediation.endswith(";")} <= {"it goes"}
    with server.session(fresh_db) as session:
        for statement in statements(seen):
            result = session.script(statement)
            assert result.error is None, (statement, result.error)
    left = bad(look(fresh_db).findings)
    assert [(one.object, one.detail, one.remediation) for one in left] == []


def test_what_loses_rows_is_never_a_statement(look: Look, server: Server, fresh_db: str) -> None:
    run(
        server,
        fresh_db,
        "CREATE TABLE family.surplus (id int PRIMARY KEY)",
        "CREATE TABLE public.surplus (id int)",
        "CREATE MATERIALIZED VIEW public.surplus_view AS SELECT 1 AS one",
        "CREATE SCHEMA surplus CREATE TABLE deep (id int)",
        f"ALTER TABLE {CHILD} ADD COLUMN surplus text",
        "ALTER TYPE core.auth_provider ADD VALUE 'surplus'",
        'CREATE TABLE core."odd name" (id int)',
    )
    seen = bad(look(fresh_db).findings)
    assert len(seen) >= 9
    assert statements(seen) == []
    assert {one.severity for one in seen if "labels" not in one.object} == {"warn"}


def test_a_schema_under_another_name_is_named_back(look: Look, server: Server, fresh_db: str) -> None:
    run(server, fresh_db, "ALTER SCHEMA ml RENAME TO models")
    seen = bad(look(fresh_db).findings)
    assert seen[0].object == "schema ml"
    assert statements([one for one in seen if one.object == "schema ml"]) == ["ALTER SCHEMA models RENAME TO ml;"]
    run(server, fresh_db, "ALTER SCHEMA models RENAME TO ml")
    assert bad(look(fresh_db).findings) == []


def test_the_order_of_columns_is_a_remark(look: Look, server: Server, fresh_db: str) -> None:
    run(
        server,
        fresh_db,
        "ALTER TABLE family.families RENAME COLUMN legal_hold TO was",
        "ALTER TABLE family.families ADD COLUMN legal_hold boolean NOT NULL DEFAULT false",
        "COMMENT ON COLUMN family.families.legal_hold IS 'x'",
        "ALTER TABLE family.families DROP COLUMN was CASCADE",
    )
    for statement in statements(bad(look(fresh_db).findings)):
        with server.session(fresh_db) as session:
            assert session.script(statement).error is None, statement
    seen = look(fresh_db)
    assert bad(seen.findings) == []
    assert any(note.startswith("the columns of family.families are in another order") for note in seen.notes)


def test_roles_are_mended(fresh_server: Server, bundle: Bundle) -> None:
    name = fresh_server.create("wondernest_template")
    secure(fresh_server, name, bundle)

    def seen() -> list[Finding]:
        with fresh_server.session(name) as session:
            return bad(drift.drift(Database(session), find((bundled(),)), ways(fresh_server), "auto", bundle).findings)

    assert seen() == []
    run(
        fresh_server,
        name,
        "ALTER ROLE wondernest_app SUPERUSER NOINHERIT",
        "ALTER ROLE wondernest_app SET statement_timeout = '1h'",
        "ALTER ROLE wondernest_analytics RESET ALL",
        "ALTER ROLE wondernest_monitor SET search_path = core, public",
        "GRANT wondernest_rw TO wondernest_app WITH ADMIN OPTION",
        "GRANT wondernest_owner TO wondernest_app",
        "REVOKE wondernest_ro FROM wondernest_analytics",
    )
    found = seen()
    assert {"role wondernest_app settings", "membership wondernest_app in wondernest_rw admin"} <= {
        one.object for one in found
    }
    with fresh_server.session(name) as session:
        for statement in statements(found):
            assert session.script(statement).error is None, statement
    assert [(one.object, one.remediation) for one in seen()] == []
