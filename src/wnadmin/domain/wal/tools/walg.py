"""WAL-G, by `wal-g backup-list --detail --json` and `wal-g wal-show --detailed-json`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from wnadmin.domain.wal.tools import fields
from wnadmin.domain.wal.tools.ask import Limit, Said, ask, one_line, program
from wnadmin.domain.wal.tools.values import STRANGE, UNKNOWN, Found, Kept, found

TOOL: Final = "WAL-G"
_BACKUP: Final = re.compile(r"base_([0-9A-F]{24})(_D_[0-9A-F]{24})?(?:_.*)?")
_PREFIX: Final = re.compile(r"(?:WALG|WALE)_(?:S3|FILE|GS|AZ|SWIFT|SSH)_PREFIX")
_VERSION: Final = re.compile(r"\bv?(\d+\.\d+[.\w-]*)")
# A build of it may write these on stdout, above the document.
_LOG: Final = re.compile(r"^(?:INFO|WARNING|DEBUG): .*$", re.MULTILINE)
_SIZES: Final = tuple(2**power for power in range(20, 31))
_MEGABYTES: Final = 16
_LOW: Final = 2**32 - 1


def look(names: Sequence[str], limit: Limit) -> Found | None:
    """Ask for what is under its prefix; None when WAL-G is not installed.

    It knows one prefix, that of its settings. ``names`` ask for it whole or by its last part; where it is kept in
    settings that are not read here, it is unknown and counts as asked for.
    """
    path = program("wal-g")
    if path is None:
        return None
    version = ask([path, "--version"], limit)
    matched = _VERSION.search(version.out) if not version.complaint() else None
    release = matched[1] if matched else UNKNOWN
    made_for = version.out.strip().split("\t")[-1] if version.out.count("\t") > 1 else "PostgreSQL"
    if made_for != "PostgreSQL":
        return found(TOOL, release, troubles=[f"this WAL-G is made for {one_line(made_for)}"])
    prefix, size = settings()
    absent = {
        name: f"its prefix is {prefix}"
        for name in names
        if prefix != UNKNOWN and name not in (prefix, prefix.rstrip("/").rpartition("/")[2])
    }
    if names and len(absent) == len(names):
        return found(TOOL, release, archives=[], absent=absent)
    listed = ask([path, "backup-list", "--detail", "--json"], limit)
    backups, troubles = _list(listed)
    kept = [backup(prefix, one, size) for one in reversed(backups)]
    archives: list[tuple[str, str]] | None = None
    if not troubles:
        shown = ask([path, "wal-show", "--detailed-json", "--without-backups"], limit)
        timelines, troubles = _list(shown)
        archives = archive(timelines, troubles) if timelines or not troubles else None
        if not kept:
            troubles.insert(0, "No backups found")
    return found(TOOL, release, kept=kept, archives=archives, troubles=troubles, absent=absent)


def settings() -> tuple[str, int]:
    """Where it keeps everything, without any credentials, and the bytes of a segment.

    The environment goes before its file, as it does for WAL-G itself. Other forms of the file are not read.
    """
    given: dict[str, object] = dict(os.environ)
    try:
        file, is_json = fields.document((Path.home() / ".walg.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        file, is_json = None, False
    if is_json and isinstance(file, dict):
        given = {**file, **given}
    prefixes = [fields.text(given[key]) for key in sorted(given, reverse=True) if _PREFIX.fullmatch(key)]
    megabytes = fields.number(given.get("WALG_PG_WAL_SIZE"))
    prefix = next((each for each in prefixes if each != UNKNOWN), UNKNOWN)
    return one_line(prefix), (megabytes or _MEGABYTES) * 2**20


def backup(prefix: str, one: Mapping[str, object], size: int) -> Kept:
    """Read one line of the list, for segments of ``size`` bytes. Only a backup that came to its end has a line."""
    label = fields.text(one.get("backup_name"))
    name = _BACKUP.fullmatch(label)
    first = fields.segment(one.get("wal_file_name"))
    if first == UNKNOWN and name:
        first = name[1]
    return Kept(
        tool=TOOL,
        name=prefix,
        label=label,
        kind=UNKNOWN if name is None else "incremental" if name[2] else "full",
        started=fields.moment(one.get("start_time")),
        finished=fields.moment(one.get("finish_time")),
        first_wal=first,
        last_wal=last_segment(first, fields.number(one.get("start_lsn")), fields.number(one.get("finish_lsn")), size),
        bytes=fields.number(one.get("compressed_size")),
        trouble="",
    )


def last_segment(first: str, start: int | None, finish: int | None, size: int) -> str:
    """The segment in which a backup ended, of which WAL-G says only the position.

    ``first`` and ``start`` tell whether segments have ``size`` bytes; where not, and no other size is certain from
    them, it is unknown.
    """
    if first == UNKNOWN or start is None or not finish or finish >= 2**64:
        return UNKNOWN
    high, low = int(first[8:16], 16), int(first[16:], 16)
    fitting = [each for each in _SIZES if start >> 32 == high and (start & _LOW) // each == low]
    # The position is behind the last byte: at a boundary that is still the segment before it.
    end = finish - 1
    answers = {each: f"{first[:8]}{end >> 32:08X}{(end & _LOW) // each:08X}" for each in fitting}
    others = set(answers.values())
    return answers.get(size) or (others.pop() if len(others) == 1 else UNKNOWN)


def archive(timelines: Sequence[Mapping[str, object]], troubles: list[str]) -> list[tuple[str, str]]:
    """From the first segment of the first timeline to the last of the last; what is lost between is a trouble."""
    ordered = sorted(timelines, key=lambda one: fields.number(one.get("id")) or 0)
    for one in ordered:
        status = fields.text(one.get("status"))
        lost = fields.texts(one.get("missing_segments"))
        if status != "OK":
            which = f" ({len(lost)}, the first {one_line(lost[0])})" if lost else ""
            number = fields.number(one.get("id"))
            troubles.append(one_line(f"timeline {UNKNOWN if number is None else number}: {status}{which}"))
    if not ordered:
        return []
    return [(fields.segment(ordered[0].get("start_segment")), fields.segment(ordered[-1].get("end_segment")))]


def _list(said: Said) -> tuple[list[Mapping[str, object]], list[str]]:
    """The list that it printed, and why it is none. Nothing at all, or null, is an empty one."""
    text = _LOG.sub("", said.out).strip() or "null"
    document, is_json = fields.document(text)
    if not is_json or said.complaint():
        return [], [said.no_json()]
    return fields.objects(document), [STRANGE] if document is not None and fields.strange(document) else []
