"""`readonly on`: the plan that makes a database read-only, finishes what was cut short, or goes to a higher level."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

from wnadmin.domain.readonly import drain, keep, look, powers, prove, require, statements, stay, work
from wnadmin.domain.readonly.values import LEVELS, Cuts, Kept, Level, Listed, Membership, Seen, Set, is_on, listed, many
from wnadmin.domain.readonly.ways import Ways
from wnadmin.errors import Failed, Refused
from wnadmin.postgres.database import Statement
from wnadmin.results import Finding, Inputs, Plan, Receipt, Step, World

COPY: Final = "copy"
ENTER: Final = "enter"
CUT: Final = "cut"
POOLER: Final = "pooler"
DRAIN: Final = "drain"

_STRENGTH: Final = {
    "soft": "This is a default, which every session may override.",
    "drain": "This is a default for every role, which a session may still override; none from before is left.",
    "fence": "Nobody but superusers and exempt roles can write, whatever they say to the server.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for; ``grace`` in seconds; ``stay`` is how long, None for until `off`."""

    level: Level
    exempt: tuple[str, ...] = ()
    grace: float = 10.0
    affects_cluster: bool = False
    allow_prepared: bool = False
    stay: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Design:
    """What will be done: what is kept, the settings to be made, the lists that change now, and why it goes on."""

    kept: Kept
    settings: Mapping[str | None, str]
    lists: tuple[Listed, ...]
    cuts: Cuts
    story: tuple[str, ...]


def design(ways: Ways, seen: Seen, wanted: Wanted, inputs: Inputs) -> Design:
    """Work out what to do; Refused where it cannot be done, UsageError for a role that is not there."""
    level = wanted.level
    require.able(seen, level)
    prior, story = _prior(seen, wanted, inputs)
    exempt = tuple(dict.fromkeys([*(prior.exempt if prior else ()), *wanted.exempt]))
    require.roles(seen, exempt)
    require.not_held(seen, prior, exempt)
    if level != "soft":
        require.nothing_prepared(seen, allowed=wanted.allow_prepared)
    settings: dict[str | None, str] = {None: "on"}
    if level != "soft":
        settings |= dict.fromkeys(powers.Graph(seen, exempt).targets, "on")
    settings |= dict.fromkeys(exempt, "off")
    before = {role: _before(seen, prior, role) for role in settings} | dict(prior.before if prior else {})
    if prior is None and is_on(seen.value(None)):
        story.append(f"{seen.name} is read-only already, set by hand: `readonly off` will take that away too.")
    cuts, lists = Cuts(), tuple[Listed, ...]()
    if level == "fence":
        cuts = powers.cuts(seen, exempt)
        require.no_dependents(seen, cuts)
        lists = look.lists(ways.db, cuts)
    known = prior.lists if prior else ()
    names = {(one.kind, one.schema, one.name, one.detail) for one in known}
    kept = Kept(
        prior.id if prior else str(uuid.uuid4()),
        level,
        prior.since if prior else seen.place.now.isoformat(),
        prior.by if prior else seen.place.login,
        seen.name,
        seen.place.system_identifier,
        seen.place.database_oid,
        exempt,
        before,
        tuple(dict.fromkeys([*(prior.writers if prior else ()), *powers.writers(seen, exempt)])),
        _memberships(prior.memberships if prior else (), cuts.memberships),
        tuple(dict.fromkeys([*(prior.logins if prior else ()), *cuts.logins])),
        (*known, *(one for one in lists if (one.kind, one.schema, one.name, one.detail) not in names)),
        (seen.place.now + wanted.stay).isoformat(timespec="seconds") if wanted.stay else prior.until if prior else "",
    )
    if not wanted.affects_cluster:
        require.only_here(ways.db, seen, Cuts(kept.memberships, kept.logins))
    return Design(kept, settings, lists, cuts, tuple(story))


def _prior(seen: Seen, wanted: Wanted, inputs: Inputs) -> tuple[Kept | None, list[str]]:
    if "kept" in inputs:
        before = keep.read(inputs["kept"])
        if seen.kept is not None and seen.kept.id != before.id:
            raise Refused(
                f"{seen.name} has been made read-only anew since that operation began",
                why=f"By {seen.kept.by} at {seen.kept.since}.",
                next="wnadmin readonly status",
            )
        if seen.kept is None or seen.kept.leaving:
            return before, []
    if seen.unreadable:
        raise Refused(
            f"what was kept of {seen.name} cannot be read",
            why=f"The setting wnadmin.readonly of the database was changed: {seen.unreadable}.",
            next="wnadmin readonly off puts back what the copy and the catalog tell.",
        )
    kept, story = require.known(seen)
    if kept is not None and not kept.leaving and wanted.stay is not None and not inputs:
        raise Refused(
            f"{seen.name} is read-only already, at the level {kept.level}",
            why=f"--for would end what {kept.by} began at {kept.since}.",
            next="End it first: wnadmin readonly off",
        )
    if kept is None or kept.leaving:
        return None, [f"{one} This begins anew." for one in story]
    if LEVELS.index(kept.level) > LEVELS.index(wanted.level):
        raise Refused(
            f"{seen.name} is read-only at the level {kept.level} already",
            why=f"{wanted.level} would be less than that.",
            next="End it first: wnadmin readonly off",
        )
    if kept.level == wanted.level and seen.cut is None:
        story.append("An earlier `readonly on` was cut short; this finishes it.")
    elif kept.level != wanted.level:
        story.append(f"It is read-only at the level {kept.level} already; this goes on to {wanted.level}.")
    return kept, story


