"""Looking: one pass over the catalogs and the sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from wnadmin.domain.readonly import keep
from wnadmin.domain.readonly.values import (
    SPARED,
    Beside,
    Client,
    Cuts,
    Elsewhere,
    Kept,
    Listed,
    Membership,
    OtherFence,
    Place,
    Power,
    Privilege,
    PrivilegeRow,
    Role,
    Seen,
    Set,
)
from wnadmin.postgres.database import Database

_AREA = "queries/readonly/"


def array(words: Iterable[str]) -> str:
    """Write names as the text of an array."""
    return "{" + ",".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in words) + "}"


def place(db: Database) -> Place:
    """Look at the database and oneself only."""
    (row,) = db.rows(f"{_AREA}place", Place)
    return row


def clients(db: Database) -> tuple[Client, ...]:
    """Look who is connected."""
    return tuple(db.rows(f"{_AREA}sessions", Client))


def settings(db: Database) -> tuple[Set, ...]:
    """Look where default_transaction_read_only is set."""
    return tuple(db.rows(f"{_AREA}settings", Set))


def memberships(db: Database) -> tuple[Membership, ...]:
    """Look who is a member of what."""
    return tuple(db.rows(f"{_AREA}members", Membership))


def look(db: Database) -> Seen:
    """Look at everything."""
    here = place(db)
    kept: Kept | None = None
    unreadable = ""
    if here.kept is not None:
        try:
            kept = keep.loads(here.kept)
        except ValueError as error:
            unreadable = str(error)
    return Seen(
        here,
        settings(db),
        {one.name: one for one in db.rows(f"{_AREA}roles", Role)},
        memberships(db),
        tuple(db.rows(f"{_AREA}powers", Power, spared=array(SPARED))),
        clients(db),
        tuple(db.rows(f"{_AREA}beside", Beside)),
        kept,
        unreadable,
    )


def lists(db: Database, cuts: Cuts) -> tuple[Listed, ...]:
    """Give the objects whose lists of privileges change, as they are."""
    if not cuts.direct and not cuts.callers:
        return ()
    rows = db.rows(
        f"{_AREA}privileges",
        PrivilegeRow,
        direct=array(cuts.direct),
        callers=array(cuts.callers),
        spared=array(SPARED),
    )
    found = []
    for key, group in groupby(rows, lambda one: (one.kind, one.schema, one.name, one.detail, one.owner, one.list)):
        each = tuple(Privilege(one.grantor, one.grantee, one.privilege, one.grantable, one.taken) for one in group)
        found.append(Listed(*key, each))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _List:
    list: str


def list_of(db: Database, one: Listed) -> str | None:
    """Give an object's list of privileges as it is now, None where the object is gone."""
    rows = db.rows(f"{_AREA}list_of", _List, kind=one.kind, schema=one.schema, name=one.name, detail=one.detail)
    return rows[0].list if rows else None


def elsewhere(db: Database, cuts: Cuts) -> list[Elsewhere]:
    """Give the other databases that taking memberships and logins away reaches."""
    if not cuts.memberships and not cuts.logins:
        return []
    return db.rows(
        f"{_AREA}elsewhere",
        Elsewhere,
        roles=array(one.role for one in cuts.memberships),
        members=array(one.member for one in cuts.memberships),
        logins=array(cuts.logins),
    )


def other_fences(db: Database, members: Sequence[str]) -> list[str]:
    """Name the other databases under a fence that rests on these roles being held."""
    found = []
    for one in db.rows(f"{_AREA}other_fences", OtherFence):
        try:
            kept = keep.loads(one.kept)
        except ValueError:
            continue
        if kept.level == "fence" and not kept.leaving and set(kept.writers) & set(members):
            found.append(one.database)
    return found
