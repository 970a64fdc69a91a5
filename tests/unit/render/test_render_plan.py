"""A Plan as it is shown before it runs."""

from __future__ import annotations

import io
import re

import pytest

from wnadmin import render
from wnadmin.results import Plan, Receipt, Step, World

LONG = "SELECT\n    '" + "x" * 300 + "'\nFROM\n    core.users"
DUMP = "pg_dump --file=/backup/" + "y" * 200 + ".dump wondernest_prod"


def never(_world: World) -> Receipt:
    raise AssertionError("showing a plan must not run it")


def back(_world: World, receipt: Receipt) -> Receipt:
    return receipt


PLAN = Plan(
    "Move the users",
    (
        Step("one", "Look", (LONG,), never, timeout=30),
        Step("two", "Save", (DUMP,), never, undo=back, undo_shows=("DROP TABLE a;\nDROP TABLE b;",)),
        Step("three", "Go on\nDROP DATABASE x;", ("SELECT\n    1",), never, on_failure="continue"),
    ),
    effects=("Sessions wait.",),
    target="core.users",
    confirm="wondernest_prod",
    verify=lambda: (),
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(plan: Plan, stream: io.StringIO, *, color: bool | None = None) -> str:
    render.plan(plan, title="wnadmin users move", stream=stream, width=80, color=color)
    return stream.getvalue()


def test_in_a_pipe_everything_but_what_runs_is_a_comment() -> None:
    text = shown(PLAN, io.StringIO())
    rest = text.replace(LONG + "\n", "").replace(DUMP + "\n", "").replace("SELECT\n    1\n", "")
    assert len(rest) < len(text) - len(LONG) - len(DUMP)
    assert all(line.startswith("--") for line in rest.splitlines() if line)
    for words in (
        "Move the users",
        "wnadmin users move",
        "Sessions wait.",
        "core.users",
        "Step 1 of 3: Look",
        "30 s",
        "undo: DROP TABLE b;",
        "takes back step 2",
        "looks again afterwards",
        "To confirm, type: wondernest_prod",
        "the next steps still run",
    ):
        assert words in rest


@pytest.mark.parametrize("color", [False, True])
def test_on_a_terminal_what_runs_is_neither_wrapped_nor_indented(color: bool) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(PLAN, Terminal(), color=color))
    for runs in (LONG, DUMP, "SELECT\n    1"):
        assert f"\n{runs}\n" in text


def test_sql_is_coloured_only_where_colour_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert re.search(r"\x1b\[[0-9;]+mSELECT\x1b", shown(PLAN, Terminal()))
    assert not re.search(r"\x1b\[[0-9;]+mpg_dump", shown(PLAN, Terminal()))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(PLAN, Terminal())


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_statements_cannot_steer_the_terminal(stream: io.StringIO) -> None:
    evil = Plan("a\x1b[2Jb", (Step("k", "t\x07", ("SELECT '\x1b[2J\u202e\tx'",), never),), effects=("\x9b",))
    text = shown(evil, stream, color=False)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "SELECT '\\x1b[2J\\u202e" in text


def test_a_plan_without_steps_says_why() -> None:
    for stream in (io.StringIO(), Terminal()):
        text = shown(Plan("Create", (), nothing="the database is complete"), stream, color=False)
        assert "Nothing will be done: the database is complete" in text
        assert "Undo" not in text


def test_a_plan_without_undo_and_proof_says_so() -> None:
    text = shown(Plan("Drop", (Step("k", "t", ("DROP TABLE a",), never),)), io.StringIO())
    assert "cannot be taken back" in text
    assert "not looked at again" in text
    assert "To confirm" not in text
