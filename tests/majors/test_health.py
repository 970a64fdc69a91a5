"""Every check on PostgreSQL 15 to 18, as superuser and as the monitor, who must see as much."""

from __future__ import annotations

import pytest

from tests.majors.conftest import Major

pytestmark = pytest.mark.more


@pytest.mark.parametrize("role", ["postgres", "wondernest_monitor"])
def test_every_check_answers(major: Major, role: str) -> None:
    ran = major.cli.run("health", "run", "--format", "json", "--dsn", major.server.dsn(major.dbname, role))
    assert ran.code in (0, 3), ran.err
    findings = ran.json()["findings"]
    assert not [(one["check"], one["detail"]) for one in findings if one["severity"] == "unknown"]
    if major.number == 18:
        # What a younger server has is asked for on the newest of them at least.
        assert not [one["check"] for one in findings if "needs PostgreSQL" in one["detail"]]


def test_the_monitor_lacks_nothing(major: Major) -> None:
    ran = major.cli.run("health", "grants", "--format", "json")
    assert ran.code == 0, ran.out
    assert {one["severity"] for one in ran.json()["findings"]} == {"ok"}
