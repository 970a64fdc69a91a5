"""Proving it: by looking again, by trying, and by this database's own counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wnadmin.domain.readonly import drain, keep, powers
from wnadmin.domain.readonly.values import LEVELS, Kept, Level, Seen, listed, many
from wnadmin.domain.readonly.ways import Ways, canary
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Evidence, Finding, Severity

WINDOW: Final = 1.1
"""Seconds. A busy session reports what it wrote once a second."""

_PLAYBOOK: Final = "read-only-mode"


@dataclass(frozen=True, slots=True)
class Said:
    """One look: whether it is ``good`` (None: it could not be seen), and from which level on that is promised."""

    name: str
    good: bool | None
    detail: str
    promised: Level | None = None
    remediation: str = ""
    thing: str = ""
    measured: str = ""


@dataclass(frozen=True, slots=True)
class _Count:
    name: str
    written: int


class Witness:
    """The rows that each table has ever seen written, to be compared with the same a little later."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._before = self._look()
        self._began = time.monotonic()

    def _look(self) -> Mapping[str, int]:
        return {one.name: one.written for one in self._db.rows("queries/readonly/counters", _Count)}

    def ask(self, window: float) -> tuple[dict[str, int], float]:
        """Wait until ``window`` seconds have passed; give the rows written by table, and the seconds."""
        time.sleep(max(0.0, self._began + window - time.monotonic()))
        seconds = time.monotonic() - self._began
        now = self._look()
        return {
            name: now[name] - self._before.get(name, 0) for name in now if now[name] > self._before.get(name, 0)
        }, seconds


def said(ways: Ways, seen: Seen, kept: Kept, witness: Witness, window: float) -> Iterator[Said]:
    """Look at everything that read-only mode promises at any level."""
    yield _mode(seen, kept)
    yield from _roles(seen, kept)
    yield from _sessions(seen, kept)
    yield from _override(seen, kept)
    yield from _beside(seen)
    yield from _canaries(ways)
    yield _copy(seen, kept)
    if window:
        yield _witness(seen, kept, *witness.ask(window))


def of_entering(ways: Ways, seen: Seen, kept: Kept, witness: Witness) -> list[Finding]:
    """The proof of `readonly on`: what the level promises must hold, what it does not promise is said."""
    found = []
    # A default is not broken by who overrides it, so nothing is waited for.
    window = 0.0 if kept.level == "soft" else WINDOW
    for one in said(ways, seen, kept, witness, window):
        wanted = one.promised is not None and LEVELS.index(one.promised) <= LEVELS.index(kept.level)
        if one.good or wanted:
            found.append(_finding(one, "ok" if one.good else "unknown" if one.good is None else "critical"))
        else:
            found.append(_finding(replace(one, detail=f"not promised: {one.detail}"), "skipped"))
    return found


def of_status(ways: Ways, seen: Seen, kept: Kept, witness: Witness, window: float) -> list[Finding]:
    """What `readonly status` says: a broken promise is critical, what was not promised a warning."""
    found = []
    for one in said(ways, seen, kept, witness, window):
        wanted = one.promised is not None and LEVELS.index(one.promised) <= LEVELS.index(kept.level)
        severity: Severity = "ok" if one.good else "unknown" if one.good is None else "critical" if wanted else "warn"
        found.append(_finding(one, severity))
    return found


def _finding(one: Said, severity: Severity) -> Finding:
    check = f"readonly.{one.name}"
    evidence: Evidence = "none" if one.good is None else "complete"
    return Finding(
        f"{check}:{one.thing}" if one.thing else check,
        check,
        severity,
        one.detail,
        evidence,
        object=one.thing,
        measured=one.measured,
        remediation="" if one.good else one.remediation,
        playbook="" if one.good else _PLAYBOOK,
    )


# --- what is looked at ------------------------------------------------------------------------------------------


def _mode(seen: Seen, kept: Kept) -> Said:
    again = f"wnadmin readonly on --level {kept.level}"
    own = next((one for one in seen.settings if one.here and one.role is None), None)
    if kept.leaving:
        return Said("mode", False, "leaving it was cut short: sessions are left to end", "soft", "wnadmin readonly off")
    if own is None or not own.on:
        return Said("mode", False, "the database's own setting is gone: new sessions may write", "soft", again)
    if seen.kept is None:
        why = f"cannot be read: {seen.unreadable}" if seen.unreadable else "is gone from the database"
        return Said("mode", False, f"what was kept {why}; the copy still has it", "soft", "wnadmin readonly off")
    if seen.cut is None:
        return Said("mode", False, "entering it was cut short", "soft", again)
    besides = f"; exempt: {', '.join(kept.exempt)}" if kept.exempt else ""
    until = f", until {kept.until}" if kept.until else ""
    return Said(
        "mode", True, f"{kept.level} since {seen.cut:%Y-%m-%d %H:%M:%S} UTC by {kept.by}{until}{besides}", "soft"
    )


