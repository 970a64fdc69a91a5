"""How setup's proofs say what they found."""

from __future__ import annotations

from wnadmin.results import Evidence, Finding, Severity


def finding(
    check: str,
    severity: Severity,
    detail: str,
    *,
    thing: str = "",
    measured: str = "",
    threshold: str = "",
    remediation: str = "",
) -> Finding:
    """Make a finding of a check such as ``setup.catalog`` about ``thing``; unknown means nothing was seen."""
    evidence: Evidence = "none" if severity == "unknown" else "complete"
    return Finding(
        f"{check}:{thing}" if thing else check,
        check,
        severity,
        detail,
        evidence,
        object=thing,
        measured=measured,
        threshold=threshold,
        remediation=remediation,
    )
