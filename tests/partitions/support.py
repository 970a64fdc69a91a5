"""Partitioned tables of one's own, locks that somebody holds, and plans carried out without the engine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support import Server
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Plan, Receipt, World


@dataclass(slots=True)
class Place:
    """A database of one's own and statements in it, as ``user``."""

    server: Server
    dbname: str
    user: str = "postgres"
    _open: list[Session] = field(default_factory=list)

    def session(self, user: str = "", **settings: str) -> Session:
        """Open one more session; closed at the end."""
        one = self.server.session(self.dbname, user or self.user, **settings)
        self._open.append(one)
        return one

    def db(self, user: str = "") -> Database:
        """A session with the bundled SQL."""
        return Database(self.session(user))

    def run(self, *statements: str) -> None:
        """Run statements as the superuser."""
        with self.server.session(self.dbname) as session:
            for one in statements:
                session.run(one)

    def scalar(self, query: str) -> object:
        """Run a query for its one value."""
        with self.server.session(self.dbname) as session:
            return session.scalar(query)

    def column(self, query: str) -> list[object]:
        """Run a query for its first column."""
        with self.server.session(self.dbname) as session:
            return [row[0] for row in session.run(query).rows]

    def bounds(self, table: str) -> dict[str, str]:
        """The bounds of a table's partitions by name, in UTC."""
        query = (
            "SELECT c.oid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 1"
        )
        with self.server.session(self.dbname) as session:
            return {str(row[0]): str(row[1]) for row in session.run(query, [table]).rows}

    def standing(self, table: str) -> object:
        """Whether a table is attached, pending, detached or gone."""
        return self.scalar(
            f"SELECT CASE WHEN to_regclass('{table}') IS NULL THEN 'gone' ELSE coalesce((SELECT CASE WHEN "
            "i.inhdetachpending THEN 'pending' ELSE 'attached' END FROM pg_inherits i WHERE i.inhrelid = "
            f"to_regclass('{table}')), 'detached') END"
        )

    def close(self) -> None:
        """Close every session."""
        while self._open:
            self._open.pop().close()

    @contextlib.contextmanager
    def holding(self, *statements: str) -> Iterator[Callable[[], None]]:
        """Hold what the statements lock in an open transaction; what is given lets go early."""
        session = self.server.session(self.dbname, application_name="holder")
        session.run("SET application_name = 'holder'")
        session.run("BEGIN")
        for one in statements:
            session.run(one)
        done = threading.Event()

        def let_go() -> None:
            if not done.is_set():
                done.set()
                session.run("ROLLBACK")

        try:
            yield let_go
        finally:
            let_go()
            session.close()

    def until(self, query: str, *, seconds: float = 30) -> None:
        """Wait until a query says true."""
        deadline = time.monotonic() + seconds
        with self.server.session(self.dbname) as session:
            while not session.scalar(query):
                assert time.monotonic() < deadline, query
                time.sleep(0.01)


@dataclass(slots=True)
class Progress:
    """What a step said on its way."""

    said: list[str] = field(default_factory=list)

    def __call__(self, what: str, done: int, total: int) -> None:
        self.said.append(what)


def carry_out(plan: Plan, progress: Progress | None = None) -> list[Receipt]:
    """Run the steps of a plan that are not done, and its proof."""
    said = progress or Progress()
    receipts: dict[str, Receipt] = {}
    for step in plan.steps:
        if step.done is None or not step.done():
            receipts[step.key] = step.run(World(receipts, said, lambda: False))
    found = plan.verify() if plan.verify is not None else []
    assert {one.severity for one in found} <= {"ok"}, found
    return list(receipts.values())


def take_back(plan: Plan, receipts: list[Receipt]) -> None:
    """Run the undos of a plan, backwards."""
    by_key = {one.step: one for one in receipts}
    for step in reversed(plan.steps):
        if step.undo is not None and step.key in by_key:
            step.undo(World({}, Progress(), lambda: False), by_key[step.key])
