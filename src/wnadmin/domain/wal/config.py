"""`backup wal config`: the archive command in place, proven as the server's user, and the settings that go with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.wal import folder, look, script, settings, statements
from wnadmin.domain.wal.look import Server
from wnadmin.domain.wal.settings import Change, Setting
from wnadmin.errors import Blind, Failed, Refused, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable
from wnadmin.results import Finding, Inputs, Plan, Receipt, Severity, Step, World

TARGET: Final = "archive settings"
_PATIENCE: Final = 10.0
"""Seconds that a reload may take until sessions see it."""


@dataclass(frozen=True, slots=True)
class Wished:
    """What the operator asked for: the folder, the script's place, its time limit, and how far to go."""

    into: Path
    script: Path
    seconds: int
    replace: bool
    by_hand: bool

    @property
    def command(self) -> str:
        """The value of archive_command."""
        return statements.archive_command(str(self.script), str(self.into), self.seconds)


@dataclass(frozen=True, slots=True)
class Place:
    """A row of ``queries/wal/place``: what the server's user finds. ``folder`` is None where there is none.

    ``script`` is its SHA-256, ``owner`` the folder's stamp, ``newest`` the identifier in its newest segment, as hex.
    """

    folder: bool | None
    script: str
    owner: str
    newest: str


def plan(db: Database, wished: Wished, inputs: Inputs) -> Plan:
    """Describe writing the script, marking the folder, proving both, and the settings."""
    script.require_place(wished.into, "--to")
    script.require_place(wished.script, "--script")
    rights = db.rows("queries/wal/rights", look.Rights)[0]
    if not rights.proves:
        raise Refused(
            f"{rights.login} may not run programs as the server does",
            why="The archive command is proven by the server itself, with its own user, mounts and limits.",
            next="Connect as a superuser.",
        )
    server = look.server(db)
    place = _place(db, wished, server)
    known = settings.read(db)
    _refuse_other_tool(known, wished)
    wanted = settings.changes(known, wished.command)
    changes, told = ([], wanted) if wished.by_hand else (wanted, [])
    steps: list[Step] = []
    if place.script != script.digest():
        script.refuse_foreign(wished.script)
        steps.append(_write(db, wished, server))
    if place.owner != server.system:
        steps.append(_prove(db, wished, server))
    # One that is taken back has nothing to change any more, and knows what was before.
    if changes or inputs.get("before"):
        steps.append(settings.alter(db, changes, inputs))
    return Plan(
        f"Archive WAL into {wished.into}",
        tuple(steps),
        effects=tuple(_effects(wished, steps, changes, told)),
        inputs=dict(inputs) or {"before": {one.name: one.before for one in changes}},
        verify=lambda: _look_again(db, wished),
        target=TARGET,
        nothing="script and folder are as they should be" + (f"; {_left(told)}" if told else ", and the settings too"),
        next=_next(server, changes, by_hand=bool(told)),
    )


def _next(server: Server, changes: Sequence[Change], *, by_hand: bool) -> str:
    if by_hand:
        return "set what is left to you, then: wnadmin backup wal check --probe"
    if any(one.restarts for one in changes):
        return "restart the server, then: wnadmin backup wal check --probe"
    return "wnadmin backup wal check --probe" if server.runs or changes else "wnadmin backup wal status"


def _effects(wished: Wished, steps: Sequence[Step], changes: Sequence[Change], told: Sequence[Change]) -> list[str]:
    found = []
    if any(one.key == "folder" for one in steps):
        found.append(f"The server proves with scratch files, as its own user, that it can archive into {wished.into}.")
    if any(one.restarts for one in changes):
        names = " and ".join(one.name for one in changes if one.restarts)
        found.append(f"The change of {names} waits for the next restart of the server, which is yours to do.")
    if any(one.name == "archive_command" and one.later for one in changes):
        found.append("The archive command that is set now is replaced; what it archives into gets no more.")
    if told:
        found.append(f"Not done here: {_left(told)}.")
    return found


def _place(db: Database, wished: Wished, server: Server) -> Place:
    try:
        place = db.rows("queries/wal/place", Place, folder=str(wished.into), script=str(wished.script))[0]
    except Blind:
        raise Refused(
            f"the server's user may not look at {wished.into} or {wished.script}",
            why="A folder on the way is closed to it.",
            next="Open the way for the server's user, then run this again.",
        ) from None
    if not place.folder:
        raise Refused(
            f"the server finds no folder {wished.into}",
            why="WAL is archived only where somebody has made room for it, on another disk.",
            next=f"On the server's machine: install -d -m 700 -o postgres {wished.into}",
        )
    if place.owner not in ("", server.system):
        raise Refused(
            f"{wished.into} is the archive of another server",
            why=f"Its {folder.STAMP} says {place.owner}, and this server is {server.system}.",
            next="Name a folder of its own: --to DIR",
        )
    if place.newest and server.system not in _read(place.newest):
        raise Refused(
            f"{wished.into} holds WAL of another server",
            why=f"This server is {server.system}.",
            next="Name a folder of its own: --to DIR",
        )
    return place


