"""A server whose roles may be changed, what is to be as it was afterwards, and clients of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import Cli, Server
from wnadmin.domain.readonly import keep, look
from wnadmin.domain.readonly.values import Place
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.pooler import plain
from wnadmin.postgres.session import Session
from wnadmin.results import Finding

PATIENCE = 30.0

EVERYTHING = (
    "SELECT coalesce(d.datname, ''), coalesce(r.rolname, ''), s.setconfig::text FROM pg_db_role_setting AS s"
    " LEFT JOIN pg_database AS d ON d.oid = s.setdatabase LEFT JOIN pg_roles AS r ON r.oid = s.setrole ORDER BY 1, 2",
    "SELECT (to_jsonb(m) - 'oid')::text FROM pg_auth_members AS m ORDER BY 1",
    "SELECT rolname, rolcanlogin, rolconnlimit FROM pg_roles ORDER BY 1",
    "SELECT oid::regprocedure::text, proacl::text FROM pg_proc ORDER BY 1",
    "SELECT oid::regclass::text, relacl::text FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace ORDER BY 1",
    "SELECT attrelid::regclass::text, attname, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL ORDER BY 1, 2",
    "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' ORDER BY 1",
    "SELECT datname, datacl::text FROM pg_database ORDER BY 1",
)
"""All that read-only mode changes, letter by letter."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One database on a server of its own, and wnadmin pointed at it."""

    server: Server
    dbname: str
    cli: Cli

    def root(self) -> Session:
        """A superuser's session that may write and that a drain leaves alone."""
        return self.server.session(self.dbname, default_transaction_read_only="off")

    def run(self, *statements: str) -> None:
        """Run statements as a superuser."""
        with self.root() as session:
            for one in statements:
                session.run(one)

    def scalar(self, query: str) -> object:
        """Ask for one value."""
        with self.root() as session:
            return session.scalar(query)

    def client(self, role: str = "wondernest_app") -> Session:
        """A session as an application begins it."""
        return plain(self.server.target(self.dbname, role), "client")

    def on(self, *words: str, code: int = 0) -> str:
        """Run `readonly on`, and give what it said."""
        ran = self.cli.run("readonly", "on", "--yes", *words)
        assert ran.code == code, ran.out + ran.err
        return ran.out + ran.err

    def off(self, *words: str, code: int = 0) -> str:
        """Run `readonly off`, and give what it said."""
        ran = self.cli.run("readonly", "off", "--yes", *words)
        assert ran.code == code, ran.out + ran.err
        return ran.out + ran.err

    def status(self, *words: str) -> dict[str, dict[str, str]]:
        """Give the findings of `readonly status` by id."""
        ran = self.cli.run("readonly", "status", "--format", "json", "--witness", "0", *words)
        assert ran.code in (0, 3), ran.err
        return {one["id"]: one for one in ran.json()["findings"]}

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """Give all that read-only mode may change."""
        with self.root() as session:
            return {query: list(session.run(query).rows) for query in EVERYTHING}

    def place(self) -> Place:
        """Look at the database."""
        with self.root() as session:
            return look.place(Database(session))

    def copy(self) -> Path:
        """Where the copy of what was before lies."""
        return keep.path(self.place(), self.cli.state)


def wrong(session: Session, statement: str) -> str:
    """Run a statement; the SQLSTATE of its error, '' when it worked, ``gone`` when the session was ended."""
    try:
        session.run(statement)
    except WnError as error:
        return "gone" if error.sqlstate in (None, "57P01") else error.sqlstate
    return ""


def write(session: Session, *, begin: str = "BEGIN") -> str:
    """Write a row as the application could, and take it back; the SQLSTATE of its error, '' when it worked."""
    if begun := wrong(session, begin):
        return begun
    found = wrong(session, "DELETE FROM content.categories WHERE false")
    if found != "gone":
        session.run("ROLLBACK")
    return found


def until(true: Callable[[], object]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def opened(*sessions: Session) -> Iterator[tuple[Session, ...]]:
    """Close them in the end."""
    try:
        yield sessions
    finally:
        for one in sessions:
            one.close()


def severities(findings: list[Finding]) -> dict[str, str]:
    """Findings as id and severity."""
    return {one.id: one.severity for one in findings}
