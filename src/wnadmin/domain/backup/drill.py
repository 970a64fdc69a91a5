"""`backup drill`: a backup is restored into a scratch database, compared row for row, and thrown away again."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from wnadmin.domain.backup import after, bring, files, statements, verify
from wnadmin.domain.backup.bring import Means
from wnadmin.domain.backup.files import Kept
from wnadmin.domain.backup.values import Level, Sidecar
from wnadmin.domain.backup.yard import Yard, connected, make_roles, private
from wnadmin.errors import Failed, NoConnection, Refused, UsageError
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Inputs, Plan, Progress, Receipt, Severity, Step, World

PREFIX: Final = "wnadmin_drill_"
"""What the name of every scratch database begins with; the moment of its making and chance follow."""

_KEY: Final = "drill"
_MOMENT: Final = re.compile(rf"{PREFIX}(\d{{14}})_[0-9a-f]{{8}}")
_ENVIRONMENT: Final = re.compile(r"No space left|could not extend file|disk full|quota|out of shared memory", re.I)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a restore showed. ``restore_ms`` is until the database could be used: the RTO of this backup."""

    findings: tuple[Finding, ...]
    restore_ms: int
    hash_ms: int


@dataclass(frozen=True, slots=True)
class _Scratch:
    name: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Place:
    """Whether a database is there, and what this login may do on the server."""

    present: bool
    superuser: bool
    standby: bool


def scratch_name() -> str:
    """Make up a name for a scratch database; nothing an operator typed is in it."""
    return f"{PREFIX}{datetime.now(UTC):%Y%m%d%H%M%S}_{secrets.token_hex(4)}"


