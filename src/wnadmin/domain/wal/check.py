"""`backup wal check`: would recovery to a point in time work, as far as it can be seen from here?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from wnadmin.domain.wal import look, status, target, tools
from wnadmin.domain.wal.folder import Folder
from wnadmin.domain.wal.look import Facts
from wnadmin.domain.wal.names import Segment
from wnadmin.domain.wal.probe import Probe
from wnadmin.domain.wal.tools import Seen
from wnadmin.errors import UsageError
from wnadmin.postgres.database import Database
from wnadmin.results import Evidence, Finding, Findings, Severity

KIND: Final = "backup-wal-check"
PAGE: Final = "archiving-fails"
CONFIG: Final = "wnadmin backup wal config --to DIR"
BASE_BACKUP: Final = "pg_basebackup --pgdata DIR --checkpoint fast; see: wnadmin playbook show point-in-time-recovery"

WAITS_WARN: Final = timedelta(minutes=5)
WAITS_CRITICAL: Final = timedelta(minutes=30)
"""As the health check `archiver` has them."""
IDLE: Final = 8192
"""Bytes. An idle server writes a few records that no archive_timeout counts."""
LEAST_AGE: Final = timedelta(minutes=5)
WITHOUT_TIMEOUT: Final = timedelta(hours=1)

# What a shell calls to say "done" without doing anything, and what copies without care.
_NOTHING: Final = frozenset({"true", ":", "exit", "echo", "test", "["})
_CARELESS: Final = frozenset({"cp", "mv", "rsync", "scp", "install", "dd", "cat", "gzip", "zstd", "lz4", "xz"})


@dataclass(frozen=True, slots=True)
class Wished:
    """What the operator asked for. ``max_age`` None takes the server's archive_timeout as the measure."""

    archive: Path | None = None
    max_age: timedelta | None = None
    at: datetime | None = None


def check(db: Database, wished: Wished, *, production: bool, probed: Probe | None = None) -> Findings:
    """Judge the server's archiver, the folder, and what the tools of this machine say."""
    facts = look.look(db, wished.archive)
    seen = tools.read()
    found = [*_server(facts, wished, production=production)]
    if facts.server.mode != "off" or facts.folder is not None:
        found += _folder(facts)
        found.append(_bases(facts, seen))
    found += [_tool(one, facts) for one in seen]
    if wished.at is not None:
        found.append(target.judge(wished.at, facts, seen))
    if probed is not None:
        found.append(probed.finding)
    notes = (probed.said,) if probed is not None and probed.said else ()
    return Findings(KIND, tuple(found), notes=notes, next=_next(found))


def _next(found: list[Finding]) -> str:
    if any(one.severity == "critical" and one.playbook for one in found):
        return f"wnadmin playbook show {PAGE}"
    if any(one.check == "wal.command" and one.severity != "ok" for one in found):
        return CONFIG
    return ""


def _server(facts: Facts, wished: Wished, *, production: bool) -> Iterator[Finding]:
    one = facts.server
    if one.mode == "off":
        said = "archiving is off: what was written since the last backup is lost with the disk"
        yield finding("mode", "critical" if production else "skipped", said, fix=CONFIG if production else "")
        return
    if not one.runs:
        yield finding("mode", "skipped", "this standby archives once it has been promoted")
        yield _command(facts)
        return
    yield finding("mode", "ok", f"archive_mode is {one.mode}")
    yield _command(facts)
    yield _failing(facts)
    yield _waiting(facts)
    yield _age(facts, wished)


def _command(facts: Facts) -> Finding:
    one, told = facts.server, facts.command
    if one.library:
        return finding("command", "ok", f"archived by the library {one.library}")
    if not told.program:
        return finding("command", "critical", "neither archive_command nor archive_library is set", fix=CONFIG)
    words = re.split(r"[;&|]+", one.command or "")
    programs = {next(iter(look.split(part)), "").rpartition("/")[2] for part in words} - {""}
    if told.folder:
        return finding("command", "ok", f"{told.program} into {told.folder}: it overwrites nothing and flushes")
    if programs <= _NOTHING:
        return finding("command", "critical", f"{told.program} archives nothing and says that it did", fix=CONFIG)
    if careless := sorted(programs & _CARELESS):
        said = f"{', '.join(careless)} flushes nothing to the disk, and leaves half a file where it is cut off"
        return finding("command", "warn", said, fix=CONFIG)
    return finding("command", "ok", f"{told.program}; how careful it is cannot be seen from here", evidence="partial")


def _failing(facts: Facts) -> Finding:
    one = facts.server
    if not one.failing or one.failed_at is None:
        if one.archived_at is None:
            return finding("failing", "ok", "no attempt was made since the counters began", evidence="partial")
        return finding("failing", "ok", f"the last attempt succeeded, with {one.archived}")
    since = one.archived_at or one.counted_since
    severe = one.archived_at is None or one.now - one.archived_at > WAITS_CRITICAL
    said = f"the last attempt failed at {one.failed_at:%Y-%m-%d %H:%M:%S}Z with {one.failed}"
    said += f", the last success was with {one.archived}" if one.archived else ", and none has ever succeeded"
    return finding("failing", "critical" if severe else "warn", said, since=since, page=True)


