"""From options to a Target, and from a Target to a Session, with the checks that come before any command."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from wnadmin import settings
from wnadmin.errors import NoConnection, Refused
from wnadmin.postgres.target import Target

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.postgres.session import Session

PRODUCTION = "wnadmin.production"
"""A setting of a look's session, which bundled SQL asks for where it judges a production profile harder."""

# Compiling a query over the lock table takes the server seconds, running it milliseconds.
_BRIEFLY = {"default_transaction_read_only": "on", "jit": "off"}

EMBEDDED_DATABASE = "wondernest"
"""The database that commands use on the embedded server unless another is named."""


def resolve(options: Options) -> tuple[Target, settings.Profile]:
    """Find out where to go: --dsn, the profile, libpq's environment, else this user's embedded server.

    Raises UsageError for an unknown profile or unreadable --dsn, NoConnection when nothing names a server.
    """
    from wnadmin.postgres.session import target_from_dsn

    profile = settings.load_profile(options.profile)
    if options.dsn is not None:
        return _named(target_from_dsn(options.dsn, source="--dsn"), profile)
    if profile.primary:
        return _named(target_from_dsn(profile.primary, source=f"profile {profile.name}"), profile)
    if any(os.environ.get(name) for name in settings.LIBPQ_VARIABLES):
        return _named(Target({}, source="the PG* environment"), profile)
    return embedded(EMBEDDED_DATABASE), profile


def _named(target: Target, profile: settings.Profile) -> tuple[Target, settings.Profile]:
    return replace(target, production=profile.production, admin_database=profile.admin_database), profile


def embedded(database: str) -> Target:
    """Give the embedded server of this user as a target; NoConnection when it does not run."""
    from wnadmin.postgres.embedded import Cluster, default_home

    cluster = Cluster(default_home())
    status = cluster.status()
    if status.state != "running":
        raise NoConnection(
            "no server is named",
            why=f"There is no --dsn, --profile or PG* variable, and the embedded server is {status.state}.",
            next="Name one with --dsn 'host=… dbname=…', or start the embedded server: wnadmin server start",
        )
    return Target(dict(cluster.conninfo(database)), source="the embedded server")


def all_nodes(target: Target, profile: settings.Profile, options: Options) -> list[Target]:
    """Give the profile's primary and standbys; one node, called ``server``, where no profile chose it."""
    from wnadmin.postgres.session import target_from_dsn

    if options.dsn is not None or not profile.primary:
        return [replace(target, node="server")]
    source = f"profile {profile.name}"
    standbys = [replace(target_from_dsn(one, source=source), production=target.production) for one in profile.standbys]
    return [target, *(replace(one, node=f"standby{number}") for number, one in enumerate(standbys, 1))]


def open_session(
    target: Target, profile: settings.Profile, command: str, *, change: bool, brief: bool = False
) -> Session:
    """Connect, and refuse a server that is too old, or a standby when the command changes data.

    ``brief`` makes the session read-only and impatient: a look must not queue up in the fire it looks into.
    """
    from wnadmin.postgres.errors import refuse_standby
    from wnadmin.postgres.session import BRIEF, Timeouts, connect

    session = connect(
        target,
        command=command,
        timeouts=BRIEF if brief else Timeouts(lock=profile.lock_timeout, statement=profile.statement_timeout),
        settings=_BRIEFLY | {PRODUCTION: "on" if target.production else "off"} if brief else None,
    )
    try:
        require_version(session, profile.minimum_server)
        if change and session.scalar("SELECT pg_catalog.pg_is_in_recovery()"):
            primary = session.scalar("SELECT sender_host FROM pg_catalog.pg_stat_wal_receiver") or ""
            raise refuse_standby(f"`wnadmin {command}`", primary)
    except BaseException:
        session.close()
        raise
    return session


def require_version(session: Session, minimum: int) -> None:
    """Refuse a server older than the profile's ``minimum_server`` (a major)."""
    if session.version < minimum * 10000:
        raise Refused(
            f"the server is PostgreSQL {session.version // 10000}, older than the minimum {minimum}",
            why="The minimum is `minimum_server` of the profile; WonderNest itself needs 15.",
            next="Upgrade the server, or name another with --dsn.",
        )
