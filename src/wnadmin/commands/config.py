"""``wnadmin config``: the server's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wnadmin.engine import command, noun
from wnadmin.results import Findings

if TYPE_CHECKING:
    from wnadmin.postgres.connections import Connections
    from wnadmin.settings import Profile

app = noun("config", "Compare the server's settings with the recommended ones.")


@app.callback()
def config() -> None:
    """Compare the server's settings with the recommended ones."""


@command(app)
def check(connections: Connections, profile: Profile) -> Findings:
    """Judge the server's settings by what WonderNest recommends.

    Shows each value, where it comes from, what it should be and the statement that changes it, and whether that
    needs a reload or a restart. Names what is set otherwise for a role or a database, what waits for a restart, and
    lines of the files that the server refuses. What a login may not see is unknown. The recommendations stand in
    sql/settings.toml.

    Example: wnadmin config check --fail-on critical
    """
    from wnadmin.domain import config

    return config.judged(connections, profile)
