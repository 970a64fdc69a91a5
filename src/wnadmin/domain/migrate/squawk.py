"""squawk, where it is installed: what a migration's locks do to a table in use."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.setup.lint import Problem
from wnadmin.domain.setup.migrations import Migration

ABSENT: Final = "squawk is not installed"
_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What squawk said; ``silent`` is why it said nothing: it is not installed, or it failed."""

    problems: tuple[Problem, ...] = ()
    silent: str = ""

    @property
    def absent(self) -> bool:
        """Whether there is no squawk here."""
        return self.silent == ABSENT


def program() -> Path | None:
    """Find squawk beside this Python, else on the PATH."""
    beside = Path(sys.executable).with_name("squawk")
    if beside.is_file():
        return beside
    found = shutil.which("squawk")
    return Path(found) if found else None


def ask(files: Sequence[Migration], major: int = 15) -> Answer:
    """Have squawk read ``files`` for PostgreSQL ``major``; no settings file of the working directory counts."""
    tool = program()
    if tool is None:
        return Answer(silent=ABSENT)
    problems: list[Problem] = []
    with tempfile.TemporaryDirectory(prefix="wnadmin-squawk-") as folder:
        config = Path(folder) / "squawk.toml"
        config.write_text('included_rules = ["require-table-schema"]\n', encoding="utf-8")
        for one in files:
            words = [str(tool), "--config", str(config), "--reporter", "json", "--pg-version", f"{major}.0"]
            words += ["--stdin-filepath", one.path.name, *(["--assume-in-transaction"] if one.in_transaction else [])]
            try:
                done = subprocess.run(
                    words, input=one.text, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=folder
                )
                said = json.loads(done.stdout or "[]")
                problems += [
                    Problem(one.script, int(each["line"]) + 1, str(each["rule_name"]), _words(each)) for each in said
                ]
            except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
                return Answer(tuple(problems), f"squawk failed on {one.script}: {type(error).__name__}")
            if done.returncode not in (0, 1):
                return Answer(tuple(problems), f"squawk failed on {one.script}: exit code {done.returncode}")
    return Answer(tuple(problems))


def _words(each: dict[str, object]) -> str:
    message, advice = str(each["message"]).strip().rstrip("."), str(each.get("help") or "").strip().rstrip(".")
    return f"{message}. {advice}" if advice else message
