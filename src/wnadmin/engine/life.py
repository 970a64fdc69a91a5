"""Run a declared command: connect, call the body, show its value, leave its row."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from wnadmin.ahead import Ahead
from wnadmin.engine import judgement
from wnadmin.engine.connect import all_nodes, open_session, resolve
from wnadmin.engine.operation import Operation, Prior
from wnadmin.errors import Exit, NoConnection, Refused, WnError
from wnadmin.results import Findings, Plan, Report, Result

if TYPE_CHECKING:
    from wnadmin.engine.declare import Declared
    from wnadmin.engine.options import Options
    from wnadmin.ledger.recorder import Recorder
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.nodes import Nodes
    from wnadmin.postgres.session import Session
    from wnadmin.postgres.target import Target
    from wnadmin.render import Format
    from wnadmin.settings import Profile


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
    target, profile = _resolve(declared, options)
    operation = Operation(declared.name, argv, options, target, prior.operation if prior else uuid4(), prior)
    with contextlib.ExitStack() as stack:
        pen = Ahead(partial(_recorder, declared, operation))
        stack.callback(_put_away, pen)
        if prior is not None:
            pen.take().goes_on(prior.operation)
        if options.watch is not None:
            return _watch(declared, arguments, operation, pen, profile, stack, options.watch)
        try:
            injected = _inject(declared, operation, pen, profile, stack)
            value = declared.body(**arguments, **injected)
        except (Refused, NoConnection) as error:
            if declared.returns == "Plan":
                # An attempt that cannot be recorded must not hide why it was refused.
                with contextlib.suppress(WnError):
                    pen.take().refused(operation.id, {**operation.identity(), "detail": error.what})
            raise
        if isinstance(value, Plan):
            from wnadmin.engine import apply

            change = apply.take_back if undo else apply.run
            more = {} if undo else {"production": bool(profile and profile.production)}
            outcome, code = change(value, operation, pen.take(), **more)
            _write(outcome, options)
            return outcome, code
        return _look(declared, value, operation, pen, profile)


def _recorder(declared: Declared, operation: Operation) -> Recorder:
    """Make what writes the command's row; it connects when there is something to write."""
    from wnadmin import render
    from wnadmin.ledger.recorder import Recorder

    if declared.returns != "Plan":
        render.prepare(_form(operation.options, findings=declared.returns == "Findings"))
    return Recorder.open(operation.target, declared.name)


def _put_away(pen: Ahead[Recorder]) -> None:
    if pen.begun():
        pen.take().close()


def _resolve(declared: Declared, options: Options) -> tuple[Target | None, Profile | None]:
    if not declared.needs_target:
        return None, None
    try:
        return resolve(options)
    except NoConnection as error:
        if not declared.may_be_alone:
            raise
        if "Target?" not in declared.injected.values():
            _alone(error)
        return None, None


def _alone(error: NoConnection) -> None:
    from wnadmin.render import talk

    talk.warn(". ".join(part.rstrip(".") for part in (error.what, error.why, error.next) if part))


def _inject(
    declared: Declared,
    operation: Operation,
    pen: Ahead[Recorder],
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
                    injected[name] = Database(_session(declared, operation, pen, profile, stack))
                except NoConnection as error:
                    _alone(error)
        elif kind == "Database":
            session = _session(declared, operation, pen, profile, stack)
            injected[name] = Database(session)
        elif kind == "Nodes":
            injected[name] = _nodes(declared, operation, pen, profile, stack)
        elif kind == "Connections?" and operation.target is None:
            injected[name] = None
        elif kind.rstrip("?") == "Connections":
            injected[name] = _connections(declared, operation, profile, stack)
        elif kind.rstrip("?") == "Target":
            injected[name] = operation.target
        elif kind == "Profile":
            injected[name] = profile
        elif kind == "Recorder":
            injected[name] = pen.take()
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


def _nodes(
    declared: Declared,
    operation: Operation,
    pen: Ahead[Recorder],
    profile: Profile | None,
    stack: contextlib.ExitStack,
) -> Nodes:
    from wnadmin.postgres.nodes import Nodes

    if operation.target is None or profile is None:
        raise TypeError(f"{declared.name} was not given a target")
    targets = all_nodes(operation.target, profile, operation.options)
    opener = partial(open_session, profile=profile, command=declared.name, change=False, brief=True)
    return stack.enter_context(contextlib.closing(Nodes(targets, opener, pen.begin)))


def _session(
    declared: Declared,
    operation: Operation,
    pen: Ahead[Recorder],
    profile: Profile | None,
    stack: contextlib.ExitStack,
) -> Session:
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
    # From here on the server works, and this side waits.
    pen.begin()
    return session


def _look(
    declared: Declared,
    value: Report | Findings,
    operation: Operation,
    pen: Ahead[Recorder],
    profile: Profile | None,
) -> tuple[Result, int]:
    options = operation.options
    value = _weighed(value, options, profile)
    personal = declared.personal or (isinstance(value, Report) and value.personal)
    if personal:
        # Reading about a person is recorded before it is shown, or not shown.
        pen.take().read(operation.id, operation.identity())
    _write(value, options)
    if declared.records and declared.needs_target and not personal:
        with contextlib.suppress(WnError):
            pen.take().read(operation.id, operation.identity())
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
    pen: Ahead[Recorder],
    profile: Profile | None,
    stack: contextlib.ExitStack,
    seconds: float,
) -> tuple[Result, int]:
    from wnadmin.engine.watch import Watch

    options = operation.options
    inner = stack.enter_context(contextlib.ExitStack())
    injected: dict[str, Any] = {}

    def look() -> Report | Findings:
        if not injected:
            injected.update(_inject(declared, operation, pen, profile, inner))
        value = _weighed(declared.body(**arguments, **injected), options, profile)
        if any(one is None for one in injected.values()):
            # A server that this look could do without may be there at the next.
            forget()
        return value

    def forget() -> None:
        inner.close()
        injected.clear()

    def record() -> None:
        pen.take().read(operation.id, {**operation.identity(), "watch": True})
        # A watch may last a day, and needs its one connection only.
        pen.take().close()

    return Watch(options, seconds, declared.personal, look, forget, record).run()


def _write(value: Result, options: Options) -> None:
    from wnadmin import render
    from wnadmin.render import talk

    if options.quiet:
        return
    form = _form(options, findings=isinstance(value, Findings))
    for words in render.write(render.only(value, options.table), format=form, stream=sys.stdout):
        talk.note(words)
    sys.stdout.flush()


def _form(options: Options, *, findings: bool) -> Format:
    from wnadmin import render

    if findings and options.exit_style == "nagios" and options.format == "auto":
        return "nagios"
    return render.resolve(options.format, sys.stdout)
