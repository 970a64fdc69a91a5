"""``wnadmin retention``: what is kept for how long, and what goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("retention", "Remove what was kept for as long as was promised.")


@app.callback()
def retention() -> None:
    """Remove what was kept for as long as was promised.

    How long each kind of data is kept is written in audit.data_retention_policies and nowhere else.
    """


@command(app, name="list")
def list_(
    db: Database,
    exact: Annotated[
        bool, typer.Option("--exact", help="Count every row, and those on legal hold; needs to see all rows.")
    ] = False,
) -> Report:
    """List the retention policies and how many rows are past each.

    The quick count is that of admin.get_retention_backlog(): by index or partition, at most 10,000 rows a policy,
    for logins that read no row of a person. Policies that are not active or have no period are listed without one.

    Example: wnadmin retention list --exact
    """
    from wnadmin.domain.retention import listing

    return listing.report(db, exact=exact)


@command(app)
def apply(
    db: Database,
    inputs: Inputs,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="POLICY", help="This policy; may be given again.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="POLICY", help="Not this policy; may be given again.")
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=50, max=100_000, help="A batch takes about so many rows at most.")
    ] = 50_000,
    pace: Annotated[
        int, typer.Option("--pace", metavar="PERCENT", min=1, max=100, help="How much of the time to be busy.")
    ] = 75,
) -> Plan:
    """Remove what is past the time of its retention policy.

    In batches that give up early on locks; rows on a legal hold stay, their own or of their user, family or child,
    also when it is set meanwhile. A policy that cannot be enforced is a step that fails and says why. Whole
    partitions are left to `wnadmin partitions detach --due`. Refused while a backup or a change of tables runs.

    Example: wnadmin retention apply --only analytics.insights --reason 'weekly routine'
    """
    from wnadmin.domain.retention import plans
    from wnadmin.domain.retention.values import Pace

    return plans.plan(db, inputs, only=only or (), skip=skip or (), pace=Pace(rows, pace))
