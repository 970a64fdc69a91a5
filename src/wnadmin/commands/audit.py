"""``wnadmin audit``: the operator ledger, and one child's activity log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Report

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.postgres.database import Database

app = noun("audit", "Read, prove and finish what the operator ledger holds.")

OperationId = Annotated[str, typer.Argument(metavar="ID", help="The operation's id, or the beginning of it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; goes into the ledger.")]


@app.callback()
def audit() -> None:
    """Read, prove and finish what the operator ledger holds.

    Reads the database's ledger and this user's spool together. When the server cannot be reached, the spool
    alone is read, and the output says so.
    """


@command(app, watch=True)
def log(
    db: Database | None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many operations at most.")] = 50,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
            help="Only from this time on, in UTC.",
        ),
    ] = None,
    operation: Annotated[str, typer.Option("--operation", metavar="ID", help="Every row of this operation.")] = "",
) -> Report:
    """List what operators did, newest first.

    One line an operation, from the ledger and this user's spool. With --operation, each of its rows.

    Example: wnadmin audit log --since 2026-11-01 --format json
    """
    from wnadmin.domain import audit as domain

    return domain.log(db, limit=limit, since=since, op_id=domain.identify(db, operation) if operation else None)


@command(app)
def verify(db: Database | None) -> Findings:
    """Prove that no ledger row was changed, removed or cut off.

    Follows the hash chain of ledger and spool, compares the ledger's end with the checkpoint file outside the
    database, looks at the guards of the table, and lists what was begun and never ended.

    Example: wnadmin audit verify --format json
    """
    from wnadmin.domain import audit as domain

    return domain.verify(db)


@command(app, watch=True)
def unfinished(db: Database | None) -> Report:
    """List operations that were begun and have no outcome.

    Each is either still running or was cut short by a crash; a cut one can be resumed.

    Example: wnadmin audit unfinished
    """
    from wnadmin.domain import audit as domain

    return domain.unfinished(db)


@command(app, personal=True)
def child(
    db: Database,
    child_id: Annotated[UUID, typer.Argument(metavar="CHILD", help="The child's id.")],
) -> Report:
    """Show the activity log of one child, newest first.

    Reading it is recorded before it is shown. Needs a login that row-level security does not stand in the way
    of; hidden rows are an error, never a shorter list. A child that was removed keeps its log until that expires,
    and a note says so; an id that nothing knows is an error.

    Example: wnadmin audit child 00000000-0000-4000-8000-000000000001 --format csv
    """
    from wnadmin.domain import audit as domain

    return domain.child(db, child_id)


@command(app, raw="runs another command under that command's own rules", formatted=True)
def resume(
    options: Options, operation: OperationId, yes: Yes = False, dry_run: DryRun = False, reason: Reason = ""
) -> int:
    """Finish an operation that was cut short.

    Calls the same command again with what it had chosen; steps that are done are skipped. Its outcome is shown as
    that command shows it.

    Example: wnadmin audit resume 0b5f7c52 --yes
    """
    from wnadmin.engine import resume as engine

    return engine.resume(operation, options, yes=yes, dry_run=dry_run, reason=reason)


@command(app, raw="takes back another command under that command's own rules", formatted=True)
def undo(
    options: Options, operation: OperationId, yes: Yes = False, dry_run: DryRun = False, reason: Reason = ""
) -> int:
    """Take back the completed steps of an operation, backwards.

    Only steps that have an undo can be taken back; the others are named.

    Example: wnadmin audit undo 0b5f7c52 --dry-run
    """
    from wnadmin.engine import resume as engine

    return engine.undo(operation, options, yes=yes, dry_run=dry_run, reason=reason)
