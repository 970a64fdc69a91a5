"""How far behind autovacuum is with a table, by that table's own thresholds. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

_TRUE = ("on", "true", "yes", "1", "t", "y")


@dataclass(frozen=True, slots=True)
class VacuumRow:
    """A row of ``queries/tables/vacuum``; ``options`` are reloptions as ``name=value``."""

    oid: int
    top: int
    name: str
    top_name: str
    toast: bool
    system: bool
    temporary: bool
    estimated_rows: float
    pages: int
    frozen_pages: int
    dead: int
    live: int
    inserted: int
    changed: int
    vacuumed_at: datetime | None
    autovacuumed_at: datetime | None
    analyzed_at: datetime | None
    autoanalyzed_at: datetime | None
    xid_age: int
    mxid_age: int
    options: list[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """When autovacuum takes up a table. A negative insert threshold or maximum switches that rule off."""

    enabled: bool
    threshold: float
    scale: float
    most: float
    insert_threshold: float
    insert_scale: float
    analyze_threshold: float
    analyze_scale: float
    freeze_age: int
    multixact_freeze_age: int
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Debt:
    """One table against its rules. ``of_vacuum`` 1.0 means that autovacuum is due; None: that rule is off.

    ``xid_percent`` and ``mxid_percent`` are of the ages at which autovacuum runs in any case.
    """

    row: VacuumRow
    rules: Rules
    vacuum_at: float
    insert_at: float | None
    analyze_at: float
    xid_percent: float
    mxid_percent: float

    @property
    def of_vacuum(self) -> float:
        """Dead rows as a part of what makes autovacuum begin."""
        return _part(self.row.dead, self.vacuum_at)

    @property
    def of_insert(self) -> float | None:
        """Inserted rows as a part of what makes it begin."""
        return None if self.insert_at is None else _part(self.row.inserted, self.insert_at)

    @property
    def of_analyze(self) -> float:
        """Changes as a part of what makes autoanalyze begin."""
        return _part(self.row.changed, self.analyze_at)

    @property
    def worst(self) -> float:
        """The greatest of all parts: above 1.0 the table waits for autovacuum."""
        return max(self.of_vacuum, self.of_insert or 0.0, self.xid_percent / 100, self.mxid_percent / 100)

    @property
    def due(self) -> tuple[str, ...]:
        """Why autovacuum should have begun."""
        found = []
        if self.of_vacuum > 1:
            found.append("dead rows")
        if (self.of_insert or 0) > 1:
            found.append("inserts")
        if self.xid_percent >= 100:
            found.append("transaction age")
        if self.mxid_percent >= 100:
            found.append("multixact age")
        if not self.row.toast and self.of_analyze > 1:
            found.append("analyze")
        return tuple(found)


def rules(settings: Mapping[str, str], options: Sequence[str]) -> Rules:
    """The rules of one table: its own options before the server's settings."""
    own = dict(option.partition("=")[::2] for option in options)

    def number(name: str, default: str) -> float:
        return float(own.get(name, settings.get(name, default)))

    return Rules(
        enabled=own.get("autovacuum_enabled", "on").lower() in _TRUE,
        threshold=number("autovacuum_vacuum_threshold", "50"),
        scale=number("autovacuum_vacuum_scale_factor", "0.2"),
        # From 18 on; where the server does not know it, there is no maximum.
        most=number("autovacuum_vacuum_max_threshold", "-1"),
        insert_threshold=number("autovacuum_vacuum_insert_threshold", "1000"),
        insert_scale=number("autovacuum_vacuum_insert_scale_factor", "0.2"),
        analyze_threshold=number("autovacuum_analyze_threshold", "50"),
        analyze_scale=number("autovacuum_analyze_scale_factor", "0.1"),
        freeze_age=_lower("autovacuum_freeze_max_age", own, settings, 200_000_000),
        multixact_freeze_age=_lower("autovacuum_multixact_freeze_max_age", own, settings, 400_000_000),
        own=tuple(sorted(name for name in own if name.startswith("autovacuum_"))),
    )


def _lower(name: str, own: Mapping[str, str], settings: Mapping[str, str], default: int) -> int:
    # A table can only ask for an earlier freeze, never for a later one.
    wide = int(settings.get(name, str(default)))
    return min(int(own[name]), wide) if name in own else wide


def debt(row: VacuumRow, settings: Mapping[str, str]) -> Debt:
    """Judge one table as autovacuum does."""
    told = rules(settings, row.options)
    rows = max(row.estimated_rows, 0.0)
    vacuum_at = told.threshold + told.scale * rows
    if told.most >= 0:
        vacuum_at = min(vacuum_at, told.most)
    insert_at: float | None = None
    if told.insert_threshold >= 0:
        # From 18 on only the part that is not frozen counts; frozen_pages is 0 before.
        unfrozen = 1 - min(row.frozen_pages, row.pages) / row.pages if row.pages > 0 else 1.0
        insert_at = told.insert_threshold + told.insert_scale * rows * unfrozen
    return Debt(
        row,
        told,
        vacuum_at,
        insert_at,
        told.analyze_threshold + told.analyze_scale * rows,
        round(100 * row.xid_age / told.freeze_age, 1) if told.freeze_age else 0.0,
        round(100 * row.mxid_age / told.multixact_freeze_age, 1) if told.multixact_freeze_age else 0.0,
    )


def _part(count: int, at: float) -> float:
    return count / at if at > 0 else float(count > 0)
