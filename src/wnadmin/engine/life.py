"""Run a declared command: connect, call the body, show its value, leave its row."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from wnadmin.engine import apply
from wnadmin.engine.connect import open_session, resolve
from wnadmin.engine.operation import Operation, Prior
from wnadmin.errors import Exit, NoConnection, Refused, UsageError, WnError
from wnadmin.results import SEVERITY_ORDER, Findings, Plan, Report, Result

if TYPE_CHECKING:
    from wnadmin.engine.declare import Declared
    from wnadmin.engine.options import Options
    from wnadmin.ledger.recorder import Recorder
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.session import Session
    from wnadmin.postgres.target import Target
    from wnadmin.settings import Profile

WAIT_LIMIT = 30.0
"""The longest pause, in seconds, between two attempts of a watch to reconnect."""


def run(
    declared: Declared,
    arguments: Mapping[str, Any],
    argv: list[str],
    options: Options,
    *,
    prior: Prior | None = None,
    undo: bool = False,
) -> tuple[Result, Exit]:
    """Run one command to its end and give its value and exit code; prints unless ``options.quiet``."""
    from wnadmin.ledger.recorder import Recorder

    target, profile = _resolve(declared, options)
    operation = Operation(declared.name, argv, options, target, prior.operation if prior else uuid4(), prior)
    with contextlib.ExitStack() as stack:
        recorder = stack.enter_context(contextlib.closing(Recorder.open(target, declared.name)))
        if prior is not None:
            recorder.goes_on(prior.operation)
        try:
            injected = _inject(declared, operation, recorder, profile, stack)
            value = declared.body(**arguments, **injected)
        except (Refused, NoConnection) as error:
            if declared.returns == "Plan":
                # An attempt that cannot be recorded must not hide why it was refused.
                with contextlib.suppress(WnError):
                    recorder.refused(operation.id, {**operation.identity(), "detail": error.what})
            raise
        if isinstance(value, Plan):
            change = apply.take_back if undo else apply.run
            more = {} if undo else {"production": bool(profile and profile.production)}
            outcome, code = change(value, operation, recorder, **more)
            _write(outcome, options)
            return outcome, code
        return _look(declared, value, arguments, operation, recorder, profile, stack)


def _resolve(declared: Declared, options: Options) -> tuple[Target | None, Profile | None]:
    if not declared.needs_target:
        return None, None
    try:
        return resolve(options)
    except NoConnection as error:
        if not declared.may_be_alone:
            raise
        _alone(error)
        return None, None


def _alone(error: NoConnection) -> None:
    from wnadmin.render import talk

    talk.warn(". ".join(part.rstrip(".") for part in (error.what, error.why, error.next) if part))


def _inject(
    declared: Declared,
    operation: Operation,
    recorder: Recorder,
    profile: Profile | None,
    stack: contextlib.ExitStack,
) -> dict[str, Any]:
    from wnadmin.postgres.database import Database

    injected: dict[str, Any] = {}
    for name, kind in declared.injected.items():
        if kind == "Database?":
            injected[name] = None
            if operation.target is not None:
                try:
                    injected[name] = Database(_session(declared, operation, profile, stack))
                except NoConnection as error:
                    _alone(error)
        elif kind == "Database":
            session = _session(declared, operation, profile, stack)
            injected[name] = Database(session)
        elif kind == "Connections":
            injected[name] = _connections(declared, operation, profile, stack)
        elif kind == "Target":
            injected[name] = operation.target
        elif kind == "Profile":
            injected[name] = profile
        elif kind == "Recorder":
            injected[name] = recorder
        elif kind == "Inputs":
            injected[name] = dict(operation.prior.inputs) if operation.prior else {}
        else:
            raise TypeError(f"{declared.name}: nothing gives a {kind}")
    return injected


def _connections(
    declared: Declared, operation: Operation, profile: Profile | None, stack: contextlib.ExitStack
) -> Connections:
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.session import Timeouts

    if operation.target is None or profile is None:
        raise TypeError(f"{declared.name} was not given a target")
    limits = Timeouts(lock=profile.lock_timeout, statement=profile.statement_timeout)
    return stack.enter_context(contextlib.closing(Connections(operation.target, declared.name, limits)))


def _session(declared: Declared, operation: Operation, profile: Profile | None, stack: contextlib.ExitStack) -> Session:
    if operation.target is None or profile is None:
        raise TypeError(f"{declared.name} was not given a target")
    session = open_session(
        operation.target,
        profile,
        declared.name,
        change=declared.returns == "Plan" and declared.node == "primary",
    )
    stack.callback(session.close)
    return session


def _look(
    declared: Declared,
    value: Report | Findings,
    arguments: Mapping[str, Any],
    operation: Operation,
    recorder: Recorder,
    profile: Profile | None,
    stack: contextlib.ExitStack,
) -> tuple[Result, Exit]:
    options = operation.options
    if isinstance(value, Findings):
        _require_known(value, options)
    if declared.personal:
        # Reading about a person is recorded before it is shown, or not shown.
        recorder.read(operation.id, operation.identity())
    _write(value, options)
    if options.watch is not None:
        _watch(declared, arguments, operation, recorder, profile, stack, options.watch)
    elif declared.records and declared.needs_target and not declared.personal:
        with contextlib.suppress(WnError):
            recorder.read(operation.id, operation.identity())
    if isinstance(value, Findings):
        return value, judge(value, options)
    return value, Exit.OK


def _require_known(value: Findings, options: Options) -> None:
    known = sorted({one.check for one in value.findings})
    for name in options.allow_unknown:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"--allow-unknown {name}: there is no such check here",
                why=f"The checks are: {', '.join(known)}.",
                next=f"Did you mean {near[0]}?" if near else "Name one of them.",
            )


def judge(value: Findings, options: Options) -> Exit:
    """3 when a finding is at or above --fail-on, or could not be seen and was not allowed to be; else 0."""
    bar = SEVERITY_ORDER[options.fail_on]
    for finding in value.findings:
        if finding.severity == "unknown":
            if finding.check not in options.allow_unknown:
                return Exit.FINDINGS
        elif finding.severity not in ("ok", "skipped") and SEVERITY_ORDER[finding.severity] >= bar:
            return Exit.FINDINGS
    return Exit.OK


def _watch(
    declared: Declared,
    arguments: Mapping[str, Any],
    operation: Operation,
    recorder: Recorder,
    profile: Profile | None,
    stack: contextlib.ExitStack,
    seconds: float,
) -> None:
    from wnadmin.render import talk

    if seconds < 0.1:
        raise UsageError("--watch needs at least 0.1 seconds", next="Example: --watch 2")
    with contextlib.suppress(WnError):
        recorder.read(operation.id, {**operation.identity(), "watch": True})
    inner = stack.enter_context(contextlib.ExitStack())
    injected: dict[str, Any] | None = None
    pause = seconds
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(pause)
            try:
                if injected is None:
                    injected = _inject(declared, operation, recorder, profile, inner)
                value = declared.body(**arguments, **injected)
            except WnError as error:
                talk.error(error)
                inner.close()
                injected, pause = None, min(max(pause * 2, 1.0), WAIT_LIMIT)
                continue
            pause = seconds
            _write(value, operation.options, again=True)


def _write(value: Result, options: Options, *, again: bool = False) -> None:
    from wnadmin import render
    from wnadmin.render import talk

    if options.quiet:
        return
    form = render.resolve(options.format, sys.stdout)
    if options.watch is not None and form in ("json", "csv"):
        raise UsageError(
            f"--watch cannot write {form}",
            why="A stream of looks is written as one object a line.",
            next="Use --format ndjson.",
        )
    if again and form == "table":
        render.clear(sys.stdout)
    elif again and form in ("plain", "markdown"):
        talk.note(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    for words in render.write(value, format=form, stream=sys.stdout):
        talk.note(words)
    sys.stdout.flush()
