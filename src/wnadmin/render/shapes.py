"""Findings and Outcomes as tables, and the machine's view of each: pure reshaping, no text layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Final

from wnadmin.errors import UsageError
from wnadmin.render.cells import json_text, machine
from wnadmin.results import (
    SEVERITY_ORDER,
    Cell,
    Column,
    Finding,
    Findings,
    Outcome,
    Receipt,
    Report,
    StepResult,
    Table,
)

FINDING_FIELDS: Final = tuple(f.name for f in fields(Finding))
_ALWAYS: Final = frozenset({"severity", "check", "object", "measured", "threshold", "detail", "remediation"})
_SHOWN: Final = (
    "severity",
    "standing",
    "check",
    "node",
    "object",
    "measured",
    "threshold",
    "evidence",
    "since",
    "detail",
    "remediation",
    "playbook",
)


def check(report: Report) -> None:
    """Raise ValueError for a report that would lose data: names that occur twice, rows of another length."""
    _distinct([table.name for table in report.tables], "table")
    for table in (*report.tables, *(one.shown for one in report.tables if one.shown is not None)):
        _distinct([column.name for column in table.columns], "column")
        width = len(table.columns)
        if any(len(row) != width for row in table.rows):
            raise ValueError(f"table {table.name}: a row has not {width} cells, one a column")


def for_people(report: Report) -> list[Table]:
    """Give the tables as people see them: without those that are empty and have no words for it."""
    tables = (table.shown or table for table in report.tables)
    return [table for table in tables if table.rows or table.empty]


def only(report: Report, name: str) -> Report:
    """Give the report with one of its tables alone, instead of a page too; raises UsageError for any other name."""
    for table in report.tables:
        if table.name == name:
            return replace(report, tables=(table,), page="")
    names = [table.name for table in report.tables]
    near = get_close_matches(name, names, n=1)
    raise UsageError(
        f"there is no table {name} in this result",
        why=f"It has {', '.join(names)}." if names else "It has none.",
        next=f"Did you mean --table {near[0]}?" if near else f"Add --table {names[0]}." if names else "",
    )


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by severity, the worst first, what does not count after what does; else the given order stays."""
    return sorted(findings, key=lambda f: (bool(f.standing), -SEVERITY_ORDER[f.severity]))


def tally(findings: Sequence[Finding]) -> str:
    """Give ``2 critical, 1 warn, 12 ok, 3 known``; what does not occur is left out."""
    count: Counter[str] = Counter(f.standing or f.severity for f in findings)
    order = ("critical", "unknown", "warn", "skipped", "ok", "known", "allowed", "waived")
    return ", ".join(f"{count[word]} {word}" for word in order if count[word]) or "no findings"


def all_fields(findings: Iterable[Finding], name: str = "findings") -> Table:
    """Give every field of every finding, for machines."""
    rows = tuple(tuple(getattr(f, key) for key in FINDING_FIELDS) for f in worst_first(findings))
    return Table(name, tuple(Column(key) for key in FINDING_FIELDS), rows)


def shown_fields(findings: Iterable[Finding], name: str = "findings", title: str = "") -> Table:
    """Give what a person needs, in reading order; a column nobody filled is left out unless expected."""
    ordered = worst_first(findings)
    several = len({f.node for f in ordered}) > 1
    names = [
        key for key in _SHOWN if key in _ALWAYS or (any(_says(f, key) for f in ordered) and (several or key != "node"))
    ]
    rows = tuple(tuple(getattr(f, key) for key in names) for f in ordered)
    return Table(name, tuple(Column(key) for key in names), rows, title=title, empty="no findings")


def of_findings(result: Findings) -> Report:
    """Give the findings as a report of one table, with the tally as its first note."""
    table = shown_fields(result.findings)
    return Report(result.kind, (table,), notes=(tally(result.findings), *result.notes), next=result.next)


def of_outcome(result: Outcome) -> Report:
    """Give the outcome as a report: headline and effects, steps, proof, where it was recorded."""
    tables = [shown_steps(result.steps)] if result.steps else []
    if result.proof:
        tables.append(shown_fields(result.proof, "proof", title="Proof"))
    return Report(
        result.kind,
        tuple(tables),
        text="\n".join([headline(result), *(f"effect: {effect}" for effect in result.effects)]),
        notes=closing(result),
        next=result.next,
    )


def headline(result: Outcome) -> str:
    """Give the title with its status, and why when there is a reason."""
    return f"{result.title}: {result.status}" + (f" ({result.detail})" if result.detail else "")


def closing(result: Outcome) -> tuple[str, ...]:
    """Give the operation id, and where it was recorded."""
    recorded = f"recorded in {result.recorded}" if result.recorded else "not recorded"
    return (f"operation {result.operation}", recorded)


def step_fields(steps: Sequence[StepResult]) -> Table:
    """Give one row a step: what became of it and what its receipt says."""
    columns = (
        Column("number", "#"),
        Column("key"),
        Column("title", "step"),
        Column("status"),
        Column("rows", unit="rows"),
        Column("milliseconds", "time", unit="ms"),
        Column("values", "receipt"),
        Column("error"),
    )
    rows = tuple(
        (number, step.key, step.title, step.status, *_receipt(step.receipt), step.error or None)
        for number, step in enumerate(steps, 1)
    )
    return Table("steps", columns, rows, title="Steps", empty="no steps")


def shown_steps(steps: Sequence[StepResult], *, errors: bool = True) -> Table:
    """Give the same without the machine's names and without columns that are empty in every row."""
    table = step_fields(steps)
    hidden = ("key",) if errors else ("key", "error")
    wanted = [
        n
        for n, column in enumerate(table.columns)
        if column.name not in hidden and any(row[n] is not None for row in table.rows)
    ]
    return replace(
        table,
        columns=tuple(table.columns[n] for n in wanted),
        rows=tuple(tuple(row[n] for n in wanted) for row in table.rows),
    )


def step_record(step: StepResult) -> dict[str, Cell]:
    """Give every field of a step, for machines."""
    receipt = step.receipt
    return {
        "key": step.key,
        "title": step.title,
        "status": step.status,
        "shows": step.shows,
        "receipt": None
        if receipt is None
        else {
            "step": receipt.step,
            "rows": receipt.rows,
            "milliseconds": receipt.milliseconds,
            "values": receipt.values,
            "text": receipt.text,
        },
        "error": step.error,
    }


def outcome_facts(result: Outcome) -> dict[str, Cell]:
    """Give what an outcome says beside its steps and its proof."""
    return {
        "title": result.title,
        "status": result.status,
        "operation": result.operation,
        "digest": result.digest,
        "effects": result.effects,
        "recorded": result.recorded,
        "detail": result.detail,
        "next": result.next,
    }


def _distinct(names: list[str], what: str) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"a {what} name occurs twice: {names}")


def _says(finding: Finding, key: str) -> bool:
    value = getattr(finding, key)
    return bool(value) and not (key == "evidence" and value == "complete")


def _receipt(receipt: Receipt | None) -> tuple[int | None, int | None, str | None]:
    if receipt is None:
        return None, None, None
    return receipt.rows, receipt.milliseconds, json_text(machine(receipt.values)) if receipt.values else None
