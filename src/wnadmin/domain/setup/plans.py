"""What the commands of ``wnadmin setup`` call: settings and connections in, values out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from wnadmin import assets
from wnadmin.domain.setup import adopt as adoption
from wnadmin.domain.setup import drift as drifts
from wnadmin.domain.setup import run
from wnadmin.domain.setup import status as statuses
from wnadmin.domain.setup import verify as proofs
from wnadmin.domain.setup.migrations import find
from wnadmin.domain.setup.shadow import Ways, Where
from wnadmin.domain.setup.wishes import Connect, Wishes
from wnadmin.errors import Refused, UsageError
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target
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
        _require_version(session, profile)
        return proofs.verify(Database(session))


def ways(connections: Connections) -> Ways:
    """Say how shadows are reached."""

    def anywhere(target: Target) -> Session:
        return connections.open(target, settings=_SETTINGS)

    return Ways(connector(connections), anywhere, connections.target.admin_database)


def place(text: str) -> Where:
    """Read ``--shadow``; UsageError for anything else."""
    if text not in ("auto", "here", "apart"):
        raise UsageError(f"unknown place {text}", next="Use --shadow auto, here or apart.")
    return cast("Where", text)


def drift(connections: Connections, profile: Profile, locations: Sequence[Path], shadow: str) -> Findings:
    """Carry out `setup drift`."""
    files = find((assets.root("sql") / "migration", *locations))
    with connections.open(settings=_SETTINGS) as session:
        _require_version(session, profile)
        return drifts.drift(Database(session), files, ways(connections), place(shadow))


def adopt(connections: Connections, profile: Profile, *, as_baseline: bool, shadow: str, wait: float) -> Plan:
    """Plan `setup adopt`."""
    with connections.open() as session:
        _require_version(session, profile)
    wanted = adoption.Wanted(as_baseline, place(shadow), wait)
    return adoption.plan_adopt(wanted, connector(connections), ways(connections))


def _require_version(session: Session, profile: Profile) -> None:
    if session.version < profile.minimum_server * 10000:
        raise Refused(
            f"the server is PostgreSQL {session.version // 10000}, older than the minimum {profile.minimum_server}",
            why="The minimum is `minimum_server` of the profile; WonderNest itself needs 15.",
            next="Upgrade the server, or name another with --dsn.",
        )


def status(db: Database) -> Report:
    """Tell `setup status`."""
    return statuses.status(db)
