"""`setup adopt`: a database that psql or hands made becomes one whose history says so, once it is proven equal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup import drift, flyway, leftover, looks, turn
from wnadmin.domain.setup.beside import BESIDE
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.classify import FIRST, Classification, classify
from wnadmin.domain.setup.compare import Difference
from wnadmin.domain.setup.drift import CLUSTER, Unknowable
from wnadmin.domain.setup.migrations import OWNER
from wnadmin.domain.setup.shadow import Ways, Where
from wnadmin.domain.setup.wishes import Connect
from wnadmin.domain.setup.work import roll_back, since
from wnadmin.errors import Failed, Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.errors import refuse_standby
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Plan, Receipt, Step, World

_KEY: Final = "adopt"
_SHOWN: Final = 40
_HANDING_OVER: Final = (
    f'ALTER TABLE "{flyway.SCHEMA}"."{flyway.TABLE}" OWNER TO {OWNER}',
    f'GRANT SELECT ON TABLE "{flyway.SCHEMA}"."{flyway.TABLE}" TO wondernest_operator, wondernest_monitor',
)
"""What 07 does with the history where it finds one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for. ``as_baseline`` writes Flyway's baseline row instead of that of V001."""

    as_baseline: bool = False
    where: Where = "auto"
    wait: float = 60.0


def plan_adopt(wanted: Wanted, connect: Connect, ways: Ways, bundle: Bundle | None = None) -> Plan:
    """Compare with a shadow and describe the history that is written; nothing to do where it holds V001.

    Raises Refused with the differences, or with the reason for which no comparison can be made.
    """
    known = bundle or bundles.load()
    with connect("") as session:
        db = Database(session)
        title = f"Adopt {db.name} as a WonderNest database at version {FIRST.text}"
        _require_writable(db)
        found = classify(db, known.expected.catalog)
        if found.recorded or any(row.type == flyway.BASELINE for row in found.history or ()):
            return Plan(title, (), nothing=f"the migration history of {db.name} holds version {FIRST.text} already")
        _require_ours(db, found)
        _require_recordable(db, new=found.history is None)
        left = leftover.clear(db, ways.here, ways.admin_database)
        differences, source = _differences(db, known, ways, wanted.where)
        blocking = [one for one in differences if one.kind not in (*CLUSTER, BESIDE) and not drift.order_only(one)]
        if blocking:
            raise _unequal(db.name, blocking, source)
        database = db.name
    kind = "Flyway's baseline" if wanted.as_baseline else f"V{FIRST.text} with checksum {known.v001_checksum}"

    def run(world: World) -> Receipt:
        with connect(database) as session:
            return _write(session, known, wanted, world)

    def done() -> bool:
        with connect(database) as session:
            return bool(flyway.applied(flyway.read_history(session) or ()))

    def verify() -> list[Finding]:
        with connect(database) as session:
            db = Database(session)
            again = classify(db, known.expected.catalog)
            return looks.prove_history(again, known)

    new = found.history is None
    step = Step(
        _KEY,
        "Write the migration history",
        (
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;",
            f"{turn.TRY};",
            *(f"{one};" for one in (*flyway.DDL, *_HANDING_OVER) if new),
            f"-- {kind} goes into the history",
            "COMMIT;",
        ),
        run,
        done=done,
    )
    effects = [f"{database} is equal to {source}", f"the history records {kind}, which Flyway accepts"]
    effects.append("rows are not compared: reference data may have been changed since")
    effects += [f"belongs to the cluster and is left as it is: {one}" for one in differences if one.kind in CLUSTER]
    effects += [f"is no file's and is left as it is: {one.object}" for one in differences if one.kind == BESIDE]
    effects += [f"has its columns in another order: {one.object}" for one in differences if drift.order_only(one)]
    effects += left
    return Plan(
        title,
        (step,),
        tuple(effects),
        {"database": database, "v001_checksum": known.v001_checksum, "as_baseline": wanted.as_baseline},
        verify,
        next="wnadmin setup verify",
    )


