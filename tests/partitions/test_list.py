"""`partitions list`: how far, what is past, what to type next."""

from __future__ import annotations

from typing import Any

from tests.partitions.support import Place, carry_out
from tests.partitions.test_detach import old, plan
from tests.support import Cli
from wnadmin.domain.partitions import listing, make


def listed(wn: Cli, *words: str) -> dict[str, Any]:
    ran = wn.run("partitions", "list", *words, "--format", "json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = ran.json()
    return found


def test_what_there_is(place: Place, wn: Cli) -> None:
    found = listed(wn)
    assert found["schema"] == "wnadmin/partitions/1"
    rows = found["tables"]["tables"]
    assert [one["table"] for one in rows] == [
        "analytics.events",
        "audio.sessions",
        "audit.activity_log",
        "content.engagement",
    ]
    assert {(one["step"], one["partitions"], one["past"], one["state"]) for one in rows} == {("month", 5, 0, "ok")}
    assert found["tables"]["detached"] == []
    name = old(place)
    one = listed(wn, "content.engagement")
    (row,) = one["tables"]["tables"]
    assert (row["partitions"], row["past"]) == (6, 1)
    assert row["state"].startswith("hole from 2024-02-01 to ")
    # A hole in the past is no lack.
    assert one["next"] == "wnadmin partitions detach --due"
    states = [(part["partition"], part["state"]) for part in one["tables"]["partitions"]]
    assert states[0] == (name, "past")
    assert [state for _, state in states[1:]] == ["kept", "now", "ahead", "ahead", "ahead"]
    carry_out(plan(place, name))
    (out,) = listed(wn)["tables"]["detached"]
    assert (out["table"], out["parent"], out["from"], out["to"]) == (
        name,
        "content.engagement",
        "2024-01-01",
        "2024-02-01",
    )
    assert out["retire"] == "it was detached 0 days ago, and is kept for 7"
    assert listed(wn, "--grace", "0")["tables"]["detached"][0]["retire"] == "now"


def test_a_table_without_a_partition_for_now(place: Place, wn: Cli) -> None:
    names = sorted(place.bounds("analytics.events"))
    for name in names[1:]:
        place.run(f"DROP TABLE {name}")
    found = listed(wn)
    (row,) = [one for one in found["tables"]["tables"] if one["table"] == "analytics.events"]
    assert row["state"] == "no partition for now"
    assert row["until"] == ""
    assert found["next"] == "wnadmin partitions maintain"
    carry_out(make.plan_maintain(place.db(), (), 3, {}))
    assert listed(wn)["next"] == ""


def test_a_monitor_may_look(place: Place) -> None:
    found = listing.report(place.db("wondernest_monitor"), (), 7)
    assert [row[5] for row in found.tables[0].rows] == [None] * 4
    assert found.notes[0].startswith("what is past is not known: ")
    assert "permission denied for table data_retention_policies" in found.notes[0]
