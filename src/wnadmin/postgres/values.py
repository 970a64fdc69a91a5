"""What a statement gives, whichever way it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one statement gave: column names, rows, the command tag and its row count (None without one)."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    tag: str
    count: int | None
