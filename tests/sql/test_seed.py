"""What 06 puts into a new database, and that it stays the same."""

from __future__ import annotations

from itertools import product

from tests.sql.support import SQL, column
from tests.support import Server, install
from wnadmin.postgres.session import Session

# Completed months at which a band of the library begins.
BANDS = (0, 12, 24, 36, 60, 84, 120, 144)
KINDS = ("activity", "audio", "book", "game", "song", "video")
SEED = (SQL / "06_seed_data.sql").read_text("utf-8")


def digest(session: Session) -> dict[str, str]:
    """A hash of every table, without the times at which rows were made, the trail, and what operators did."""
    tables = column(
        session,
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace::regnamespace::text IN ('core', 'family', 'content', 'audio', 'subscription',"
        " 'analytics', 'safety', 'ml', 'audit') AND c.relname NOT IN ('activity_log', 'operator_ledger',"
        " 'ledger_checkpoints') ORDER BY 1",
    )
    return {
        table: session.scalar(
            "SELECT count(*) || ' ' || coalesce(md5(string_agg(j::text, ',' ORDER BY j::text)), '') FROM"
            f" (SELECT to_jsonb(t) - ARRAY['created_at', 'updated_at'] AS j FROM {table} AS t) AS x"
        )
        for table in tables
    }


def test_every_band_of_age_has_content_of_every_kind(looking: Session) -> None:
    found = looking.run(
        "SELECT min_age_months, content_type, count(*) FROM content.items WHERE status = 'approved' AND language = 'en'"
        " GROUP BY 1, 2"
    ).rows
    counts = {(age, kind): count for age, kind, count in found}
    assert set(counts) == set(product(BANDS, KINDS))
    assert min(counts.values()) >= 2


def test_every_age_gets_a_list_of_every_kind(server: Server, fresh_db: str) -> None:
    """By the promised call, for a child of every year from birth to 17."""
    with server.session(fresh_db) as session:
        family = session.scalar("SELECT id FROM family.families ORDER BY id LIMIT 1")
        for months in range(0, 17 * 12 + 12, 6):
            child = session.scalar(
                "SELECT family.create_child_profile(%s, 'Emma', (current_date - make_interval(months => %s))::date)",
                [family, months],
            )
            for kind in KINDS:
                rows = session.run(
                    "SELECT min_age_months, max_age_months FROM content.get_age_appropriate_content("
                    "child_id => %s, p_content_type => %s, p_limit => 20)",
                    [child, kind],
                ).rows
                assert len(rows) >= 2, (months, kind)
                assert all(low <= months <= high for low, high in rows)


def test_sample_families_cannot_sign_in_and_are_marked(looking: Session) -> None:
    users = looking.run("SELECT email, password_hash, is_sample FROM core.users WHERE email LIKE '%@example.com'").rows
    assert len(users) == 4
    assert all(email.startswith("sample.parent.") and hashed == "!" and sample for email, hashed, sample in users)
    assert looking.scalar("SELECT count(*) FROM core.users WHERE NOT is_sample") == 0
    assert looking.scalar("SELECT count(*) FROM family.families WHERE NOT is_sample") == 0
    assert looking.scalar("SELECT count(*) FROM family.child_profiles WHERE NOT is_sample") == 0
    guardians = "SELECT count(*) FROM family.family_members WHERE role = 'guardian' GROUP BY family_id"
    assert max(column(looking, guardians)) == 2
    ages = column(
        looking, "SELECT DISTINCT extract(YEAR FROM age(birth_date))::int FROM family.child_profiles ORDER BY 1"
    )
    assert len(ages) >= 5
    # The address of the document's own example stays free.
    assert looking.scalar("SELECT count(*) FROM core.users WHERE email_normalized = 'parent@example.com'") == 0


def test_reference_data_is_there(looking: Session) -> None:
    for table, least in {
        "subscription.plans": 4, "content.categories": 15, "content.creators": 3, "analytics.milestones": 40,
        "safety.content_ratings": 100, "ml.model_versions": 3, "content.collection_items": 10,
        "audit.data_retention_policies": 40,
    }.items():  # fmt: skip
        assert looking.scalar(f"SELECT count(*) FROM {table}") >= least, table
    assert looking.scalar("SELECT count(*) FROM content.items AS i WHERE NOT EXISTS"
                          " (SELECT 1 FROM content.item_categories AS c WHERE c.item_id = i.id)") == 0  # fmt: skip
    uncovered = column(
        looking,
        "SELECT m FROM generate_series(1, 143) AS m WHERE NOT EXISTS (SELECT 1 FROM analytics.milestones"
        " WHERE m BETWEEN typical_min_months AND typical_max_months)",
    )
    assert uncovered == []


def test_running_it_again_changes_nothing(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        before, trail = digest(session), session.scalar("SELECT count(*) FROM audit.activity_log")
        stamps = column(session, "SELECT max(updated_at) FROM content.items")
        assert session.script(SEED).error is None
        session.run("SET search_path = pg_catalog, pg_temp")
        assert digest(session) == before
        assert session.scalar("SELECT count(*) FROM audit.activity_log") == trail
        assert column(session, "SELECT max(updated_at) FROM content.items") == stamps


def test_what_was_changed_since_stays(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("UPDATE subscription.plans SET price_cents = 1 WHERE code = 'plus_monthly'")
        session.run(
            "UPDATE audit.data_retention_policies SET retention_period = '1 day' WHERE policy_code = 'analytics.events'"
        )
        assert session.script(SEED).error is None
        assert session.scalar("SELECT price_cents FROM subscription.plans WHERE code = 'plus_monthly'") == 1
        assert session.scalar(
            "SELECT retention_period = '1 day' FROM audit.data_retention_policies"
            " WHERE policy_code = 'analytics.events'"
        )


def test_two_databases_get_the_same_rows(server: Server, looking: Session) -> None:
    name = server.create()
    try:
        install(server, name, months=0)
        with server.session(name) as session:
            assert digest(session) == digest(looking)
    finally:
        server.drop(name)


def test_samples_can_be_left_out(server: Server) -> None:
    name = server.create()
    try:
        install(server, name, months=0, samples=False)
        with server.session(name) as session:
            for table in ("core.users", "family.families", "family.child_profiles", "analytics.daily_child_metrics"):
                assert session.scalar(f"SELECT count(*) FROM {table}") == 0
            assert session.scalar("SELECT count(*) FROM content.items") >= 96
    finally:
        server.drop(name)
