"""The acts: statements run together, the pooler told, everything put back, and the proof of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from wnadmin.domain.readonly import acl, drain, keep, look, statements
from wnadmin.domain.readonly.values import Client, Kept, Seen
from wnadmin.domain.readonly.ways import Ways, canary
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database, Statement
from wnadmin.postgres.pooler import Pooler
from wnadmin.results import Evidence, Finding, Receipt, Severity, Step, World

RECONNECT: Final = "pooler"
SESSIONS: Final = "sessions"


def shown(one: Statement) -> str:
    """Give a statement without the header of its file."""
    lines = one.rendered.shown.strip().split("\n")
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    text = "\n".join(lines)
    return text if text.endswith(";") else f"{text};"


def run(db: Database, some: Sequence[Statement]) -> int:
    """Run statements in the transaction that is open."""
    for one in some:
        db.session.run(one.rendered.query, one.rendered.bound, doing=one.where)
    return len(some)


def together(db: Database, some: Sequence[Statement]) -> int:
    """Run statements in one transaction."""
    with db.session.transaction():
        return run(db, some)


def reconnecting(pooler: Pooler) -> Step:
    """Tell the pooler to begin new server connections."""

    def tell(world: World) -> Receipt:
        pooler.reconnect()
        return Receipt(RECONNECT)

    where = pooler.target.describe()
    return Step(RECONNECT, f"Let the pooler for {where} reconnect", (f"{pooler.reconnecting};",), tell)


# --- leaving ----------------------------------------------------------------------------------------------------


def put_back(ways: Ways, kept: Kept) -> list[Statement]:
    """Give the statements that put everything back, by how it looks now."""
    return statements.leave(ways.db, look.look(ways.db), kept)


def leave(ways: Ways, kept: Kept, key: str) -> Receipt:
    """Put everything back in one transaction; that only sessions are left to end is written down with it."""
    db = ways.db
    with db.session.transaction():
        count = run(db, put_back(ways, kept))
        run(db, [statements.keeping(db, replace(kept, leaving=True))])
    return Receipt(key, count, values={"left": look.place(db).now.isoformat()})


def leave_all(ways: Ways, kept: Kept, key: str, grace: float, world: World) -> Receipt:
    """Leave from beginning to end; however often somebody asks to stop, as this is the stopping."""
    calm = replace(world, stopping=lambda: False)
    receipt = leave(ways, kept, key)
    if kept.level != "soft":
        if ways.pooler is not None:
            ways.pooler.reconnect()
        end_sessions(ways, kept, datetime.fromisoformat(str(receipt.values["left"])), grace, calm)
    forget(ways, key)
    return receipt


def begun_within(clients: Sequence[Client], kept: Kept, cut: datetime | None, left: datetime) -> list[Client]:
    """Give the sessions that began read-only and would stay so: they would write if they could."""
    return [
        one
        for one in clients
        if one.role in kept.writers
        and one.role not in kept.exempt
        and one.since is not None
        and (cut is None or one.since >= cut)
        and one.since < left
    ]


def end_sessions(ways: Ways, kept: Kept, left: datetime, grace: float, world: World) -> Receipt:
    """End the sessions that began while it was read-only."""
    cut = look.look(ways.db).cut
    return drain.drain(ways.db, SESSIONS, lambda clients: begun_within(clients, kept, cut, left), grace, world)


def forget(ways: Ways, key: str) -> Receipt:
    """Forget what was kept: the settings of the database, and the copy."""
    db = ways.db
    count = together(db, statements.forget(db))
    keep.remove(look.place(db))
    return Receipt(key, count)


def left(ways: Ways, kept: Kept | None) -> list[Finding]:
    """The proof of having left: everything is as it was, and new sessions may write."""
    seen = look.look(ways.db)
    return [*_restored(ways, seen, kept), *writable(ways)]


def _restored(ways: Ways, seen: Seen, kept: Kept | None) -> Iterator[Finding]:
    if kept is None:
        on = [one for one in seen.settings if one.here and one.on]
        names = ", ".join(one.role or "the database" for one in on)
        yield _found(
            "settings", not on, f"read-only is still set for {names}" if on else "nothing is set read-only here"
        )
        return
    wrong = [
        f"{role or 'the database'}: {seen.value(role) or 'not set'} instead of {value or 'not set'}"
        for role, value in kept.before.items()
        if (role is None or role in seen.roles) and seen.value(role) != value
    ]
    yield _found("settings", not wrong, "; ".join(wrong) or f"{len(kept.before)} settings are as they were")
    present = set(seen.memberships)
    gone = [
        f"{one.member} in {one.role}"
        for one in kept.memberships
        if one not in present and one.role in seen.roles and one.member in seen.roles
    ]
    out = [name for name in kept.logins if name in seen.roles and not seen.roles[name].can_login]
    if kept.memberships or kept.logins:
        good = f"{len(kept.memberships)} memberships and {len(kept.logins)} logins are as they were"
        yield _found("roles", not gone and not out, "; ".join([*gone, *out]) or good)
    same = 0
    for listed in kept.lists:
        now = look.list_of(ways.db, listed)
        taken = acl.entries(each for each in listed.privileges if each.taken)
        if now is None or now == listed.list:
            same += 1
        elif taken <= acl.parse(now):
            detail = "what was taken is back; the rest was changed by somebody meanwhile"
            yield _found("privileges", True, detail, str(listed))
        else:
            yield _found("privileges", False, "not all that was taken is back", str(listed))
    if same:
        yield _found("privileges", True, f"{same} lists of privileges are as they were")
    if seen.place.kept is not None:
        yield _found("kept", False, "the database still has what was kept")


def writable(ways: Ways) -> Iterator[Finding]:
    """Try on each path whether a new session may write."""
    paths = [("direct", ways.fresh), *([("pooler", ways.pooler.client)] if ways.pooler else [])]
    for name, opened in paths:
        try:
            found = canary(opened)
        except WnError as error:
            yield _found("canary", None, f"not tried: {error.what}", name)
            continue
        yield _found("canary", not found.read_only, str(found), name)


def _found(name: str, good: bool | None, detail: str, thing: str = "") -> Finding:
    check = f"readonly.{name}"
    severity: Severity = "unknown" if good is None else "ok" if good else "critical"
    evidence: Evidence = "none" if good is None else "complete"
    return Finding(f"{check}:{thing}" if thing else check, check, severity, detail, evidence, object=thing)
