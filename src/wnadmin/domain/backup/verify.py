"""`backup verify`: how far a backup can be proven, level by level. What could not be tried is unknown, never ok."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from wnadmin.domain.backup import bring, files, values
from wnadmin.domain.backup.bring import Means
from wnadmin.domain.backup.files import Kept
from wnadmin.domain.backup.values import LEVELS, Level, Sidecar, Verified
from wnadmin.errors import Failed, Refused, UsageError, WnError
from wnadmin.ledger import database as ledger
from wnadmin.ledger.operations import operations
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Findings, Severity

KIND = "backup-verify"

PAGE = "backup-fails-its-drill"
"""The page of a proof that failed."""

_NEWEST = 5000
"""How many operations of the ledger are searched for the one that made a backup."""


def level(word: str) -> Level:
    """Read a level's name; UsageError for another word."""
    for one in LEVELS:
        if one == word:
            return one
    raise UsageError(f"unknown level {word}", next=f"Use --level {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")


def finding(about: str, severity: Severity, detail: str, thing: str, remediation: str = "") -> Finding:
    """Make a finding about a backup; unknown means that it could not be tried."""
    return Finding(
        f"backup.{about}",
        f"backup.{about}",
        severity,
        detail,
        "none" if severity == "unknown" else "complete",
        object=thing,
        remediation=remediation,
        playbook=PAGE if severity == "critical" else "",
    )


def file_level(kept: Kept) -> list[Finding]:
    """Prove that the bytes are those that were written."""
    name = kept.place.dump.name
    if kept.sidecar is None or kept.trouble:
        # A missing sidecar may be a move gone wrong; what was dumped can no longer be said.
        return [finding("file", "critical", kept.trouble, name, "Take the sidecar from where it was kept, or drop it.")]
    side = kept.sidecar
    try:
        found = files.parts(kept.place.dump)
    except OSError as error:
        return [finding("file", "unknown", f"it could not be read: {error.strerror}", name)]
    promised = {one.path: one for one in side.parts}
    wrong = []
    for one in found:
        other = promised.pop(one.path, None)
        what = one.path or "the dump"
        if other is None:
            wrong.append(f"{what} was not written by the backup")
        elif one.bytes != other.bytes:
            wrong.append(f"{what} has {one.bytes:,} bytes instead of {other.bytes:,}")
        elif one.sha256 != other.sha256:
            wrong.append(f"{what} was changed")
    wrong += [f"{one.path} is missing" for one in promised.values()]
    if not wrong and values.list_hash(found) != side.sha256:
        wrong.append("the sidecar's hash of all files is not that of its list")
    if wrong:
        return [finding("file", "critical", bring.short(wrong), name, "Take it from another copy, or make a new one.")]
    return [finding("file", "ok", f"{side.bytes:,} bytes in {len(found)} files are as they were written", name)]


def size_level(kept: Kept) -> list[Finding]:
    """Look whether all that was written is there, without reading it."""
    name = kept.place.dump.name
    if kept.sidecar is None or kept.trouble:
        return [finding("file", "critical", kept.trouble, name)]
    there = files.sizes(kept.place.dump)
    if there != {one.path: one.bytes for one in kept.sidecar.parts}:
        return [finding("file", "critical", "its files are not those that were hashed", name)]
    total, count = kept.sidecar.bytes, len(there)
    return [finding("file", "ok", f"{total:,} bytes in {count} files are there, as they were hashed", name)]


def ledger_level(kept: Kept, db: Database | None, spool: Spool | None = None) -> Finding:
    """Compare the sidecar with what the ledger remembers of it: its own hash cannot be made to fit there."""
    name = kept.place.dump.name
    path, digest = str(kept.place.dump), kept.sha256
    entries = list((spool or Spool()).entries())
    blind = "no server is connected"
    try:
        if db is not None:
            presence = ledger.present(db.session)
            if presence.installed and presence.may_read:
                entries += ledger.newest_operations(db.session, limit=_NEWEST)
                blind = ""
            else:
                blind = "the ledger cannot be read" if presence.installed else "there is no ledger"
    except WnError as error:
        blind = error.what
    known: dict[str, str] = {}
    for one in operations(entries):
        receipt = one.receipts.get("dump")
        if one.command == "backup create" and receipt is not None and "sidecar_sha256" in receipt.values:
            known.setdefault(str(receipt.values["path"]), str(receipt.values["sidecar_sha256"]))
            if receipt.values["sidecar_sha256"] == digest:
                return finding(
                    "sidecar", "ok", f"the ledger has the same hash of it, from {one.started:%Y-%m-%d}", name
                )
    if path in known:
        return finding(
            "sidecar",
            "critical",
            "it is not the one that was written: the ledger has another hash of it",
            name,
            "Take the sidecar from another copy; do not believe its counts and hashes.",
        )
    return finding(
        "sidecar",
        "skipped",
        f"the ledger says nothing of it ({blind or 'it was made elsewhere, or before a restore'})",
        name,
    )


