"""Households to try row-level security on, and the manifest as the tests read it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import ROOT, Server
from wnadmin.errors import WnError
from wnadmin.postgres.session import Session
from wnadmin.postgres.values import Answer

SQL = ROOT / "sql"
APPLICATION = ("core", "family", "content", "audio", "subscription", "analytics", "safety", "ml")
SCHEMAS = (*APPLICATION, "audit", "admin")
LOGINS = ("app", "analytics", "migration", "backup", "monitor")
GROUPS = ("owner", "definer", "audit_owner", "rw", "ro", "worker", "operator", "compliance", "approver")

# One row of every table that belongs to a household; :words are its keys. In an order that foreign keys allow.
INSERTS: Mapping[str, str] = {
    "core.users": "(id, email, first_name) VALUES (:new, :new || '@new.test', 'Someone')",
    "core.user_devices": "(user_id, device_identifier, platform) VALUES (:user, :new, 'ios')",
    "core.sessions": "(user_id, token_hash, expires_at) VALUES (:user, sha256(:new::bytea), now() + INTERVAL '1 hour')",
    "core.user_tokens": "(user_id, purpose, token_hash, expires_at)"
    " VALUES (:user, 'password_reset', sha256(:new::bytea), now() + INTERVAL '1 hour')",
    "core.user_preferences": "(user_id) VALUES (:user) ON CONFLICT DO NOTHING",
    "family.families": "(id, name, created_by) VALUES (:new, 'Another', :user)",
    "family.family_members": "(family_id, user_id, role) VALUES (:family, :visitor, 'viewer')",
    "family.invitations": "(family_id, email, token_hash, expires_at)"
    " VALUES (:family, 'friend@example.com', sha256(:new::bytea), now() + INTERVAL '1 day')",
    "family.child_profiles": "(family_id, first_name, birth_date) VALUES (:family, 'Sibling', current_date - 700)",
    "family.guardian_consents": "(child_id, guardian_user_id, consent_type, method, policy_version)"
    " VALUES (:child, :user, 'research', 'self_declared', '1')",
    "family.child_notes": "(child_id, author_id, note_encrypted, note_key_id) VALUES (:child, :user, '\\x00', 'k')",
    "content.curation_reviews": "(item_id, reviewer_id, decision) VALUES (:item, :user, 'approve')",
    "content.collections": "(id, family_id, created_by, name) VALUES (:collection, :family, :user, 'Ours')",
    "content.collection_items": "(collection_id, item_id) VALUES (:collection, :item)",
    "content.engagement": "(child_id, item_id) VALUES (:child, :item)",
    "audio.sessions": "(id, child_id, started_at) VALUES (:session, :child, now())",
    "audio.speech_metrics": "(session_id, session_started_at, child_id, window_start, window_seconds)"
    " SELECT id, started_at, child_id, started_at, 60 FROM audio.sessions WHERE id = :session",
    "audio.session_archive": "(session_id, child_id, started_at, location, status)"
    " VALUES (:new, :child, now(), 'home', 'completed')",
    "subscription.subscriptions": "(family_id, plan_id, payer_user_id, status)"
    " SELECT :family::uuid, id, :user::uuid, 'expired' FROM subscription.plans WHERE code = 'free'",
    "subscription.invoices": "(family_id, invoice_number, provider, amount_cents, currency)"
    " VALUES (:family, :new, 'stripe', 100, 'USD')",
    "subscription.payments": "(family_id, provider, provider_payment_ref, status, amount_cents, currency)"
    " VALUES (:family, 'stripe', :new, 'succeeded', 100, 'USD')",
    "analytics.events": "(event_name, user_id, family_id, child_id) VALUES ('opened', :user, :family, :child)",
    "analytics.daily_child_metrics": "(child_id, metric_date, age_months) VALUES (:child, current_date - 3, 20)",
    "analytics.insights": "(child_id, insight_type, title, period_start, period_end)"
    " VALUES (:child, 'speech', 'More words', current_date - 7, current_date)",
    "analytics.child_milestones": "(child_id, milestone_id, achieved_on)"
    " SELECT :child::uuid, id, current_date FROM analytics.milestones ORDER BY code LIMIT 1",
    "analytics.reports": "(family_id, child_id, report_type, period_start, period_end, content)"
    " VALUES (:family, :child, 'weekly', current_date - 7, current_date, '{}')",
    "safety.content_reports": "(item_id, reporter_user_id, reason) VALUES (:item, :user, 'other')",
    "safety.parental_controls": "(child_id) VALUES (:child) ON CONFLICT DO NOTHING",
    "safety.incidents": "(family_id, child_id, category, severity) VALUES (:family, :child, 'device', 'low')",
    "ml.child_features": "(child_id, feature_set, features) VALUES (:child, 'basic', '{\"a\": 1}')",
    "ml.recommendations": "(child_id, item_id, score) VALUES (:child, :item, 0.5)",
}


@cache
def manifest() -> dict[str, Any]:
    """Read ``sql/manifest.toml``."""
    return tomllib.loads((SQL / "manifest.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Household:
    """A parent with a family and a child who has consent; ``visitor`` is a parent outside of it."""

    user: UUID
    visitor: UUID
    family: UUID
    child: UUID
    collection: UUID
    session: UUID

    def fill(self, text: str, item: UUID) -> str:
        """Put the keys in place of the words; ``:new`` is a new key each time."""
        words = {
            "user": self.user, "visitor": self.visitor, "family": self.family, "child": self.child,
            "collection": self.collection, "session": self.session, "item": item, "new": uuid4(),
        }  # fmt: skip
        for word, key in words.items():
            text = text.replace(f":{word}", f"'{key}'")
        return text

    def insert(self, table: str, item: UUID) -> str:
        """Give the statement that adds one row of this household to the table."""
        return f"INSERT INTO {table} {self.fill(INSERTS[table], item)}"


def make_household(session: Session, name: str, *, sample: bool = False) -> Household:
    """Make a household with a row in every table of a subject, as a superuser without context."""
    person = "SELECT core.create_user(%s, '$2a$12$hash', 'Given', 'Family', 'email', NULL, 'UTC')"
    user, visitor = (session.scalar(person, [f"{name}.{who}@example.com"]) for who in ("parent", "visitor"))
    if sample:
        session.run("UPDATE core.users SET is_sample = true WHERE id IN (%s, %s)", [user, visitor])
    family = session.scalar("SELECT family.create_family(%s, %s)", [user, name])
    child = session.scalar(
        "SELECT family.create_child_profile(%s, 'Emma', '2021-03-15', 'female', 'en', ARRAY['animals', 'music'])",
        [family],
    )
    house = Household(user, visitor, family, child, uuid4(), uuid4())
    item = any_item(session)
    for table in INSERTS:
        if table not in ("core.users", "family.families", "family.child_profiles"):
            session.run(house.insert(table, item))
    request = session.scalar("SELECT audit.open_request('access', 'child', %s, 'parent')", [child])
    session.run("INSERT INTO audit.recipient_notices (request_id, recipient) VALUES (%s, 'mailer')", [request])
    return house


def any_item(session: Session) -> UUID:
    """Give an item of the library."""
    found: UUID = session.scalar("SELECT id FROM content.items ORDER BY id LIMIT 1")
    return found


@contextmanager
def signed_in(server: Server, dbname: str, user: UUID | None, login: str = "wondernest_app") -> Iterator[Session]:
    """Log in as the application does, with this parent signed in; None for nobody."""
    with server.session(dbname, login, row_security="on") as session:
        if user is not None:
            session.run("SELECT set_config('app.current_user_id', %s, false)", [str(user)])
        yield session


@contextmanager
def refused(state: str) -> Iterator[None]:
    """Expect this SQLSTATE."""
    with pytest.raises(WnError) as caught:
        yield
    assert caught.value.sqlstate == state, caught.value.what


def attempt(session: Session, text: str) -> str | Answer:
    """Run a statement and give its answer, or its SQLSTATE when it is refused."""
    try:
        return session.run(text)
    except WnError as error:
        return error.sqlstate or error.what


def column(session: Session, text: str, *bound: object) -> list[Any]:
    """Run a query and give its first column."""
    return [row[0] for row in session.run(text, bound).rows]


def claims(table: str) -> list[tuple[str, str]]:
    """Give, for each subject with a claim on the table, its kind and a condition on ``t`` with ``%s`` for its key."""
    facts = manifest()["table"][table]
    found = []
    for one in [facts, *facts.get("also", ())]:
        if one["subject"] == "none":
            continue
        *steps, last = one["path"]
        condition, alias = f'{{}}."{last}" = %s', "t"
        parts = []
        for number, step in enumerate(steps):
            column_name, there = step.split(" > ")
            schema, name, key = there.split(".")
            parts.append((f"x{number}", f"{schema}.{name}", key, f'{alias}."{column_name}"'))
            alias = f"x{number}"
        text = condition.format(alias)
        for name, where, key, left in reversed(parts):
            text = f"EXISTS (SELECT 1 FROM {where} AS {name} WHERE {name}.{key} = {left} AND {text})"
        found.append((one["subject"], text))
    return found
