"""Looks that must not queue up behind a lock: asked again, since by then the lock is in pg_locks and passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from wnadmin.errors import CutOff

T = TypeVar("T")

_ATTEMPTS = 4


def again(look: Callable[[], T]) -> T:
    """Call ``look`` until no lock cuts it off, four times at most; a statement timeout is raised at once."""
    for left in range(_ATTEMPTS - 1, -1, -1):
        try:
            return look()
        except CutOff as error:
            if error.sqlstate != "55P03" or not left:
                raise
    raise AssertionError("unreachable")
