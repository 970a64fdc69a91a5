"""Work that will be wanted soon, done in a thread while the main one waits for a server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls ``make`` once: in a thread from :meth:`begin` on, or in :meth:`take` where nobody began."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._made: list[T] = []
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Start; a second time is fine. Call it where the caller is about to wait."""
        with self._lock:
            if self._thread is None and not self._made:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def take(self) -> T:
        """Wait for what was made and give it; raises what ``make`` raised."""
        self.begun()
        if self._error is not None:
            raise self._error
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def begun(self) -> bool:
        """Wait for the thread, if there is one; whether there is anything to take."""
        if self._thread is not None:
            self._thread.join()
        return bool(self._made)

    def _run(self) -> None:
        try:
            self._made.append(self._make())
        except BaseException as error:  # given to the one who takes it
            self._error = error
