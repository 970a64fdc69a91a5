"""``wnadmin connections``: who holds the slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wnadmin.engine import command, noun
from wnadmin.results import Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("connections", "Show who holds the connections, against each limit.")


@app.callback()
def connections() -> None:
    """Show who holds the connections, against each limit."""


@command(app, name="list", watch=True, brief=True)
def list_(db: Database) -> Report:
    """List the connections against the limits of server, roles and databases.

    What an ordinary login can get is max_connections without the reserved ones; background processes take none of
    it. A role or database with a limit of its own is refused at that limit, however much room the server has.

    Example: wnadmin connections list --watch 2
    """
    from wnadmin.domain import connections as domain

    return domain.connections(db)
