"""Results for machines: json, ndjson and csv, each a contract named ``wnadmin/<kind>/1``.

json: one document. A Report: ``{"schema", "tables": {name: [row, …]}, "text", "notes", "next"}``, a row being
an object of its cells, and ``"page"`` with Markdown where it has one. Findings: ``{"schema", "worst",
"findings": […], "notes", "next"}``, the worst first, every field. An Outcome: ``{"schema", "title", "status",
"operation", "digest", "effects", "recorded", "detail", "next", "steps": […], "proof": […]}``.

ndjson: one object a row, ``{"schema", "table", "row": {…}}`` (cells are nested because columns called schema
and table are common), then, when there is something to say that is no row, one with ``"table": null``.

Values are exact. Whole numbers beyond 2^53 - 1 and Decimals are strings, NaN and infinities the strings
PostgreSQL uses, durations seconds, bytes ``\\x`` and hex. Characters that could steer a terminal are ``\\u``
escapes, which a reader turns back. Two lone surrogates that make a pair are, in JSON, the character they
encode.

csv: a header of column names, then rows; lines end in a newline; NULL is an empty field and the empty text is
``""``, as COPY has it (in a table of one column NULL is ``""`` too, because readers skip empty lines). Exact
through any csv reader: a cell that begins with ``=`` or ``+`` is not touched, so a spreadsheet must import it
as text. Lone surrogates, which UTF-8 cannot hold, become ``\\udc80``. Only on a terminal control characters
are shown as escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wnadmin.errors import UsageError
from wnadmin.render import shapes
from wnadmin.render.cells import Data, flat, json_text, machine, visible
from wnadmin.results import Findings, Outcome, Report, Result, Table

_QUOTED: Final = re.compile(r'[",\r\n\0]|^\s|\s$|^$|^\\\.$')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def schema(result: Result) -> str:
    """Give the name of the contract."""
    return f"wnadmin/{result.kind}/1"


def json_document(result: Result, *, reveal: bool = True, indent: int | None = None) -> str:
    """Give the whole result as one JSON document and a newline."""
    document: dict[str, Data] = {"schema": schema(result)}
    if isinstance(result, Report):
        document["tables"] = {table.name: list(_records(table, reveal)) for table in result.tables}
        document["text"] = result.text
        document["notes"] = list(result.notes)
        document["next"] = result.next
        if result.page:
            document["page"] = result.page
    elif isinstance(result, Findings):
        document["worst"] = result.worst
        document["findings"] = list(_records(shapes.all_fields(result.findings), reveal))
        document["notes"] = list(result.notes)
        document["next"] = result.next
    else:
        document |= {key: machine(cell, reveal=reveal) for key, cell in shapes.outcome_facts(result).items()}
        document["steps"] = [machine(shapes.step_record(step), reveal=reveal) for step in result.steps]
        document["proof"] = list(_records(shapes.all_fields(result.proof), reveal))
    return json_text(document, indent) + "\n"


def ndjson(result: Result, *, reveal: bool = True) -> str:
    """Give one JSON object a row, and at the end one for what is no row."""
    return "".join(json_text({"schema": schema(result), **line}) + "\n" for line in _lines(result, reveal))


def csv(result: Result, *, reveal: bool = True, harmless: bool = False) -> str:
    """Give the one table of the result; ``harmless`` shows control characters as escapes, for a terminal."""
    table = _one_table(result)
    lines = [_csv_line([column.name for column in table.columns])]
    for row in table.rows:
        lines.append(_csv_line([flat(cell, reveal=reveal) for cell in row]))
    text = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", "".join(lines))
    return visible(text) if harmless else text


def beside_csv(result: Result) -> tuple[str, ...]:
    """Give what csv has no place for: text, notes, status and the next command."""
    words: list[str] = []
    if isinstance(result, Outcome):
        words += [shapes.headline(result), *result.effects]
        words += [f"proof: {f.severity} {f.id}: {f.detail}" for f in shapes.worst_first(result.proof)]
        words += shapes.closing(result)
    else:
        if isinstance(result, Report) and result.text:
            words.append(result.text)
        words += result.notes
    if result.next:
        words.append(f"next: {result.next}")
    return tuple(words)


def _lines(result: Result, reveal: bool) -> Iterator[dict[str, Data]]:
    rest: dict[str, Data]
    if isinstance(result, Report):
        for table in result.tables:
            for record in _records(table, reveal):
                yield {"table": table.name, "row": record}
        rest = {"text": result.text, "notes": list(result.notes), "next": result.next}
        if result.text or result.notes or result.next:
            yield {"table": None, **rest}
    elif isinstance(result, Findings):
        for record in _records(shapes.all_fields(result.findings), reveal):
            yield {"table": "findings", "row": record}
        if result.notes or result.next:
            yield {"table": None, "notes": list(result.notes), "next": result.next}
    else:
        for step in result.steps:
            yield {"table": "steps", "row": machine(shapes.step_record(step), reveal=reveal)}
        for record in _records(shapes.all_fields(result.proof), reveal):
            yield {"table": "proof", "row": record}
        rest = {key: machine(cell, reveal=reveal) for key, cell in shapes.outcome_facts(result).items()}
        yield {"table": None, **rest}


def _records(table: Table, reveal: bool) -> Iterator[Data]:
    names = [column.name for column in table.columns]
    for row in table.rows:
        yield {name: machine(cell, reveal=reveal) for name, cell in zip(names, row, strict=True)}


def _one_table(result: Result) -> Table:
    if isinstance(result, Findings):
        return shapes.all_fields(result.findings)
    if isinstance(result, Outcome):
        return shapes.step_fields(result.steps)
    if len(result.tables) == 1:
        return result.tables[0]
    if not result.tables:
        raise UsageError("csv cannot hold this result: it has no table", next="Use --format json.")
    names = [table.name for table in result.tables]
    raise UsageError(
        f"csv is one table, and this result has {len(names)}: {', '.join(names)}",
        why="It would lose the others without saying so.",
        next=f"Add --table {names[0]}, or another of them; --format json holds all.",
    )


def _csv_line(fields: list[str | None]) -> str:
    if fields == [None]:
        return '""\n'
    return ",".join("" if field is None else _csv_field(field) for field in fields) + "\n"


def _csv_field(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if _QUOTED.search(field) else field
