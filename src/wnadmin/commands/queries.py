"""``wnadmin queries``: statement statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wnadmin.engine import command, noun
from wnadmin.results import Inputs, Plan

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("queries", "Look at and reset the statement statistics.")


@app.callback()
def queries() -> None:
    """Look at and reset the statement statistics."""


@command(app)
def reset(db: Database, inputs: Inputs) -> Plan:
    """Reset pg_stat_statements for this database.

    Forgets the collected counters of the connected database only; other databases of the cluster keep
    theirs. Needs the extension, and the right to call pg_stat_statements_reset.

    Example: wnadmin queries reset --reason 'after the release of 12 May'
    """
    from wnadmin.domain.queries import reset

    return reset.plan(db, inputs)
