"""Thresholds that the operator or the profile sets instead of a check's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wnadmin.domain.health import checks, quantities
from wnadmin.domain.health.checks import Check, Limits
from wnadmin.errors import UsageError

OFF = "off"


def limits(settings: Mapping[str, Any], given: Sequence[str]) -> dict[str, Limits]:
    """Give the limits of every check: its own, those of the profile's table, those of ``--threshold``.

    The profile writes ``idle-in-transaction = ["5min", "30min"]`` (warn, critical), the option
    ``idle-in-transaction=5min,30min``; an empty part keeps what was, ``off`` switches it off. Raises UsageError.
    """
    found = {check.id: check.limits for check in checks.every()}
    for id, value in settings.items():
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        parts = [value] if plain else value
        if not isinstance(parts, list):
            raise UsageError(
                f"the threshold of {id} in the profile is {value!r}", next=f'Write {id} = ["WARN", "CRITICAL"].'
            )
        check = checks.named(id)
        found[id] = _changed(check, found[id], [str(part) for part in parts])
    for word in given:
        id, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"cannot read the threshold {word!r}", next="Write --threshold CHECK=WARN,CRITICAL.")
        check = checks.named(id)
        found[id] = _changed(check, found[id], text.split(","))
    return found


def _changed(check: Check, before: Limits, parts: Sequence[str]) -> Limits:
    if len(parts) > 2:
        raise UsageError(f"too many thresholds for {check.id}", next=f"Write {check.id}=WARN,CRITICAL.")
    if check.unit == "level":
        raise UsageError(
            f"{check.id} has no threshold",
            why="It judges by itself what is bad.",
            next=f"Leave it out with --ignore {check.id}, or waive what it finds.",
        )
    values: list[float | None] = [before.warn, before.critical]
    for number, part in enumerate(parts):
        text = part.strip()
        if text == OFF:
            values[number] = None
        elif text:
            values[number] = quantities.parse(text, check.unit)
    warn, critical = values
    if warn is not None and critical is not None and (critical > warn if before.below else critical < warn):
        raise UsageError(
            f"the thresholds of {check.id} are the wrong way round",
            why=f"It warns {'below' if before.below else 'above'} {quantities.show(warn, check.unit)}, and would be "
            f"critical {'below' if before.below else 'above'} {quantities.show(critical, check.unit)} already.",
            next=f"Write {check.id}=WARN,CRITICAL with the {'lower' if before.below else 'higher'} number second.",
        )
    return Limits(warn, critical, before.below)
