"""`setup verify`: the database proven by looking and by trying. What cannot be seen is unknown, never ok."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup import flyway, looks
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.classify import Classification, classify
from wnadmin.domain.setup.findings import finding
from wnadmin.errors import Blind, Failed
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Findings

KIND = "setup-verify"


def look(db: Database, bundle: Bundle | None = None, *, months: int | None = None) -> list[Finding]:
    """Run the proofs that only look; takes about a third of a second. ``months`` ahead were asked for, if said."""
    files = bundle or bundles.load()
    try:
        found = classify(db, files.expected.catalog)
    except Blind as error:
        detail = f"the catalog could not be judged: {error.what}. {error.why}".strip()
        return [finding(looks.CATALOG, "unknown", detail, remediation=error.next or flyway.LOG_IN)]
    if found.kind in ("empty", "foreign"):
        follow = "wnadmin setup apply" if found.kind == "empty" else ""
        return [finding(looks.CATALOG, "critical", _absent(db.name, found), remediation=follow)]
    return [
        *_safely(looks.CATALOG, lambda: looks.prove_catalog(found)),
        *_safely(looks.HISTORY, lambda: looks.prove_history(found, files)),
        *_safely(looks.PARTITIONS, lambda: looks.prove_partitions(db, files.expected.catalog, wished=months)),
        *_safely(looks.PASSWORDS, lambda: looks.prove_passwords(db)),
        *_safely(looks.AUDIO, lambda: looks.prove_no_recordings(db)),
        *_safely(looks.LEDGER, lambda: looks.prove_ledger(db)),
    ]


def proof_of_setup(db: Database, bundle: Bundle, months: int | None) -> list[Finding]:
    """What `setup apply` shows as its proof: the looks, but nothing that it has no part in.

    It gives no role a password; that a login may not look at stored ones is for `setup verify` to say.
    """
    return [
        replace(one, severity="skipped") if one.check == looks.PASSWORDS and one.severity == "unknown" else one
        for one in look(db, bundle, months=months)
    ]


def attempt(db: Database) -> list[Finding]:
    """Run the proofs that try: everything is done in transactions that are rolled back."""
    # `setup apply` only looks, and does not wait for what is here.
    from wnadmin.domain.setup.calls import CHECK as CALLS
    from wnadmin.domain.setup.calls import prove_calls
    from wnadmin.domain.setup.trials import RLS, prove_trials

    return [*_safely(CALLS, lambda: prove_calls(db.session)), *_safely(RLS, lambda: prove_trials(db))]


def verify(db: Database, bundle: Bundle | None = None) -> Findings:
    """Run every proof; the database is afterwards as it was."""
    found = look(db, bundle)
    if [one.check for one in found] == [looks.CATALOG] and found[0].severity != "ok":
        # Nothing of WonderNest is there, or to be seen: to try its functions would only repeat that.
        return Findings(KIND, tuple(found), next=found[0].remediation)
    found += attempt(db)
    return Findings(KIND, tuple(found), notes=_notes(db))


def _notes(db: Database) -> tuple[str, ...]:
    from wnadmin.domain.setup.stage import REMEDIES, unable

    follow = REMEDIES.get(unable(db.session))
    return (f"{follow} to have functions, row-level security and consent tried.",) if follow else ()


def _absent(database: str, found: Classification) -> str:
    if found.kind == "empty":
        return f"{database} is empty"
    return f"{database} belongs to something else: {'; '.join(found.found)}"


def _safely(check: str, prove: Callable[[], list[Finding]]) -> list[Finding]:
    """A proof that cannot be carried out is unknown, with the reason; a lost connection is an error of its own."""
    try:
        return prove()
    except Failed as error:
        if error.sqlstate is None:
            raise
        return [finding(check, "unknown", f"it could not be seen: {error.what} {error.why}".strip())]
