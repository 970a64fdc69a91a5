"""Finish an interrupted operation, or take it back, from nothing but its ledger rows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wnadmin.engine.invoke import invoke
from wnadmin.engine.operation import HERE, Prior
from wnadmin.errors import NoConnection, Refused, UsageError

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.ledger.operations import Operation as Recorded


def resume(wanted: str, options: Options, *, yes: bool, dry_run: bool, reason: str) -> int:
    """Call the same body again with the saved arguments and inputs; done steps are skipped."""
    one = _find(wanted, options)
    if one.outcome == "done":
        raise Refused(
            f"operation {one.op_id} is finished",
            why="Its outcome says done.",
            next=f"To take it back: wnadmin audit undo {one.op_id}",
        )
    return _again(one, dataclasses.replace(options, yes=yes, dry_run=dry_run, reason=reason), undo=False)


def undo(wanted: str, options: Options, *, yes: bool, dry_run: bool, reason: str) -> int:
    """Run the undos of the completed steps, backwards."""
    one = _find(wanted, options)
    return _again(one, dataclasses.replace(options, yes=yes, dry_run=dry_run, reason=reason), undo=True)


def _find(wanted: str, options: Options) -> Recorded:
    from wnadmin.domain import audit
    from wnadmin.engine.connect import open_session, resolve
    from wnadmin.postgres.database import Database
    from wnadmin.render import talk

    here = ""
    try:
        target, profile = resolve(options)
        here = target.describe()
        session = open_session(target, profile, "audit resume", change=False)
    except NoConnection as error:
        # The operation may be about the server itself: the spool then has all there is.
        talk.warn(f"{error.what}; only this user's spool is searched")
        found = audit.find(None, audit.identify(None, wanted))
    else:
        with session:
            db = Database(session)
            found = audit.find(db, audit.identify(db, wanted))
    if found is None:
        raise UsageError(f"there is no operation {wanted} in ledger or spool", next="See `wnadmin audit log`.")
    _same_place(found, here)
    return found


def _same_place(one: Recorded, here: str) -> None:
    # A row of the database's own ledger is about that database; the spool holds rows about any.
    if one.sink == "spool" and one.target not in ("", HERE, here):
        raise Refused(
            f"operation {one.op_id} was begun on {one.target}",
            why=f"This would go to {here or 'no server'}.",
            next="Name the same server and database, in the same way, with --dsn or --profile.",
        )


def _again(one: Recorded, options: Options, *, undo: bool) -> int:
    if one.phase != "intent":
        raise Refused(f"operation {one.op_id} changed nothing", why="It has no intent row.", next="wnadmin audit log")
    if any(part.startswith("personal:") for part in one.argv):
        raise Refused(
            "the operation's arguments are personal and were not kept",
            why="The ledger holds their pseudonyms only.",
            next="Run the command again with the same values.",
        )
    prior = Prior(one.op_id, one.inputs, one.receipts)
    _, code = invoke(one.argv, options, parent=one.parent, prior=prior, undo=undo, quiet=False)
    return int(code)
