"""`readonly off`: the plan that puts everything back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

from wnadmin.domain.readonly import drain, keep, look, require, statements, work
from wnadmin.domain.readonly.values import Kept, Seen, listed, many
from wnadmin.domain.readonly.ways import Ways
from wnadmin.errors import Refused
from wnadmin.results import Inputs, Plan, Receipt, Step, World

LEAVE: Final = "leave"
FORGET: Final = "forget"


def plan(ways: Ways, grace: float, inputs: Inputs) -> Plan:
    """Describe what ends read-only mode; nothing to do where nothing of it is left."""
    db = ways.db
    seen = look.look(db)
    require.able(seen, seen.kept.level if seen.kept else "soft")
    kept, story = require.known(seen)
    if "kept" in inputs:
        before = keep.read(inputs["kept"])
        if kept is not None and kept.id != before.id:
            raise Refused(
                f"{seen.name} has been made read-only anew since that operation began",
                why=f"By {kept.by} at {kept.since}.",
                next="wnadmin readonly status",
            )
    title = f"End read-only mode of {seen.name}"
    if kept is None:
        return _by_hand(ways, seen, title, tuple(story))
    require.able(seen, kept.level)
    _require_no_other_fence(ways, kept)
    steps = tuple(_steps(ways, seen, kept, grace))
    return Plan(
        title,
        steps,
        (*story, *_effects(ways, seen, kept, grace)),
        {"kept": keep.payload(kept)},
        partial(work.left, ways, kept),
        target=f"{seen.name}/read-only mode",
        next="wnadmin readonly status",
    )


def _by_hand(ways: Ways, seen: Seen, title: str, story: tuple[str, ...]) -> Plan:
    """End what nothing was kept of: the settings go; what a fence took away is not known."""
    db = ways.db
    found = statements.by_hand(db, seen)
    if seen.place.kept is not None or seen.place.cut is not None:
        found += statements.forget(db)
    if not found:
        return Plan(title, (), nothing=f"{seen.name} is not read-only, and nothing of it is left")

    def run(world: World) -> Receipt:
        return Receipt(LEAVE, work.together(db, found))

    shows = ("BEGIN;", *(work.shown(one) for one in found), "COMMIT;")
    return Plan(
        title,
        (Step(LEAVE, "Take away what makes it read-only", shows, run),),
        (
            *story,
            "What was before is not known: it was set by hand, or what was kept is lost. The settings are taken away.",
            "If a fence took memberships or privileges, this cannot tell: `wnadmin setup drift` compares.",
            "Sessions that began read-only stay so until they connect again.",
        ),
        verify=partial(work.left, ways, None),
        target=f"{seen.name}/read-only mode",
        next="wnadmin setup drift",
    )


def _require_no_other_fence(ways: Ways, kept: Kept) -> None:
    members = [*(one.member for one in kept.memberships), *kept.logins]
    found = look.other_fences(ways.db, members)
    if found and not kept.leaving:
        raise Refused(
            f"{found[0]} is under a fence that rests on the same roles",
            why=f"Roles belong to the whole cluster: {listed(members)} could write there again.",
            next=f"End it there first: wnadmin readonly off --dsn 'dbname={found[0]} …'",
        )


def _steps(ways: Ways, seen: Seen, kept: Kept, grace: float) -> Iterator[Step]:
    db = ways.db
    if not kept.leaving:

        def leave(world: World) -> Receipt:
            return work.leave(ways, kept, LEAVE)

        def done() -> bool:
            now = look.look(db)
            return (now.kept is None or now.kept.leaving) and not statements.leave(db, now, kept)

        shows = ("BEGIN;", *(work.shown(one) for one in statements.leave(db, seen, kept)), "COMMIT;")
        yield Step(LEAVE, "Put everything back", shows, leave, done=done)
    if kept.level != "soft":
        if ways.pooler is not None:
            yield work.reconnecting(ways.pooler)

        def end(world: World) -> Receipt:
            receipt = world.receipts.get(LEAVE)
            # Of a run that was cut off it is not known when it was over: what began until now is ended.
            left = datetime.fromisoformat(str(receipt.values["left"])) if receipt else look.place(db).now
            return work.end_sessions(ways, kept, left, grace, world)

        ending = work.shown(db.prepared("changes/readonly/end_session", {"pid": "‹pid›", "since": "‹its start›"}))
        title = f"End the sessions that began read-only (grace {grace:g} s)"
        yield Step(work.SESSIONS, title, (ending,), end)

    def forget(world: World) -> Receipt:
        return work.forget(ways, FORGET)

    shown = tuple(work.shown(one) for one in statements.forget(db))
    yield Step(FORGET, "Forget what was before", (*shown, f"rm {keep.path(seen.place)}"), forget)


def _effects(ways: Ways, seen: Seen, kept: Kept, grace: float) -> Iterator[str]:
    for one in kept.memberships:
        if one.role in seen.roles and one.member in seen.roles:
            yield f"{one.member} is a member of {one.role} again."
    for name in kept.logins:
        if name in seen.roles:
            yield f"{name} can log in again."
    gone = [str(one) for one in kept.lists if look.list_of(ways.db, one) is None]
    if gone:
        yield f"Not there any more, so nothing is put back: {listed(gone)}."
    began = work.begun_within(seen.clients, kept, seen.cut, seen.place.now)
    if kept.level == "soft":
        yield f"{many(len(began), 'session')} began read-only and stay so until they connect again."
    elif began:
        busy = [one for one in began if one.state != "idle"]
        late = f", {len(busy)} of them after up to {grace:g} s" if busy else ""
        yield f"{many(len(began), 'session')} that began read-only {'is' if len(began) == 1 else 'are'} ended{late}."
    other = [one for one in seen.settings if one.here and one.role not in kept.before]
    if other:
        yield f"Not touched, as it came later: the setting of {listed([one.role or 'the database' for one in other])}."
    if drain.survivors(seen.clients, kept, seen.cut) and kept.level != "soft":
        yield "Some sessions from before read-only mode are still there; they go on."
