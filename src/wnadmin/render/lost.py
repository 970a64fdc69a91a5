"""A look of a watch that failed: a screen of its own, and the line that a machine reads instead of rows.

What was seen before must not stand there as if it still were so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from wnadmin.errors import WnError
from wnadmin.render.cells import Data, duration, human, json_text, moment

SCHEMA: Final = "wnadmin/watch/1"
"""The contract of the lines that tell looks apart in a stream of looks."""


@dataclass(frozen=True, slots=True)
class Lost:
    """``error`` at ``at``; ``since`` no look has succeeded, the last that did was at ``seen``; ``again`` in seconds."""

    error: WnError
    at: datetime
    since: datetime
    seen: datetime | None
    again: float

    @property
    def gone(self) -> str:
        """How long already, in words."""
        return lasted(self.since, self.at)


def lasted(since: datetime, until: datetime) -> str:
    """Say how long something lasted, in whole seconds: ``0 s``, ``12 s``, ``3m 12s``."""
    seconds = max(int((until - since).total_seconds()), 0)
    return f"{seconds} s" if seconds < 60 else duration(Decimal(seconds))


def on_terminal(lost: Lost, *, width: int, color: bool, unicode: bool = True) -> str:
    """Give what happened, why, what to type, and how old the last look is, without a heading."""
    from wnadmin.render.terminal import Screen

    screen = Screen(width=width, color=color, unicode=unicode)
    screen.say((lost.error.what + _state(lost.error), "bold red"), wrap=True)
    if lost.error.why:
        screen.say(("why: ", "cyan"), lost.error.why, wrap=True)
    if lost.error.next:
        screen.say(("next: ", "bold cyan"), lost.error.next, wrap=True)
    screen.gap()
    screen.say(f"Nothing has been seen since {human(lost.since)} ({lost.gone}).", wrap=True)
    if lost.seen is not None:
        screen.say(f"The last look, at {human(lost.seen)}, was scrolled up; it may not be true any more.", wrap=True)
    return screen.text()


def line(at: datetime, again: float, lost: Lost | None = None) -> str:
    """Give the line of NDJSON that begins each look: when, whether anything was seen, and if not, why."""
    facts: dict[str, Data] = {
        "schema": SCHEMA,
        "table": None,
        "at": moment(at),
        "seen": lost is None,
        "again_seconds": again,
    }
    if lost is not None:
        facts |= {
            "since": moment(lost.since),
            "last_seen": None if lost.seen is None else moment(lost.seen),
            "what": lost.error.what,
            "why": lost.error.why,
            "next": lost.error.next,
            "sqlstate": lost.error.sqlstate,
        }
    return json_text(facts) + "\n"


def _state(error: WnError) -> str:
    return f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
