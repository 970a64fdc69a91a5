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

import os
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin import assets
from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.flyway import MigrationName, Version
from wnadmin.errors import Failed, UsageError

OWNER: Final = "wondernest_owner"
"""The role that migrations run as, and that therefore owns what they make."""

_FACT: Final = re.compile(r"--[ \t]*(?P<key>transaction|role|rollback):[ \t]*(?P<value>.*)", re.IGNORECASE)
_BELOW: Final = re.compile(r"--(?:[ \t]{2,}(?P<text>.*)|[ \t]*)")
_SCRIPT_LENGTH: Final = 1000
_VERSION_LENGTH: Final = 50
_TAKEN: Final = re.compile(r"[VR].*\.sql", re.DOTALL)
_NOT_TAKEN: Final = (
    (r"[UB][0-9].*\.sql", "undo and baseline migrations are Flyway's own; wnadmin does not run them"),
    (r"(?i:[VRUB][0-9._]*__.*\.sql)", "V and R are written large and .sql small, else nobody takes it"),
    (
        r"(?:(?:before|after)[A-Z][A-Za-z]*|createSchema)(?:__.*)?\.sql",
        "Flyway would run it beside the migrations, as a callback; wnadmin does not",
    ),
    (r"[VR].*\.sql\.conf", "Flyway would take settings of a migration from it; wnadmin reads the file's header"),
)
"""Names that are no migration here, and what is to be said of them; the first that fits counts."""


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

    ``ignored`` are the files that look like migrations and are none, each with the reason. ``options`` are the words
    that name the folders on a command line, a blank before each; '' for the bundled folder alone.
    """

    migrations: tuple[Migration, ...]
    ignored: tuple[str, ...] = ()
    options: str = ""

    def version(self, wanted: Version) -> Migration | None:
        """Find the file of a version."""
        return next((one for one in self.migrations if one.version == wanted), None)

    def repeatable(self, description: str) -> Migration | None:
        """Find the repeatable file of that description."""
        return next(
            (one for one in self.migrations if one.version is None and one.name.description == description), None
        )


def bundled() -> Path:
    """The folder of the migrations that come with wnadmin."""
    return assets.root("sql") / "migration"


def options(locations: Sequence[Path]) -> str:
    """The words that name ``locations`` on a command line, without the bundled one."""
    own = bundled().resolve()
    return "".join(f" --location {shlex.quote(str(path))}" for path in locations if path.resolve() != own)


def find(locations: Sequence[Path]) -> Files:
    """Read every migration below ``locations``.

    The same file in two locations counts once. Raises UsageError when two files have one version or, repeatable
    ones, one description, for a name that no history can hold, and for a location that is no folder; Failed for
    what cannot be read, a link that leads nowhere included: it stands for a migration.
    """
    found: list[Migration] = []
    ignored: list[str] = []
    for base in locations:
        if not base.is_dir():
            raise UsageError(f"the location {base} is not a folder", next="Name a folder of migrations: --location DIR")
        for path in sorted(_below(base, ())):
            script = path.relative_to(base).as_posix()
            if not _TAKEN.fullmatch(path.name):
                if reason := next((words for name, words in _NOT_TAKEN if re.fullmatch(name, path.name)), ""):
                    ignored.append(f"{script}: {reason}")
                continue
            _require_sayable(path, script)
            if path.exists() and not path.is_file():
                ignored.append(f"{script}: this is no regular file")
                continue
            try:
                name = flyway.parse_name(script)
            except UsageError as error:
                ignored.append(f"{script}: {error.what}")
                continue
            found.append(read(path, name))
    return Files(_ordered(found), tuple(ignored), options(locations))


def _below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """Every entry below, folders behind links included, as Flyway sees them; ``above`` are the folders it is in."""
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError as error:
        raise Failed(
            f"cannot look into {folder}",
            why=error.strerror or str(error),
            next="Make it readable for this user, or name another folder: --location DIR",
        ) from None
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir():
            yield from _below(path, (*above, here))
        if not entry.is_dir() or _TAKEN.fullmatch(entry.name):
            yield path


def _require_sayable(path: Path, script: str) -> None:
    """Refuse a name that could be neither stored nor shown: in the history it is text of a certain length."""
    try:
        script.encode()
        reason = "" if script.isprintable() else "It holds a character that cannot be printed."
    except UnicodeEncodeError:
        reason = "It is not UTF-8."
    if not reason and len(script) > _SCRIPT_LENGTH:
        reason = f"It has {len(script)} characters, and the history keeps {_SCRIPT_LENGTH}."
    if not reason and len(script.rpartition("/")[2].partition("__")[0]) > _VERSION_LENGTH + 1:
        reason = f"Its version has more than the {_VERSION_LENGTH} characters that the history keeps."
    if reason:
        shown = ascii(path.name)
        raise UsageError(f"{shown} cannot be the name of a migration", why=reason, next=f"Rename it in {path.parent}.")


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
        raise Failed(
            f"cannot read {path}", why=error.strerror or str(error), next="Make it readable for this user."
        ) from None
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
