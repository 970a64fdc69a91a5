"""`setup drift`: what has changed in the catalog since the files and the migrations made it.

Partitions are a matter of the calendar and are left out, as are those that wnadmin has detached and marked so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup import flyway, shadow
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.catalog import KINDS, capture
from wnadmin.domain.setup.classify import FIRST
from wnadmin.domain.setup.compare import Difference, compare
from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.flyway import HistoryRow
from wnadmin.domain.setup.mend import Mender, Source
from wnadmin.domain.setup.migrations import Files, Migration
from wnadmin.domain.setup.names import SCHEMAS
from wnadmin.domain.setup.shadow import Shadow, Ways, Where
from wnadmin.errors import Blind, Refused, WnError
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Findings, Severity

KIND: Final = "setup-drift"
CHECK: Final = "setup.drift"
PLAYBOOK: Final = "schema-drift"
CLUSTER: Final = ("role", "membership")
"""Kinds that a shadow on the same server shares with the database that is looked at."""

_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class _Table:
    name: str


class Unknowable(Exception):
    """What the database should be cannot be said; the text is the reason, ``remedy`` what to do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


def drift(db: Database, files: Files, ways: Ways, where: Where = "auto", bundle: Bundle | None = None) -> Findings:
    """Compare the database with what its history says was made of it."""
    known = bundle or bundles.load()
    try:
        rows = flyway.read_history(db.session) or ()
    except Blind as error:
        return _one("unknown", f"{error.what}. {error.why}", error.next)
    if not db.session.scalar("SELECT pg_catalog.to_regnamespace('family') IS NOT NULL"):
        return _one("critical", f"{db.name} holds no WonderNest database", "wnadmin setup status")
    try:
        applied = migrations_of(rows, files)
        truth = truth_of(db, known, applied, ways, where)
    except Unknowable as error:
        return _one("unknown", str(error), error.remedy)
    differences = differ(db, truth)
    notes = [f"compared with {truth.source}"]
    if applied:
        number = "1 migration is" if len(applied) == 1 else f"{len(applied)} migrations are"
        notes.append(f"{number} applied: {', '.join(one.script for one in applied)}")
    if not differences:
        return replace(_one("ok", "the catalog is what the files make"), notes=tuple(notes))
    return Findings(KIND, tuple(_told(db, known, applied, truth, differences)), notes=tuple(notes))


def _one(severity: Severity, detail: str, follow: str = "") -> Findings:
    return Findings(KIND, (finding(CHECK, severity, detail, remediation=follow),), next=follow)


def _told(
    db: Database, known: Bundle, applied: Sequence[Migration], truth: Shadow, differences: Sequence[Difference]
) -> list[Finding]:
    sources = [*(Source(one.name, one.text) for one in known.files), *(Source(one.script, one.text) for one in applied)]
    views = {name: str(facts.get("kind")) for name, facts in truth.catalog.objects.get("view", {}).items()}
    mender = Mender(db.name, sources, differences, views)
    found = []
    for one in differences[:_SHOWN]:
        severity: Severity = "warn" if one.change == "unexpected" else "critical"
        thing = f"{one.kind} {one.object}" + (f" {one.attribute}" if one.attribute else "")
        told = finding(CHECK, severity, str(one), thing=thing, remediation=mender.mend(one))
        found.append(replace(told, playbook=PLAYBOOK))
    if (more := len(differences) - _SHOWN) > 0:
        found.append(finding(CHECK, "critical", f"and {more} more differences", thing="and more"))
    return found


def migrations_of(rows: Sequence[HistoryRow], files: Files) -> list[Migration]:
    """Give the files of all that was applied after V001, in the order in which it was; Unknowable without one."""
    found: dict[str, Migration] = {}
    for row in rows:
        version = flyway.parse_version(row.version) if row.version is not None else None
        if version == FIRST or row.type == flyway.SCHEMA_MARKER:
            continue
        title = " ".join(part for part in (row.version, row.description) if part)
        if not row.success:
            raise Unknowable(f"{title} was begun and did not succeed, so nothing says what should be there", _REPAIR)
        if row.type != flyway.SQL_FILE:
            raise Unknowable(f"{title} is recorded as {row.type}, which is no file that could be run again")
        one = files.version(version) if version else files.repeatable(row.description)
        if one is None:
            raise Unknowable(f"the file of {title} is not here", "name its folder: --location DIR")
        if version is not None and row.checksum is not None and row.checksum != one.checksum:
            raise Unknowable(f"{one.script} was changed after it was applied", "wnadmin migrate validate")
        # Of a repeatable file only the last run is left in the schema.
        found.pop(one.script, None)
        found[one.script] = one
    stale = [one for one in found.values() if one.version is None and not _is_last(rows, one)]
    if stale:
        raise Unknowable(f"{stale[0].script} was changed since it was last applied", "wnadmin migrate apply")
    return list(found.values())


_REPAIR: Final = "wnadmin migrate validate"


def _is_last(rows: Sequence[HistoryRow], one: Migration) -> bool:
    last = [row for row in rows if row.version is None and row.description == one.name.description][-1]
    return last.checksum == one.checksum


def truth_of(db: Database, known: Bundle, applied: Sequence[Migration], ways: Ways, where: Where = "auto") -> Shadow:
    """Say what the database should be: ``expected.json`` alone while nothing went beyond it, else a shadow."""
    if not applied and where == "auto" and not known.edited():
        return Shadow(known.expected.catalog, f"{bundles.EXPECTED}, made from files 01 to 07")
    return made(db, known, applied, ways, where)


def made(db: Database, known: Bundle, applied: Sequence[Migration], ways: Ways, where: Where = "auto") -> Shadow:
    """Make a shadow; Unknowable when none can be made. Roles are those of ``expected.json``."""
    try:
        found = shadow.build(db, known, applied, ways, where)
    except Refused as error:
        raise Unknowable(f"{error.what}. {error.why}", error.next) from None
    except WnError as error:
        if error.sqlstate is None:
            raise
        raise Unknowable(f"a shadow could not be made: {error.what}. {error.why}") from None
    if any(shadow.touches_cluster(one.text) for one in applied):
        return found
    return replace(found, roles=known.expected.catalog)


def differ(db: Database, truth: Shadow) -> list[Difference]:
    """Compare the database with ``truth``, without the partitions that were detached and are kept."""
    detached = [one.name for one in db.rows("queries/setup/detached", _Table, schemas=",".join(SCHEMAS))]
    actual = capture(db)

    def keep(one: Difference) -> bool:
        return not any(_belongs(one, name) for name in detached)

    # Each catalog is compared by itself: what is left out depends on the majors of the two.
    objects = compare(truth.catalog, actual, kinds=[kind for kind in KINDS if kind not in CLUSTER], keep=keep)
    return objects + compare(truth.roles or truth.catalog, actual, kinds=CLUSTER)


def _belongs(one: Difference, table: str) -> bool:
    if one.change != "unexpected":
        return False
    if one.kind == "index":
        definition = one.actual.get("definition", "") if isinstance(one.actual, dict) else ""
        return f" ON {table} " in str(definition)
    name = one.object
    if one.kind == "grant":
        name = name.partition(" ")[2].rpartition(" to ")[0]
    return name == table or name.startswith((f"{table}.", f"{table} "))
