"""Operations: the entries of database and spool read together, one value a command that was run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from wnadmin.ledger.chain import Entry, Phase, Sink
from wnadmin.ledger.joined import original
from wnadmin.results import Json, Receipt

CLOSING: frozenset[Phase] = frozenset({"outcome", "declined", "dry_run", "refused", "read"})
_STATUS: Mapping[Phase, str] = {"declined": "declined", "dry_run": "dry-run", "refused": "refused", "read": "done"}


@dataclass(frozen=True, slots=True)
class StepDone:
    """One ``done`` entry: the step's key, its status (done, skipped, undone …) and its receipt if it has one."""

    step: str
    status: str
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Operation:
    """What became of one command, through all of its runs: a resume and an undo keep the operation's id.

    ``command``, ``argv``, ``args``, ``inputs`` and ``digest`` are those of its first intent, which a resume must use
    again. ``outcome`` is None while its newest intent has no end, and ``undone`` when that run took it back.
    ``login`` is the database login that recorded it, '' in the spool. ``sink`` is where it began, ``seq`` its number
    there.
    """

    op_id: UUID
    started: datetime
    ended: datetime | None
    phase: Phase
    command: str
    argv: tuple[str, ...]
    args: Mapping[str, Json]
    inputs: Mapping[str, Json]
    digest: str
    steps: tuple[StepDone, ...]
    outcome: str | None
    detail: str
    milliseconds: int | None
    os_user: str
    host: str
    login: str
    target: str
    reason: str
    parent: UUID | None
    sink: Sink
    seq: int
    entries: tuple[Entry, ...] = field(repr=False)

    @property
    def unfinished(self) -> bool:
        """Whether it was begun and no end of it is recorded."""
        return self.outcome is None

    @property
    def receipts(self) -> Mapping[str, Receipt]:
        """Give the receipts of the steps whose effect stands: done or skipped, and not undone since."""
        standing: dict[str, Receipt] = {}
        for one in self.steps:
            if one.status in ("done", "skipped"):
                standing[one.step] = one.receipt or Receipt(one.step)
            elif one.status == "undone":
                standing.pop(one.step, None)
        return standing

    @property
    def who(self) -> str:
        """Name the operator: system user and machine, and the database login where it is another name."""
        person = f"{self.os_user}@{self.host}" if self.os_user and self.host else self.os_user or self.host
        if not self.login or self.login == self.os_user:
            return person or self.login
        return f"{person} as {self.login}" if person else self.login


def operations(entries: Iterable[Entry]) -> list[Operation]:
    """Assemble operations from entries of any sinks in any order, newest first.

    An entry that stands in both sinks, or in one of them twice because it was joined later, counts once. One that was
    joined is taken as it was.
    """
    together: dict[UUID, dict[tuple[Phase, str], Entry]] = {}
    for one in sorted(map(original, entries), key=lambda e: (e.ts, e.sink, e.seq)):
        together.setdefault(one.op_id, {}).setdefault((one.phase, one.payload), one)
    found = [_assemble(list(own.values())) for own in together.values()]
    return sorted(found, key=lambda o: (o.started, o.sink, o.seq), reverse=True)


_Parsed = tuple[Entry, dict[str, Any]]


def _assemble(entries: list[Entry]) -> Operation:
    parsed = [(one, one.facts()) for one in entries]
    intents = [pair for pair in parsed if pair[0].phase == "intent"]
    first, facts = (intents or parsed)[0]
    end = _end(parsed, intents)
    ending = end[1] if end else {}
    envelope = first.circumstances()
    steps = tuple(_step(own) for one, own in parsed if one.phase == "done")
    return Operation(
        op_id=first.op_id,
        started=first.ts,
        ended=end[0].ts if end else None,
        phase=first.phase,
        command=_word(facts, "command") or _word(envelope, "command"),
        argv=tuple(str(one) for one in _listed(facts, "argv")),
        args=_mapped(facts, "args"),
        inputs=_mapped(facts, "inputs"),
        digest=_word(facts, "digest"),
        steps=steps,
        outcome=_status(*end, intents[-1][1] if intents else {}) if end else None,
        detail=_word(ending, "detail"),
        milliseconds=_number(ending.get("milliseconds")),
        os_user=_word(facts, "os_user") or _word(envelope, "os_user"),
        host=_word(facts, "host") or _word(envelope, "host"),
        login=_word(envelope, "session_user"),
        target=_word(facts, "target") or _word(envelope, "target"),
        reason=_word(facts, "reason"),
        parent=_uuid(facts.get("parent")),
        sink=first.sink,
        seq=first.seq,
        entries=tuple(entries),
    )


def _end(parsed: Sequence[_Parsed], intents: Sequence[_Parsed]) -> _Parsed | None:
    """Find the entry that closed the newest run, None when nothing did."""
    if not intents:
        closing = [pair for pair in parsed if pair[0].phase in CLOSING]
    else:
        last, facts = intents[-1]
        run = facts.get("run", "")
        earlier = {pair[1].get("run", "") for pair in intents[:-1]} - {run}
        # Only an outcome ends an intent; a declined or dry resume does not. Two sinks have two clocks, so an
        # outcome is known by its run before it is known by its time.
        closing = [
            pair
            for pair in parsed
            if pair[0].phase == "outcome"
            and pair[1].get("run", "") not in earlier
            and (pair[0].ts >= last.ts or pair[1].get("run", "") == run != "")
        ]
    return closing[-1] if closing else None


def _status(entry: Entry, facts: Mapping[str, Any], intent: Mapping[str, Any]) -> str:
    status = _word(facts, "status") or _STATUS.get(entry.phase, "done")
    return "undone" if status == "done" and "undoes" in _mapped(intent, "inputs") else status


def _step(facts: Mapping[str, Any]) -> StepDone:
    step = _word(facts, "step")
    own = facts.get("receipt")
    receipt = None
    if isinstance(own, dict):
        receipt = Receipt(
            step=_word(own, "step") or step,
            rows=_number(own.get("rows")),
            milliseconds=_number(own.get("milliseconds")) or 0,
            values=_mapped(own, "values"),
            text=_word(own, "text"),
        )
    return StepDone(step, _word(facts, "status") or "done", receipt)


def _word(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    return value if isinstance(value, str) else ""


def _listed(facts: Mapping[str, Any], key: str) -> list[Any]:
    value = facts.get(key)
    return value if isinstance(value, list) else []


def _mapped(facts: Mapping[str, Any], key: str) -> Mapping[str, Json]:
    value = facts.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
