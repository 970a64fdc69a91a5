"""`setup status`: what stands in the database, told without judging it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby

from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.classify import Classification, classify
from wnadmin.domain.setup.looks import partitions, runway
from wnadmin.domain.setup.names import ROLES, SCHEMAS
from wnadmin.errors import ServerError
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table

KIND = "setup-status"


def status(db: Database, bundle: Bundle | None = None) -> Report:
    """Tell class, history, partitions, roles, sample data and sizes; what cannot be seen is named in the notes."""
    files = bundle or bundles.load()
    found = classify(db, files.expected.catalog)
    tables = [_facts(db, files, found)]
    if found.history:
        tables.append(_history(found))
    notes = list(found.found)
    if found.present:
        tables += [_partitions(db), db.table("queries/setup/roles", {"roles": ",".join(ROLES)}, title="Roles")]
        try:
            tables.append(db.table("queries/setup/samples", title="Sample data"))
        except ServerError as error:
            notes.append(f"Sample data are not counted: {error.what}.")
        sizes = {"schemas": ",".join(SCHEMAS)}
        tables.append(db.table("queries/setup/sizes", sizes, title="Sizes", units={"bytes": "bytes"}))
    follow = {"empty": "wnadmin setup apply", "complete": "wnadmin setup verify"}.get(found.kind, "")
    return Report(KIND, tuple(tables), notes=tuple(notes), next=follow)


def _facts(db: Database, files: Bundle, found: Classification) -> Table:
    rows: list[tuple[Cell, ...]] = [
        ("database", db.name),
        ("class", found.kind),
        ("schemas", f"{len(found.present)} of {len(SCHEMAS)}"),
        ("version in the history", found.version.text if found.version else None),
        ("V001 recorded", _recorded(found)),
        ("V001 bundled", str(files.v001_checksum)),
        ("differences from the files", None if found.migrated or not found.present else len(found.differences)),
        ("other objects", len(found.strangers)),
        ("bundled files edited", "; ".join(files.edited()) or "no"),
        ("server", f"{db.version // 10000}.{db.version % 10000}"),
    ]
    return Table("setup", (Column("fact"), Column("value")), tuple(rows), "Setup")


def _recorded(found: Classification) -> str:
    if found.history is None:
        return "there is no history"
    if not found.recorded:
        return "no"
    row = next(one for one in found.history if one.success and one.version and one.version.lstrip("0") == "1")
    return "as a baseline, without checksum" if row.checksum is None else str(row.checksum)


def _history(found: Classification) -> Table:
    columns = ("rank", "version", "description", "type", "checksum", "installed_by", "installed_on", "success")
    rows = tuple(
        (
            one.installed_rank,
            one.version,
            one.description,
            one.type,
            one.checksum,
            one.installed_by,
            one.installed_on,
            one.success,
        )
        for one in found.history or ()
    )
    return Table("history", tuple(map(Column, columns)), rows, "Migration history")


def _partitions(db: Database) -> Table:
    columns = (Column("table"), Column("partitions"), Column("from"), Column("to"), Column("months_ahead"))
    return Table("partitions", columns, tuple(_months(db)), "Partitions")


def _months(db: Database) -> Iterator[tuple[Cell, ...]]:
    now = datetime.now(UTC)
    for parent, rows in groupby(partitions(db), key=lambda one: one.parent):
        months = list(rows)
        starts = [one.from_time for one in months if one.from_time]
        ends = [one.to_time for one in months if one.to_time]
        first, last = min(starts, default=None), max(ends, default=None)
        yield parent, len(months), first and first.date(), last and last.date(), max(runway(months, now), 0)
