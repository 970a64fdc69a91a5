"""History against files, held against what Flyway's own validation says in each case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from wnadmin.domain.migrate.judge import Judgement, judge
from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.flyway import HistoryRow
from wnadmin.domain.setup.migrations import Files, Header, Migration


def file(name: str, checksum: int = 7) -> Migration:
    return Migration(flyway.parse_name(name), Path(name), "", checksum, Header())


def files(*names: str) -> Files:
    found = [file(name) for name in names]
    versioned = sorted((one for one in found if one.version), key=lambda one: one.version or flyway.Version("0"))
    return Files((*versioned, *(one for one in found if not one.version)))


def rows(*names: str) -> list[HistoryRow]:
    made = []
    for rank, name in enumerate(names, 1):
        parsed = flyway.parse_name(name)
        version = parsed.version.text if parsed.version else None
        moment = datetime(2026, 11, 22)
        made.append(HistoryRow(rank, version, parsed.description, "SQL", name, 7, "x", moment, 1, True))
    return made


def states(judged: Judgement) -> list[tuple[str, str]]:
    return [(entry.title, entry.state) for entry in judged.entries]


def kinds(judged: Judgement) -> list[str]:
    return [fault.kind for fault in judged.faults]


def pending(judged: Judgement) -> list[str]:
    return [one.script for one in judged.pending]


ONE, TWO, THREE = "V001__a.sql", "V002__b.sql", "V003__c.sql"


def test_all_is_applied() -> None:
    seen = judge(rows(ONE, TWO), files(ONE, TWO))
    assert states(seen) == [("001 a", "success"), ("002 b", "success")]
    assert (kinds(seen), pending(seen)) == ([], [])


def test_pending_files_in_order_of_version_then_repeatables() -> None:
    seen = judge(rows(ONE), files("R__z.sql", "V10__j.sql", ONE, "V9__i.sql", "R__y.sql"))
    assert pending(seen) == ["V9__i.sql", "V10__j.sql", "R__y.sql", "R__z.sql"]
    assert kinds(seen) == []


def test_a_version_is_the_same_however_it_is_written() -> None:
    found = judge([replace(rows(ONE)[0], version="1", script="V1__a.sql")], files(ONE))
    assert (kinds(found), pending(found)) == ([], [])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"checksum": 8}, "changed"),
        ({"description": "A"}, "description"),
        ({"type": "JDBC"}, "type"),
        ({"success": False}, "failed"),
    ],
)
def test_what_flyway_rejects(change: dict[str, object], kind: str) -> None:
    before = rows(ONE, TWO)
    found = judge([before[0], replace(before[1], **change)], files(ONE, TWO))  # type: ignore[arg-type]  # by name
    assert kinds(found) == [kind]
    assert pending(found) == []


@pytest.mark.parametrize("change", [{"script": "elsewhere/x.sql"}, {"checksum": None}, {"installed_by": "y"}])
def test_what_flyway_accepts(change: dict[str, object]) -> None:
    found = judge([replace(rows(ONE)[0], **change)], files(ONE))  # type: ignore[arg-type]  # by name
    assert kinds(found) == []


def test_a_file_that_is_gone_is_missing_below_the_newest_and_future_above() -> None:
    assert states(judge(rows(ONE, TWO, THREE), files(ONE, THREE)))[1] == ("002 b", "missing")
    assert kinds(judge(rows(ONE, TWO, THREE), files(ONE, THREE))) == ["missing"]
    newer = judge(rows(ONE, TWO, THREE), files(ONE, TWO))
    assert (states(newer)[2], kinds(newer)) == (("003 c", "future"), [])


def test_a_late_file_is_ignored_unless_it_may_come_late() -> None:
    late = judge(rows(ONE, THREE), files(ONE, TWO, THREE))
    assert (kinds(late), pending(late)) == (["ignored"], [])
    allowed = judge(rows(ONE, THREE), files(ONE, TWO, THREE), out_of_order=True)
    assert (kinds(allowed), pending(allowed)) == ([], [TWO])
    afterwards = judge(rows(ONE, THREE, TWO), files(ONE, TWO, THREE))
    assert states(afterwards)[2] == ("002 b", "out of order")
    assert kinds(afterwards) == []


def test_a_target_leaves_the_rest_alone() -> None:
    seen = judge(rows(ONE), files(ONE, TWO, THREE), target=flyway.Version("2"))
    assert pending(seen) == [TWO]
    assert states(seen)[-1] == ("003 c", "above target")


def test_a_repeatable_file_runs_again_when_it_has_changed() -> None:
    seen = judge(rows(ONE, "R__v.sql"), Files((file(ONE), file("R__v.sql", 9))))
    assert (states(seen)[1], pending(seen), kinds(seen)) == (("v", "outdated"), ["R__v.sql"], [])
    again = [*rows(ONE, "R__v.sql"), replace(rows("R__v.sql")[0], installed_rank=3, checksum=9)]
    seen = judge(again, Files((file(ONE), file("R__v.sql", 9))))
    assert [state for _, state in states(seen)] == ["success", "superseded", "success"]
    assert pending(seen) == []


def test_a_baseline_covers_what_is_below() -> None:
    base = replace(rows("V2__x.sql")[0], type="BASELINE", description="<< Flyway Baseline >>", checksum=None)
    seen = judge([base], files(ONE, TWO, THREE))
    assert states(seen)[0] == ("001 a", "below baseline")
    assert (pending(seen), kinds(seen)) == ([THREE], [])


def test_a_marker_of_schemas_is_no_migration() -> None:
    marker = replace(rows("R__x.sql")[0], installed_rank=0, type="SCHEMA", description="<< Flyway Schema Creation >>")
    seen = judge([marker, *rows(ONE)], files(ONE))
    assert [state for _, state in states(seen)] == ["schema", "success"]
    assert kinds(seen) == []


def test_what_was_marked_as_deleted_does_not_count() -> None:
    gone = replace(rows(ONE, TWO, TWO)[2], type="DELETE")
    assert (kinds(judge([*rows(ONE, TWO), gone], files(ONE))), pending(judge([*rows(ONE, TWO), gone], files(ONE)))) == (
        [],
        [],
    )
    assert pending(judge([*rows(ONE, TWO), gone], files(ONE, TWO))) == [TWO]


def test_every_row_and_every_file_is_told() -> None:
    names: Sequence[str] = (ONE, THREE, "R__v.sql")
    seen = judge(rows(*names), files(TWO, "R__w.sql"))
    assert {entry.title for entry in seen.entries} == {"001 a", "003 c", "v", "002 b", "w"}