def _memberships(known: Sequence[Membership], more: Sequence[Membership]) -> tuple[Membership, ...]:
    # One that somebody granted again meanwhile goes again, and comes back as it first was.
    keys = {one.key for one in known}
    return (*known, *(one for one in more if one.key not in keys))


def _before(seen: Seen, prior: Kept | None, role: str | None) -> str | None:
    if prior is not None and role in prior.before:
        return prior.before[role]
    value = seen.value(role)
    # Set by hand for the database as a whole, it was read-only mode already.
    return None if role is None and is_on(value) else value


# --- the plan ---------------------------------------------------------------------------------------------------


def plan(ways: Ways, wanted: Wanted, inputs: Inputs) -> Plan:
    """Describe what makes the database read-only and proves it; nothing to do where all of that holds."""
    db = ways.db
    seen = look.look(db)
    if gone := _left_since(seen, inputs):
        return Plan(f"Make {seen.name} read-only", (), nothing=gone)
    what = design(ways, seen, wanted, inputs)
    kept = what.kept
    title = f"Make {seen.name} read-only at the level {kept.level}"
    changes = pending(ways, seen, what)
    old = [] if kept.level == "soft" else drain.survivors(seen.clients, kept, seen.cut)
    fresh = bool(changes) or seen.cut is None
    if not fresh and not old and not inputs and wanted.stay is None:
        at = f"since {seen.cut:%Y-%m-%d %H:%M:%S} UTC" if seen.cut else ""
        return Plan(title, (), nothing=f"{seen.name} is read-only at the level {kept.level} {at} already")
    if ways.pooler is not None and kept.level != "soft":
        ways.pooler.require()
    steps = tuple(_steps(ways, seen, what, wanted, changes, enter=bool(changes or inputs), cut=fresh or bool(inputs)))
    effects = (*what.story, *_effects(ways, seen, what, wanted))
    verify: Callable[[], Sequence[Finding]] = partial(proof, ways, kept)
    if wanted.stay is not None:
        step, verify = stay.staying(ways, kept, steps, wanted.stay, wanted.grace)
        steps = (step,)
    return Plan(
        title + (f" for {wanted.stay}" if wanted.stay else ""),
        steps,
        effects,
        {"kept": keep.payload(kept)},
        verify,
        target=f"{seen.name}/read-only mode",
        reason="" if kept.level == "soft" else "taking writing away",
        next="" if wanted.stay else "wnadmin readonly status",
    )


def _left_since(seen: Seen, inputs: Inputs) -> str:
    """Say that what is to be finished has been left since, '' when it has not: it must not begin by itself again."""
    if "kept" not in inputs or seen.kept is not None:
        return ""
    copy = keep.find(seen.place).kept
    if copy is not None and copy.id == keep.read(inputs["kept"]).id:
        return ""
    return f"what that operation began was ended since, or never happened: {seen.name} is not made read-only by it"


def proof(ways: Ways, kept: Kept) -> list[Finding]:
    """Look again at all that was promised."""
    witness = prove.Witness(ways.db)
    return prove.of_entering(ways, look.look(ways.db), kept, witness)


def pending(ways: Ways, seen: Seen, what: Design) -> list[Statement]:
    """Give the statements that are still to be run; none when the database is as it is to be."""
    found = statements.enter(ways.db, seen, what.kept, what.settings, what.lists)
    if len(found) == 1 and seen.kept == what.kept:
        return []
    return found


