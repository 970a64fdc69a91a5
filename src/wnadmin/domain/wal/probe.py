"""`backup wal check --probe`: have one segment archived now, and say what became of it."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from wnadmin.domain.wal import look, names
from wnadmin.domain.wal.look import Process, Server
from wnadmin.domain.wal.names import Segment
from wnadmin.errors import WnError
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Severity

CHECK: Final = "wal.probe"
COMMAND: Final = "backup wal check"
_SQL: Final = "changes/wal/switch"
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of it; ``said`` is what the operator has to know beside the finding."""

    finding: Finding
    said: str


def probe(db: Database, recorder: Recorder, argv: Sequence[str], *, seconds: float) -> Probe:
    """Close the segment that is written now and wait until it is archived, ``seconds`` at the most.

    It is a change, and recorded as one before it is made; Refused when it can be recorded nowhere.
    """
    server = look.server(db)
    if server.recovering:
        return Probe(_finding("skipped", "a standby writes no WAL that could be switched"), "")
    if not server.runs:
        return Probe(_finding("skipped", "archiving is off: nothing was switched"), "")
    login = db.rows("queries/wal/rights", look.Rights)[0]
    if not login.switches:
        grant = f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO {login.login}"
        return Probe(_finding("unknown", "this login may not switch WAL", fix=grant), "")
    operation = uuid4()
    recorder.intent(operation, _intent(db, argv))
    began, status, detail = time.monotonic(), "failed", "the switch failed"
    try:
        segment = _switch(db, server)
        finding = _wait(db, server, segment, began, seconds)
        status, detail = "done", finding.detail
    except WnError as error:
        detail = error.what
        raise
    finally:
        took = round((time.monotonic() - began) * 1000)
        recorded = recorder.outcome(
            operation, {"command": COMMAND, "status": status, "detail": detail, "milliseconds": took}
        )
    name = segment.name(server.segment)
    return Probe(finding, f"WAL was switched, which closed {name}; recorded in {recorded.where}.")


def _intent(db: Database, argv: Sequence[str]) -> dict[str, object]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return {
        "command": COMMAND,
        "argv": [*COMMAND.split(), *argv],
        "target": db.session.target.describe(),
        "os_user": user,
        "host": socket.gethostname(),
        "reason": "",
        "parent": None,
        "title": "Switch WAL and wait until the segment is archived",
        "inputs": {},
        "steps": ["switch"],
    }


def _switch(db: Database, server: Server) -> Segment:
    one = db.prepared(_SQL)
    answer = db.session.run(one.rendered.query, one.rendered.bound, doing="switch WAL")
    # The position is that of the next byte: at a boundary it is already in the next segment.
    return Segment(server.timeline, (names.lsn(str(answer.rows[0][1])) - 1) // server.segment)


def _wait(db: Database, before: Server, wanted: Segment, began: float, seconds: float) -> Finding:
    name = wanted.name(before.segment)
    while True:
        now = look.server(db)
        took = time.monotonic() - began
        if _has(db, now, wanted):
            return _finding("ok", f"{name} was archived {took:.1f} s after it was closed", name, took)
        if took >= seconds:
            return _finding("critical", f"{name} was not archived within {seconds:g} s: {_why(db, before, now)}", name)
        time.sleep(min(_POLL, max(seconds - took, 0.01)))


def _has(db: Database, now: Server, wanted: Segment) -> bool:
    last = now.last
    if last is not None and last.kind == "segment" and Segment(last.timeline, last.number) >= wanted:
        return True
    # After the segment a small file may have been archived, and hide that it was.
    waiting = look.waiting(db)
    if waiting is None or now.archived_count == 0 or now.failing:
        return False
    first = names.parse(waiting.first, now.segment)
    return waiting.files == 0 or (first is not None and first.kind == "segment" and first.number > wanted.number)


def _why(db: Database, before: Server, now: Server) -> str:
    failures = now.failed_count - before.failed_count
    if failures > 0 and now.failing and now.failed_at is not None:
        return f"the command failed {_times(failures)}, last at {_clock(now.failed_at)} with {now.failed}"
    waiting = look.waiting(db)
    if now.archived_count > before.archived_count:
        left = f", {waiting.files:,} still wait" if waiting else ""
        return f"the archiver is at {now.archived}{left}"
    processes = db.rows("queries/wal/process", Process)
    if waiting is None:
        return "no attempt succeeded or was counted as failed; why is hidden from this login"
    if processes and processes[0].busy:
        return "the archiver waits for its command, which does not end"
    if now.failing and now.failed_at is not None:
        return f"the command failed at {_clock(now.failed_at)} with {now.failed}, and is tried about once a minute"
    return (
        "no attempt was counted as done or failed: the shell did not find the command, or a signal ended it; "
        "the end of the server log says which"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _clock(when: datetime) -> str:
    return f"{when:%H:%M:%S}Z"


def _finding(severity: Severity, detail: str, thing: str = "", took: float | None = None, *, fix: str = "") -> Finding:
    remedy = fix or ("wnadmin playbook show archiving-fails" if severity == "critical" else "")
    return Finding(
        f"{CHECK}:{thing}" if thing else CHECK,
        CHECK,
        severity,
        detail,
        "none" if severity in ("unknown", "skipped") else "complete",
        object=thing,
        measured="" if took is None else f"{took:.1f} s",
        remediation=remedy,
        playbook="archiving-fails" if severity == "critical" else "",
        sql=_SQL,
        waiver_key=CHECK,
        value=took,
        unit="s" if took is not None else "",
    )


def argv(archive: str, seconds: float) -> list[str]:
    """The words with which the ledger can call the probe again."""
    words = ["--probe", "--wait", f"{seconds:g}"]
    return [*words, "--archive", archive] if archive else words
