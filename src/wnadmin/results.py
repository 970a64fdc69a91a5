"""What a command returns: frozen values, without I/O, without a driver, without a screen.

A body returns a :class:`Report`, :class:`Findings` or :class:`Plan`; the engine turns a Plan into an
:class:`Outcome`. Rendering, the ledger and the exit code are made from these values alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from wnadmin.secret import Personal, Secret

Json: TypeAlias = "str | int | bool | None | Sequence[Json] | Mapping[str, Json]"
"""What a receipt, an input and a payload may hold. No floats: canonical JSON must not depend on printing."""

Inputs: TypeAlias = "Mapping[str, Json]"
"""What an earlier, unfinished run of the same command had chosen; empty the first time."""

Value: TypeAlias = "str | int | float | bool | Decimal | UUID | datetime | date | timedelta | None | Personal | Secret"
"""A parameter of a bundled statement."""

Cell: TypeAlias = "Value | bytes | Sequence[Cell] | Mapping[str, Cell]"
"""One cell of a table."""

Unit: TypeAlias = Literal["", "bytes", "ms", "s", "days", "%", "rows"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``name`` is the machine's key, ``title`` what a person reads, ``unit`` how to print it."""

    name: str
    title: str = ""
    unit: Unit = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; each row has one cell a column.

    ``empty`` is said to people when there are no rows; with ``""`` nothing of the table is. ``shown`` is what people
    see in its place, where every column and row of it would be too much for a screen; machines always get all.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    empty: str = "nothing to show"
    shown: Table | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a look found: tables, free text, and the command to type next.

    ``kind`` names the contract for machines: ``{"schema": "wnadmin/<kind>/1"}``. One that is ``personal`` tells
    about a person, and is recorded before it is shown. ``page`` is Markdown that people read instead of the tables,
    which are its parts for machines.
    """

    kind: str
    tables: tuple[Table, ...] = ()
    text: str = ""
    notes: tuple[str, ...] = ()
    next: str = ""
    personal: bool = False
    page: str = ""


Severity: TypeAlias = Literal["ok", "skipped", "warn", "unknown", "critical"]
Evidence: TypeAlias = Literal["complete", "partial", "none"]
Standing: TypeAlias = Literal["", "waived", "known", "allowed"]

SEVERITY_ORDER: Mapping[Severity, int] = {"ok": 0, "skipped": 0, "warn": 1, "unknown": 2, "critical": 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement of one check about one object, with how well it could see.

    ``measured`` and ``threshold`` are for people; ``value``, ``unit``, ``warn`` and ``critical`` are the same as
    numbers where there are any (``below``: less is worse). ``sql`` names the bundled
    file that looked, ``remediation`` is what to do or to type. ``waiver_key`` is what a waiver names. ``standing``
    is ``waived`` for what the settings excuse, ``known`` for what the baseline had already and ``allowed`` for what
    was allowed to be unknown; none of these counts.
    """

    id: str
    check: str
    severity: Severity
    detail: str
    evidence: Evidence = "complete"
    node: str = ""
    object: str = ""
    measured: str = ""
    threshold: str = ""
    since: datetime | None = None
    remediation: str = ""
    playbook: str = ""
    sql: str = ""
    waiver_key: str = ""
    value: float | None = None
    unit: str = ""
    warn: float | None = None
    critical: float | None = None
    below: bool = False
    standing: Standing = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """Judgements, worst first when shown; ``kind`` as in :class:`Report`."""

    kind: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    next: str = ""

    @property
    def worst(self) -> Severity:
        """The highest severity of what counts, ``ok`` when there is none."""
        return max((f.severity for f in self.findings if not f.standing), key=SEVERITY_ORDER.__getitem__, default="ok")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a step really did: rows, seconds in milliseconds, values for later steps, the final text."""

    step: str
    rows: int | None = None
    milliseconds: int = 0
    values: Mapping[str, Json] = field(default_factory=dict)
    text: str = ""


Progress: TypeAlias = Callable[[str, int, int], None]
"""``progress(what, done, total)``; total 0 means unknown."""


@dataclass(frozen=True, slots=True)
class World:
    """What a running step may reach: the receipts of earlier steps, progress, and a wish to stop."""

    receipts: Mapping[str, Receipt]
    progress: Progress
    stopping: Callable[[], bool]


OnFailure: TypeAlias = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class Step:
    """The unit of resume: all that must share a transaction, a connection or a process.

    ``shows`` is the exact text to be run (or a program's command line), secrets masked.
    ``done`` looks whether the step's effect already stands; ``undo`` takes it back.
    ``rows`` is what the step expects to touch; another count is an error. ``timeout`` is in seconds.
    """

    key: str
    title: str
    shows: tuple[str, ...]
    run: Callable[[World], Receipt]
    done: Callable[[], bool] | None = None
    undo: Callable[[World, Receipt], Receipt] | None = None
    undo_shows: tuple[str, ...] = ()
    timeout: int | None = None
    on_failure: OnFailure = "stop"


@dataclass(frozen=True, slots=True)
class Plan:
    """A change as a value: what will run, what it does to the world, and how it is proven afterwards.

    ``inputs`` is what was chosen or saved before the change (it is recorded in the intent and handed back on
    resume). ``effects`` are sentences for the operator. ``verify`` looks again and returns one finding a
    promise. ``target`` names what two operators must not change at once. ``confirm`` is a word to be typed,
    which ``--yes`` does not replace. ``reason`` names a change that in production needs --reason also at a terminal.
    An empty ``steps`` means: nothing to do, as ``nothing`` says.
    """

    title: str
    steps: tuple[Step, ...]
    effects: tuple[str, ...] = ()
    inputs: Mapping[str, Json] = field(default_factory=dict)
    verify: Callable[[], Sequence[Finding]] | None = None
    target: str = ""
    confirm: str = ""
    reason: str = ""
    nothing: str = "nothing to do"
    node: Literal["primary", "any", "none"] = "primary"
    next: str = ""


Status: TypeAlias = Literal["done", "nothing", "dry-run", "check", "declined", "refused", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step's fate: ``done``, ``skipped`` (its effect stood already), ``failed``, ``undone`` or ``not run``."""

    key: str
    title: str
    status: Literal["done", "skipped", "failed", "undone", "not run"]
    shows: tuple[str, ...] = ()
    receipt: Receipt | None = None
    error: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a Plan: each step, the proof, where it was recorded."""

    kind: str
    title: str
    status: Status
    operation: UUID
    steps: tuple[StepResult, ...]
    proof: tuple[Finding, ...] = ()
    effects: tuple[str, ...] = ()
    digest: str = ""
    recorded: str = ""
    detail: str = ""
    next: str = ""


Result: TypeAlias = "Report | Findings | Outcome"
