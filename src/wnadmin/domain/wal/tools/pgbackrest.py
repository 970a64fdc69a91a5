"""pgBackRest, by `pgbackrest info --output=json`: the one of its outputs that its makers keep stable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wnadmin.domain.wal.tools import fields
from wnadmin.domain.wal.tools.ask import Limit, ask, one_line, program
from wnadmin.domain.wal.tools.values import STRANGE, UNKNOWN, Found, Kept, found

TOOL: Final = "pgBackRest"
# Looking leaves no log, and only what went wrong is said beside the JSON.
_QUIET: Final = ("--log-level-console=off", "--log-level-stderr=warn", "--log-level-file=off")
_KINDS: Final = {"full": "full", "diff": "differential", "incr": "incremental"}
_VERSION: Final = re.compile(r"\d+\.\d+[.\w]*")
_OK: Final = 0
_NO_STANZA: Final = 1
_LEGIBLE: Final = (0, 1, 2, 3)
"""With these statuses an archive that is not listed is not there: well, no stanza, no backup, no data."""


@dataclass(slots=True)
class Info:
    """What `info` says. ``archives`` are the first and last segment of each stanza; ``blind`` is when one is unread."""

    kept: list[Kept] = field(default_factory=list)
    archives: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    blind: bool = False


def look(names: Sequence[str], limit: Limit) -> Found | None:
    """Ask for these stanzas, or all; None when pgBackRest is not installed."""
    path = program("pgbackrest")
    if path is None:
        return None
    version = ask([path, "version"], limit)
    release = _VERSION.search(version.out) if not version.complaint() else None
    info = Info()
    wanted: Sequence[str | None] = names or [None]
    for name in wanted:
        words = [path, *_QUIET, "info", "--output=json", *([f"--stanza={name}"] if name else [])]
        said = ask(words, limit)
        document, is_json = fields.document(said.out)
        if not is_json or not isinstance(document, list):
            info.troubles.append(said.no_json())
            info.blind = True
            if said.trouble:
                break
            continue
        if complaint := said.complaint():
            info.troubles.append(complaint)
        if fields.strange(document):
            info.troubles.append(STRANGE)
            info.blind = True
        read(document, info, asked=name)
    if not names and not info.kept and not info.troubles:
        info.troubles.append("No stanzas exist in the repository")
    return found(
        TOOL,
        release[0] if release else UNKNOWN,
        kept=info.kept,
        archives=None if info.blind else info.archives,
        troubles=info.troubles,
        absent=info.absent,
    )


def read(document: object, info: Info, asked: str | None = None) -> None:
    """Read what `info` printed into ``info``; ``asked`` is the one stanza it was asked for."""
    for stanza in fields.objects(document):
        name = asked or fields.text(stanza.get("name"))
        info.kept += [_backup(name, one) for one in reversed(fields.objects(stanza.get("backup")))]
        if archive := _archive(stanza):
            info.archives.append(archive)
        elif fields.number(fields.inside(stanza, "status", "code")) not in _LEGIBLE:
            info.blind = True
        words = _trouble(stanza)
        if asked and fields.number(fields.inside(stanza, "status", "code")) == _NO_STANZA:
            info.absent[asked] = words
        elif words:
            # Where not even the list of stanzas could be read, there is an entry with a name that is none.
            info.troubles.append(words if name == "[invalid]" else f"{name}: {words}")


def _backup(name: str, one: Mapping[str, object]) -> Kept:
    return Kept(
        tool=TOOL,
        name=name,
        label=fields.text(one.get("label")),
        kind=_KINDS.get(fields.text(one.get("type")), UNKNOWN),
        started=fields.moment(fields.inside(one, "timestamp", "start")),
        finished=fields.moment(fields.inside(one, "timestamp", "stop")),
        first_wal=fields.segment(fields.inside(one, "archive", "start")),
        last_wal=fields.segment(fields.inside(one, "archive", "stop")),
        bytes=fields.number(fields.inside(one, "info", "repository", "delta")),
        # Pages whose checksum did not fit; `info --set` names the files.
        trouble="error(s) detected during backup" if one.get("error") is True else "",
    )


def _archive(stanza: Mapping[str, object]) -> tuple[str, str] | None:
    """The archive of the cluster as it is now, over all repositories; None when it holds nothing.

    After a major upgrade the archive of the cluster as it was stays beside it, with a lower number. Each repository
    counts for itself.
    """
    now: dict[object, tuple[int, Mapping[str, object]]] = {}
    for one in fields.objects(stanza.get("archive")):
        repository = fields.number(fields.inside(one, "database", "repo-key"))
        number = fields.number(fields.inside(one, "database", "id")) or 0
        if repository not in now or number > now[repository][0]:
            now[repository] = number, one
    filled = [one for _, one in now.values() if one.get("min") is not None or one.get("max") is not None]
    if not filled:
        return None
    firsts = [fields.segment(one.get("min")) for one in filled]
    lasts = [fields.segment(one.get("max")) for one in filled]
    return (
        UNKNOWN if UNKNOWN in firsts else min(firsts),
        UNKNOWN if UNKNOWN in lasts else max(lasts),
    )


def _trouble(stanza: Mapping[str, object]) -> str:
    """What is wrong with a stanza: its status, or that of each repository where they are several."""
    code = fields.number(fields.inside(stanza, "status", "code"))
    if code == _OK:
        return ""
    repositories = [
        (fields.inside(one, "key"), fields.text(fields.inside(one, "status", "message")))
        for one in fields.objects(stanza.get("repo"))
        if fields.number(fields.inside(one, "status", "code")) != _OK
    ]
    several = len(fields.objects(stanza.get("repo"))) > 1
    words = [f"repo{key}: {message}" if several else message for key, message in repositories]
    message = fields.text(fields.inside(stanza, "status", "message"))
    return one_line(", ".join(words) or (f"status {message}" if message == UNKNOWN else message))
