"""Trying row-level security and consent: not what the catalog says, but what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import uuid4

from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.names import SCHEMAS
from wnadmin.domain.setup.rows import RECIPES, Family, fill, found_family, shared, try_insert
from wnadmin.domain.setup.stage import Stage, stage, unable
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import SQL, Composed, Identifier
from wnadmin.postgres.sql import Literal as Quoted
from wnadmin.results import Finding

RLS: Final = "setup.row_security"
PARTITIONS: Final = "setup.partition_security"
CONSENT: Final = "setup.consent"

COLLECTING: Final = (
    "analytics.events",
    "audio.sessions",
    "audio.speech_metrics",
    "content.engagement",
    "ml.child_features",
)
"""Tables that must refuse a row about a child for whom nobody consented."""

_DENIED: Final = "42501"

Sight = Literal["nothing", "own", "real", "all"]
"""What somebody may see of two families: neither, the first as its guardian, all but samples, both."""


@dataclass(frozen=True, slots=True)
class _Guarded:
    name: str
    is_guarded: bool
    is_partitioned: bool
    collects: bool
    keys: list[str]


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody who tries: a login, the role it takes on, whose guardian it is, and what it may see and write."""

    title: str
    login: str
    sight: Callable[[str], Sight]
    role: str = ""
    guardian: Literal["", "first", "stranger"] = ""
    writes_others: bool = False


def _only(*tables: str) -> Callable[[str], Sight]:
    return lambda table: "all" if table in tables else "nothing"


_PEOPLE: Final = (
    _Person("wondernest_app without context", "wondernest_app", lambda table: "nothing"),
    _Person("wondernest_app for a guardian", "wondernest_app", lambda table: "own", guardian="first"),
    _Person("wondernest_app for a stranger", "wondernest_app", lambda table: "nothing", guardian="stranger"),
    _Person("wondernest_analytics", "wondernest_analytics", lambda table: "real"),
    _Person("wondernest_monitor", "wondernest_monitor", lambda table: "nothing"),
    _Person("wondernest_operator", "wondernest_operator", lambda table: "nothing"),
    _Person("wondernest_approver", "wondernest_approver", _only("audit.data_subject_requests")),
    _Person(
        "wondernest_compliance",
        "wondernest_compliance",
        _only("audit.activity_log", "audit.data_subject_requests", "audit.recipient_notices"),
        writes_others=True,
    ),
    _Person(
        "wondernest_worker",
        "wondernest_worker",
        lambda table: "nothing" if table.startswith("audit.") else "all",
        writes_others=True,
    ),
    _Person("wondernest_backup", "wondernest_backup", lambda table: "all"),
    _Person(
        "wondernest_migration as wondernest_owner",
        "wondernest_migration",
        lambda table: "all",
        role="wondernest_owner",
        writes_others=True,
    ),
)


def prove_trials(db: Database) -> list[Finding]:
    """Try every table under row-level security as each role, every partition's back door, and consent."""
    if reason := unable(db.session):
        return [finding(check, "unknown", f"nothing was tried: {reason}") for check in (RLS, PARTITIONS, CONSENT)]
    tables = db.rows("queries/setup/guarded", _Guarded, schemas=",".join(SCHEMAS))
    # A table that should be guarded and is not must be tried all the more.
    guarded = {one.name: one for one in tables if one.is_guarded or one.name in RECIPES}
    found = [
        finding(RLS, "unknown", f"{name} cannot be tried: wnadmin knows no row for it", thing=name)
        for name in guarded
        if name not in RECIPES
    ]
    known = {name: tuple(one.keys) for name, one in guarded.items() if name in RECIPES}
    try:
        with stage(db.session) as on:
            first, second = _families(on, known)
            found += _try_rows(on, known, first, second)
            found += _try_partitions(on, [name for name in known if guarded[name].is_partitioned], first)
            found += _try_consent(on, [one.name for one in guarded.values() if one.collects], first)
    except WnError as error:
        reason = f"the trial came to an end: {error.what} {error.why}".strip()
        judged = {one.check for one in found if one.severity != "unknown"}
        found += [finding(check, "unknown", reason) for check in (RLS, PARTITIONS, CONSENT) if check not in judged]
    return found


