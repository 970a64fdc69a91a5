"""Bring a dump back into an empty database, and compare what came of it with what was promised."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.backup import carried, files, programs, proof
from wnadmin.domain.backup.values import Sidecar
from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target
from wnadmin.results import Progress

_OF_THE_KEY: Final = re.compile(r'identit|reading "|secret key|No matching keys')

UNEQUAL: Final = "what was restored is not what was dumped"

SESSION: Final = {
    # A database in read-only mode, or dumped in it, is restored all the same.
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "row_security": "off",
}
"""Settings of the sessions that pg_restore opens."""


@dataclass(frozen=True, slots=True)
class Means:
    """What is needed to read a dump: ``identity`` is the file with age's secret key, for an encrypted one."""

    identity: Path | None = None
    jobs: int = 1


def require_means(side: Sidecar, means: Means) -> None:
    """Refuse what cannot be read with these means; UsageError for jobs that a stream cannot have."""
    if side.encrypted and means.identity is None:
        raise Refused(
            f"{side.file} is encrypted",
            why=f"To {', '.join(side.recipients)}.",
            next="Name the file with the secret key: --identity FILE",
        )
    if side.encrypted:
        programs.age()
        if means.identity is not None and not os.access(means.identity, os.R_OK):
            raise Refused(f"cannot read the secret key in {means.identity}", next="Name another with --identity.")
        if means.jobs > 1:
            raise UsageError(
                "an encrypted dump is restored by one job",
                why="It is one stream, and never written to a disk.",
                next="Leave out --jobs.",
            )


def words(side: Sidecar, dump: Path, means: Means, *, single: bool, server_major: int) -> list[str]:
    """The command line of pg_restore, but for where it connects to."""
    tool = programs.tool("pg_restore", max(server_major, side.server_major))
    chosen = [str(tool.path), "--no-password", "--verbose", "--exit-on-error"]
    if single:
        chosen.append("--single-transaction")
    if means.jobs > 1:
        chosen.append(f"--jobs={means.jobs}")
    # An encrypted dump comes in through the pipe.
    return chosen if side.encrypted else [*chosen, str(dump)]


def restore(
    target: Target,
    user: str,
    dbname: str,
    side: Sidecar,
    dump: Path,
    means: Means,
    *,
    single: bool,
    server_major: int,
    progress: Progress,
    stopping: Callable[[], bool],
) -> int:
    """Run pg_restore into the empty database ``dbname`` as ``user``; gives the milliseconds. Raises Failed."""
    began = time.monotonic()
    where = programs.address(target, user=user, dbname=dbname, command="backup restore", options=SESSION)
    found = words(side, dump, means, single=single, server_major=server_major)
    tool = programs.tool("pg_restore", max(server_major, side.server_major))
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(programs.door(target, own=True, where=where))
        # Without a name of its own, --dbname would be taken for the file.
        chain = [programs.Program([found[0], f"--dbname={door.conninfo}", *found[1:]], {**door.env, **tool.env})]
        stdin = None
        if side.encrypted and means.identity is not None:
            chain.insert(0, programs.decrypt(means.identity))
            stdin = stack.enter_context(dump.open("rb", buffering=0))
        pipe = programs.Pipe(chain, stdin=stdin)
        tables = len(side.tables)
        seen: set[str] = set()

        def watch() -> None:
            if pipe.at:
                seen.add(pipe.at)
            progress(f"restore {pipe.at}", min(len(seen), tables), tables)

        pipe.wait(watch, stopping)
    return round((time.monotonic() - began) * 1000)


def read_through(side: Sidecar, dump: Path, means: Means, stopping: Callable[[], bool]) -> None:
    """Read an archive to its end without a server, and throw away what it says; raises Failed."""
    tool = programs.tool("pg_restore", side.server_major)
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, **tool.env}
    argv = [str(tool.path), "--file=/dev/null", *([] if side.encrypted else [str(dump)])]
    chain = [programs.Program(argv, {**env, "LC_ALL": "C"})]
    with contextlib.ExitStack() as stack:
        stdin = None
        if side.encrypted and means.identity is not None:
            chain.insert(0, programs.decrypt(means.identity))
            stdin = stack.enter_context(dump.open("rb", buffering=0))
        programs.Pipe(chain, stdin=stdin).wait(lambda: None, stopping)


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a comparison: what is ``wrong``, what is ``equal``, and what could not be told, in sentences."""

    wrong: tuple[str, ...]
    equal: tuple[str, ...]
    vague: tuple[str, ...]
    milliseconds: int

    @property
    def detail(self) -> str:
        """Say what was compared, and what could not be."""
        return "; ".join([*self.equal, *self.vague])


def compare(sessions: Sequence[Session], side: Sidecar, progress: Progress, stopping: Callable[[], bool]) -> Compared:
    """Hash the restored database and say where it differs."""
    found = proof.content(sessions, progress, stopping)
    wrong = proof.differences(side.tables, found.tables)
    lost, unsure = carried.judge_sequences(side.sequences, found.sequences)
    other, unread = carried.judge_objects(side.large_objects, found.objects)
    rows, seconds = sum(one.rows for one in found.tables), found.milliseconds / 1000
    equal = [f"{rows:,} rows of {len(found.tables)} tables are the dumped ones, hashed in {seconds:.1f} s"]
    if (count := len(found.sequences)) and not unsure:
        equal.append(
            f"{count:,} sequences stand where they stood" if count > 1 else "one sequence stands where it stood"
        )
    if (count := found.objects.count) and not unread:
        equal.append(
            f"{count:,} large objects are the dumped ones" if count > 1 else "one large object is the dumped one"
        )
    return Compared((*wrong, *lost, *other), tuple(equal), (*unsure, *unread), found.milliseconds)


def promises_less(side: Sidecar) -> list[str]:
    """Say what of a backup nothing can be proven of, however it is restored."""
    said = [f"{one.path} was set back or went round during the dump" for one in side.sequences if carried.is_vague(one)]
    if side.large_objects.count and side.large_objects.hash is None:
        said.append(f"{side.large_objects.count:,} large objects are only counted")
    return said


def require_sidecar(kept: files.Kept) -> Sidecar:
    """Give the sidecar of a backup; Refused when there is none that can be believed, or no dump."""
    if kept.sidecar is None or kept.trouble:
        raise Refused(
            f"{kept.place.dump} is no whole backup",
            why=f"{kept.trouble[:1].upper()}{kept.trouble[1:]}.",
            next=f"See what is there: wnadmin backup list {kept.place.dump.parent}",
        )
    return kept.sidecar


def short(text: Sequence[str], most: int = 5) -> str:
    """Give the first of many sentences as one, and say how many more there are."""
    more = f"; and {len(text) - most} more" if len(text) > most else ""
    return "; ".join(text[:most]) + more


def is_about_the_key(error: Failed) -> bool:
    """Whether a failure says something of the key that was named, and nothing of the backup."""
    return error.what.startswith(("age failed", "rage failed")) and _OF_THE_KEY.search(error.what) is not None


def unequal(said: Sequence[str]) -> Failed:
    """The error for a restored database with another content."""
    return Failed(
        f"{UNEQUAL}: {short(said)}",
        why="It differs from the counts and hashes that were taken in the dump's own snapshot.",
        next="Do not rely on this backup; make a new one, and drill that.",
    )
