"""`backup wal status`: what is archived, by whom, from where to where, and what base backups it goes with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from wnadmin.domain.wal import look, names, tools
from wnadmin.domain.wal.folder import STAMP, Folder, Reach
from wnadmin.domain.wal.look import Facts
from wnadmin.domain.wal.names import Segment
from wnadmin.domain.wal.tools import Kept, Seen
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Report, Table

FOLDER: Final = "folder"
"""What stands for the folder of an archive command where tools are named."""

UNSEEN: Final = "unknown: needs pg_monitor"
"""In place of a number that this login may not see."""


def status(db: Database, archive: Path | None) -> Report:
    """Look at the server, the folder and the tools that are installed here, and tell what was seen."""
    facts = look.look(db, archive)
    seen = tools.read()
    now = datetime.now(UTC)
    tables = [
        Table("server", (Column("fact"), Column("value")), tuple(_server(facts))),
        Table("archives", _ARCHIVES, tuple(archives(facts, seen)), title="Archives"),
        Table(
            "backups",
            _BACKUPS,
            tuple(_backup(one, now) for one in backups(facts.folder, seen)),
            title="Base backups",
            empty="no base backup is known here",
        ),
    ]
    if facts.folder is not None:
        tables += _of_folder(facts.folder)
    if facts.slots:
        rows = tuple((one.name, one.type, one.active, one.status, one.bytes) for one in facts.slots)
        tables.append(Table("slots", _SLOTS, rows, title="Slots that keep WAL"))
    return Report(
        "backup-wal-status",
        tuple(tables),
        notes=tuple(_notes(facts)),
        next="wnadmin backup wal check" + _named(archive),
    )


_ARCHIVES: Final = (
    Column("archive"),
    Column("first", "first WAL"),
    Column("last", "last WAL"),
    Column("age"),
    Column("trouble"),
)
_BACKUPS: Final = (
    Column("tool"),
    Column("name"),
    Column("label"),
    Column("kind"),
    Column("age"),
    Column("bytes", "size", unit="bytes"),
    Column("first", "from WAL"),
    Column("reaches", "leads to"),
    Column("trouble"),
)
_TIMELINES: Final = (
    Column("timeline"),
    Column("before", "after timeline"),
    Column("at", "left at"),
    Column("segments"),
    Column("missing"),
    Column("first"),
    Column("last"),
)
_HOLES: Final = (Column("first", "first missing"), Column("last", "last missing"), Column("segments"))
_SLOTS: Final = (
    Column("name"),
    Column("type"),
    Column("active"),
    Column("status"),
    Column("bytes", "keeps", unit="bytes"),
)


def _server(facts: Facts) -> Iterator[tuple[Cell, ...]]:
    one = facts.server
    yield "archiving", _mode(facts)
    yield "wal_level", one.level
    yield "by", facts.command.program or ("hidden while it is off" if one.command is None else "nothing")
    if facts.command.folder:
        yield "into", facts.command.folder
    yield "archive_timeout", timedelta(seconds=one.timeout) if one.timeout else "off"
    yield "last archived", one.archived or "nothing"
    yield "last archived at", one.archived_at
    yield "last failed", one.failed or "nothing"
    yield "last failed at", one.failed_at
    yield "archived, failed", f"{one.archived_count:,}, {one.failed_count:,}" + _since(one.counted_since)
    yield "writes now", f"{one.writes.name(one.segment)}, at {one.reached}"
    if facts.waiting is None:
        yield "waiting files", UNSEEN
    else:
        yield "waiting files", facts.waiting.files
        if facts.waiting.since is not None:
            yield "the first waits for", one.now - facts.waiting.since
    yield "kept by slots", _bytes(max((slot.bytes for slot in facts.slots), default=0))


def _mode(facts: Facts) -> str:
    one = facts.server
    if one.mode == "off":
        return "off: there is no recovery to a point in time from an archive"
    if not one.runs:
        return f"{one.mode}, once this standby has been promoted"
    return f"{one.mode}, FAILING" if one.failing else one.mode


def _since(when: datetime | None) -> str:
    return f" since {when:%Y-%m-%d %H:%M}" if when else ""


def _bytes(count: int) -> str:
    from wnadmin.render.cells import quantity

    return quantity(count, "bytes")


def archives(facts: Facts, seen: Sequence[Seen]) -> Iterator[tuple[Cell, ...]]:
    """One row an archive: what the server says of its own, what the folder holds, and what each tool says."""
    one = facts.server
    trouble = ""
    if one.failing:
        trouble = f"the last attempt failed at {one.failed_at:%Y-%m-%d %H:%M:%S}Z"
    elif one.runs and not facts.command.program:
        trouble = "nothing archives: neither archive_command nor archive_library is set"
    age = one.now - one.archived_at if one.archived_at else None
    yield "server", None, one.archived, age, trouble or None
    if facts.folder is not None:
        first, last, until = ends(facts.folder)
        yield FOLDER, first, last, one.now - until if until else None, "; ".join(troubles(facts.folder)) or None
    elif facts.command.folder:
        yield FOLDER, None, None, None, facts.blind
    for tool in seen:
        newest = max((kept.finished for kept in tool.kept if kept.finished), default=None)
        yield (
            f"{tool.tool} {tool.version}".strip(),
            tool.archive_first or None,
            tool.archive_last or None,
            one.now - newest if newest else None,
            tool.trouble or None,
        )


def ends(folder: Folder) -> tuple[str | None, str | None, datetime | None]:
    """Name the oldest and the newest segment in a folder, and when the newest was written."""
    held = [line for line in folder.timelines if line.runs]
    if not held:
        return None, None, None
    first, last = held[0], held[-1]
    return (
        Segment(first.number, first.runs[0].first).name(folder.size),
        Segment(last.number, last.runs[-1].last).name(folder.size),
        last.runs[-1].until,
    )


def troubles(folder: Folder) -> Iterator[str]:
    """Say what is wrong with a folder, in a few words each."""
    holes = list(folder.gaps())
    if holes:
        count = sum(last.number - first.number + 1 for first, last in holes)
        yield f"{segments(count)} missing from {holes[0][0].name(folder.size)} on"
    if folder.short:
        yield f"{segments(len(folder.short))} not whole, such as {folder.short[0]}"
    if folder.foreign:
        yield folder.foreign[0]
    if folder.damaged:
        yield f"cannot be read: {', '.join(folder.damaged[:3])}"
    for line in folder.timelines:
        if line.before is None and f"{line.number:08X}.history" not in folder.damaged:
            yield f"{line.number:08X}.history is missing"


def segments(count: int) -> str:
    """Count them in words."""
    return "1 segment" if count == 1 else f"{count:,} segments"


def backups(folder: Folder | None, seen: Sequence[Seen]) -> list[tuple[Kept, Reach | None]]:
    """Give all base backups, the newest first; with those that the folder has a label of, how far their WAL leads.

    Those of pg_basebackup are known by what they leave in the archive; where their files are nobody says.
    """
    found: list[tuple[Kept, Reach | None]] = []
    for base in folder.bases if folder is not None else ():
        label = base.label
        reach = folder.reach(base) if folder is not None else None
        trouble = ""
        if reach is not None and reach.to is None:
            trouble = "its own WAL is not whole: it cannot be restored from this folder"
        kind = "incremental" if label.base else "full"
        kept = Kept(
            FOLDER,
            base.file[:24],
            label.label,
            kind,
            label.started,
            base.finished,
            label.first,
            label.last,
            None,
            trouble,
        )
        found.append((kept, reach))
    found += [(kept, None) for tool in seen for kept in tool.kept]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda pair: (pair[0].finished or oldest, pair[0].last_wal), reverse=True)


def _backup(one: tuple[Kept, Reach | None], now: datetime) -> tuple[Cell, ...]:
    kept, reach = one
    return (
        kept.tool,
        kept.name,
        kept.label,
        kept.kind,
        now - kept.finished if kept.finished else None,
        kept.bytes,
        kept.first_wal,
        reach.until if reach is not None else None,
        kept.trouble or ("" if reach is None or reach.gap is None else "a hole ends it") or None,
    )


def _of_folder(folder: Folder) -> Iterator[Table]:
    holes = list(folder.gaps())
    if len(folder.timelines) > 1 or holes:
        rows: list[tuple[Cell, ...]] = []
        for line in folder.timelines:
            before = line.before[-1] if line.before else None
            first, last = (line.runs[0].first, line.runs[-1].last) if line.runs else (None, None)
            rows.append(
                (
                    str(line.number),
                    "unknown" if line.before is None else str(before.timeline) if before else None,
                    names.shown(before.at) if before else None,
                    line.segments,
                    line.missing,
                    None if first is None else Segment(line.number, first).name(folder.size),
                    None if last is None else Segment(line.number, last).name(folder.size),
                )
            )
        yield Table("timelines", _TIMELINES, tuple(rows), title="Timelines in the folder")
    if holes:
        shown = tuple(
            (first.name(folder.size), last.name(folder.size), last.number - first.number + 1) for first, last in holes
        )
        yield Table("holes", _HOLES, shown, title="Holes in the folder")


def _notes(facts: Facts) -> Iterator[str]:
    if facts.folder is None and facts.blind:
        yield f"No archive folder was read: {facts.blind}."
    if facts.waiting is None:
        yield f"What waits in pg_wal is hidden from this login; to see it: {look.GRANT}{facts.rights.login}"
    found = facts.folder
    if found is None:
        return
    if not found.owner:
        yield f"{found.path} has no {STAMP}: it was not made by `wnadmin backup wal config`."
    if found.needless:
        yield (
            f"{len(found.needless)} partial segments are not needed: the next timeline has all of them, "
            f"such as {found.needless[0]}."
        )
    if found.partials:
        yield f"{len(found.partials)} partial segments are the end of a timeline, such as {found.partials[0]}."
    if found.leftovers:
        yield f"{len(found.leftovers)} files are what killed archive commands left, such as {found.leftovers[0]}."
    if found.strange:
        yield f"{found.strange:,} files in {found.path} are none of WAL's."


def _named(archive: Path | None) -> str:
    return f" --archive {shlex.quote(str(archive))}" if archive else ""
