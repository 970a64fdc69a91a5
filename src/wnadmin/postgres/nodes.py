"""All nodes of a profile: looked at at once, each for itself, and one that cannot be reached hides no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """One node as a look finds it: ``db`` when it was reached, else ``error`` says why not.

    ``name`` is ``primary``, ``standby1`` … as the profile lists them; ``place`` is where it stands.
    """

    name: str
    place: str
    db: Database | None = None
    error: WnError | None = None


@dataclass(slots=True)
class Nodes:
    """Keeps one session to each node; what was lost is opened again at the next look.

    ``meanwhile`` is to be called when the servers have work to do: what is wanted afterwards is made ready then.
    ``remembered`` is for what one look wants to know at the next.
    """

    targets: Sequence[Target]
    open: Callable[[Target], Session]
    meanwhile: Callable[[], None] = lambda: None
    remembered: dict[str, Any] = field(default_factory=dict)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def each(self, look: Callable[[Node], T]) -> list[T]:
        """Connect to every node and hand it to ``look``, all at once; the answers in the profile's order."""
        if len(self.targets) == 1:
            return [look(self._reach(self.targets[0]))]
        with ThreadPoolExecutor(max_workers=len(self.targets)) as pool:
            return list(pool.map(lambda target: look(self._reach(target)), self.targets))

    def reached(self) -> list[Node]:
        """Connect to every node; raises the first node's error when none could be reached."""
        nodes = self.each(lambda node: node)
        if all(node.db is None for node in nodes):
            raise next(node.error for node in nodes if node.error is not None)
        return nodes

    def close(self) -> None:
        """Close whatever was opened."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _reach(self, target: Target) -> Node:
        with self._lock:
            session = self._sessions.get(target.node)
        if session is None or not session.alive:
            try:
                session = self.open(target)
            except WnError as error:
                return Node(target.node, target.describe(), error=error)
            with self._lock:
                self._sessions[target.node] = session
        return Node(target.node, target.describe(), Database(session))
