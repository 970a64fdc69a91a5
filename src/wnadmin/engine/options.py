"""The options that the engine itself gives to commands, and the values the operator chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from wnadmin.results import Severity

if TYPE_CHECKING:
    from uuid import UUID

    from wnadmin.render import Format

ExitStyle: TypeAlias = Literal["ci", "nagios"]
"""``ci`` is the one of every command; ``nagios`` exits 0 ok, 1 warning, 2 critical, 3 unknown."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator said about connection, form and care; one set for every command."""

    dsn: str | None = None
    profile: str | None = None
    format: Format = "auto"
    table: str = ""
    watch: float | None = None
    fail_on: Severity = "warn"
    allow_unknown: tuple[str, ...] = ()
    baseline: str | None = None
    exit_style: ExitStyle = "ci"
    dry_run: bool = False
    check: bool = False
    yes: bool = False
    reason: str = ""
    break_glass: bool = False
    parent: UUID | None = field(default=None, compare=False)
    quiet: bool = False
    """True for a command run inside another: it returns its value and prints only what goes wrong."""
