"""`setup verify`: all is well in a set-up database, each fault is found by its proof, nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.setup.support import Setup, bad, counts
from tests.support import SETTINGS, Cli, Server, end_server, install, start_server
from wnadmin.domain.setup import calls, looks, trials
from wnadmin.domain.setup import verify as proofs
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.passwords import fits, guessable
from wnadmin.domain.setup.rows import RECIPES
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding

CHECKS = {
    looks.CATALOG, looks.HISTORY, looks.PARTITIONS, looks.PASSWORDS, looks.AUDIO, looks.LEDGER,
    calls.CHECK, trials.RLS, trials.PARTITIONS, trials.CONSENT,
}  # fmt: skip


def test_a_set_up_database_is_proven(setup: Setup, server: Server, empty_db: str) -> None:
    setup.apply(empty_db)
    with server.session(empty_db) as session:
        found = proofs.verify(Database(session), setup.bundle)
    assert bad(found.findings) == []
    assert {one.check for one in found.findings} == CHECKS
    assert all(one.evidence == "complete" for one in found.findings)


def test_without_samples_there_is_as_much_to_prove(setup: Setup, server: Server, empty_db: str) -> None:
    setup.apply(empty_db, seed_samples=False)
    with server.session(empty_db) as session:
        assert bad(proofs.verify(Database(session), setup.bundle).findings) == []


def test_nothing_is_left_behind(mine: Session, bundle: Bundle) -> None:
    before = counts(mine)
    settings = mine.run("SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name").rows
    assert len(proofs.verify(Database(mine), bundle).findings) >= len(CHECKS)
    assert counts(mine) == before
    assert mine.run("SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name").rows == settings
    assert mine.run("SELECT session_user::text, current_user::text").rows == (("postgres", "postgres"),)
    assert mine.scalar("SELECT pg_current_xact_id_if_assigned() IS NULL")
    assert mine.scalar("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'") == 0


def test_every_table_under_row_security_can_be_tried(looking: Session) -> None:
    rows = looking.run(
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relrowsecurity AND NOT c.relispartition ORDER BY 1"
    ).rows
    assert sorted(RECIPES) == [name for (name,) in rows]


# --- each fault is found ----------------------------------------------------------------------------------------


def tried(session: Session, *changes: str) -> list[Finding]:
    for change in changes:
        session.run(change)
    return bad(trials.prove_trials(Database(session)))


@pytest.mark.parametrize(
    ("changes", "check", "thing", "said"),
    [
        (["ALTER TABLE family.child_profiles DISABLE ROW LEVEL SECURITY"], trials.RLS, "family.child_profiles",
         "wondernest_app without context: sees a row of one family"),
        (["CREATE POLICY open ON core.users TO wondernest_ro USING (true)"], trials.RLS, "core.users",
         "wondernest_app for a guardian: sees a row of another family"),
        (["DROP POLICY users_context ON core.users", "CREATE POLICY open ON core.users TO wondernest_ro USING (true)"],
         trials.RLS, "core.users", "wondernest_app without context: sees a row of one family"),
        (["DROP POLICY insights_tenant ON analytics.insights"], trials.RLS, "analytics.insights",
         "does not see the row of one family that it should see"),
        (["ALTER POLICY insights_tenant ON analytics.insights WITH CHECK (true)"], trials.RLS, "analytics.insights",
         "inserting a row for another family is not refused"),
        (["GRANT SELECT ON core.users TO wondernest_monitor", "CREATE POLICY m ON core.users TO wondernest_monitor"
          " USING (true)"], trials.RLS, "core.users", "wondernest_monitor: sees a row of one family"),
        (["DROP POLICY child_profiles_analytics ON family.child_profiles",
          "CREATE POLICY child_profiles_analytics ON family.child_profiles TO wondernest_analytics USING (true)"],
         trials.RLS, "family.child_profiles", "wondernest_analytics: sees a row of another family"),
        (["GRANT INSERT ON content.collections TO wondernest_analytics", "CREATE POLICY w ON content.collections"
          " FOR INSERT TO wondernest_analytics WITH CHECK (true)"], trials.RLS, "content.collections",
         "wondernest_analytics: inserting a row for another family is not refused"),
        (["DROP POLICY users_owner ON core.users"], trials.RLS, "core.users",
         "wondernest_migration as wondernest_owner"),
        (["DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid FROM pg_inherits WHERE inhparent ="
          " 'audio.sessions'::regclass LOOP EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', p);"
          " END LOOP; END $$"], trials.PARTITIONS, "audio.sessions_", "it sees rows"),
        (["ALTER TABLE ml.child_features DISABLE TRIGGER USER"], trials.CONSENT, "ml.child_features",
         "collects without asking for consent"),
        (["CREATE OR REPLACE FUNCTION family.collection_refusal(p_child_id uuid, p_consent_type text) RETURNS text"
          " LANGUAGE sql SECURITY DEFINER AS 'SELECT NULL'"], trials.CONSENT, "audio.sessions",
         "consent withdrawn, as wondernest_app: not WN001"),
        (["CREATE TABLE core.secrets (id int PRIMARY KEY)", "ALTER TABLE core.secrets ENABLE ROW LEVEL SECURITY"],
         trials.RLS, "core.secrets", "wnadmin knows no row for it"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)  # fmt: skip
def test_what_is_tried_finds(mine: Session, changes: list[str], check: str, thing: str, said: str) -> None:
    found = tried(mine, *changes)
    hits = [one for one in found if one.check == check and one.object.startswith(thing) and said in one.detail]
    assert hits, found
    assert hits[0].severity == ("unknown" if thing == "core.secrets" else "critical")


def test_a_trial_that_cannot_begin_is_unknown(mine: Session) -> None:
    mine.run("DROP FUNCTION family.create_family(uuid, text)")
    found = trials.prove_trials(Database(mine))
    assert {(one.check, one.severity) for one in found} == {
        (trials.RLS, "unknown"), (trials.PARTITIONS, "unknown"), (trials.CONSENT, "unknown"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("REVOKE EXECUTE ON FUNCTION audio.start_session FROM wondernest_rw",
         "audio.start_session as wondernest_app with context"),
        ("DROP VIEW admin.index_usage_stats", "admin.index_usage_stats as a superuser without context"),
        ("REVOKE SELECT ON admin.trigger_monitoring FROM wondernest_monitor",
         "admin.trigger_monitoring as wondernest_monitor"),
        ("CREATE OR REPLACE FUNCTION core.cleanup_expired_sessions() RETURNS integer LANGUAGE sql"
         " AS 'SELECT NULL::int'",
         "it gave NULL"),
        ("CREATE OR REPLACE FUNCTION core.create_user(p_email text, p_password_hash text, p_first_name text,"
         " p_last_name text, p_auth_provider text DEFAULT 'email', p_external_id text DEFAULT NULL,"
         " p_timezone text DEFAULT 'UTC') RETURNS uuid LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$no$$; END'",
         "family.create_family as wondernest_app with context: not tried"),
    ],
)  # fmt: skip
def test_a_call_that_fails_is_named(mine: Session, change: str, said: str) -> None:
    assert bad(calls.prove_calls(mine)) == []
    mine.run(change)
    found = bad(calls.prove_calls(mine))
    assert {one.severity for one in found} == {"critical"}
    assert any(said in one.detail or f"{one.object}{one.detail}".find(said) >= 0 for one in found), found


@pytest.mark.parametrize(
    ("change", "thing"),
    [
        ("ALTER TABLE audio.speech_metrics ADD COLUMN raw bytea", "audio.speech_metrics.raw"),
        ("ALTER TABLE audio.sessions ADD COLUMN recording_url text", "audio.sessions.recording_url"),
        ("ALTER TABLE ml.child_features ADD COLUMN embedding jsonb", "ml.child_features.embedding"),
        ("ALTER TABLE ml.child_features ADD COLUMN vector float8[]", "ml.child_features.vector"),
        ("ALTER TABLE audio.sessions ADD COLUMN sound oid", "audio.sessions.sound"),
        ("ALTER TABLE core.users ADD COLUMN sum bytea CHECK (octet_length(sum) <= 4000)", "core.users.sum"),
        ("ALTER TABLE audit.operator_ledger DROP CONSTRAINT operator_ledger_hashes_check", "audit.operator_ledger.h"),
        ("SELECT lo_create(4711)", ""),
    ],
)
def test_a_place_for_recordings_is_found(mine: Session, change: str, thing: str) -> None:
    assert bad(looks.prove_no_recordings(Database(mine))) == []
    mine.run(change)
    assert thing in [one.object for one in bad(looks.prove_no_recordings(Database(mine)))]


def test_harmless_columns_are_left_alone(mine: Session) -> None:
    mine.run("ALTER TABLE core.users ADD COLUMN digest bytea CHECK (octet_length(digest) = 32)")
    mine.run("ALTER TABLE audio.sessions ADD COLUMN audio_seconds int, ADD COLUMN invoice_note text")
    assert bad(looks.prove_no_recordings(Database(mine))) == []


def partition(session: Session, parent: str, months: int) -> str:
    query = "SELECT to_char(date_trunc('month', now()) + make_interval(months => %s), '\"' || %s || '\"_YYYY_MM')"
    return str(session.scalar(query, [months, parent]))


@pytest.mark.parametrize(
    ("months", "severity", "said"),
    [
        ([0], "critical", "the current month has no partition"),
        ([1], "critical", "the next month has no partition"),
        ([2, 3], "warn", "only 1 months ahead"),
        ([2], "critical", "there is a gap before content.engagement_"),
    ],
)
def test_missing_months_are_found(mine: Session, bundle: Bundle, months: list[int], severity: str, said: str) -> None:
    for month in months:
        mine.run(f"DROP TABLE {partition(mine, 'content.engagement', month)}")
    found = bad(looks.prove_partitions(Database(mine), bundle.expected.catalog))
    assert any(one.severity == severity and said in one.detail for one in found), found
    assert {one.object for one in found} == {"content.engagement"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", "not enabled and forced"),
        ("ALTER TABLE {} OWNER TO postgres", "another owner"),
        ("CREATE POLICY p ON {} USING (true)", "a way around its parent"),
        ("GRANT SELECT ON {} TO PUBLIC", "other privileges"),
    ],
)
def test_a_partition_unlike_its_parent_is_found(mine: Session, bundle: Bundle, change: str, said: str) -> None:
    name = partition(mine, "audit.activity_log", 1)
    mine.run(change.format(name))
    found = bad(looks.prove_partitions(Database(mine), bundle.expected.catalog))
    assert [one.object for one in found if said in one.detail] == [name]


def test_a_table_without_partitions_and_a_default_one_are_found(mine: Session, bundle: Bundle) -> None:
    mine.run("CREATE TABLE analytics.events_rest PARTITION OF analytics.events DEFAULT")
    mine.run(
        "DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid FROM pg_inherits WHERE inhparent ="
        " 'content.engagement'::regclass LOOP EXECUTE format('DROP TABLE %s', p); END LOOP; END $$"
    )
    said = {(one.object, one.detail) for one in bad(looks.prove_partitions(Database(mine), bundle.expected.catalog))}
    assert ("content.engagement", "it has no partition: nothing can be inserted") in said
    assert ("analytics.events_rest", "a default partition, which hides that a month is missing") in said


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE audit.operator_ledger DISABLE TRIGGER USER",
        "ALTER TABLE audit.operator_ledger ENABLE TRIGGER USER",
        "GRANT UPDATE ON audit.operator_ledger TO wondernest_operator",
        "ALTER TABLE audit.operator_ledger OWNER TO wondernest_owner",
    ],
)
def test_a_ledger_that_can_be_changed_is_found(mine: Session, change: str) -> None:
    assert bad(looks.prove_ledger(Database(mine))) == []
    mine.run(change)
    assert [one.severity for one in bad(looks.prove_ledger(Database(mine)))][:1] == ["critical"]


def test_who_can_become_the_ledgers_owner_is_told(mine: Session) -> None:
    mine.run("CREATE ROLE ledger_friend LOGIN")
    try:
        mine.run("GRANT wondernest_audit_owner TO ledger_friend")
        found = looks.prove_ledger(Database(mine))
        assert [(one.severity, one.object) for one in found] == [("critical", "wondernest_audit_owner")]
        # Where there is no superuser to be had, whoever made the roles is as good as one.
        mine.run("ALTER ROLE ledger_friend CREATEROLE")
        assert bad(looks.prove_ledger(Database(mine))) != []
        mine.run("GRANT wondernest_audit_owner TO ledger_friend WITH ADMIN OPTION")
        (one,) = looks.prove_ledger(Database(mine))
        assert (one.severity, "ledger_friend" in one.detail) == ("ok", True)
    finally:
        mine.run("DROP ROLE ledger_friend")


def test_a_drifted_catalog_is_found(setup: Setup, server: Server, empty_db: str) -> None:
    setup.apply(empty_db)
    with server.session(empty_db) as session:
        session.run("DROP INDEX content.idx_engagement_item_id_started_at")
        session.run("CREATE INDEX extra ON core.users (created_at)")
        session.run("UPDATE public.flyway_schema_history SET checksum = 1")
        found = bad(proofs.look(Database(session), setup.bundle))
    assert {(one.check, one.severity, one.object) for one in found} == {
        (looks.CATALOG, "critical", "index content.idx_engagement_item_id_started_at"),
        (looks.CATALOG, "warn", "index core.extra"),
        (looks.HISTORY, "critical", ""),
    }


@pytest.mark.parametrize(
    ("statement", "follow"), [("SELECT 1", "wnadmin setup apply"), ("CREATE TABLE public.orders (id int)", "")]
)
def test_a_database_without_wondernest(
    server: Server, empty_db: str, bundle: Bundle, statement: str, follow: str
) -> None:
    with server.session(empty_db) as session:
        session.run(statement)
        found = proofs.verify(Database(session), bundle)
    (one,) = found.findings
    assert (one.check, one.severity, one.remediation, found.next) == (looks.CATALOG, "critical", follow, follow)


@pytest.mark.parametrize("login", ["wondernest_app", "wondernest_analytics"])
def test_who_cannot_read_the_history_is_told_who_can(setup: Setup, server: Server, empty_db: str, login: str) -> None:
    setup.apply(empty_db)
    with server.session(empty_db, login) as session:
        found = proofs.verify(Database(session), setup.bundle)
    (one,) = found.findings
    assert (one.check, one.severity, one.evidence) == (looks.CATALOG, "unknown", "none")
    assert "cannot read the migration history" in one.detail and login in one.detail
    assert found.next == "Log in as a superuser or as a member of wondernest_owner."


def test_a_half_made_database(server: Server, empty_db: str, bundle: Bundle) -> None:
    with server.session(empty_db) as session:
        for file in bundle.files[:3]:
            assert session.script(file.text).error is None
    with server.session(empty_db) as session:
        found = proofs.verify(Database(session), bundle).findings
    assert len(found) < 200
    assert {one.check for one in bad(found)} >= {looks.CATALOG, looks.HISTORY, looks.PARTITIONS, calls.CHECK}
    assert not any(one.severity == "ok" for one in found if one.check in (calls.CHECK, trials.RLS, trials.CONSENT))


# --- what cannot be seen is unknown -----------------------------------------------------------------------------


def test_without_superuser_nothing_tried_is_called_ok(server: Server, db: str, bundle: Bundle) -> None:
    with server.session(db, "wondernest_monitor") as session:
        found = proofs.verify(Database(session), bundle)
    unseen = {one.check: one for one in found.findings if one.severity == "unknown"}
    assert unseen.keys() == {looks.PASSWORDS, calls.CHECK, trials.RLS, trials.PARTITIONS, trials.CONSENT}
    assert all(one.evidence == "none" and "superuser" in one.detail for one in unseen.values())
    assert found.notes == ("Log in as a superuser to have functions, row-level security and consent tried.",)


def test_a_read_only_database_says_that_and_not_to_be_a_superuser(server: Server, db: str, bundle: Bundle) -> None:
    with server.session(db, default_transaction_read_only="on") as session:
        (note,) = proofs.verify(Database(session), bundle).notes
    assert note.startswith("End read-only mode") and "superuser" not in note


def test_a_read_only_database_is_not_written_to(server: Server, db: str, bundle: Bundle) -> None:
    with server.session(db, default_transaction_read_only="on") as session:
        found = proofs.attempt(Database(session))
    assert {one.severity for one in found} == {"unknown"}
    assert all("read-only" in one.detail for one in found)


@pytest.fixture
def standby(bundle: Bundle) -> Iterator[Server]:
    server = start_server("standby")
    install(server, "postgres")
    server.cluster.stop()
    (Path(str(server.cluster.status(size=False).data)) / "standby.signal").touch()
    server.cluster.start(SETTINGS, fsync=False)
    yield server
    end_server(server)


def test_a_standby_is_looked_at_and_not_tried(standby: Server, bundle: Bundle) -> None:
    with standby.session() as session:
        result = proofs.verify(Database(session), bundle)
    found = result.findings
    assert result.notes == ("Name the primary with --dsn to have functions, row-level security and consent tried.",)
    assert [one.check for one in bad(found) if one.severity != "unknown"] == [looks.HISTORY]
    assert all("standby" in one.detail for one in found if one.severity == "unknown")


# --- passwords --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encryption", ["scram-sha-256", "md5"])
def test_guessable_passwords_are_found(fresh_server: Server, encryption: str) -> None:
    with fresh_server.session("wondernest_template") as session:
        session.run(f"SET password_encryption = '{encryption}'")
        session.run("SET client_min_messages = error")
        session.run("ALTER ROLE wondernest_app PASSWORD 'your_secure_password_here'")
        session.run("ALTER ROLE wondernest_monitor PASSWORD 'wondernest_monitor'")
        session.run("ALTER ROLE wondernest_backup PASSWORD 'vWq0-long-and-random-7f'")
        found = looks.prove_passwords(Database(session))
        verifier = str(session.scalar("SELECT rolpassword FROM pg_authid WHERE rolname = 'wondernest_backup'"))
    assert {(one.severity, one.object) for one in found} == {
        ("critical", "wondernest_app"), ("critical", "wondernest_monitor"),
    }  # fmt: skip
    assert fits(verifier, "wondernest_backup", "vWq0-long-and-random-7f")
    assert not guessable("wondernest_backup", verifier)


@pytest.mark.parametrize("encryption", ["scram-sha-256", "md5"])
def test_what_is_said_of_passwords_is_said_of_our_roles(fresh_server: Server, encryption: str) -> None:
    with fresh_server.session("wondernest_template") as session:
        session.run(f"SET password_encryption = '{encryption}'")
        session.run("SET client_min_messages = error")
        # Another's role: whatever it has is not WonderNest's to judge.
        session.run("ALTER ROLE postgres PASSWORD 'postgres'")
        told = []
        for role in ("", "wondernest_backup", "wondernest_app"):
            if role:
                session.run(f"ALTER ROLE {role} PASSWORD 'vWq0-long-and-random-7f'")
            (found,) = looks.prove_passwords(Database(session))
            assert found.severity == "ok"
            told.append(found.detail)
        assert told == [
            "no WonderNest role has a password",
            "1 WonderNest role has a password, not a default one",
            "2 WonderNest roles have a password, none is a default one",
        ]
        for weak in ("wondernest_app", "app", "password123", "wondernest"):
            session.run(f"ALTER ROLE wondernest_app PASSWORD '{weak}'")
            (found,) = looks.prove_passwords(Database(session))
            assert (found.severity, found.object) == ("critical", "wondernest_app"), weak


def test_strange_verifiers_fit_nothing() -> None:
    for verifier in ("", "md5", "SCRAM-SHA-256$4096:x$y:z", "SCRAM-SHA-256$4096:AA==$AAA:AA=="):
        assert not fits(verifier, "role", "password")


def test_a_database_that_asks_for_verifiable_consent_is_proven_too(server: Server, fresh_db: str, cli: Cli) -> None:
    with server.session(fresh_db) as session:
        session.run(f"ALTER DATABASE \"{fresh_db}\" SET wondernest.require_verifiable_consent = 'on'")
    ran = cli.run("setup", "verify", "--format", "json", "--dsn", server.dsn(fresh_db))
    bad = [(one["check"], one["detail"]) for one in ran.json()["findings"] if one["severity"] == "critical"]
    assert not bad
