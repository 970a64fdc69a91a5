"""``wnadmin tables``: how big, how bloated, how far behind with vacuum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("tables", "See how big and how bloated tables are, and what waits for vacuum.")

All = Annotated[bool, typer.Option("--all", help="Show each partition for itself.")]
Top = Annotated[int, typer.Option("--top", min=0, help="So many at most; 0 shows all.")]


@app.callback()
def tables() -> None:
    """See how big and how bloated tables are, and what waits for vacuum.

    Partitions are rolled up to their topmost tables. Nothing here waits for a lock: what is locked exclusively, or
    about to be, is named as not measured.
    """


@command(app, watch=True, brief=True)
def sizes(db: Database, leaves: All = False, top: Top = 20) -> Report:
    """Show tables by their size, with TOAST and indexes.

    Bytes are those of the files; rows are the estimate of the last vacuum or ANALYZE. Partitions are summed up
    under their topmost table.

    Example: wnadmin tables sizes --top 10
    """
    from wnadmin.domain.tables import sizes

    return sizes.report(db, leaves=leaves, top=top)


@command(app, brief=True)
def bloat(
    db: Database,
    leaves: All = False,
    top: Top = 20,
    least: Annotated[str, typer.Option("--least", metavar="SIZE", help="Look at relations from this size on.")] = "1MB",
    below: Annotated[
        str, typer.Option("--exact-below", metavar="SIZE", help="Read relations up to this size; 0 reads none.")
    ] = "1GB",
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="Time for reading pages, in all.")] = 20.0,
) -> Report:
    """Show what tables, TOAST and indexes waste, and how that is known.

    With the extension pgstattuple pages are read and counted, the largest relations first. Otherwise the waste is
    estimated where the statistics are fresh, complete and visible, and withheld with the reason everywhere else.

    Example: wnadmin tables bloat --exact-below 200MB
    """
    from wnadmin.domain.tables import wasted
    from wnadmin.domain.tables.quantity import size

    return wasted.report(
        db,
        leaves=leaves,
        top=top,
        least=size(least, "--least"),
        below=size(below, "--exact-below"),
        seconds=seconds,
    )


@command(app, watch=True, brief=True)
def vacuum_debt(db: Database, leaves: All = False, top: Top = 20) -> Report:
    """Show which tables wait for vacuum, by their own thresholds.

    Dead and inserted rows against the table's own autovacuum thresholds, the age of its transaction and multixact
    ids, what runs right now, and who keeps dead rows from being removed.

    Example: wnadmin tables vacuum-debt --watch 5
    """
    from wnadmin.domain.tables import owed

    return owed.report(db, leaves=leaves, top=top)