def _require_writable(db: Database) -> None:
    if db.in_recovery():
        raise refuse_standby("`wnadmin setup adopt`", "")
    if db.session.scalar("SELECT pg_catalog.current_setting('transaction_read_only')") == "on":
        raise Refused(
            f"{db.name} is read-only",
            why="Transactions are read-only here: default_transaction_read_only is on.",
            next=turn.WRITABLE,
        )


def _require_ours(db: Database, found: Classification) -> None:
    if found.kind == "empty":
        raise Refused(f"{db.name} is empty", why="There is nothing to adopt.", next="wnadmin setup apply")
    if found.kind == "foreign":
        raise Refused(f"{db.name} belongs to something else", why="\n".join(f"- {one}" for one in found.found))
    if found.history and any(row.type != flyway.SCHEMA_MARKER for row in found.history):
        raise Refused(
            f"{db.name} has a migration history of its own",
            why=f"{len(found.history)} entries, none of them V001 as applied.",
            next="See what they are: wnadmin migrate status",
        )


def _require_recordable(db: Database, *, new: bool) -> None:
    owned = f"pg_catalog.pg_has_role(pg_catalog.to_regrole('{OWNER}')::oid, 'MEMBER')"
    right = f"pg_catalog.has_schema_privilege('{flyway.SCHEMA}', 'CREATE')"
    if not new:
        right = f"pg_catalog.has_table_privilege('{flyway.SCHEMA}.{flyway.TABLE}', 'INSERT')"
    if not db.session.scalar(f"SELECT {right} AND {owned}"):
        raise Refused(
            f"{db.session.user} may not write the migration history",
            why=f"It is in schema {flyway.SCHEMA} and belongs to {OWNER}.",
            next="Log in as wondernest_migration or as a superuser: --dsn 'user=wondernest_migration dbname=…'",
        )


def _differences(db: Database, known: Bundle, ways: Ways, where: Where) -> tuple[list[Difference], str]:
    # What is adopted is compared with what the files really make, never with a description of it.
    try:
        made = drift.made(db, known, (), ways, where)
    except Unknowable as error:
        raise Refused("it cannot be compared, so it is not adopted", why=str(error), next=error.remedy) from None
    return drift.differ(db, made), made.source


def _unequal(database: str, differences: list[Difference], source: str) -> Refused:
    number = "one difference" if len(differences) == 1 else f"{len(differences)} differences"
    lines = [f"- {one}" for one in differences[:_SHOWN]]
    if (more := len(differences) - _SHOWN) > 0:
        lines.append(f"- and {more} more")
    return Refused(
        f"{database} is not what files 01 to 07 make: {number}",
        why="\n".join((f"Compared with {source}.", *lines)),
        next="See what would mend each, do so, and adopt again: wnadmin setup drift",
    )


def _write(session: Session, known: Bundle, wanted: Wanted, world: World) -> Receipt:
    began = time.monotonic()
    session.run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
    try:
        turn.take(session, wait=wanted.wait, world=world, doing="migration")
        rows = flyway.read_history(session)
        if rows is None:
            for statement in (*flyway.DDL, *_HANDING_OVER):
                session.run(statement, doing="make the migration history")
        elif flyway.applied(rows):
            raise Failed("another had written the history meanwhile", next="wnadmin migrate status")
        name = flyway.baseline(FIRST) if wanted.as_baseline else flyway.parse_name(known.v001.name)
        row = session.quote(
            flyway.insert_row(
                name,
                rank=flyway.next_rank(rows or ()),
                sum_=None if wanted.as_baseline else known.v001_checksum,
                milliseconds=0,
                type_=flyway.BASELINE if wanted.as_baseline else flyway.SQL_FILE,
            )
        )
        session.run(row, doing="record the version")
        session.run("COMMIT", doing="commit")
    except BaseException:
        roll_back(session)
        raise
    return Receipt(_KEY, 1, since(began), {"as_baseline": wanted.as_baseline}, row)
