"""What the application waits for: the promised functions and reads under row-level security."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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
        "SELECT * FROM content.engagement AS t WHERE t.started_at BETWEEN %s AND %s",
        "SELECT * FROM content.engagement AS t WHERE t.started_at BETWEEN %s AND %s AND t.child_id = ANY (:mine)",
    ),
    (
        "rls metrics",
        "a year of daily metrics",
        "SELECT * FROM analytics.daily_child_metrics AS t WHERE t.metric_date BETWEEN %s AND %s",
        "SELECT * FROM analytics.daily_child_metrics AS t WHERE t.metric_date BETWEEN %s AND %s "
        "AND t.child_id = ANY (:mine)",
    ),
)
"""Name, what is read, the read under row-level security, the same with its filter (``:mine``) written out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A parent, one of its children, the last day on which the child did something, and the day a year before."""

    user: str
    child: str
    day: str
    year_before: str


def subjects(ground: Ground, families: int, count: int) -> list[Subject]:
    """Pick ``count`` of them from all over the world."""
    with ground.session() as session:
        rows = session.run(SUBJECTS, [count, families]).rows
    return [Subject(str(user), str(child), str(day), str(day - timedelta(days=365))) for user, child, day in rows]


def functions(ground: Ground, families: int, *, count: int = 1000) -> list[Row]:
    """The 95th percentile of single calls, as the application makes them: its login, with context.

    Each child is asked about twice. The second time counts: children who are active are in memory. The first
    time, which may wait for the disk, is shown beside it.
    """
    chosen = subjects(ground, families, count)
    calls = {
        "content": "SELECT * FROM content.get_age_appropriate_content(child_id => %s)",
        "daily": "SELECT * FROM analytics.calculate_daily_metrics(%s, %s)",
    }
    found: dict[tuple[str, int], list[float]] = {(name, turn): [] for name in calls for turn in (1, 2)}
    with ground.session(user="wondernest_app", row_security=True) as app:
        for turn in (1, 2):
            for one in chosen:
                sign_in(app, one.user)
                for name, call in calls.items():
                    bound = [one.child, one.day][: call.count("%s")]
                    found[name, turn].append(seconds(partial(app.run, call, bound)))
    p95 = {key: percentile(times, 0.95) for key, times in found.items()}
    return [
        Row("content", "get_age_appropriate_content, p95", "ms", p95["content", 2], bound=0.005),
        Row("content first", "  of a child not asked about before", "ms", p95["content", 1]),
        Row("daily", "calculate_daily_metrics, p95", "ms", p95["daily", 2], bound=0.010),
        Row("daily first", "  of a child not asked about before", "ms", p95["daily", 1]),
    ]


def reads(ground: Ground, families: int, *, count: int = 300) -> list[Row]:
    """Reads under row-level security against the same reads with the filter written out and RLS off."""
    chosen = subjects(ground, families, count)
    rows: list[Row] = []
    with ground.session(user="wondernest_app", row_security=True) as app, ground.session() as plain:
        for name, what, scoped, explicit in READS:
            scoped_took: list[float] = []
            plain_took: list[float] = []
            for number, one in enumerate((*chosen, *chosen)):
                sign_in(app, one.user)
                span = [one.year_before, one.day][: scoped.count("%s")]
                works = (
                    (scoped_took, app, scoped, span),
                    (plain_took, plain, explicit.replace(":mine", MINE), [*span, one.user]),
                )
                for times, session, text, bound in works if number % 2 == 0 else reversed(works):
                    took = seconds(partial(session.run, text, bound))
                    if number >= len(chosen):
                        times.append(took)
            peer = median(plain_took)
            promise = f"under RLS: {what}, ≤ 2 ×"
            rows.append(Row(name, promise, "ms", median(scoped_took), peer, "explicit filter", 2 * peer))
    return rows


def sign_in(session: Session, user: str) -> None:
    """Give the session the context that the application sets."""
    session.run("SELECT pg_catalog.set_config('app.current_user_id', %s, false)", [user])
