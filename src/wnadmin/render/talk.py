"""Everything that is said beside the data: notes, warnings, errors, progress, questions. All of it on stderr.

Escape sequences for style are written by hand, so that an error costs no import of rich; only a progress bar
on a terminal needs it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from wnadmin.errors import WnError
from wnadmin.render.cells import visible
from wnadmin.render.screen import emit, is_dumb, is_terminal, use_color, width_of
from wnadmin.results import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

PREFIX: Final = "wnadmin: "
INTERVAL: Final = 2.0
"""Seconds between two lines of progress where there is no terminal."""

_RED: Final = "\x1b[1;31m"
_YELLOW: Final = "\x1b[1;33m"
_CYAN: Final = "\x1b[36m"
_RESET: Final = "\x1b[0m"

_above_bar: list[Callable[[str], None]] = []


def note(text: str, *, stream: TextIO | None = None, color: bool | None = None) -> None:
    """Say something worth knowing."""
    _say(text, "", "", stream, color)


def warn(text: str, *, stream: TextIO | None = None, color: bool | None = None) -> None:
    """Say something the operator should act upon."""
    _say(text, "warning: ", _YELLOW, stream, color)


def error(problem: WnError, *, stream: TextIO | None = None, color: bool | None = None) -> None:
    """Say what happened, why, and what to type next, one line each; a line without words is left out."""
    state = f" (SQLSTATE {problem.sqlstate})" if problem.sqlstate else ""
    _say(problem.what + state, "", _RED, stream, color)
    if problem.why:
        _say(problem.why, "why: ", _CYAN, stream, color)
    if problem.next:
        _say(problem.next, "next: ", _CYAN, stream, color)


def can_ask(stream_in: TextIO | None = None) -> bool:
    """Say whether there is a person to ask: whether the input is a terminal."""
    return is_terminal(sys.stdin if stream_in is None else stream_in)


def ask(prompt: str, *, stream_in: TextIO | None = None, stream_err: TextIO | None = None) -> str:
    """Put a question on stderr and read the answer, stripped; the end of input is ``""``."""
    source = sys.stdin if stream_in is None else stream_in
    target = sys.stderr if stream_err is None else stream_err
    emit(target, PREFIX + visible(prompt).rstrip() + " ")
    target.flush()
    line = source.readline()
    if not line.endswith("\n"):
        emit(target, "\n")
        target.flush()
    return line.strip()


@contextmanager
def progress(
    *, stream: TextIO | None = None, color: bool | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """Give a callback ``(what, done, total)``: a bar on a terminal, elsewhere a line in two seconds.

    ``total`` 0 means unknown. The first and the last call are always said. It may be called from any thread.
    """
    target = sys.stderr if stream is None else stream
    if is_terminal(target) and not is_dumb():
        with _bars(target, use_color(target, color)) as callback:
            yield callback
        return
    lines = _Lines(target, clock)
    try:
        yield lines
    finally:
        lines.close()


class _Lines:
    """Progress for logs."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._said_at: float | None = None
        self._waiting = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        known = f" {done:,}/{total:,} ({done * 100 // total} %)" if total > 0 else ""
        share = known or (f" {done:,}" if done else "")
        with self._lock:
            self._waiting = what + share
            now = self._clock()
            if self._said_at is None or now - self._said_at >= INTERVAL:
                self._said_at = now
                self._flush()

    def close(self) -> None:
        """Say what was last heard, unless it was said."""
        with self._lock:
            if self._waiting:
                self._flush()

    def _flush(self) -> None:
        line, self._waiting = self._waiting, ""
        _say(line, "", "", self._stream, False)


@contextmanager
def _bars(stream: TextIO, color: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    console = Console(
        file=stream,
        width=width_of(stream, None),
        force_terminal=True,
        color_system="standard" if color else None,
        no_color=not color,
        markup=False,
        highlight=False,
    )
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )

    def above(text: str) -> None:
        console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)

    # Data goes to stdout while the bar is on stderr: rich must leave both streams as they are.
    with Bars(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bars:

        def callback(what: str, done: int, total: int) -> None:
            with lock:
                if what not in tasks:
                    tasks[what] = bars.add_task(visible(what, keep=""), total=None)
                bars.update(tasks[what], completed=done, total=total if total > 0 else None)

        _above_bar.append(above)
        try:
            yield callback
        finally:
            _above_bar.remove(above)


def _say(text: str, label: str, style: str, stream: TextIO | None, color: bool | None) -> None:
    target = sys.stderr if stream is None else stream
    paint = bool(style) and use_color(target, color)
    head = f"{style}{PREFIX}{label}{_RESET}" if paint else f"{PREFIX}{label}"
    first, *more = visible(text).rstrip("\n").split("\n")
    said = "".join(f"{line}\n" for line in [head + first, *(PREFIX + line for line in more)])
    if _above_bar and is_terminal(target):
        _above_bar[-1](said)
        return
    emit(target, said)
    target.flush()
