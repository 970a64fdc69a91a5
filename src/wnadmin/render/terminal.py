"""Results on a terminal, through rich: tables that fit the width, cells folded, nothing cut.

When even the narrowest sensible columns are too wide, each row becomes a record: one line a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from wnadmin.render import shapes
from wnadmin.render.cells import human, is_number, visible
from wnadmin.render.fold import folded
from wnadmin.render.widths import GAP, Head, fit, names_of
from wnadmin.results import SEVERITY_ORDER, Cell, Column, Finding, Findings, Outcome, Report, Result, Table

SEVERITY_STYLE: Final = {
    "critical": "bold red",
    "unknown": "bold magenta",
    "warn": "bold yellow",
    "skipped": "dim",
    "ok": "green",
}
STATUS_STYLE: Final = {
    "done": "green",
    "nothing": "green",
    "failed": "bold red",
    "interrupted": "bold red",
    "refused": "bold yellow",
    "declined": "yellow",
    "undone": "yellow",
    "skipped": "dim",
    "not run": "dim",
}


class Screen:
    """Collects what is to be printed; ``text`` gives it, without a trailing space unless styled."""

    def __init__(self, *, width: int, color: bool, unicode: bool = True) -> None:
        self.width = width
        self.color = color
        self.unicode = unicode
        self._out = StringIO()
        self._console = Console(
            file=self._out,
            width=width,
            force_terminal=color,
            force_jupyter=False,
            color_system="standard" if color else None,
            no_color=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def say(self, *parts: str | tuple[str, str], wrap: bool = False) -> None:
        """Print one paragraph of plain or styled pieces; what is to be copied is not wrapped."""
        line = Text()
        for part in parts:
            words, style = (part, "") if isinstance(part, str) else part
            line.append(visible(words), style=style)
        self.put(line, wrap=wrap)

    def put(self, thing: RenderableType, *, wrap: bool = True) -> None:
        """Print a rich thing."""
        if wrap:
            broken = folded(thing, self.width) if isinstance(thing, Text) else thing
            self._console.print(broken, overflow="fold")
        else:
            self._console.print(thing, soft_wrap=True)

    def gap(self) -> None:
        """Print an empty line, except at the top."""
        if self._out.tell():
            self._out.write("\n")

    def text(self) -> str:
        """Give all that was printed."""
        text = self._out.getvalue()
        return text if self.color else "".join(f"{line.rstrip()}\n" for line in text.split("\n")[:-1])

    def none(self) -> Text:
        """Give the sign for NULL."""
        return Text("∅" if self.unicode else "-", style="dim")


def result(result: Result, *, width: int, color: bool, unicode: bool = True, reveal: bool = True) -> str:
    """Give any result as it looks on a terminal of ``width`` cells."""
    screen = Screen(width=width, color=color, unicode=unicode)
    if isinstance(result, Findings):
        findings(screen, result.findings)
        screen.gap()
        screen.say((shapes.tally(result.findings), SEVERITY_STYLE[result.worst]))
        _closing(screen, result.notes, result.next)
    elif isinstance(result, Outcome):
        _outcome(screen, result)
    else:
        _report(screen, result, reveal)
    return screen.text()


def draw(screen: Screen, heads: Sequence[Head], rows: Sequence[Sequence[Text]], *, lines: bool = True) -> None:
    """Draw rows under heads within the width, as a table or, when that cannot be, as records.

    With ``lines`` the rows stand apart when many of them need more than a line.
    """
    columns = [[row[n].plain for row in rows] for n in range(len(heads))]
    widths = fit(heads, columns, screen.width)
    if widths is None:
        _records(screen, heads, rows)
        return
    broken = [[folded(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    table = RichTable(
        box=box.SIMPLE_HEAD if screen.unicode else box.ASCII2,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0) if screen.unicode else (0, 1),
        show_lines=lines and sum(any("\n" in cell.plain for cell in row) for row in broken) > len(broken) // 3,
        header_style="bold",
        border_style="dim",
    )
    for head, width in zip(heads, widths, strict=True):
        table.add_column(
            folded(Text(head.title), width),
            width=width,
            justify="right" if head.right else "left",
            overflow="fold",
            vertical="top",
        )
    for row in broken:
        table.add_row(*row)
    screen.put(table)


def findings(screen: Screen, found: Sequence[Finding]) -> None:
    """Draw findings, the worst first: what is wrong as a block each, what is well as a line each."""
    if not found:
        screen.say(("no findings", "dim"))
        return
    ordered = shapes.worst_first(found)
    several = len({f.node for f in ordered}) > 1
    wrong = [f for f in ordered if _needs_words(f)]
    well = [f for f in ordered if not _needs_words(f)]
    if wrong:
        draw(
            screen,
            (Head("severity", rigid=True), Head("finding")),
            [[_severity(f), _block(f, several)] for f in wrong],
        )
    if wrong and well:
        screen.gap()
    if well:
        heads = [Head("severity", rigid=True), Head("check"), Head("measured"), Head("detail")]
        rows = [[_severity(f), _where(f, "\n", several), _measured(f), Text(visible(f.detail))] for f in well]
        draw(screen, heads, rows, lines=False)


def _needs_words(finding: Finding) -> bool:
    unwell = SEVERITY_ORDER[finding.severity] > 0 or finding.evidence != "complete"
    return unwell or bool(finding.remediation)


def _severity(finding: Finding) -> Text:
    return Text(finding.severity, style="dim" if finding.standing else SEVERITY_STYLE[finding.severity])


def _where(finding: Finding, between: str, several: bool) -> Text:
    """Name check and object, and the node where there are several."""
    where = Text(visible(finding.check))
    for words in (finding.object, f"on {finding.node}" if several and finding.node else ""):
        if words:
            where.append(between + visible(words))
    return where


def _measured(finding: Finding) -> Text:
    measured = Text(visible(finding.measured))
    if finding.threshold:
        measured.append(f" (limit {visible(finding.threshold)})".lstrip("" if finding.measured else " "))
    return measured


def _block(finding: Finding, several: bool) -> Text:
    lines = [_where(finding, "  ", several), _measured(finding), Text(visible(finding.detail))]
    if finding.standing:
        lines[0].append(f"  ({finding.standing}, does not count)")
    lines[0].stylize("bold")
    if finding.evidence != "complete":
        lines.append(Text(f"evidence: {finding.evidence}", style="magenta"))
    if finding.since is not None:
        lines.append(Text(f"since {human(finding.since)}", style="dim"))
    if finding.remediation:
        lines.append(Text("fix: ", style="cyan").append(visible(finding.remediation), style="not bold"))
    if finding.playbook:
        lines.append(Text(f"playbook: {visible(finding.playbook)}", style="cyan"))
    return Text("\n").join(line for line in lines if line.plain)


def _report(screen: Screen, report: Report, reveal: bool) -> None:
    if report.text:
        screen.say(report.text.rstrip("\n"))
    if report.page:
        from wnadmin.render import pages

        screen.gap()
        screen.put(pages.markdown(visible(report.page), color=screen.color))
    for table in shapes.for_people(report) if not report.page else ():
        screen.gap()
        _table(screen, table, reveal)
    _closing(screen, report.notes, report.next)


def _outcome(screen: Screen, outcome: Outcome) -> None:
    screen.say((outcome.title, "bold"), ": ", (outcome.status, STATUS_STYLE.get(outcome.status, "bold cyan")))
    if outcome.detail:
        screen.say(outcome.detail, wrap=True)
    for effect in outcome.effects:
        screen.say(("effect: ", "cyan"), effect, wrap=True)
    if outcome.steps:
        screen.gap()
        _table(screen, shapes.shown_steps(outcome.steps, errors=False), True, null="")
    for step in outcome.steps:
        if step.error or step.status == "failed":
            screen.gap()
            screen.say((f"{step.status}: {step.title}", STATUS_STYLE.get(step.status, "")), wrap=True)
            # Its text was shown with the plan; again it would push the summary off the screen.
            screen.say(step.error, wrap=True)
    if outcome.proof:
        screen.gap()
        screen.say(("Proof", "bold"))
        findings(screen, outcome.proof)
    screen.gap()
    for line in shapes.closing(outcome):
        screen.say((line, "dim"))
    _closing(screen, (), outcome.next, gap=False)


def _closing(screen: Screen, notes: Sequence[str], next: str, *, gap: bool = True) -> None:
    if (notes or next) and gap:
        screen.gap()
    for note in notes:
        screen.say(("note: ", "cyan"), note, wrap=True)
    if next:
        screen.say(("next: ", "bold cyan"), next)


def _table(screen: Screen, table: Table, reveal: bool, null: str | None = None) -> None:
    if table.title:
        screen.say((table.title, "bold"), wrap=True)
    if not table.rows:
        screen.say((table.empty, "dim"), wrap=True)
        return
    none = screen.none() if null is None else Text(null)
    heads = [_head(table, n) for n in range(len(table.columns))]
    rows = [
        [_cell(cell, column, reveal, none) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    draw(screen, heads, rows)


def _cell(cell: Cell, column: Column, reveal: bool, none: Text) -> Text:
    if cell is None:
        return none
    style = STATUS_STYLE.get(str(cell), "") if column.name == "status" else ""
    return Text(human(cell, column.unit, reveal=reveal), style=style)


def _head(table: Table, n: int) -> Head:
    column = table.columns[n]
    cells = [row[n] for row in table.rows if row[n] is not None]
    numbers = bool(cells) and all(is_number(cell) for cell in cells)
    loose = any(isinstance(cell, str | list | tuple | dict | bytes) for cell in cells)
    return Head(visible(column.title or column.name.replace("_", " ")), right=numbers, rigid=not loose)


def _records(screen: Screen, heads: Sequence[Head], rows: Sequence[Sequence[Text]]) -> None:
    """Draw each row as lines of name and value."""
    names = names_of(heads, screen.width)
    values = screen.width - names - GAP - 1
    for number, row in enumerate(rows, 1):
        if number > 1:
            screen.gap()
        screen.say((f"[{number}]", "dim"))
        grid = RichTable.grid(padding=(0, GAP, 0, 0), pad_edge=False)
        grid.add_column(width=names, overflow="fold", style="bold")
        grid.add_column(width=values, overflow="fold")
        for head, cell in zip(heads, row, strict=True):
            grid.add_row(folded(Text(head.title), names), folded(cell, values))
        screen.put(grid)
