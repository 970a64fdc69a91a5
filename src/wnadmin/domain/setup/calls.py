"""Calling every promised function, as the document shows it and as the application makes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.stage import Attempt, Stage, stage, unable
from wnadmin.postgres.session import Session
from wnadmin.results import Finding

CHECK: Final = "setup.functions"


@dataclass(frozen=True, slots=True)
class Call:
    """A promised call: ``name`` for people, the statement with ``%s``, and what stands for each.

    ``saves`` names the value that later calls use. ``gives`` is what a good answer has: a value that is not NULL, a
    row, or nothing in particular.
    """

    name: str
    sql: str
    uses: tuple[str, ...] = ()
    saves: str = ""
    gives: str = "value"


PARENT: Final = (
    Call(
        "core.create_user",
        "SELECT core.create_user(%s, '$2a$12$hashed_password', 'John', 'Doe', 'email', NULL, 'America/New_York')",
        ("email",),
        "user",
    ),
    Call("family.create_family", "SELECT family.create_family(%s, 'The Doe Family')", ("user",), "family"),
    Call(
        "family.create_child_profile",
        "SELECT family.create_child_profile(%s, 'Emma', '2021-03-15', 'female', 'en', ARRAY['animals', 'music'])",
        ("family",),
        "child",
    ),
    # Where only a verifiable consent counts, the word of an operator without context does not.
    Call(
        "family.record_consent",
        "SELECT family.record_consent(%s, 'audio_analysis', 'signed_form', '1', NULL, %s)",
        ("child", "user"),
        gives="anything",
    ),
    Call(
        "content.get_age_appropriate_content by name",
        "SELECT * FROM content.get_age_appropriate_content(child_id => %s, p_content_type => 'video', p_limit => 20)",
        ("child",),
        gives="anything",
    ),
    Call(
        "content.get_age_appropriate_content",
        "SELECT * FROM content.get_age_appropriate_content(%s)",
        ("child",),
        gives="anything",
    ),
    Call("audio.start_session", "SELECT audio.start_session(%s, 'home', 'device123')", ("child",), "session"),
    Call("audio.end_session", "SELECT audio.end_session(%s, 0.85)", ("session",)),
    Call(
        "analytics.calculate_daily_metrics",
        "SELECT analytics.calculate_daily_metrics(%s, CURRENT_DATE)",
        ("child",),
        gives="anything",
    ),
    Call("analytics.get_child_insights", "SELECT analytics.get_child_insights(%s, 30)", ("child",), gives="anything"),
)
"""What the application calls, in an order in which each call has what it needs."""

# A hundred years instead of the document's 90 days: a proof must not move the sessions of a living database
# about, not even to take that back.
WORKER: Final = (
    Call("audio.archive_old_sessions", "SELECT audio.archive_old_sessions(36500)"),
    Call("core.cleanup_expired_sessions", "SELECT core.cleanup_expired_sessions()"),
)
MONITOR: Final = (
    Call("admin.get_db_health_metrics", "SELECT * FROM admin.get_db_health_metrics()", gives="row"),
    Call("admin.validate_security_config", "SELECT * FROM admin.validate_security_config()", gives="row"),
    Call(
        "admin.index_usage_stats",
        "SELECT * FROM admin.index_usage_stats WHERE usage_level = 'Never used'",
        gives="anything",
    ),
    Call("admin.trigger_monitoring", "SELECT * FROM admin.trigger_monitoring", gives="row"),
)
MIGRATION: Final = tuple(
    Call(
        f"admin.create_monthly_partition of {table}",
        f"SELECT admin.create_monthly_partition('{table}', CURRENT_DATE)",  # one of the two below
        gives="anything",
    )
    for table in ("content.engagement", "audio.sessions")
)


@dataclass(frozen=True, slots=True)
class _Cast:
    title: str
    login: str
    calls: Sequence[Call]
    role: str = ""
    signs_in: bool = False


_CASTS: Final = (
    _Cast("a superuser without context", "", (*PARENT, *WORKER, *MONITOR, *MIGRATION)),
    _Cast("wondernest_app with context", "wondernest_app", PARENT, signs_in=True),
    _Cast("wondernest_worker", "wondernest_worker", WORKER),
    _Cast("wondernest_monitor", "wondernest_monitor", MONITOR),
    _Cast("wondernest_migration", "wondernest_migration", MIGRATION, role="wondernest_owner"),
)


def prove_calls(session: Session) -> list[Finding]:
    """Call everything once as each who may; one finding, or one for each call that failed."""
    if reason := unable(session):
        return [finding(CHECK, "unknown", f"the promised functions were not called: {reason}")]
    failures, made = [], 0
    for cast in _CASTS:
        with stage(session) as on:
            for call, attempt in _play(on, cast):
                made += 1
                if problem := _problem(call, attempt):
                    failures.append(
                        finding(CHECK, "critical", f"{call.name} as {cast.title}: {problem}", thing=call.name)
                    )
    if failures:
        return failures
    names = {call.name.split()[0] for cast in _CASTS for call in cast.calls}
    return [
        finding(
            CHECK,
            "ok",
            f"{len(names)} functions and views answered in {made} calls: as a superuser without context, "
            "as wondernest_app with context, and as the roles that maintain and watch",
        )
    ]


def _play(on: Stage, cast: _Cast) -> Iterator[tuple[Call, Attempt]]:
    values: dict[str, object] = {"email": f"{uuid.uuid4()}@example.invalid"}
    if not cast.login:
        yield from _calls(on, cast, values)
        return
    with on.become(cast.login, role=cast.role):
        yield from _calls(on, cast, values)


def _calls(on: Stage, cast: _Cast, values: dict[str, object]) -> Iterator[tuple[Call, Attempt]]:
    for call in cast.calls:
        if absent := [name for name in call.uses if name not in values]:
            yield call, Attempt(None, "", f"not tried: an earlier call did not give the {absent[0]}")
            continue
        attempt = on.attempt(call.sql, _bound(call, values), keep=True)
        if attempt.worked and call.saves and attempt.value is not None:
            values[call.saves] = attempt.value
            if call.saves == "user" and cast.signs_in:
                on.sign_in(attempt.value)
        yield call, attempt


def _bound(call: Call, values: Mapping[str, object]) -> list[object]:
    return [values[name] for name in call.uses]


def _problem(call: Call, attempt: Attempt) -> str:
    if not attempt.worked:
        return str(attempt)
    if call.gives == "value" and attempt.value is None:
        return "it gave NULL"
    if call.gives == "row" and attempt.count == 0:
        return "it gave no row"
    return ""
