"""From findings to an exit code: what the settings waive, what the baseline knew, what still counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wnadmin.errors import Exit, UsageError
from wnadmin.results import SEVERITY_ORDER, Finding, Findings, Severity

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.settings import Waiver

NAGIOS: Mapping[Severity, int] = {"ok": 0, "skipped": 0, "warn": 1, "critical": 2, "unknown": 3}
"""The plugin convention; its unknown is worse than its critical only as a number."""

Known = Mapping[tuple[str, str], Severity]
"""Severities of a baseline, by node and waiver key."""


def weigh(value: Findings, options: Options, waivers: Sequence[Waiver], today: date) -> Findings:
    """Mark what is waived and what the baseline had; adds a finding for each waiver past its date."""
    known = read_baseline(Path(options.baseline), value.kind) if options.baseline is not None else None
    waived = [_waive(one, waivers, today) for one in value.findings]
    compared = [_compare(one, known) for one in waived] if known is not None else waived
    weighed = [_allow(one, options) for one in compared]
    checks = {one.check for one in weighed}
    ended = [_ended(one) for one in waivers if one.expires < today and one.key.partition(":")[0] in checks]
    notes = list(value.notes)
    if count := sum(one.standing == "waived" for one in weighed):
        notes.append(f"{count} waived by the profile")
    if count := sum(one.standing == "known" for one in weighed):
        notes.append(f"{count} known from {options.baseline}, which do not count")
    return replace(value, findings=(*weighed, *ended), notes=tuple(notes), next=value.next or _next(weighed))


def _next(found: Sequence[Finding]) -> str:
    """Name what to type about the worst of what counts; '' when all is well or no page tells."""
    counting = [
        one for one in found if SEVERITY_ORDER[one.severity] and not one.standing and one.sql.startswith("checks/")
    ]
    if not counting:
        return ""
    worst = max(counting, key=lambda one: SEVERITY_ORDER[one.severity])
    if worst.severity == "unknown" and worst.remediation.startswith("GRANT "):
        return "wnadmin health grants --role ROLE, with the role that looked"
    return f"wnadmin playbook show {worst.playbook}" if worst.playbook else f"wnadmin health explain {worst.check}"


def require_known(value: Findings, options: Options) -> None:
    """Raise UsageError for an --allow-unknown of a check that is not among the findings."""
    known = sorted({one.check for one in value.findings})
    for name in options.allow_unknown:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"--allow-unknown {name}: there is no such check here",
                why=f"The checks are: {', '.join(known)}.",
                next=f"Did you mean {near[0]}?" if near else "Name one of them.",
            )


def code(value: Findings, options: Options) -> int:
    """Give the exit code in the style that was asked for."""
    if options.exit_style == "nagios":
        return NAGIOS[value.worst]
    bar = SEVERITY_ORDER[options.fail_on]
    for finding in value.findings:
        if finding.standing:
            continue
        if finding.severity == "unknown":
            return Exit.FINDINGS
        if finding.severity not in ("ok", "skipped") and SEVERITY_ORDER[finding.severity] >= bar:
            return Exit.FINDINGS
    return Exit.OK


def read_baseline(path: Path, kind: str) -> Known:
    """Read findings that were saved with --format json; raises UsageError for anything else."""
    how = f"Save one: wnadmin … --format json > {path}"
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no baseline {path}", next=how) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the baseline {path}", why=str(error), next=how) from None
    wanted = f"wnadmin/{kind}/1"
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != wanted:
        raise UsageError(
            f"{path} is not a baseline for this command", why=f"It holds {schema!r} and not {wanted!r}.", next=how
        )
    found: dict[tuple[str, str], Severity] = {}
    try:
        for one in document["findings"]:
            severity = one["severity"]
            if severity not in SEVERITY_ORDER:
                raise ValueError(severity)
            if SEVERITY_ORDER[severity]:
                found[str(one["node"]), str(one["waiver_key"])] = severity
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"cannot read the baseline {path}", why="Its findings are incomplete.", next=how) from None
    return found


def _compare(one: Finding, known: Known) -> Finding:
    before = known.get((one.node, one.waiver_key))
    if before is None or not SEVERITY_ORDER[one.severity] or SEVERITY_ORDER[one.severity] > SEVERITY_ORDER[before]:
        return one
    return replace(one, standing="known")


def _allow(one: Finding, options: Options) -> Finding:
    allowed = one.severity == "unknown" and one.check in options.allow_unknown and not one.standing
    return replace(one, standing="allowed") if allowed else one


def _waive(one: Finding, waivers: Sequence[Waiver], today: date) -> Finding:
    if not SEVERITY_ORDER[one.severity]:
        return one
    for waiver in waivers:
        if waiver.expires >= today and waiver.covers(one.waiver_key, blind=one.severity == "unknown"):
            words = (
                f"waived until {waiver.expires} by {waiver.owner}: {waiver.reason} (is {one.severity}: {one.detail})"
            )
            return replace(one, severity="skipped", standing="waived", detail=words, remediation="", playbook="")
    return one


def _ended(waiver: Waiver) -> Finding:
    return Finding(
        id=f"waiver:{waiver.key}",
        check="waiver",
        severity="warn",
        detail=f"the waiver ended on {waiver.expires} and excuses nothing any more: {waiver.reason}",
        object=waiver.key,
        remediation=f"Mend it, or have {waiver.owner} renew or remove the waiver in wnadmin.toml.",
        waiver_key=f"waiver:{waiver.key}",
    )