def _families(on: Stage, tables: Mapping[str, tuple[str, ...]]) -> tuple[Family, Family]:
    common = shared(on)
    families = found_family(on, common), found_family(on, common)
    for family in families:
        fill(on, family, tables)
    # The second one is a sample, which analytics must not count.
    for table, name in (("users", "user"), ("families", "family"), ("child_profiles", "child")):
        schema = "core" if name == "user" else "family"
        update = SQL("UPDATE {} SET is_sample = true WHERE id = {}")
        on.run(update.format(Identifier(schema, table), Quoted(families[1].values[name])))
    return families


# --- rows -------------------------------------------------------------------------------------------------------


def _try_rows(on: Stage, tables: Mapping[str, tuple[str, ...]], first: Family, second: Family) -> list[Finding]:
    found: list[Finding] = []
    for person in _PEOPLE:
        user = {"": None, "first": first.user, "stranger": uuid4()}[person.guardian]
        with on.become(person.login, user=user, role=person.role):
            for table in tables:
                for problem in _try_table(on, person, table, first, second):
                    found.append(finding(RLS, "critical", f"{person.title}: {problem}", thing=table))
    if found:
        return found
    detail = f"{len(tables)} tables tried as {len(_PEOPLE)}: each sees its own rows, none writes another's"
    return [finding(RLS, "ok", detail, measured=str(len(tables)))]


def _try_table(on: Stage, person: _Person, table: str, first: Family, second: Family) -> Iterator[str]:
    may = person.sight(table)
    wanted = {"nothing": (0, 0), "own": (1, 0), "real": (1, 0), "all": (1, 1)}[may]
    for family, expected, which in zip((first, second), wanted, ("one", "another"), strict=True):
        seen = on.attempt(_count(table, family))
        if not seen.worked and seen.sqlstate != _DENIED:
            yield f"reading fails: {seen}"
        elif seen.worked and seen.value > expected:
            yield f"sees a row of {which} family that it must not see"
        elif (not seen.worked or seen.value < expected) and expected and not _withheld(person, table):
            yield f"does not see the row of {which} family that it should see" + ("" if seen.worked else f": {seen}")
    if person.guardian == "first" or not person.writes_others:
        written = try_insert(on, table, second)
        if written.sqlstate != _DENIED:
            yield f"inserting a row for another family is not refused with {_DENIED}: {written}"
        deleted = on.attempt(_delete(table, second))
        if deleted.worked and deleted.count:
            yield "deletes a row of another family"
        elif not deleted.worked and deleted.sqlstate != _DENIED:
            yield f"deleting a row of another family fails otherwise than with {_DENIED}: {deleted}"


def _withheld(person: _Person, table: str) -> bool:
    """The register of requests and its notices are read through functions only, by all but their officers."""
    return person.login == "wondernest_app" and table in ("audit.data_subject_requests", "audit.recipient_notices")


def _where(table: str, family: Family) -> Composed:
    terms = [SQL("t.{} = {}").format(Identifier(name), Quoted(value)) for name, value in family.keys[table].items()]
    return SQL(" AND ").join(terms)


def _count(table: str, family: Family) -> Composed:
    named = Identifier(*table.split("."))
    return SQL("SELECT count(*) FROM {} AS t WHERE {}").format(named, _where(table, family))


def _delete(table: str, family: Family) -> Composed:
    return SQL("DELETE FROM {} AS t WHERE {}").format(Identifier(*table.split(".")), _where(table, family))


# --- partitions -------------------------------------------------------------------------------------------------


