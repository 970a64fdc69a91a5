"""Which folders hold migrations, and what the operator typed of a version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.flyway import Version
from wnadmin.domain.setup.migrations import bundled
from wnadmin.errors import UsageError

__all__ = ["bundled", "home", "locations", "version"]


def locations(given: Sequence[Path] | None) -> tuple[Path, ...]:
    """The bundled folder and the given ones, each as an absolute path."""
    found = [bundled(), *(given or ())]
    return tuple(dict.fromkeys(path.resolve() for path in found))


def home(given: Sequence[Path] | None) -> Path:
    """Where a new file goes: the first folder given, in a checkout the bundled one."""
    if given:
        return given[0].resolve()
    folder = bundled().resolve()
    if Path(flyway.__file__).resolve().parents[2] in folder.parents:
        raise UsageError(
            "no folder is named",
            why="This wnadmin is installed, and its own folder is replaced with each release.",
            next='Name yours: wnadmin migrate new "add feature" --location ./migration',
        )
    return folder


def version(text: str | None) -> Version | None:
    """Read ``--target``."""
    return flyway.parse_version(text) if text is not None else None