def _steps(
    ways: Ways, seen: Seen, what: Design, wanted: Wanted, changes: Sequence[Statement], *, enter: bool, cut: bool
) -> Iterator[Step]:
    db, kept = ways.db, what.kept
    if enter:
        yield Step(COPY, "Keep a copy of what was before", (f"{keep.path(seen.place)}",), _copy(seen, kept))
        yield _enter(ways, seen, what, changes, wanted.grace)
    if cut:

        def mark(world: World) -> Receipt:
            moment = look.place(db).now.isoformat()
            work.together(db, [statements.keep_cut(db, moment)])
            return Receipt(CUT, values={"cut": moment})

        shown = work.shown(statements.keep_cut(db, "‹now›"))
        yield Step(CUT, "Write down since when every session begins read-only", (shown,), mark)
    if kept.level == "soft":
        return
    if ways.pooler is not None:
        yield work.reconnecting(ways.pooler)

    def run(world: World) -> Receipt:
        moment = look.look(db).cut
        return drain.drain(db, DRAIN, lambda clients: drain.survivors(clients, kept, moment), wanted.grace, world)

    ending = work.shown(db.prepared("changes/readonly/end_session", {"pid": "‹pid›", "since": "‹its start›"}))
    title = f"End the sessions from before (grace {wanted.grace:g} s)"
    yield Step(DRAIN, title, (ending,), run)


def _copy(seen: Seen, kept: Kept) -> Callable[[World], Receipt]:
    def run(world: World) -> Receipt:
        return Receipt(COPY, text=str(keep.write(seen.place, kept)))

    return run


def _enter(ways: Ways, seen: Seen, what: Design, changes: Sequence[Statement], grace: float) -> Step:
    db, kept = ways.db, what.kept

    def run(world: World) -> Receipt:
        with db.session.transaction():
            now = look.look(db)
            if (now.settings, now.memberships, now.powers) != (seen.settings, seen.memberships, seen.powers):
                raise Failed(
                    "settings, memberships or privileges changed since the plan was made",
                    why="What was before would not be known for certain.",
                    next="Make a new plan: run the command again",
                )
            count = work.run(db, changes)
        return Receipt(ENTER, count)

    def done() -> bool:
        return not pending(ways, look.look(db), replace(what, lists=()))

    def undo(world: World, receipt: Receipt) -> Receipt:
        return work.leave_all(ways, kept, ENTER, grace, world)

    shows = ("BEGIN;", *(work.shown(one) for one in changes), "COMMIT;")
    back = tuple(work.shown(one) for one in statements.leave(db, _after(seen, what), kept, fenced=True))
    return Step(ENTER, "Make it read-only, and keep what was before", shows, run, done=done, undo=undo, undo_shows=back)


def _after(seen: Seen, what: Design) -> Seen:
    """What a look will see when the change is made, as far as leaving asks."""
    kept = what.kept
    others = [one for one in seen.settings if not one.here or one.role not in what.settings]
    made = [Set(role, True, value) for role, value in what.settings.items()]
    roles = {
        name: replace(one, can_login=one.can_login and name not in kept.logins) for name, one in seen.roles.items()
    }
    taken = {one.key for one in kept.memberships}
    members = tuple(one for one in seen.memberships if one.key not in taken)
    return replace(seen, settings=(*others, *made), roles=roles, memberships=members)


def _effects(ways: Ways, seen: Seen, what: Design, wanted: Wanted) -> Iterator[str]:
    kept = what.kept
    yield _STRENGTH[kept.level]
    able = powers.writers(seen, kept.exempt)
    old = drain.survivors(seen.clients, kept, seen.cut)
    if kept.level == "soft":
        yield f"{many(len(old), 'open session')} can still write" + (
            f": {listed([str(one) for one in old])}." if old else "."
        )
        if ways.pooler is not None:
            yield "Through the pooler all clients can, as long as it uses the server connections it has."
    else:
        busy = [one for one in old if one.state != "idle"]
        late = f", {len(busy)} of them when they are done or {wanted.grace:g} s are over" if busy else ""
        ended = f"{many(len(old), 'open session')} {'is' if len(old) == 1 else 'are'} ended{late}"
        yield f"{ended}." if old else "No session from before has to be ended."
    if able and kept.level != "fence":
        yield f"Roles that may override it: {listed(list(able), 8)}."
    for one in what.cuts.memberships:
        yield f"{one.member} is no member of {one.role} any more, in the whole cluster."
    for name in what.cuts.logins:
        yield f"{name} cannot log in any more, in the whole cluster: it owns what it could not be kept from."
    taken = [str(one) for one in what.lists if any(each.taken for each in one.privileges)]
    if taken:
        yield f"Privileges are taken away on {listed(taken, 8)}; a dump made meanwhile lacks them."
    if kept.exempt:
        yield f"Exempt: {', '.join(kept.exempt)}."
    for beside in seen.beside:
        yield f"Not held: the {beside.kind} {beside.name}."
    if wanted.stay is not None:
        yield (
            f"It stays in the foreground for {wanted.stay} and then puts everything back, also on Ctrl-C. "
            "If it is killed, the database stays read-only until `wnadmin readonly off`."
        )
