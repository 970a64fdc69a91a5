"""A command that needs no conversion starts without pydantic; one that does converts as typer does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT, Cli

LOADED = "import sys; from wnadmin.cli import _run; sys.argv = {argv}; _run(); print('pydantic' in sys.modules)"


def test_texts_flags_and_defaults_load_no_validation_library() -> None:
    argv = ["wnadmin", "sql", "list", "queries/audit", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(argv=argv)],
        env={"PYTHONPATH": str(ROOT / "src"), "HOME": "/nonexistent"},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("audit", "log", "--limit", "many"), "--limit"),
        (("audit", "log", "--limit", "0"), "--limit"),
        (("audit", "child", "not-a-uuid"), "CHILD"),
        (("audit", "log", "--since", "yesterday"), "--since"),
    ],
)
def test_what_cannot_be_converted_is_a_usage_error(cli: Cli, words: tuple[str, ...], message: str) -> None:
    ran = cli.run(*words)
    assert ran.code == 2
    assert message in ran.err
