"""Who may do what: the catalog against the manifest and against the promise of each role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sql.support import APPLICATION, GROUPS, LOGINS, SCHEMAS, column, manifest
from tests.support import Server, install
from wnadmin.postgres.session import Session

MEMBERSHIPS = {
    ("wondernest_rw", "wondernest_app"),
    ("wondernest_ro", "wondernest_app"),
    ("wondernest_owner", "wondernest_migration"),
    ("pg_read_all_data", "wondernest_backup"),
    ("pg_monitor", "wondernest_monitor"),
    ("pg_monitor", "wondernest_operator"),
    ("pg_signal_backend", "wondernest_operator"),
}


@pytest.fixture(scope="module")
def made(server: Server) -> Iterator[Session]:
    """A database set up for itself: a copy of a template would not have its privileges on the database."""
    name = server.create()
    install(server, name, months=0, samples=False)
    with server.session(name) as session:
        yield session
    server.drop(name)


def test_roles_have_their_attributes_and_no_password(made: Session) -> None:
    rows = made.run(
        "SELECT rolname, rolcanlogin, rolconnlimit, rolreplication, rolbypassrls, rolpassword IS NULL,"
        " rolsuper OR rolcreaterole OR rolcreatedb FROM pg_authid WHERE rolname LIKE 'wondernest\\_%' ORDER BY 1"
    ).rows
    limits = {"app": 50, "analytics": 10, "migration": 5, "backup": 3, "monitor": 5}
    expected = [
        (f"wondernest_{name}", name in LOGINS, limits.get(name, -1), name == "backup",
         name in ("backup", "definer"), True, False)
        for name in sorted((*LOGINS, *GROUPS))
    ]  # fmt: skip
    assert list(rows) == expected


def test_memberships_are_exactly_these(made: Session) -> None:
    rows = made.run(
        "SELECT g.rolname, m.rolname, a.admin_option FROM pg_auth_members AS a"
        " JOIN pg_roles AS g ON g.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member"
        " WHERE m.rolname LIKE 'wondernest\\_%' OR g.rolname LIKE 'wondernest\\_%'"
    ).rows
    wanted = set(MEMBERSHIPS)
    if made.version >= 170000:
        wanted.add(("pg_maintain", "wondernest_operator"))
    if made.version >= 180000:
        wanted.add(("pg_signal_autovacuum_worker", "wondernest_operator"))
    assert {(group, member) for group, member, _ in rows} == wanted
    assert not any(admin for *_, admin in rows)


def test_analytics_and_worker_read_the_columns_of_the_manifest(made: Session) -> None:
    withheld = manifest()["classes"]["withheld"]
    expected = {
        (table, name)
        for table, facts in manifest()["table"].items()
        if "kind" not in facts and not facts.get("optional")
        for name, one in facts["column"].items()
        if one["class"] not in withheld
    }
    for role in ("wondernest_analytics", "wondernest_worker"):
        granted = set(
            made.run(
                "SELECT a.attrelid::regclass::text, a.attname FROM pg_attribute AS a, aclexplode(a.attacl) AS x"
                " WHERE x.grantee = %s::regrole AND x.privilege_type = 'SELECT'",
                [role],
            ).rows
        )
        assert granted == expected
        other = column(made, "SELECT 1 FROM pg_attribute AS a, aclexplode(a.attacl) AS x"
                       " WHERE x.grantee = %s::regrole AND x.privilege_type <> 'SELECT'", role)  # fmt: skip
        assert other == []
    tables = column(
        made,
        "SELECT c.oid::regclass::text FROM pg_class AS c, aclexplode(c.relacl) AS x"
        " WHERE x.grantee = 'wondernest_analytics'::regrole ORDER BY 1",
    )
    assert tables == [
        "analytics.bi_content_monthly", "analytics.bi_daily_activity", "analytics.bi_milestones",
        "analytics.bi_subscriptions",
    ]  # fmt: skip


def test_nobody_reads_who_somebody_is_but_the_application(made: Session) -> None:
    """No role except the application, backup, the owners and the functions' owner reads a withheld column."""
    withheld = manifest()["classes"]["withheld"]
    readers = column(
        made,
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wondernest\\_%%' AND NOT rolname = ANY (%s)",
        [f"wondernest_{name}" for name in ("app", "ro", "backup", "owner", "migration", "definer")],
    )
    assert len(readers) == 8
    leaks = []
    for table, facts in manifest()["table"].items():
        if facts["subject"] == "none" or facts.get("kind") or table.startswith("audit."):
            continue
        for name, one in facts["column"].items():
            if one["class"] in withheld:
                leaks += column(
                    made,
                    "SELECT r || ' ' || %s || '.' || %s FROM unnest(%s::text[]) AS r"
                    " WHERE has_column_privilege(r, %s, %s, 'SELECT')",
                    table, name, readers, table, name,
                )  # fmt: skip
    assert leaks == []


