"""The statements of entering and leaving, composed from what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wnadmin.domain.readonly import acl, keep, look
from wnadmin.domain.readonly.values import READ_ONLY, Kept, Listed, Membership, Seen
from wnadmin.postgres.database import Database, Statement
from wnadmin.postgres.sql import SQL, Composable, Identifier, Literal

_AREA = "changes/readonly/"


def setting(db: Database, role: str | None, value: str | None) -> Statement:
    """Set what begins read-only in this database, for a role or (None) for all; ``value`` None takes it away."""
    values: dict[str, str] = {"database": db.name}
    if role is not None:
        values["role"] = role
    if value is not None:
        values["value"] = value
    name = f"{'database' if role is None else 'role'}_{'reset' if value is None else 'set'}"
    return db.prepared(f"{_AREA}{name}", values)


def enter(
    db: Database, seen: Seen, kept: Kept, wanted: Mapping[str | None, str], lists: Sequence[Listed]
) -> list[Statement]:
    """What makes the database read-only, and keeps what was before; ``lists`` are those to be taken from now."""
    found = [setting(db, role, value) for role, value in wanted.items() if seen.value(role) != value]
    taken = {one.key for one in kept.memberships}
    found += [_composed(db, revoke(one)) for one in seen.memberships if one.key in taken]
    found += [
        db.prepared(f"{_AREA}no_login", {"role": name})
        for name in kept.logins
        if name in seen.roles and seen.roles[name].can_login
    ]
    found += [_composed(db, words) for one in lists for words in acl.take(one)]
    found.append(keeping(db, kept))
    return found


def keeping(db: Database, kept: Kept) -> Statement:
    """Keep it in the database."""
    return _remembering(db, "readonly", keep.dumps(kept))


def keep_cut(db: Database, cut: str) -> Statement:
    """Write down since when every new session begins read-only."""
    return _remembering(db, "readonly_cut", cut)


def forget(db: Database) -> list[Statement]:
    """Take what was kept out of the database."""
    words = SQL("ALTER DATABASE {} RESET {}")
    names = ("readonly", "readonly_cut")
    return [_composed(db, words.format(Identifier(db.name), Identifier("wnadmin", name))) for name in names]


def leave(db: Database, seen: Seen, kept: Kept, *, fenced: bool = False) -> list[Statement]:
    """What puts everything back; without what stands as it was already.

    With ``fenced`` the lists of privileges are taken to be as the fence leaves them, without a look.
    """
    found = list(_settings(db, seen, kept))
    present = {one.key for one in seen.memberships}
    found += [
        _composed(db, grant(one))
        for one in kept.memberships
        if one.key not in present and one.role in seen.roles and one.member in seen.roles
    ]
    found += [
        db.prepared(f"{_AREA}login", {"role": name})
        for name in kept.logins
        if name in seen.roles and not seen.roles[name].can_login
    ]
    rewritten: set[tuple[str, str]] = set()
    for one in kept.lists:
        now = "" if fenced else look.list_of(db, one)
        again = one.kind == "column" and (one.schema, one.name) in rewritten
        if now is None or (now == one.list and not again and not fenced):
            continue
        left = acl.fenced(one) if fenced else acl.parse(now)
        if one.list == "" and left == acl.fenced(one):
            # Only what everybody may call has no list of its own and lets write.
            found += [_composed(db, words) for words in acl.give(one, (each for each in one.privileges if each.taken))]
            values = {"schema": one.schema, "name": one.name, "detail": one.detail}
            found.append(db.prepared(f"{_AREA}unwritten_list", values))
        elif left == acl.fenced(one) or again:
            found += [_composed(db, words) for words in acl.put_back(one)]
            if one.kind == "table":
                rewritten.add((one.schema, one.name))
        else:
            # Somebody has changed it meanwhile, and that stays.
            missing = [each for each in one.privileges if each.taken and not acl.entries([each]) <= left]
            found += [_composed(db, words) for words in acl.give(one, missing)]
    return found


def _settings(db: Database, seen: Seen, kept: Kept) -> Iterator[Statement]:
    for role, value in kept.before.items():
        if (role is None or role in seen.roles) and seen.value(role) != value:
            yield setting(db, role, value)


def by_hand(db: Database, seen: Seen) -> list[Statement]:
    """What takes read-only away where nothing was kept: each setting of this database that makes it so."""
    return [setting(db, one.role, None) for one in seen.settings if one.here and one.on]


def revoke(one: Membership) -> Composable:
    """Take a membership away, the one that this grantor gave."""
    return SQL("REVOKE {} FROM {}{}").format(Identifier(one.role), Identifier(one.member), _grantor(one))


def grant(one: Membership) -> Composable:
    """Give a membership back as it was."""
    if one.inherit is None:
        options: Composable = SQL(" WITH ADMIN OPTION" if one.admin else "")
    else:
        words = (("ADMIN", one.admin), ("INHERIT", one.inherit), ("SET", bool(one.may_set)))
        options = SQL(" WITH {}").format(
            SQL(", ").join(SQL(f"{name} {'TRUE' if value else 'FALSE'}") for name, value in words)
        )
    return SQL("GRANT {} TO {}{}{}").format(Identifier(one.role), Identifier(one.member), options, _grantor(one))


def _remembering(db: Database, name: str, value: str) -> Statement:
    # A setting of the database itself: made and taken away with the others, in one transaction.
    words = SQL("ALTER DATABASE {} SET {} = {}")
    return _composed(db, words.format(Identifier(db.name), Identifier("wnadmin", name), Literal(value)))


def _grantor(one: Membership) -> Composable:
    return SQL(" GRANTED BY {}").format(Identifier(one.grantor)) if one.grantor is not None else SQL("")


def _composed(db: Database, words: Composable) -> Statement:
    return db.composed(words, where=READ_ONLY)
