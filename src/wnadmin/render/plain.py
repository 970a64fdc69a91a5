"""Results through tabulate: ``plain`` for pipes and files, ``markdown`` for tickets and pages.

Plain keeps one row on one line, however long, so that grep and diff work and no cell can pretend to be a row:
a newline in a cell is shown as ``\\n``. Nothing is wrapped and nothing is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tabulate import tabulate

from wnadmin.render import shapes
from wnadmin.render.cells import human, is_number, visible
from wnadmin.results import Report, Table

_MARKDOWN: Final = re.compile(r"[\\`*\[\]|~$#!]|(?<![^\W_])_|_(?![^\W_])")
_HTML: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BACKTICKS: Final = re.compile("`{3,}")


def result(report: Report, *, markdown: bool, reveal: bool) -> str:
    """Give text, tables, notes and the next command, with an empty line between parts."""
    parts: list[str] = []
    if report.text:
        text = visible(report.text).rstrip("\n")
        parts.append(_fenced(text) if markdown else text)
    if report.page:
        parts.append(visible(report.page).rstrip("\n"))
    else:
        parts += [_table(table, markdown, reveal) for table in shapes.for_people(report)]
    escape = escaped if markdown else visible
    closing = [f"note: {escape(note)}" for note in report.notes]
    if report.next:
        # A command is to be copied, so in Markdown it is code and not prose.
        command = visible(report.next)
        closing.append(f"next: {_code(command)}" if markdown else f"next: {command}")
    if closing:
        parts.append(("\n\n" if markdown else "\n").join(closing))
    return "\n\n".join(parts) + "\n" if parts else ""


def escaped(text: str) -> str:
    """Give text that Markdown shows as it is, on one line: no markup, no HTML, newlines as ``<br>``."""
    safe = _MARKDOWN.sub(r"\\\g<0>", visible(text))
    for char, entity in _HTML.items():
        safe = safe.replace(char, entity)
    return safe.replace("\n", "<br>")


def one_line(text: str) -> str:
    """Give text without a single control character."""
    return text.replace("\n", "\\n")


def _table(table: Table, markdown: bool, reveal: bool) -> str:
    cell: Callable[[str], str] = escaped if markdown else one_line
    title = ""
    if table.title:
        title = f"### {escaped(table.title)}\n\n" if markdown else f"{visible(table.title, keep='')}\n"
    if not table.rows:
        return title + (escaped(table.empty) if markdown else visible(table.empty))
    units = [column.unit for column in table.columns]
    rows = [
        [cell(human(value, unit, reveal=reveal)) for value, unit in zip(row, units, strict=True)] for row in table.rows
    ]
    drawn = tabulate(
        rows,
        headers=[cell(visible(column.title or column.name.replace("_", " "))) for column in table.columns],
        tablefmt="pipe" if markdown else "simple",
        disable_numparse=True,
        preserve_whitespace=True,
        colalign=[_align(table, n) for n in range(len(table.columns))],
    )
    return title + "\n".join(line.rstrip() for line in drawn.split("\n"))


def _align(table: Table, n: int) -> str:
    cells = [row[n] for row in table.rows if row[n] is not None]
    return "right" if cells and all(is_number(cell) for cell in cells) else "left"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _code(command: str) -> str:
    longest = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{one_line(command)}{space}{fence}"
