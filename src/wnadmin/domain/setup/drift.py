"""`setup drift`: what has changed in the catalog since the files and the migrations made it.

Partitions are a matter of the calendar and are left out, as are those that wnadmin has detached and marked so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wnadmin.domain.setup import beside, flyway, leftover, shadow
from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup.beside import BESIDE, COMMENT
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.catalog import KINDS, capture
from wnadmin.domain.setup.classify import FIRST
from wnadmin.domain.setup.compare import Difference, compare
from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.flyway import HistoryRow
from wnadmin.domain.setup.mend import Known, Source, in_order, mend
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
    """Compare the database with what its history says was made of it; what a killed look has left is cleared away."""
    left = leftover.clear(db, ways.here, ways.admin_database)
    found = _drift(db, files, ways, where, bundle or bundles.load())
    return replace(found, notes=(*found.notes, *left))


def _drift(db: Database, files: Files, ways: Ways, where: Where, known: Bundle) -> Findings:
    try:
        rows = flyway.read_history(db.session) or ()
    except Blind as error:
        return _one("unknown", f"{error.what}. {error.why}", error.next)
    there = {str(row[0]) for row in db.session.run("SELECT n.nspname FROM pg_catalog.pg_namespace AS n").rows}
    if not there & set(SCHEMAS):
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
    notes += [f"the columns of {one.object} are in another order, {_ORDER}" for one in differences if order_only(one)]
    counted = [one for one in differences if not order_only(one)]
    if not counted:
        return replace(_one("ok", "the catalog is what the files make"), notes=tuple(notes))
    return Findings(KIND, tuple(_told(db, known, applied, truth, counted)), notes=tuple(notes))


_ORDER: Final = "which no file depends on and no statement can change"


def _one(severity: Severity, detail: str, follow: str = "") -> Findings:
    return Findings(KIND, (finding(CHECK, severity, detail, remediation=follow),), next=follow)


def _told(
    db: Database, known: Bundle, applied: Sequence[Migration], truth: Shadow, differences: Sequence[Difference]
) -> list[Finding]:
    sources = [*(Source(one.name, one.text) for one in known.files), *(Source(one.script, one.text) for one in applied)]
    owner = str(db.session.scalar(_OWNER))
    knowledge = Known(db.name, owner, sources, truth.catalog, differences)
    found = []
    for one in in_order(knowledge)[:_SHOWN]:
        thing = f"{one.kind} {one.object}" + (f" {one.attribute}" if one.attribute else "")
        told = finding(CHECK, severity_of(one), str(one), thing=thing, remediation=mend(knowledge, one))
        found.append(replace(told, playbook=PLAYBOOK))
    if (more := len(differences) - _SHOWN) > 0:
        found.append(finding(CHECK, "critical", f"and {more} more differences", thing="and more"))
    return found


_OWNER: Final = (
    "SELECT pg_catalog.pg_get_userbyid(b.datdba) FROM pg_catalog.pg_database AS b"
    " WHERE b.datname = pg_catalog.current_database()"
)


def severity_of(one: Difference) -> Severity:
    """What is too much, and what a comment says, harms nothing that works today."""
    return "warn" if one.change == "unexpected" or one.kind in (COMMENT, BESIDE) else "critical"


def migrations_of(rows: Sequence[HistoryRow], files: Files) -> list[Migration]:
    """Give the files of all that was applied after V001, in the order in which it was; Unknowable without one."""
    found: dict[str, Migration] = {}
    for row in rows:
        version = flyway.parse_version(row.version) if row.version is not None else None
        if version == FIRST or row.type == flyway.SCHEMA_MARKER:
            continue
        title = " ".join(part for part in (row.version, row.description) if part)
        if not row.success:
            raise Unknowable(
                f"{title} was begun and did not succeed, so nothing says what should be there",
                f"wnadmin migrate validate{files.options}",
            )
        if row.type != flyway.SQL_FILE:
            raise Unknowable(
                f"{title} is recorded as {row.type}, which is no file that could be run again",
                f"wnadmin migrate status{files.options}",
            )
        one = files.version(version) if version else files.repeatable(row.description)
        if one is None:
            raise Unknowable(f"the file of {title} is not here", "name its folder: --location DIR")
        if version is not None and row.checksum is not None and row.checksum != one.checksum:
            raise Unknowable(
                f"{one.script} was changed after it was applied", f"wnadmin migrate validate{files.options}"
            )
        # Of a repeatable file only the last run is left in the schema.
        found.pop(one.script, None)
        found[one.script] = one
    stale = [one for one in found.values() if one.version is None and not _is_last(rows, one)]
    if stale:
        raise Unknowable(
            f"{stale[0].script} was changed since it was last applied", f"wnadmin migrate apply{files.options}"
        )
    return list(found.values())


def _is_last(rows: Sequence[HistoryRow], one: Migration) -> bool:
    last = [row for row in rows if row.version is None and row.description == one.name.description][-1]
    return last.checksum == one.checksum


def truth_of(db: Database, known: Bundle, applied: Sequence[Migration], ways: Ways, where: Where = "auto") -> Shadow:
    """Say what the database should be: ``expected.json`` alone while nothing went beyond it, else a shadow."""
    if not applied and where == "auto" and not known.edited():
        source = f"{bundles.EXPECTED}, made from files 01 to 07"
        return Shadow(known.expected.catalog, source, beside.written(known))
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
        raise Unknowable(
            f"a shadow could not be made: {error.what}. {error.why}",
            "make the file run on a database without rows, or compare by hand",
        ) from None
    if any(shadow.touches_cluster(one.text) for one in applied):
        return found
    return replace(found, roles=known.expected.catalog)


def differ(db: Database, truth: Shadow) -> list[Difference]:
    """Compare the database with ``truth``, without the partitions that were detached and are kept."""
    detached = [one.name for one in db.rows("queries/setup/detached", _Table, schemas=",".join(SCHEMAS))]
    actual = capture(db)

    def keep(one: Difference) -> bool:
        # Comments are compared by what they say. Which columns there are is told of each column.
        told = one.attribute == "comment" or (one.attribute == "columns" and one.kind == "table")
        return (not told or order_only(one)) and not any(_belongs(one, name) for name in detached)

    # Each catalog is compared by itself: what is left out depends on the majors of the two.
    objects = compare(truth.catalog, actual, kinds=[kind for kind in KINDS if kind not in CLUSTER], keep=keep)
    more = [one for one in beside.differ(truth.beside, beside.look(db)) if keep(one)]
    return objects + compare(truth.roles or truth.catalog, actual, kinds=CLUSTER) + more


def order_only(one: Difference) -> bool:
    """Whether a table has its columns in another order, and nothing else."""
    if one.kind != "table" or one.attribute != "columns":
        return False
    wanted, there = one.expected, one.actual
    return isinstance(wanted, list) and isinstance(there, list) and set(map(str, wanted)) == set(map(str, there))


def _belongs(one: Difference, table: str) -> bool:
    if one.change != "unexpected":
        return False
    if one.kind == "index":
        definition = one.actual.get("definition", "") if isinstance(one.actual, dict) else ""
        return f" ON {table} " in str(definition)
    name = one.object
    if one.kind in (COMMENT, BESIDE):
        return re.search(rf" {re.escape(table)}(?![\w])", name) is not None
    if one.kind == "grant":
        name = name.partition(" ")[2].rpartition(" to ")[0]
    return name == table or name.startswith((f"{table}.", f"{table} "))
