"""`migrate new`: the next version's file, with the header that every migration must have."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wnadmin.domain.setup.flyway import Version
from wnadmin.domain.setup.migrations import find
from wnadmin.domain.setup.work import since
from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.results import Plan, Receipt, Step, World

_KEY: Final = "write"
_TEMPLATE: Final = """\
-- {script}: {description}
-- transaction: yes
-- rollback:
--     {blank}

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '15min';
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL standard_conforming_strings = on;
SET LOCAL check_function_bodies = on;
SET LOCAL row_security = off;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';

"""
_ALONE: Final = """\
-- {script}: {description}
-- transaction: no
-- rollback:
--     {blank}

SET lock_timeout = '10min';
SET search_path = pg_catalog, pg_temp;

"""


def plan_new(description: str, folder: Path, locations: Sequence[Path], *, alone: bool = False) -> Plan:
    """Describe the file to be written into ``folder``; its version follows the highest in all ``locations``.

    UsageError for a description that cannot be part of a file's name or that is in use.
    """
    words = " ".join(re.findall(r"[A-Za-z0-9]+", description)).lower()
    if not words or re.search(r"[^A-Za-z0-9 _.,:;'\"()/-]", description):
        raise UsageError(
            f"{description!r} cannot be the description of a migration",
            why="It becomes part of a file's name: letters, digits and blanks.",
            next='Example: wnadmin migrate new "add feature"',
        )
    if len(words) > 150:
        raise UsageError(
            "the description is too long",
            why=f"{len(words)} characters; it is part of a file's name.",
            next="Say it in 150 characters; the rest belongs into the file.",
        )
    files = find(locations)
    known = [one for one in files.migrations if one.name.description.lower() == words]
    if known:
        raise UsageError(f"{known[0].script} has this description already", next="Say what is different about it.")
    last = max((one.version for one in files.migrations if one.version), default=Version("0"))
    script = f"V{last.numbers[0] + 1:03d}__{words.replace(' ', '_')}.sql"
    path = folder / script
    text = (_ALONE if alone else _TEMPLATE).format(script=script, description=words, blank="")

    def run(world: World) -> Receipt:
        began = time.monotonic()
        write(path, text)
        return Receipt(_KEY, 1, since(began), {"path": str(path)}, text)

    step = Step(_KEY, f"Write {path}", (text,), run, done=lambda: _stands(path, text))
    effects = (
        "the file is yours to fill in: what it changes, and the rollback procedure in its header",
        "it cannot be applied before both are there",
    )
    return Plan(f"Write the migration {script}", (step,), effects, node="none", next=f"wnadmin migrate lint {path}")


def _stands(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(path: Path, text: str) -> None:
    """Write the file in one piece where no file is; Refused when there is one."""
    try:
        descriptor, scratch = tempfile.mkstemp(prefix=".wnadmin-", dir=path.parent)
    except OSError as error:
        raise Failed(
            f"cannot write into {path.parent}",
            why=error.strerror or str(error),
            next="Name a folder of your own: --location DIR",
        ) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(scratch).chmod(0o644)
        # A link fails where a name is taken; a rename would replace what is there.
        os.link(scratch, path)
    except FileExistsError:
        raise Refused(
            f"{path} is there already",
            why="A migration is never written over.",
            next="Run it again: the next version is free.",
        ) from None
    except OSError as error:
        raise Failed(
            f"cannot write {path}",
            why=error.strerror or str(error),
            next="Name a folder of your own: --location DIR",
        ) from None
    finally:
        Path(scratch).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