def attempt(
    yard: Yard,
    kept: Kept,
    side: Sidecar,
    means: Means,
    wanted: Level,
    *,
    name: str,
    progress: Progress,
    stopping: Callable[[], bool],
) -> Trial:
    """Restore into the scratch database ``name``, compare, look, and drop it in every case.

    Raises Failed when it does not restore or is not equal.
    """
    label = kept.place.dump.name
    admin = yard.open("")
    began = time.monotonic()
    try:
        admin.run(statements.drop_database(name))
        admin.run(statements.create_database(side.database, name, admin.version // 10000), doing="create the scratch")
        admin.run(statements.close_to_others(name))
        bring.restore(
            yard.target,
            admin.user,
            name,
            side,
            kept.place.dump,
            means,
            single=False,
            server_major=admin.version // 10000,
            progress=progress,
            stopping=stopping,
        )
        restored = round((time.monotonic() - began) * 1000)
        found = [verify.finding("restore", "ok", f"restored on {yard.where} in {restored / 1000:.1f} s", label)]
        hashed = 0
        if wanted == "content":
            sessions = [yard.open(name) for _ in range(max(1, means.jobs))]
            try:
                compared = bring.compare(sessions, side, progress, stopping)
                if compared.wrong:
                    raise bring.unequal(compared.wrong)
                hashed = compared.milliseconds
                severity: Severity = "unknown" if compared.vague else "ok"
                found.append(verify.finding("content", severity, compared.detail, label))
                found += after.look(Database(sessions[0]), side)
            finally:
                for one in sessions:
                    one.close()
        return Trial(tuple(found), restored, hashed)
    finally:
        progress("drop the scratch database", 0, 0)
        _drop(admin, yard, name)


def _drop(admin: Session, yard: Yard, name: str) -> None:
    try:
        session = admin if admin.alive else yard.open("")
        session.run(statements.drop_database(name), doing=f"drop {name}")
    finally:
        admin.close()


def trial_on_private(means: Means, wanted: Level, progress: Progress) -> Callable[[Kept, Sidecar], list[Finding]]:
    """Give the trial of `backup verify`: on a private server, and every failure told as a finding."""

    def trial(kept: Kept, side: Sidecar) -> list[Finding]:
        label = kept.place.dump.name
        try:
            bring.require_means(side, means)
            with private(side.server_major, progress) as yard:
                make_roles(yard, side, lambda: False)
                done = attempt(
                    yard,
                    kept,
                    side,
                    means,
                    wanted,
                    name=scratch_name(),
                    progress=progress,
                    stopping=lambda: False,
                )
            return list(done.findings)
        except (Refused, UsageError, NoConnection) as error:
            return [verify.finding("restore", "unknown", f"it could not be tried: {error.what}", label, error.next)]
        except Failed as error:
            return failure(error, label)

    return trial


def failure(error: Failed, label: str) -> list[Finding]:
    """Tell a failed trial as findings: a full disk or another key says nothing about the backup."""
    if _ENVIRONMENT.search(f"{error.what} {error.why}") or bring.is_about_the_key(error):
        return [verify.finding("restore", "unknown", f"it could not be tried: {error.what}", label, error.next)]
    if error.what.startswith(bring.UNEQUAL):
        return [
            verify.finding("restore", "ok", "it was restored", label),
            verify.finding("content", "critical", error.what, label, error.next),
        ]
    return [verify.finding("restore", "critical", f"it does not restore: {error.what}", label, "Make a new backup.")]


def latest(folder: Path) -> files.Place:
    """Find the newest whole backup of a folder; Refused when there is none."""
    whole = [(one.sidecar.snapshot_at, one.place) for one in files.kept(folder) if one.sidecar and not one.trouble]
    if not whole:
        raise Refused(f"there is no whole backup in {folder}", next=f"wnadmin backup create --to {folder}")
    return max(whole, key=lambda pair: pair[0])[1]


def plan(
    connections: Connections | None, place: files.Place, means: Means, inputs: Inputs, *, on_private: bool
) -> Plan:
    """Describe a drill of one backup."""
    kept = files.look(place)
    side = bring.require_sidecar(kept)
    bring.require_means(side, means)
    known = inputs.get("scratch")
    name = known if isinstance(known, str) and _MOMENT.fullmatch(known) else scratch_name()
    effects = [
        f"{side.bytes / 2**20:,.1f} MiB are restored, compared row for row with {side.snapshot_at:%Y-%m-%d %H:%M} "
        "UTC, and dropped again."
    ]
    if on_private:
        effects.append("It happens on a private server that is removed afterwards; the connected one is not touched.")
    elif connections is None:
        raise NoConnection(
            "no server is named to drill on", next="Name one with --dsn, or use a server of your own: --private"
        )
    else:
        effects += _require_yard(connections)
    outcome: list[Finding] = []

    def run(world: World) -> Receipt:
        began, age = time.monotonic(), datetime.now(UTC) - side.snapshot_at
        try:
            # The bytes are read beside the restore, which reads them too and mostly waits for the server.
            with ThreadPoolExecutor(1) as beside, _yard(connections, side, world, on_private=on_private) as yard:
                reading = beside.submit(verify.file_level, kept)
                done = attempt(
                    yard,
                    kept,
                    side,
                    means,
                    "content",
                    name=name,
                    progress=world.progress,
                    stopping=world.stopping,
                )
                bytes_ = reading.result()
        except Failed as error:
            if not world.stopping():
                told = failure(error, kept.place.dump.name)
                verify.remember(kept, None, "content", told)
            raise
        outcome.extend(done.findings)
        outcome.extend(bytes_)
        outcome.append(_objectives(done, age, side))
        shown = [*bytes_, verify.finding("archive", "ok", "it was restored", side.file), *done.findings]
        note = verify.remember(kept, verify.reached(shown), "content", shown)
        if note:
            world.progress(note, 0, 0)
        return Receipt(
            _KEY,
            side.rows,
            round((time.monotonic() - began) * 1000),
            {
                "path": str(place.dump),
                "sidecar_sha256": kept.sha256,
                "rto_milliseconds": done.restore_ms,
                "rpo_seconds": round(age.total_seconds()),
                "hash_milliseconds": done.hash_ms,
                "tables": len(side.tables),
            },
        )

    return Plan(
        f"Drill {place.dump}",
        (
            Step(
                _KEY,
                "Restore into a scratch database, compare, drop it",
                (
                    f'CREATE DATABASE "{name}" TEMPLATE template0 …;',
                    " ".join(bring.words(side, place.dump, means, single=False, server_major=side.server_major)),
                    f'DROP DATABASE "{name}" WITH (FORCE);',
                ),
                run,
            ),
        ),
        effects=tuple(effects),
        inputs={"scratch": name, "path": str(place.dump)},
        verify=lambda: [*outcome, *_gone(connections, name, on_private=on_private)],
        target="" if on_private else "a drill",
        node="any",
        next=f"wnadmin backup list {place.dump.parent}",
    )


@contextlib.contextmanager
def _yard(connections: Connections | None, side: Sidecar, world: World, *, on_private: bool) -> Iterator[Yard]:
    if on_private or connections is None:
        with private(side.server_major, world.progress) as yard:
            make_roles(yard, side, world.stopping)
            yield yard
    else:
        yield connected(connections)


def _require_yard(connections: Connections) -> list[str]:
    with connections.open(connections.target.at(connections.target.admin_database)) as session:
        db = Database(session)
        require_superuser(db.rows("queries/backup/place", Place, dbname="")[0], session.user, "--private")
        left = db.rows("queries/backup/scratch", _Scratch, prefix=PREFIX)
    said = ["It happens beside the databases of the connected server, and takes their disk and their time."]
    for one in left:
        made = _MOMENT.fullmatch(one.name)
        if made is None:
            continue
        since = datetime.strptime(made[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        hours = (datetime.now(UTC) - since).total_seconds() / 3600
        if one.sessions:
            said.append(f"{one.name} is a drill at work since {hours:.1f} h.")
        else:
            said.append(f'{one.name} was left {hours:.1f} h ago by a killed drill: DROP DATABASE "{one.name}";')
    return said


def require_superuser(place: Place, login: str, other: str) -> None:
    """Refuse a standby, and a login that cannot give objects their owners."""
    if place.standby:
        raise Refused(
            "this server is a standby", why="Nothing can be created on it.", next=f"Name the primary, or {other}."
        )
    if not place.superuser:
        raise Refused(
            f"{login} cannot restore",
            why="Owners, policies and extensions are made as they were, which takes a superuser.",
            next=f"Connect as a superuser, or {other}.",
        )


def _gone(connections: Connections | None, name: str, *, on_private: bool) -> list[Finding]:
    if on_private or connections is None:
        return []
    with connections.open(connections.target.at(connections.target.admin_database)) as session:
        there = Database(session).rows("queries/backup/place", Place, dbname=name)[0].present
    detail = f"{name} is still there" if there else "the scratch database is gone"
    return [verify.finding("scratch", "critical" if there else "ok", detail, name)]


def _objectives(done: Trial, age: timedelta, side: Sidecar) -> Finding:
    lost = f"{age.days} days" if age.days else f"{age.total_seconds() / 3600:.1f} h"
    detail = f"RTO {done.restore_ms / 1000:.1f} s until it was restored; RPO {lost} since its snapshot"
    return verify.finding("objectives", "ok", detail, side.file)
