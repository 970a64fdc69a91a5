"""Commands from the command line, and commands made of commands."""

from __future__ import annotations

import contextvars
import dataclasses
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wnadmin.engine.options import Options
from wnadmin.errors import Exit, Failed, UsageError
from wnadmin.results import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    import typer

    from wnadmin.engine.declare import Declared
    from wnadmin.engine.operation import Prior


@dataclasses.dataclass(slots=True)
class _Frame:
    """What an outer command hands to the inner one, and where the inner one leaves its value."""

    options: Options
    prior: Prior | None = None
    undo: bool = False
    value: Result | None = None
    code: int = Exit.OK


_frame: contextvars.ContextVar[_Frame | None] = contextvars.ContextVar("wnadmin_frame", default=None)
_root: contextvars.ContextVar[Any] = contextvars.ContextVar("wnadmin_root", default=None)


def from_command_line(
    declared: Declared, arguments: Mapping[str, Any], argv: list[str], options: Options, ctx: typer.Context
) -> int:
    """Run what typer parsed; inside another command, with that one's connection and care."""
    frame = _frame.get()
    root_token = _root.set(ctx.find_root().command)
    try:
        if frame is not None:
            options = dataclasses.replace(
                options,
                dsn=options.dsn or frame.options.dsn,
                profile=options.profile or frame.options.profile,
                yes=options.yes or frame.options.yes,
                dry_run=options.dry_run or frame.options.dry_run,
                reason=options.reason or frame.options.reason,
                format=frame.options.format,
                parent=frame.options.parent,
                quiet=frame.options.quiet,
                break_glass=options.break_glass or frame.options.break_glass,
            )
        if declared.raw:
            with _inside(None):
                return int(declared.body(**arguments, **_raw_injected(declared, options)) or 0)
        from wnadmin.engine import life

        with _inside(None):
            value, code = life.run(
                declared,
                arguments,
                argv,
                options,
                prior=frame.prior if frame else None,
                undo=frame.undo if frame else False,
            )
        if frame is not None:
            frame.value, frame.code = value, code
            return 0
        return int(code)
    except KeyboardInterrupt:
        # The parser would turn it into an exit code of its own.
        raise Failed("interrupted", next="`wnadmin audit unfinished` shows whether a change was under way.") from None
    finally:
        _root.reset(root_token)


def root() -> Any:
    """Give the root command of the program that runs, None outside a command."""
    return _root.get()


def _raw_injected(declared: Declared, options: Options) -> dict[str, Any]:
    return {name: options for name, kind in declared.injected.items() if kind == "Options"}


@contextmanager
def _inside(frame: _Frame | None) -> Iterator[None]:
    token = _frame.set(frame)
    try:
        yield
    finally:
        _frame.reset(token)


def invoke(
    argv: Sequence[str],
    options: Options,
    *,
    parent: UUID | None = None,
    prior: Prior | None = None,
    undo: bool = False,
    quiet: bool = True,
) -> tuple[Result, int]:
    """Run ``argv`` (without ``wnadmin``) in this process and give its value and exit code.

    The inner command takes connection, --yes and --reason from ``options``. Raises what the inner one raises.
    """
    root = _root.get()
    if root is None:
        raise Failed("a command was invoked outside the command line")
    frame = _Frame(dataclasses.replace(options, parent=parent, quiet=quiet), prior, undo)
    with _inside(frame):
        root.main(args=list(argv), prog_name="wnadmin", standalone_mode=False)
    if frame.value is None:
        raise UsageError(f"`wnadmin {' '.join(argv)}` gave no value", why="It only printed its help.")
    return frame.value, frame.code
