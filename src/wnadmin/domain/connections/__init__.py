"""Who holds the connections, against each limit there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from wnadmin.domain.sessions.sight import Sight, sight
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table

__all__ = ["Group", "Limit", "connections"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: of the server, a role or a database. ``most`` None: no limit; ``share`` in percent of it.

    ``unsure`` of the used ones are hidden from this login and may be no client; ``exempt`` are superusers, whom
    a limit of theirs does not hold.
    """

    scope: str
    name: str
    used: int
    most: int | None
    share: float | None
    unsure: int
    exempt: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Client sessions of one role, database, application and state; the longest state and transaction of them."""

    role: str | None
    database: str | None
    application: str | None
    state: str | None
    sessions: int
    oldest: timedelta | None
    xact: timedelta | None


_LIMITS = (
    Column("scope"),
    Column("name"),
    Column("used"),
    Column("most", "limit"),
    Column("share", "full", "%"),
    Column("remark"),
)
_GROUPS = (
    Column("sessions"),
    Column("role"),
    Column("database"),
    Column("application"),
    Column("state"),
    Column("oldest", "longest"),
    Column("xact", "xact"),
)


def connections(db: Database) -> Report:
    """List every limit with how full it is, and who holds what."""
    limits = db.rows("queries/connections/limits", Limit)
    groups = db.rows("queries/connections/groups", Group)
    view = sight(db)
    full = [one for one in limits if one.share is not None and one.share >= 100]
    return Report(
        "connections-list",
        (
            Table(
                "limits",
                (*_LIMITS, Column("unsure"), Column("exempt")),
                tuple((*_limit(one), one.unsure, one.exempt) for one in limits),
                shown=Table("limits", _LIMITS, tuple(_limit(one) for one in limits), "Limits"),
            ),
            Table(
                "groups",
                _GROUPS,
                tuple(
                    (one.sessions, one.role, one.database, one.application, one.state, one.oldest, one.xact)
                    for one in groups
                ),
                "Held by",
                empty="no client is connected",
            ),
        ),
        notes=_notes(limits, view),
        next="wnadmin sessions list --state idle" if full else "",
    )


def _limit(one: Limit) -> tuple[Cell, ...]:
    return (one.scope, one.name, one.used, one.most, one.share, _remark(one))


def _remark(limit: Limit) -> str:
    if limit.scope == "server":
        return "without the reserved ones" if limit.name == "ordinary logins" else "with the reserved ones"
    if limit.exempt and limit.most is not None:
        return "superuser: no limit holds it"
    if limit.share is not None and limit.share >= 100:
        return "full: the next login is refused"
    return ""


def _notes(limits: list[Limit], view: Sight) -> tuple[str, ...]:
    unsure = next((one.unsure for one in limits), 0)
    if not unsure:
        return ()
    return view.notes(unsure, "whether they are clients or background processes, and their state, is")
