"""``wnadmin readonly``: a database that is read-only, proven and not only set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Inputs, Plan

if TYPE_CHECKING:
    from wnadmin.postgres.connections import Connections
    from wnadmin.settings import Profile

app = noun("readonly", "Make the database read-only, prove it, and leave it as it was.")

Grace = Annotated[
    float, typer.Option("--grace", metavar="SECONDS", min=0, help="What open transactions get to finish.")
]


@app.callback()
def readonly() -> None:
    """Make the database read-only, prove it, and leave it as it was.

    At one of three levels. soft: new sessions begin read-only, and may override it. drain: so does every role, the
    pooler reconnects, and sessions from before are ended. fence: the privileges to write are taken away too.
    """


@command(app)
def on(
    connections: Connections,
    profile: Profile,
    inputs: Inputs,
    level: Annotated[Literal["soft", "drain", "fence"], typer.Option("--level", help="How firmly.")] = "soft",
    exempt: Annotated[
        list[str] | None,
        typer.Option("--exempt", metavar="ROLE", help="This login role goes on writing; may be given again."),
    ] = None,
    grace: Grace = 10.0,
    stay: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Stay here for 30m, 1h30m or 90s, then put everything back.")
    ] = "",
    affects_cluster: Annotated[
        bool, typer.Option("--affects-cluster", help="Take roles also from other databases that they reach.")
    ] = False,
    allow_prepared: Annotated[
        bool, typer.Option("--allow-prepared", help="Go on although prepared transactions wait.")
    ] = False,
) -> Plan:
    """Make the database read-only, and prove it.

    What was before is kept in the database and in a file; `readonly off` puts it back. Run it again to finish what
    was cut short, or to go to a higher level. drain and fence need a superuser.

    Example: wnadmin readonly on --level fence --exempt maintenance --reason 'storage move'
    """
    from wnadmin.domain.readonly import enter
    from wnadmin.domain.readonly.stay import duration
    from wnadmin.domain.readonly.ways import ways

    wanted = enter.Wanted(level, tuple(exempt or ()), grace, affects_cluster, allow_prepared, duration(stay))
    return enter.plan(ways(connections, profile), wanted, inputs)


@command(app)
def off(connections: Connections, profile: Profile, inputs: Inputs, grace: Grace = 10.0) -> Plan:
    """Put back what `readonly on` changed.

    Settings, memberships and privileges become what they were, also when the file is lost or the settings were made
    by hand. After drain and fence the sessions that began read-only are ended, so that clients can write at once.

    Example: wnadmin readonly off
    """
    from wnadmin.domain.readonly import leave
    from wnadmin.domain.readonly.ways import ways

    return leave.plan(ways(connections, profile), grace, inputs)


@command(app)
def status(
    connections: Connections,
    profile: Profile,
    witness: Annotated[
        float, typer.Option("--witness", metavar="SECONDS", min=0, help="How long to watch the counters of writes.")
    ] = 2.0,
) -> Findings:
    """Say whether the database is read-only, how firmly, and what is still open.

    What new sessions of each role begin with, sessions from before, roles that could override it, a write that is
    tried on each path and taken back, and the rows this database counted as written meanwhile. A broken promise of
    the level is critical, what it does not promise a warning.

    Example: wnadmin readonly status --fail-on critical
    """
    from wnadmin.domain.readonly import status as statuses
    from wnadmin.domain.readonly.ways import ways

    return statuses.status(ways(connections, profile), witness)
