"""Carrying out one file: the lock, another look at the history, the file, its row. And taking it back."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.migrate.judge import judge
from wnadmin.domain.setup import flyway, turn
from wnadmin.domain.setup.bundle import SetupFile
from wnadmin.domain.setup.failure import failed
from wnadmin.domain.setup.flyway import HistoryRow, Version
from wnadmin.domain.setup.migrations import OWNER, Files, Migration
from wnadmin.domain.setup.split import split
from wnadmin.domain.setup.work import roll_back, since
from wnadmin.errors import Failed, Refused, WnError
from wnadmin.postgres.database import Database, Statement
from wnadmin.postgres.session import ScriptResult, Session
from wnadmin.postgres.sql import SQL, Composed, Identifier, Literal
from wnadmin.results import Receipt, Value, World

LADDER: Final = ("250ms", "500ms", "1s", "1s", "2s", "2s", "5s")
"""How long each attempt waits for a lock. Whoever waits makes others wait behind it, so it begins short."""

PATIENT: Final = "10min"
"""What a file without a transaction waits: cut off, it would leave a half behind, and it lets others pass."""

MEANWHILE: Final = "another migration had applied it meanwhile"
_AGAIN: Final = ("55P03", "40P01")
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms files are run: all files and what the plan was made with, ``become`` the role to take on."""

    files: Files
    wait: float
    target: Version | None
    out_of_order: bool
    become: str


def apply(session: Session, one: Migration, terms: Terms, world: World) -> Receipt:
    """Run one file on a session of its own; tried again when a lock was not to be had.

    Raises Refused when the lock is held or the history has changed since the plan, Failed with file and line.
    """
    began = time.monotonic()
    if not one.in_transaction:
        return _alone(session, one, terms, world, began)
    for number, patience in enumerate(LADDER, 1):
        try:
            return _together(session, one, terms, world, patience, began)
        except WnError as error:
            if error.sqlstate not in _AGAIN:
                raise
            if number == len(LADDER):
                error.next = "See who holds the locks, and run it again: wnadmin locks tree"
                raise
        if world.stopping():
            raise Failed(f"{one.script}: stopped while it waited for a lock", next="All of it was rolled back.")
        world.progress(f"{one.script}: a lock was not free; once more", number, len(LADDER))
        time.sleep(random.uniform(0.05, 0.2) * number)  # noqa: S311  # jitter, not cryptography
    raise AssertionError("unreachable")


def _together(session: Session, one: Migration, terms: Terms, world: World, patience: str, began: float) -> Receipt:
    session.run(_BEGIN)
    try:
        session.run("SET LOCAL statement_timeout = 0")
        session.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(patience)))
        turn.take(session, wait=terms.wait, world=world, doing="migration")
        rows = flyway.read_history(session) or ()
        if _stands(rows, one, terms):
            session.run("ROLLBACK")
            return _already(one, began)
        _become(session, one, terms, local=True)
        world.progress(one.script, 0, 0)
        started = time.monotonic()
        acting = session.scalar("SELECT current_user")
        result = session.script(one.text)
        if result.error is not None:
            # Finding the line in a long file takes its time, and locks are held until then.
            roll_back(session)
            raise _explained(one, terms, failed(_as_file(one), result))
        _require_as_before(session, one, rows, acting)
        rank, milliseconds = flyway.next_rank(rows), since(started)
        row = session.quote(flyway.insert_row(one.name, rank=rank, sum_=one.checksum, milliseconds=milliseconds))
        session.run(row, doing=f"record {one.script}")
        session.run("COMMIT", doing="commit")
    except BaseException:
        roll_back(session)
        raise
    return _receipt(one, rank, began, row)


