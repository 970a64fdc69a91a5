"""Payloads as the engine makes them, reports as mappings, ledgers with something in them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from tests.support import Cli
from wnadmin.domain import audit
from wnadmin.ledger import canonical, chain
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target
from wnadmin.results import Cell, Finding, Plan, Receipt, Report, World

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


def fill(target: Target, operations: int = 5, *, state: Path | None = None) -> list[UUID]:
    """Make changes: three rows and one checkpoint each, on top of what is there."""
    ids = [uuid4() for _ in range(operations)]
    with Recorder.open(target, "queries reset", state=state) as recorder:
        for op_id in ids:
            assert recorder.intent(op_id, INTENT).sink == "database"
            recorder.step_done(op_id, DONE)
            assert recorder.outcome(op_id, OUTCOME).sink == "database"
    return ids


def carry_out(plan: Plan, *, stop_after: int | None = None) -> dict[str, Receipt]:
    """Run the steps of a plan as the engine does, without its rows; only the first ``stop_after`` when given."""
    receipts: dict[str, Receipt] = {}
    for step in plan.steps[:stop_after]:
        if step.done is None or not step.done():
            receipts[step.key] = step.run(World(receipts, lambda *_: None, lambda: False))
    return receipts


def proven(plan: Plan) -> list[tuple[str, str]]:
    """What a plan's own looking again does not call well."""
    assert plan.verify is not None
    return [(one.id, one.detail) for one in plan.verify() if one.severity not in ("ok", "skipped")]


def bad(db: Database, **more: Any) -> list[tuple[str, str]]:
    """What verification finds: check and object of everything that is not well."""
    return [(one.id, one.object) for one in audit.verify(db, **more).findings if one.severity not in ("ok", "skipped")]


def found(db: Database, name: str) -> list[Finding]:
    """The findings of one check."""
    return [one for one in audit.verify(db).findings if one.id == name]


def head(db: Database) -> int:
    """The number of the last row."""
    return int(db.session.scalar("SELECT coalesce(max(seq), 0) FROM audit.operator_ledger"))


def grow_old(session: Session, years: int, operations: int, ids: Sequence[UUID] = ()) -> None:
    """Append operations of three rows with times of ``years`` ago, as a superuser can who knows how to hash."""
    rows = session.run("SELECT seq, h FROM audit.operator_ledger ORDER BY seq DESC LIMIT 1").rows
    seq, prev = (rows[0][0], bytes(rows[0][1])) if rows else (0, bytes(32))
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(days=366 * years)
    for number in range(operations):
        op_id = ids[number] if ids else uuid4()
        for phase, facts in (("intent", INTENT), ("done", DONE), ("outcome", OUTCOME)):
            seq, moment = seq + 1, moment + timedelta(seconds=1, microseconds=7)
            payload = canonical.dumps({"v": 1, **facts, "op_id": op_id, "phase": phase})
            text = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
            envelope = f'{{"ts" : "{text}", "session_user" : "postgres", "backend_pid" : 1}}'
            h = chain.digest(seq, prev, envelope.encode(), payload.encode())
            session.run(
                "INSERT INTO audit.operator_ledger (seq, ts, op_id, phase, envelope, payload, prev, h)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [seq, moment, op_id, phase, envelope, payload, prev, h],
            )
            prev = h


def killed(cli: Cli, place: str, number: int, *words: str) -> None:
    """Run wnadmin and kill it with -9 after the ``number``th call of the function ``place`` ("module:name")."""
    module, _, name = place.partition(":")
    program = (
        "import importlib, os, runpy, signal, sys\n"
        f"module = importlib.import_module({module!r})\n"
        f"real, left = getattr(module, {name!r}), [{number}]\n"
        "def then_die(*args, **more):\n"
        "    value = real(*args, **more)\n"
        "    left[0] -= 1\n"
        "    if not left[0]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return value\n"
        f"setattr(module, {name!r}, then_die)\n"
        "sys.argv = ['wnadmin', *sys.argv[1:]]\n"
        "runpy.run_module('wnadmin', run_name='__main__')\n"
    )
    argv = cli.argv(*words)
    done = subprocess.run(
        [argv[0], "-c", program, *argv[3:]], env=cli.env(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def unfinished(cli: Cli) -> str:
    """The one operation that has no outcome."""
    (orphan,) = cli.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    return str(orphan["operation"])