def test_the_application_has_crud_on_its_schemas_and_no_more(made: Session) -> None:
    rows = made.run(
        "SELECT c.relnamespace::regnamespace::text AS s, c.oid::regclass::text AS t, array("
        " SELECT p FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) AS p"
        " WHERE has_table_privilege('wondernest_app', c.oid, p)) FROM pg_class AS c"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace::regnamespace::text = ANY (%s)",
        [list(SCHEMAS)],
    ).rows
    read = {"audit.activity_log", "audit.data_retention_policies"}
    for schema, table, privileges in rows:
        if schema in APPLICATION:
            assert privileges == ["SELECT", "INSERT", "UPDATE", "DELETE"], table
        else:
            assert privileges == (["SELECT"] if table in read else []), table
    writes = made.scalar(
        "SELECT count(*) FROM pg_class AS c, aclexplode(c.relacl) AS x WHERE x.grantee = 'wondernest_ro'::regrole"
        " AND x.privilege_type <> 'SELECT'"
    )
    assert writes == 0


def test_public_has_nothing(made: Session) -> None:
    found = column(
        made,
        "SELECT 'table ' || c.oid::regclass FROM pg_class AS c, aclexplode(c.relacl) AS x"
        " WHERE x.grantee = 0 AND c.relnamespace::regnamespace::text = ANY (%s)"
        " UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc AS p,"
        " aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS x"
        " WHERE x.grantee = 0 AND p.pronamespace::regnamespace::text = ANY (%s)"
        " UNION ALL SELECT 'schema ' || n.nspname FROM pg_namespace AS n,"
        " aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS x"
        " WHERE x.grantee = 0 AND (n.nspname = ANY (%s) OR n.nspname = 'extensions')"
        " UNION ALL SELECT 'create in public' FROM pg_namespace AS n,"
        " aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS x"
        " WHERE x.grantee = 0 AND n.nspname = 'public' AND x.privilege_type = 'CREATE'"
        " UNION ALL SELECT 'database ' || x.privilege_type FROM pg_database AS d,"
        " aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS x"
        " WHERE x.grantee = 0 AND d.datname = current_database()",
        list(SCHEMAS), list(SCHEMAS), list(SCHEMAS),
    )  # fmt: skip
    assert found == []


