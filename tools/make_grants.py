"""Write the column list of 07_security_setup.sql from manifest.toml: what analytics and batch jobs may read.

Run it after a change of the manifest; tests/sql/test_grants.py says when it was forgotten.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SQL = Path(__file__).resolve().parents[1] / "sql"
BEGIN, END = "        -- >>> columns\n", "        -- <<< columns\n"


def readable_columns(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Give, for every table of files 01 to 07, the columns whose class is not withheld, in manifest order.

    Materialized views are left out: they are granted to nobody.
    """
    withheld = set(manifest["classes"]["withheld"])
    return {
        name: [column for column, facts in table["column"].items() if facts["class"] not in withheld]
        for name, table in sorted(manifest["table"].items())
        if not table.get("optional") and table.get("kind", "table") == "table"
    }


def render(columns: Mapping[str, list[str]]) -> str:
    """Write the common table expression, at most 120 characters a line."""
    lines = ["        wanted_columns (table_name, columns) AS (", "            VALUES"]
    last = len(columns) - 1
    for place, (table, names) in enumerate(columns.items()):
        wrapped = textwrap.wrap(" ".join(names), 96)
        lines.append("            (")
        lines.append(f"                '{table}',")
        for number, part in enumerate(wrapped):
            blank = " " if number < len(wrapped) - 1 else ""
            lines.append(f"                '{part}{blank}'")
        lines.append("            )" + ("," if place < last else ""))
    lines.append("        ),")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Replace what stands between the marks."""
    manifest = tomllib.loads((SQL / "manifest.toml").read_text("utf-8"))
    path = SQL / "07_security_setup.sql"
    before, rest = path.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + render(readable_columns(manifest)) + END + after, "utf-8")


if __name__ == "__main__":
    main()
