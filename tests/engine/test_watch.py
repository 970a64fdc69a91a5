"""`--watch`: the same connection, again and again; one row in the ledger; it outlives a lost server."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.conftest import TEMPLATE
from tests.engine.conftest import Rows
from tests.engine.screen import Screen, Terminal
from tests.support import SETTINGS, Cli, Server
from wnadmin.render.live import HOME


def start(cli: Cli, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        cli.argv(*words),
        env={**cli.env(), "PYTHONUNBUFFERED": "1"},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_it_looks_again_and_leaves_one_row(wn: Cli, rows: Rows) -> None:
    wn.run("audit", "unfinished")
    watching = start(wn, "audit", "log", "--watch", "0.2", "--format", "ndjson")
    assert watching.stdout is not None
    seen = 0
    while seen < 3:
        # Each look shows the operation from before.
        line = watching.stdout.readline()
        assert line, "it ended by itself"
        shown = json.loads(line)
        assert shown["schema"] == "wnadmin/audit-log/1"
        seen += shown["table"] is not None and shown["row"]["command"] == "audit unfinished"
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert watching.returncode == 0, err
    reads = [payload for phase, payload in rows.all() if phase == "read" and payload["argv"][1] == "log"]
    assert len(reads) == 1
    assert reads[0]["watch"] is True


def test_a_watch_writes_no_json_document(wn: Cli) -> None:
    ran = wn.run("audit", "log", "--watch", "1", "--format", "json")
    assert ran.code == 2
    assert "Use --format ndjson." in ran.err


def test_it_comes_back_when_the_server_does(fresh_server: Server, cli: Cli) -> None:
    there = Cli(cli.folder, fresh_server.dsn(TEMPLATE))
    watching = start(there, "audit", "unfinished", "--watch", "0.2", "--format", "ndjson")
    time.sleep(2)
    fresh_server.cluster.stop("immediate")
    time.sleep(1.5)
    fresh_server.cluster.start(SETTINGS, fsync=False)
    time.sleep(4)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert watching.returncode == 0, err
    assert "cannot connect" in err or "connection to the server was lost" in err, err
    last = json.loads(out.splitlines()[-1])
    assert last["schema"] == "wnadmin/audit-unfinished/1"
    assert "not looked at" not in out.splitlines()[-1], "the last look saw the ledger again"


# --- on a terminal ----------------------------------------------------------------------------------------------

MOMENT = re.compile(r"^\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d)Z, again every 0\.3 s; Ctrl-C ends")


@pytest.fixture
def watched(server: Server, cli: Cli, fresh_db: str) -> Cli:
    """wnadmin pointed at a database with statements to list, without NO_COLOR."""
    with server.session(fresh_db) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
        for number in range(1, 40):
            session.run("SELECT " + ", ".join(["1"] * number))
    return Cli(cli.folder, server.dsn(fresh_db), {"NO_COLOR": "", "TERM": "xterm-256color"})


def watch(cli: Cli, columns: int, lines: int, *words: str, env: dict[str, str] | None = None) -> Terminal:
    chosen = words or ("queries", "slow", "--top", "3")
    return Terminal(cli.argv(*chosen, "--watch", "0.3"), {**cli.env(), **(env or {})}, columns, lines)


def moments(terminal: Terminal) -> list[str]:
    return re.findall(r"(\d\d:\d\d:\d\d)Z, again", terminal.text)


def looks(number: int) -> Callable[[Terminal], Callable[[Screen], bool]]:
    def of(terminal: Terminal) -> Callable[[Screen], bool]:
        return lambda screen: len(moments(terminal)) >= number

    return of


def test_each_look_is_drawn_over_the_one_before(watched: Cli) -> None:
    with watch(watched, 80, 50) as terminal:
        terminal.until(looks(4)(terminal))
        shown = terminal.screen.text()
        terminal.press(b"\x03")
        assert terminal.end() == 0
    assert MOMENT.match(shown[0])
    assert [line for line in shown if "again every" in line] == shown[:1], "one look at a time"
    assert sum("query id" in line for line in shown) == 1
    assert {"H", "J", "K"} <= terminal.screen.sequences
    # Never the whole screen, never what was scrolled away: that is what flickers and what loses history.
    assert b"\x1b[2J" not in terminal.raw and b"\x1b[3J" not in terminal.raw
    assert b"\x1b[?1049" not in terminal.raw
    assert terminal.screen.blank == 0
    assert "^C" not in "\n".join(terminal.screen.text()), "the prompt finds a clean line"
    assert b"\x1b[1m" in terminal.raw, "it has style"


def test_what_stood_on_the_screen_is_scrolled_up_and_not_lost(watched: Cli) -> None:
    command = 'echo "what stood here"; exec "$@"'
    words = watched.argv("queries", "slow", "--top", "3", "--watch", "0.3")
    with Terminal(["sh", "-c", command, "sh", *words], watched.env(), 80, 50) as terminal:
        terminal.until(looks(2)(terminal))
        assert "what stood here" not in terminal.screen.text()
        assert "what stood here" in terminal.screen.above


def test_what_is_taller_than_the_screen_is_cut_and_says_so(watched: Cli) -> None:
    # What other tests do on this server changes no line of this: a database of its own, and nobody writes to it.
    with watch(watched, 80, 20, "tables", "sizes", "--top", "30") as terminal:
        terminal.until(looks(3)(terminal))
        terminal.until(lambda screen: "more lines" in screen.text()[18])
        shown = terminal.screen.text()
        above = [line for line in terminal.screen.above if line]
        assert MOMENT.match(shown[0])
        assert re.match(r"\(\d+ more lines: make the window taller, or leave --watch out\)$", shown[18])
        assert shown[19] == "", "the cursor stands below the frame, so nothing scrolls"
        assert above == [], "no look was scrolled away"
        left = int(shown[18][1:].split()[0])
        so_far = len(terminal.text)
        terminal.resize(80, 120)
        terminal.until(lambda screen: terminal.text.count(HOME, so_far) >= 3)
        frame = terminal.text[so_far:].split(HOME)[-2]
    assert "more lines" not in frame
    # Lines as they are said: one that is longer than the window takes two of the screen.
    assert frame.count("\n") - 18 == left, "as many as were left out"


def test_no_line_is_wider_than_eighty_columns(watched: Cli) -> None:
    with watch(watched, 80, 60) as terminal:
        terminal.until(looks(3)(terminal))
        shown = terminal.screen.text()
    # A wrapped line would leave its rest at the start of the next one, and the next look would not stand still.
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.text)
    tables = [line for line in text.split("\r\n") if not line.startswith(("note: ", "next: "))]
    assert max(len(line) for line in tables) <= 80
    assert any(line.startswith("next: wnadmin queries slow --show-queries") for line in shown)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_where_it_is_not_wanted(watched: Cli, env: dict[str, str]) -> None:
    with watch(watched, 80, 50, env=env) as terminal:
        wanted = b"again every" if "NO_COLOR" in env else b"query id"
        terminal.until(lambda screen: terminal.raw.count(wanted) >= 3)
    assert not re.search(rb"\x1b\[[0-9;]*m", terminal.raw)
    if "TERM" in env:
        assert b"\x1b" not in terminal.raw, "a dumb terminal gets no sequence at all"


def test_a_pipe_gets_no_sequence_and_the_time_on_stderr(watched: Cli) -> None:
    watching = start(watched, "queries", "slow", "--top", "3", "--watch", "0.2")
    assert watching.stdout is not None
    seen = 0
    lines = []
    while seen < 3:
        lines.append(watching.stdout.readline())
        assert lines[-1], "it ended by itself"
        seen += "query id" in lines[-1]
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert watching.returncode == 0, err
    assert "\x1b" not in "".join(lines) + out + err
    assert re.search(r"^wnadmin: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$", err, re.MULTILINE)


def test_an_error_appears_under_the_frame_and_goes_with_the_next_look(watched: Cli, server: Server) -> None:
    with watch(watched, 80, 50) as terminal:
        terminal.until(looks(2)(terminal))
        with server.session() as session:
            session.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wnadmin/queries slow'"
            )
        terminal.until(lambda screen: any("wnadmin: " in line for line in screen.text()))
        shown = terminal.screen.text()
        assert sum("query id" in line for line in shown) == 1, "the last look stays to be read"
        terminal.until(lambda screen: not any("wnadmin: " in line for line in screen.text()))
        assert sum("query id" in line for line in terminal.screen.text()) == 1
