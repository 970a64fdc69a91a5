"""What schema admin tells a login that reads no table of a subject: totals, times and its own blindness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.sql.support import refused
from tests.support import Server
from wnadmin.postgres.session import Session

MONITOR = "wondernest_monitor"
BACKLOG = "SELECT overdue_rows, oldest_due, evidence, detail FROM admin.get_retention_backlog() WHERE policy_code = %s"
EVENT = (
    "INSERT INTO subscription.webhook_events (provider, provider_event_ref, event_type, outcome, received_at)"
    " SELECT 'stripe', 'e' || i, 'x', 'applied', now() - INTERVAL '{} days' FROM generate_series(1, {}) AS i"
)
LONG = "(SELECT string_agg(md5(i::text || n::text), '') FROM generate_series(1, 58) AS n)"
TRAIL = (
    'INSERT INTO audit.activity_log (action, table_schema, table_name, "timestamp", retention_until, legal_hold)'
    " VALUES ('UPDATE', 'core', 'users', now(), now() - INTERVAL '5 days', %s)"
)


def backlog(session: Session, policy: str) -> tuple[int | None, datetime | None, str, str]:
    rows = session.run(BACKLOG, [policy]).rows
    assert len(rows) == 1
    overdue, due, evidence, detail = rows[0]
    return overdue, due, evidence, detail


def test_a_monitor_gets_totals_of_every_active_policy_and_reads_no_table(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as root, server.session(fresh_db, MONITOR) as monitor:
        root.run(EVENT.format(370, 3))
        wanted = root.scalar(
            "SELECT array_agg(policy_code ORDER BY policy_code) FROM audit.data_retention_policies"
            " WHERE is_active AND time_column IS NOT NULL AND retention_period IS NOT NULL"
        )
        rows = monitor.run("SELECT policy_code, evidence FROM admin.get_retention_backlog()").rows
        assert [code for code, _ in rows] == wanted
        assert {evidence for _, evidence in rows} == {"complete"}
        overdue, due, evidence, detail = backlog(monitor, "subscription.webhook_events")
        assert (overdue, evidence, detail) == (3, "complete", "counted")
        assert due is not None
        assert timedelta(days=3) < datetime.now(UTC) - due < timedelta(days=7)
        for table in ("subscription.webhook_events", "audit.activity_log", "audit.data_retention_policies"):
            with refused("42501"):
                monitor.run(f"SELECT 1 FROM {table}")


def test_a_row_goes_by_its_own_date_and_one_on_hold_is_not_due(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as root, server.session(fresh_db, MONITOR) as monitor:
        root.run("DELETE FROM audit.activity_log")
        root.run(TRAIL, [True])
        assert backlog(monitor, "audit.activity_log")[:2] == (0, None)
        root.run(TRAIL, [False])
        overdue, due, *_ = backlog(monitor, "audit.activity_log")
        assert overdue == 1
        assert due is not None
        assert timedelta(days=4) < datetime.now(UTC) - due < timedelta(days=6)


def test_a_partition_is_due_as_a_whole(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as root, server.session(fresh_db, MONITOR) as monitor:
        month = root.scalar("SELECT admin.create_monthly_partition('analytics.events', current_date - 600)")
        edge = root.scalar(
            "SELECT admin.create_monthly_partition('analytics.events', (now() - INTERVAL '14 months')::date)"
        )
        assert month != edge
        insert = "INSERT INTO analytics.events (event_name, occurred_at) VALUES ('x', %s)"
        root.run(insert, [root.scalar("SELECT now() - INTERVAL '14 months 1 second'")])
        first_day = root.scalar("SELECT extract(DAY FROM now() - INTERVAL '14 months 1 second') = 1")
        assert backlog(monitor, "analytics.events")[0] == 0 or first_day
        root.run(insert, [root.scalar("SELECT now() - INTERVAL '600 days'")])
        assert backlog(monitor, "analytics.events")[0] in (1, 2)


def test_of_a_large_table_without_an_index_a_sample_is_looked_at(server: Server, fresh_db: str) -> None:
    """It can show that rows are overdue, not that none is; an index of any kind gives certainty."""
    with server.session(fresh_db) as root, server.session(fresh_db, MONITOR) as monitor:
        # Without the audit trail of so many rows.
        root.run("SET session_replication_role = replica")
        root.run(EVENT.replace("'x'", LONG).format(10, 20000))
        overdue, due, evidence, detail = backlog(monitor, "subscription.webhook_events")
        assert (overdue, due, evidence) == (None, None, "partial")
        assert "CREATE INDEX CONCURRENTLY ON subscription.webhook_events USING brin (received_at)" in detail
        root.run("UPDATE subscription.webhook_events SET received_at = now() - INTERVAL '2 years'")
        overdue, due, evidence, detail = backlog(monitor, "subscription.webhook_events")
        assert evidence == "partial"
        assert overdue is not None
        assert overdue > 0
        assert due is not None
        root.run("UPDATE subscription.webhook_events SET received_at = now()")
        root.run("CREATE INDEX ON subscription.webhook_events USING brin (received_at)")
        assert backlog(monitor, "subscription.webhook_events")[:3] == (0, None, "complete")


def test_what_it_cannot_see_it_says(server: Server, fresh_db: str) -> None:
    policy = (
        "INSERT INTO audit.data_retention_policies (policy_code, table_schema, table_name, time_column,"
        " retention_period, purpose, business_need, legal_basis) VALUES (%s, %s, %s, %s, '1 day', 'x', 'x', 'none')"
    )
    with server.session(fresh_db) as root, server.session(fresh_db, MONITOR) as monitor:
        root.run('CREATE SCHEMA "odd ""one; --"')
        root.run('CREATE TABLE "odd ""one; --"."t;1" ("a t" timestamptz, name text)')
        root.run(policy, ["later.hidden", 'odd "one; --', "t;1", "a t"])
        root.run(policy, ["later.text", 'odd "one; --', "t;1", "name"])
        root.run(policy, ["later.gone", "nowhere", "gone", "at"])
        overdue, _, evidence, detail = backlog(monitor, "later.hidden")
        assert (overdue, evidence) == (None, "none")
        assert detail == 'needs GRANT SELECT ("a t") ON "odd ""one; --"."t;1" TO wondernest_definer'
        for code in ("later.text", "later.gone"):
            overdue, _, evidence, detail = backlog(monitor, code)
            assert (overdue, evidence) == (None, "none")
            assert detail.startswith("there is no table ")
        root.run("BEGIN")
        root.run("LOCK TABLE analytics.insights IN ACCESS EXCLUSIVE MODE")
        monitor.run("SET lock_timeout = '100ms'")
        assert backlog(monitor, "analytics.insights") == (None, None, "none", "the table is locked")
        assert backlog(monitor, "analytics.reports")[2] == "complete"
        root.run("ROLLBACK")


def test_unfinished_operations_are_ids_and_times(server: Server, fresh_db: str) -> None:
    query = "SELECT op_id, began_at FROM admin.get_unfinished_operations()"
    append = "SELECT ts FROM audit.ledger_append(%s, %s, '{}')"
    one, two = UUID(int=1), UUID(int=2)
    with server.session(fresh_db) as root, server.session(fresh_db, MONITOR) as monitor:
        assert monitor.run(query).rows == ()
        began = root.scalar(append, [one, "intent"])
        root.run(append, [two, "intent"])
        root.run(append, [two, "outcome"])
        assert monitor.run(query).rows == ((one, began),)
        # Resumed: a newer intent under the same id.
        again = root.scalar(append, [two, "intent"])
        assert monitor.run(query).rows == ((one, began), (two, again))
        with refused("42501"):
            monitor.run("SELECT 1 FROM audit.operator_ledger")


def test_a_login_that_cannot_tell_clients_from_others_does_not_count_them(server: Server, fresh_db: str) -> None:
    query = "SELECT metric_name FROM admin.get_db_health_metrics() WHERE status = 'unknown' ORDER BY 1"
    with server.session(fresh_db) as root:
        root.run("GRANT USAGE ON SCHEMA admin TO wondernest_app")
        root.run("GRANT EXECUTE ON FUNCTION admin.get_db_health_metrics() TO wondernest_app")
        root.run("GRANT SELECT ON admin.partition_bounds TO wondernest_app")
        with server.session(fresh_db, "wondernest_app", row_security="on") as app:
            assert [name for (name,) in app.run(query).rows] == [
                "connections", "connections_used", "longest_query", "longest_transaction", "sessions_active",
                "sessions_idle_in_transaction",
            ]  # fmt: skip
            hidden = "SELECT metric_value FROM admin.get_db_health_metrics() WHERE metric_name LIKE 'connections%'"
            assert app.run(hidden).rows == ((None,), (None,))
        with server.session(fresh_db, MONITOR) as monitor:
            assert monitor.run(query).rows == ()
            count = "SELECT metric_value FROM admin.get_db_health_metrics() WHERE metric_name = 'connections'"
            assert monitor.scalar(count) >= 1


def test_an_index_on_only_the_parent_is_not_called_invalid(server: Server, fresh_db: str) -> None:
    query = "SELECT metric_value, status FROM admin.get_db_health_metrics() WHERE metric_name = 'invalid_indexes'"
    with server.session(fresh_db) as root:
        root.run("CREATE INDEX sessions_later ON ONLY audio.sessions (ended_at)")
        assert root.run(query).rows == ((0, "ok"),)
        root.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'core.users_pkey'::regclass")
        assert root.run(query).rows == ((1, "warn"),)