def test_a_new_function_of_a_migration_is_not_public(made: Session) -> None:
    for role in ("wondernest_owner", "wondernest_definer"):
        with made.transaction():
            made.run("GRANT CREATE ON SCHEMA core TO wondernest_definer")
            made.run(f"SET LOCAL ROLE {role}")
            made.run("CREATE FUNCTION core.later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            made.run("RESET ROLE")
            assert made.scalar("SELECT has_function_privilege('wondernest_app', 'core.later()', 'EXECUTE')") is False
            made.run("DROP FUNCTION core.later()")
            made.run("REVOKE CREATE ON SCHEMA core FROM wondernest_definer")


def test_owners(made: Session) -> None:
    rows = made.run(
        "SELECT CASE c.relkind WHEN 'm' THEN 'm' ELSE 'r' END, c.oid::regclass::text, pg_get_userbyid(c.relowner)"
        " FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')"
        " AND c.relnamespace::regnamespace::text = ANY (%s)",
        [list(SCHEMAS)],
    ).rows
    ledger = {"audit.operator_ledger", "audit.ledger_checkpoints"}
    for kind, name, owner in rows:
        expected = "audit_owner" if name in ledger else "definer" if kind == "m" else "owner"
        assert owner == f"wondernest_{expected}", name
    schemas = made.run("SELECT DISTINCT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ANY (%s)",
                       [[*SCHEMAS, "extensions"]]).rows  # fmt: skip
    assert schemas == (("wondernest_owner",),)


def test_definer_functions_are_pinned_owned_and_private(made: Session) -> None:
    rows = made.run(
        "SELECT p.oid::regprocedure::text, p.prosecdef, pg_get_userbyid(p.proowner), p.proconfig,"
        " p.prorettype = 'trigger'::regtype, array(SELECT x.grantee::regrole::text FROM aclexplode(p.proacl) AS x"
        " WHERE x.grantee <> p.proowner ORDER BY 1) FROM pg_proc AS p"
        " WHERE p.pronamespace::regnamespace::text = ANY (%s)",
        [list(SCHEMAS)],
    ).rows
    assert len(rows) > 60
    for name, definer, owner, config, is_trigger, grantees in rows:
        if definer:
            assert "search_path=pg_catalog, pg_temp" in config, name
            assert owner == ("wondernest_audit_owner" if ".ledger_" in name else "wondernest_definer"), name
        elif name == "audit.refuse_ledger_change()":
            assert owner == "wondernest_audit_owner"
        else:
            assert owner == "wondernest_owner", name
        if is_trigger:
            # Attaching a partition makes its triggers anew, as the owner of the tables.
            assert grantees == (["wondernest_owner"] if owner == "wondernest_definer" else []), name
        elif owner == "wondernest_owner" and name.startswith("admin."):
            assert set(grantees) <= {"wondernest_monitor", "wondernest_operator", "wondernest_compliance"}, name
        else:
            assert grantees, f"nobody may call {name}"


def test_context_free_functions_are_only_these(made: Session) -> None:
    """A definer that the application may call, takes no context and asks nobody's leave."""
    free = column(
        made,
        "SELECT p.oid::regproc::text FROM pg_proc AS p WHERE p.prosecdef"
        " AND p.pronamespace::regnamespace::text = ANY (%s)"
        " AND has_function_privilege('wondernest_app', p.oid, 'EXECUTE')"
        " AND p.prosrc !~ '(require_(user_context|child_access|family_access)|current_app_user_id|is_trusted_caller)'"
        " ORDER BY 1",
        list(SCHEMAS),
    )
    assert free == [
        "analytics.get_content_popularity", "analytics.get_platform_daily", "core.complete_password_reset",
        "core.create_user", "core.find_login", "core.find_session", "core.request_password_reset",
        "subscription.apply_payment_webhook",
    ]  # fmt: skip


def test_monitor_reads_statistics_and_totals(server: Server, made: Session) -> None:
    with server.session(made.dbname, "wondernest_monitor", row_security="on") as session:
        assert session.scalar("SELECT total >= 0 FROM admin.subject_totals() WHERE what = 'users'") is True
        assert "unknown" not in column(session, "SELECT status FROM admin.get_db_health_metrics()")
        query = "SELECT check_name, max(status) FROM admin.validate_security_config() GROUP BY 1"
        checks = {name: status for name, status in session.run(query).rows}
        assert checks["password_hashes"] == "unknown"
        assert {name for name, status in checks.items() if status == "fail"} == set()
        assert session.scalar("SELECT count(*) > 50 FROM admin.index_usage_stats") is True
        assert session.scalar("SELECT count(*) > 50 FROM admin.trigger_monitoring") is True


def test_a_superuser_finds_no_fault(made: Session) -> None:
    rows = made.run("SELECT check_name, object FROM admin.validate_security_config() WHERE status = 'fail'").rows
    assert rows == ()


def test_no_materialized_view_is_granted(made: Session) -> None:
    views = column(made, "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'm' AND relnamespace ="
                   " 'analytics'::regnamespace")  # fmt: skip
    assert len(views) == 3
    for view in views:
        readers = column(made, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wondernest\\_%%'"
                         " AND has_table_privilege(oid, %s, 'SELECT') ORDER BY 1", view)  # fmt: skip
        # pg_read_all_data is what a dump needs.
        assert readers == ["wondernest_backup", "wondernest_definer"]
