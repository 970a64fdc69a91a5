"""Write ``docs/cli.md`` from the parser; ``--check`` only compares."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["COLUMNS"] = "80"
os.environ["TERMINAL_WIDTH"] = "80"

import typer

from wnadmin.cli import NOUNS, app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# The commands of wnadmin

<!-- Generated from the parser by `make docs`; a test compares it. -->

"""


def commands() -> list[tuple[str, Any, Any]]:
    """List every command with its full name and a context for its help."""
    root = typer.main.get_command(app)
    top = typer.Context(root, info_name="wnadmin")
    found: list[tuple[str, Any, Any]] = []
    for noun in NOUNS:
        group = root.get_command(top, noun)  # type: ignore[attr-defined]  # the root is a group
        found += _under(noun, group, typer.Context(group, info_name=noun, parent=top))
    return found


def _under(name: str, command: Any, context: Any) -> list[tuple[str, Any, Any]]:
    """List a command and, where it is a noun, all of its commands and of the nouns in it."""
    found = [(name, command, context)]
    for verb, one in getattr(command, "commands", {}).items():
        found += _under(f"{name} {verb}", one, typer.Context(one, info_name=verb, parent=context))
    return found


def page() -> str:
    """Give the page as it should be."""
    parts = [HEAD]
    for name, command, context in commands():
        level = "##" if " " not in name else "###"
        parts.append(f"{level} wnadmin {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n\n")
    return "".join(parts).rstrip("\n") + "\n"


def main() -> None:
    """Write the page, or compare it."""
    wanted = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
            sys.exit("docs/cli.md is not what the parser says; run `make docs`")
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
