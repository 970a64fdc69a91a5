"""The reference cannot drift from the parser, and no command is without help."""

from __future__ import annotations

import importlib
import typing

import pytest
import typer

from tools import make_docs
from wnadmin.cli import NOUNS

COMMANDS = [(name, command) for name, command, _ in make_docs.commands() if hasattr(command.callback, "declared")]


def test_the_page_is_what_the_parser_says() -> None:
    assert make_docs.PAGE.read_text(encoding="utf-8") == make_docs.page(), "run `make docs`"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_a_line_a_paragraph_and_an_example(name: str, command: typing.Any) -> None:
    parts = (command.help or "").split("\n\n")
    assert len(parts) >= 3, f"{name} needs a line, a paragraph and an example"
    assert parts[0].endswith(".") and "\n" not in parts[0].strip()
    assert parts[-1].startswith("Example: ")
    assert "wnadmin" in parts[-1]


@pytest.mark.parametrize("noun", NOUNS)
def test_the_root_help_and_the_noun_agree(noun: str) -> None:
    module = importlib.import_module(f"wnadmin.commands.{noun}")
    assert isinstance(module.app, typer.Typer)
    assert module.app.info.help == NOUNS[noun]


def test_every_raw_command_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    raw = {name: command.callback.declared.raw for name, command in COMMANDS if command.callback.declared.raw}
    with capsys.disabled():
        for name, why in raw.items():
            print(f"\nraw command: wnadmin {name}: {why}")
    assert all(len(why.split()) >= 4 for why in raw.values())
    assert not [name for name, command in COMMANDS if command.callback.declared.returns == "raw" and name not in raw]
