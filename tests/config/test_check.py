"""`config check` on servers with good, bad, pending and hidden settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.support import Cli, Server, end_server, start_server
from wnadmin.domain.config import rules
from wnadmin.domain.config.values import Kind, parse, show
from wnadmin.errors import WnError

GOOD = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "autovacuum": "on",
    "log_temp_files": "10MB",
    "idle_in_transaction_session_timeout": "15min",
    "fsync": "on",
    "full_page_writes": "on",
}
PRODUCTION = {
    "log_connections": "on",
    "log_disconnections": "on",
    "archive_mode": "on",
    "archive_command": "test ! -f /nonexistent/%f && false # hunter2",
    "archive_timeout": "15min",
    "max_slot_wal_keep_size": "50GB",
}
BAD = {
    "shared_preload_libraries": "",
    "work_mem": "100kB",
    "log_statement": "mod",
    "log_parameter_max_length": "-1",
    "password_encryption": "md5",
    "idle_in_transaction_session_timeout": "0",
    "log_line_prefix": "%m ",
    "checkpoint_timeout": "1min",
    "autovacuum": "off",
    "track_counts": "off",
}


@pytest.fixture(scope="module")
def good() -> Iterator[Server]:
    one = start_server("good", {**GOOD, **PRODUCTION})
    with one.session() as session:
        session.run("CREATE ROLE wondernest_app LOGIN")
        session.run("ALTER ROLE wondernest_app SET statement_timeout = '30s'")
    yield one
    end_server(one)


@pytest.fixture(scope="module")
def bad() -> Iterator[Server]:
    one = start_server("bad", BAD)
    yield one
    end_server(one)


def run(cli: Cli, server: Server, *words: str, user: str = "postgres", code: int | None = None) -> dict[str, Any]:
    there = Cli(cli.folder, server.dsn("postgres", user), cli.extra)
    ran = there.run("config", "check", "--format", "json", *words)
    assert ran.code == code if code is not None else ran.code in (0, 3), ran.err
    return {one["id"]: one for one in ran.json()["findings"]}


def test_a_good_server(cli: Cli, good: Server) -> None:
    found = run(cli, good, code=0)
    assert {one["severity"] for one in found.values()} == {"ok", "skipped"}
    buffers = found["config.shared_buffers"]
    assert (buffers["measured"], buffers["threshold"], buffers["evidence"]) == ("256MB", "at least 256MB", "partial")
    assert "the machine's memory" in buffers["detail"]
    assert found["config.max_connections"]["measured"] == "200"
    assert "wnadmin.conf:" in found["config.max_connections"]["detail"]
    assert found["config.statement_timeout:wondernest_app"]["measured"] == "30s"
    assert found["config.statement_timeout:wondernest_analytics"]["severity"] == "skipped", "there is no such role"
    assert found["config.ssl"]["severity"] == "skipped", "this is no production profile"


def test_production_is_judged_by_more(cli: Cli, good: Server) -> None:
    settings = cli.folder / "wnadmin.toml"
    settings.write_text(f'[profiles.prod]\nprimary = "{good.dsn()}"\nproduction = true\n')
    wn = Cli(cli.folder, None, {"WNADMIN_CONFIG": str(settings)})
    ran = wn.run("config", "check", "--profile", "prod", "--format", "json")
    assert ran.code == 3
    found = {one["id"]: one for one in ran.json()["findings"]}
    assert found["config.ssl"]["severity"] == "critical"
    assert found["config.ssl"]["remediation"].endswith("then: ALTER SYSTEM SET ssl = 'on'; SELECT pg_reload_conf();")
    for name in ("log_connections", "archive_mode", "archive_command", "wal_level", "max_slot_wal_keep_size"):
        assert found[f"config.{name}"]["severity"] == "ok", name
    assert found["config.archive_command"]["measured"] == "***"
    assert "hunter2" not in ran.out
    assert found["config.data_checksums"]["severity"] in ("ok", "warn")


def test_a_bad_server_with_what_mends_it(cli: Cli, bad: Server) -> None:
    found = run(cli, bad, code=3)
    wrong = {key.removeprefix("config."): one for key, one in found.items() if one["severity"] in ("warn", "critical")}
    assert set(BAD) | {"fsync", "full_page_writes"} <= set(wrong)
    assert wrong["track_counts"]["severity"] == "critical"
    assert wrong["password_encryption"]["severity"] == "critical"
    assert wrong["work_mem"]["remediation"] == "ALTER SYSTEM SET work_mem = '32MB'; SELECT pg_reload_conf();"
    assert wrong["shared_preload_libraries"]["remediation"] == (
        "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; -- then restart the server"
    )
    assert found["config.pg_stat_statements.track"]["severity"] == "skipped"
    assert wrong["log_line_prefix"]["measured"] == "%m "


def test_each_remedy_is_taken_and_mends(cli: Cli, bad: Server) -> None:
    """What is proposed is what the server accepts, and afterwards it is well."""
    before = run(cli, bad)
    mended = [
        one
        for one in before.values()
        if one["remediation"].startswith("ALTER SYSTEM") and "restart" not in one["remediation"]
    ]
    assert len(mended) > 5
    with bad.session() as session:
        for one in mended:
            for statement in one["remediation"].split("; "):
                if not statement.startswith("--"):
                    session.run(statement)
        session.run("SELECT pg_sleep(0.5)")
    try:
        after = run(cli, bad)
        assert {one["id"]: after[one["id"]]["severity"] for one in mended} == {one["id"]: "ok" for one in mended}
    finally:
        with bad.session() as session:
            session.run("ALTER SYSTEM RESET ALL")
            session.run("SELECT pg_reload_conf()")


def test_a_change_that_waits_for_a_restart(cli: Cli, good: Server) -> None:
    try:
        with good.session() as session:
            session.run("ALTER SYSTEM SET shared_buffers = '64MB'")
            session.run("ALTER SYSTEM SET max_prepared_transactions = '12'")
            session.run("SELECT pg_reload_conf()")
            session.run("SELECT pg_sleep(0.5)")
        found = run(cli, good, code=3)
        buffers = found["config.shared_buffers"]
        assert buffers["severity"] == "warn", "it is well now and will not be"
        assert buffers["measured"] == "256MB"
        assert "64MB waits for a restart" in buffers["detail"]
        assert found["config.pending:shared_buffers"]["severity"] == "warn"
        assert found["config.pending:max_prepared_transactions"]["severity"] == "warn"
        assert found["config.files"]["severity"] == "ok", "what waits is no mistake"
    finally:
        with good.session() as session:
            session.run("ALTER SYSTEM RESET ALL")
            session.run("SELECT pg_reload_conf()")
            session.run("SELECT pg_sleep(0.5)")


def test_a_line_the_server_refuses(cli: Cli, good: Server) -> None:
    path = good.home / "pg" / "data" / "postgresql.auto.conf"
    before = path.read_text()
    path.write_text(before + "work_mem = '12 parsecs'\n")
    try:
        found = run(cli, good, code=3)
        wrong = found["config.files:work_mem"]
        assert wrong["severity"] == "critical"
        assert wrong["object"].endswith("postgresql.auto.conf:" + str(len(before.splitlines()) + 1))
    finally:
        path.write_text(before)


def test_what_is_set_for_roles_and_databases(cli: Cli, good: Server) -> None:
    odd = 'odd "role"'
    with good.session() as session:
        session.run('CREATE ROLE "odd ""role"""')
        session.run('ALTER ROLE "odd ""role""" SET work_mem = \'1GB\'')
        session.run("ALTER DATABASE postgres SET work_mem = '16MB'")
        session.run("ALTER DATABASE template1 SET log_statement = 'ddl'")
        session.run('ALTER ROLE "odd ""role""" SET "app.encryption_key" = \'hunter2\'')
    try:
        ran = Cli(cli.folder, good.dsn("template1")).run("config", "check", "--format", "json")
        found = {one["id"]: one for one in ran.json()["findings"]}
        wrong = found[f"config.work_mem:role {odd}"]
        assert (wrong["severity"], wrong["measured"]) == ("warn", "1GB")
        assert wrong["remediation"] == 'ALTER ROLE "odd ""role""" RESET work_mem;'
        assert "the server has 8MB" in wrong["detail"]
        fine = found["config.work_mem:every role in postgres"]
        assert (fine["severity"], fine["measured"]) == ("ok", "16MB")
        assert "config.log_statement:every role in template1" not in found, "it is the server's value again"
        assert "hunter2" not in ran.out
        assert f"app.encryption_key for role {odd}" in ran.json()["notes"][0]
        # From within that database its value hides the server's, but the files tell.
        assert run(cli, good)["config.work_mem"]["measured"] == "8MB"
    finally:
        with good.session() as session:
            session.run('DROP ROLE "odd ""role"""')
            session.run("ALTER DATABASE postgres RESET ALL")
            session.run("ALTER DATABASE template1 RESET ALL")