def _waiting(facts: Facts) -> Finding:
    one, waiting = facts.server, facts.waiting
    if waiting is None:
        grant = f"{look.GRANT}{facts.rights.login}"
        return finding("waiting", "unknown", "what waits in pg_wal is hidden from this login", fix=grant)
    if waiting.since is None:
        return finding("waiting", "ok", "no finished file waits", value=0, unit="s")
    age = one.now - waiting.since
    severity: Severity = "critical" if age > WAITS_CRITICAL else "warn" if age > WAITS_WARN else "ok"
    said = f"{waiting.files:,} finished files wait, {waiting.first} as the first"
    if severity != "ok" and not one.failing:
        # The server counts neither a command that does not end nor one that the shell could not run.
        said += "; no failure is counted, so the command hangs, or it was not found or ended by a signal"
    return finding(
        "waiting", severity, said, since=waiting.since, value=age.total_seconds(), unit="s",
        limits=(WAITS_WARN.total_seconds(), WAITS_CRITICAL.total_seconds()), page=severity != "ok",
    )  # fmt: skip


def _age(facts: Facts, wished: Wished) -> Finding:
    one, pending = facts.server, facts.pending
    usual = max(3 * timedelta(seconds=one.timeout), LEAST_AGE) if one.timeout else WITHOUT_TIMEOUT
    most = wished.max_age or usual
    limits = (most.total_seconds(), 4 * most.total_seconds())
    if one.archived_at is None:
        fix = "wnadmin backup wal check --probe"
        return finding("age", "unknown", "nothing was archived since the counters began", fix=fix)
    age = one.now - one.archived_at
    said = f"the last file was archived at {one.archived_at:%Y-%m-%d %H:%M:%S}Z"
    if pending is None:
        evidence: Evidence = "partial"
        said += "; how much was written since is hidden from this login"
    else:
        evidence = "complete"
        said += f"; {pending:,} bytes of WAL are not archived"
    severity: Severity = "critical" if age > 4 * most else "warn" if age > most else "ok"
    if pending is not None and pending <= IDLE:
        severity = "ok"
    fix = ""
    if severity != "ok":
        fix = "wnadmin backup wal check --probe" if one.timeout else "ALTER SYSTEM SET archive_timeout = '15min'"
    return finding(
        "age", severity, said, since=one.archived_at, value=age.total_seconds(), unit="s", limits=limits, fix=fix,
        evidence=evidence,
    )  # fmt: skip


def _folder(facts: Facts) -> Iterator[Finding]:
    found = facts.folder
    if found is None:
        if facts.command.folder:
            yield finding("folder", "unknown", facts.blind, fix="Run this where the archive is, or as its owner.")
        else:
            yield finding("folder", "skipped", "no archive folder was read; name it with --archive DIR")
        return
    system = facts.server.system
    place = str(found.path)
    if found.owner and found.owner != system:
        said = f"it is the archive of the server {found.owner}, and this is {system}"
        yield finding("folder", "critical", said, place)
    elif found.foreign:
        yield finding("folder", "critical", f"two servers archive into it: {found.foreign[0]}", place, page=True)
    elif found.short or found.damaged:
        both = [*found.short, *found.damaged]
        said = f"{len(both)} files are not whole, such as {both[0]}: a restore stops there"
        yield finding("folder", "critical", said, place, fix=f"Take them from another copy. {BASE_BACKUP}", page=True)
    elif not found.timelines:
        yield finding("folder", "warn", "it holds no WAL", place)
    else:
        count = sum(one.segments for one in found.timelines)
        yield finding("folder", "ok", f"{status.segments(count)}, all whole", place)
    yield _position(facts, found)
    yield _holes(found)
    yield _histories(found)


def _position(facts: Facts, found: Folder) -> Finding:
    one = facts.server
    last = one.last
    if last is None or last.kind != "segment" or one.recovering:
        return finding("position", "skipped", "the last archived file is not a segment to look for")
    name = Segment(last.timeline, last.number).name(one.segment)
    if found.has(Segment(last.timeline, last.number)):
        return finding("position", "ok", f"{name}, the last one archived, is in the folder")
    said = f"the server says that {name} was archived, and it is not in {found.path}"
    fix = "Look whether this is the folder it archives into; a command that loses files must go."
    return finding("position", "critical", said, fix=fix, page=True)


