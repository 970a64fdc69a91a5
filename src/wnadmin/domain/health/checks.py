"""A check as it is declared: ``sql/checks/<id>.sql`` with its header, and ``<id>.md``, its page.

The header says ``-- title:``, ``-- area:``, ``-- unit:`` and the thresholds ``-- warn:`` and ``-- critical:``
(``> 80`` or ``< 14``; one of them may be missing), and where it applies:

========== =============================================================================================
needs      privileges, each KIND:NAME as in queries/health/needs.sql; without them the check is blind
where      any (default), primary or standby
rate       the measured number only grows; what is judged is its growth within one hour
evidence   partial when the number can only be an average over a long time
preset     triage (the first look in a fire), nightly (what may take longer or is hygiene)
none       what no row at all means
========== =============================================================================================

Its rows are :class:`Measured`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import Literal, TypeAlias, get_args

from wnadmin import assets
from wnadmin.domain.health import quantities
from wnadmin.domain.health.quantities import Unit
from wnadmin.errors import Failed, UsageError
from wnadmin.results import Evidence

Place: TypeAlias = Literal["any", "primary", "standby"]
Preset: TypeAlias = Literal["triage", "nightly"]

FIRST = "reachable"
"""The check that a node answers; the engine judges it where there is nobody to ask."""

_BOUND = re.compile(r"^(?P<sign>[<>])\s*(?P<text>.+)$")


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of a check.

    ``measured`` is a number in the check's unit, None for what cannot be known, which ``detail`` then explains.
    ``since`` is when the state began, or from when on a counter counts. ``fix`` is what to do or type.
    """

    object: str
    measured: Decimal | None
    since: datetime | None
    detail: str
    fix: str


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a number is bad; ``below`` when less is worse. None: never."""

    warn: float | None
    critical: float | None
    below: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A check's declaration; see the module for the fields."""

    id: str
    title: str
    area: str
    answers: str
    unit: Unit
    limits: Limits
    needs: tuple[str, ...]
    where: Place
    rate: bool
    evidence: Evidence
    presets: tuple[str, ...]
    none: str
    since: int
    cost: str
    extension: str

    @property
    def file(self) -> str:
        """The name of its SQL, as `wnadmin sql show` takes it."""
        return f"checks/{self.id}"

    def page(self) -> str:
        """Its page, Markdown."""
        return (assets.root("sql") / "checks" / f"{self.id}.md").read_text(encoding="utf-8")


@cache
def every() -> tuple[Check, ...]:
    """All checks, by area and id, but the one on which all others rest first."""
    checks = [declared(one) for one in assets.catalogue("checks")]
    return tuple(sorted(checks, key=lambda check: (check.id != FIRST, check.area, check.id)))


def declared(file: assets.SqlFile) -> Check:
    """Read a check's header; one that does not make sense is a defect of the installation."""
    facts = file.facts
    id = file.name.rpartition("/")[2]

    def choice(key: str, known: tuple[str, ...], default: str) -> str:
        value = facts.get(key, default)
        if value not in known:
            raise Failed(f"{file.name}: `-- {key}: {value}` is none of {', '.join(known)}")
        return value

    for key in ("title", "area", "unit", "answers", "privileges", "cost"):
        if not facts.get(key):
            raise Failed(f"{file.name}: the header has no `-- {key}:`")
    unit = quantities.unit(facts["unit"])
    presets = tuple(one.strip() for one in facts.get("preset", "").split(",") if one.strip())
    for one in presets:
        if one not in get_args(Preset):
            raise Failed(f"{file.name}: unknown preset {one}")
    return Check(
        id=id,
        title=facts["title"],
        area=facts["area"],
        answers=file.answers,
        unit=unit,
        limits=_limits(file.name, facts.get("warn", ""), facts.get("critical", ""), unit),
        needs=tuple(one.strip() for one in re.split(r",\s+", facts.get("needs", "")) if one.strip()),
        where=choice("where", get_args(Place), "any"),  # type: ignore[arg-type]  # compared with the same list
        rate="rate" in facts,
        evidence=choice("evidence", get_args(Evidence), "complete"),  # type: ignore[arg-type]  # the same
        presets=presets,
        none=facts.get("none", "nothing of the kind"),
        since=file.since,
        cost=file.cost,
        extension=file.extension,
    )


def chosen(only: list[str], ignore: list[str], preset: str | None) -> list[Check]:
    """Choose checks by id (several in one word with commas), by preset, all when neither says anything."""
    if preset is not None and preset not in get_args(Preset):
        raise UsageError(f"unknown preset {preset}", next=f"Use one of {', '.join(get_args(Preset))}.")
    wanted = [named(id).id for id in _ids(only)]
    unwanted = {named(id).id for id in _ids(ignore)}
    found = [
        check
        for check in every()
        if (check.id in wanted if wanted else preset is None or preset in check.presets) and check.id not in unwanted
    ]
    if not found:
        raise UsageError("no check is left to run", next="Leave out --ignore, or see `wnadmin health list`.")
    return found


def named(id: str) -> Check:
    """Give the check of that id; a UsageError with the near match for any other."""
    for check in every():
        if check.id == id:
            return check
    near = get_close_matches(id, [check.id for check in every()], n=1)
    raise UsageError(
        f"unknown check {id}",
        next=f"Did you mean {near[0]}?" if near else "`wnadmin health list` names them all.",
    )


def _ids(words: list[str]) -> list[str]:
    return [id for word in words for id in word.split(",") if id]


def _limits(name: str, warn: str, critical: str, unit: Unit) -> Limits:
    signs: set[str] = set()
    values: list[float | None] = []
    for text in (warn, critical):
        match = _BOUND.match(text)
        if text and match is None:
            raise Failed(f"{name}: a threshold is written `> 80` or `< 14`, not `{text}`")
        if match:
            signs.add(match["sign"])
        values.append(quantities.parse(match["text"], unit) if match else None)
    if len(signs) > 1:
        raise Failed(f"{name}: warn and critical look in different directions")
    return Limits(values[0], values[1], below="<" in signs)
