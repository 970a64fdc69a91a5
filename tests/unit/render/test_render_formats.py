"""The formats of a Report, of Findings and of an Outcome, and the choice among them."""

from __future__ import annotations

import csv
import io
import json
from uuid import UUID

import pytest

from wnadmin import render
from wnadmin.errors import Exit, UsageError
from wnadmin.render import Format
from wnadmin.results import (
    Column,
    Finding,
    Findings,
    Outcome,
    Receipt,
    Report,
    Result,
    StepResult,
    Table,
)
from wnadmin.secret import Personal, Secret

HUMAN: tuple[Format, ...] = ("table", "plain", "markdown")
MACHINE: tuple[Format, ...] = ("json", "ndjson", "csv")
FORMATS = (*HUMAN, *MACHINE)

SIZES = Table(
    "sizes",
    (Column("table", "relation"), Column("schema"), Column("size", unit="bytes"), Column("owner")),
    (("children", "family", 1288490188, None), ("users", "core", 512, "wn_owner")),
    title="Sizes",
)
EMPTY = Table("locks", (Column("pid"),), (), title="Locks", empty="nobody waits")
REPORT = Report("sizes", (SIZES, EMPTY), text="Two looks.", notes=("counted now",), next="wnadmin tables bloat")
FINDINGS = Findings(
    "health",
    (
        Finding("conn", "conn", "ok", "42 of 200 connections", measured="21 %", threshold="80 %"),
        Finding("bloat", "bloat", "warn", "bloated", object="core.users", measured="45 %", threshold="30 %"),
        Finding("skipped", "skipped", "skipped", "no standby"),
        Finding("xid", "xid", "critical", "wraparound is near", node="db1", remediation="VACUUM (FREEZE);"),
        Finding("locks", "locks", "unknown", "rows are hidden", evidence="none"),
    ),
    notes=("one check skipped",),
    next="wnadmin health explain xid",
)
OPERATION = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
OUTCOME = Outcome(
    "queries.reset",
    "Reset query statistics",
    "failed",
    OPERATION,
    (
        StepResult("save", "Save", "done", ("SELECT 1",), Receipt("save", 1204, 45, {"count": 3}, "SELECT 1")),
        StepResult("reset", "Reset", "failed", ("SELECT\n    reset()",), None, "permission denied"),
        StepResult("look", "Look", "not run"),
    ),
    proof=(FINDINGS.findings[0],),
    effects=("Statistics begin at zero.",),
    digest="abc",
    recorded="audit.operator_ledger",
    detail="step 2 failed",
    next=f"wnadmin audit resume {OPERATION}",
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of whoever runs the tests out of them."""
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def text(result: Result, format: Format, *, stream: io.StringIO | None = None, reveal: bool = True) -> str:
    stream = io.StringIO() if stream is None else stream
    render.write(result, format=format, stream=stream, reveal_personal=reveal)
    return stream.getvalue()


def test_auto_is_a_table_on_a_terminal_and_plain_elsewhere() -> None:
    assert render.resolve("auto", Terminal()) == "table"
    assert render.resolve("auto", io.StringIO()) == "plain"
    assert render.resolve("json", Terminal()) == "json"
    closed = io.StringIO()
    closed.close()
    assert render.resolve("auto", closed) == "plain"
    assert text(REPORT, "auto") == text(REPORT, "plain")


def test_plain_report() -> None:
    assert text(REPORT, "plain") == (
        "Two looks.\n\n"
        "Sizes\n"
        "relation    schema       size  owner\n"
        "----------  --------  -------  --------\n"
        "children    family    1.2 GiB\n"
        "users       core        512 B  wn_owner\n\n"
        "Locks\nnobody waits\n\n"
        "note: counted now\n"
        "next: wnadmin tables bloat\n"
    )


def test_markdown_report() -> None:
    assert text(REPORT, "markdown") == (
        "```\nTwo looks.\n```\n\n"
        "### Sizes\n\n"
        "| relation   | schema   |    size | owner    |\n"
        "|:-----------|:---------|--------:|:---------|\n"
        "| children   | family   | 1.2 GiB |          |\n"
        "| users      | core     |   512 B | wn_owner |\n\n"
        "### Locks\n\nnobody waits\n\n"
        "note: counted now\n\n"
        "next: `wnadmin tables bloat`\n"
    )


def test_table_report() -> None:
    assert text(REPORT, "table") == (
        "Two looks.\n\n"
        "Sizes\n"
        "relation  schema     size  owner\n"
        "───────────────────────────────────\n"
        "children  family  1.2 GiB  ∅\n"
        "users     core      512 B  wn_owner\n\n"
        "Locks\nnobody waits\n\n"
        "note: counted now\n"
        "next: wnadmin tables bloat\n"
    )


def test_json_report_carries_raw_numbers() -> None:
    assert json.loads(text(REPORT, "json")) == {
        "schema": "wnadmin/sizes/1",
        "tables": {
            "sizes": [
                {"table": "children", "schema": "family", "size": 1288490188, "owner": None},
                {"table": "users", "schema": "core", "size": 512, "owner": "wn_owner"},
            ],
            "locks": [],
        },
        "text": "Two looks.",
        "notes": ["counted now"],
        "next": "wnadmin tables bloat",
    }
    assert text(REPORT, "json").count("\n") == 1
    assert json.loads(text(REPORT, "json", stream=Terminal())) == json.loads(text(REPORT, "json"))
    assert text(REPORT, "json", stream=Terminal()).count("\n") > 10


def test_ndjson_keeps_columns_called_schema_and_table() -> None:
    lines = [json.loads(line) for line in text(REPORT, "ndjson").splitlines()]
    assert [(line["schema"], line["table"]) for line in lines] == [
        ("wnadmin/sizes/1", "sizes"),
        ("wnadmin/sizes/1", "sizes"),
        ("wnadmin/sizes/1", None),
    ]
    assert lines[0]["row"] == {"table": "children", "schema": "family", "size": 1288490188, "owner": None}
    assert lines[2]["notes"] == ["counted now"]


def test_csv_is_one_table_and_hands_back_the_words() -> None:
    stream = io.StringIO()
    report = Report("sizes", (SIZES,), text="Two looks.", notes=("counted now",), next="wnadmin tables bloat")
    words = render.write(report, format="csv", stream=stream)
    assert stream.getvalue() == "table,schema,size,owner\nchildren,family,1288490188,\nusers,core,512,wn_owner\n"
    assert words == ("Two looks.", "counted now", "next: wnadmin tables bloat")


@pytest.mark.parametrize(
    ("tables", "what", "next"),
    [
        ((), "csv cannot hold this result: it has no table", "Use --format json."),
        (
            (SIZES, EMPTY),
            "csv is one table, and this result has 2: sizes, locks",
            "Add --table sizes, or another of them; --format json holds all.",
        ),
    ],
)
def test_csv_refuses_what_it_would_lose(tables: tuple[Table, ...], what: str, next: str) -> None:
    stream = io.StringIO()
    with pytest.raises(UsageError) as caught:
        render.write(Report("sizes", tables), format="csv", stream=stream)
    assert (caught.value.exit, caught.value.what, caught.value.next) == (Exit.USAGE, what, next)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("format", FORMATS)
def test_a_malformed_table_is_an_error_and_not_a_smaller_table(format: Format) -> None:
    ragged = Table("t", (Column("a"), Column("b")), (("only one",),))
    with pytest.raises(ValueError, match="has not 2 cells"):
        text(Report("x", (ragged,)), format)


@pytest.mark.parametrize("format", FORMATS)
def test_two_of_one_name_are_an_error(format: Format) -> None:
    twice = Table("t", (Column("a"), Column("a")), ((1, 2),))
    for tables in ((twice,), (SIZES, SIZES)):
        with pytest.raises(ValueError, match="occurs twice"):
            text(Report("x", tables), format)


def test_findings_are_sorted_worst_first_everywhere() -> None:
    order = ["xid", "locks", "bloat", "conn", "skipped"]
    document = json.loads(text(FINDINGS, "json"))
    assert document["schema"] == "wnadmin/health/1"
    assert document["worst"] == "critical"
    assert [finding["id"] for finding in document["findings"]] == order
    rows = [json.loads(line) for line in text(FINDINGS, "ndjson").splitlines()]
    assert [row["row"]["id"] for row in rows if row["table"] == "findings"] == order
    assert [row["id"] for row in csv.DictReader(io.StringIO(text(FINDINGS, "csv")))] == order
    for format in HUMAN:
        shown = text(FINDINGS, format)
        places = [shown.index(words) for words in ("wraparound", "hidden", "bloated", "42 of", "no standby")]
        assert places == sorted(places)
        assert "1 critical, 1 unknown, 1 warn, 1 skipped, 1 ok" in shown


def test_a_finding_on_a_terminal_says_all_a_person_needs() -> None:
    shown = text(FINDINGS, "table")
    for words in (
        "core.users",
        "45 % (limit 30 %)",
        "on db1",
        "fix: VACUUM (FREEZE);",
        "evidence: none",
        "one check skipped",
        "wnadmin health explain xid",
    ):
        assert words in shown


def test_no_findings_says_so() -> None:
    nothing = Findings("health", ())
    assert "no findings" in text(nothing, "table")
    assert "no findings" in text(nothing, "plain")
    assert json.loads(text(nothing, "json"))["worst"] == "ok"


@pytest.mark.parametrize("format", HUMAN)
def test_an_outcome_says_what_became_of_it(format: Format) -> None:
    shown = text(OUTCOME, format)
    for words in ("Reset query statistics: failed", "step 2 failed", "1,204", "45 ms", "permission denied"):
        assert words in shown
    for words in (
        "not run",
        "42 of 200",
        str(OPERATION),
        "Statistics begin at zero.",
        "wnadmin audit resume",
    ):
        assert words in shown


def test_a_failed_step_on_a_terminal_says_why_and_not_its_statement_again() -> None:
    shown = text(OUTCOME, "table")
    assert "failed: Reset\npermission denied\n" in shown
    assert "reset()" not in shown


def test_an_unrecorded_outcome_says_so() -> None:
    quiet = Outcome("x", "X", "dry-run", OPERATION, ())
    assert "not recorded" in text(quiet, "table")
    assert "not recorded" in text(quiet, "plain")


def test_outcome_for_machines() -> None:
    document = json.loads(text(OUTCOME, "json"))
    assert document["schema"] == "wnadmin/queries.reset/1"
    assert document["operation"] == str(OPERATION)
    assert document["steps"][0]["receipt"] == {
        "step": "save",
        "rows": 1204,
        "milliseconds": 45,
        "values": {"count": 3},
        "text": "SELECT 1",
    }
    assert document["steps"][1]["receipt"] is None
    assert document["proof"][0]["detail"] == "42 of 200 connections"
    lines = [json.loads(line) for line in text(OUTCOME, "ndjson").splitlines()]
    assert [line["table"] for line in lines] == ["steps", "steps", "steps", "proof", None]
    assert lines[-1]["status"] == "failed"
    assert lines[0]["row"] == document["steps"][0]
    stream = io.StringIO()
    words = render.write(OUTCOME, format="csv", stream=stream)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [row["status"] for row in rows] == ["done", "failed", "not run"]
    assert rows[0]["values"] == '{"count":3}'
    assert any("Reset query statistics: failed" in word for word in words)


@pytest.mark.parametrize("format", FORMATS)
def test_secret_and_hidden_values_reach_no_format(format: Format) -> None:
    table = Table("t", (Column("a"), Column("b")), ((Secret("hunter2"), Personal("Ada Lovelace")),))
    report = Report("x", (table,))
    assert "hunter2" not in text(report, format)
    assert "Ada Lovelace" in text(report, format)
    hidden = text(report, format, reveal=False)
    assert "Ada" not in hidden
    assert "personal" in hidden


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in text(REPORT, "table", stream=Terminal())
    assert "\x1b" not in text(REPORT, "table")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in text(REPORT, "table", stream=Terminal())
    assert "\x1b" not in text(FINDINGS, "table", stream=Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in text(OUTCOME, "table", stream=Terminal())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in text(REPORT, "table")
    stream = io.StringIO()
    render.write(REPORT, format="table", stream=stream, color=True)
    assert "\x1b[" in stream.getvalue()


def test_columns_sets_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Report("x", (Table("t", (Column("a"),), (("word " * 60,),)),))
    assert max(map(len, text(long, "table").splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "40")
    assert 30 < max(map(len, text(long, "table").splitlines())) <= 40


def test_too_many_columns_become_records_and_none_is_lost() -> None:
    columns = tuple(Column(f"c{n}") for n in range(40))
    table = Table("t", columns, tuple(tuple(f"value {n} of row {row}" for n in range(40)) for row in range(2)))
    shown = text(Report("x", (table,)), "table")
    for row in range(2):
        for n in range(40):
            assert f"c{n}".ljust(5) + f"value {n} of row {row}\n" in shown


def test_a_stream_that_cannot_say_it_gets_escapes_and_machines_get_utf8() -> None:
    table = Table("t", (Column("a"),), (("é漢",), (None,)))
    for format in HUMAN:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii")
        render.write(Report("x", (table,)), format=format, stream=stream)
        stream.flush()
        assert b"\\xe9\\u6f22" in raw.getvalue()
        assert b"\\u2500" not in raw.getvalue()
    for format in MACHINE:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="latin-1")
        render.write(Report("x", (table,)), format=format, stream=stream)
        stream.flush()
        assert "é漢" in raw.getvalue().decode("utf-8")