def _holes(found: Folder) -> Finding:
    holes = list(found.gaps())
    if not holes:
        return finding("gaps", "ok", "no segment is missing between the first and the last")
    newest = max(found.bases, key=lambda one: one.finished, default=None)
    first, last = holes[-1]
    missing = status.segments(sum(end.number - start.number + 1 for start, end in holes))
    where = first.name(found.size) if first == last else f"{first.name(found.size)} to {last.name(found.size)}"
    said = f"{missing} missing, the last hole is {where}"
    if newest is not None and (reach := found.reach(newest)).to is not None and reach.gap is None:
        said += f"; the base backup of {newest.finished:%Y-%m-%d %H:%M} comes after them"
        return finding("gaps", "warn", said, fix="Older base backups lead up to the hole only; let them expire.")
    return finding("gaps", "critical", said, fix=f"Take a new base backup now: {BASE_BACKUP}", page=True)


def _histories(found: Folder) -> Finding:
    missing = [f"{one.number:08X}.history" for one in found.timelines if one.before is None]
    if not missing:
        return finding("timelines", "ok", f"{len(found.timelines)} with their histories")
    said = f"{missing[0]} is missing or damaged: nobody can recover onto that timeline"
    return finding("timelines", "critical", said, fix=f"Copy it from pg_wal of the server. {BASE_BACKUP}", page=True)


def _bases(facts: Facts, seen: list[Seen]) -> Finding:
    known = status.backups(facts.folder, seen)
    good = [pair for pair in known if not pair[0].trouble and pair[0].finished]
    if good:
        kept, reach = good[0]
        said = f"the newest base backup ended at {kept.finished:%Y-%m-%d %H:%M:%S}Z"
        if reach is not None and reach.to is not None and reach.until is not None and facts.folder is not None:
            said += f"; its WAL leads to {reach.to.name(facts.folder.size)}, written {reach.until:%Y-%m-%d %H:%M:%S}Z"
        return finding("base", "ok", said, f"{kept.tool} {kept.name}")
    if known:
        return finding("base", "critical", f"no base backup is good: {known[0][0].trouble}", fix=BASE_BACKUP)
    if facts.folder is None:
        return finding("base", "unknown", "no base backup can be seen from here", fix="Name the archive: --archive DIR")
    said = "no base backup has left its label in the archive; unless one is kept elsewhere, WAL alone restores nothing"
    return finding("base", "unknown", said, fix=BASE_BACKUP)


def _tool(one: Seen, facts: Facts) -> Finding:
    name = f"{one.tool} {one.version}".strip()
    if one.trouble:
        # One that is installed, keeps nothing and is not what archives here may be another server's.
        idle = not one.kept and one.tool.lower().replace("-", "") not in facts.command.program.lower().replace("-", "")
        return finding("tool", "skipped" if idle else "unknown", one.trouble, name)
    bad = [kept for kept in one.kept if kept.trouble]
    if bad:
        return finding("tool", "critical", f"{bad[0].label}: {bad[0].trouble}", name)
    newest = max((kept.finished for kept in one.kept if kept.finished), default=None)
    if newest is None:
        return finding("tool", "warn", "it keeps no finished backup", name)
    said = f"{len(one.kept)} backups, the newest of {newest:%Y-%m-%d %H:%M}, {_ago(newest)} ago"
    return finding("tool", "ok", said, name)


def _ago(when: datetime) -> str:
    from wnadmin.render.cells import human

    return human(datetime.now(UTC) - when)


def finding(
    about: str,
    severity: Severity,
    detail: str,
    thing: str = "",
    *,
    fix: str = "",
    since: datetime | None = None,
    evidence: Evidence = "complete",
    value: float | None = None,
    unit: str = "",
    limits: tuple[float, float] | None = None,
    page: bool = False,
) -> Finding:
    """Make a finding ``wal.<about>``; ``limits`` are the values from which on it warns and turns critical."""
    from wnadmin.domain.health.quantities import show

    shown = [show(one, "s") for one in (value, *(limits or ())) if one is not None] if unit == "s" else []
    name = f"wal.{about}"
    return Finding(
        f"{name}:{thing}" if thing else name,
        name,
        severity,
        detail,
        "none" if severity in ("unknown", "skipped") else evidence,
        object=thing,
        measured=shown[0] if shown else "",
        threshold=f"{shown[1]}, {shown[2]}" if len(shown) == 3 else "",
        since=since,
        remediation=fix or ("wnadmin playbook show " + PAGE if page else ""),
        playbook=PAGE if page and severity != "ok" else "",
        waiver_key=f"{name}:{thing}" if thing else name,
        value=value,
        unit=unit,
        warn=limits[0] if limits else None,
        critical=limits[1] if limits else None,
    )


def wishes(archive: Path | None, max_age: str, at: str) -> Wished:
    """Read what was typed; UsageError for a duration or a time that is none. Without a zone a time is in UTC."""
    from wnadmin.domain.sessions.words import duration

    when = None
    if at:
        try:
            when = datetime.fromisoformat(at.strip())
        except ValueError:
            raise UsageError(f"--at: cannot read the time {at!r}", next="Example: --at '2026-11-22 09:30'") from None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return Wished(archive, duration(max_age, "--max-age") if max_age else None, when)
