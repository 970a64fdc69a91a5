"""Every function called by the role that may call it: its owner's privileges are enough, and not for others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.sql.support import SCHEMAS, Household, any_item, column, make_household, refused, signed_in
from tests.support import SETTINGS, Server, end_server, scratch
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session

PEOPLE = {
    "person_worker": "wondernest_worker",
    "person_operator": "wondernest_operator",
    "person_officer": "wondernest_compliance",
    "person_approver": "wondernest_approver",
}
HASH = "sha256('token')"


@dataclass(frozen=True, slots=True)
class Office:
    """A server with people, and a household in its database."""

    server: Server
    house: Household

    def login(self, name: str) -> Session:
        """Log in as a person; policies apply, as in the application's sessions."""
        return self.server.session(TEMPLATE, name, row_security="on")


@pytest.fixture(scope="module")
def office(set_up_home: object) -> Iterator[Office]:
    home = scratch("office")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")  # type: ignore[operator]  # a Path
    cluster.start(SETTINGS, fsync=False)
    server = Server(cluster, home)
    with server.session(TEMPLATE) as root:
        for name, group in PEOPLE.items():
            root.run(f"CREATE ROLE {name} LOGIN IN ROLE {group}")
        house = make_household(root, "office")
    yield Office(server, house)
    end_server(server)


def test_signing_in_without_context(office: Office) -> None:
    with signed_in(office.server, TEMPLATE, None) as app:
        app.run("BEGIN")
        user = app.scalar("SELECT core.create_user('new@example.com', 'h', 'A', 'B', 'email', NULL, 'UTC')")
        assert app.run("SELECT user_id, password_hash FROM core.find_login(' NEW@example.com')").rows == ((user, "h"),)
        assert app.scalar(f"SELECT core.request_password_reset('new@example.com', {HASH})") is True
        assert app.scalar(f"SELECT core.complete_password_reset({HASH}, 'h2')") == user
        assert app.scalar(f"SELECT core.complete_password_reset({HASH}, 'h3')") is None
        app.run("SELECT set_config('app.current_user_id', %s, true)", [str(user)])
        app.run(f"INSERT INTO core.sessions (user_id, token_hash, expires_at) VALUES ('{user}', {HASH}, now() + '1 h')")
        app.run("SELECT set_config('app.current_user_id', '', true)")
        assert column(app, f"SELECT user_id FROM core.find_session({HASH})") == [user]
        app.run("ROLLBACK")


def test_a_second_guardian_joins(office: Office) -> None:
    house = office.house
    with signed_in(office.server, TEMPLATE, house.user) as app:
        app.run("BEGIN")
        app.run("SELECT core.create_user('second@example.com', 'h', 'A', 'B', 'email', NULL, 'UTC')")
        app.run(f"SELECT family.invite_member(%s, 'second@example.com', 'guardian', {HASH})", [house.family])
        app.run("SELECT set_config('app.current_user_id', '', true)")
        assert app.scalar(f"SELECT family.accept_invitation({HASH})") == house.family
        assert app.scalar(f"SELECT family.accept_invitation({HASH})") is None
        app.run("ROLLBACK")


def test_notes_need_the_key(office: Office) -> None:
    house = office.house
    with signed_in(office.server, TEMPLATE, house.user) as app:
        with refused("WN005"):
            app.run("SELECT family.add_child_note(%s, 'likes boats')", [house.child])
        app.run("BEGIN")
        app.run("DELETE FROM family.child_notes")
        app.run("SELECT set_config('app.encryption_key', %s, true)", ["k" * 32])
        app.run("SELECT family.add_child_note(%s, 'likes boats')", [house.child])
        assert column(app, "SELECT note FROM family.get_child_notes(%s)", house.child) == ["likes boats"]
        assert app.scalar("SELECT position('boats' IN encode(note_encrypted, 'escape')) FROM family.child_notes") == 0
        assert app.scalar("SELECT analytics.record_milestone(%s, 'motor.runs', current_date, 'in the park')",
                          [house.child]) is True  # fmt: skip
        app.run("SELECT safety.report_content(%s, 'other', 'too loud')", [any_item(app)])
        app.run("SELECT safety.record_incident(%s, 'device', 'low', 'fell off the table')", [house.child])
        with refused("WN005"):
            app.run("SELECT set_config('app.encryption_key', %s, true)", ["x" * 32])
            app.run("SELECT * FROM family.get_child_notes(%s)", [house.child])
        app.run("ROLLBACK")


