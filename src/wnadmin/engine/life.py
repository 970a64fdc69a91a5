"""Run a declared command: connect, call the body, show its value, leave its row."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from wnadmin.engine import apply, judgement
from wnadmin.engine.connect import all_nodes, open_session, resolve
from wnadmin.engine.operation import Operation, Prior
from wnadmin.errors import Exit, NoConnection, Refused, UsageError, WnError
from wnadmin.results import Findings, Plan, Report, Result

if TYPE_CHECKING:
    from wnadmin.engine.declare import Declared
    from wnadmin.engine.options import Options
    from wnadmin.ledger.recorder import Recorder
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.nodes import Nodes
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
) -> tuple[Result, int]:
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
        elif kind == "Nodes":
            injected[name] = _nodes(declared, operation, profile, stack)
        elif kind == "Connections?" and operation.target is None:
            injected[name] = None
        elif kind.rstrip("?") == "Connections":
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


def _nodes(declared: Declared, operation: Operation, profile: Profile | None, stack: contextlib.ExitStack) -> Nodes:
    from wnadmin.postgres.nodes import Nodes

    if operation.target is None or profile is None:
        raise TypeError(f"{declared.name} was not given a target")
    targets = all_nodes(operation.target, profile, operation.options)
    opener = partial(open_session, profile=profile, command=declared.name, change=False, brief=True)
    return stack.enter_context(contextlib.closing(Nodes(targets, opener)))


def _session(declared: Declared, operation: Operation, profile: Profile | None, stack: contextlib.ExitStack) -> Session:
    if operation.target is None or profile is None:
        raise TypeError(f"{declared.name} was not given a target")
    session = open_session(
        operation.target,
        profile,
        declared.name,
        change=declared.returns == "Plan" and declared.node == "primary",
        brief=declared.brief,
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
) -> tuple[Result, int]:
    options = operation.options
    value = _weighed(value, options, profile)
    personal = declared.personal or (isinstance(value, Report) and value.personal)
    if personal:
        # Reading about a person is recorded before it is shown, or not shown.
        recorder.read(operation.id, operation.identity())
    _write(value, options)
    if options.watch is not None:
        _watch(declared, arguments, operation, recorder, profile, stack, options.watch)
    elif declared.records and declared.needs_target and not personal:
        with contextlib.suppress(WnError):
            recorder.read(operation.id, operation.identity())
    if isinstance(value, Findings):
        return value, judgement.code(value, options)
    return value, Exit.OK


def _weighed(value: Report | Findings, options: Options, profile: Profile | None) -> Report | Findings:
    if not isinstance(value, Findings):
        return value
    today = datetime.now(UTC).date()
    weighed = judgement.weigh(value, options, profile.waivers if profile else (), today)
    judgement.require_known(weighed, options)
    return weighed


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
    pause, said = seconds, ""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(pause)
            try:
                if injected is None:
                    injected = _inject(declared, operation, recorder, profile, inner)
                value = _weighed(declared.body(**arguments, **injected), operation.options, profile)
            except WnError as error:
                if error.what != said:
                    # Once, with its time: the same words every second would push the last look off the screen.
                    talk.note(datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ, and again until it succeeds:"))
                    talk.error(error)
                said = error.what
                inner.close()
                injected, pause = None, min(max(pause * 2, 1.0), WAIT_LIMIT)
                continue
            pause, said = seconds, ""
            _write(value, operation.options, again=True)
    _leave(operation.options)


def _leave(options: Options) -> None:
    from wnadmin import render

    if not options.quiet and render.redraws(options.format, sys.stdout):
        render.leave(sys.stdout)


def _write(value: Result, options: Options, *, again: bool = False) -> None:
    from wnadmin import render
    from wnadmin.render import talk

    if options.quiet:
        return
    form = render.resolve(options.format, sys.stdout)
    if isinstance(value, Findings) and options.exit_style == "nagios" and options.format == "auto":
        form = "nagios"
    if options.watch is not None and form in ("json", "csv"):
        raise UsageError(
            f"--watch cannot write {form}",
            why="A stream of looks is written as one object a line.",
            next="Use --format ndjson.",
        )
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if options.watch is not None and render.redraws(form, sys.stdout):
        heading = f"{now}, again every {options.watch:g} s; Ctrl-C ends"
        if isinstance(value, Findings):
            # What is cut off at the end of a small window must not be the verdict.
            heading = f"{render.tally(value)} | {heading}"
        render.redraw(value, heading=heading, stream=sys.stdout, first=not again)
        sys.stdout.flush()
        return
    if again and form in ("table", "plain", "markdown"):
        talk.note(now)
    for words in render.write(value, format=form, stream=sys.stdout):
        talk.note(words)
    sys.stdout.flush()
