"""The migration files in a folder, as Flyway finds them, with the header that wnadmin reads.

A header is the comment at the top of the file::

    -- V002__add_feature.sql: what it does
    -- transaction: no            (CREATE INDEX CONCURRENTLY and the like; else yes)
    -- role: superuser            (who runs it; else wondernest_owner)
    -- rollback:
    --     DROP INDEX CONCURRENTLY IF EXISTS family.idx_child_profiles_new_field;

The rollback procedure is the indented lines below its key, or ``none: `` and why nothing can take the change back.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.flyway import MigrationName, Version
from wnadmin.errors import Failed, UsageError

OWNER: Final = "wondernest_owner"
"""The role that migrations run as, and that therefore owns what they make."""

_FACT: Final = re.compile(r"--[ \t]*(?P<key>transaction|role|rollback):[ \t]*(?P<value>.*)", re.IGNORECASE)
_BELOW: Final = re.compile(r"--(?:[ \t]{2,}(?P<text>.*)|[ \t]*)")
_PREFIXES: Final = ("V", "R", "U", "B")


@dataclass(frozen=True, slots=True)
class Header:
    """What the comment at the top says, as it stands; '' where it says nothing.

    ``rollback`` is the SQL, ``irreversible`` why there is none. ``lines`` is where each key stands.
    """

    transaction: str = ""
    role: str = ""
    rollback: str = ""
    irreversible: str = ""
    lines: tuple[tuple[str, int], ...] = ()

    def line(self, key: str) -> int:
        """The 1-based line of ``key``, 1 where it is missing."""
        return dict(self.lines).get(key, 1)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. ``checksum`` is Flyway's. ``path`` is where it was read."""

    name: MigrationName
    path: Path
    text: str
    checksum: int
    header: Header

    @property
    def script(self) -> str:
        """Its path relative to the location, as the history holds it."""
        return self.name.script

    @property
    def version(self) -> Version | None:
        """Its version; None for a repeatable one."""
        return self.name.version

    @property
    def in_transaction(self) -> bool:
        """Whether it runs in one transaction."""
        return self.header.transaction.lower() != "no"

    @property
    def as_superuser(self) -> bool:
        """Whether it runs as the superuser who logs in, instead of as the owner of the schema."""
        return self.header.role.lower() == "superuser"

    @property
    def title(self) -> str:
        """How it is called in a sentence: ``002 add feature``, or only the description of a repeatable one."""
        return f"{self.version.text} {self.name.description}" if self.version else self.name.description


@dataclass(frozen=True, slots=True)
class Files:
    """All migrations, versioned ones in their order and then repeatable ones by description.

    ``ignored`` are the files that look like migrations and are none, each with the reason.
    """

    migrations: tuple[Migration, ...]
    ignored: tuple[str, ...] = ()

    def version(self, wanted: Version) -> Migration | None:
        """Find the file of a version."""
        return next((one for one in self.migrations if one.version == wanted), None)

    def repeatable(self, description: str) -> Migration | None:
        """Find the repeatable file of that description."""
        return next(
            (one for one in self.migrations if one.version is None and one.name.description == description), None
        )


def find(locations: Sequence[Path]) -> Files:
    """Read every migration below ``locations``.

    The same file in two locations counts once. Raises UsageError when two files have one version or, repeatable
    ones, one description, and for a location that is no folder.
    """
    found: list[Migration] = []
    ignored: list[str] = []
    for base in locations:
        if not base.is_dir():
            raise UsageError(f"the location {base} is not a folder", next="Name a folder of migrations: --location DIR")
        for path in sorted(one for one in base.rglob("*.sql") if one.is_file()):
            script = path.relative_to(base).as_posix()
            if not path.name.startswith(_PREFIXES):
                continue
            if path.name.startswith(("U", "B")):
                if re.match(r"[UB][0-9]", path.name):
                    ignored.append(
                        f"{script}: undo and baseline migrations are Flyway's own; wnadmin does not run them"
                    )
                continue
            try:
                name = flyway.parse_name(script)
            except UsageError as error:
                ignored.append(f"{script}: {error.what}")
                continue
            found.append(read(path, name))
    return Files(_ordered(found), tuple(ignored))


def _ordered(found: Iterable[Migration]) -> tuple[Migration, ...]:
    by_key: dict[Version | str, Migration] = {}
    for one in found:
        key: Version | str = one.version if one.version is not None else one.name.description
        other = by_key.setdefault(key, one)
        if other is one or (other.script == one.script and other.checksum == one.checksum):
            continue
        what = f"the version {one.version.text}" if one.version else f"the description {one.name.description!r}"
        raise UsageError(
            f"two migrations have {what}",
            why=f"{other.path}\n{one.path}",
            next="Give one of them another version (a description for a repeatable one) that was not applied anywhere.",
        )
    versioned = sorted((one for one in by_key.values() if one.version), key=lambda one: one.version or Version("0"))
    others = sorted((one for one in by_key.values() if not one.version), key=lambda one: one.name.description)
    return (*versioned, *others)


def read(path: Path, name: MigrationName) -> Migration:
    """Read one file; Failed when it cannot be read, UsageError with its line when it is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failed(f"cannot read {path}", why=error.strerror or str(error)) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path}:{line}: not UTF-8", why=f"Byte {error.start}: {error.reason}.", next="Save the file as UTF-8."
        ) from None
    return Migration(name, path, text, flyway.checksum(data), header(text))


def header(text: str) -> Header:
    """Read the comment at the top of ``text``."""
    facts: dict[str, str] = {}
    lines: dict[str, int] = {}
    below: list[str] = []
    key = ""
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1):
        line = raw.rstrip()
        if line and not line.startswith("--"):
            break
        if match := _FACT.fullmatch(line):
            key = match["key"].lower()
            facts[key], lines[key] = match["value"].strip(), number
        elif key == "rollback" and line and (match := _BELOW.fullmatch(line)):
            below.append((match["text"] and line[2:]) or "")
        else:
            key = ""
    rollback, irreversible = "\n".join((facts.get("rollback", ""), textwrap.dedent("\n".join(below)))).strip(), ""
    if match := re.match(r"none:\s*", rollback, re.IGNORECASE):
        rollback, irreversible = "", " ".join(rollback[match.end() :].split())
    return Header(facts.get("transaction", ""), facts.get("role", ""), rollback, irreversible, tuple(lines.items()))
