"""One comparison of what a database should be with what it is; everything that asks this is a filter over it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wnadmin.domain.setup.catalog import KINDS, Catalog, Facts
from wnadmin.results import Json

Change = Literal["missing", "unexpected", "different"]

_MAINTAIN_SINCE: Final = 17
_MEMBERSHIP_OPTIONS_SINCE: Final = 16
_ROLES_SINCE: Final = {
    "pg_use_reserved_connections": 16,
    "pg_create_subscription": 16,
    "pg_maintain": 17,
    "pg_signal_autovacuum_worker": 18,
}
"""PostgreSQL's own roles by the major that brought them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not as expected.

    ``attribute`` is '' when the whole object is missing (``actual`` is None) or unexpected (``expected`` is None).
    """

    kind: str
    object: str
    attribute: str
    expected: Json
    actual: Json

    @property
    def change(self) -> Change:
        """Whether the object is missing, unexpected, or there and different."""
        if self.attribute:
            return "different"
        return "missing" if self.actual is None else "unexpected"

    def __str__(self) -> str:
        if self.change != "different":
            return f"{self.kind} {self.object}: {self.change}"
        return f"{self.kind} {self.object}: {self.attribute} is {_brief(self.actual)}, expected {_brief(self.expected)}"


Filter = Callable[[Difference], bool]
"""True keeps the difference."""


def compare(
    expected: Catalog, actual: Catalog, *, kinds: Collection[str] = KINDS, keep: Filter | None = None
) -> list[Difference]:
    """List the differences of the given kinds, by kind, then name, then attribute.

    What the older of the two majors cannot say is left out on both sides: the MAINTAIN privilege (since 17), the
    options of a membership (since 16), membership of roles that it does not have. Everything else, definitions of
    views included, is printed alike by 15 to 18.
    """
    major = min(expected.major, actual.major)
    found: list[Difference] = []
    for kind in KINDS:
        if kind in kinds:
            wanted = _normal(kind, expected.objects.get(kind, {}), major)
            there = _normal(kind, actual.objects.get(kind, {}), major)
            found += compare_kind(kind, wanted, there)
    return [one for one in found if keep is None or keep(one)]


def compare_kind(kind: str, wanted: Mapping[str, Facts], there: Mapping[str, Facts]) -> Iterator[Difference]:
    """List the differences of one kind, by name and then attribute."""
    for name in sorted(wanted.keys() | there.keys()):
        left, right = wanted.get(name), there.get(name)
        if left is None or right is None:
            yield Difference(kind, name, "", _whole(left), _whole(right))
            continue
        for attribute in sorted(left.keys() | right.keys()):
            if left.get(attribute) != right.get(attribute):
                yield Difference(kind, name, attribute, left.get(attribute), right.get(attribute))


def _whole(facts: Facts | None) -> Json:
    return None if facts is None else dict(facts)


def _normal(kind: str, objects: Mapping[str, Facts], major: int) -> dict[str, Facts]:
    if kind in ("grant", "default privilege") and major < _MAINTAIN_SINCE:
        return dict(_without_maintain(objects))
    if kind == "membership":
        known = {name: facts for name, facts in objects.items() if _ROLES_SINCE.get(name.split()[-1], 0) <= major}
        if major >= _MEMBERSHIP_OPTIONS_SINCE:
            return known
        return {name: {"admin": facts["admin"]} for name, facts in known.items()}
    return dict(objects)


def _without_maintain(objects: Mapping[str, Facts]) -> Iterator[tuple[str, Facts]]:
    for name, facts in objects.items():
        kept = [one for one in str(facts["privileges"]).split(", ") if one.rstrip("*") != "MAINTAIN"]
        # Nothing is left of what was MAINTAIN alone; that an owner has no privilege at all is a fact on every major.
        if "".join(kept) or not facts["privileges"]:
            yield name, {"privileges": ", ".join(kept)}


def _brief(value: Json, width: int = 120) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else _plain(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _plain(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(one) for one in value)
    return str(value)
