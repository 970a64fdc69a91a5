"""Consent is enforced: every table that collects about a child refuses a child without it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.sql.support import Household, any_item, column, make_household, refused, signed_in
from tests.support import Server
from wnadmin.postgres.session import Session

COLLECTING = {
    "audio.sessions": "audio_analysis",
    "audio.speech_metrics": "audio_analysis",
    "content.engagement": "data_collection",
    "analytics.events": "data_collection",
    "ml.child_features": "personalization",
}
STATES = {
    "withdrawn": ("SELECT family.withdraw_consent(%s)", "WN001"),
    "restricted": ("SELECT family.restrict_processing(%s)", "WN002"),
    "stopped": ("SELECT family.stop_collection(%s)", "WN003"),
}


@pytest.fixture(scope="module")
def place(server: Server, template: str) -> Iterator[tuple[str, Household]]:
    name = server.create(template)
    with server.session(name) as session:
        house = make_household(session, "consent")
        # Its row stands in the way of another of the same kind.
        session.run("DELETE FROM ml.child_features")
        session.run("DELETE FROM audio.speech_metrics")
    yield name, house
    server.drop(name)


def insert(session: Session, table: str, house: Household, item: UUID) -> None:
    again = Household(house.user, house.visitor, house.family, house.child, house.collection, house.session)
    text = again.insert(table, item)
    if table == "audio.sessions":
        text = text.replace(f"'{house.session}'", "gen_random_uuid()")
    session.run(text)


@pytest.mark.parametrize("table", sorted(COLLECTING))
@pytest.mark.parametrize("state", sorted(STATES))
@pytest.mark.parametrize("who", ["superuser", "application"])
def test_collecting_is_refused(server: Server, place: tuple[str, Household], table: str, state: str, who: str) -> None:
    name, house = place
    change, sqlstate = STATES[state]
    with server.session(name) if who == "superuser" else signed_in(server, name, house.user) as session:
        item = any_item(session)
        session.run("BEGIN")
        insert(session, table, house, item)
        session.run("ROLLBACK")
        session.run("BEGIN")
        session.run(change, [house.child])
        with refused(sqlstate):
            insert(session, table, house, item)
        session.run("ROLLBACK")


@pytest.mark.parametrize("table", sorted(COLLECTING))
def test_each_kind_of_collection_has_its_own_consent(server: Server, place: tuple[str, Household], table: str) -> None:
    name, house = place
    with signed_in(server, name, house.user) as session:
        item = any_item(session)
        for kind in sorted(set(COLLECTING.values())):
            session.run("BEGIN")
            assert session.scalar("SELECT family.withdraw_consent(%s, %s)", [house.child, kind]) == 1
            if kind == COLLECTING[table]:
                with refused("WN001"):
                    insert(session, table, house, item)
            else:
                insert(session, table, house, item)
            session.run("ROLLBACK")


def test_start_session_refuses_too(server: Server, place: tuple[str, Household]) -> None:
    name, house = place
    with signed_in(server, name, house.user) as session:
        for change, sqlstate in STATES.values():
            session.run("BEGIN")
            session.run(change, [house.child])
            with refused(sqlstate):
                session.run("SELECT audio.start_session(%s, 'home', 'device123')", [house.child])
            session.run("ROLLBACK")


def test_only_a_verifiable_method_counts_where_that_is_required(server: Server, place: tuple[str, Household]) -> None:
    name, house = place
    with signed_in(server, name, house.user) as session:
        session.run("BEGIN")
        session.run("SET LOCAL wondernest.require_verifiable_consent = on")
        with refused("WN001"):
            session.run("SELECT audio.start_session(%s)", [house.child])
        session.run("ROLLBACK")
        session.run("BEGIN")
        session.run("SET LOCAL wondernest.require_verifiable_consent = on")
        session.run("SELECT family.record_consent(%s, 'audio_analysis', 'credit_card')", [house.child])
        assert session.scalar("SELECT audio.start_session(%s)", [house.child])
        session.run("ROLLBACK")


def test_the_setting_of_the_database_stands_above_the_session(server: Server, place: tuple[str, Household]) -> None:
    name, house = place
    with server.session() as session:
        session.run(f'ALTER DATABASE "{name}" SET wondernest.require_verifiable_consent = on')
    try:
        with signed_in(server, name, house.user) as session:
            session.run("SET wondernest.require_verifiable_consent = off")
            with refused("WN001"):
                session.run("SELECT audio.start_session(%s)", [house.child])
    finally:
        with server.session() as session:
            session.run(f'ALTER DATABASE "{name}" RESET wondernest.require_verifiable_consent')


def test_a_profile_records_the_guardians_consent_with_its_method(server: Server, place: tuple[str, Household]) -> None:
    name, house = place
    with signed_in(server, name, house.user) as session:
        session.run("BEGIN")
        session.run("SET LOCAL wondernest.consent_method = 'signed_form'")
        child = session.scalar(
            "SELECT family.create_child_profile(%s, 'Emma', current_date - 900, 'female', 'en', ARRAY['music'])",
            [house.family],
        )
        rows = session.run(
            "SELECT consent_type, method, is_verifiable, guardian_user_id FROM family.guardian_consents"
            " WHERE child_id = %s ORDER BY 1",
            [child],
        ).rows
        assert rows == tuple(
            (kind, "signed_form", True, house.user) for kind in ("audio_analysis", "data_collection", "personalization")
        )
        session.run("ROLLBACK")


def test_nobody_consents_for_somebody_else(server: Server, place: tuple[str, Household]) -> None:
    name, house = place
    with signed_in(server, name, house.user) as session:
        with refused("42501"):
            session.run(
                "INSERT INTO family.guardian_consents"
                " (child_id, guardian_user_id, consent_type, method, policy_version)"
                " VALUES (%s, %s, 'research', 'credit_card', '1')",
                [house.child, house.visitor],
            )
        with refused("42501"):
            session.run("SELECT family.record_consent(%s, 'research', 'operator_recorded')", [house.child])
    with signed_in(server, name, house.visitor) as session, refused("42501"):
        session.run("SELECT family.record_consent(%s, 'research', 'credit_card')", [house.child])


def test_the_last_consenting_guardian_leaves(server: Server, place: tuple[str, Household]) -> None:
    name, house = place
    with server.session(name) as session:
        session.run("BEGIN")
        session.run("DELETE FROM core.users WHERE id = %s", [house.user])
        assert session.run(
            "SELECT restriction_reason, processing_restricted_at IS NOT NULL FROM family.child_profiles WHERE id = %s",
            [house.child],
        ).rows == (("consent_lapsed", True),)
        assert column(session, "SELECT DISTINCT withdrawal_reason FROM family.guardian_consents WHERE child_id = %s",
                      house.child) == ["guardian_left"]  # fmt: skip
        session.run("ROLLBACK")