def archive_level(kept: Kept, side: Sidecar, means: Means) -> Finding:
    """Prove that the archive can be read to its end."""
    name = kept.place.dump.name
    try:
        bring.require_means(side, Means(means.identity))
        bring.read_through(side, kept.place.dump, means, lambda: False)
    except (Refused, UsageError) as error:
        return finding("archive", "unknown", f"it could not be tried: {error.what}", name, error.next)
    except Failed as error:
        if bring.is_about_the_key(error):
            return finding(
                "archive", "unknown", f"it could not be tried: {error.what}", name, "Name another --identity."
            )
        return finding("archive", "critical", f"it cannot be read: {error.what}", name, "Make a new backup.")
    return finding("archive", "ok", "pg_restore reads it to its end", name)


def verify(
    path: Path, wanted: Level, means: Means, db: Database | None, trial: Callable[[Kept, Sidecar], list[Finding]]
) -> Findings:
    """Prove a backup up to the level ``wanted`` and remember how far it went.

    ``trial`` restores it somewhere and gives a finding ``backup.restore`` and one ``backup.content``, with whatever
    else it looked at.
    """
    kept = files.look(files.at(path))
    found = file_level(kept)
    side = kept.sidecar
    if side is None or kept.trouble:
        return _end(kept, wanted, found)
    found.append(ledger_level(kept, db))
    if wanted != "file":
        found.append(archive_level(kept, side, means))
    if wanted in ("restore", "content") and all(one.severity != "critical" for one in found):
        found += trial(kept, side)
    elif wanted in ("restore", "content"):
        found.append(finding("restore", "unknown", "it was not tried: the file is damaged", kept.place.dump.name))
    return _end(kept, wanted, found)


def reached(found: list[Finding]) -> Level | None:
    """Give the highest level up to which everything was proven, None when not even the bytes are right."""
    best: Level | None = None
    state = {one.check: one.severity for one in found}
    if state.get("backup.sidecar") == "critical":
        return None
    for one in LEVELS:
        if state.get(f"backup.{one}") != "ok":
            break
        best = one
    if best == "content" and any(one.check.startswith("after-restore.") and one.severity != "ok" for one in found):
        return "restore"
    return best


def _end(kept: Kept, wanted: Level, found: list[Finding]) -> Findings:
    best = reached(found)
    asked = LEVELS.index(wanted)
    said = f"proven up to level {best}" if best else "proven at no level"
    if best is None or LEVELS.index(best) < asked:
        said += f", {wanted} was asked for"
    note = remember(kept, best, wanted, found)
    return Findings(KIND, tuple(found), notes=(f"{kept.place.dump.name}: {said}.", *([note] if note else [])))


def remember(kept: Kept, best: Level | None, wanted: Level, found: list[Finding]) -> str:
    """Write down beside the sidecar how far a proof went; gives a sentence where that was not possible."""
    if not kept.sha256:
        return ""
    now = datetime.now(UTC)
    before = kept.verified
    if wrong := [one for one in found if one.severity == "critical"]:
        level, at = (before.level, before.at) if before else (best, now)
        return _write(kept, Verified(kept.sha256, level, at, wanted, now, wrong[0].detail))
    if best is None:
        return ""
    if before and not before.failed and before.level and LEVELS.index(before.level) > LEVELS.index(best):
        # A lesser proof takes nothing from a greater one.
        return ""
    return _write(kept, Verified(kept.sha256, best, now))


def _write(kept: Kept, value: Verified) -> str:
    try:
        files.write_private(kept.place.verified, values.write(value))
    except OSError as error:
        return f"It could not be written down in {kept.place.verified}: {error.strerror}."
    return ""
