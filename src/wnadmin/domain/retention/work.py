"""Carry out one policy, batch by batch.

Each batch is a transaction of its own that gives up early on a lock; its last statement compares the policy and the
legal holds with those seen before, and has the server take it back when one was set meanwhile. Where it stands is in
the rows themselves: what a run leaves, killed or not, is what the next one finds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from wnadmin.domain.retention import look, manifest, statements
from wnadmin.domain.retention.values import Count, Leg, Pace, Task, rows
from wnadmin.errors import Blind, CutOff, Failed, ServerError, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import Composable
from wnadmin.postgres.values import Answer
from wnadmin.results import Receipt, World

PATIENCE: Final = 8.0
"""Seconds without a row gone, because others hold them, after which a policy is given up."""

_AGENT: Final = "wnadmin retention apply"
_LOCK_SECONDS: Final = 0.1
_LONGEST: Final = "60s"
_AIM: Final = 0.08
"""Seconds that a batch should take: those who wait for a processor or a row do not notice it."""
_FEWEST: Final = 50
_ARCHIVE: Final = "changes/retention/archive_sessions"
_CHANGED: Final = "22012"
_TURNS: Final = 10
"""How often one batch is taken back for a hold: each time there is a new one, or something else divides by zero."""
_AGAIN: Final = ("40001", "40P01", "23503")


@dataclass(frozen=True, slots=True)
class Guard:
    """The policy and the legal holds as hashes; ``fingerprint`` is None where the policy is gone."""

    fingerprint: str | None
    holds: str


@dataclass(frozen=True, slots=True)
class Blocker:
    """Somebody who holds what has to be changed. ``pid`` is None for a prepared transaction."""

    pid: int | None
    login: str
    application_name: str
    state: str
    since: datetime | None
    prepared: str

    def __str__(self) -> str:
        """Name them, for an error message."""
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        if self.pid is None:
            return f"the prepared transaction {self.prepared or '(of another database)'}"
        name = f"{self.login or 'another login'} with {self.application_name or 'no name'}"
        return f"{name} (server process {self.pid}, {self.state or 'state unknown'}{since})"


class PolicyChanged(Failed):
    """The policy is no longer the one that was planned."""


@dataclass(slots=True)
class Work:
    """One policy being carried out; ``gone`` counts the rows of this run, ``batches`` those committed."""

    db: Database
    task: Task
    pace: Pace
    world: World
    gone: int = 0
    batches: int = 0
    taken_back: int = 0
    _size: int = 10 * _FEWEST
    _waited: float = 0.0
    _rest: float = 0.0
    _seen: Guard | None = None

    def run(self) -> Receipt:
        """Do all that is due; raises Failed, saying what was done, when it cannot be finished."""
        began = time.monotonic()
        with _session(self.db):
            self._tell()
            while True:
                gone = self.gone
                self._round()
                left = self._left()
                if not left.due:
                    break
                if self.gone == gone:
                    self._wait(left.due)
        values = {
            "earlier": self.task.earlier,
            "held": left.held,
            "referenced": left.referenced,
            "batches": self.batches,
        }
        if self.taken_back:
            values["taken back for a hold"] = self.taken_back
        return Receipt(self.task.policy.code, self.gone, round((time.monotonic() - began) * 1000), values)

    def _left(self) -> Count:
        """Count what is due now, waiting for a table that somebody has locked."""
        while True:
            try:
                return look.recount(self.db, self.task)
            except CutOff:
                self._wait(None)

    def _tell(self) -> None:
        total = self.task.count.due
        self.world.progress(self.task.policy.code, min(self.task.earlier + self.gone, total), total)

    def _round(self) -> None:
        """Go once over all that may hold rows that are due."""
        steps = self._archive() if self.task.way == "archive" else self._walk()
        for gone in steps:
            self.gone += gone
            if gone:
                self._waited = 0.0
            self._tell()
            self._heed()
            time.sleep(self._rest)

    def _heed(self) -> None:
        if self.world.stopping():
            raise Failed(f"stopped: {self._so_far()}", why="It was interrupted.")

    def _walk(self) -> Iterator[int]:
        for leg in self.task.legs:
            yield from self._by_index(leg) if leg.column else self._by_blocks(leg)

    def _by_index(self, leg: Leg) -> Iterator[int]:
        after: str | None = None
        while True:
            asked = self._size
            gone, reached = self._batch(leg, after=after, rows=asked)
            yield gone
            if gone < asked:
                return
            after = reached

    def _by_blocks(self, leg: Leg) -> Iterator[int]:
        query = "SELECT pg_catalog.pg_relation_size(%s::oid) / pg_catalog.current_setting('block_size')::bigint"
        pages = int(self.db.session.scalar(query, (leg.leaf.oid,)) or 0)
        at, stride = 0, max(1, min(8, self.pace.rows // 300))
        while at < pages:
            end = min(at + stride, pages)
            began = time.monotonic()
            gone, _ = self._batch(leg, blocks=(at, end))
            took = time.monotonic() - began
            yield gone
            stride = _stride(stride, gone / (end - at), took, self.pace.rows)
            at = end

    def _archive(self) -> Iterator[int]:
        while True:
            asked = self._size
            values = {"days": self.task.policy.days, "rows": asked}
            # The routine passes over what is locked by itself.
            gone, _ = self._try(partial(_as_it_is, self.db.prepared(_ARCHIVE, values).rendered.shown))
            yield gone
            if gone < asked:
                return

    def _batch(
        self, leg: Leg, *, after: str | None = None, blocks: tuple[int, int] | None = None, rows: int | None = None
    ) -> tuple[int, str | None]:
        task = self.task

        def text(careful: bool) -> str:
            query = statements.batch(
                task.policy,
                manifest.entries()[task.policy.table],
                leg,
                task.references,
                task.dependents,
                after=after,
                blocks=blocks,
                rows=rows,
                careful=careful,
            )
            return self.db.session.quote(query)

        return self._try(text)

    def _try(self, text: Callable[[bool], str]) -> tuple[int, str | None]:
        """Run one batch until it is committed; one that had to wait for a row is tried with care at once."""
        careful, turns = False, 0
        while True:
            began = time.monotonic()
            try:
                row = self._once(text(careful))
            except Blind as error:
                raise Failed(f"{self._so_far()}: {error.what}", why=error.why, next=error.next) from None
            except (CutOff, ServerError) as error:
                if error.sqlstate == _CHANGED and turns < _TURNS:
                    turns += 1
                    self._look_again()
                    continue
                if not isinstance(error, CutOff) and error.sqlstate not in _AGAIN:
                    raise
                self._size = max(_FEWEST, self._size // 2)
                if careful:
                    self._wait(None)
                careful = True
                continue
            self.batches += 1
            self._adapt(time.monotonic() - began)
            return row

    def _once(self, query: str) -> tuple[int, str | None]:
        """Send the batch as a whole, so that nothing is waited for between its statements and the commit."""
        if self._seen is None:
            self._seen = self._guard()
        values = {"policy": self.task.policy.code, "holds": self._seen.holds, "fingerprint": self._seen.fingerprint}
        unchanged = self.db.prepared("changes/retention/unchanged", values).rendered.query
        doing = f"a batch of {self.task.policy.code}"
        wanted: list[tuple[str, str | Composable]] = [("begin", "BEGIN"), (doing, query), ("the holds", unchanged)]
        untouched = statements.untouched(self.task.policy, self.task.references)
        wanted += [("held rows of other tables", untouched)] if untouched else []
        wanted += [("commit", "COMMIT")]
        answers = list(self.db.session.run_each(wanted))
        for answer in answers:
            if isinstance(answer, WnError):
                # What comes after it was refused, and the commit took everything back.
                raise answer
        batch = answers[1]
        if not isinstance(batch, Answer) or not batch.rows:
            return int(batch.count or 0) if isinstance(batch, Answer) else 0, None
        gone, *reached = batch.rows[0]
        return int(gone), reached[0] if reached else None

    def _look_again(self) -> None:
        """Look who is on hold now, after the server took a batch back for it; an error for a changed policy."""
        self._seen = self._guard()
        self.taken_back += 1

    def _guard(self) -> Guard:
        policy = self.task.policy
        one = self.db.rows("queries/retention/guard", Guard, policy=policy.code)[0]
        if one.fingerprint != policy.fingerprint:
            raise PolicyChanged(
                f"refused after {self._so_far()}: the policy {policy.code} is no longer the one that was planned",
                why="It was changed, ended or removed after the plan was made.",
                next=f"Make a new plan: wnadmin retention apply --only {policy.code}",
            )
        return one

    def _adapt(self, took: float) -> None:
        if took < _AIM / 2:
            self._size = min(self._size * 2, self.pace.rows)
        elif took > 2 * _AIM:
            self._size = max(_FEWEST, self._size // 2)
        self._rest = took * (100 / self.pace.share - 1)

    def _wait(self, left: int | None) -> None:
        """Let those who hold rows go on for a moment; when it was too long, say who they are.

        ``left`` is how many rows are locked, None where the whole table is.
        """
        if self._waited >= PATIENCE:
            names = [str(one) for one in self._blockers()]
            what = "the table is locked" if left is None else f"{rows(left)} locked"
            raise Failed(
                f"{self._so_far()}, {what}",
                why=f"Held by {'; '.join(names) or 'sessions that share the rows'}.",
                next="wnadmin locks tree",
            )
        self._heed()
        pause = min(0.1 + self._waited / 4, 1.0)
        time.sleep(pause)
        # A wait for a lock that was cut off has lasted too.
        self._waited += pause + (_LOCK_SECONDS if left is None else 0)

    def _blockers(self) -> list[Blocker]:
        task = self.task
        entry = manifest.entries()[task.policy.table]
        transactions: set[str] = set()
        for leg in task.legs:
            query = statements.locked(task.policy, entry, leg, task.references)
            # A table that is locked as a whole cannot be asked.
            with contextlib.suppress(CutOff):
                transactions |= {str(row[0]) for row in self.db.session.run(query).rows}
        tables = {task.policy.oid, *(leg.leaf.oid for leg in task.legs)}
        return self.db.rows(
            "queries/retention/blockers",
            Blocker,
            tables=_array(str(oid) for oid in tables),
            transactions=_array(transactions),
        )

    def _so_far(self) -> str:
        done = {"archive": "archived", "pseudonymise": "emptied"}.get(self.task.way, "deleted")
        return f"{self.task.policy.code}: {self.gone:,} of {self.task.count.due:,} rows {done}"


def _as_it_is(text: str, careful: bool) -> str:
    return text


def _stride(stride: int, density: float, took: float, most: int) -> int:
    """Say how many blocks to take next, from how many rows a block gave and how long it took."""
    if took > 2 * _AIM:
        stride = max(1, stride // 2)
    elif took < _AIM:
        stride = min(stride * 2, 8192)
    return max(1, min(stride, int(most / density))) if density else stride


def _array(values: Iterator[str] | set[str]) -> str:
    return "{" + ",".join(values) + "}"


@contextlib.contextmanager
def _session(db: Database) -> Iterator[None]:
    """Give up early on locks, and tell the trail of changes who deletes."""
    wanted = {"lock_timeout": f"{_LOCK_SECONDS}s", "statement_timeout": _LONGEST, "application.user_agent": _AGENT}
    before = {name: db.session.scalar("SELECT pg_catalog.current_setting(%s, true)", (name,)) for name in wanted}
    _set(db, wanted)
    try:
        yield
    finally:
        if db.session.alive:
            _set(db, {name: value or "" for name, value in before.items()})


def _set(db: Database, values: dict[str, str]) -> None:
    for name, value in values.items():
        db.session.run("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