@pytest.fixture
def stranger(good: Server) -> Iterator[str]:
    with good.session() as session:
        session.run("CREATE ROLE config_stranger LOGIN")
    yield "config_stranger"
    with good.session() as session:
        session.run("DROP OWNED BY config_stranger")
        session.run("DROP ROLE config_stranger")


def test_a_login_without_rights_says_what_it_cannot_see(cli: Cli, good: Server, stranger: str) -> None:
    found = run(cli, good, user=stranger, code=3)
    unknown = {key: one for key, one in found.items() if one["severity"] == "unknown"}
    assert set(unknown) == {"config.shared_preload_libraries", "config.pending", "config.files"}
    for one in unknown.values():
        assert one["evidence"] == "none"
        assert one["remediation"].startswith("GRANT ")
    with good.session() as session:
        for one in unknown.values():
            for grant in one["remediation"].split("; "):
                session.run(grant)
    seeing = run(cli, good, user=stranger, code=0)
    assert not [key for key, one in seeing.items() if one["severity"] == "unknown"]


def test_a_value_of_the_logins_own_does_not_pass_for_the_servers(cli: Cli, good: Server, stranger: str) -> None:
    with good.session() as session:
        session.run(f"ALTER ROLE {stranger} SET idle_in_transaction_session_timeout = '1min'")
        session.run(f"ALTER ROLE {stranger} SET work_mem = '5MB'")
    found = run(cli, good, user=stranger, code=3)
    for name in ("work_mem", "idle_in_transaction_session_timeout"):
        assert found[f"config.{name}"]["severity"] == "unknown"
        assert "hidden behind this login's own" in found[f"config.{name}"]["detail"]
    assert found[f"config.work_mem:role {stranger}"]["measured"] == "5MB"
    with good.session() as session:
        session.run(f"GRANT SELECT ON pg_catalog.pg_file_settings TO {stranger}")
        session.run(f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {stranger}")
    found = run(cli, good, user=stranger)
    assert found["config.work_mem"]["measured"] == "8MB"
    assert found["config.idle_in_transaction_session_timeout"]["measured"] == "15min"


def test_what_wnadmin_sets_for_itself_is_not_judged(cli: Cli, good: Server) -> None:
    found = run(cli, good)
    assert found["config.idle_in_transaction_session_timeout"]["measured"] == "15min"
    assert found["config.row_security"]["measured"] == "on"


def test_the_newest_rule_that_does_not_fit_yet_is_skipped(good: Server) -> None:
    from wnadmin.domain.config import check, look
    from wnadmin.postgres.connections import Connections

    one = replace(rules.load()[0], since=99)
    connections = Connections(good.target(), "tests")
    try:
        facts = look.look(connections, (one,))
    finally:
        connections.close()
    (finding, *_) = check.check(facts, (one,), production=False).findings
    assert (finding.severity, finding.detail) == ("skipped", "PostgreSQL has it from 99 on")


TEXTS = (
    "1",
    "0",
    "-1",
    "010",
    "0x10",
    "08",
    "1.5GB",
    "1e3",
    "1 MB",
    "1.",
    "64KB",
    "5min",
    "1d",
    "2h",
    "90s",
    "x",
    "",
    "1GB",
)
NAMES = ("work_mem", "log_min_duration_statement", "seq_page_cost", "temp_buffers", "jit", "vacuum_cost_delay")


@pytest.mark.parametrize("name", NAMES)
def test_values_are_read_as_this_server_reads_them(good: Server, name: str) -> None:
    with good.session() as session:
        unit, kind, least, most = session.run(
            "SELECT coalesce(unit, ''), vartype, min_val, max_val FROM pg_settings WHERE name = %s", [name]
        ).rows[0]
        holds = Kind(str(kind), str(unit))
        for text in TEXTS:
            try:
                session.run("SELECT set_config(%s, %s, false)", [name, text])
            except WnError:
                taken = None
            else:
                shown = session.scalar("SELECT current_setting(%s)", [name])
                taken = session.scalar("SELECT setting FROM pg_settings WHERE name = %s", [name])
            try:
                ours = parse(text, holds)
            except ValueError:
                assert taken is None, f"{name} = {text!r}"
                continue
            if taken is None:
                # The form is right, and the value is beyond the setting's bounds.
                assert isinstance(ours, Decimal), f"{name} = {text!r}"
                assert not Decimal(str(least)) <= ours <= Decimal(str(most)), f"{name} = {text!r}"
            else:
                assert ours == parse(str(taken), holds), f"{name} = {text!r}"
                assert show(ours, holds) == shown


def test_verifiable_consent_counts_only_where_nobody_can_undo_it(cli: Cli, server: Server, fresh_db: str) -> None:
    wn = Cli(cli.folder, server.dsn(fresh_db))
    name = "config.wondernest.require_verifiable_consent"

    def look() -> dict[str, Any]:
        found: list[dict[str, Any]] = wn.run("config", "check", "--format", "json").json()["findings"]
        return next(one for one in found if one["id"] == name)

    wrong = look()
    assert (wrong["severity"], wrong["measured"]) == ("warn", "not set")
    with server.session(fresh_db) as session:
        session.run(f'ALTER ROLE postgres IN DATABASE "{fresh_db}" SET wondernest.require_verifiable_consent = on')
        assert look()["severity"] == "warn", "another role still has none"
        session.run(wrong["remediation"].partition(";")[0])
        assert look()["severity"] == "ok"


def test_thelock_table_is_compared_with_the_partitions(cli: Cli, server: Server, fresh_db: str) -> None:
    ran = Cli(cli.folder, server.dsn(fresh_db)).run("config", "check", "--format", "json")
    found = next(one for one in ran.json()["findings"] if one["id"] == "config.lock-table")
    assert found["severity"] == "ok"
    with server.session(fresh_db) as session:
        needed = session.scalar(
            "SELECT max(n) FROM (SELECT count(DISTINCT t.relid) + count(x.indexrelid) AS n"
            " FROM pg_class AS c CROSS JOIN pg_partition_tree(c.oid) AS t"
            " LEFT JOIN pg_index AS x ON x.indrelid = t.relid"
            " WHERE c.relkind = 'p' AND NOT c.relispartition GROUP BY c.oid) AS counted"
        )
    assert f"takes {needed} locks" in found["detail"]


@pytest.mark.parametrize(("room", "severity"), [(2000, "ok"), (1999, "warn"), (200, "warn"), (199, "critical")])
def test_how_many_statements_must_fit(room: int, severity: str) -> None:
    from wnadmin.domain.config.check import lock_table
    from wnadmin.domain.config.look import Locks

    assert lock_table(Locks(room=room, sessions=200, parent="content.engagement", needed=100)).severity == severity