def test_a_guardian_stops_and_resumes(office: Office) -> None:
    house = office.house
    with signed_in(office.server, TEMPLATE, house.user) as app:
        app.run("BEGIN")
        assert app.scalar("SELECT family.stop_collection(%s)", [house.child]) is True
        assert app.scalar("SELECT family.stop_collection(%s)", [house.child]) is False
        assert app.scalar("SELECT family.resume_collection(%s)", [house.child]) is True
        assert app.scalar("SELECT family.restrict_processing(%s)", [house.child]) is True
        with refused("WN002"):
            app.run("SAVEPOINT here")
            app.run("SELECT analytics.calculate_daily_metrics(%s, current_date)", [house.child])
        app.run("ROLLBACK TO here")
        assert app.scalar("SELECT family.lift_restriction(%s)", [house.child]) is True
        # A dispute is not a guardian's to end.
        app.run("SELECT family.restrict_processing(%s, 'dispute')", [house.child])
        assert app.scalar("SELECT family.lift_restriction(%s)", [house.child]) is False
        app.run("ROLLBACK")
    # A viewer sees, and decides nothing.
    with signed_in(office.server, TEMPLATE, house.visitor) as app, refused("42501"):
        app.run("SELECT family.stop_collection(%s)", [house.child])


def test_the_payment_webhook_needs_no_context(office: Office) -> None:
    with office.server.session(TEMPLATE) as root:
        root.run("UPDATE subscription.subscriptions SET provider = 'stripe', provider_subscription_ref = 'sub_1'"
                 " WHERE family_id = %s", [office.house.family])  # fmt: skip
    call = (
        "SELECT subscription.apply_payment_webhook('stripe', %s, 'invoice.paid', 'sub_1', 'active', 'pay_1',"
        " 'succeeded', 999, 'USD', now(), now() + INTERVAL '1 month')"
    )
    with signed_in(office.server, TEMPLATE, None) as app:
        assert app.scalar(call, ["evt_1"]) == "applied"
        assert app.scalar(call, ["evt_1"]) == "ignored"
        assert app.scalar("SELECT count(*) FROM subscription.payments") == 0
    with signed_in(office.server, TEMPLATE, office.house.user) as app:
        paid = column(app, "SELECT retention_until IS NOT NULL FROM subscription.payments WHERE provider_payment_ref"
                      " = 'pay_1'")  # fmt: skip
        assert paid == [True]


@pytest.mark.parametrize("who", ["person_worker", "person_operator"])
def test_jobs(office: Office, who: str) -> None:
    with office.login(who) as job:
        assert job.scalar("SELECT core.cleanup_expired_sessions()") is not None
        assert job.scalar("SELECT audio.archive_old_sessions(90)") == 0
        refreshed = column(job, "SELECT view_name FROM analytics.refresh_dashboards()")
        assert refreshed == ["content_popularity", "family_dashboard_daily", "platform_daily"]
        assert job.scalar("SELECT content.refresh_popularity()") is not None
        assert job.scalar("SELECT audit.purge_expired_activity()") == 0
    with signed_in(office.server, TEMPLATE, office.house.user) as app:
        days = app.run("SELECT family_id FROM analytics.get_family_dashboard()").rows
        assert {row[0] for row in days} == {office.house.family}
        for call in ("core.cleanup_expired_sessions()", "analytics.refresh_dashboards()"):
            with refused("42501"):
                app.run(f"SELECT {call}")


