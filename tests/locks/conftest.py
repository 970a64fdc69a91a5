"""Staged fires: real sessions that hold and wait, each doing one statement at a time in a thread of its own."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support import Cli, Server
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

PATIENCE = 30.0
_roles = itertools.count(1)


class Actor:
    """One session on the stage."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.pid = session.backend_pid
        self.thread: threading.Thread | None = None
        self.error: WnError | None = None

    def do(self, *statements: str) -> Actor:
        """Run statements, one after the other."""
        for one in statements:
            self.session.run(one)
        return self

    def send(self, statement: str) -> Actor:
        """Start a statement that will have to wait."""

        def run() -> None:
            try:
                self.session.run(statement)
            except WnError as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        return self

    def finished(self) -> bool:
        """Wait a while for the statement; whether it has ended."""
        if self.thread is not None:
            self.thread.join(PATIENCE)
        return self.thread is None or not self.thread.is_alive()


@dataclass
class Stage:
    """A database and whoever is on stage in it."""

    server: Server
    dbname: str
    watcher: Session
    actors: list[Actor] = field(default_factory=list)
    gids: list[str] = field(default_factory=list)

    def actor(self, user: str = "postgres", dbname: str = "", **settings: str) -> Actor:
        """Bring on another session; it may wait as long as it has to."""
        limits = {"lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
        one = Actor(self.server.session(dbname or self.dbname, user, **limits, **settings))
        one.do("SET application_name = 'app'")
        self.actors.append(one)
        return one

    def waits(self, *actors: Actor) -> None:
        """Return when all of these (or a parallel worker of theirs) wait for a lock."""
        wanted = {one.pid for one in actors}
        text = (
            "SELECT DISTINCT coalesce(a.leader_pid, l.pid) FROM pg_locks AS l "
            "JOIN pg_stat_activity AS a ON a.pid = l.pid WHERE NOT l.granted AND l.waitstart IS NOT NULL"
        )
        self.until(lambda: wanted <= {row[0] for row in self.watcher.run(text).rows}, f"{wanted} do not wait")

    def until(self, condition: object, complaint: str) -> None:
        """Return when ``condition()`` holds."""
        assert callable(condition)
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, complaint
            time.sleep(0.02)

    def prepare(self, actor: Actor, gid: str) -> None:
        """Prepare the actor's transaction."""
        actor.do("PREPARE TRANSACTION '" + gid.replace("'", "''") + "'")
        self.gids.append(gid)

    def database(self, user: str = "postgres") -> Database:
        """A look at the stage as ``user``."""
        one = self.actor(user)
        return Database(one.session)

    def clear(self) -> None:
        """End everybody, and every prepared transaction."""
        for gid in self.gids:
            with contextlib.suppress(WnError):
                self.watcher.run("ROLLBACK PREPARED '" + gid.replace("'", "''") + "'")
        for one in self.actors:
            self.watcher.run("SELECT pg_terminate_backend(%s, 5000)", [one.pid])
        for one in self.actors:
            one.finished()
            one.session.close()


@pytest.fixture
def stage(server: Server, empty_db: str) -> Iterator[Stage]:
    with server.session(empty_db) as watcher:
        one = Stage(server, empty_db, watcher)
        watcher.run("CREATE SCHEMA fire")
        watcher.run("CREATE TABLE fire.reads AS SELECT 1 AS id")
        watcher.run("CREATE TABLE fire.rows AS SELECT n AS id, 0 AS v FROM generate_series(1, 10) AS n")
        try:
            yield one
        finally:
            one.clear()


@pytest.fixture
def wn(cli: Cli, server: Server, empty_db: str) -> Cli:
    """wnadmin pointed at the stage."""
    return Cli(cli.folder, server.dsn(empty_db))


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A login without any privilege."""
    name = f"nobody_{next(_roles)}"
    with server.session() as session:
        session.run(f"CREATE ROLE {name} LOGIN")
        yield name
        session.run(f"DROP OWNED BY {name}")
        session.run(f"DROP ROLE {name}")


@dataclass(frozen=True)
class TwoTrees:
    """The trap: a DDL behind an idle reader with two readers behind it, and a chain of three for rows."""

    reader: Actor
    ddl: Actor
    behind: tuple[Actor, Actor]
    chain: tuple[Actor, Actor, Actor]


@pytest.fixture
def two_trees(stage: Stage) -> TwoTrees:
    reader = stage.actor().do("BEGIN", "SELECT * FROM fire.reads")
    ddl = stage.actor().send("ALTER TABLE fire.reads ADD COLUMN more integer")
    stage.waits(ddl)
    behind = (
        stage.actor().send("SELECT 'someone@example.com' FROM fire.reads"),
        stage.actor().send("SELECT count(*) FROM fire.reads"),
    )
    first = stage.actor().do("BEGIN", "UPDATE fire.rows SET v = 1 WHERE id = 1")
    second = stage.actor().do("BEGIN", "UPDATE fire.rows SET v = 1 WHERE id = 2")
    second.send("UPDATE fire.rows SET v = 2 WHERE id = 1")
    third = stage.actor().send("UPDATE fire.rows SET v = 2 WHERE id = 2")
    stage.waits(ddl, *behind, second, third)
    return TwoTrees(reader, ddl, behind, (first, second, third))
