"""The settings that archiving needs: how they stand, what is to change, and the step that changes them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wnadmin.domain.config import rules
from wnadmin.domain.config.values import Kind, parse
from wnadmin.domain.wal import statements
from wnadmin.errors import Blind, Failed, Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable
from wnadmin.results import Inputs, Receipt, Step, World


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of ``queries/wal/settings``: ``now`` in force, ``later`` by the files, ``altered`` by ALTER SYSTEM."""

    name: str
    kind: str
    unit: str
    now: str
    restarts: bool
    later: str
    altered: str | None

    def holds(self, value: str) -> bool:
        """Whether the files say this."""
        kind = Kind(self.kind, self.unit)
        return parse(self.later, kind) == parse(value, kind)

    @property
    def in_force(self) -> bool:
        """Whether the server works with what the files say; one that hides its value counts as such."""
        kind = Kind(self.kind, self.unit)
        return self.now == "(disabled)" or parse(self.now, kind) == parse(self.later, kind)


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that is to be another one."""

    name: str
    value: str
    before: str | None
    later: str
    restarts: bool


def read(db: Database) -> dict[str, Setting]:
    """Read them by name, also from the configuration files; Refused where this login may not.

    A value is as it will be after the next restart; ``(disabled)`` stands in force for a command that is not used.
    """
    try:
        return {one.name: one for one in db.rows("queries/wal/settings", Setting)}
    except Blind:
        raise Refused(
            "this login may not read the configuration files",
            why="Without them nobody knows what is set already.",
            next="Connect as a superuser.",
        ) from None


def changes(known: Mapping[str, Setting], command: str) -> list[Change]:
    """Give what is to be set, in the order in which it is safe: a command before the mode that calls it."""
    recommended = {one.name: one for one in rules.load() if one.area == "wal"}
    found: dict[str, str] = {}
    if known["archive_library"].later:
        found["archive_library"] = ""
    if known["archive_command"].later != command:
        found["archive_command"] = command
    for name in ("archive_timeout", "wal_level", "archive_mode"):
        one, rule = known[name], recommended[name]
        kind = Kind(one.kind, one.unit)
        if not rule.fits(parse(one.later, kind), kind):
            found[name] = rule.set
    return [
        Change(name, value, known[name].altered, known[name].later, known[name].restarts)
        for name, value in found.items()
    ]


def conf(value: str) -> str:
    """Write a value as it stands between quotes in postgresql.conf."""
    return value.replace("\\", "\\\\").replace("'", "''")


def alter(db: Database, changes: Sequence[Change], inputs: Inputs) -> Step:
    """Describe the change of the settings; its undo gives back what ALTER SYSTEM said before."""
    known = inputs.get("before")
    before: dict[str, str | None] = {one.name: one.before for one in changes}
    if isinstance(known, Mapping):
        before = {name: value if isinstance(value, str) else None for name, value in known.items()}
    quote = db.session.quote
    forward = [statements.alter(one.name, one.value) for one in changes]
    back = [statements.alter(name, value) for name, value in reversed(before.items())]

    def run(world: World) -> Receipt:
        began = time.monotonic()
        now = read(db)
        moved = [one.name for one in changes if now[one.name].later not in (one.later, one.value)]
        if moved:
            raise Failed(
                f"{', '.join(moved)} changed since the plan was made",
                why="Somebody else is at the settings.",
                next="Look, and make a new plan.",
            )
        _run(db, forward)
        return Receipt("settings", len(changes), _since(began), {one.name: one.value for one in changes})

    def take_back(world: World, receipt: Receipt) -> Receipt:
        began = time.monotonic()
        _run(db, back)
        return Receipt("settings", len(back), _since(began))

    def done() -> bool:
        now = read(db)
        return all(now[one.name].holds(one.value) for one in changes)

    return Step(
        "settings",
        "Set what archiving needs",
        (*(quote(one) + ";" for one in forward), quote(statements.RELOAD) + ";"),
        run,
        done=done,
        undo=take_back,
        undo_shows=(*(quote(one) + ";" for one in back), quote(statements.RELOAD) + ";"),
    )


def _run(db: Database, texts: Sequence[Composable]) -> None:
    for one in texts:
        db.session.run(one, doing="ALTER SYSTEM")
    db.session.run(statements.RELOAD)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
