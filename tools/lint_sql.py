"""Run sqlfluff and squawk on all of ``sql/``; each linter sees the text as psql renders it.

``:'name'`` becomes a literal and ``:"name"`` an identifier; lines stay where they are. squawk takes files
01 to 07 as new tables (``.squawk.toml``), everything else as statements on a database in use
(``squawk-live.toml``). V001 is files 01 to 07 again and is left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = re.compile(r"""(?<![:\w]):(?:'(?P<value>\w+)'|"(?P<name>\w+)")""")
# sqlfluff's grammar does not know it; squawk's does.
ONLY = re.compile(r"\b(?P<before>FROM|JOIN) ONLY\b")


def main() -> int:
    """Lint with both; 0 when neither has a finding."""
    files = [path for path in sorted((ROOT / "sql").rglob("*.sql")) if not path.name.startswith("V001__")]
    setup = [path for path in files if path.match("sql/0[1-7]_*.sql")]
    live = [path for path in files if path not in setup]
    if not setup:
        print("no files 01 to 07 in sql/", file=sys.stderr)
        return 1
    style = ["sqlfluff", "lint", "--processes", "2", "--disable-progress-bar", "--config", str(ROOT / ".sqlfluff")]
    squawk = ["squawk", "--reporter", "gcc", "--config"]
    found = [
        lint(style, files, for_sqlfluff),
        lint([*squawk, str(ROOT / ".squawk.toml")], setup, render),
        lint([*squawk, str(ROOT / "tools" / "squawk-live.toml")], live, render),
    ]
    return 1 if any(found) else 0


def render(text: str) -> str:
    """Put a literal or an identifier where psql would."""
    return VARIABLE.sub(lambda match: f"'{match['value']}'" if match["value"] else match["name"], text)


def for_sqlfluff(text: str) -> str:
    """The rendered text without what sqlfluff cannot parse."""
    return ONLY.sub(lambda match: match["before"], render(text))


def lint(words: list[str], files: list[Path], rendered: Callable[[str], str]) -> int:
    """Run a linter of this environment on the rendered files, under their own relative names; its exit code."""
    if not files:
        return 0
    program = Path(sys.executable).with_name(words[0])
    with tempfile.TemporaryDirectory() as scratch:
        names = []
        for path in files:
            name = path.relative_to(ROOT)
            copy = Path(scratch) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
            names.append(str(name))
        return subprocess.run([program, *words[1:], *names], cwd=scratch, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
