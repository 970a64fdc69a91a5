"""`readonly status`: whether the database is read-only, how firmly, and what is still open."""

from __future__ import annotations

from collections.abc import Iterator

from wnadmin.domain.readonly import keep, look, prove, require, work
from wnadmin.domain.readonly.values import Seen
from wnadmin.domain.readonly.ways import Ways
from wnadmin.results import Finding, Findings

KIND = "readonly-status"


def status(ways: Ways, window: float) -> Findings:
    """Look at all of it; ``window`` is for how many seconds the counters are watched."""
    witness = prove.Witness(ways.db)
    seen = look.look(ways.db)
    kept, story = require.known(seen)
    if kept is not None:
        found = prove.of_status(ways, seen, kept, witness, window)
        again = any(one.severity == "critical" for one in found)
        follow = "wnadmin readonly off" if kept.leaving or not again else f"wnadmin readonly on --level {kept.level}"
        return Findings(KIND, tuple(found), tuple(story), follow)
    return Findings(KIND, tuple(_without(ways, seen)), tuple(story), "")


def _without(ways: Ways, seen: Seen) -> Iterator[Finding]:
    left = [one for one in seen.settings if one.here and one.on]
    for one in left:
        name = one.role or seen.name
        detail = f"{name} is read-only by hand: {one.value} is only a default, and nothing was kept"
        yield Finding(
            f"readonly.by-hand:{name}",
            "readonly.by-hand",
            "warn",
            detail,
            object=name,
            remediation="wnadmin readonly off",
            playbook="read-only-mode",
        )
    if seen.unreadable or seen.place.cut is not None:
        detail = f"what was kept cannot be used: {seen.unreadable or 'only its time is left'}"
        yield Finding("readonly.kept", "readonly.kept", "warn", detail, remediation="wnadmin readonly off")
    copy = keep.find(seen.place)
    if copy.wrong:
        detail = f"the copy {copy.path} cannot be used: {copy.wrong}"
        yield Finding("readonly.copy", "readonly.copy", "warn", detail)
    if not left:
        yield Finding("readonly.mode", "readonly.mode", "ok", f"{seen.name} is not read-only")
        yield from work.writable(ways)
