"""``audit verify --export``: does a file still hold, is it signed, and does the ledger know it?"""

from __future__ import annotations

from pathlib import Path

from wnadmin.domain.audit import chains, records
from wnadmin.domain.audit.spooled import finding
from wnadmin.errors import WnError
from wnadmin.ledger import database, export
from wnadmin.ledger.export import Export
from wnadmin.ledger.walk import Noted
from wnadmin.postgres.database import Database
from wnadmin.results import Finding


def verify(path: Path, db: Database | None, state: Path | None) -> list[Finding]:
    """Judge the export ``path``: every row of it, its signature, and its rows against the ledger of ``db``."""
    thing = str(path)
    try:
        one = export.look(path, state)
        if one is None:
            return [finding("export.link", "critical", f"{path} is no export", thing=thing)]
        count = sum(1 for _ in export.rows(one))
    except WnError as error:
        return [finding("export.link", "critical", error.what, thing=thing, remediation=error.next)]
    sound = f"{count} rows, each gives its hash and follows the last"
    found = [finding("export.link", "ok", sound, thing=thing), _signature(one, state)]
    return found if db is None else [*found, _known(one, db, state)]


def _signature(one: Export, state: Path | None) -> Finding:
    thing = str(one.path)
    if one.verdict.good:
        return finding("export.signature", "ok", f"signed by {one.verdict.who}", thing=thing)
    if not chains.unproven(one, state):
        said = f"row {one.head.through}, its last, is the one whose hash a checkpoint of this user holds"
        return finding("export.signature", "ok", said, thing=thing)
    said = f"nothing known here proves that it is genuine: {one.verdict.why.rstrip('.')}"
    return finding("export.signature", "unknown", said, thing=thing, remediation=one.verdict.next)


def _known(one: Export, db: Database, state: Path | None) -> Finding:
    name, thing = "export.ledger", str(one.path)
    presence = database.present(db.session)
    if not presence.may_read:
        return finding(name, "unknown", f"the ledger is hidden from {presence.login}", thing=thing, evidence="none")
    for row in db.rows("queries/audit/restored", Noted):
        seal = records.seal(row, state)
        if seal and (seal.origin, seal.first, seal.through) == (one.head.origin, one.head.first, one.head.through):
            if (seal.h, seal.sha256) == (one.h, one.sha256):
                said = f"it is the file that the seal in row {seal.row} names"
                return finding(name, "ok", said, thing=thing)
            said = f"the seal in row {seal.row} names another file ({seal.sha256[:12]}… instead of {one.sha256[:12]}…)"
            return finding(name, "critical", said, thing=thing)
    own = chains.bounds(db.session)
    before = (one.head.first - 1, one.head.prev)
    ends = database.hashes(db.session, [one.head.through])
    if ends.get(one.head.through) == one.h or (own.begin.seq, own.begin.h) == (one.head.through, one.h):
        return finding(name, "ok", f"row {one.head.through}, its last, is the one in the ledger", thing=thing)
    tips = {(tip.chain, tip.seq, tip.h) for tip in chains.tips(db.session)}
    if (one.head.origin, one.head.through, one.h.hex()) in tips:
        return finding(name, "ok", "its rows were joined to the ledger", thing=thing)
    if one.head.through < own.begin.seq:
        said = f"its rows were sealed and are gone: the ledger begins at row {own.first}"
        return finding(name, "skipped", said, thing=thing)
    stands = (
        before == (own.begin.seq, own.begin.h) or database.hashes(db.session, [before[0]]).get(before[0]) == before[1]
    )
    if stands and before[0]:
        said = f"it goes on from row {before[0]}, and the ledger has other rows since, or none"
        return finding(name, "warn", said, thing=thing, remediation=f"wnadmin audit import {one.path}")
    said = f"it holds rows of {one.head.database} ({one.head.origin}) that this ledger does not have"
    return finding(name, "warn", said, thing=thing, remediation=f"wnadmin audit import {one.path}")
