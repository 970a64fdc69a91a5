"""What `health run` says to type about overdue rows removes them, and nobody's who is on hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.health.support import found
from tests.support import Cli, Server

OLD = "now() - INTERVAL '1 year 40 days'"


@pytest.fixture
def wn(cli: Cli, server: Server, fresh_db: str) -> Cli:
    return Cli(cli.folder, server.dsn(fresh_db))


def statements(wn: Cli, policy: str) -> list[dict[str, Any]]:
    ran = wn.run("sql", "run", "queries/retention/statements", f"policy={policy}", "--format", "json")
    assert ran.code == 0, ran.err
    (rows,) = ran.json()["tables"].values()
    assert isinstance(rows, list)
    return rows


def overdue(wn: Cli) -> dict[str, dict[str, Any]]:
    ran = wn.run("health", "run", "--only", "retention-overdue", "--format", "json")
    return {one["object"]: one for one in found(ran)}


def test_the_statement_of_a_finding_ends_it(wn: Cli, server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        # A sample child whose family may not be touched, and another one.
        held = "SELECT c.id FROM family.child_profiles AS c ORDER BY c.id LIMIT 1"
        session.run(f"UPDATE family.child_profiles SET legal_hold = true WHERE id = ({held})")
        session.run("DELETE FROM analytics.insights")
        session.run(
            "INSERT INTO analytics.insights (child_id, insight_type, title, period_start, period_end, created_at) "
            f"SELECT c.id, 'speech', 'old', '2025-01-01', '2025-01-31', {OLD} FROM family.child_profiles AS c"
        )
        before = session.scalar("SELECT count(*) FROM analytics.insights")
        one = overdue(wn)["analytics.insights"]
        assert one["severity"] == "critical"
        assert one["remediation"] == "wnadmin retention apply --only analytics.insights"
        (typed,) = statements(wn, "analytics.insights")
        assert typed["remark"] == "repeat it until it deletes 0"
        assert session.run(typed["statement"]).count == before - 1
        assert session.run(typed["statement"]).count == 0
        assert session.scalar(f"SELECT child_id = ({held}) FROM analytics.insights")


def test_months_are_detached_and_routines_called(wn: Cli, server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("SELECT admin.create_monthly_partition('analytics.events', '2024-03-01')")
        typed = statements(wn, "analytics.events")
        assert [one["statement"] for one in typed] == [
            "ALTER TABLE analytics.events DETACH PARTITION analytics.events_2024_03 CONCURRENTLY;"
        ]
        session.run(typed[0]["statement"])
        assert statements(wn, "analytics.events") == []
        for policy in ("audio.sessions", "core.sessions", "audit.activity_log"):
            (one,) = statements(wn, policy)
            assert one["remark"] == "repeat it until it returns 0"
            assert session.scalar(one["statement"]) == 0
        assert statements(wn, "no.such") == []


def test_a_sample_world_is_not_overdue_on_its_last_day(wn: Cli) -> None:
    loaded = wn.run("sample", "load", "--families", "40", "--years", "10", "--yes")
    assert loaded.code == 0, loaded.err
    assert {one["severity"] for one in overdue(wn).values()} == {"ok"}
