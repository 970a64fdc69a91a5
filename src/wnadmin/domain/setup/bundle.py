"""The files that setup runs: 01 to 07, V001 made of them, and the catalog that they make.

``expected.json`` holds the SHA-256 of each file it was made from. An edited file would make a database that nothing
here describes, so it is refused by name; there is no switch around that. Whoever means the edit rebuilds what is
derived from it: ``make v001 expected``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wnadmin import assets
from wnadmin.domain.setup import catalog, flyway
from wnadmin.domain.setup.catalog import Catalog
from wnadmin.domain.setup.glance import harmless
from wnadmin.errors import Failed

if TYPE_CHECKING:
    from wnadmin.domain.setup.lint import Problem

SCHEMA: Final = "wnadmin/expected/1"
V001: Final = "V001__initial_schema.sql"
EXPECTED: Final = "expected.json"


@dataclass(frozen=True, slots=True)
class SetupFile:
    """One file: its name, its text, and the SHA-256 of its bytes in hex."""

    name: str
    text: str
    sha256: str

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())


@dataclass(frozen=True, slots=True)
class Expected:
    """``expected.json``: the catalog, and the SHA-256 of every file it was made from."""

    catalog: Catalog
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything that setup needs from disk."""

    files: tuple[SetupFile, ...]
    v001: SetupFile
    expected: Expected

    @property
    def v001_checksum(self) -> int:
        """Flyway's checksum of V001, as its history row holds it."""
        return flyway.checksum(self.v001.text.encode())

    def edited(self) -> list[str]:
        """Name what does not fit together: files other than those ``expected.json`` was made from."""
        found = [
            f"{one.name} was edited: it is not the file that {EXPECTED} was made from"
            for one in self.files
            if self.expected.files.get(one.name) != one.sha256
        ]
        if self.v001.text != build_v001(self.files):
            found.append(f"migration/{V001} is not made of files 01 to 07")
        return found

    def problems(self) -> list[Problem]:
        """Lint every file."""
        doubtful = [one for one in self.files if not harmless(one.text)]
        if not doubtful:
            return []
        from wnadmin.domain.setup.lint import lint

        return [problem for one in doubtful for problem in lint(one.name, one.text)]


def load(root: Path | None = None) -> Bundle:
    """Read the bundle below ``root``, the bundled ``sql/`` when None."""
    base = root or assets.root("sql")
    return Bundle(load_files(base), read_file(base / "migration" / V001), load_expected(base / EXPECTED))


def load_files(base: Path) -> tuple[SetupFile, ...]:
    """Read 01 to 07 below ``base`` in the order in which they run."""
    paths = sorted(base.glob("0[1-7]_*.sql"))
    if [path.name[:2] for path in paths] != [f"0{number}" for number in range(1, 8)]:
        raise Failed(
            f"the seven files 01 to 07 are not in {base}",
            why=f"Found: {', '.join(path.name for path in paths) or 'none'}.",
            next="Install wnadmin again.",
        )
    return tuple(read_file(path) for path in paths)


def read_file(path: Path) -> SetupFile:
    """Read one file; Failed when it cannot be read or is not UTF-8."""
    try:
        data = path.read_bytes()
        return SetupFile(path.name, data.decode("utf-8"), hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise Failed(f"cannot read {path}", why=error.strerror or str(error), next="Install wnadmin again.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise Failed(
            f"{path.name}:{line}: not UTF-8", why=f"Byte {error.start}: {error.reason}.", next="Save the file as UTF-8."
        ) from None


def load_expected(path: Path) -> Expected:
    """Read ``expected.json``; Failed when it is missing or not of this version."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise Failed(f"{path} is {data['schema']}, not {SCHEMA}", next="Run `make expected`.")
        return Expected(Catalog(int(data["major"]), data["objects"]), data["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"cannot read {path}", why=str(error), next="Install wnadmin again.") from None


def dump_expected(found: Catalog, files: Sequence[SetupFile]) -> str:
    """Write ``expected.json`` for the catalog that ``files`` made."""
    return catalog.dump(found, {"schema": SCHEMA, "files": {one.name: one.sha256 for one in files}})


def build_v001(files: Sequence[SetupFile]) -> str:
    """Make V001 out of 01 to 07: the same statements in the same order, under a heading for each file."""
    names = f"{files[0].name} to {files[-1].name}"
    pieces = [
        f"-- {V001}: the WonderNest database in one migration, for Flyway.\n"
        f"-- Made of {names} by `make v001`; edit those, not this.\n"
    ]
    for one in files:
        bar = "-- " + "=" * 75
        body = one.text if one.text.endswith("\n") else f"{one.text}\n"
        pieces.append(f"\n{bar}\n-- {one.name}\n{bar}\n\n{body}")
    return "".join(pieces)
