"""Run checks on the nodes: each cut off alone, none able to hide another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from wnadmin.assets import SqlFile
from wnadmin.domain.health import checks, judge
from wnadmin.domain.health.checks import Check, Limits, Measured
from wnadmin.domain.health.judge import WINDOW, Sample
from wnadmin.errors import Blind, CutOff, NoConnection, Vanished, WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.nodes import Node
from wnadmin.postgres.variables import names
from wnadmin.results import Finding, Value

REACHABLE = checks.FIRST

_AGAIN = 2
"""How often a check is repeated whose objects vanish under it, as where tables are made and dropped all the time."""


@dataclass(frozen=True, slots=True)
class Need:
    """Whether this login has one of the privileges that checks need, and the statement that gives it."""

    need: str
    present: bool
    met: bool
    remedy: str


@dataclass(slots=True)
class Memory:
    """Samples of counters from earlier looks, by node and check."""

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What checks found on one node, and what asking cost, in seconds by check."""

    node: Node
    findings: tuple[Finding, ...]
    seconds: Mapping[str, float]


def look(
    node: Node,
    chosen: Sequence[Check],
    limits: Mapping[str, Limits],
    memory: Memory,
    meanwhile: Callable[[], None] = lambda: None,
) -> Look:
    """Run the checks on one node, on its one connection; ``meanwhile`` is called when it has been asked."""
    if node.db is None:
        return Look(node, tuple(_unreached(node, chosen, limits)), {})
    runner = _Runner(node, node.db, limits, memory)
    try:
        runner.prepare(chosen)
    except WnError as error:
        lost = Node(node.name, node.place, error=error)
        return Look(node, tuple(_unreached(lost, chosen, limits)), {})
    return runner.look(chosen, meanwhile)


def _unreached(node: Node, chosen: Sequence[Check], limits: Mapping[str, Limits]) -> list[Finding]:
    """One finding that says so; where that check is not among the chosen, each of them is blind."""
    error = node.error
    why = ". ".join(part.rstrip(".") for part in (error.what, error.why) if part) if error else "not connected"
    for check in chosen:
        if check.id == REACHABLE:
            more = f". {len(chosen) - 1} checks could not be made" if len(chosen) > 1 else ""
            row = Measured("", Decimal(2), None, f"{why}{more}", error.next if error else "")
            return judge.findings(check, [row], limits[check.id], node=node.name)
    return [judge.blind(check, limits[check.id], node.name, f"the node was not reached: {why}") for check in chosen]


@dataclass(frozen=True, slots=True)
class _Question:
    """A check with its file in the variant for this node, and the file's variables."""

    check: Check
    file: SqlFile
    values: Mapping[str, Value]


