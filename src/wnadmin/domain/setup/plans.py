"""What the commands of ``wnadmin setup`` call: settings and connections in, values out."""

from __future__ import annotations

import os
from typing import Final

from wnadmin.domain.setup import run
from wnadmin.domain.setup import status as statuses
from wnadmin.domain.setup import verify as proofs
from wnadmin.domain.setup.wishes import Connect, Wishes
from wnadmin.errors import Refused
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Findings, Inputs, Plan, Report
from wnadmin.settings import Profile

# Each look at the catalog is made once: compiling it takes longer than making it.
_SETTINGS: Final = {"jit": "off"}


def wishes(
    connections: Connections,
    profile: Profile,
    inputs: Inputs,
    *,
    create: bool,
    samples: bool | None,
    months_ahead: int | None,
    wait: float,
) -> Wishes:
    """Put together what is wanted; an unfinished run's ``inputs`` win, so that it goes on as it began.

    Without a word about ``samples``, a production profile gets none.
    """
    chosen = not profile.production if samples is None else samples
    months = inputs.get("months_ahead", months_ahead)
    return Wishes(
        database=connections.target.database() or os.environ.get("PGDATABASE", ""),
        create=create,
        seed_samples=bool(inputs.get("seed_samples", chosen)),
        months_ahead=months if isinstance(months, int) else None,
        wait=wait,
        minimum_server=profile.minimum_server,
        admin_database=connections.target.admin_database,
    )


def connector(connections: Connections) -> Connect:
    """Open sessions in the named database of the command's server; '' is the one that the command goes to."""

    def connect(dbname: str) -> Session:
        return connections.open(connections.target.at(dbname) if dbname else None, settings=_SETTINGS)

    return connect


def apply(connections: Connections, wanted: Wishes) -> Plan:
    """Plan `setup apply`."""
    return run.plan_apply(wanted, connector(connections))


def verify(connections: Connections, profile: Profile) -> Findings:
    """Carry out `setup verify` in a session of its own; Refused on a server older than the profile accepts."""
    with connections.open(settings=_SETTINGS) as session:
        if session.version < profile.minimum_server * 10000:
            raise Refused(
                f"the server is PostgreSQL {session.version // 10000}, older than the minimum {profile.minimum_server}",
                why="The minimum is `minimum_server` of the profile; WonderNest itself needs 15.",
                next="Upgrade the server, or name another with --dsn.",
            )
        return proofs.verify(Database(session))


def status(db: Database) -> Report:
    """Tell `setup status`."""
    return statuses.status(db)
