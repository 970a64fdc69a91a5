"""Findings as a monitoring plugin prints them: a status line with performance data, then a line a finding.

The form is that of the Monitoring Plugins Development Guidelines: ``'label'=value[unit];warn;critical``, where
``30:`` means that less than 30 is bad. A label is the check's id, with the node behind it where there are several;
of several objects of one check the worst is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from wnadmin.render import shapes
from wnadmin.render.cells import visible
from wnadmin.results import SEVERITY_ORDER, Finding, Findings

WORDS: Final = {"ok": "OK", "skipped": "OK", "warn": "WARNING", "critical": "CRITICAL", "unknown": "UNKNOWN"}
_UNITS: Final = {"s": ("s", 1.0), "days": ("s", 86400.0), "ms": ("ms", 1.0), "bytes": ("B", 1.0), "%": ("%", 1.0)}
_BAR: Final = "\u00a6"
"""Stands for ``|``, which would begin the performance data."""


def plugin(result: Findings) -> str:
    """Give the whole output for Findings."""
    several = len({one.node for one in result.findings}) > 1
    bad = [one for one in shapes.worst_first(result.findings) if SEVERITY_ORDER[one.severity] and not one.standing]
    head = shapes.tally([one for one in result.findings if not one.standing])
    if bad:
        head += ": " + "; ".join(_short(one, several) for one in bad[:3])
    lines = [f"WNADMIN {WORDS[result.worst]} - {_clean(head)}"]
    if data := " ".join(_performance(result.findings, several)):
        lines[0] += f" | {data}"
    lines += [_clean(f"{WORDS[one.severity]} {_long(one, several)}") for one in bad]
    return "\n".join(lines) + "\n"


def failed(what: str, *, critical: bool) -> str:
    """Give the line of a run without a verdict; critical when the server cannot be reached."""
    return f"WNADMIN {'CRITICAL' if critical else 'UNKNOWN'} - {_clean(what)}\n"


def _short(one: Finding, several: bool) -> str:
    about = " ".join(part for part in (one.check, one.object, f"on {one.node}" if several else "") if part)
    return f"{about} {one.measured or one.detail}"


def _long(one: Finding, several: bool) -> str:
    about = " ".join(part for part in (one.check, one.object, f"on {one.node}" if several else "") if part)
    measured = f"{one.measured} (limit {one.threshold})" if one.threshold else one.measured
    parts = (measured, one.detail, f"playbook {one.playbook}" if one.playbook else "")
    return f"{about}: " + "; ".join(part for part in parts if part)


def _performance(findings: Sequence[Finding], several: bool) -> Iterable[str]:
    seen: dict[tuple[str, str], Finding] = {}
    for one in findings:
        key = (one.check, one.node)
        if one.value is not None and (key not in seen or _worse(one, seen[key])):
            seen[key] = one
    for one in seen.values():
        unit, factor = _UNITS.get(one.unit, ("", 1.0))
        label = f"{one.check}@{one.node}" if several else one.check
        value = _digits((one.value or 0.0) * factor)
        warn, critical = (_bound(bound, factor, one.below) for bound in (one.warn, one.critical))
        quoted = _clean(label).replace("'", "''").replace("=", "_")
        yield f"'{quoted}'={value}{unit};{warn};{critical}".rstrip(";")


def _worse(one: Finding, other: Finding) -> bool:
    mine, its = one.value or 0.0, other.value or 0.0
    return mine < its if one.below else mine > its


def _bound(bound: float | None, factor: float, below: bool) -> str:
    if bound is None:
        return ""
    return f"{_digits(bound * factor)}{':' if below else ''}"


def _digits(value: float) -> str:
    # The guidelines know digits, a sign and a point, and no exponent; U is what cannot be given.
    if not math.isfinite(value):
        return "U"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    return visible(text.replace("\n", " "), keep="").replace("|", _BAR)
