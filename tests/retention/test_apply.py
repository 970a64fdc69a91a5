"""``retention apply``: what goes, what stays, and what is said of what cannot go."""

from __future__ import annotations

from tests.retention.support import FREE, HELD, INSIGHTS, THEIRS, Place, changed

TITLES = [
    "Delete 300 rows of analytics.insights older than 1 year",
    "Delete 1 row of audit.activity_log older than 3 years",
    "Delete 1 row of core.sessions older than 1 day",
    "Delete 1 row of core.user_devices older than 2 years",
    "Delete 1 row of subscription.invoices older than 10 years",
]


def test_what_is_due_goes_and_holds_stay(place: Place) -> None:
    assert place.check() == 3
    dry = place.wn.run("retention", "apply", "--dry-run", "--format", "json").json()
    assert [one["title"] for one in dry["steps"]] == TITLES
    assert place.ask(INSIGHTS) == 900
    ran = place.apply()
    assert ran.code == 0, ran.err
    done = ran.json()
    assert [(one["status"], one["receipt"]["rows"]) for one in done["steps"]] == [
        ("done", 300), ("done", 1), ("done", 1), ("done", 1), ("done", 1)
    ]  # fmt: skip
    assert {one["severity"] for one in done["proof"]} == {"ok"}
    assert done["effects"] == [
        "core.user_devices: 1 row of core.sessions loses its device_id.",
        "subscription.invoices: 1 row of subscription.payments loses its invoice_id.",
        "analytics.insights: 600 rows stay on legal hold.",
        "audit.activity_log: 2 rows stay on legal hold.",
        "core.sessions: 1 row stays on legal hold.",
        "core.user_devices: 1 row stays on legal hold.",
        "subscription.invoices: 2 rows stay on legal hold.",
        "What is deleted does not come back; audited tables keep a record of each row in the trail of changes.",
    ]
    assert place.check() == 0
    with place.session() as session:
        kept = session.run(
            "SELECT i.child_id::text, count(*) FROM analytics.insights AS i WHERE i.title = 'old' GROUP BY 1 ORDER BY 1"
        ).rows
        assert kept == ((HELD, 300), (THEIRS, 300))
        # The young one, and whoever it is about.
        assert session.scalar(f"SELECT count(*) FROM analytics.insights AS i WHERE i.child_id = '{FREE}'") == 1
        trail = session.run("SELECT a.row_id FROM audit.activity_log AS a WHERE a.row_id LIKE 'test-%' ORDER BY 1").rows
        assert trail == (("test-2",), ("test-3",), ("test-4",))
        books = session.run("SELECT i.invoice_number FROM subscription.invoices AS i ORDER BY 1").rows
        assert books == (("test-2",), ("test-3",), ("test-4",))
        # Who deleted is in the trail.
        agents = session.run(
            "SELECT DISTINCT a.table_name, a.user_agent FROM audit.activity_log AS a WHERE a.action = 'DELETE' "
            "AND a.user_agent IS NOT NULL ORDER BY 1"
        ).rows
        assert agents == tuple(
            (table, "wnadmin retention apply") for table in ("insights", "invoices", "sessions", "user_devices")
        )


def test_the_health_check_agrees(place: Place) -> None:
    def overdue() -> dict[str, int]:
        with place.session() as session:
            query = (
                "SELECT b.policy_code, b.overdue_rows FROM admin.get_retention_backlog() AS b WHERE b.overdue_rows > 0"
            )
            return {str(code): int(rows) for code, rows in session.run(query).rows}

    assert overdue() == {
        "analytics.insights": 300,
        "audit.activity_log": 1,
        "core.sessions": 1,
        "core.user_devices": 1,
        # It goes by the row alone; that the payment of another one is on hold it does not know.
        "subscription.invoices": 2,
    }
    assert place.apply().code == 0
    assert overdue() == {"subscription.invoices": 1}


def test_nothing_due(place: Place) -> None:
    assert place.apply().code == 0
    ran = place.apply()
    assert (ran.code, ran.json()["status"]) == (0, "nothing")
    assert ran.json()["detail"] == (
        "no row is past the time of its policy; analytics.insights: 600 rows stay on legal hold; "
        "audit.activity_log: 2 rows stay on legal hold; core.sessions: 1 row stays on legal hold; "
        "core.user_devices: 1 row stays on legal hold; subscription.invoices: 2 rows stay on legal hold"
    )


def test_only_and_skip(place: Place) -> None:
    ran = place.apply("--only", "analytics.insights", "--only", "core.sessions", "--skip", "core.sessions")
    assert [one["key"] for one in ran.json()["steps"]] == ["analytics.insights"]
    assert place.ask(INSIGHTS) == 600
    ran = place.apply("--only", "no.such")
    assert ran.code == 2
    assert "there is no retention policy no.such" in ran.err


