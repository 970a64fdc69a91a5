"""Find and load the bundled ``sql/`` and ``playbooks/``.

They stand at the top of a checkout and inside the package of a wheel; this module is the only place that knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from wnadmin.errors import Failed, UsageError

Kind = Literal["sql", "playbooks"]

_VARIANT = re.compile(r"^(?P<stem>.+?)(?:\.pg(?P<major>\d+)|\.ext(?P<first>\d+)_(?P<second>\d+))?\.sql$")
_FACT = re.compile(r"^--\s*(?P<key>[a-z]+):\s*(?P<value>.*)$")

Version = tuple[int, int]
"""Of an extension: (1, 11) for 1.11."""


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A bundled file: ``name`` as the operator types it (``queries/locks/tree``), its text and header facts.

    ``since`` is the oldest PostgreSQL major the file runs on. ``extension`` is the one whose version chooses
    between the variants. ``facts`` are all ``-- key: value`` lines at the top, as they stand.
    """

    name: str
    path: Path
    text: str
    answers: str = ""
    privileges: str = ""
    cost: str = ""
    since: int = 15
    extension: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


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


def load(name: str, server_version: int | None = None, extension: Version | None = None) -> SqlFile:
    """Load ``name`` (without ``.sql``) in the variant that fits best.

    ``NAME.pg17.sql`` is for servers of that major and newer (``server_version`` as 170004), ``NAME.ext1_11.sql``
    for that version and newer of the extension which the file names in its header; a file has variants of one
    of the two kinds. Raises UsageError for an unknown name.
    """
    folder, _, stem = name.rpartition("/")
    major = 0 if server_version is None else server_version // 10000
    best: tuple[Version, Path] | None = None
    for needs, by_extension, path in _variants(root("sql") / folder).get(stem, ()):
        has = (extension or (0, 0)) if by_extension else (major, 0)
        if needs <= has and (best is None or needs > best[0]):
            best = (needs, path)
    if best is None:
        raise UsageError(f"there is no bundled SQL file {name}", next="See `wnadmin sql list`.")
    return read(best[1], name)


@cache
def _variants(place: Path) -> Mapping[str, Sequence[tuple[Version, bool, Path]]]:
    """List a folder once: by stem, what each of its variants needs, whether of an extension, and where it is."""
    found: dict[str, list[tuple[Version, bool, Path]]] = {}
    if place.resolve().is_relative_to(root("sql").resolve()) and place.is_dir():
        for path in place.iterdir():
            if match := _VARIANT.match(path.name):
                by_extension = bool(match["first"])
                needs = (int(match["first"]), int(match["second"])) if by_extension else (int(match["major"] or 0), 0)
                found.setdefault(match["stem"], []).append((needs, by_extension, path))
    return found


@cache
def read(path: Path, name: str) -> SqlFile:
    """Read one file and the facts in its header: ``-- answers:``, ``-- privileges:``, ``-- since:`` and so on."""
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
        extension=facts.get("extension", ""),
        facts=facts,
    )


def catalogue(*areas: str) -> list[SqlFile]:
    """List every bundled query, change and check, or those of ``areas``; variants folded into one name, sorted."""
    seen: dict[str, Path] = {}
    base = root("sql")
    for area in areas or ("queries", "changes", "checks"):
        for path in sorted((base / area).rglob("*.sql")):
            match = _VARIANT.match(path.name)
            if match:
                name = (path.parent / match["stem"]).relative_to(base).as_posix()
                plain = not match["major"] and not match["first"]
                seen[name] = path if plain else seen.get(name, path)
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
