"""``wnadmin indexes``: which may go, which must stay, which are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Report

if TYPE_CHECKING:
    from wnadmin.postgres.nodes import Nodes

app = noun("indexes", "Judge which indexes may go, must stay, or are missing.")

MinAge = Annotated[
    float, typer.Option("--min-age", metavar="DAYS", min=0, help="For so long every node must have counted scans.")
]
MinSize = Annotated[
    str, typer.Option("--min-size", metavar="SIZE", help="An unused index below this size is not worth a drop.")
]
Below = Annotated[
    str, typer.Option("--exact-below", metavar="SIZE", help="Read indexes up to this size for bloat; 0 reads none.")
]
Seconds = Annotated[float, typer.Option("--seconds", min=0, help="Time for reading pages, in all.")]


@app.callback()
def indexes() -> None:
    """Judge which indexes may go, must stay, or are missing.

    All nodes of the profile are asked: an index that only a standby uses is kept, and where a node is not reached
    nothing is called droppable.
    """


@command(app, brief=True)
def review(
    nodes: Nodes,
    min_age: MinAge = 35.0,
    min_size: MinSize = "64kB",
    everything: Annotated[bool, typer.Option("--all", help="List also what nothing speaks against.")] = False,
    below: Below = "64MB",
    seconds: Seconds = 5.0,
) -> Report:
    """Give a verdict about each index: droppable, keep, or insufficient evidence.

    Unused, duplicate, redundant, invalid and bloated indexes, and foreign keys without an index. An index is
    droppable only when every guard has been answered: constraints, replica identity, partitions, foreign keys,
    statistics old enough on every node. Of two that can stand in for each other one stays.

    Example: wnadmin indexes review --min-age 60
    """
    from datetime import timedelta

    from wnadmin.domain.indexes import review
    from wnadmin.domain.indexes.guards import Limits
    from wnadmin.domain.tables.quantity import size

    limits = Limits(timedelta(days=min_age), size(min_size, "--min-size"))
    return review.report(nodes, limits, everything=everything, below=size(below, "--exact-below"), seconds=seconds)


@command(app, brief=True)
def explain(
    nodes: Nodes,
    name: Annotated[str, typer.Argument(metavar="SCHEMA.INDEX", help="The index, quoted as in SQL where it needs it.")],
    min_age: MinAge = 35.0,
    min_size: MinSize = "64kB",
    below: Below = "1GB",
    seconds: Seconds = 5.0,
) -> Report:
    """Show everything that is known about one index.

    Its definition, size, use on each node, constraints and foreign keys, how it compares with the others of its
    table, the answer of every guard, and the DDL that would make it again.

    Example: wnadmin indexes explain content.engagement_child_idx
    """
    from datetime import timedelta

    from wnadmin.domain.indexes import dossier
    from wnadmin.domain.indexes.guards import Limits
    from wnadmin.domain.tables.quantity import size

    limits = Limits(timedelta(days=min_age), size(min_size, "--min-size"))
    return dossier.report(nodes, limits, name, below=size(below, "--exact-below"), seconds=seconds)


@command(app, brief=True)
def missing(
    nodes: Nodes,
    big: Annotated[str, typer.Option("--big", metavar="SIZE", help="Tables from this size on count as big.")] = "10MB",
    rows: Annotated[int, typer.Option("--rows", min=0, help="Columns of tables from so many rows on.")] = 1000,
    top: Annotated[int, typer.Option("--top", min=0, help="So many of each at most; 0 shows all.")] = 20,
) -> Report:
    """Show where an index may be missing.

    Foreign keys that no index supports, big tables that are read from end to end, and columns that tell rows apart
    well and lead no index. Where the extension hypopg is installed, the planner says what an index would change.

    Example: wnadmin indexes missing --big 100MB
    """
    from wnadmin.domain.indexes import missing
    from wnadmin.domain.tables.quantity import size

    return missing.report(nodes, big=size(big, "--big"), rows=rows, top=top)