def test_a_policy_that_cannot_be_enforced_is_named_and_the_others_are(place: Place) -> None:
    place.do(
        "INSERT INTO audit.data_retention_policies (policy_code, table_schema, table_name, time_column, "
        "retention_period, purpose, business_need, legal_basis) VALUES "
        "('gone', 'core', 'gone', 'at', '1 day', 'x', 'x', 'none'), "
        "('no.time', 'core', 'users', 'email', '1 day', 'x', 'x', 'none')",
        changed("core.user_devices", "action = 'archive'"),
        changed("core.sessions", "action = 'pseudonymise'"),
        changed("subscription.invoices", "action = 'detach_partition'"),
        # Nothing of it is due: it stands in nobody's way.
        changed("safety.incidents", "action = 'archive'"),
    )
    assert place.check() == 3
    ran = place.apply()
    assert ran.code == 1
    steps = {one["key"]: (one["status"], one["error"]) for one in ran.json()["steps"]}
    assert steps == {
        "analytics.insights": ("done", ""),
        "audit.activity_log": ("done", ""),
        "core.user_devices": ("failed", "core.user_devices is not enforced. there is no archive for core.user_devices"),
        "core.sessions": (
            "failed",
            "core.sessions is not enforced. nothing says which rows of core.sessions have lost their names "
            "(identity_erased_at)",
        ),
        "gone": ("failed", "gone is not enforced. there is no table core.gone"),
        "no.time": ("failed", "no.time is not enforced. core.users has no time in column email"),
        "subscription.invoices": (
            "failed", "subscription.invoices is not enforced. subscription.invoices has no partitions by issued_at"
        ),
    }  # fmt: skip
    assert "Correct core.sessions in audit.data_retention_policies" in ran.json()["next"]
    assert place.ask("SELECT count(*) FROM subscription.invoices") == 4
    assert place.check() == 3
    # What is excused by name is left out.
    words = [word for code in steps for word in ("--skip", code)]
    assert place.check(*words) == 0


def test_names_are_taken_out(place: Place) -> None:
    place.do(
        changed("audit.activity_log", "action = 'pseudonymise'"),
        'UPDATE audit.activity_log SET changed = \'{"email": ["a", "b"]}\', user_id = gen_random_uuid(), '
        "user_agent = 'a phone', client_addr = '192.0.2.1' WHERE row_id LIKE 'test-%'",
    )
    words = ("--only", "audit.activity_log")
    ran = place.apply(*words)
    assert ran.code == 0, ran.err
    assert ran.json()["steps"][0]["title"] == "Take the names out of 1 row of audit.activity_log older than 3 years"
    assert place.check(*words) == 0
    with place.session() as session:
        rows = session.run(
            "SELECT a.row_id, num_nonnulls(a.user_id, a.child_id, a.changed, a.user_agent, a.client_addr) "
            "FROM audit.activity_log AS a WHERE a.retention_until < now() + INTERVAL '2 days' "
            "ORDER BY a.row_id NULLS FIRST"
        ).rows
        assert rows == ((None, 0), ("test-2", 5), ("test-3", 4), ("test-4", 4))
        assert (
            session.scalar("SELECT count(*) FROM audit.activity_log AS a WHERE a.identity_erased_at IS NOT NULL") == 1
        )
        query = (
            "SELECT b.overdue_rows FROM admin.get_retention_backlog() AS b WHERE b.policy_code = 'audit.activity_log'"
        )
        assert session.scalar(query) == 0


def test_speech_sessions_are_archived(place: Place) -> None:
    with place.session() as session:
        session.run("SELECT admin.create_monthly_partition('audio.sessions', (now() - INTERVAL '100 days')::date)")
        session.run("ALTER TABLE audio.sessions DISABLE TRIGGER sessions_consent")
        session.run("ALTER TABLE audio.speech_metrics DISABLE TRIGGER speech_metrics_consent")
        session.run(
            "INSERT INTO audio.sessions (child_id, started_at, ended_at, status) SELECT c.id, "
            "now() - INTERVAL '100 days' + n * INTERVAL '1 minute', now() - INTERVAL '99 days', 'completed' "
            "FROM family.child_profiles AS c, generate_series(1, 120) AS n "
            "WHERE c.id::text LIKE '00000000-0000-0000-0000-0000000000c_'"
        )
    words = ("--only", "audio.sessions", "--only", "audio.speech_metrics")
    assert place.check(*words) == 3
    ran = place.apply(*words, "--rows", "50")
    assert ran.code == 0, ran.err
    (step,) = ran.json()["steps"]
    assert step["title"] == "Archive 120 rows of audio.sessions older than 90 days"
    assert step["receipt"]["rows"] == 120
    assert "SELECT audio.archive_old_sessions('90'::int, '50'::int)" in step["shows"][1]
    assert place.check(*words) == 0
    held = f"s.child_id IN ('{HELD}', '{THEIRS}')"
    assert place.ask(f"SELECT count(*) FROM audio.sessions AS s WHERE {held}") == 240
    assert place.ask(f"SELECT count(*) FROM audio.session_archive AS s WHERE s.child_id = '{FREE}'") == 120
    assert place.ask(f"SELECT count(*) FROM audio.session_archive AS s WHERE {held}") == 0


