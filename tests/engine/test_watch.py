"""`--watch`: the same connection, again and again; one row in the ledger; it outlives a lost server."""

from __future__ import annotations

import json
import signal
import subprocess
import time

from tests.conftest import TEMPLATE
from tests.engine.conftest import Rows
from tests.support import SETTINGS, Cli, Server


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