def _read(header: str) -> set[str]:
    """The identifier in a segment's header; its order of bytes is the server's."""
    raw = bytes.fromhex(header)
    return {str(int.from_bytes(raw, "little", signed=True)), str(int.from_bytes(raw, "big", signed=True))}


def _refuse_other_tool(known: Mapping[str, Setting], wished: Wished) -> None:
    library, command = known["archive_library"].later, known["archive_command"].later
    other = library or (command if command != wished.command else "")
    if other and not wished.replace:
        told = look.told(command)
        into = f" into {told.folder}" if told.folder and not library else ""
        raise Refused(
            f"this server is set to archive already: {library or told.program}{into}",
            why="That archive would end, and the base backups that need it would be worth nothing.",
            next="If that is meant: --replace. To see what is kept there: wnadmin backup wal status",
        )


def _left(told: Sequence[Change]) -> str:
    return "left to you: " + ", ".join(
        f"{one.name} = '{settings.conf(one.value)}'" + " (restart)" * one.restarts for one in told
    )


def _write(db: Database, wished: Wished, server: Server) -> Step:
    def run(world: World) -> Receipt:
        began = time.monotonic()
        script.write(wished.script)
        if _place(db, wished, server).script != script.digest():
            raise Failed(
                f"the server does not see {wished.script}",
                why="It runs on another machine, or another file is in that place there.",
                next="Write the script there as the plan shows it (--dry-run), then run this again.",
            )
        return Receipt("script", None, _since(began), {"path": str(wished.script), "sha256": script.digest()})

    def done() -> bool:
        return _place(db, wished, server).script == script.digest()

    return Step(
        "script", f"Write the archive command to {wished.script}", (script.shows(wished.script),), run, done=done
    )


def _prove(db: Database, wished: Wished, server: Server) -> Step:
    quote = db.session.quote
    mark = quote(statements.mark(str(wished.into)))
    trial = statements.prove(str(wished.script), str(wished.into))

    def run(world: World) -> Receipt:
        began = time.monotonic()
        try:
            db.session.run(mark, doing=f"mark {wished.into}")
        except WnError as error:
            raise Failed(
                f"the server cannot write in {wished.into}",
                why=error.what,
                next="Give the folder to the server's user, on its machine, with mode 700",
            ) from None
        try:
            said = tried(db, trial)
        except BaseException:
            # Without the proof the folder is not this server's archive.
            with contextlib.suppress(WnError):
                db.session.run(statements.unmark(str(wished.into)))
            raise
        return Receipt("folder", None, _since(began), {"said": said}, text=said)

    def done() -> bool:
        return _place(db, wished, server).owner == server.system

    shows = (f"{mark};", "BEGIN READ WRITE;", *(f"{quote(one)};" for one in trial), "COMMIT;")
    return Step("folder", "Name the folder as this server's archive, and prove that it can be", shows, run, done=done)


def tried(db: Database, trial: tuple[Composable, ...]) -> str:
    """Run the trial and give what it said; Failed when it did not end well."""
    # A database in read-only mode has no scratch tables otherwise.
    db.session.run("BEGIN READ WRITE")
    try:
        for one in trial[:-1]:
            db.session.run(one, doing="try the archive command")
        lines = [str(row[0]) for row in db.session.run(trial[-1]).rows]
    except BaseException:
        with contextlib.suppress(WnError):
            db.session.run("ROLLBACK")
        raise
    db.session.run("COMMIT")
    said, code = " ".join(lines[:-1]), lines[-1] if lines else "nothing"
    if code != "0":
        raise Failed(
            "the archive command does not work as the server's user",
            why=said or f"It ended with {code}.",
            next="Repair that on the server's machine, then run this again.",
        )
    return said


def _look_again(db: Database, wished: Wished) -> list[Finding]:
    server = look.server(db)
    place = _place(db, wished, server)
    found = [
        _proof("script", "ok" if place.script == script.digest() else "critical", f"the server sees {wished.script}"),
        _proof(
            "folder", "ok" if place.owner == server.system else "critical", f"{wished.into} is this server's archive"
        ),
    ]
    if wished.by_hand:
        return found
    deadline = time.monotonic() + _PATIENCE
    while True:
        known = settings.read(db)
        reloading = [one.name for one in known.values() if not one.restarts and not one.in_force]
        if not reloading or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    left = {one.name for one in settings.changes(known, wished.command)}
    for one in known.values():
        if one.name in left or one.name in reloading:
            found.append(_proof(one.name, "critical", f"it is {one.now or 'empty'}, and the files say {one.later}"))
        elif one.name != "archive_library" or one.later:
            # What is not in force yet is what was planned, and is said.
            found.append(_proof(one.name, "ok", one.later + "; it waits for a restart" * (not one.in_force)))
    return found


def _proof(about: str, severity: Severity, detail: str) -> Finding:
    return Finding(f"wal.{about}", f"wal.{about}", severity, detail)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
