"""`--watch`: the same connection, again and again; one row in the ledger; it outlives a lost server and says so."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from typing import Any

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
        if shown["schema"] == "wnadmin/watch/1":
            assert (shown["table"], shown["seen"], shown["again_seconds"]) == (None, True, 0.2)
            continue
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


def test_it_holds_one_connection(wn: Cli, server: Server) -> None:
    name = "application_name = 'wnadmin/connections list'"
    watching = start(wn, "connections", "list", "--watch", "0.2", "--format", "ndjson")
    assert watching.stdout is not None
    looks = 0
    while looks < 3:
        # The row of the first look is written before the second is made.
        looks += json.loads(watching.stdout.readline())["schema"] == "wnadmin/watch/1"
    with server.session() as session:
        here = f"datname = '{session_database(wn)}'"
        assert session.scalar(f"SELECT count(*) FROM pg_stat_activity WHERE {name} AND {here}") == 1
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)
    assert watching.returncode == 0


def session_database(cli: Cli) -> str:
    assert cli.dsn is not None
    return next(word.partition("=")[2] for word in cli.dsn.split() if word.startswith("dbname="))


def objects(watching: subprocess.Popen[str], until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Read the stream up to the first object that is looked for."""
    assert watching.stdout is not None
    found: list[dict[str, Any]] = []
    while not found or not until(found[-1]):
        line = watching.stdout.readline()
        assert line, "it ended by itself"
        found.append(json.loads(line))
    return found


def marks(watching: subprocess.Popen[str], seen: bool) -> list[dict[str, Any]]:
    return objects(watching, lambda one: one["schema"] == "wnadmin/watch/1" and one["seen"] is seen)


def test_a_stream_says_when_the_server_is_lost_and_when_it_is_back(fresh_server: Server, cli: Cli) -> None:
    there = Cli(cli.folder, fresh_server.dsn(TEMPLATE))
    watching = start(there, "connections", "list", "--watch", "0.2", "--format", "ndjson")
    marks(watching, True)
    fresh_server.cluster.stop("immediate")
    lost = marks(watching, False)[-1]
    again = marks(watching, False)[-1]
    fresh_server.cluster.start(SETTINGS, fsync=False)
    marks(watching, True)
    rows = objects(watching, lambda one: one["table"] == "limits")
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert watching.returncode == 0, err
    assert lost["table"] is None
    assert lost["again_seconds"] == 1, "not as often as it looks"
    assert lost["last_seen"] < lost["since"] == lost["at"]
    assert again["since"] == lost["since"] < again["at"]
    assert again["what"].startswith("cannot connect to ")
    assert again["why"] and again["next"]
    assert rows[-1]["schema"] == "wnadmin/connections-list/1"
    assert err.count("and again every 1 s until it succeeds:") <= 2, "once for each thing that happened"
    assert re.search(r"seen again; not seen from \d\d:\d\d:\d\dZ to \d\d:\d\d:\d\dZ \(\d+ s\)", err)


def test_its_exit_code_is_that_of_the_last_look(fresh_server: Server, cli: Cli) -> None:
    there = Cli(cli.folder, fresh_server.dsn(TEMPLATE))
    words = ("health", "run", "--only", "reachable,prepared-transactions", "--watch", "0.2", "--format", "ndjson")
    healthy = start(there, *words)
    marks(healthy, True)
    with fresh_server.session(TEMPLATE) as session:
        session.run("BEGIN")
        session.run("CREATE TABLE public.left_behind ()")
        session.run("PREPARE TRANSACTION 'left behind'")
        objects(healthy, lambda one: one["table"] == "findings" and one["row"]["check"] == "prepared-transactions")
        ill = ("--threshold", "prepared-transactions=0s,1h")
        found = start(there, *words, *ill)
        objects(found, lambda one: one["table"] == "findings" and one["row"]["severity"] == "warn")
        found.send_signal(signal.SIGINT)
        found.communicate(timeout=20)
        session.run("ROLLBACK PREPARED 'left behind'")
    assert found.returncode == 3
    healthy.send_signal(signal.SIGINT)
    healthy.communicate(timeout=20)
    assert healthy.returncode == 0
    for style, code in (("ci", 5), ("nagios", 2)):
        down = start(there, *words, "--exit-style", style)
        marks(down, True)
        fresh_server.cluster.stop("immediate")
        marks(down, False)
        down.send_signal(signal.SIGINT)
        down.communicate(timeout=20)
        assert down.returncode == code
        fresh_server.cluster.start(SETTINGS, fsync=False)


