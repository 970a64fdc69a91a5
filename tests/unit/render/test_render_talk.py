"""What is said beside the data, and what importing costs."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from wnadmin.errors import Refused, WnError
from wnadmin.render import talk


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_error_is_what_why_and_next() -> None:
    stream = io.StringIO()
    talk.error(Refused("no\x1b[2J", why="one\ntwo", next="wnadmin help", sqlstate="42501"), stream=stream)
    assert stream.getvalue() == (
        "wnadmin: no\\x1b[2J (SQLSTATE 42501)\nwnadmin: why: one\nwnadmin: two\nwnadmin: next: wnadmin help\n"
    )


def test_words_that_are_missing_take_no_line() -> None:
    stream = io.StringIO()
    talk.error(WnError("no"), stream=stream)
    talk.note("a note", stream=stream)
    talk.warn("careful", stream=stream)
    assert stream.getvalue() == "wnadmin: no\nwnadmin: a note\nwnadmin: warning: careful\n"


def test_colour_obeys_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    talk.warn("careful", stream=stream)
    assert stream.getvalue() == "\x1b[1;33mwnadmin: warning: \x1b[0mcareful\n"
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    talk.warn("careful", stream=stream)
    assert stream.getvalue() == "wnadmin: warning: careful\n"


def test_the_default_stream_is_stderr_as_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    talk.note("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "wnadmin: here\n"


def test_progress_in_a_log_is_a_line_every_two_seconds_with_the_first_and_the_last() -> None:
    stream, clock = io.StringIO(), Clock()
    with talk.progress(stream=stream, clock=clock) as progress:
        for done in range(101):
            progress("files", done, 100)
            clock.now += 0.0625
    assert stream.getvalue().splitlines() == [
        "wnadmin: files 0/100 (0 %)",
        "wnadmin: files 32/100 (32 %)",
        "wnadmin: files 64/100 (64 %)",
        "wnadmin: files 96/100 (96 %)",
        "wnadmin: files 100/100 (100 %)",
    ]


def test_progress_of_unknown_length_and_of_nothing() -> None:
    stream = io.StringIO()
    with talk.progress(stream=stream, clock=Clock()) as progress:
        progress("waiting", 0, 0)
    with talk.progress(stream=stream, clock=Clock()):
        pass
    assert stream.getvalue() == "wnadmin: waiting\n"


def test_the_last_progress_is_said_also_when_the_work_fails() -> None:
    stream = io.StringIO()

    def work() -> None:
        with talk.progress(stream=stream, clock=Clock()) as progress:
            progress("files", 1, 7)
            progress("files", 3, 7)
            raise Refused("no")

    with pytest.raises(Refused):
        work()
    assert stream.getvalue().splitlines()[-1] == "wnadmin: files 3/7 (42 %)"


def test_a_bar_on_a_terminal_leaves_stdout_alone_and_notes_readable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with talk.progress(stream=stream, color=False) as progress:
        progress("[red]files[/red]\x1b[2J", 1, 2)
        sys.stdout.write("data\n")
        talk.note("in between", stream=stream)
        progress("[red]files[/red]\x1b[2J", 2, 2)
    shown = stream.getvalue()
    assert "[red]files[/red]\\x1b[2J" in shown
    assert "2/2" in shown
    assert "wnadmin: in between\n" in shown
    assert "\x1b[2J" not in shown
    assert capsys.readouterr().out == "data\n"


def test_a_question_is_asked_on_stderr_and_its_end_is_no_answer() -> None:
    stream = io.StringIO()
    assert talk.ask("Go on?\x1b", stream_in=io.StringIO(" yes \nno\n"), stream_err=stream) == "yes"
    assert stream.getvalue() == "wnadmin: Go on?\\x1b "
    assert talk.ask("Go on?", stream_in=io.StringIO(""), stream_err=stream) == ""
    assert stream.getvalue().endswith("Go on? \n")
    assert not talk.can_ask(io.StringIO())
    assert talk.can_ask(Terminal())


def test_importing_and_speaking_load_neither_rich_nor_tabulate() -> None:
    code = (
        "import io, sys\n"
        "import wnadmin.render as render\n"
        "from wnadmin.errors import Refused\n"
        "from wnadmin.results import Column, Plan, Report, Table\n"
        "report = Report('x', (Table('t', (Column('a'),), ((1,),)),))\n"
        "for format in ('json', 'ndjson', 'csv'):\n"
        "    render.write(report, format=format, stream=io.StringIO())\n"
        "render.plan(Plan('p', ()), stream=io.StringIO())\n"
        "render.talk.error(Refused('no'), stream=io.StringIO())\n"
        "def loaded():\n"
        "    return {'rich', 'tabulate', 'pygments', 'wcwidth'} & set(sys.modules)\n"
        "first = sorted(loaded())\n"
        "render.write(report, format='plain', stream=io.StringIO())\n"
        "print(first, 'rich' in loaded(), 'tabulate' in loaded())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False True\n"
