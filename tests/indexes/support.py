"""Looks at indexes of real servers, in process and as a program."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from tests.support import Server
from wnadmin.domain.indexes import dossier, missing, review
from wnadmin.domain.indexes.guards import Limits
from wnadmin.engine.connect import open_session
from wnadmin.postgres.nodes import Nodes
from wnadmin.postgres.target import Target
from wnadmin.results import Report
from wnadmin.settings import Profile

ANY_AGE = Limits(min_age=timedelta(0), min_bytes=0)


@contextlib.contextmanager
def asking(*targets: Target) -> Iterator[Nodes]:
    """Nodes as a command gets them: the first is the primary, the others standbys."""
    named = [replace(one, node="primary" if not n else f"standby{n}") for n, one in enumerate(targets)]
    opener = partial(open_session, profile=Profile(), command="tests", change=False, brief=True)
    with contextlib.closing(Nodes(named, opener)) as nodes:
        yield nodes


def rows(report: Report, table: str) -> list[dict[str, Any]]:
    """One table of a report, a dictionary a row."""
    found = next(one for one in report.tables if one.name == table)
    return [dict(zip((column.name for column in found.columns), row, strict=True)) for row in found.rows]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a review said."""

    report: Report

    def __getitem__(self, index: str) -> dict[str, Any]:
        return next(row for row in rows(self.report, "indexes") if row["index"] == index)

    def __contains__(self, index: str) -> bool:
        return any(row["index"] == index for row in rows(self.report, "indexes"))

    @property
    def droppable(self) -> set[str]:
        """Their names."""
        return {row["index"] for row in rows(self.report, "indexes") if row["verdict"] == "droppable"}

    @property
    def unindexed(self) -> set[str]:
        """The names of the foreign keys without an index."""
        return {row["foreign_key"] for row in rows(self.report, "foreign_keys")}


def look(*targets: Target, limits: Limits = ANY_AGE, everything: bool = True, below: int = 1 << 30) -> Looked:
    """Review all indexes."""
    with asking(*targets) as nodes:
        return Looked(review.report(nodes, limits, everything=everything, below=below, seconds=20))


def explained(*targets: Target, name: str, limits: Limits = ANY_AGE) -> Report:
    """The dossier of one index."""
    with asking(*targets) as nodes:
        return dossier.report(nodes, limits, name, below=1 << 30, seconds=20)


def lacking(*targets: Target, big: int = 0, least: int = 0) -> Report:
    """What is missing."""
    with asking(*targets) as nodes:
        return missing.report(nodes, big=big, rows=least, top=50)


def make(server: Server, dbname: str, *statements: str) -> None:
    """Run statements, each by itself, and let the statistics see them."""
    with server.session(dbname) as session:
        for one in statements:
            session.run(one)
            session.run("SELECT pg_stat_force_next_flush()")


@contextlib.contextmanager
def waiting(server: Server, dbname: str, statement: str, waits: int = 1) -> Iterator[None]:
    """Have a session that waits for a lock with ``statement`` during the block; it is cancelled at the end."""
    ended: list[Exception] = []
    session = server.session(dbname, lock_timeout="60s")

    def wait() -> None:
        try:
            session.run(statement)
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        until(
            server,
            dbname,
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ANY (%s::int[])",
            [f"{{{session.backend_pid}}}"],
            lambda count: count >= waits,
        )
        yield
    finally:
        session.cancel()
        thread.join(30)
        session.close()


def until(server: Server, dbname: str, query: str, bound: Sequence[object], enough: Callable[[int], bool]) -> None:
    """Wait until a count is as it should be."""
    deadline = time.monotonic() + 30
    with server.session(dbname) as session:
        while not enough(session.scalar(query, bound)):
            assert time.monotonic() < deadline, query
            time.sleep(0.05)
