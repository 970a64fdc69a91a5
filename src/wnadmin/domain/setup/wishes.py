"""What the operator wants of setup, and how setup reaches the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wnadmin.postgres.session import Session

Connect = Callable[[str], Session]
"""Opens a session in the database of this name, on the same server and with the same login; raises NoConnection."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asked for.

    ``create`` makes the database when it is not there. ``months_ahead`` is the number of months of partitions
    beyond the current one, None for the files' own default. ``wait`` is how many seconds to wait for another setup
    or Flyway. ``minimum_server`` is the oldest major accepted.
    """

    database: str
    create: bool = False
    seed_samples: bool = True
    months_ahead: int | None = None
    wait: float = 60.0
    minimum_server: int = 15
    admin_database: str = "postgres"
