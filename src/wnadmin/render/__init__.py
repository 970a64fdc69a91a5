"""Turn results into text: the only door to rich and tabulate, and both open only when they are needed.

``write`` puts a Report, Findings or an Outcome on a stream as table, plain, markdown, json, ndjson or csv;
``plan`` shows a change before it runs; ``talk`` says everything that is not data. Importing this package
loads neither rich nor tabulate.

Two promises hold for every cell. The formats for people (table, plain, markdown) hold no control character
but the newline: escape sequences, bidirectional overrides and the like are shown as ``\\x1b`` or ``\\u202e``.
The formats for machines (json, ndjson, csv) are exact; :mod:`wnadmin.render.machine` names the little that
is not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, Literal, TextIO, TypeAlias

from wnadmin.errors import UsageError
from wnadmin.render import shapes, talk
from wnadmin.render.cells import visible
from wnadmin.render.screen import emit, emit_utf8, is_dumb, is_terminal, speaks_unicode, use_color, width_of
from wnadmin.results import Findings, Outcome, Plan, Report, Result

if TYPE_CHECKING:
    from wnadmin.render.lost import Lost

__all__ = [
    "FORMATS",
    "Format",
    "leave",
    "only",
    "plan",
    "prepare",
    "redraw",
    "redraw_lost",
    "redraws",
    "resolve",
    "talk",
    "tally",
    "write",
]

Format: TypeAlias = Literal["auto", "table", "plain", "markdown", "json", "ndjson", "csv", "nagios"]
"""How a result is printed. ``auto`` is ``table`` on a terminal and ``plain`` in a pipe or a file; ``nagios`` is for
Findings only."""

FORMATS: Final[tuple[Format, ...]] = ("auto", "table", "plain", "markdown", "json", "ndjson", "csv", "nagios")


def resolve(format: Format, stream: TextIO) -> Format:
    """Give the format that ``auto`` stands for on this stream; every other one stays as it is."""
    if format != "auto":
        return format
    return "table" if is_terminal(stream) else "plain"


def prepare(format: Format) -> None:
    """Load what writes a format that :func:`resolve` gave, so that :func:`write` does not have to."""
    room = {"json": "machine", "ndjson": "machine", "csv": "machine", "table": "terminal", "markdown": "plain"}
    importlib.import_module(f"wnadmin.render.{room.get(format, format)}")


def write(
    result: Result,
    *,
    format: Format,
    stream: TextIO,
    width: int | None = None,
    color: bool | None = None,
    reveal_personal: bool = True,
) -> tuple[str, ...]:
    """Write ``result`` to ``stream`` and give back the words the format has no place for.

    ``width`` is in terminal cells and counts for ``table`` only; None asks the terminal (80 if it does not
    know). ``color`` None means: on a terminal, unless NO_COLOR or TERM=dumb. With ``reveal_personal`` False a
    personal value is printed as a placeholder; a secret is ``***`` always.

    The words that come back (csv carries rows only) belong on stderr, through ``talk.note``.

    Raises UsageError when csv is asked for a report that does not have exactly one table and when nagios is asked
    for what is no Findings, and ValueError when
    a table is malformed (a row of another length, a column or table named twice).
    """
    if isinstance(result, Report):
        shapes.check(result)
    chosen = resolve(format, stream)
    if chosen == "nagios":
        from wnadmin.render import nagios

        if not isinstance(result, Findings):
            raise UsageError("only findings have a nagios format", next="Use --format json.")
        emit_utf8(stream, nagios.plugin(result))
    elif chosen in ("json", "ndjson", "csv"):
        from wnadmin.render import machine

        if chosen == "json":
            indent = 2 if is_terminal(stream) else None
            emit_utf8(stream, machine.json_document(result, reveal=reveal_personal, indent=indent))
        elif chosen == "ndjson":
            emit_utf8(stream, machine.ndjson(result, reveal=reveal_personal))
        else:
            text = machine.csv(result, reveal=reveal_personal, harmless=is_terminal(stream))
            emit_utf8(stream, text)
            return machine.beside_csv(result)
    elif chosen == "table":
        from wnadmin.render import terminal

        emit(
            stream,
            terminal.result(
                result,
                width=width_of(stream, width),
                color=use_color(stream, color),
                unicode=speaks_unicode(stream),
                reveal=reveal_personal,
            ),
        )
    else:
        from wnadmin.render import plain

        emit(stream, plain.result(_report(result), markdown=chosen == "markdown", reveal=reveal_personal))
    return ()


def only(result: Result, table: str) -> Result:
    """Give the report with this table alone and without a page; ``""`` changes nothing.

    Raises UsageError, with the near match, when it has no such table.
    """
    return shapes.only(result, table) if table and isinstance(result, Report) else result


def plan(plan: Plan, *, title: str = "", stream: TextIO, width: int | None = None, color: bool | None = None) -> None:
    """Show what ``plan`` will do: effects, each step with its exact text, undo, proof, and the word to type.

    ``title`` is the command as the operator typed it. On a stream that is no terminal every word that is not
    to be run is an SQL comment, and what is to be run stands at the left margin, neither wrapped nor cut.
    """
    from wnadmin.render import plans

    colored = use_color(stream, color)
    if is_terminal(stream) or colored:
        emit(stream, plans.on_terminal(plan, title=title, width=width_of(stream, width), color=colored))
    else:
        emit(stream, plans.as_script(plan, title=title))


def redraws(format: Format, stream: TextIO) -> bool:
    """Say whether a watch draws each look over the one before: a table, on a terminal that can."""
    return resolve(format, stream) == "table" and is_terminal(stream) and not is_dumb()


def redraw(result: Result, *, heading: str, stream: TextIO, first: bool, color: bool | None = None) -> None:
    """Draw ``result`` under ``heading`` over what stands on the terminal; ``first`` scrolls that up instead.

    What is taller than the screen is cut, and the last line says how much is left out.
    """
    from wnadmin.render import terminal

    if isinstance(result, Report):
        shapes.check(result)
    drawn = terminal.result(
        result,
        width=width_of(stream, None),
        color=use_color(stream, color),
        unicode=speaks_unicode(stream),
        reveal=True,
    )
    _frame(stream, heading, drawn, first)


def redraw_lost(lost: Lost, *, heading: str, stream: TextIO, first: bool, color: bool | None = None) -> None:
    """Draw in the same way that a look of a watch failed, so that nothing old stands there as if it were so."""
    from wnadmin.render.lost import on_terminal

    drawn = on_terminal(
        lost, width=width_of(stream, None), color=use_color(stream, color), unicode=speaks_unicode(stream)
    )
    _frame(stream, heading, drawn, first)


def _frame(stream: TextIO, heading: str, drawn: str, first: bool) -> None:
    from wnadmin.render import live

    columns, lines = live.size_of(stream)
    emit(stream, live.frame(f"{visible(heading)}\n\n{drawn}", columns, lines, first=first))


def tally(result: Findings) -> str:
    """Give the verdict in one line: ``2 critical, 1 warn, 12 ok``."""
    return shapes.tally(result.findings)


def leave(stream: TextIO) -> None:
    """Leave the terminal after the last look as a prompt wants to find it."""
    from wnadmin.render import live

    stream.write(live.leave())
    stream.flush()


def _report(result: Result) -> Report:
    """Give any result the shape of a Report, for the formats that know nothing else."""
    if isinstance(result, Report):
        return result
    return shapes.of_outcome(result) if isinstance(result, Outcome) else shapes.of_findings(result)
