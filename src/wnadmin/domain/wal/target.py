"""`backup wal check --at`: which base backup and which WAL lead to a moment, before anybody has to find out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.wal import status
from wnadmin.domain.wal.folder import Folder, Timeline
from wnadmin.domain.wal.look import Facts
from wnadmin.domain.wal.tools import Kept, Seen
from wnadmin.results import Finding, Severity

CHECK: Final = "wal.at"
PAGE: Final = "point-in-time-recovery"


def judge(at: datetime, facts: Facts, seen: Sequence[Seen]) -> Finding:
    """Say whether recovery to ``at`` is possible with what can be seen from here, and from which base backup."""
    if at > facts.server.now:
        return _finding(at, "critical", "that moment is still to come")
    known = [pair for pair in status.backups(facts.folder, seen) if pair[0].finished is not None]
    if not known:
        fix = "Name the archive: --archive DIR" if facts.folder is None else ""
        return _finding(at, "unknown", "no base backup can be seen from here", fix)
    before = [pair for pair in known if pair[0].finished is not None and pair[0].finished <= at]
    if not before:
        first = min(kept.finished for kept, _ in known if kept.finished)
        said = f"the oldest base backup ended at {first:%Y-%m-%d %H:%M:%S}Z, after that: nothing leads to it"
        return _finding(at, "critical", said, "Restore a dump: wnadmin playbook show point-in-time-recovery")
    good = [pair for pair in before if not pair[0].trouble]
    for kept, reach in good:
        if reach is None or reach.until is None or facts.folder is None or reach.to is None:
            continue
        if reach.until >= at:
            said = (
                f"from the {kept.kind} base backup {kept.name} ({kept.label}), which ended at "
                f"{kept.finished:%Y-%m-%d %H:%M:%S}Z, with WAL to {reach.to.name(facts.folder.size)}"
            )
            if later := _began_later(facts.folder, reach.to.timeline, kept, at):
                said += (
                    f"; timeline {later.number} began after that moment, at {later.began:%Y-%m-%d %H:%M:%S}Z: "
                    "what was written until then is on the timeline before"
                )
                fix = f"Set recovery_target_timeline = '{later.before[-1].timeline if later.before else 1}'."
                return _finding(at, "warn", said, fix)
            return _finding(at, "ok", said)
    own = [(kept, reach) for kept, reach in good if reach is not None]
    for kept, reach in own:
        if reach.gap is not None and facts.folder is not None:
            said = f"{reach.gap.name(facts.folder.size)} is missing on the way from the base backup {kept.name}"
            return _finding(at, "critical", said, "Take a new base backup: that moment is lost.")
        if reach.until is not None:
            said = f"the WAL that is archived leads to {reach.until:%Y-%m-%d %H:%M:%S}Z only"
            return _finding(at, "critical", said, "wnadmin backup wal check --probe, while the server lives")
    if good:
        kept = good[0][0]
        said = f"{kept.tool} has {kept.label}, which ended before; whether its WAL leads there only {kept.tool} knows"
        return _finding(at, "unknown", said, f"Ask {kept.tool} to verify its archive.")
    return _finding(at, "critical", f"no base backup before it is good: {before[0][0].trouble}")


def _began_later(folder: Folder, timeline: int, kept: Kept, at: datetime) -> Timeline | None:
    """The first timeline on the way that began after ``at``, though the base backup is of an earlier one."""
    way = folder.ways(timeline)
    for line in folder.timelines:
        if line.number in way and line.number > int(kept.first_wal[:8], 16) and line.began and line.began > at:
            return line
    return None


def _finding(at: datetime, severity: Severity, detail: str, fix: str = "") -> Finding:
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return Finding(
        f"{CHECK}:{when}",
        CHECK,
        severity,
        detail,
        "none" if severity == "unknown" else "complete",
        object=when,
        remediation=fix or ("" if severity == "ok" else f"wnadmin playbook show {PAGE}"),
        playbook=PAGE if severity == "critical" else "",
        waiver_key=CHECK,
    )
