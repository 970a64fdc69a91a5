"""Hostile text reaches every format unharmed and harmless."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import get_args

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from wcwidth import wcswidth

from wnadmin import render
from wnadmin.render import Format
from wnadmin.results import Column, Finding, Findings, Report, Table

FRAGMENTS = (
    "[red]",
    "[/]",
    "[link=https://example.org]",
    ":smile:",
    "\x1b[2J\x1b[31m",
    "\x1b]8;;https://example.org\x07",
    "\x9b31m",
    "\u202e",
    "\u2066",
    "\u2028",
    "\ufeff",
    "\u00ad",
    "\u200b",
    "\U000e0041",
    "|",
    "\\|",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\x7f",
    "1e5",
    "007",
    "-0",
    "nan",
    '=cmd|"/c calc"!A1',
    "+1",
    "@SUM(A1)",
    "<script>",
    "&lt;",
    "<br>",
    "```",
    "**b**",
    "__init__",
    '"',
    "'",
    ",",
    "\\.",
    "\\",
    "\udc80",
    "\ud800",
    "\u6f22\u5b57",
    "\U0001f469\u200d\U0001f467",
    "e\u0301",
    "\u0627\u0644\u0639",
    " ",
    "\u00a0",
    "x" * 200,
    "%s {0} ${HOME}",
)

hostile = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=6).map("".join)
# Lone surrogates side by side may form a pair, which JSON cannot tell from the character it encodes.
hostile = hostile.map(lambda text: re.sub("[\ud800-\udbff](?=[\udc00-\udfff])", "", text))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 5))
    titles = draw(st.lists(hostile, min_size=count, max_size=count))
    columns = tuple(Column(f"c{n}", title) for n, title in enumerate(titles))
    cell = st.one_of(st.none(), hostile)
    rows = draw(st.lists(st.tuples(*[cell] * count), max_size=4))
    return Table("t", columns, tuple(rows), title=draw(hostile))


def rendered(report: Report | Findings, format: Format, width: int = 80) -> str:
    stream = io.StringIO()
    render.write(report, format=format, stream=stream, width=width)
    return stream.getvalue()


def harmful(text: str) -> set[str]:
    """Give the characters that could steer a terminal or hide; newline and the joiners are neither."""
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {c for c in text if unicodedata.category(c) in bad and c not in "\n\u200c\u200d"}


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(tables())
@example(Table("t", (Column("c0"),), ((None,), ("",), ("\\.",))))
def test_machines_get_exactly_what_was_there(table: Table) -> None:
    report = Report("hostile", (table,))
    names = [column.name for column in table.columns]
    wanted = [dict(zip(names, row, strict=True)) for row in table.rows]

    text = rendered(report, "json")
    assert json.loads(text) == {
        "schema": "wnadmin/hostile/1",
        "tables": {"t": wanted},
        "text": "",
        "notes": [],
        "next": "",
    }
    assert not harmful(text)

    lines = rendered(report, "ndjson").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"schema": "wnadmin/hostile/1", "table": "t", "row": row} for row in wanted
    ]

    def in_csv(cell: object) -> str:
        return re.sub("[\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", "" if cell is None else str(cell))

    text = rendered(report, "csv")
    text.encode("utf-8")
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [
        names,
        *([in_csv(cell) for cell in row] for row in table.rows),
    ]


@given(tables(), st.sampled_from(["table", "plain", "markdown"]))
def test_people_get_no_control_character(table: Table, format: Format) -> None:
    report = Report("hostile", (table,), text=table.title, notes=(table.title,), next=table.title)
    assert not harmful(rendered(report, format))


@given(tables(), st.integers(20, 120))
def test_a_table_never_exceeds_the_width_of_the_terminal(table: Table, width: int) -> None:
    for line in rendered(Report("hostile", (table,)), "table", width).splitlines():
        assert cell_len(line) <= width


@given(st.lists(st.text(st.sampled_from("ab \u6f22\u5b57e\u0301\U0001f600-"), max_size=120), min_size=1, max_size=6))
def test_the_width_holds_by_a_second_opinion(cells: list[str]) -> None:
    table = Table("t", tuple(Column(f"c{n}") for n in range(len(cells))), (tuple(cells),))
    for line in rendered(Report("wide", (table,)), "table").splitlines():
        assert wcswidth(line) <= 80


@given(hostile)
def test_a_table_on_a_terminal_folds_and_loses_nothing(cell: str) -> None:
    # The sign of the empty cell beside it is taken out below, so the text must not have one of its own.
    assume("\u2205" not in cell)
    table = Table("t", (Column("c"), Column("d")), ((cell, None),))
    lines = rendered(Report("hostile", (table,)), "table", 40).splitlines()
    folded = "".join(squeezed(line) for line in lines[2:])
    assert squeezed(render_visible(cell)) == folded.replace("\u2205", "", 1)


@given(tables())
def test_plain_keeps_one_row_on_one_line_and_cuts_nothing(table: Table) -> None:
    table = Table("t", table.columns, table.rows)
    text = rendered(Report("hostile", (table,)), "plain")
    lines = text.split("\n")[2:-1] if table.rows else []
    assert len(lines) == len(table.rows)
    for line, row in zip(lines, table.rows, strict=True):
        for cell in row:
            assert cell is None or render_visible(str(cell)).replace("\n", "\\n").rstrip() in line


@given(tables())
def test_markdown_keeps_its_columns(table: Table) -> None:
    table = Table("t", table.columns, table.rows)
    text = rendered(Report("hostile", (table,)), "markdown")
    if not table.rows:
        return
    lines = text.rstrip("\n").split("\n")
    assert len(lines) == len(table.rows) + 2
    for line in lines:
        plain = re.sub(r"\\.", "", line)
        assert plain.count("|") == len(table.columns) + 1
        assert "`" not in plain
        assert not re.search(r"[<>]", plain.replace("<br>", ""))


def render_visible(text: str) -> str:
    """What a person sees, said a second time and from the Unicode categories."""

    def shown(c: str) -> str:
        named = {"\t": "\\t", "\r": "\\r"}
        if c in named:
            return named[c]
        if c in "\n\u200c\u200d" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}:
            return c
        code = f"{ord(c):x}"
        if len(code) <= 2:
            return f"\\x{code:0>2}"
        return f"\\u{code:0>4}" if len(code) <= 4 else f"\\U{code:0>8}"

    return "".join(map(shown, text))


@pytest.mark.parametrize("format", get_args(Format))
def test_hostile_findings_are_harmless_in_every_format(format: Format) -> None:
    text = "".join(FRAGMENTS)
    finding = Finding(text, text, "critical", text, "partial", text, text, text, text, None, text, text)
    shown = rendered(Findings("health", (finding,), notes=(text,), next=text), format)
    if format in ("json", "ndjson"):
        first = json.loads(shown.splitlines()[0])
        record = first["findings"][0] if format == "json" else first["row"]
        assert record["detail"] == text
    if format != "csv":
        assert not harmful(shown)


def test_csv_is_made_harmless_only_where_a_person_looks() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    report = Report("x", (Table("t", (Column("c"),), (("\x1b[2J",), ("=1+1",))),))
    looked_at = Terminal()
    render.write(report, format="csv", stream=looked_at)
    assert looked_at.getvalue() == "c\n\\x1b[2J\n=1+1\n"
    assert rendered(report, "csv") == "c\n\x1b[2J\n=1+1\n"