def test_a_plugin_that_watches_says_that_the_server_is_down(fresh_server: Server, cli: Cli) -> None:
    there = Cli(cli.folder, fresh_server.dsn(TEMPLATE))
    watching = start(there, "health", "run", "--only", "reachable", "--watch", "0.2", "--exit-style", "nagios")
    assert watching.stdout is not None
    assert "OK" in watching.stdout.readline()
    fresh_server.cluster.stop("immediate")
    line = "OK"
    while "OK" in line:
        line = watching.stdout.readline()
    assert line.startswith("WNADMIN CRITICAL"), line
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)
    assert watching.returncode == 2


def test_what_waiting_does_not_mend_ends_it(server: Server, cli: Cli, db: str) -> None:
    """A typo in the name of a database, a wrong option: not looked at every second for a day."""
    for words, code, told in (
        (("--dsn", server.dsn("no_such_database")), 5, 'database "no_such_database" does not exist'),
        (("--dsn", server.dsn(db), "--role", "no_such_role"), 2, "there is no role no_such_role"),
        (("--dsn", server.dsn(db), "--format", "csv"), 2, "--watch cannot write csv"),
    ):
        ran = cli.run("sessions", "list", "--watch", "1", *words)
        assert (ran.code, ran.out) == (code, "")
        assert told in ran.err


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


LOST = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, not seen; tries again every 1 s; Ctrl-C ends$")


def lost(screen: Screen) -> bool:
    return bool(LOST.match(screen.text()[0])) and "Nothing has been seen since" in words(screen)


def refused(screen: Screen) -> bool:
    # A frame is read in pieces, and the one before it told of the connection that broke.
    parts = ("cannot connect to", "failed: ", "next: Check host, port and that the server runs", "scrolled up")
    return lost(screen) and all(part in words(screen) for part in parts) and "next: Check the" not in words(screen)


def words(screen: Screen) -> str:
    return " ".join(" ".join(screen.text()).split())


@pytest.fixture
def there(fresh_server: Server, cli: Cli) -> Cli:
    """wnadmin pointed at a server that may be stopped, without NO_COLOR."""
    return Cli(cli.folder, fresh_server.dsn(TEMPLATE), {"NO_COLOR": "", "TERM": "xterm-256color"})


def test_a_lost_server_has_a_screen_of_its_own(fresh_server: Server, there: Cli) -> None:
    with watch(there, 80, 40, "connections", "list") as terminal:
        terminal.until(looks(2)(terminal))
        assert any("ordinary logins" in line for line in terminal.screen.text())
        fresh_server.cluster.stop("immediate")
        terminal.until(refused)
        shown, text = terminal.screen.text(), words(terminal.screen)
        fresh_server.cluster.start(SETTINGS, fsync=False)
        terminal.until(lambda screen: any("ordinary logins" in line for line in screen.text()))
        back = terminal.screen.text()
        above = "\n".join(terminal.screen.above)
        terminal.press(b"\x03")
        assert terminal.end() == 0
    assert "ordinary logins" not in text, "what was true stands there no more"
    assert re.search(r"why: .*\.s\.PGSQL", text), shown
    assert re.search(r"Nothing has been seen since \S+ \S+Z \(\d+ s\)\.", text)
    assert re.search(r"The last look, at \S+ \S+Z, was scrolled up", text)
    assert not any(line.startswith("wnadmin: ") for line in shown), "not said twice"
    assert "ordinary logins" in above, "the last look can be read by scrolling up"
    assert MOMENT.match(back[0])
    assert re.match(r"not seen from \d\d:\d\d:\d\dZ to \d\d:\d\d:\d\dZ \(\d+ s\)$", back[1]), back
    assert max(map(len, shown)) <= 80


def test_a_watch_may_begin_while_the_server_is_down(fresh_server: Server, there: Cli) -> None:
    fresh_server.cluster.stop("immediate")
    with watch(there, 80, 40, "health", "run", "--only", "reachable") as terminal:
        terminal.until(lost)
        shown = "\n".join(terminal.screen.text())
        terminal.press(b"\x03")
        assert terminal.end() == 5, "no connection, as without --watch"
    assert "The last look" not in shown, "there was none"
    with watch(there, 80, 40, "health", "run", "--only", "reachable") as terminal:
        terminal.until(lost)
        fresh_server.cluster.start(SETTINGS, fsync=False)
        terminal.until(lambda screen: screen.text()[0].startswith("1 ok | "))
        terminal.press(b"\x03")
        assert terminal.end() == 0


def test_a_lost_session_is_told_and_looks_again(watched: Cli, server: Server) -> None:
    with watch(watched, 80, 50) as terminal:
        terminal.until(looks(2)(terminal))
        with server.session() as session:
            session.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wnadmin/queries slow'"
            )
        terminal.until(lost)
        assert not any("query id" in line for line in terminal.screen.text())
        terminal.until(lambda screen: sum("query id" in line for line in screen.text()) == 1)
        assert terminal.screen.text()[1].startswith("not seen from ")
