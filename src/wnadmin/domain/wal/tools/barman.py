"""Barman, by `barman --format json list-backups` and, for the WAL of each backup, `show-backup`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from wnadmin.domain.wal.tools import fields
from wnadmin.domain.wal.tools.ask import Limit, Said, ask, one_line, program
from wnadmin.domain.wal.tools.values import STRANGE, UNKNOWN, Found, Kept, found

TOOL: Final = "Barman"
_KINDS: Final = {"full": "full", "rsync": "full", "snapshot": "full", "incremental": "incremental"}
"""A backup by rsync shares files with the one before it, but each can be restored by itself."""
_FIRST_WITH_KINDS: Final = (3, 11)
_AT_ONCE: Final = 4
_VERSION: Final = re.compile(r"(\d+)\.(\d+)[.\w]*")
_CAUSE: Final = re.compile(r"^\w*(?:Error|Exception): \S.*$", re.MULTILINE)


def look(names: Sequence[str], limit: Limit) -> Found | None:
    """Ask for these servers, or all that are active; None when Barman is not installed."""
    path = program("barman")
    if path is None:
        return None
    version = _VERSION.match(ask([path, "--version"], limit).out)
    said = ask([path, "--format", "json", "list-backups", "--", *(names or ["all"])], limit)
    listed, is_json = fields.document(said.out)
    release = version[0] if version else UNKNOWN
    if not is_json or not isinstance(listed, dict):
        return found(TOOL, release, troubles=[said.no_json()])
    servers = {name: value for name, value in listed.items() if not name.startswith("_")}
    absent = {name: _about(name, listed) for name in names if name not in servers}
    troubles = complaints(said, listed, absent)
    spoke = bool(troubles)
    if not names and not servers and not spoke:
        troubles.append("no server is configured")
    kept: list[Kept] = []
    archives: list[tuple[str, str]] = []
    old = version is not None and (int(version[1]), int(version[2])) < _FIRST_WITH_KINDS
    wanted = [
        (name, one, fields.text(one.get("backup_id"))) for name, each in servers.items() for one in fields.objects(each)
    ]
    details = _details(path, [(name, label) for name, _, label in wanted], limit, troubles)
    for server in servers:
        mine = [(one, details.get((name, label))) for name, one, label in wanted if name == server]
        kept += [backup(server, one, detail, kinds=not old) for one, detail in mine]
        if archive := _archive([detail for _, detail in mine]):
            archives.append(archive)
        if fields.strange(servers[server]):
            troubles.append(f"{server}: {STRANGE}")
            spoke = True
        elif not mine and not spoke:
            troubles.append(f"{server}: no backups")
    return found(
        TOOL, release, kept=kept, archives=archives or (None if spoke else []), troubles=troubles, absent=absent
    )


def backup(server: str, listed: Mapping[str, object], detail: object, *, kinds: bool) -> Kept:
    """Read a backup from its line in the list and what `show-backup` says of it; None when that said nothing.

    ``kinds`` is whether this Barman tells full and incremental backups apart; an older one has only full ones.
    """
    base = fields.inside(detail, "base_backup_information")
    kind = listed.get("backup_type") or fields.inside(detail, "backup_type")
    status = fields.text(listed.get("status"))
    error = fields.inside(detail, "error")
    sizes = [fields.inside(base, key) for key in ("backup_size_bytes", "incremental_size_bytes", "disk_usage_bytes")]
    reason = f"{status}: {one_line(error)}" if isinstance(error, str) and error else status
    return Kept(
        tool=TOOL,
        name=server,
        label=fields.text(listed.get("backup_id")),
        kind=_KINDS.get(fields.text(kind), UNKNOWN) if kind is not None or kinds else "full",
        started=_moment(base, "begin_time"),
        finished=_moment(base, "end_time") or fields.moment(listed.get("end_time_timestamp")),
        first_wal=fields.segment(fields.inside(base, "begin_wal")),
        last_wal=fields.segment(fields.inside(base, "end_wal")),
        bytes=next((size for size in map(fields.number, sizes) if size is not None), None),
        trouble="" if status == "DONE" else f"status {reason}" if status == UNKNOWN else reason,
    )


def complaints(said: Said, answer: Mapping[str, object], absent: Mapping[str, str]) -> list[str]:
    """What went wrong, from the JSON itself; what is said of ``absent`` names is left to them."""
    words = [one_line(each) for each in fields.texts(answer.get("_ERROR")) if one_line(each) not in absent.values()]
    for each in fields.texts(answer.get("_EXCEPTION")):
        first = one_line(each.partition("\n")[0])
        # Some say only which file it was about; where its log goes to stderr, the cause stands there.
        cause = _CAUSE.search(said.err)
        words.append(f"{first} ({one_line(cause[0])})" if cause and cause[0] not in first else first)
    return words or ([said.complaint()] if said.complaint() and not absent else [])


def _details(
    path: str, wanted: Sequence[tuple[str, str]], limit: Limit, troubles: list[str]
) -> dict[tuple[str, str], object]:
    """Ask about each backup, several at once; what cannot be had in time is a trouble and stays unknown."""

    def show(one: tuple[str, str]) -> Said:
        return ask([path, "--format", "json", "show-backup", "--", *one], limit)

    with ThreadPoolExecutor(_AT_ONCE) as at_once:
        try:
            answers = list(at_once.map(show, wanted))
        except BaseException:
            limit.stop()
            raise
    details: dict[tuple[str, str], object] = {}
    for (server, label), said in zip(wanted, answers, strict=True):
        document, is_json = fields.document(said.out)
        detail = fields.inside(document, server)
        if isinstance(detail, dict):
            details[server, label] = detail
            continue
        words = complaints(said, document, {}) if isinstance(document, dict) else []
        reason = words[0] if words else said.complaint() if is_json else said.no_json()
        troubles.append(f"{server} {label}: {reason or 'show-backup says nothing of it'}")
    return details


def _archive(details: Sequence[object]) -> tuple[str, str] | None:
    """From the oldest backup's first segment to the last one: Barman drops the WAL before its oldest backup."""
    if None in details:
        return UNKNOWN, UNKNOWN
    bases = [fields.segment(fields.inside(one, "base_backup_information", "begin_wal")) for one in details]
    lasts = [fields.segment(fields.inside(one, "wal_information", "last_available")) for one in details]
    known, ends = ([each for each in one if each != UNKNOWN] for one in (bases, lasts))
    return (min(known), max(ends)) if known and ends else None


def _about(name: str, answer: Mapping[str, object]) -> str:
    """What Barman said of a server that it does not list."""
    said = [one_line(each) for key in ("_ERROR", "_WARNING", "_INFO") for each in fields.texts(answer.get(key))]
    return next((words for words in said if f"'{name}'" in words), f"Unknown server '{name}'")


def _moment(base: object, key: str) -> datetime | None:
    # The text says its zone. The number of an older Barman takes it for the machine's own.
    return fields.moment(fields.inside(base, key)) or fields.moment(fields.inside(base, f"{key}_timestamp"))
