"""``wnadmin audit``: the operator ledger, and one child's activity log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.postgres.database import Database

app = noun("audit", "Read, prove, keep and finish what the operator ledger holds.")

OperationId = Annotated[str, typer.Argument(metavar="ID", help="The operation's id, or the beginning of it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; goes into the ledger.")]


@app.callback()
def audit() -> None:
    """Read, prove, keep and finish what the operator ledger holds.

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
def verify(
    db: Database | None,
    export: Annotated[
        list[Path] | None,
        typer.Option("--export", metavar="FILE", help="Prove this export or sealed file too; may be given again."),
    ] = None,
    anchor: Annotated[
        Path | None, typer.Option("--anchor", metavar="FILE", help="Trust this checkpoint file instead of one's own.")
    ] = None,
) -> Findings:
    """Prove that no ledger row was changed, removed or cut off.

    Follows the hash chain of ledger and spool, compares the ledger's end with the checkpoint file outside the
    database, looks at the guards of the table, and lists what was begun and never ended. Rows that are gone because
    they were sealed, or lost in a restore, are accounted for by a signed row only. With --export the rows and the
    signature of a file are proven, and that the ledger knows it.

    Example: wnadmin audit verify --format json
    """
    from wnadmin.domain import audit as domain

    return domain.verify(db, exports=export or (), anchor=anchor)


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


@command(app, node="any")
def export(
    db: Database,
    inputs: Inputs,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to write to; it must exist.")],
    first: Annotated[
        int | None, typer.Option("--from", metavar="ROW", min=1, help="After what is in DIR unless given.")
    ] = None,
    through: Annotated[
        int | None, typer.Option("--through", metavar="ROW", min=1, help="The newest unless given.")
    ] = None,
) -> Plan:
    """Write ledger rows to a signed file.

    Each export into a folder goes on where the last one ends, so that one run a day keeps all of it. The file holds
    the rows as they stand, is proven on the way and read again afterwards. It is what `audit import` and
    `backup restore` put back. Works on a standby.

    Example: wnadmin audit export --to /srv/backups --yes
    """
    from wnadmin.domain.audit import export as exporting

    return exporting.plan(db, to, inputs, first=first, through=through)


@command(app, name="import")
def import_(
    db: Database,
    inputs: Inputs,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="Exports, folders of them, or spools of others.")
    ] = None,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Take what no trusted key and no checkpoint proves; asks for a word.")
    ] = False,
    lost: Annotated[bool, typer.Option("--lost", help="Record that what is missing is lost; asks for a word.")] = False,
) -> Plan:
    """Join rows of an export or a spool to the ledger.

    For a database that was restored, and for what was recorded while the ledger could not be reached. A file is read
    to its end and proven before anything is taken from it. Rows are appended under new numbers, each with what it
    was; rows that are here already are left out, so it can be run again. Without PATH it is this user's spool.

    Where nothing holds the rows any more, --lost appends a signed row that says so, and `audit verify` accepts it.

    Example: wnadmin audit import /srv/backups
    """
    from wnadmin.domain.audit import join
    from wnadmin.domain.audit import lost as losing
    from wnadmin.errors import UsageError

    if lost and (paths or unproven):
        raise UsageError("--lost takes no files", next="Import what there is first, then say that the rest is lost.")
    if lost:
        return losing.plan(db, inputs)
    return join.plan(db, paths or [], inputs, unproven=unproven)


@command(app)
def seal(
    db: Database,
    inputs: Inputs,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to write to; it must exist.")],
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=["%Y-%m-%d"], help="Only rows from before this day, in UTC."),
    ] = None,
) -> Plan:
    """Move the oldest ledger rows into a sealed file.

    What is past the period of the policy audit.operator_ledger goes, from the beginning and never a part of an
    operation: into a signed file, which is read again before a signed row in the ledger names its hash and the rows
    are removed. `audit verify` goes on from there.

    Example: wnadmin audit seal --to /srv/archive
    """
    from datetime import UTC

    from wnadmin.domain.audit import seal as sealing

    return sealing.plan(db, to, inputs, before=before.replace(tzinfo=UTC) if before else None)


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
