"""Which tables of a report are shown to whom: one of several, few columns for people, nothing of an empty one."""

from __future__ import annotations

import json

import pytest

from tests.unit.render.test_render_formats import EMPTY, FINDINGS, FORMATS, HUMAN, REPORT, text
from wnadmin import render
from wnadmin.errors import UsageError
from wnadmin.results import Column, Report, Table


def test_one_table_of_several_can_be_chosen() -> None:
    chosen = render.only(REPORT, "sizes")
    assert text(chosen, "csv").startswith("table,schema,size,owner\n")
    assert list(json.loads(text(chosen, "json"))["tables"]) == ["sizes"]
    assert "Locks" not in text(chosen, "plain")
    assert render.only(REPORT, "") is REPORT
    assert render.only(FINDINGS, "sizes") is FINDINGS
    for wrong, next in (("size", "Did you mean --table sizes?"), ("xyz", "Add --table sizes.")):
        with pytest.raises(UsageError, match=f"there is no table {wrong} in this result") as caught:
            render.only(REPORT, wrong)
        assert (caught.value.why, caught.value.next) == ("It has sizes, locks.", next)


def test_people_see_few_columns_and_machines_all() -> None:
    few = Table("t", (Column("a"),), (("one and two",),), title="Few")
    table = Table("t", (Column("a"), Column("b")), (("one", 1), ("two", 2)), shown=few)
    for people in HUMAN:
        assert "one and two" in text(Report("x", (table,)), people)
        assert "Few" in text(Report("x", (table,)), people)
    assert json.loads(text(Report("x", (table,)), "json"))["tables"]["t"] == [
        {"a": "one", "b": 1},
        {"a": "two", "b": 2},
    ]
    assert text(Report("x", (table,)), "csv") == "a,b\none,1\ntwo,2\n"
    ragged = Table("t", (Column("a"),), (("one",),), shown=Table("t", (Column("a"),), (("one", "two"),)))
    for format in FORMATS:
        with pytest.raises(ValueError, match="has not 1 cells"):
            text(Report("x", (ragged,)), format)


def test_a_table_that_has_nothing_to_say_when_it_is_empty_is_not_drawn() -> None:
    silent = Table("io", (Column("pid"),), (), title="I/O", empty="")
    report = Report("x", (EMPTY, silent))
    for people in HUMAN:
        assert "nobody waits" in text(report, people)
        assert "I/O" not in text(report, people) and "I\\/O" not in text(report, people)
    assert json.loads(text(report, "json"))["tables"] == {"locks": [], "io": []}