def _try_partitions(on: Stage, tables: Sequence[str], family: Family) -> list[Finding]:
    """Read the partition that holds the family's row, around its parent: there must be nothing."""
    found: list[Finding] = []
    tried = 0
    for table in tables:
        where = SQL(
            "SELECT n.nspname::text, c.relname::text FROM {} AS t INNER JOIN pg_catalog.pg_class AS c"
            " ON c.oid = t.tableoid INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE {}"
        )
        schema, partition = on.run(where.format(Identifier(*table.split(".")), _where(table, family))).rows[0]
        for person in _PEOPLE:
            if person.login == "wondernest_backup":
                continue
            with on.become(person.login, user=family.user if person.guardian == "first" else None, role=person.role):
                look = SQL("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) AS t").format(Identifier(schema, partition))
                seen = on.attempt(look)
                tried += 1
            if (seen.worked and seen.value) or (not seen.worked and seen.sqlstate != _DENIED):
                detail = f"{person.title} reading the partition around its parent: " + (
                    "it sees rows" if seen.worked else str(seen)
                )
                found.append(finding(PARTITIONS, "critical", detail, thing=f"{schema}.{partition}"))
    if found:
        return found
    return [
        finding(
            PARTITIONS,
            "ok",
            f"{len(tables)} partitioned tables: {tried} attempts to read around the parent saw nothing",
        )
    ]


# --- consent ----------------------------------------------------------------------------------------------------

_STATES: Final = (
    ("withdrawn", "WN001", "SELECT family.withdraw_consent(%s)"),
    (
        "not verifiable",
        "WN001",
        # A consent is never changed, so it is given anew, in a way that proves nothing.
        "WITH gone AS ("
        "DELETE FROM family.guardian_consents WHERE child_id = %s::uuid "
        "RETURNING child_id, guardian_user_id, consent_type, policy_version), "
        "anew AS ("
        "INSERT INTO family.guardian_consents (child_id, guardian_user_id, consent_type, method, policy_version) "
        "SELECT g.child_id, g.guardian_user_id, g.consent_type, 'self_declared', g.policy_version FROM gone AS g "
        "RETURNING id) "
        "SELECT pg_catalog.set_config('wondernest.require_verifiable_consent', 'on', true), pg_catalog.count(*) "
        "FROM anew",
    ),
    ("restricted", "WN002", "SELECT family.restrict_processing(%s)"),
    ("stopped", "WN003", "SELECT family.stop_collection(%s)"),
)


def _try_consent(on: Stage, tables: Sequence[str], family: Family) -> list[Finding]:
    found = [
        finding(CONSENT, "critical", f"{table} collects without asking for consent", thing=table)
        for table in COLLECTING
        if table not in tables
    ]
    for table in tables:
        if table not in RECIPES:
            continue
        with on.become("wondernest_app", user=family.user):
            given = try_insert(on, table, family)
        if not given.worked and given.sqlstate != "23505":
            found.append(finding(CONSENT, "critical", f"with consent, collecting fails: {given}", thing=table))
    for state, expected, change in _STATES:
        with on.aside():
            on.run(change, [family.child])
            for table in tables:
                if table in RECIPES:
                    found += _try_refusal(on, table, family, state, expected)
    if found:
        return found
    return [
        finding(
            CONSENT,
            "ok",
            f"{len(tables)} collecting tables refuse a child whose consent is withdrawn or not "
            "verifiable, who is restricted, or for whom collection is stopped",
        )
    ]


def _try_refusal(on: Stage, table: str, family: Family, state: str, expected: str) -> Iterator[Finding]:
    for login in ("", "wondernest_app"):
        if login:
            with on.become(login, user=family.user):
                # `become` starts from the settings outside, which `aside` holds.
                attempt = try_insert(on, table, family)
        else:
            attempt = try_insert(on, table, family)
        if attempt.sqlstate != expected:
            who = login or "a superuser"
            yield finding(CONSENT, "critical", f"consent {state}, as {who}: not {expected} but {attempt}", thing=table)
