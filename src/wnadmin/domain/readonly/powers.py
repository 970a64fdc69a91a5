"""Who can change data, by what, and what has to be taken away so that nobody can. Pure: catalog rows in, names out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from wnadmin.domain.readonly.values import EVERYBODY, Cuts, Membership, Power, Seen

OWN: Final = frozenset({"owner", "everything"})
"""What no REVOKE on an object takes away."""

DATA: Final = frozenset({"table", "column", "sequence", "schema", "database"})
"""Privileges on objects."""

BLOB: Final = "blob"
"""The functions that write large objects. Everybody may call them, so they make nobody a writer of this database."""


class Graph:
    """Roles, memberships and powers of one look."""

    def __init__(self, seen: Seen, exempt: Collection[str]) -> None:
        self.roles = seen.roles
        self.edges: dict[str, list[Membership]] = {}
        for one in seen.memberships:
            self.edges.setdefault(one.member, []).append(one)
        self.held: dict[str, list[Power]] = {}
        for power in seen.powers:
            self.held.setdefault(power.holder, []).append(power)
        self.targets = tuple(
            one.name
            for one in seen.roles.values()
            if one.can_login and one.may_connect and not one.is_superuser and one.name not in exempt
        )

    def reach(self, role: str, cut: Collection[Membership] = ()) -> list[str]:
        """Give the role and all it is a member of, directly or not; ADMIN alone counts: it can grant the rest."""
        found, todo = [role], [role]
        while todo:
            for edge in self.edges.get(todo.pop(), ()):
                if edge not in cut and edge.role not in found:
                    found.append(edge.role)
                    todo.append(edge.role)
        return found

    def own(self, role: str, kinds: Collection[str]) -> list[Power]:
        """What a role holds itself of these kinds."""
        return [one for one in self.held.get(role, ()) if one.kind in kinds]

    def rules(self, role: str) -> bool:
        """Whether a role is beyond every privilege: a superuser, or one that can hand itself any other."""
        known = self.roles.get(role)
        return known is not None and (known.is_superuser or known.grants_any_role)

    def why(self, role: str, cut: Collection[Membership] = ()) -> list[str]:
        """Say by what a role can change data, nothing when it cannot."""
        said = []
        for name in (*self.reach(role, cut), EVERYBODY):
            through = "" if name == role else " as everybody" if name == EVERYBODY else f" as {name}"
            if self.rules(name):
                said.append(f"may do everything{through}")
            said += [f"{_words(one)}{through}" for one in self.held.get(name, ()) if one.kind != BLOB]
        return said


def _words(power: Power) -> str:
    many = f" and {power.objects - 1} more" if power.objects > 1 else ""
    if power.kind == "owner":
        return f"owns {power.example}{many}"
    if power.kind == "everything":
        return "may write everywhere"
    if power.kind == "function":
        return f"may call {power.example}{many}"
    return f"may write {power.kind} {power.example}{many}"


def writers(seen: Seen, exempt: Collection[str]) -> dict[str, list[str]]:
    """Give the roles that could log in and change data, with the reasons; superusers and exempt roles left out."""
    graph = Graph(seen, exempt)
    found = {name: graph.why(name) for name in graph.targets}
    return {name: why for name, why in found.items() if why}


def blobs(seen: Seen) -> bool:
    """Whether everybody may write large objects."""
    return any(one.kind == BLOB and one.holder == EVERYBODY for one in seen.powers)


def cuts(seen: Seen, exempt: Collection[str]) -> Cuts:
    """Say what to take away so that no role but superusers and exempt ones can change data.

    Memberships go where the group holds privileges on data, so that no list of privileges is touched for them; what
    a login or everybody holds of its own is taken from the objects. A group that may only call functions that write
    keeps its members and loses the functions: it may be what they read by.
    """
    graph = Graph(seen, exempt)
    targets = set(graph.targets)
    # Who owns something, or can hand itself every role, cannot be held by taking privileges away.
    logins = tuple(name for name in graph.targets if graph.own(name, OWN) or graph.rules(name))

    def hard(role: str, seen_before: frozenset[str] = frozenset()) -> bool:
        if role in seen_before:
            return False
        if graph.own(role, OWN) or graph.rules(role):
            return True
        if role in targets:
            # Its own privileges are taken from the objects, and its memberships are looked at by themselves.
            return False
        if graph.own(role, DATA):
            return True
        return any(hard(edge.role, seen_before | {role}) for edge in graph.edges.get(role, ()))

    taken = tuple(edge for name in graph.targets for edge in graph.edges.get(name, ()) if hard(edge.role))
    direct = tuple(name for name in (*graph.targets, EVERYBODY) if graph.own(name, DATA))
    reached = {EVERYBODY, *(role for name in graph.targets for role in graph.reach(name, taken))}
    callers = tuple(sorted(role for role in reached if graph.own(role, ("function", BLOB))))
    return Cuts(taken, logins, direct if targets else (), callers if targets else ())


def dependents(seen: Seen, taken: Iterable[Membership]) -> list[Membership]:
    """Give the memberships that rest on one that is taken: its member granted them. They would have to go first."""
    mine = set(taken)
    grants = {(one.role, one.member) for one in mine if one.admin}
    return [one for one in seen.memberships if (one.role, one.grantor) in grants and one not in mine]
