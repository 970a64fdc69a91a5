"""`readonly on --for`: enter, prove it, stay for that long in the foreground, and put everything back.

Nothing else could be trusted to leave in time: the server runs nothing by itself, `at` may not be there, and a process
in the background dies unseen. What leaves is the process that the operator sees; it says so, and the database knows
until when.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from wnadmin.domain.readonly import look, prove, work
from wnadmin.domain.readonly.values import Kept
from wnadmin.domain.readonly.ways import Ways
from wnadmin.errors import Failed, UsageError
from wnadmin.results import Finding, Receipt, Step, World

STAY: Final = "stay"
_POLL: Final = 0.2
_LONGEST: Final = timedelta(hours=24)
_FORM: Final = re.compile(r"(?:(?P<hours>\d{1,4})h)?(?:(?P<minutes>\d{1,5})m)?(?:(?P<seconds>\d{1,6})s)?")


def duration(text: str) -> timedelta | None:
    """Read ``90s``, ``30m`` or ``1h30m``; '' is None. UsageError for anything else, and beyond a day."""
    if not text:
        return None
    match = _FORM.fullmatch(text)
    found = timedelta(**{key: int(value) for key, value in (match.groupdict() if match else {}).items() if value})
    if not found:
        raise UsageError(f"cannot read --for {text}", next="Write 90s, 30m or 1h30m.")
    if found > _LONGEST:
        raise UsageError(
            f"--for {text} is longer than a day", next="Leave it out, and end it with: wnadmin readonly off"
        )
    return found


def staying(
    ways: Ways, kept: Kept, steps: Sequence[Step], length: timedelta, grace: float
) -> tuple[Step, Callable[[], list[Finding]]]:
    """Put entering, staying and leaving into one step, so that nothing comes between them.

    Gives the step, and the proof of both: that it was read-only, and that it is not any more.
    """
    entered: list[Finding] = []

    def run(world: World) -> Receipt:
        began = time.monotonic()
        with _hangup_ignored():
            try:
                entered.extend(_enter(ways, kept, steps, world))
                _wait(length, world)
            finally:
                _leave(ways, kept, grace, world)
        return Receipt(STAY, milliseconds=round((time.monotonic() - began) * 1000))

    shows = (*(text for step in steps for text in step.shows), "‹and everything back: wnadmin readonly off›")
    step = Step(STAY, f"Make it read-only, stay so for {length}, and put everything back", shows, run)
    return step, lambda: [*entered, *work.left(ways, kept)]


def _enter(ways: Ways, kept: Kept, steps: Sequence[Step], world: World) -> list[Finding]:
    for step in steps:
        world.progress(step.title, 0, 0)
        step.run(world)
    world.progress("looking again", 0, 0)
    found = prove.of_entering(ways, look.look(ways.db), kept, prove.Witness(ways.db))
    bad = [one for one in found if one.severity not in ("ok", "skipped")]
    if bad:
        raise Failed(f"not proven: {bad[0].detail}", why="So everything was put back at once.")
    return [replace(one, detail=f"while it was read-only: {one.detail}") for one in found]


def _wait(length: timedelta, world: World) -> None:
    total = round(length.total_seconds())
    until = f"read-only until {datetime.now(UTC) + length:%H:%M:%S} UTC; Ctrl-C ends it"
    began = time.monotonic()
    while (gone := time.monotonic() - began) < total and not world.stopping():
        world.progress(until, int(gone), total)
        time.sleep(min(_POLL, max(0.0, total - gone)))


def _leave(ways: Ways, kept: Kept, grace: float, world: World) -> None:
    if look.look(ways.db).kept is None:
        return
    world.progress("putting everything back", 0, 0)
    work.leave_all(ways, kept, STAY, grace, world)


@contextmanager
def _hangup_ignored() -> Iterator[None]:
    """A lost terminal must not leave the database read-only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
