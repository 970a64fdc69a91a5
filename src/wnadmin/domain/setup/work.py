"""The one transaction that makes a database: lock, look again, 01 to 07, the history row, commit."""

from __future__ import annotations

import time
from typing import Final

from wnadmin.domain.setup import flyway, turn
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.classify import classify, require_empty
from wnadmin.domain.setup.wishes import Wishes
from wnadmin.errors import Failed, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Composed, Identifier, Literal
from wnadmin.results import Receipt, World

MEANWHILE: Final = "another setup had made it meanwhile"
_SHARED_CATALOGS: Final = ("pg_authid", "pg_auth_members", "pg_db_role_setting", "pg_shdepend", "pg_shdescription")

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


def _settings(wishes: Wishes) -> list[Composed]:
    wanted = {"app.seed_samples": "on" if wishes.seed_samples else "off"}
    if wishes.months_ahead is not None:
        wanted["wondernest.months_ahead"] = str(wishes.months_ahead)
    set_local = SQL("SET LOCAL {} = {}")
    return [set_local.format(Identifier(*name.split(".")), Literal(value)) for name, value in wanted.items()]


def _record(files: Bundle, rank: int, milliseconds: int) -> Composed:
    name = flyway.parse_name(files.v001.name)
    return flyway.insert_row(name, rank=rank, sum_=files.v001_checksum, milliseconds=milliseconds)


def shows(wishes: Wishes, files: Bundle) -> tuple[str, ...]:
    """Give the text of the transaction, the files by name, hash and length."""
    settings = [f"SET LOCAL app.seed_samples = '{'on' if wishes.seed_samples else 'off'}';"]
    if wishes.months_ahead is not None:
        settings.append(f"SET LOCAL wondernest.months_ahead = '{wishes.months_ahead}';")
    return (
        f"{_BEGIN};",
        f"{turn.TRY};",
        *settings,
        *(f"{one};" for one in flyway.DDL),
        *(f"-- sql/{one.name} (sha256 {one.sha256[:16]}…, {one.lines} lines)" for one in files.files),
        f"-- version 001, initial schema, checksum {files.v001_checksum}, ‹milliseconds› go into the history",
        "COMMIT;",
    )


class Collision(Exception):
    """Another transaction made the same shared object at the same moment."""


def apply(session: Session, wishes: Wishes, files: Bundle, world: World) -> Receipt:
    """Run the transaction on a session of its own, which is not to be used afterwards.

    Raises Collision when it should be tried again, Refused when the lock is held or the database is not empty,
    Failed with file and line when a statement fails. Whatever is raised, everything was rolled back.
    """
    db = Database(session)
    total = len(files.files)
    began = time.monotonic()
    warnings: list[str] = []
    session.notices(lambda severity, text: warnings.append(text) if severity == "WARNING" else None)
    session.run(_BEGIN)
    try:
        # The limits of a profile are for single statements; this is one long piece of work.
        session.run("SET LOCAL statement_timeout = 0")
        turn.take(session, wait=wishes.wait, world=world, doing="setup")
        found = classify(db, files.expected.catalog)
        if found.kind == "complete":
            session.run("ROLLBACK")
            return Receipt("apply", 0, since(began), {"already": True, "why": MEANWHILE}, MEANWHILE)
        require_empty(db.name, found)
        for setting in _settings(wishes):
            session.run(setting)
        if found.history is None:
            for statement in flyway.DDL:
                session.run(statement, doing="make the migration history")
        started, times = time.monotonic(), {}
        for number, file in enumerate(files.files):
            if world.stopping():
                raise Failed(
                    "setup was stopped",
                    why="It was interrupted before the end.",
                    next="All of it was rolled back: the database is as it was.",
                )
            world.progress(file.name, number, total)
            at = time.monotonic()
            result = session.script(file.text)
            if result.error is not None:
                _check_collision(result.error)
                # It reads the file token by token, which only a failure is worth.
                from wnadmin.domain.setup.failure import failed

                raise failed(file, result)
            if warnings:
                # 07 warns when it leaves something out; a database without that must not be called done.
                raise Failed(
                    f"{file.name}: {warnings[0]}",
                    why="The server warned, so a part of the file was not carried out.",
                    next="All of it was rolled back. Put right what the warning names and run it again.",
                )
            times[file.name] = since(at)
        world.progress("commit", total, total)
        milliseconds = since(started)
        row = session.quote(_record(files, flyway.next_rank(found.history or ()), milliseconds))
        session.run(row, doing="record V001")
        session.run("COMMIT", doing="commit")
    except WnError as error:
        roll_back(session)
        _check_collision(error)
        raise
    except BaseException:
        roll_back(session)
        raise
    return Receipt("apply", 1, since(began), {"files": times, "v001_checksum": files.v001_checksum}, row)


def _check_collision(error: WnError) -> None:
    """Raise Collision for the ways in which two transactions that make the same role can meet."""
    state, text = error.sqlstate, error.what
    shared = state == "23505" and any(name in text for name in _SHARED_CATALOGS)
    role = state == "42710" and 'role "' in text
    touched = state == "XX000" and "tuple concurrently" in text
    if shared or role or touched or state == "40P01":
        raise Collision(text) from None


def roll_back(session: Session) -> None:
    """Take back the open transaction, whatever the state of the connection."""
    try:
        session.run("ROLLBACK")
    except WnError:
        # A broken or busy connection: closing it makes the server roll back.
        session.close()


def since(began: float) -> int:
    """Give the milliseconds since ``began`` of the monotonic clock."""
    return round((time.monotonic() - began) * 1000)
