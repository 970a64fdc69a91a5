"""Find and load the bundled ``sql/`` and ``playbooks/``.

They stand at the top of a checkout and inside the package of a wheel; this module is the only place that knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from wnadmin.errors import Failed, UsageError

Kind = Literal["sql", "playbooks"]

_VARIANT = re.compile(r"^(?P<stem>.+?)(?:\.pg(?P<major>\d+))?\.sql$")
_FACT = re.compile(r"^--\s*(?P<key>answers|does|privileges|since|cost|needs):\s*(?P<value>.*)$")


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A bundled file: ``name`` as the operator types it (``queries/locks/tree``), its text and header facts.

    ``since`` is the oldest PostgreSQL major the file runs on.
    """

    name: str
    path: Path
    text: str
    answers: str = ""
    privileges: str = ""
    cost: str = ""
    since: int = 15


@cache
def root(kind: Kind) -> Path:
    """Give the folder of bundled files, in the wheel or in the checkout."""
    inside = Path(__file__).parent / kind
    if inside.is_dir():
        return inside
    beside = Path(__file__).parents[2] / kind
    if beside.is_dir():
        return beside
    raise Failed(
        f"the bundled folder {kind}/ is missing",
        why="The installation is incomplete.",
        next="Install wnadmin again: pipx install --force wnadmin",
    )


def load(name: str, server_version: int | None = None) -> SqlFile:
    """Load ``name`` (without ``.sql``), the highest ``.pgNN`` variant that fits ``server_version`` (as 170004)."""
    folder, _, stem = name.rpartition("/")
    place = root("sql") / folder
    major = None if server_version is None else server_version // 10000
    best: tuple[int, Path] | None = None
    if place.resolve().is_relative_to(root("sql").resolve()) and place.is_dir():
        for path in place.iterdir():
            match = _VARIANT.match(path.name)
            if match is None or match["stem"] != stem:
                continue
            needs = int(match["major"] or 0)
            if needs and (major is None or needs > major):
                continue
            if best is None or needs > best[0]:
                best = (needs, path)
    if best is None:
        raise UsageError(f"there is no bundled SQL file {name}", next="See `wnadmin sql list`.")
    return read(best[1], name)


def read(path: Path, name: str) -> SqlFile:
    """Read one file and its header facts (``-- answers:``, ``-- privileges:``, ``-- since:``, ``-- cost:``)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"cannot read {path}", why=str(error), next="Install wnadmin again.") from None
    facts: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if match := _FACT.match(line):
            facts[match["key"]] = match["value"].strip()
    digits = re.match(r"\d+", facts.get("since", "15"))
    return SqlFile(
        name=name,
        path=path,
        text=text,
        answers=facts.get("answers", facts.get("does", "")),
        privileges=facts.get("privileges", ""),
        cost=facts.get("cost", ""),
        since=int(digits[0]) if digits else 15,
    )


def catalogue() -> list[SqlFile]:
    """List every bundled query, change and check, variants folded into one name, sorted by name."""
    seen: dict[str, Path] = {}
    base = root("sql")
    for area in ("queries", "changes", "checks"):
        for path in sorted((base / area).rglob("*.sql")):
            match = _VARIANT.match(path.name)
            if match:
                name = (path.parent / match["stem"]).relative_to(base).as_posix()
                seen.setdefault(name, path)
    return [read(path, name) for name, path in sorted(seen.items())]


def database_files() -> list[SqlFile]:
    """List ``01_…`` to ``07_…`` in the order in which they run."""
    files = sorted(root("sql").glob("0[1-7]_*.sql"))
    if len(files) != 7:
        raise Failed(
            f"expected the seven files 01 to 07 in {root('sql')}, found {len(files)}",
            next="Install wnadmin again.",
        )
    return [read(path, path.name) for path in files]
