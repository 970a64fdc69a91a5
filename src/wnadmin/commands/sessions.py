"""``wnadmin sessions``: who is connected and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("sessions", "Show who is connected, doing what, for how long.")


@app.callback()
def sessions() -> None:
    """Show who is connected, doing what, for how long."""


@command(app, name="list", watch=True, brief=True)
def list_(
    db: Database,
    state: Annotated[str, typer.Option("--state", metavar="STATE", help="Only in this state.")] = "",
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="DURATION", help="Only with a transaction, or outside of one a state, so old."
        ),
    ] = "",
    role: Annotated[str, typer.Option("--role", metavar="NAME", help="Only of this role.")] = "",
    database: Annotated[str, typer.Option("--database", metavar="NAME", help="Only in this database.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Background processes too.")] = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="Every column, PID@BACKEND_START first; machines get them always.")
    ] = False,
    show_queries: Annotated[
        bool, typer.Option("--show-queries", help="Show query texts (whole with --wide); they may hold personal data.")
    ] = False,
) -> Report:
    """List the sessions of the server, those first that hold up others.

    A session is named for good by its pid and its start, PID@BACKEND_START: a pid is used again. What this login may
    not look into is shown as hidden and never filtered away, with the GRANT that would show it. Query texts are left
    out unless asked for; reading them is recorded before they are shown.

    Example: wnadmin sessions list --state idle-in-transaction --older-than 5min --wide
    """
    from wnadmin.domain.sessions import look

    filters = look.Filters(state, older_than, role, database, everything)
    return look.sessions(db, filters, wide=wide, show_queries=show_queries)
