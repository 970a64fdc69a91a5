"""``audit verify``: does the record of what operators did still hold?

It finds a changed, removed or replaced row by the chain, a cut or rewritten end by the checkpoints outside, a
taken-away protection by the catalog, and operations without an end. What it cannot see it calls unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from wnadmin.domain.audit import gather, kept, proof, spooled
from wnadmin.domain.audit.spooled import LIMIT, finding
from wnadmin.errors import Blind, CutOff, Failed, Vanished, WnError
from wnadmin.ledger import checkpoint, database
from wnadmin.ledger.spool import Spool
from wnadmin.ledger.walk import SpoolHead, Walk
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Findings

_HONEST = "A superuser can rewrite the ledger in the database; only a checkpoint kept outside it shows that."


def verify(
    db: Database | None,
    spool: Spool | None = None,
    *,
    state: Path | None = None,
    anchor: Path | None = None,
    exports: Sequence[Path] = (),
) -> Findings:
    """Check the ledger of ``db``, this user's spool and the files ``exports``.

    ``anchor`` is the checkpoint file to trust (default: the one in the state folder ``state``). A row that is wrong
    is named by its number in ``object``. Without a server the ledger is unknown.
    """
    spool = spool or Spool(state)
    found: list[Finding] = []
    notes: list[str] = []
    heads: list[SpoolHead] | None = None
    if db is None:
        nobody = "no server is connected: the ledger in the database was not looked at"
        found.append(_unknown("ledger.link", nobody))
    else:
        ledger, heads = _ledger(db, spool, state, anchor)
        found += ledger
        notes.append(_HONEST)
    # After the ledger: what its rows remember of the spool must stand there by now.
    found += spooled.verify(spool, heads)
    found += _unfinished(db, spool)
    for path in exports:
        found += kept.verify(path, db, state)
    return Findings("audit-verify", tuple(found), tuple(notes))


_Ledger: TypeAlias = "tuple[list[Finding], list[SpoolHead] | None]"


def _ledger(db: Database, spool: Spool, state: Path | None, anchor: Path | None) -> _Ledger:
    """Judge the ledger, and give the heads of ``spool`` that it remembers; None when it could not be read."""
    sight = gather.look(db)
    presence = sight.presence
    if presence is None:
        return [], None
    path = anchor or checkpoint.file_of(presence.origin, state)
    # Before the rows: a checkpoint that is written meanwhile would seem to speak of a row that is not there.
    anchored, trouble = _kept(presence.origin, path)
    if not presence.installed:
        return [_gone(presence, anchored)], None
    if sight.blind:
        hidden = f"the rows of audit.operator_ledger are hidden from {presence.login}"
        return [_unknown("ledger.link", hidden, gather.remedy(presence)), *_guards(db)], None
    walk = Walk([one.seq for one in anchored.checkpoints] if anchored else (), spool.place, presence.origin)
    try:
        walk.run(db.session)
    except (Blind, CutOff, Vanished) as error:
        return [_unknown("ledger.link", error.what, error.next), *_guards(db)], None
    except Failed as error:
        if not db.session.alive:
            raise
        return [finding("ledger.link", "critical", error.what, remediation=error.next), *_guards(db)], None
    begun = proof.beginning(walk, state)
    told, lives = proof.past(walk, db, presence.origin, state)
    ended = proof.tail(walk, anchored, trouble, path, presence.standby, lives)
    return [*_chain(walk), *begun, *told, *ended, *_mirror(db), *_guards(db)], walk.heads


def _kept(origin: str, path: Path) -> tuple[checkpoint.Anchor | None, str]:
    try:
        return checkpoint.read(origin, path), ""
    except Failed as error:
        return None, f"{error.what}: {error.why}"


def _gone(presence: database.Presence, anchored: checkpoint.Anchor | None) -> Finding:
    if anchored and anchored.checkpoints:
        last = max(one.seq for one in anchored.checkpoints)
        return finding(
            "ledger.tail",
            "critical",
            f"audit.operator_ledger is gone from {presence.database_name}: "
            f"{anchored.path} proves that it had {last} rows",
            thing="audit.operator_ledger",
        )
    return finding(
        "ledger.link",
        "skipped",
        f"the ledger is not installed in {presence.database_name}",
        remediation="wnadmin setup apply",
    )


def _chain(walk: Walk) -> list[Finding]:
    links = walk.links
    found = [
        finding(
            "ledger.gap" if one.fault == "gap" else "ledger.link",
            "critical",
            one.detail,
            thing=f"row {one.seq}",
            remediation="Keep a copy of the table, then compare with a backup from before the change.",
        )
        for one in links.breaks
    ]
    if links.more:
        found.append(finding("ledger.link", "critical", f"{links.more} more rows do not hold"))
    if all(one.id != "ledger.link" for one in found):
        found.append(finding("ledger.link", "ok", f"{links.count} rows, each gives its hash and follows the last"))
    if all(one.id != "ledger.gap" for one in found):
        found.append(
            finding(
                "ledger.gap",
                "ok",
                f"the numbers run from {walk.begin[0] + 1} to {links.seq} without a gap"
                if links.count
                else "there are no rows",
            )
        )
    return found


def _mirror(db: Database) -> list[Finding]:
    try:
        rows = database.mirrored(db.session)
    except (Blind, CutOff, Vanished) as error:
        return [_unknown("ledger.mirror", error.what, error.next)]
    wrong = [one for one in rows if not one.row_agrees]
    return [
        finding(
            "ledger.mirror",
            "critical",
            f"row {one.seq} "
            + (
                "is not the one that audit.ledger_checkpoints remembers"
                if one.row_exists
                else "is missing, and audit.ledger_checkpoints remembers it"
            ),
            thing=f"row {one.seq}",
        )
        for one in wrong[:LIMIT]
    ] or [finding("ledger.mirror", "ok", f"{len(rows)} checkpoints in the database agree with their rows")]


def _guards(db: Database) -> list[Finding]:
    rules = database.guards(db.session)
    return [
        finding(
            "ledger.guard",
            "critical",
            f"{one.object}: this no longer holds: {one.rule}",
            thing=one.object,
            measured=one.found,
            remediation="wnadmin setup verify",
        )
        for one in rules
        if not one.holds
    ] or [finding("ledger.guard", "ok", f"all {len(rules)} protections of the ledger stand")]


def _unfinished(db: Database | None, spool: Spool) -> list[Finding]:
    try:
        found = gather.unended(db, spool)
        states = gather.states(db, found.operations)
    except (Blind, CutOff, Vanished) as error:
        return [_unknown("ledger.unfinished", error.what, error.next)]
    except WnError as error:
        if db is not None and not db.session.alive:
            raise
        return [_unknown("ledger.unfinished", f"{error.what}: {error.why}")]
    open_ones = [one for one in found.operations if states[one.op_id] != "running"]
    return [
        *(
            finding(
                "ledger.unfinished",
                "warn",
                f"{one.command or 'an operation'} of {one.started:%Y-%m-%d %H:%M:%S} UTC "
                f"by {one.who or 'somebody'} has an intent and no outcome",
                thing=str(one.op_id),
                evidence="complete" if found.looked else "partial",
                remediation=f"wnadmin audit resume {one.op_id}",
            )
            for one in open_ones[:LIMIT]
        ),
        *([] if open_ones else [_all_ended(db, found)]),
        *_elsewhere(len(found.elsewhere)),
    ]


def _all_ended(db: Database | None, found: gather.Gathered) -> Finding:
    if found.looked:
        return finding("ledger.unfinished", "ok", "every operation that was begun has ended or is running")
    if db is not None and not database.present(db.session).installed:
        return finding(
            "ledger.unfinished",
            "skipped",
            "nothing unfinished is in the spool, and there is no ledger",
            evidence="partial",
        )
    return finding(
        "ledger.unfinished",
        "unknown",
        f"nothing unfinished is {found.scope}",
        evidence="partial",
    )


def _elsewhere(count: int) -> list[Finding]:
    if not count:
        return []
    what = (
        "1 unfinished operation of another database is"
        if count == 1
        else f"{count} unfinished operations of other databases are"
    )
    return [
        finding(
            "spool.elsewhere", "skipped", f"{what} in the spool", remediation="Connect there: wnadmin audit unfinished"
        )
    ]


def _unknown(name: str, detail: str, remediation: str = "") -> Finding:
    return finding(name, "unknown", detail, evidence="none", remediation=remediation)
