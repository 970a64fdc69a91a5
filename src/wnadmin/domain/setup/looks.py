"""The proofs that only look: catalog, history, partitions, passwords, columns, the ledger's guards."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any, Final

from wnadmin import assets
from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.catalog import Catalog
from wnadmin.domain.setup.classify import FIRST, Classification
from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.names import ROLES, SCHEMAS
from wnadmin.domain.setup.passwords import guessable
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Severity

CATALOG: Final = "setup.catalog"
HISTORY: Final = "setup.history"
PARTITIONS: Final = "setup.partitions"
PASSWORDS: Final = "setup.passwords"  # the name of a check
AUDIO: Final = "setup.no_recordings"
LEDGER: Final = "setup.ledger"

_SHOWN: Final = 100
_RUNWAY_WARN: Final = 3
_RUNWAY_CRITICAL: Final = 1


def prove_catalog(found: Classification) -> list[Finding]:
    """Report each difference from ``expected.json``."""
    if found.migrated and found.version is not None:
        return [
            finding(
                CATALOG,
                "skipped",
                f"migration {found.version.text} went beyond what expected.json describes; see `wnadmin setup drift`",
            )
        ]
    if not found.differences:
        return [finding(CATALOG, "ok", "the catalog is what files 01 to 07 make")]
    findings = []
    for one in found.differences[:_SHOWN]:
        severity: Severity = "warn" if one.change == "unexpected" else "critical"
        findings.append(finding(CATALOG, severity, str(one), thing=f"{one.kind} {one.object}"))
    if (more := len(found.differences) - _SHOWN) > 0:
        findings.append(finding(CATALOG, "critical", f"and {more} more differences", thing="and more"))
    return findings


def prove_history(found: Classification, bundle: Bundle) -> list[Finding]:
    """Check that the history holds V001, successful, with the checksum of the file that is bundled."""
    if found.history is None:
        return [
            finding(
                HISTORY,
                "warn",
                "there is no migration history, so Flyway would run V001 and fail",
                remediation="wnadmin setup adopt",
            )
        ]
    rows = [row for row in found.history if row.version and flyway.parse_version(row.version) == FIRST]
    if not any(row.success for row in rows):
        return [finding(HISTORY, "critical", "the migration history does not hold V001 as applied")]
    wrong = [row for row in rows if row.checksum is not None and row.checksum != bundle.v001_checksum]
    if wrong:
        return [
            finding(
                HISTORY,
                "critical",
                "V001 was applied from another file than the one bundled here",
                measured=str(wrong[0].checksum),
                threshold=str(bundle.v001_checksum),
            )
        ]
    return [finding(HISTORY, "ok", "the migration history holds V001 with the checksum of its file")]


# --- partitions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: its bounds (None for a default one), and whether it is protected as its parent."""

    parent: str
    name: str
    from_time: datetime | None
    to_time: datetime | None
    is_default: bool
    detach_pending: bool
    same_owner: bool
    protected: bool
    has_policy: bool
    same_grants: bool


def partitions(db: Database) -> list[Partition]:
    """List all partitions, by parent and name."""
    return db.rows("queries/catalog/partitions", Partition, schemas=",".join(SCHEMAS))


def runway(months: Sequence[Partition], now: datetime) -> int:
    """Count the months after the current one that are covered without a gap; -1 when the current one is not."""
    until, count = None, -1
    for one in sorted(months, key=_begin):
        if one.from_time is None or one.to_time is None:
            continue
        if until is None and one.from_time <= now < one.to_time:
            until, count = one.to_time, 0
        elif until is not None and one.from_time == until:
            until, count = one.to_time, count + 1
    return count


def prove_partitions(
    db: Database, expected: Catalog, *, wished: int | None = None, now: datetime | None = None
) -> list[Finding]:
    """Check months ahead, gaps, and that each partition is protected as its parent.

    ``wished`` is how many months ahead were asked for, where that was said; fewer than usual are then enough.
    """
    wanted = {name for name, facts in expected.objects["table"].items() if "partitioned_by" in facts}
    moment = now or datetime.now(UTC)
    by_parent = {parent: list(rows) for parent, rows in groupby(partitions(db), key=lambda one: one.parent)}
    return [
        one
        for parent in sorted(wanted | by_parent.keys())
        for one in _prove(parent, by_parent.get(parent, []), moment, _RUNWAY_WARN if wished is None else wished)
    ]


def _prove(parent: str, months: Sequence[Partition], now: datetime, wished: int) -> list[Finding]:
    if not months:
        return [finding(PARTITIONS, "critical", "it has no partition: nothing can be inserted", thing=parent)]
    found: list[tuple[str, Severity, str]] = []
    ahead = runway(months, now)
    if ahead < min(_RUNWAY_CRITICAL, wished):
        what = "the current month has no partition" if ahead < 0 else "the next month has no partition"
        found.append((parent, "critical", what))
    elif ahead < min(_RUNWAY_WARN, wished):
        found.append((parent, "warn", f"only {ahead} months ahead have a partition"))
    found += [(parent, "critical", f"there is a gap before {one}") for one in _gaps(months)]
    for one in months:
        if one.is_default:
            found.append((one.name, "warn", "a default partition, which hides that a month is missing"))
        if one.detach_pending:
            found.append((one.name, "warn", "its detaching was begun and not finished"))
        if not one.protected:
            found.append((one.name, "critical", "row-level security is not enabled and forced as on its parent"))
        if one.has_policy:
            found.append((one.name, "critical", "a policy of its own opens a way around its parent"))
        if not one.same_owner:
            found.append((one.name, "critical", "it has another owner than its parent"))
        if not one.same_grants:
            found.append((one.name, "warn", "it has other privileges than its parent"))
    if not found:
        detail = f"{len(months)} partitions without a gap, {ahead} months ahead, protected as their parent"
        return [finding(PARTITIONS, "ok", detail, thing=parent, measured=f"{ahead} months")]
    return [
        finding(
            PARTITIONS,
            severity,
            detail,
            thing=thing,
            remediation="SELECT * FROM admin.ensure_partitions()" if thing == parent else "",
        )
        for thing, severity, detail in found
    ]


