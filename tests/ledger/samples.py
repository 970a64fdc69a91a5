"""Payloads as the engine makes them, and reports as mappings."""

from __future__ import annotations

from wnadmin.results import Cell, Report

INTENT = {
    "command": "queries reset",
    "argv": ["queries", "reset", "--all"],
    "args": {"all": True},
    "inputs": {"before": 12},
    "digest": "d" * 64,
    "target": "wondernest",
    "os_user": "operator",
    "host": "db1",
    "wnadmin": "0.1.0",
    "reason": "a test",
    "parent": None,
    "dry_run": False,
}
RECEIPT = {"step": "reset", "rows": 1, "milliseconds": 4, "values": {"at": "now"}, "text": "SELECT 1"}
DONE = {"step": "reset", "status": "done", "receipt": RECEIPT}
OUTCOME = {"status": "done", "detail": "", "milliseconds": 7, "steps": []}


def rows(report: Report, table: int = 0) -> list[dict[str, Cell]]:
    """One table of a report as mappings."""
    one = report.tables[table]
    names = [column.name for column in one.columns]
    return [dict(zip(names, row, strict=True)) for row in one.rows]
