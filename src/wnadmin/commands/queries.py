"""``wnadmin queries``: statement statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("queries", "Look at and reset the statement statistics.")


@app.callback()
def queries() -> None:
    """Look at and reset the statement statistics."""


@command(app, watch=True, brief=True)
def slow(
    db: Database,
    by: Annotated[
        Literal["total", "mean", "calls", "io", "temp"],
        typer.Option("--by", help="Sort by total or mean time, calls, blocks moved, or temporary blocks."),
    ] = "total",
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many statements.")] = 10,
    show_queries: Annotated[
        bool, typer.Option("--show-queries", help="Show the texts, without strings and comments.")
    ] = False,
    all_databases: Annotated[bool, typer.Option("--all-databases", help="Not only this database.")] = False,
) -> Report:
    """List the statements that take the most of the server.

    Time, calls, rows, I/O, temporary files, WAL and the share of the load, as pg_stat_statements counted them.
    Says why when it is empty. Without pg_read_all_stats the statements of other roles have no id and no text.

    Example: wnadmin queries slow --by mean --top 5
    """
    from wnadmin.domain.queries import slow

    return slow.report(db, by=by, top=top, show=show_queries, everywhere=all_databases)


@command(app)
def reset(db: Database, inputs: Inputs) -> Plan:
    """Reset pg_stat_statements for this database.

    Forgets the collected counters of the connected database only; other databases of the cluster keep
    theirs. Needs the extension, and the right to call pg_stat_statements_reset.

    Example: wnadmin queries reset --reason 'after the release of 12 May'
    """
    from wnadmin.domain.queries import reset

    return reset.plan(db, inputs)
