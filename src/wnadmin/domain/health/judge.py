"""The one judge: rows of a check against its limits make findings. Pure, without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from wnadmin.domain.health.checks import Check, Limits, Measured
from wnadmin.domain.health.quantities import show
from wnadmin.results import Evidence, Finding, Severity

WINDOW = timedelta(hours=1)
"""Growth of a counter is judged over this long."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a counter said at one look: the number by object."""

    at: datetime
    values: Mapping[str, Decimal]


def severity(value: float, limits: Limits) -> Severity:
    """Judge one number; a limit itself is still well."""
    for name, bound in (("critical", limits.critical), ("warn", limits.warn)):
        if bound is not None and (value < bound if limits.below else value > bound):
            return "critical" if name == "critical" else "warn"
    return "ok"


def findings(check: Check, rows: Sequence[Measured], limits: Limits, *, node: str) -> list[Finding]:
    """Make a finding of each row that is not well; when all are, one of the worst of them."""
    if not rows:
        return [_finding(check, limits, node, "ok", check.none, evidence=check.evidence)]
    judged = [_judge(check, row, limits, node) for row in rows]
    bad = [one for one in judged if one.severity != "ok"]
    if bad:
        return bad
    worst = (min if limits.below else max)(judged, key=lambda one: one.value or 0.0)
    if len(judged) == 1:
        return [worst]
    return [replace(worst, detail=f"{worst.detail} (the nearest of {len(judged)})")]


def _judge(check: Check, row: Measured, limits: Limits, node: str) -> Finding:
    if row.measured is None:
        return _finding(
            check,
            limits,
            node,
            "unknown",
            row.detail,
            object=row.object,
            since=row.since,
            remediation=row.fix,
            evidence="none",
        )
    value = float(row.measured)
    verdict = severity(value, limits)
    return _finding(
        check,
        limits,
        node,
        verdict,
        row.detail,
        object=row.object,
        since=row.since,
        remediation=row.fix if verdict != "ok" else "",
        evidence=check.evidence,
        value=value,
    )


def blind(check: Check, limits: Limits, node: str, why: str, *, remediation: str = "") -> Finding:
    """The finding of a check that could not see."""
    return _finding(check, limits, node, "unknown", why, remediation=remediation, evidence="none")


def skipped(check: Check, limits: Limits, node: str, why: str) -> Finding:
    """The finding of a check that does not apply here."""
    return _finding(check, limits, node, "skipped", why)


def _finding(
    check: Check,
    limits: Limits,
    node: str,
    severity: Severity,
    detail: str,
    *,
    object: str = "",
    since: datetime | None = None,
    remediation: str = "",
    evidence: Evidence = "complete",
    value: float | None = None,
) -> Finding:
    return Finding(
        id=f"{check.id}:{object}" if object else check.id,
        check=check.id,
        severity=severity,
        detail=detail,
        evidence=evidence,
        node=node,
        object=object,
        measured=show(value, check.unit),
        threshold=_threshold(limits, check, severity) if value is not None else "",
        since=since,
        remediation=remediation,
        sql=check.file,
        waiver_key=f"{check.id}:{object}" if object else check.id,
        value=value,
        unit=check.unit,
        warn=limits.warn,
        critical=limits.critical,
        below=limits.below,
    )


def _threshold(limits: Limits, check: Check, severity: Severity) -> str:
    """The limit that was passed, or the next one that would be."""
    bound = limits.critical if severity == "critical" else limits.warn
    if bound is None:
        bound = limits.critical
    return show(bound, check.unit)


def growth(rows: Sequence[Measured], now: datetime, before: Sequence[Sample]) -> tuple[list[Measured], Evidence]:
    """Turn counters into their growth since the oldest of the earlier samples that lies within the window.

    Without an earlier sample it is the average an hour since the counter began, which is partial evidence; a
    counter that went backwards was reset and is judged so too. Nothing is extrapolated: in a short window a
    single event is one event.
    """
    oldest = next((one for one in before if now - one.at <= WINDOW), None)
    evidence: Evidence = "complete"
    found: list[Measured] = []
    for row in rows:
        if row.measured is None:
            found.append(row)
            continue
        first = oldest.values.get(row.object) if oldest else None
        if oldest is not None and first is not None and row.measured >= first:
            took = int((now - oldest.at).total_seconds())
            words = (
                f"{row.detail}; in the last {took // 60} min" if took >= 120 else f"{row.detail}; in the last {took} s"
            )
            found.append(replace(row, measured=row.measured - first, since=oldest.at, detail=words))
            continue
        evidence = "partial"
        if row.since is None:
            words = f"{row.detail}; since when is not known, so this one look says nothing about now"
            found.append(replace(row, measured=None, detail=words))
            continue
        hours = max(Decimal((now - row.since).total_seconds()) / 3600, Decimal(1))
        words = f"{row.detail}; the average an hour since the counter began, {row.measured:,.0f} in all"
        found.append(replace(row, measured=row.measured / hours, detail=words))
    return found, evidence
