"""``wnadmin partitions``: months ahead, and what is past taken out without stopping anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("partitions", "Keep partitions ahead, and take out what is past.")

Move = Annotated[
    int, typer.Option("--move-rows", metavar="N", min=0, help="Rows moved out of a default partition at most.")
]


@app.callback()
def partitions() -> None:
    """Keep partitions ahead, and take out what is past.

    Bounds are read from the catalog, in UTC, never from names. Locks are asked for briefly and again, so that nobody
    waits behind them; who holds one that is not to be had is named.
    """


@command(app, name="list")
def list_(
    db: Database,
    name: Annotated[list[str] | None, typer.Argument(metavar="TABLE", help="Show their partitions too.")] = None,
    grace: Annotated[int, typer.Option("--grace", metavar="DAYS", help="Days of grace, as for retire.")] = 7,
) -> Report:
    """List partitioned tables: how far they reach, what is past, what was detached.

    Until when rows find a partition without a hole, how many partitions their retention policy has done with, holes,
    half detached partitions; and former partitions that are kept, with the reason. Of tables that are named, each
    partition with its bounds, rows and size.

    Example: wnadmin partitions list content.engagement
    """
    from wnadmin.domain.partitions import listing

    return listing.report(db, name or (), grace)


@command(app)
def maintain(
    db: Database,
    inputs: Inputs,
    table: Annotated[list[str] | None, typer.Argument(metavar="TABLE", help="Tables; all unless given.")] = None,
    ahead: Annotated[
        int | None, typer.Option("--ahead", metavar="MONTHS", help="Months after this one; 12 unless given.")
    ] = None,
    move_rows: Move = 10000,
) -> Plan:
    """Make the partitions that are missing, from the last month to a year ahead.

    Each is made beside its table and attached in one transaction, so that readers and writers go on and nothing of it
    stays when a lock is not to be had. Owner, privileges, row-level security, storage parameters and comments are
    carried over. Holes are filled too. Nothing is ever removed in the same run.

    Example: wnadmin partitions maintain --ahead 24 --dry-run
    """
    from wnadmin.domain.partitions import make

    return make.plan_maintain(db, table or (), ahead, inputs, most=move_rows)


@command(app)
def create(
    db: Database,
    inputs: Inputs,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The partitioned table, with its schema.")],
    first: Annotated[str, typer.Argument(metavar="MONTH", help="The first: 2027-03, or a day in it.")],
    until: Annotated[str, typer.Option("--until", metavar="MONTH", help="The last; only one unless given.")] = "",
    move_rows: Move = 10000,
) -> Plan:
    """Make the partition of a month, or those of many.

    In the same way as `maintain`, for what lies outside of what it keeps: the past, for rows that are to be loaded,
    or the first partition of a table. What is there already is left alone.

    Example: wnadmin partitions create content.engagement 2024-01 --until 2024-12
    """
    from wnadmin.domain.partitions import make

    return make.plan_create(db, table, first, until, inputs, most=move_rows)


@command(app)
def detach(
    db: Database,
    inputs: Inputs,
    name: Annotated[
        list[str] | None, typer.Argument(metavar="PARTITION", help="Partitions; with --due, tables.")
    ] = None,
    due: Annotated[bool, typer.Option("--due", help="All that their retention policy has done with.")] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for older transactions, each time."),
    ] = 60.0,
) -> Plan:
    """Take partitions out of their table; their rows stay in tables of their own.

    CONCURRENTLY, so that readers and writers go on; a table with a default partition is locked for a moment instead.
    What an interrupted detach left is finished first, or alone when nothing is named. Each table keeps a mark with its
    parent and bounds, for whoever looks for a person's data. `wnadmin audit undo` attaches them again.

    Example: wnadmin partitions detach --due --dry-run
    """
    from wnadmin.domain.partitions import detach as detaching

    return detaching.plan_detach(db, name or (), inputs, due_=due, wait=wait)


@command(app)
def retire(
    db: Database,
    inputs: Inputs,
    table: Annotated[
        list[str] | None,
        typer.Argument(metavar="TABLE", help="Detached partitions; all that are due unless given."),
    ] = None,
    grace: Annotated[int, typer.Option("--grace", metavar="DAYS", help="Days since they were detached.")] = 7,
) -> Plan:
    """Drop detached partitions whose time is over.

    When the days of grace are over, the retention policy is past for all of it, and no row of it, and nobody whose
    row it is, is on legal hold. What has to be archived or pseudonymised first is left alone. No copy is made.

    Example: wnadmin partitions retire --grace 14 --dry-run
    """
    from wnadmin.domain.partitions import retire as retiring

    return retiring.plan_retire(db, table or (), grace, inputs)
