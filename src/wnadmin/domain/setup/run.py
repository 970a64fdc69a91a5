"""The plan of `setup apply`: at most a CREATE DATABASE, and one transaction with everything else.

That transaction takes Flyway's own lock, looks again (a second setup that waited finds the work done), runs 01 to
07, records V001, and commits. Until the commit nobody sees anything of it, so a setup that is killed leaves an
empty database. Two databases of one cluster share their roles: where another setup creates the same role at the
same moment, the whole transaction is run again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup import preflight
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.classify import classify, require_empty, told
from wnadmin.domain.setup.creating import create_database
from wnadmin.domain.setup.verify import proof_of_setup
from wnadmin.domain.setup.wishes import Connect, Wishes
from wnadmin.domain.setup.work import Collision, apply, shows, since
from wnadmin.errors import Blind, Failed, Refused, UsageError, WnError
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Json, Plan, Receipt, Step, World

ATTEMPTS: Final = 5
_CREATE: Final = "create-database"
_CREATED: Final = "created"
_TEMPLATES: Final = ("template0", "template1")
_CREATED_MEANWHILE: Final = ("42P04", "23505")


def plan_apply(
    wishes: Wishes,
    connect: Connect,
    *,
    bundle: Bundle | None = None,
) -> Plan:
    """Look at the target and describe what is to be done; nothing to do for a complete database.

    Raises NoConnection (also for a missing database without ``create``) and Refused: with all that is missing, or
    with what was found in a half-made or foreign database. Afterwards the proofs that only look are run.
    """
    files = bundle or bundles.load()

    def verify() -> list[Finding]:
        with connect(wishes.database) as session:
            return proof_of_setup(Database(session), files, wishes.months_ahead)

    if wishes.create and not wishes.database:
        raise UsageError("which database is to be created?", next="Name it: --dsn 'dbname=NAME' --create")
    if wishes.database in _TEMPLATES:
        # Nobody can connect to template0, to be told there.
        raise preflight.refuse_template(wishes.database)
    if wishes.create and not _exists(wishes, connect):
        with connect(wishes.admin_database) as session:
            db = Database(session)
            preflight.require(db, files, minimum=wishes.minimum_server, creating=True)
            statement = session.quote(create_database(db, wishes.database))
        steps = (_create_step(wishes, connect, statement), _apply_step(wishes, connect, files))
        return _plan(wishes, files, steps, verify, effects=(_created(wishes.database),))
    with connect(wishes.database) as session:
        db = Database(session)
        if db.version // 10000 < wishes.minimum_server:
            # Nothing else is asked of a server that may not know the answer.
            preflight.require(db, files, minimum=wishes.minimum_server, creating=False)
        try:
            found = classify(db, files.expected.catalog)
        except Blind as error:
            raise Refused(error.what, why=error.why, next=error.next, sqlstate=error.sqlstate) from None
        if found.kind == "complete":
            return Plan(_title(db.name), (), nothing=told(db.name, found), verify=verify)
        require_empty(db.name, found)
        wishes = replace(wishes, database=db.name)
        preflight.require(db, files, minimum=wishes.minimum_server, creating=False)
    return _plan(wishes, files, (_apply_step(wishes, connect, files),), verify)


def _title(database: str) -> str:
    return f"Set up WonderNest in {database}"


def _plan(
    wishes: Wishes,
    files: Bundle,
    steps: tuple[Step, ...],
    verify: Callable[[], Sequence[Finding]],
    effects: tuple[str, ...] = (),
) -> Plan:
    samples = "with sample families" if wishes.seed_samples else "without sample families"
    inputs: dict[str, Json] = {
        "database": wishes.database,
        "seed_samples": wishes.seed_samples,
        "months_ahead": wishes.months_ahead,
        "v001_checksum": files.v001_checksum,
        "files": {one.name: one.sha256 for one in files.files},
    }
    # No target: a second setup waits for Flyway's lock instead of being refused, and where the database is yet to be
    # created there is nowhere to hold another lock.
    return Plan(
        _title(wishes.database),
        steps,
        effects=(
            *effects,
            f"schemas, tables, functions, policies and reference data are made, {samples}",
            "roles that the cluster lacks are created, without passwords; roles that are there stay as they are",
            f"the migration history records version 001 (checksum {files.v001_checksum})",
        ),
        inputs=inputs,
        verify=verify,
        next="wnadmin setup verify",
    )


# --- the database -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    owner: str
    encoding: str


def _exists(wishes: Wishes, connect: Connect) -> bool:
    with connect(wishes.admin_database) as session:
        return bool(Database(session).rows("queries/setup/database", _Named, dbname=wishes.database))


def _create_step(wishes: Wishes, connect: Connect, statement: str) -> Step:
    def run(world: World) -> Receipt:
        began, values = time.monotonic(), {_CREATED: wishes.database}
        with connect(wishes.admin_database) as session:
            try:
                session.run(statement, doing="create the database")
            except WnError as error:
                if error.sqlstate not in _CREATED_MEANWHILE or not _exists(wishes, connect):
                    raise
                values = {}
        return Receipt(_CREATE, milliseconds=since(began), values=values, text=statement)

    return Step(
        _CREATE,
        f"Create the database {wishes.database}",
        (f"{statement};",),
        run,
        done=lambda: _exists(wishes, connect),
    )


def _created(name: str) -> str:
    return (
        f"the database {name} is created; should the files then fail, it stays, empty: "
        "run `wnadmin setup apply` again or drop it"
    )


def _apply_step(wishes: Wishes, connect: Connect, files: Bundle) -> Step:
    def run(world: World) -> Receipt:
        try:
            return carry_out(world)
        except Refused:
            # Someone else is at work in it, or was; what stands there is theirs to say.
            raise
        except WnError as error:
            before = world.receipts.get(_CREATE)
            if before is not None and _CREATED in before.values:
                left = f"{wishes.database} was created and is empty; run `wnadmin setup apply` again or drop it."
                error.why = f"{error.why}\n{left}".lstrip()
            raise

    def carry_out(world: World) -> Receipt:
        for attempt in range(1, ATTEMPTS + 1):
            with connect(wishes.database) as session:
                try:
                    return apply(session, wishes, files, world)
                except Collision as collision:
                    if attempt == ATTEMPTS:
                        raise Failed(
                            f"{collision}: gave up after {ATTEMPTS} attempts",
                            why="Other setups on this cluster keep creating the same roles.",
                            next="All of it was rolled back. Run it again when the other setups are through.",
                        ) from None
            world.progress("another setup makes the same roles; once more", attempt, ATTEMPTS)
            time.sleep(random.uniform(0.1, 0.5) * attempt)  # noqa: S311  # jitter, not cryptography
        raise AssertionError("unreachable")

    def done() -> bool:
        with connect(wishes.database) as session:
            return classify(Database(session), files.expected.catalog).kind == "complete"

    return Step("apply", "Run files 01 to 07 in one transaction", shows(wishes, files), run, done=done)
