"""One row for every table under row-level security, to try its policies with.

The rows belong to two families that exist only on the stage. A table without a recipe cannot be tried, and the
proof says so instead of passing over it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wnadmin.domain.setup.stage import Attempt, Stage
from wnadmin.errors import Failed
from wnadmin.postgres.sql import SQL, Composed, Identifier
from wnadmin.postgres.variables import render
from wnadmin.results import Value

_USER, _FAMILY, _CHILD, _ITEM = ":'user'::uuid", ":'family'::uuid", ":'child'::uuid", ":'item'::uuid"
_TEXT = "gen_random_uuid()::text"
_DIGEST = "sha256(convert_to(gen_random_uuid()::text, 'UTF8'))"
_SOON = "now() + INTERVAL '1 hour'"
_TODAY = "current_date"

SHARED: Final[Mapping[str, Mapping[str, str]]] = {
    "content.items": {
        "title": "'setup verify'",
        "content_type": "'video'",
        "min_age_months": "0",
        "max_age_months": "200",
    },
    "subscription.plans": {
        "code": _TEXT,
        "name": "'setup verify'",
        "price_cents": "0",
        "billing_interval": "'none'",
    },
    "analytics.milestones": {
        "code": _TEXT,
        "domain": "'language'",
        "title": "'setup verify'",
        "typical_min_months": "0",
        "typical_max_months": "12",
    },
}
"""Rows of nobody that the others refer to: table → column → SQL expression."""

RECIPES: Final[Mapping[str, Mapping[str, str]]] = {
    "core.users": {"email": f"{_TEXT} || '@example.invalid'", "first_name": "'Verify'"},
    "core.user_devices": {"user_id": _USER, "device_identifier": _TEXT, "platform": "'web'"},
    "core.sessions": {"user_id": _USER, "token_hash": _DIGEST, "expires_at": _SOON},
    "core.user_tokens": {
        "user_id": _USER,
        "purpose": "'password_reset'",
        "token_hash": _DIGEST,
        "expires_at": _SOON,
    },
    "core.user_preferences": {"user_id": _USER},
    "family.families": {"name": "'setup verify'"},
    "family.family_members": {"family_id": _FAMILY, "user_id": _USER},
    "family.invitations": {
        "family_id": _FAMILY,
        "email": f"{_TEXT} || '@example.invalid'",
        "token_hash": _DIGEST,
        "expires_at": _SOON,
    },
    "family.child_profiles": {"family_id": _FAMILY, "first_name": "'Verify'", "birth_date": "'2021-03-15'"},
    "family.guardian_consents": {
        "child_id": _CHILD,
        "guardian_user_id": _USER,
        "consent_type": "'research'",
        "method": "'self_declared'",
        "policy_version": "'0'",
    },
    "family.child_notes": {
        "child_id": _CHILD,
        "author_id": _USER,
        "note_encrypted": "'\\x00'",
        "note_key_id": "'none'",
    },
    "content.curation_reviews": {"item_id": _ITEM, "reviewer_id": _USER, "decision": "'approve'"},
    "content.collections": {"name": "'setup verify'", "family_id": _FAMILY, "created_by": _USER},
    "content.collection_items": {"collection_id": ":'collection'::uuid", "item_id": _ITEM},
    "content.engagement": {"child_id": _CHILD, "item_id": _ITEM},
    "audio.sessions": {"child_id": _CHILD},
    "audio.speech_metrics": {
        "session_id": ":'session'::uuid",
        "session_started_at": ":'session_started'::timestamptz",
        "child_id": _CHILD,
        "window_start": ":'session_started'::timestamptz",
        "window_seconds": "60",
    },
    "audio.session_archive": {
        "session_id": "gen_random_uuid()",
        "child_id": _CHILD,
        "started_at": "now()",
        "location": "'home'",
        "status": "'completed'",
    },
    "subscription.subscriptions": {"family_id": _FAMILY, "plan_id": ":'plan'::uuid", "status": "'expired'"},
    "subscription.invoices": {
        "family_id": _FAMILY,
        "invoice_number": _TEXT,
        "provider": "'stripe'",
        "amount_cents": "0",
        "currency": "'EUR'",
    },
    "subscription.payments": {
        "family_id": _FAMILY,
        "provider": "'stripe'",
        "provider_payment_ref": _TEXT,
        "status": "'failed'",
        "amount_cents": "0",
        "currency": "'EUR'",
    },
    "analytics.events": {"event_name": "'setup.verify'", "child_id": _CHILD, "family_id": _FAMILY, "user_id": _USER},
    "analytics.daily_child_metrics": {"child_id": _CHILD, "metric_date": _TODAY, "age_months": "1"},
    "analytics.insights": {
        "child_id": _CHILD,
        "insight_type": "'speech'",
        "title": "'setup verify'",
        "period_start": _TODAY,
        "period_end": _TODAY,
    },
    "analytics.child_milestones": {
        "child_id": _CHILD,
        "milestone_id": ":'milestone'::uuid",
        "achieved_on": _TODAY,
    },
    "analytics.reports": {
        "family_id": _FAMILY,
        "report_type": "'weekly'",
        "period_start": _TODAY,
        "period_end": _TODAY,
        "content": "'{}'",
    },
    "safety.content_reports": {"item_id": _ITEM, "reporter_user_id": _USER, "reason": "'other'"},
    "safety.parental_controls": {"child_id": _CHILD},
    "safety.incidents": {
        "child_id": _CHILD,
        "family_id": _FAMILY,
        "reported_by": _USER,
        "category": "'other'",
        "severity": "'low'",
    },
    "ml.child_features": {"child_id": _CHILD, "feature_set": "'setup_verify'", "features": "'{}'"},
    "ml.recommendations": {"child_id": _CHILD, "item_id": _ITEM, "score": "0.5"},
    "audit.activity_log": {
        "action": "'INSERT'",
        "table_schema": "'setup'",
        "table_name": "'verify'",
        "subject_user_id": _USER,
        "child_id": _CHILD,
        "family_id": _FAMILY,
    },
    "audit.data_subject_requests": {
        "request_kind": "'access'",
        "subject_kind": "'child'",
        "subject_user_id": _USER,
        "subject_child_id": _CHILD,
        "subject_family_id": _FAMILY,
        "requester_relation": "'parent'",
        "due_at": _SOON,
    },
    "audit.recipient_notices": {"request_id": ":'request'::uuid", "recipient": _TEXT},
}
"""Rows of one family, in an order in which what is referred to comes first: table → column → SQL expression."""

_MADE_BEFORE: Final[Mapping[str, Mapping[str, str]]] = {
    "core.users": {"id": "user"},
    "core.user_preferences": {"user_id": "user"},
    "family.families": {"id": "family"},
    "family.family_members": {"family_id": "family", "user_id": "user"},
    "family.child_profiles": {"id": "child"},
    "safety.parental_controls": {"child_id": "child"},
}
"""Tables whose row the functions make together with the family: key column → name of its value."""

_SAVED: Final[Mapping[str, Mapping[str, str]]] = {
    "content.collections": {"id": "collection"},
    "audio.sessions": {"id": "session", "started_at": "session_started"},
    "audit.data_subject_requests": {"id": "request"},
}
"""Keys that later rows refer to: key column → name of its value."""


@dataclass(slots=True)
class Family:
    """A family on the stage: the values that rows are made with, and the key of its row in each table."""

    values: dict[str, Value]
    keys: dict[str, dict[str, Value]] = field(default_factory=dict)

    @property
    def user(self) -> Value:
        """The guardian."""
        return self.values["user"]

    @property
    def child(self) -> Value:
        """The child."""
        return self.values["child"]


def shared(on: Stage) -> dict[str, Value]:
    """Make the rows that belong to nobody and give their keys."""
    names = {"content.items": "item", "subscription.plans": "plan", "analytics.milestones": "milestone"}
    return {names[table]: on.run(_insert(table, values, {}, ("id",))).rows[0][0] for table, values in SHARED.items()}


def found_family(on: Stage, common: Mapping[str, Value]) -> Family:
    """Make a user, a family and a child through the functions, as a superuser without context."""
    email = f"{uuid.uuid4()}@example.invalid"
    user = on.run("SELECT core.create_user(%s, 'unusable', 'Verify', NULL)", [email]).rows[0][0]
    family = on.run("SELECT family.create_family(%s, 'setup verify')", [user]).rows[0][0]
    child = on.run("SELECT family.create_child_profile(%s, 'Verify', '2021-03-15')", [family]).rows[0][0]
    return Family({**common, "user": user, "family": family, "child": child})


def fill(on: Stage, family: Family, tables: Mapping[str, tuple[str, ...]]) -> None:
    """Make one row of the family in each of ``tables`` (name → key columns) that has a recipe."""
    for table, recipe in RECIPES.items():
        if table not in tables:
            continue
        keys = tables[table]
        if made := _MADE_BEFORE.get(table):
            family.keys[table] = {column: family.values[name] for column, name in made.items()}
            continue
        try:
            row = on.run(_insert(table, recipe, family.values, keys)).rows[0]
        except Failed as error:
            raise Failed(f"no row can be made in {table}: {error.what}", why=error.why) from None
        family.keys[table] = dict(zip(keys, row, strict=True))
        for column, name in _SAVED.get(table, {}).items():
            family.values[name] = family.keys[table][column]


def try_insert(on: Stage, table: str, family: Family) -> Attempt:
    """Try to insert one more row of ``family`` as whoever one is; it is taken back."""
    return on.attempt(_insert(table, RECIPES[table], family.values, ()))


def _insert(table: str, recipe: Mapping[str, str], values: Mapping[str, Value], keys: tuple[str, ...]) -> Composed:
    schema, _, name = table.partition(".")
    expressions = SQL(", ").join(SQL(_expression(text, values)) for text in recipe.values())
    statement = SQL("INSERT INTO {} ({}) VALUES ({})").format(
        Identifier(schema, name), SQL(", ").join(map(Identifier, recipe)), expressions
    )
    if not keys:
        return statement
    return SQL("{} RETURNING {}").format(statement, SQL(", ").join(map(Identifier, keys)))


def _expression(text: str, values: Mapping[str, Value]) -> str:
    used = {name: value for name, value in values.items() if f":'{name}'" in text}
    return render(text, used).query
