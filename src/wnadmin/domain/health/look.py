"""Run checks on the nodes: each cut off alone, none able to hide another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

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


def look(node: Node, chosen: Sequence[Check], limits: Mapping[str, Limits], memory: Memory) -> Look:
    """Run the checks on one node, one after the other on its one connection."""
    if node.db is None:
        return Look(node, tuple(_unreached(node, chosen, limits)), {})
    runner = _Runner(node, node.db, limits, memory)
    try:
        runner.prepare(chosen)
    except WnError as error:
        lost = Node(node.name, node.place, error=error)
        return Look(node, tuple(_unreached(lost, chosen, limits)), {})
    found: list[Finding] = []
    seconds: dict[str, float] = {}
    for number, check in enumerate(chosen):
        began = time.monotonic()
        found += runner.run(check)
        seconds[check.id] = time.monotonic() - began
        if not runner.db.session.alive:
            # What has just been said of it is not true any more.
            kept = [one for one in found if one.check not in (check.id, REACHABLE)]
            gone = NoConnection(f"the connection was lost during {check.id}", next="pg_isready, then the server's log")
            lost = Node(node.name, node.place, error=gone)
            rest = [one for one in chosen if one.id == REACHABLE or one in chosen[number:]]
            return Look(node, (*kept, *_unreached(lost, rest, limits)), seconds)
    return Look(node, tuple(found), seconds)


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

    def run(self, check: Check) -> list[Finding]:
        limits = self.limits[check.id]
        if check.where != "any" and self.standby != (check.where == "standby"):
            return [judge.skipped(check, limits, self.node.name, f"is asked of a {check.where} only")]
        major = self.db.version // 10000
        if major < check.since:
            why = f"needs PostgreSQL {check.since}; this server is {major}"
            return [judge.skipped(check, limits, self.node.name, why)]
        for need in check.needs:
            have = self.needs[need]
            if not have.met:
                why = f"{'this login lacks' if have.present else 'there is no'} {need.partition(':')[2]}"
                fix = have.remedy if have.present or need.startswith("extension:") else "wnadmin setup status"
                return [judge.blind(check, limits, self.node.name, why, remediation=fix)]
        try:
            rows = self._rows(check)
        except WnError as error:
            why, fix = _explained(error)
            return [judge.blind(check, limits, self.node.name, why, remediation=fix)]
        if check.id == REACHABLE and self.standby and self.node.name == "primary":
            words = "the profile's primary is a standby"
            rows = [Measured("", Decimal(2), None, words, "Correct `primary` of the profile, or promote this node.")]
        return self._judged(check, rows, limits)

    def _rows(self, check: Check) -> list[Measured]:
        values = self._values(check)
        # Something was dropped between the list and the look at it; the next list does not have it.
        for _ in range(_AGAIN):
            with contextlib.suppress(Vanished):
                return self.db.rows(check.file, Measured, **values)
        return self.db.rows(check.file, Measured, **values)

    def _values(self, check: Check) -> dict[str, Value]:
        """Where the extension stands that the check calls, if its variant for this database calls one."""
        if not check.extension or "schema" not in names(self.db.file(check.file).text):
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