def _require_as_before(session: Session, one: Migration, rows: Sequence[HistoryRow], acting: object) -> None:
    """Fail where the file itself has written the history, or ends as another role than it began."""
    if session.scalar("SELECT current_user") != acting:
        raise Failed(
            f"{one.script} ends as another role than it began",
            why=f"It began as {acting}, and what a file makes is to belong to who begins it.",
            next="All of it was rolled back. Take the change of role out, or say `-- role: superuser` in its header.",
        )
    if (flyway.read_history(session) or ()) != tuple(rows):
        raise Failed(
            f"{one.script} changes the migration history",
            why=f"Only whoever migrates writes {flyway.SCHEMA}.{flyway.TABLE}: else nothing says what was applied.",
            next="All of it was rolled back. Take that out of the file; to correct the history: wnadmin migrate repair",
        )


def _explained(one: Migration, terms: Terms, error: Failed) -> Failed:
    """Say as whom the file ran where a privilege was missing: it is not the login."""
    if error.sqlstate == "42501" and not one.as_superuser:
        error.next = (
            f"It ran as {OWNER}, and was rolled back. Grant {OWNER} what it needs, or say `-- role: superuser`"
            f" in its header, then: wnadmin migrate apply{terms.files.options}"
        )
    return error


def _alone(session: Session, one: Migration, terms: Terms, world: World, began: float) -> Receipt:
    """The row comes first and says "not succeeded", as a death on the way would leave it."""
    db = Database(session)
    session.run("SET statement_timeout = 0")
    turn.take(session, wait=terms.wait, world=world, doing="migration", long=True)
    rows = flyway.read_history(session) or ()
    if _stands(rows, one, terms):
        return _already(one, began)
    _become(session, one, terms, local=False)
    rank = flyway.next_rank(rows)
    row = session.quote(flyway.insert_row(one.name, rank=rank, sum_=one.checksum, milliseconds=0, success=False))
    session.run(row, doing=f"record {one.script}")
    session.run(SQL("SET lock_timeout = {}").format(Literal(PATIENT)))
    started = time.monotonic()
    world.progress(one.script, 0, 0)
    for done, statement in enumerate(split(one.text)):
        try:
            session.run(statement.text)
        except WnError as error:
            if error.sqlstate is None:
                raise
            told = failed(_as_file(one), ScriptResult(done, error))
            told.next = way_out(one, terms.files.options)
            raise told from None
    finish: dict[str, Value] = {"rank": rank, "milliseconds": since(started), "checksum": one.checksum}
    execute(session, db.prepared("changes/migrate/finish", finish, rows=1))
    return _receipt(one, rank, began, row)


def way_out(one: Migration | None, options: str) -> str:
    """What to type after a file without a transaction was cut off; ``options`` name the folders."""
    undo = "undo by hand whatever it did"
    if one is not None and one.header.rollback:
        undo = "run its rollback procedure, as the owner of the schema:\n" + one.header.rollback
    return f"1. {undo}\n2. wnadmin migrate repair{options}\n3. wnadmin migrate apply{options}"


def _stands(rows: Sequence[HistoryRow], one: Migration, terms: Terms) -> bool:
    """Whether the file was applied since the plan was made; Refused when it may not be applied any more."""
    seen = judge(rows, terms.files, target=terms.target, out_of_order=terms.out_of_order)
    entry = seen.of(one)
    if entry.state in ("pending", "outdated") and not seen.faults:
        _require_turn(seen.pending, one, terms)
        return False
    if entry.state in ("success", "out of order") and not seen.faults:
        return True
    why = seen.faults[0].message if seen.faults else f"{one.title} is now {entry.state}"
    raise Refused(
        "the migration history has changed since the plan was made",
        why=f"{why[0].upper()}{why[1:]}.",
        next=f"Look and make a new plan: wnadmin migrate validate{terms.files.options}",
    )


def _require_turn(pending: Sequence[Migration], one: Migration, terms: Terms) -> None:
    """Refuse to run a file before another that comes first: that one could never be run any more."""
    for other in pending:
        if other.version is not None and (one.version is None or other.version < one.version):
            raise Refused(
                f"{other.title} comes before {one.title} and is not applied",
                why="Its entry was taken out of the history, or its file came in, since the plan was made.",
                next=f"Make a new plan: wnadmin migrate apply{terms.files.options}",
            )


def _become(session: Session, one: Migration, terms: Terms, *, local: bool) -> None:
    if terms.become and not one.as_superuser:
        session.run(become(terms.become, local=local))