def test_whole_partitions_are_left_to_their_command_but_not_those_with_a_hold(place: Place) -> None:
    with place.session() as session:
        for month in ("2023-02-01", "2023-03-01"):
            session.run("SELECT admin.create_monthly_partition('analytics.events', %s)", [month])
        session.run(
            "INSERT INTO analytics.events (occurred_at, event_name) "
            "SELECT '2023-02-10'::timestamptz + n * INTERVAL '1 hour', 'test' FROM generate_series(1, 10) AS n"
        )
        session.run("ALTER TABLE analytics.events DISABLE TRIGGER events_consent")
        session.run(
            "INSERT INTO analytics.events (occurred_at, event_name, child_id) "
            f"SELECT '2023-03-10', 'test', c FROM unnest(ARRAY['{FREE}', '{FREE}', '{HELD}']::uuid[]) AS c"
        )
    words = ("--only", "analytics.events")
    ran = place.apply(*words)
    assert ran.code == 0, ran.err
    assert ran.json()["effects"][:2] == [
        "analytics.events: 1 whole partition (analytics.events_2023_02) past 1 year 2 mons: "
        "`wnadmin partitions detach --due` takes it out, this does not.",
        "analytics.events: 1 row stays on legal hold.",
    ]
    assert [one["receipt"]["rows"] for one in ran.json()["steps"]] == [2]
    assert place.ask("SELECT count(*) FROM analytics.events_2023_02") == 10
    assert place.ask("SELECT array_agg(e.child_id::text) FROM analytics.events_2023_03 AS e") == [HELD]
    assert place.check(*words) == 0


def test_requests_go_with_their_approvals_and_stay_while_something_answers_for_them(place: Place) -> None:
    with place.session() as session:
        session.run(
            "INSERT INTO audit.data_subject_requests (id, request_kind, subject_kind, requester_relation, received_at, "
            "due_at, status, closed_at, retained_until) "
            "SELECT ('00000000-0000-0000-0000-00000000ee0' || n)::uuid, 'access', 'user', 'self', "
            "now() - INTERVAL '7 years', now() - INTERVAL '6 years 11 months', 'certified', "
            "now() - INTERVAL '6 years', CASE WHEN n = 3 THEN now()::date + 30 END FROM generate_series(1, 3) AS n"
        )
        session.run(
            "INSERT INTO audit.plan_approvals (request_id, operation, plan_digest, planned_by, decision, approved_by, "
            "approved_at, expires_at) SELECT '00000000-0000-0000-0000-00000000ee01', 'gdpr delete', repeat('a', 64), "
            "'a', 'approved', 'b', now() - INTERVAL '7 years', now() - INTERVAL '6 years'"
        )
        session.run(
            "INSERT INTO audit.erasure_tombstones (request_id, subject_kind, subject_hmac, hmac_key_id, recorded_at, "
            "expires_at) SELECT '00000000-0000-0000-0000-00000000ee02', 'user', sha256('x'), 'k', "
            "now() - INTERVAL '6 years', now() + INTERVAL '1 day'"
        )
    words = ("--only", "audit.data_subject_requests", "--only", "audit.erasure_tombstones")
    ran = place.apply(*words)
    assert ran.code == 0, ran.err
    assert ran.json()["effects"][:2] == [
        "audit.data_subject_requests: 1 row of audit.plan_approvals goes with them.",
        "audit.data_subject_requests: 1 row stays because rows of other tables need it.",
    ]
    left = place.ask("SELECT array_agg(right(r.id::text, 1) ORDER BY r.id) FROM audit.data_subject_requests AS r")
    assert left == ["2", "3"]
    assert place.ask("SELECT count(*) FROM audit.plan_approvals") == 0
    assert place.ask("SELECT count(*) FROM audit.erasure_tombstones") == 1
    assert place.check(*words) == 0


def test_the_ledger_is_not_cut(place: Place) -> None:
    assert place.apply("--only", "core.sessions").code == 0
    place.do(changed("audit.operator_ledger", "retention_period = '1 millisecond'"))
    ran = place.apply("--only", "audit.operator_ledger")
    assert (ran.code, ran.json()["status"]) == (0, "nothing")
    assert "rows past 00:00:00.001 stay here: it goes by seals: wnadmin audit seal" in ran.json()["detail"]


def test_the_routines_of_the_database_keep_holds(place: Place) -> None:
    with place.session() as session:
        assert session.scalar("SELECT core.cleanup_expired_sessions()") == 1
        assert session.scalar("SELECT audit.purge_expired_activity()") == 1
        assert session.scalar(
            "SELECT array_agg(s.token_hash = sha256('3')) FROM core.sessions AS s WHERE s.expires_at < now()"
        ) == [True]
