"""What is looked at in every restored database, beside its rows. A later part adds a line to :data:`CHECKS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.backup import gather
from wnadmin.domain.backup.statements import READ_ONLY
from wnadmin.domain.backup.values import Sidecar
from wnadmin.errors import Failed
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Severity


@dataclass(frozen=True, slots=True)
class AfterRestore:
    """One check: ``look`` gives what is wrong in words, nothing when all is well."""

    id: str
    good: str
    look: Callable[[Database, Sidecar], list[str]]
    remediation: str = ""


def _history(db: Database, side: Sidecar) -> list[str]:
    found = gather.migrations(db)
    if found == side.migrations:
        return [f"migration {one.version or one.description} failed" for one in found or () if not one.success]
    if found is None or side.migrations is None:
        return ["there is no migration history" if found is None else "there is a migration history, and was none"]
    lost = [one for one in side.migrations if one not in found]
    return [f"migration {one.version or one.description} is not as it was" for one in lost] or [
        "there are more migrations than there were"
    ]


def _bounds(db: Database, side: Sidecar) -> list[str]:
    found = {(one.parent, one.name): one.bound for one in gather.partitions(db)}
    said = []
    for one in side.partitions:
        bound = found.pop((one.parent, one.name), None)
        if bound is None:
            said.append(f"{one.parent} has no partition {one.name}")
        elif bound != one.bound:
            said.append(f"{one.name} is {bound} instead of {one.bound}")
    return said + [f"{parent} has {name}, and had not" for parent, name in found]


def _read_only(db: Database, side: Sidecar) -> list[str]:
    left = [one for one in gather.settings(db) if one.name == READ_ONLY and one.value in ("on", "true", "1", "yes")]
    return [f"{READ_ONLY} is on for {one.role or 'the database'}" for one in left]


CHECKS: Final = (
    AfterRestore("history", "the migration history is the dumped one", _history, "wnadmin setup status"),
    AfterRestore("partitions", "every partition has its bounds", _bounds, "wnadmin setup verify"),
    AfterRestore("read-only", "nothing of read-only mode is left", _read_only, f"ALTER DATABASE … RESET {READ_ONLY};"),
)
"""Every check, in the order in which they are shown."""


def look(db: Database, side: Sidecar) -> list[Finding]:
    """Run every check; one that cannot look is unknown."""
    db.session.run("SET TimeZone TO 'UTC'")
    found: list[Finding] = []
    for one in CHECKS:
        severity: Severity
        try:
            said = one.look(db, side)
        except Failed as error:
            if error.sqlstate is None:
                raise
            severity, detail = "unknown", f"it could not be seen: {error.what}"
        else:
            severity, detail = ("critical", "; ".join(said[:5])) if said else ("ok", one.good)
        found.append(
            Finding(
                f"after-restore.{one.id}",
                f"after-restore.{one.id}",
                severity,
                detail,
                "none" if severity == "unknown" else "complete",
                object=db.name,
                remediation="" if severity == "ok" else one.remediation,
            )
        )
    return found
