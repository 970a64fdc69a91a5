"""`backup list`: what is in a folder, how old, how big, and how far each was proven."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from wnadmin.domain.backup import files, register
from wnadmin.domain.backup.files import Kept
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table

_COLUMNS = (
    Column("name"),
    Column("age"),
    Column("bytes", "size", unit="bytes"),
    Column("database"),
    Column("server"),
    Column("proven"),
    Column("expires"),
    Column("encrypted"),
    Column("registered"),
    Column("trouble"),
)

_SHOWN = (
    Column("name"),
    Column("age"),
    Column("bytes", "size", unit="bytes"),
    Column("proven"),
    Column("expires"),
    Column("remark"),
)
"""What people see: ten columns do not go into eighty."""


def report(folder: Path, db: Database | None) -> Report:
    """Tell of every backup, the newest first, what killed runs left, and where the register of ``db`` lags behind."""
    now = datetime.now(UTC)
    found = sorted(files.kept(folder), key=lambda one: one.sidecar.snapshot_at if one.sidecar else now, reverse=True)
    left = files.leftovers(folder)
    notes = [f"{one.name} is what a killed run left." for one in left]
    gap = register.gap(db, folder, found)
    notes += register.told(gap, folder)
    if any(not one.present for one in found) or left:
        notes.append("`wnadmin backup prune` removes what is not whole.")
    proven = [one for one in found if is_proven(one)]
    if found and not proven:
        notes.append("None of them was proven to restore.")
    follow = ""
    if found and not proven:
        follow = f"wnadmin backup drill --latest {folder}"
    elif not found:
        follow = f"wnadmin backup create --to {folder}"
    table = Table(
        "backups",
        _COLUMNS,
        tuple(_row(one, now, gap) for one in found),
        title=str(folder),
        empty=f"no backup in {folder}",
        shown=Table("backups", _SHOWN, tuple(_short(one, now, gap) for one in found), title=str(folder)),
    )
    return Report("backup-list", (table,), notes=tuple(notes), next=follow)


def _short(one: Kept, now: datetime, gap: register.Gap) -> tuple[Cell, ...]:
    side = one.sidecar
    if side is None:
        return (one.place.name, None, one.bytes, None, None, one.trouble)
    remarks = [
        side.database.name,
        "encrypted" if side.encrypted else "in the clear",
        "" if gap.blind or register.key(one) in gap.known else "not registered",
        one.trouble or ("expired" if side.expires_at < now else ""),
    ]
    remark = ", ".join(part for part in remarks if part)
    return (one.place.name, now - side.snapshot_at, one.bytes, proven(one), f"{side.expires_at:%Y-%m-%d}", remark)


def _row(one: Kept, now: datetime, gap: register.Gap) -> tuple[Cell, ...]:
    side = one.sidecar
    if side is None:
        return (one.place.name, None, one.bytes, None, None, None, None, None, None, one.trouble)
    return (
        one.place.name,
        now - side.snapshot_at,
        one.bytes,
        side.database.name,
        side.server,
        proven(one),
        side.expires_at,
        side.encrypted,
        None if gap.blind else register.key(one) in gap.known,
        one.trouble or ("expired" if side.expires_at < now else None),
    )


def proven(one: Kept) -> str:
    """Say how far a backup was proven, and when."""
    known = one.verified
    if known is None:
        return "never"
    if known.failed and known.failed_at:
        return f"FAILED at {known.failed} on {known.failed_at:%Y-%m-%d}"
    return f"{known.level} on {known.at:%Y-%m-%d}"


def is_proven(one: Kept) -> bool:
    """Whether a database was made of it, and nothing since says otherwise."""
    known = one.verified
    return not one.trouble and known is not None and not known.failed and known.level in ("restore", "content")
