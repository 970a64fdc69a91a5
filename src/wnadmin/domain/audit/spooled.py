"""The spool's part of ``audit verify``: its chain, its file, and its end as the ledger remembers it."""

from __future__ import annotations

from collections.abc import Sequence

from wnadmin.errors import Failed
from wnadmin.ledger.spool import Inspection, Spool
from wnadmin.ledger.walk import SpoolHead
from wnadmin.results import Evidence, Finding, Severity

LIMIT = 20
"""How many objects of one kind are named."""


def finding(
    name: str,
    severity: Severity,
    detail: str,
    *,
    thing: str = "",
    measured: str = "",
    evidence: Evidence = "complete",
    remediation: str = "",
) -> Finding:
    """Make a finding of the check ``name``, about ``thing``."""
    return Finding(name, name, severity, detail, evidence, object=thing, measured=measured, remediation=remediation)


def verify(spool: Spool, heads: Sequence[SpoolHead] | None) -> list[Finding]:
    """Check the spool; ``heads`` are the ends that a ledger remembers of it, None when no ledger was read."""
    try:
        seen = spool.inspect()
    except Failed as error:
        return [finding("spool.link", "unknown", f"{error.what}: {error.why}", evidence="none", remediation=error.next)]
    found = [*_chain(seen), *_file(seen, spool)]
    if all(one.severity != "critical" for one in found):
        count = len(seen.entries)
        sound = f"{count} entries in {spool.path}, each gives its hash" if count else "the spool is empty"
        found.append(finding("spool.link", "ok", sound + _unproven(count, heads)))
    return [*found, *_tail(seen, spool, heads or ())]


def _unproven(count: int, heads: Sequence[SpoolHead] | None) -> str:
    if heads is None:
        return "; its end is proven only by a ledger"
    return "" if heads or not count else "; no row of the ledger has recorded its end yet"


def _chain(seen: Inspection) -> list[Finding]:
    found = [
        finding(
            "spool.gap" if one.fault == "gap" else "spool.link",
            "critical",
            f"spool: {one.detail}",
            thing=f"row {one.seq}",
        )
        for one in seen.links.breaks
    ]
    if seen.links.more:
        found.append(finding("spool.link", "critical", f"spool: {seen.links.more} more rows do not hold"))
    return found


def _file(seen: Inspection, spool: Spool) -> list[Finding]:
    found = [
        finding(
            "spool.torn" if one.torn else "spool.link",
            "warn" if one.torn else "critical",
            f"spool: {one.detail}",
            thing=f"offset {one.offset}",
            remediation=(
                "Leave the bytes where they are: the next row accounts for them. "
                "Look at `wnadmin audit unfinished` for what the crash cut short."
                if one.torn
                else f"Keep a copy of {spool.path}, then find out who wrote to it."
            ),
        )
        for one in seen.damage[:LIMIT]
    ]
    if seen.guard:
        found.append(
            finding(
                "spool.guard",
                "warn",
                f"the spool may have been changed by others: {seen.guard}",
                thing=str(spool.path),
                remediation=f"chmod 600 {spool.path}",
            )
        )
    return found


def _tail(seen: Inspection, spool: Spool, heads: Sequence[SpoolHead]) -> list[Finding]:
    if not heads:
        return []
    last = seen.links.seq
    hashes = {one.seq: one.h for one in seen.entries}
    furthest = heads[-1]
    remediation = (
        f"Look for an older copy of {spool.path}. If the folder was begun anew on purpose, keep what there is of the "
        "old one and name another folder with WNADMIN_STATE."
    )
    found: list[Finding] = []
    if furthest.seq > last:
        missing = f"rows {last + 1} to {furthest.seq} are" if furthest.seq > last + 1 else f"row {furthest.seq} is"
        found.append(
            finding(
                "spool.tail",
                "critical",
                f"spool: {missing} missing: it ends at row {last}, and row {furthest.row} of the ledger "
                f"recorded row {furthest.seq} of it",
                thing=f"row {last + 1}",
                remediation=remediation,
            )
        )
    # A row in the middle that is missing is a gap, and named as such.
    other = next((one for one in heads if hashes.get(one.seq, one.h) != one.h), None)
    if other is not None:
        found.append(
            finding(
                "spool.tail",
                "critical",
                f"spool: row {other.seq} was written anew: its hash is not the one that row {other.row} of the ledger "
                "recorded",
                thing=f"row {other.seq}",
                remediation=remediation,
            )
        )
    if found:
        return found
    after = f"; rows {furthest.seq + 1} to {last} came later and are not proven yet" if last > furthest.seq else ""
    proven = f"spool: row {furthest.seq} is the one that row {furthest.row} of the ledger recorded{after}"
    return [finding("spool.tail", "ok", proven)]
