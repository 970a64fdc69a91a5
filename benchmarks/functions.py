"""What the application waits for: the promised functions and reads under row-level security."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from benchmarks.measure import Row, median, percentile, seconds
from benchmarks.places import Ground
from wnadmin.postgres.session import Session

SUBJECTS = """
SELECT
    m.user_id,
    c.id,
    d.metric_date
FROM pg_catalog.generate_series(1, %s::int) AS n (number)
INNER JOIN family.child_profiles AS c
    -- A prime stride walks through the families without order; each has a first child.
    ON c.id = pg_catalog.md5('1/child/' || 1 + (n.number::bigint * 7919) %% %s::int || '/1')::uuid
CROSS JOIN LATERAL (
    SELECT f.user_id
    FROM family.family_members AS f
    WHERE f.family_id = c.family_id
    ORDER BY f.user_id
    LIMIT 1
) AS m
CROSS JOIN LATERAL (
    SELECT s.metric_date
    FROM analytics.daily_child_metrics AS s
    WHERE s.child_id = c.id
    ORDER BY s.metric_date DESC
    LIMIT 1
) AS d
"""

MINE = """ARRAY(
    SELECT c.id
    FROM family.family_members AS m
    INNER JOIN family.child_profiles AS c ON c.family_id = m.family_id
    WHERE m.user_id = %s::uuid
)"""

READS = (
    (
        "rls children",
        "the children",
        "SELECT * FROM family.child_profiles AS t",
        "SELECT * FROM family.child_profiles AS t WHERE t.id = ANY (:mine)",
    ),
    (
        "rls visits",
        "a year of visits",
        "SELECT * FROM content.engagement AS t WHERE t.started_at BETWEEN %s::date - 365 AND %s::date + 1",
        "SELECT * FROM content.engagement AS t WHERE t.started_at BETWEEN %s::date - 365 AND %s::date + 1 "
        "AND t.child_id = ANY (:mine)",
    ),
    (
        "rls metrics",
        "a year of daily metrics",
        "SELECT * FROM analytics.daily_child_metrics AS t WHERE t.metric_date BETWEEN %s::date - 365 AND %s::date + 1",
        "SELECT * FROM analytics.daily_child_metrics AS t WHERE t.metric_date BETWEEN %s::date - 365 AND %s::date + 1 "
        "AND t.child_id = ANY (:mine)",
    ),
)
"""Name, what is read, the read under row-level security, the same with its filter (``:mine``) written out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A parent, one of its children, and the last day on which the child did something."""

    user: str
    child: str
    day: str


def subjects(ground: Ground, families: int, count: int) -> list[Subject]:
    """Pick ``count`` of them from all over the world."""
    with ground.session() as session:
        rows = session.run(SUBJECTS, [count, families]).rows
    return [Subject(str(user), str(child), str(day)) for user, child, day in rows]


def functions(ground: Ground, families: int, *, count: int = 1000) -> list[Row]:
    """The 95th percentile of single calls, as the application makes them: its login, with context."""
    warm, *timed = _halves(subjects(ground, families, count + count // 5), count)
    calls = {
        "content": "SELECT * FROM content.get_age_appropriate_content(child_id => %s)",
        "daily": "SELECT * FROM analytics.calculate_daily_metrics(%s, %s)",
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    with ground.session(user="wondernest_app", row_security=True) as app:
        for place, group in enumerate((warm, *timed)):
            for one in group:
                sign_in(app, one.user)
                for name, call in calls.items():
                    bound = [one.child, one.day][: call.count("%s")]
                    took = seconds(partial(app.run, call, bound))
                    if place:
                        found[name].append(took)
    return [
        Row("content", "get_age_appropriate_content, p95", "ms", percentile(found["content"], 0.95), bound=0.005),
        Row("daily", "calculate_daily_metrics, p95", "ms", percentile(found["daily"], 0.95), bound=0.010),
    ]


def reads(ground: Ground, families: int, *, count: int = 300) -> list[Row]:
    """Reads under row-level security against the same reads with the filter written out and RLS off."""
    warm, timed = _halves(subjects(ground, families, count + count // 5), count)
    rows: list[Row] = []
    with ground.session(user="wondernest_app", row_security=True) as app, ground.session() as plain:
        for name, what, scoped, explicit in READS:
            scoped_took: list[float] = []
            plain_took: list[float] = []
            for number, one in enumerate((*warm, *timed)):
                sign_in(app, one.user)
                span = [one.day] * scoped.count("%s")
                works = (
                    (scoped_took, app, scoped, span),
                    (plain_took, plain, explicit.replace(":mine", MINE), [*span, one.user]),
                )
                for times, session, text, bound in works if number % 2 == 0 else reversed(works):
                    took = seconds(partial(session.run, text, bound))
                    if number >= len(warm):
                        times.append(took)
            peer = median(plain_took)
            promise = f"under RLS: {what}, ≤ 2 ×"
            rows.append(Row(name, promise, "ms", median(scoped_took), peer, "explicit filter", 2 * peer))
    return rows


def sign_in(session: Session, user: str) -> None:
    """Give the session the context that the application sets."""
    session.run("SELECT pg_catalog.set_config('app.current_user_id', %s, false)", [user])


def _halves(found: list[Subject], count: int) -> tuple[list[Subject], list[Subject]]:
    return found[: len(found) - count], found[len(found) - count :]
