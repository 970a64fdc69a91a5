"""``wnadmin server``: the embedded PostgreSQL of this user."""

from __future__ import annotations

from typing import Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Plan, Report

app = noun("server", "Start, stop and inspect the embedded PostgreSQL of this user.")


@app.callback()
def server() -> None:
    """Start, stop and inspect the embedded PostgreSQL of this user.

    For demonstration, development and tests, never for production.
    """


@command(app, node="none")
def start() -> Plan:
    """Start the embedded server, making it first where there is none.

    It listens on a socket that only this user can reach. After a crash it clears what was left behind and
    recovers. WNADMIN_PG_PROVIDER=system|wheel and WNADMIN_PG_BINDIR choose the programs.

    Example: wnadmin server start --yes
    """
    from wnadmin.domain.server import plans
    from wnadmin.postgres.embedded import Cluster

    return plans.start(Cluster.of_user())


@command(app, node="none")
def stop(
    mode: Annotated[str, typer.Option("--mode", help="smart, fast or immediate, as pg_ctl.")] = "fast",
) -> Plan:
    """Stop the embedded server.

    Its data stay. `fast` ends open sessions and rolls their transactions back.

    Example: wnadmin server stop --yes
    """
    from wnadmin.domain.server import plans
    from wnadmin.postgres.embedded import Cluster

    return plans.stop(Cluster.of_user(), plans.mode(mode))


@command(app)
def status() -> Report:
    """Show whether the embedded server runs, and where it lives.

    Reads the pid file and the process table; needs no connection.

    Example: wnadmin server status --format json
    """
    from wnadmin.domain.server import plans
    from wnadmin.postgres.embedded import Cluster

    return plans.status(Cluster.of_user())


@command(app)
def url(
    database: Annotated[str, typer.Argument(help="The database to name in the URL.")] = "wondernest",
) -> Report:
    """Print the URL of a database on the embedded server.

    Any libpq program takes it: psql, pg_dump, pgcli.

    Example: psql "$(wnadmin server url)"
    """
    from wnadmin.postgres.embedded import Cluster

    return Report("server-url", text=Cluster.of_user().url(database))


@command(app, node="none")
def destroy() -> Plan:
    """Stop the embedded server and remove its data.

    Removes only what wnadmin made; a directory without its marker is refused. There is no undo.

    Example: wnadmin server destroy --dry-run
    """
    from wnadmin.domain.server import plans
    from wnadmin.postgres.embedded import Cluster

    return plans.destroy(Cluster.of_user())
