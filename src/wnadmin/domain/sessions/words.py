"""Sessions in words: who somebody is, what state it is in, and the durations an operator types."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches

from wnadmin.errors import UsageError

STATES = (
    "active",
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "fastpath function call",
    "disabled",
)
"""What a session can be doing, as pg_stat_activity says it."""

QUERIES_NOTE = ("Query texts may hold personal data; do not copy them where that may not be.",)
"""Said beside query texts."""

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|sec|min|m|h|d|days?)?\s*", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "day": 86400, "days": 86400}
_LONGEST = 100 * 365 * 86400


def duration(text: str, option: str) -> timedelta:
    """Read ``30s``, ``5min``, ``1h30m`` or a number of seconds; a UsageError names ``option``."""
    seconds, at = 0.0, 0
    while match := _PART.match(text.strip(), at):
        seconds += float(match[1]) * _UNITS[(match[2] or "s").lower()]
        at = match.end()
    if not text.strip() or at != len(text.strip()) or seconds > _LONGEST:
        raise UsageError(f"{option}: cannot read the duration {text!r}", next=f"Example: {option} 5min")
    return timedelta(seconds=seconds)


def state(text: str) -> str:
    """Read a state, also as ``idle-in-transaction``; raises UsageError with the near match."""
    wanted = " ".join(text.replace("-", " ").replace("_", " ").lower().split())
    short = {"idle in tx": STATES[2], "aborted": STATES[3]}
    wanted = short.get(wanted, wanted)
    if wanted in STATES:
        return wanted
    near = get_close_matches(wanted, STATES, n=1)
    raise UsageError(
        f"--state: there is no state {text!r}",
        why=f"The states are: {', '.join(STATES)}.",
        next=f"Did you mean --state '{near[0]}'?" if near else "Example: --state idle-in-transaction",
    )


def who(role: str | None, database: str | None, application: str | None, kind: str | None = None) -> str:
    """Say who a session is: ``role@database application``, or what kind of process it is."""
    name = "@".join(part for part in (role, database) if part)
    more = kind if kind and kind != "client backend" else application
    return " ".join(part for part in (name, more) if part) or "unknown"


def age(span: timedelta | None) -> str:
    """Say a duration as cells do, ``5m 3s``; empty when it is not known."""
    from wnadmin.render.cells import human

    return "" if span is None else human(max(span, timedelta(0)))


def one_line(query: str | None, limit: int = 200) -> str | None:
    """Give a query on one line, cut after ``limit`` characters."""
    if query is None:
        return None
    flat = " ".join(query.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