def test_an_old_session_is_archived_with_its_sums(office: Office) -> None:
    house = office.house
    with office.server.session(TEMPLATE) as root:
        root.run("BEGIN")
        root.run("DELETE FROM audio.sessions")
        started = "date_trunc('month', now()) - INTERVAL '10 days'"
        session = root.scalar(
            "INSERT INTO audio.sessions (child_id, started_at, ended_at, status)"
            f" VALUES (%s, {started}, {started} + INTERVAL '1 hour', 'completed') RETURNING id",
            [house.child],
        )
        root.run("INSERT INTO audio.speech_metrics (session_id, session_started_at, child_id, window_start,"
                 f" window_seconds, adult_word_count) SELECT %s, {started}, %s, {started} + n * INTERVAL '10 min',"
                 " 600, 50 FROM generate_series(0, 2) AS n", [session, house.child])  # fmt: skip
        assert root.scalar("SELECT audio.archive_old_sessions(3)") == 1
        assert root.run("SELECT measured_seconds, adult_word_count FROM audio.session_archive WHERE session_id = %s",
                        [session]).rows == ((1800, 150),)  # fmt: skip
        assert root.scalar("SELECT count(*) FROM audio.sessions") == 0
        root.run("ROLLBACK")


def test_a_worker_computes_without_knowing_who(office: Office) -> None:
    house = office.house
    with office.login("person_worker") as job:
        job.run("SELECT analytics.calculate_daily_metrics(%s, current_date)", [house.child])
        assert job.run("SELECT * FROM analytics.get_child_insights(%s, 30)", [house.child]).rows
        job.run("INSERT INTO ml.recommendations (child_id, item_id, score) VALUES (%s, %s, 0.5)",
                [house.child, any_item(job)])  # fmt: skip
        assert job.scalar("SELECT count(id) FROM family.child_profiles") > 1
        for text in (
            "SELECT first_name FROM family.child_profiles",
            "SELECT email FROM core.users",
            "DELETE FROM content.engagement",
        ):
            with refused("42501"):
                job.run(text)


def test_two_people_are_needed_for_an_erasure(office: Office) -> None:
    digest = "d" * 64
    with office.login("person_officer") as officer, office.login("person_approver") as approver:
        request = officer.scalar("SELECT audit.open_request('erasure', 'child', %s, 'parent')", [office.house.child])
        assert officer.scalar("SELECT due_at = received_at + INTERVAL '1 month' FROM audit.data_subject_requests"
                              " WHERE id = %s", [request]) is True  # fmt: skip
        officer.run("SELECT audit.verify_request(%s, 'video_call', 'ticket 1')", [request])
        officer.run("SELECT audit.plan_request(%s, %s, %s, 'erase_child')", [request, json.dumps({}), digest])
        sign = "SELECT audit.approve_plan('gdpr delete', %s, 'nobody', 'approved', NULL, %s)"
        with refused("42501"):
            officer.run(sign, [digest, request])
        with refused("42501"):
            officer.run("SELECT audit.begin_execution(%s, %s)", [request, digest])
        approver.run(sign, [digest, request])
        with refused("42501"):
            approver.run("SELECT audit.begin_execution(%s, %s)", [request, digest])
        officer.run("SELECT audit.add_tombstone(%s, 'child', sha256('x'), 'k1', now() + INTERVAL '1 year')", [request])
        officer.run("SELECT audit.begin_execution(%s, %s)", [request, digest])
        assert officer.scalar("SELECT audit.erasure_is_entitled(%s)", [str(request)]) is True
        for status in ("scanned", "physically_cleaned", "certified"):
            officer.run("SELECT audit.advance_request(%s, %s)", [request, status])
        assert officer.scalar("SELECT closed_at IS NOT NULL FROM audit.data_subject_requests WHERE id = %s", [request])
        officer.run("INSERT INTO audit.recipient_notices (request_id, recipient) VALUES (%s, 'mailer')", [request])
        for text in ("SELECT id FROM core.users", "SELECT id FROM family.child_profiles",
                     "UPDATE audit.data_subject_requests SET status = 'received'"):  # fmt: skip
            with refused("42501"):
                officer.run(text)


