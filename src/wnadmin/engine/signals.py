"""Ctrl-C and SIGTERM during a change: the first asks the step to finish, the second cancels its statement."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Whether somebody asked to stop, and how often."""

    def __init__(self) -> None:
        self.asked = 0

    def __bool__(self) -> bool:
        return self.asked > 0


@contextlib.contextmanager
def graceful() -> Iterator[Stop]:
    """Within the block the first signal only sets the flag; the second raises KeyboardInterrupt."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def receive(number: int, frame: FrameType | None) -> None:
        stop.asked += 1
        if stop.asked > 1:
            raise KeyboardInterrupt
        from wnadmin.render import talk

        talk.note("stopping after the current step; once more cancels it")

    before = {one: signal.signal(one, receive) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