def _gaps(months: Sequence[Partition]) -> list[str]:
    bounded = sorted((one for one in months if one.from_time and one.to_time), key=_begin)
    return [later.name for earlier, later in pairwise(bounded) if earlier.to_time != later.from_time]


def _begin(one: Partition) -> datetime:
    return one.from_time or datetime.min.replace(tzinfo=UTC)


# --- passwords, recordings, the ledger --------------------------------------------------------------------------

# Not a bundled query: `sql run` must never print verifiers.
_VERIFIERS: Final = (
    "SELECT a.rolname::text, a.rolpassword FROM pg_catalog.pg_authid AS a"
    " WHERE a.rolname = ANY (%s) AND a.rolpassword IS NOT NULL ORDER BY a.rolname"
)


def prove_passwords(db: Database) -> list[Finding]:
    """Check that no role of WonderNest has a password that is its name or that everybody would try first."""
    if not db.session.scalar("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')"):
        return [finding(PASSWORDS, "unknown", "only a superuser may look at stored passwords")]
    rows = db.session.run(_VERIFIERS, [list(ROLES)]).rows
    found = [
        finding(
            PASSWORDS,
            "critical",
            "its password is its name or stands in a document",
            thing=str(role),
            remediation=f"wnadmin roles rotate {role}",
        )
        for role, verifier in rows
        if guessable(str(role), str(verifier))
    ]
    if found:
        return found
    return [finding(PASSWORDS, "ok", _with_passwords(len(rows)))]


def _with_passwords(number: int) -> str:
    # Others' roles, postgres among them, are not looked at.
    if number == 0:
        return "no WonderNest role has a password"
    if number == 1:
        return "1 WonderNest role has a password, not a default one"
    return f"{number} WonderNest roles have a password, none is a default one"


@dataclass(frozen=True, slots=True)
class _Suspect:
    table_name: str
    column_name: str
    type_name: str
    suspicion: str


def prove_no_recordings(db: Database) -> list[Finding]:
    """Check that no column can hold raw audio or a voiceprint, and that there are no large objects."""
    classes = _classes()
    found = []
    for one in db.rows("queries/setup/binary_columns", _Suspect, schemas=",".join(SCHEMAS)):
        name = f"{one.table_name}.{one.column_name}"
        # Encrypted columns hold text: pgcrypto's functions for text are all that writes them.
        if one.suspicion == "binary" and classes.get(name) == "encrypted":
            continue
        reason = {
            "binary": "bytes of any length that the manifest does not class as encrypted text",
            "large object": "a reference to a large object",
            "numbers": "a list of numbers, as voiceprints are stored",
            "name": "by its name a recording, or where one is",
        }[one.suspicion]
        found.append(finding(AUDIO, "critical", f"{one.type_name}: {reason}", thing=name))
    if db.session.scalar("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_largeobject_metadata)"):
        found.append(finding(AUDIO, "critical", "the database holds large objects, which WonderNest does not use"))
    return found or [finding(AUDIO, "ok", "no column can hold a recording or a voiceprint")]


def _classes() -> dict[str, str]:
    path = assets.root("sql") / "manifest.toml"
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        f"{table}.{column}": str(facts["class"])
        for table, entry in data["table"].items()
        for column, facts in entry["column"].items()
    }


_LEDGER_OWNER: Final = "wondernest_audit_owner"


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    administrates: bool


@dataclass(frozen=True, slots=True)
class _Guard:
    object: str
    rule: str
    holds: bool
    found: str


def prove_ledger(db: Database) -> list[Finding]:
    """Check that the ledger can only be appended to, and only by its own functions."""
    try:
        guards = db.rows("queries/audit/guards", _Guard)
    except WnError as error:
        return [finding(LEDGER, "unknown", f"the ledger's guards could not be looked at: {error.what}")]
    makers = _makers(db)
    found = [
        finding(LEDGER, "critical", f"not so: {one.rule} ({one.found})", thing=one.object)
        for one in guards
        if not one.holds and not (makers and one.object == _LEDGER_OWNER and one.found.startswith("login false"))
    ]
    but = f"; {makers}, who made the roles, can become their owner, as a superuser could" if makers else ""
    return found or [finding(LEDGER, "ok", f"{len(guards)} rules keep the operator ledger append-only{but}")]


def _makers(db: Database) -> str:
    """Name the logins that administrate the ledger's owner, when nobody else can become it.

    Where no superuser is to be had, whoever makes a role administrates it from 16 on, and nothing can prevent that.
    """
    members = db.rows("queries/setup/members", _Member, role=_LEDGER_OWNER)
    return ", ".join(one.name for one in members) if all(one.administrates for one in members) else ""
