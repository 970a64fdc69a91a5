"""What the server says about its WAL and its archiver."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from wnadmin.domain.wal import folder, names, script
from wnadmin.domain.wal.folder import Folder
from wnadmin.domain.wal.names import Segment
from wnadmin.errors import Blind, Refused
from wnadmin.postgres.database import Database

COMMAND: Final = "wnadmin-archive"
"""What the shipped archive command is called, in its own words and where it is written unless told otherwise."""

GRANT: Final = "GRANT pg_monitor TO "

SECONDS: Final = 60.0
"""How long a folder may take to be read; where it is mounted from may be gone."""


@dataclass(frozen=True, slots=True)
class Server:
    """A row of ``queries/wal/archiver``.

    ``command`` is None where the server hides it (archive_mode is off), ``timeout`` is archive_timeout in seconds,
    ``segment`` the size of a segment in bytes, ``reached`` the LSN that is written (on a standby: received).
    """

    recovering: bool
    mode: str
    command: str | None
    library: str
    level: str
    timeout: int
    segment: int
    system: str
    timeline: int
    reached: str
    archived_count: int
    archived: str | None
    archived_at: datetime | None
    failed_count: int
    failed: str | None
    failed_at: datetime | None
    counted_since: datetime | None
    now: datetime

    @property
    def runs(self) -> bool:
        """Whether this server archives now: a standby does so with ``always`` only."""
        return self.mode == "always" or (self.mode == "on" and not self.recovering)

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self.failed_at is not None and (self.archived_at is None or self.failed_at > self.archived_at)

    @property
    def last(self) -> names.File | None:
        """What the name of the last archived file says."""
        return names.parse(self.archived or "", self.segment)

    @property
    def writes(self) -> Segment:
        """The segment that is written now."""
        return Segment(self.timeline, names.lsn(self.reached) // self.segment)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Finished files that wait for the archiver; ``first`` is '' and ``since`` None when there is none."""

    files: int
    first: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Process:
    """The archiver; ``busy`` while it waits for its command."""

    pid: int
    started: datetime
    busy: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot that keeps WAL, and how many bytes of it."""

    name: str
    type: str
    active: bool
    status: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Rights:
    """What this login may do; ``proves``: run a program as the server's user, and read and write files so."""

    login: str
    proves: bool
    switches: bool


@dataclass(frozen=True, slots=True)
class Command:
    """The archive command as far as it may be told: its program, and the folder when it is the shipped one."""

    program: str
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was seen. ``waiting`` is None where this login may not see it.

    ``folder`` is None where there is none to read, and ``blind`` says why; ``behind`` what is in the way of a look
    at the waiting files.
    """

    server: Server
    waiting: Waiting | None
    slots: tuple[Slot, ...]
    rights: Rights
    command: Command
    folder: Folder | None
    blind: str

    @property
    def pending(self) -> int | None:
        """Bytes of WAL that are written and not archived; None where that cannot be known."""
        reached = names.lsn(self.server.reached)
        if self.waiting is not None:
            first = names.parse(self.waiting.first, self.server.segment)
            if first is None or first.kind != "segment":
                return reached % self.server.segment
            return max(reached - first.number * self.server.segment, 0)
        last = self.server.last
        if last is None or last.kind != "segment" or last.timeline != self.server.timeline:
            return None
        return max(reached - (last.number + 1) * self.server.segment, 0)


def look(db: Database, archive: Path | None) -> Facts:
    """Look at the server, and at the folder ``archive``, or at the one that the shipped command names.

    Refused when the folder that was asked for cannot be read.
    """
    server = db.rows("queries/wal/archiver", Server)[0]
    by = command(server)
    found, blind = _folder(archive, by, server)
    return Facts(
        server,
        waiting(db),
        tuple(db.rows("queries/wal/slots", Slot)),
        db.rows("queries/wal/rights", Rights)[0],
        by,
        found,
        blind,
    )


def server(db: Database) -> Server:
    """Look at the archiver alone."""
    return db.rows("queries/wal/archiver", Server)[0]


def waiting(db: Database) -> Waiting | None:
    """Look at what waits; None where this login may not."""
    try:
        return db.rows("queries/wal/waiting", Waiting)[0]
    except Blind:
        return None


def command(server: Server) -> Command:
    """Tell what archives, without the arguments: they may hold a secret."""
    return Command(server.library) if server.library else told(server.command or "")


def told(text: str) -> Command:
    """The same of the text of an archive_command."""
    words = split(text)
    program = next((word for word in words if not re.match(r"[A-Za-z_]\w*=", word)), "")
    return Command(os.path.basename(program), words[-1].replace("%%", "%") if _is_shipped(words) else "")


def _is_shipped(words: list[str]) -> bool:
    """Whether these are the words of the shipped command: program, perhaps a time limit, PATH and DIR."""
    if len(words) not in (3, 5) or (len(words) == 5 and words[1] != "-t"):
        return False
    path, into = words[-2], words[-1]
    if path != "%p" or not into.startswith("/") or "%" in into.replace("%%", ""):
        return False
    return os.path.basename(words[0]) == COMMAND or script.is_ours(Path(words[0]))


def split(text: str) -> list[str]:
    """Split an archive command as the shell will; empty when it cannot be."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        lexer.commenters = ""
        return list(lexer)
    except ValueError:
        return []


def _folder(wanted: Path | None, by: Command, server: Server) -> tuple[Folder | None, str]:
    path = wanted or (Path(by.folder) if by.folder else None)
    if path is None:
        return None, "no folder is named: --archive DIR"
    try:
        return folder.within(SECONDS, path, server.segment, server.system), ""
    except OSError as error:
        if wanted is not None:
            raise Refused(
                f"cannot read the archive {path}",
                why=f"{error.strerror}.",
                next="Name a folder that this user can read, on this machine.",
            ) from None
        return None, f"{path} cannot be read here: {(error.strerror or '').lower()}"
