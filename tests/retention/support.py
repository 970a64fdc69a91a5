"""A database to enforce retention in, and a way to stop in the middle of a batch."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.support import Cli, Ran, Server
from wnadmin.postgres.session import Session

FREE, HELD, THEIRS = (f"00000000-0000-0000-0000-0000000000c{n}" for n in (1, 2, 3))
"""Children: nobody's, their own, and their family's hold."""

INSIGHTS = "SELECT count(*) FROM analytics.insights AS i WHERE i.title = 'old'"

# A batch that comes upon the row goes on when the lock is free. Asking for it would end with lock_timeout.
_PAUSE = """
CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT pg_try_advisory_xact_lock_shared(4711) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN OLD;
END
$$;
CREATE TRIGGER pause BEFORE DELETE ON analytics.insights
FOR EACH ROW WHEN (OLD.id = '{}') EXECUTE FUNCTION public.pause()
"""


@dataclass(frozen=True)
class Place:
    """A seeded database; ``wn`` works on it."""

    server: Server
    name: str
    wn: Cli

    def session(self, **settings: str) -> Session:
        """Connect as a superuser; the caller closes."""
        return self.server.session(self.name, **settings)

    def ask(self, query: str) -> Any:
        """Give the first value of a query."""
        with self.session() as session:
            return session.scalar(query)

    def do(self, *statements: str) -> None:
        """Run statements, each by itself."""
        with self.session() as session:
            for one in statements:
                session.run(one)

    def apply(self, *words: str) -> Ran:
        """Apply without a question."""
        return self.wn.run("retention", "apply", "--yes", "--format", "json", *words)

    def check(self, *words: str) -> int:
        """Say what ``--check`` ends with."""
        return self.wn.run("retention", "apply", "--check", *words).code

    def operation(self) -> str:
        """The operation that was begun last."""
        query = (
            "SELECT l.op_id::text FROM audit.operator_ledger AS l WHERE l.phase = 'intent' ORDER BY l.seq DESC LIMIT 1"
        )
        return str(self.ask(query))

    @contextlib.contextmanager
    def paused(self, number: int, *words: str) -> Iterator[tuple[subprocess.Popen[str], Session]]:
        """Apply to the insights, in batches of 50 rows, and stop in the batch with the row of that number.

        Gives the process, and the session that holds it up until it is closed.
        """
        row = self.ask(
            f"SELECT i.id FROM analytics.insights AS i WHERE i.child_id = '{FREE}' AND i.title = 'old' "
            f"ORDER BY i.ctid LIMIT 1 OFFSET {number}"
        )
        with self.session() as holder:
            assert holder.script(_PAUSE.format(row)).error is None
            holder.run("SELECT pg_advisory_lock(4711)")
            words = ("retention", "apply", "--yes", "--format", "json", "--only", "analytics.insights", *words)
            running = self.wn.start([*words, "--rows", "50"])
            try:
                until(lambda: self.is_paused() or running.poll() is not None)
                assert running.poll() is None, running.communicate()
                yield running, holder
            finally:
                if running.poll() is None:
                    running.kill()
                running.communicate()

    def is_paused(self) -> bool:
        """Whether a batch waits."""
        query = (
            "SELECT count(*) FROM pg_stat_activity AS a WHERE a.datname = current_database() "
            "AND a.application_name = 'wnadmin/retention apply' AND a.wait_event = 'PgSleep'"
        )
        return bool(self.ask(query))


def changed(policy: str, what: str) -> str:
    """A statement that changes a policy."""
    return f"UPDATE audit.data_retention_policies SET {what} WHERE policy_code = '{policy}'"


def ended(running: subprocess.Popen[str]) -> Ran:
    """Wait for the end of a run."""
    out, err = running.communicate(timeout=120)
    return Ran(running.returncode, out, err)


def until(so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
