"""What must be so before read-only mode is entered or left."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from wnadmin.domain.readonly import keep, look, powers
from wnadmin.domain.readonly.values import Cuts, Kept, Level, Seen, is_on, listed, many
from wnadmin.errors import Refused, UsageError
from wnadmin.postgres.database import Database
from wnadmin.postgres.errors import refuse_standby


def able(seen: Seen, level: Level) -> None:
    """Refuse a standby, and a login that cannot do what the level needs."""
    here = seen.place
    if here.in_recovery:
        raise refuse_standby("`wnadmin readonly`", "")
    if here.is_superuser:
        return
    if level != "soft":
        raise Refused(
            f"the level {level} needs a superuser",
            why=f"It changes what other roles are and ends their sessions, and {here.login} is none.",
            next="Log in as a superuser, or use --level soft, which the owner of the database may.",
        )
    if not here.owns_database:
        raise Refused(
            f"{here.login} may not change the settings of {here.database}",
            why="Only the owner of the database and superusers may.",
            next="Log in as its owner or as a superuser.",
        )
    if not here.may_remember:
        raise Refused(
            f"{here.login} may not keep in {here.database} what was before",
            why="It is kept in the settings wnadmin.readonly and wnadmin.readonly_cut of the database.",
            next=f"GRANT SET ON PARAMETER wnadmin.readonly, wnadmin.readonly_cut TO {here.login}; as a superuser.",
        )


def roles(seen: Seen, exempt: Sequence[str]) -> None:
    """UsageError for an exempt role that does not exist."""
    for name in exempt:
        if name not in seen.roles:
            near = get_close_matches(name, list(seen.roles), n=1)
            raise UsageError(
                f"there is no role {name} to be exempt",
                next=f"Did you mean --exempt {near[0]}?" if near else "See `wnadmin readonly status` for the roles.",
            )


def not_held(seen: Seen, prior: Kept | None, exempt: Sequence[str]) -> None:
    """Refuse to exempt a role from which a fence has already taken something."""
    held = {one.member for one in prior.memberships} | set(prior.logins) if prior else set()
    late = sorted(held & set(exempt) - set(prior.exempt if prior else ()))
    if late:
        raise Refused(
            f"{listed(late)} is held by the fence of {seen.name} already",
            why="What was taken from a role comes back only when read-only mode ends.",
            next="wnadmin readonly off, and then on again with --exempt",
        )


def nothing_prepared(seen: Seen, *, allowed: bool) -> None:
    """Refuse while prepared transactions wait: they can be committed at any time."""
    found = [one.name for one in seen.beside if one.kind == "prepared transaction"]
    if found and not allowed:
        raise Refused(
            f"{many(len(found), 'prepared transaction')} {'waits' if len(found) == 1 else 'wait'} in {seen.name}",
            why=f"COMMIT PREPARED writes whatever is set here: {listed(found)}.",
            next="End them (wnadmin playbook show prepared-transactions), or say --allow-prepared.",
        )


def no_dependents(seen: Seen, cuts: Cuts) -> None:
    """Refuse where a membership that goes is what others rest on: they could not be put back as they were."""
    found = powers.dependents(seen, cuts.memberships)
    if found:
        raise Refused(
            f"{found[0].grantor} has passed on the role {found[0].role}",
            why=f"{found[0].member} is a member by that, and would lose it too.",
            next=f"Grant it anew without {found[0].grantor}, or exempt that role: --exempt {found[0].grantor}",
        )


def only_here(db: Database, seen: Seen, cuts: Cuts) -> None:
    """Refuse to take from other databases what is meant for this one."""
    found = look.elsewhere(db, cuts)
    if found:
        raise Refused(
            f"the fence of {seen.name} would reach other databases",
            why="Roles belong to the whole cluster: "
            + "; ".join(f"{one.roles} in {one.database}" for one in found)
            + ".",
            next="Say --affects-cluster if that is meant, or use --level drain.",
        )


def known(seen: Seen) -> tuple[Kept | None, list[str]]:
    """Give what was kept, from the database or else from the copy, and what is to be said about where it was found.

    A copy without anything of it in effect is left over from an entry that never happened.
    """
    copy = keep.find(seen.place)
    if seen.kept is not None:
        if seen.kept.leaving:
            return seen.kept, ["An earlier leaving was cut short when everything had been put back."]
        if copy.wrong:
            return seen.kept, [f"The copy {copy.path} does not count, as {copy.wrong}; the database's own word does."]
        if copy.kept is not None and not keep.same(copy.kept, seen.kept):
            return seen.kept, [f"The copy {copy.path} tells of another entry; the database's own word counts."]
        return seen.kept, []
    if copy.kept is None:
        wrong = f"The copy {copy.path} cannot be used: {copy.wrong}." if copy.wrong else ""
        return None, [wrong] if wrong else []
    if _in_effect(seen, copy.kept):
        return copy.kept, [f"The database has forgotten what was before; it is taken from {copy.path}."]
    return None, [f"The copy {copy.path} is of an entry that did not happen."]


def _in_effect(seen: Seen, kept: Kept) -> bool:
    present = {one.key for one in seen.memberships}
    gone = any(
        one.key not in present and one.role in seen.roles and one.member in seen.roles for one in kept.memberships
    )
    out = any(name in seen.roles and not seen.roles[name].can_login for name in kept.logins)
    return gone or out or is_on(seen.value(None))