def _roles(seen: Seen, kept: Kept) -> Iterator[Said]:
    targets = powers.Graph(seen, kept.exempt).targets
    good = []
    for name in targets:
        setting = seen.effective(name)
        if setting is not None and setting.on:
            good.append(name)
            continue
        value = f"{'here' if setting.here else 'everywhere'}: {setting.value}" if setting else "nowhere"
        yield Said(
            "roles",
            False,
            f"a new session of {name} begins with write access (set {value})",
            "drain",
            f"wnadmin readonly on --level {kept.level}",
            name,
        )
    if good:
        yield Said("roles", True, f"new sessions begin read-only: {listed(good, 8)}", "drain")
    held = [one.name for one in seen.roles.values() if one.is_superuser and one.can_login]
    if held:
        yield Said("superusers", True, f"nothing holds a superuser from writing: {listed(held)}")


def _sessions(seen: Seen, kept: Kept) -> Iterator[Said]:
    if not seen.place.sees_sessions or any(one.hidden for one in seen.clients):
        yield Said(
            "sessions",
            None,
            "the sessions of other roles are hidden from this login",
            "drain",
            f"GRANT pg_read_all_stats TO {seen.place.login}",
        )
        return
    left = drain.survivors(seen.clients, kept, seen.cut)
    if not left:
        yield Said(
            "sessions", True, "no session that could write is older than read-only mode", "drain", measured="0 sessions"
        )
        return
    yield Said(
        "sessions",
        False,
        f"{many(len(left), 'session')} can still write: {listed([str(one) for one in left])}",
        "drain",
        "wnadmin readonly on --level drain",
        measured=many(len(left), "session"),
    )


def _override(seen: Seen, kept: Kept) -> Iterator[Said]:
    able = powers.writers(seen, kept.exempt)
    if not able:
        yield Said("override", True, "no role is left that could write if it said BEGIN READ WRITE", "fence")
    elif kept.level == "fence":
        for name, why in able.items():
            again = "wnadmin readonly on --level fence"
            yield Said("override", False, f"{name} {'; '.join(why[:3])}", "fence", again, name)
    else:
        names = listed(list(able), 8)
        detail = f"each of these may say BEGIN READ WRITE, or set its own default: {names}"
        yield Said(
            "override", False, detail, "fence", "wnadmin readonly on --level fence", measured=many(len(able), "role")
        )
    if powers.blobs(seen):
        when = "at any time before PostgreSQL 16, since then after BEGIN READ WRITE"
        detail = f"everybody may make large objects and write its own: {when}"
        yield Said("large-objects", False, detail, "fence", "wnadmin readonly on --level fence")
    else:
        yield Said("large-objects", True, "nobody but superusers may write large objects", "fence")


def _beside(seen: Seen) -> Iterator[Said]:
    for one in seen.beside:
        detail = {
            "prepared transaction": "it can be committed at any time, by name",
            "subscription": "what it receives is written whatever is set here",
            "scheduler": "its jobs are sessions like others; see whether they can wait",
        }[one.kind]
        yield Said("beside", False, f"{one.kind} {one.name}: {detail}", None, thing=one.name)


def _canaries(ways: Ways) -> Iterator[Said]:
    paths: list[tuple[str, Callable[[], Session], Level]] = [("direct", ways.fresh, "soft")]
    if ways.pooler is not None:
        paths.append(("pooler", ways.pooler.client, "drain"))
    for name, opened, promised in paths:
        try:
            found = canary(opened)
        except WnError as error:
            yield Said("canary", None, f"not tried: {error.what}", promised, error.next, name)
            continue
        if found.read_only:
            yield Said("canary", True, f"{found} (25006)", promised, thing=name)
        else:
            fix = "wnadmin readonly on --level drain" if name == "pooler" else "wnadmin readonly on"
            yield Said("canary", False, str(found), promised, fix, name)


def _copy(seen: Seen, kept: Kept) -> Said:
    copy = keep.find(seen.place)
    if copy.wrong:
        return Said("copy", False, f"{copy.path}: {copy.wrong}; the database's own word counts")
    if copy.kept is None:
        return Said("copy", True, f"there is no copy in {copy.path.parent}; the database has all that is needed")
    if not keep.same(copy.kept, kept):
        return Said("copy", False, f"{copy.path} tells of another entry; the database's own word counts")
    return Said("copy", True, f"what was before is kept in the database and in {copy.path}")


def _witness(seen: Seen, kept: Kept, written: Mapping[str, int], seconds: float) -> Said:
    if not written:
        return Said("witness", True, f"no row was written in {seconds:.1f} s", "drain", measured="0 rows")
    rows = sum(written.values())
    where = listed([f"{name} ({number:,})" for name, number in written.items()], 3)
    free = [one for one in seen.clients if not drain.spared(one) and (one.is_superuser or one.role in kept.exempt)]
    detail = f"{rows:,} rows were written in {seconds:.1f} s: {where}"
    if free:
        # It may be one of those, which nothing holds.
        return Said(
            "witness",
            False,
            f"{detail}; not held: {listed([str(one) for one in free])}",
            measured=many(rows, "row"),
        )
    return Said("witness", False, detail, "drain", "See who: wnadmin sessions list", measured=many(rows, "row"))