def test_who_writes_the_ledger(office: Office) -> None:
    append = "SELECT seq FROM audit.ledger_append(gen_random_uuid(), 'read', '{}')"
    for who in PEOPLE:
        with office.login(who) as person:
            number = person.scalar(append)
            person.run("SELECT audit.ledger_checkpoint(%s, 'file')", [number])
    for login in ("wondernest_app", "wondernest_analytics", "wondernest_monitor"):
        with office.login(login) as session, refused("42501"):
            session.run(append)
    for login in ("person_operator", "wondernest_migration"):
        with office.login(login) as session:
            for text in ("DELETE FROM audit.operator_ledger", "UPDATE audit.operator_ledger SET payload = ''",
                         "INSERT INTO audit.operator_ledger SELECT * FROM audit.operator_ledger",
                         "TRUNCATE audit.operator_ledger"):  # fmt: skip
                with refused("42501"):
                    session.run(text)
    with office.server.session(TEMPLATE) as root, refused("42501"):
        root.run("DELETE FROM audit.operator_ledger")


def test_operators_signal_and_maintain(office: Office) -> None:
    with office.login("person_operator") as operator, office.login("wondernest_app") as victim:
        pid = victim.scalar("SELECT pg_backend_pid()")
        assert operator.scalar("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid]) == "SELECT pg_backend_pid()"
        assert operator.scalar("SELECT pg_terminate_backend(%s, 5000)", [pid]) is True
        if operator.version >= 170000:
            operator.run("ANALYZE core.users")
        assert operator.scalar("SELECT count(*) > 0 FROM admin.partition_bounds") is True
        assert operator.run("SELECT * FROM admin.subject_totals()").rows
        with refused("42501"):
            operator.run("SELECT id FROM core.users")


def test_migrations_make_partitions_and_columns(office: Office) -> None:
    with office.login("wondernest_migration") as session:
        session.run("BEGIN")
        assert session.scalar("SELECT admin.ensure_partitions(5)") == 2 * 4
        session.run("ALTER TABLE family.child_profiles ADD COLUMN new_field varchar(100)")
        assert session.run("UPDATE family.child_profiles SET new_field = 'x'").count == 9
        session.run("CREATE TABLE public.flyway_schema_history (installed_rank int PRIMARY KEY)")
        owners = column(session, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('content', 'public')")
        assert owners == ["wondernest_owner"]
        # A new column is nobody's to analyse until the manifest says so.
        query = "SELECT has_column_privilege('wondernest_analytics', 'family.child_profiles', 'new_field', 'SELECT')"
        assert session.scalar(query) is False
        session.run("ROLLBACK")


def test_analytics_uses_its_views(office: Office) -> None:
    with office.login("wondernest_analytics") as session:
        for view in ("bi_daily_activity", "bi_content_monthly", "bi_subscriptions", "bi_milestones"):
            session.run(f"SELECT * FROM analytics.{view}")
        session.run("SELECT * FROM analytics.get_content_popularity()")
        session.run("SELECT * FROM analytics.get_platform_daily()")
        for text in ("SELECT * FROM analytics.family_dashboard_daily", "SELECT * FROM core.users",
                     "INSERT INTO ml.models (name, purpose) VALUES ('x', 'insight')"):  # fmt: skip
            with refused("42501"):
                session.run(text)


def test_every_function_but_triggers_is_called_somewhere(office: Office) -> None:
    """A function without a call in a test is a promise nobody has tried."""

    texts = "".join(
        path.read_text("utf-8") for path in Path(__file__).parent.glob("*.*") if path.suffix in (".py", ".toml")
    )
    texts += (Path(__file__).parents[2] / "sql" / "07_security_setup.sql").read_text("utf-8").split("row-level", 1)[1]
    with office.server.session(TEMPLATE) as root:
        names = column(
            root,
            "SELECT n.nspname || '.' || p.proname FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
            " WHERE n.nspname = ANY (%s) AND p.prorettype <> 'trigger'::regtype",
            list(SCHEMAS),
        )
    helpers = {
        "core.current_app_user_id", "core.is_trusted_caller", "core.is_session_member", "core.require_user_context",
        "core.require_encryption_key", "core.encryption_key_id", "core.encrypt_text", "core.decrypt_text",
        "family.collection_refusal", "family.assert_collection_allowed", "family.verifiable_consent_required",
        "family.require_family_access", "family.require_child_access", "content.age_in_months",
    }  # fmt: skip  # called by the others, each with a test of what it refuses
    assert sorted(one for one in names if f"{one}(" not in texts and one not in helpers) == []
