"""Write sql/migration/V001__initial_schema.sql from files 01 to 07 (`make v001`)."""

from __future__ import annotations

import sys
from pathlib import Path

SQL = Path(__file__).resolve().parents[1] / "sql"


def main() -> int:
    """Lint the files, then write V001; 1 when a file holds what a migration cannot."""
    from wnadmin.domain.setup import bundle
    from wnadmin.domain.setup.lint import lint

    files = bundle.load_files(SQL)
    problems = [problem for one in files for problem in lint(one.name, one.text)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    path = SQL / "migration" / bundle.V001
    text = bundle.build_v001(files)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        print(f"{path.name} is up to date")
        return 0
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {path.name} from {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