@dataclass(slots=True)
class _Runner:
    node: Node
    db: Database
    limits: Mapping[str, Limits]

    memory: Memory
    needs: dict[str, Need] = field(default_factory=dict)
    standby: bool = False

    def prepare(self, chosen: Sequence[Check]) -> None:
        """Find out what kind of node this is and what this login may see."""
        self.standby = self.db.in_recovery()
        wanted = sorted({need for check in chosen for need in check.needs})
        self.needs = {one.need: one for one in privileges(self.db, self.db.session.user, wanted)}

    def look(self, chosen: Sequence[Check], meanwhile: Callable[[], None]) -> Look:
        """Ask everything at once, and judge each answer as it comes."""
        found: dict[str, list[Finding]] = {}
        questions: list[_Question] = []
        for check in chosen:
            settled = self._settled(check)
            if isinstance(settled, Finding):
                found[check.id] = [settled]
            else:
                questions.append(settled)
        answers = self.db.rows_each([(one.file, one.values) for one in questions], Measured, meanwhile)
        seconds: dict[str, float] = {}
        vanished: list[_Question] = []
        began = time.monotonic()
        for question, answer in zip(questions, answers, strict=False):
            id = question.check.id
            now = time.monotonic()
            # The server answers one after the other, so what passes between two answers is the second one's.
            seconds[id], began = now - began, now
            if not self.db.session.alive:
                return self._lost(chosen, id, found, seconds)
            if isinstance(answer, Vanished):
                vanished.append(question)
            else:
                found[id] = self._concluded(question.check, answer)
        for question in vanished:
            found[question.check.id] = self._concluded(question.check, self._again(question))
            if not self.db.session.alive:
                return self._lost(chosen, question.check.id, found, seconds)
        return Look(self.node, tuple(one for check in chosen for one in found[check.id]), seconds)

    def _lost(
        self, chosen: Sequence[Check], during: str, found: Mapping[str, list[Finding]], seconds: Mapping[str, float]
    ) -> Look:
        """Give what was found before the connection was lost; that the node could be reached is not true any more."""
        kept = [one for check in chosen if check.id not in (during, REACHABLE) for one in found.get(check.id, ())]
        gone = NoConnection(f"the connection was lost during {during}", next="pg_isready, then the server's log")
        lost = Node(self.node.name, self.node.place, error=gone)
        rest = [one for one in chosen if one.id in (REACHABLE, during) or one.id not in found]
        return Look(self.node, (*kept, *_unreached(lost, rest, self.limits)), seconds)

    def _settled(self, check: Check) -> Finding | _Question:
        """Give what to ask, or the finding where there is nothing to ask, or this login may not."""
        limits = self.limits[check.id]
        if check.where != "any" and self.standby != (check.where == "standby"):
            return judge.skipped(check, limits, self.node.name, f"is asked of a {check.where} only")
        major = self.db.version // 10000
        if major < check.since:
            why = f"needs PostgreSQL {check.since}; this server is {major}"
            return judge.skipped(check, limits, self.node.name, why)
        for need in check.needs:
            have = self.needs[need]
            if not have.met:
                why = f"{'this login lacks' if have.present else 'there is no'} {need.partition(':')[2]}"
                fix = have.remedy if have.present or need.startswith("extension:") else "wnadmin setup status"
                return judge.blind(check, limits, self.node.name, why, remediation=fix)
        try:
            file = self.db.file(check.file)
            return _Question(check, file, self._values(check, file))
        except WnError as error:
            return self._blind(check, error)

    def _concluded(self, check: Check, answer: list[Measured] | WnError) -> list[Finding]:
        if isinstance(answer, WnError):
            return [self._blind(check, answer)]
        if check.id == REACHABLE and self.standby and self.node.name == "primary":
            words = "the profile's primary is a standby"
            answer = [Measured("", Decimal(2), None, words, "Correct `primary` of the profile, or promote this node.")]
        return self._judged(check, answer, self.limits[check.id])

    def _blind(self, check: Check, error: WnError) -> Finding:
        why, fix = _explained(error)
        return judge.blind(check, self.limits[check.id], self.node.name, why, remediation=fix)

    def _again(self, question: _Question) -> list[Measured] | WnError:
        """Ask again: something was dropped between the list and the look at it, and the next list does not have it."""
        for left in reversed(range(_AGAIN)):
            try:
                return self.db.rows_of(question.file, Measured, question.values)
            except Vanished as error:
                if not left:
                    return error
            except WnError as error:
                return error
        raise AssertionError("asked at least once")

    def _values(self, check: Check, file: SqlFile) -> dict[str, Value]:
        """Where the extension stands that the check calls, if its variant for this database calls one."""
        if not check.extension or "schema" not in names(file.text):
            return {}
        installed = self.db.extension(check.extension)
        return {"schema": installed.schema} if installed else {}

    def _judged(self, check: Check, rows: list[Measured], limits: Limits) -> list[Finding]:
        if not check.rate:
            return judge.findings(check, rows, limits, node=self.node.name)
        now = datetime.now(UTC)
        kept = self.memory.samples.setdefault((self.node.name, check.id), [])
        kept[:] = [one for one in kept if now - one.at <= WINDOW]
        grown, evidence = judge.growth(rows, now, kept)
        kept.append(Sample(now, {row.object: row.measured for row in rows if row.measured is not None}))
        return judge.findings(replace(check, evidence=evidence), grown, limits, node=self.node.name)


def privileges(db: Database, role: str, needs: Sequence[str]) -> list[Need]:
    """Look up which of ``needs`` the role has; see queries/health/needs.sql."""
    quoted = ",".join('"' + need.replace("\\", "\\\\").replace('"', '\\"') + '"' for need in needs)
    return db.rows("queries/health/needs", Need, role=role, needs="{" + quoted + "}")


def _explained(error: WnError) -> tuple[str, str]:
    if isinstance(error, Blind):
        return f"hidden from this login: {_reason(error)}", error.next
    if isinstance(error, CutOff):
        if error.sqlstate == "55P03":
            return "given up after 100 ms: something it looks at is locked", "wnadmin locks tree"
        return "cut off: it took longer than 5 s", "Run it alone in psql: see `wnadmin health explain`"
    if isinstance(error, Vanished):
        return f"what it looks at is not there: {_reason(error)}", "wnadmin setup status"
    return f"could not be asked: {_reason(error)}", error.next


def _reason(error: WnError) -> str:
    # The map's first line begins with what was attempted, which the check's id says already.
    _, colon, rest = error.what.partition(": ")
    return rest if colon and error.what.startswith("checks/") else error.what