def become(role: str, *, local: bool) -> Composed:
    """Compose the statement that takes on ``role``."""
    return SQL("SET LOCAL ROLE {}" if local else "SET ROLE {}").format(Identifier(role))


def _as_file(one: Migration) -> SetupFile:
    return SetupFile(one.script, one.text, "")


def _already(one: Migration, began: float) -> Receipt:
    return Receipt(one.script, 0, since(began), {"already": True, "checksum": one.checksum}, MEANWHILE)


def _receipt(one: Migration, rank: int, began: float, row: str) -> Receipt:
    return Receipt(one.script, 1, since(began), {"rank": rank, "checksum": one.checksum}, row)


def execute(session: Session, one: Statement) -> None:
    """Run a bundled statement; Failed when it touched another number of rows than it must."""
    answer = session.run(one.rendered.query, one.rendered.bound, doing=one.where)
    if one.rows is not None and answer.count != one.rows:
        raise Failed(
            f"{one.where} touched {answer.count} rows where {one.rows} was expected",
            why="The migration history was changed since the plan was made.",
            next="Look and make a new plan: wnadmin migrate status",
        )


def take_back(session: Session, one: Migration, terms: Terms, receipt: Receipt, world: World) -> Receipt:
    """Run the rollback procedure of a file's header and take its row out of the history."""
    began = time.monotonic()
    rank = receipt.values.get("rank")
    if not isinstance(rank, int):
        raise Refused(f"{one.script} was applied by another operation", next="wnadmin audit log")
    text = one.header.rollback
    db = Database(session)
    forget = db.prepared("changes/migrate/forget", {"rank": rank, "checksum": one.checksum}, rows=1)
    statements = split(text)
    if one.in_transaction:
        session.run(_BEGIN)
        try:
            session.run("SET LOCAL statement_timeout = 0")
            turn.take(session, wait=terms.wait, world=world, doing="migration")
            _require_newest(session, one, rank)
            _become(session, one, terms, local=True)
            execute(session, forget)
            result = session.script(text)
            if result.error is not None:
                raise failed(SetupFile(f"the rollback procedure of {one.script}", text, ""), result)
            session.run("COMMIT", doing="commit")
        except BaseException:
            roll_back(session)
            raise
    else:
        session.run("SET statement_timeout = 0")
        turn.take(session, wait=terms.wait, world=world, doing="migration", long=True)
        _require_newest(session, one, rank)
        _become(session, one, terms, local=False)
        for statement in statements:
            session.run(statement.text, doing=f"the rollback procedure of {one.script}")
        execute(session, forget)
    return Receipt(one.script, len(statements), since(began), {"rank": rank}, text)


def _require_newest(session: Session, one: Migration, rank: int) -> None:
    rows = flyway.read_history(session) or ()
    if later := [row for row in rows if row.installed_rank > rank]:
        title = " ".join(part for part in (later[-1].version, later[-1].description) if part)
        raise Refused(
            f"{title} was applied after {one.title}",
            why="Migrations are taken back newest first: a later one may build on this one.",
            next="Find the operation that applied it and undo that first: wnadmin audit log",
        )


def shows(one: Migration, become_: str) -> tuple[str, ...]:
    """Give the text that runs, in its order."""
    begun = f"-- {one.title}, checksum {one.checksum}, ‹rank› and ‹milliseconds› go into the history"
    role = () if not become_ or one.as_superuser else (become_,)
    if one.in_transaction:
        roles = tuple(f'SET LOCAL ROLE "{name}";' for name in role)
        wait = f"SET LOCAL lock_timeout = '{LADDER[0]}';  -- up to {LADDER[-1]}, tried {len(LADDER)} times"
        return (f"{_BEGIN};", wait, f"{turn.TRY};", *roles, one.text, begun, "COMMIT;")
    roles = tuple(f'SET ROLE "{name}";' for name in role)
    return (f"{turn.TRY_LONG};", *roles, begun, one.text, "-- the entry in the history now says that it succeeded")
