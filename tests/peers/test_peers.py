"""On the same staged incident: what wnadmin says, what check_postgres says, what check_pgactivity says.

The verdicts of all three stand in incidents.toml, so a new version of a peer that changes its mind is noticed; every
difference has its line in docs/decisions.md. The peers are Debian's packages check-postgres and check-pgactivity.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.health.test_checks import staged
from tests.support import ROOT, Cli, Server, end_server, install, start_server

INCIDENTS: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "incidents.toml").read_text(encoding="utf-8")
)
PEERS = {"check_postgres": "check-postgres", "check_pgactivity": "check-pgactivity"}
"""Each peer with the package that has it."""
PLUGINS = f"{os.environ.get('PATH', '')}:/usr/bin:/usr/lib/nagios/plugins"
VERDICTS = ("ok", "warning", "critical", "unknown")
"""By exit code."""

SECTION = "## Where health differs from its peers"
ROLES = (
    "CREATE ROLE peer_plain LOGIN",
    "CREATE ROLE peer_limited LOGIN",
    "CREATE ROLE peer_monitor LOGIN",
    "GRANT pg_monitor TO peer_monitor",
)


# --- the data and its explanations -------------------------------------------------------------------------------


def explained() -> dict[str, str]:
    """The lines of the section in docs/decisions.md, by id."""
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    section = text.partition(f"\n{SECTION}\n")[2].partition("\n## ")[0]
    entries = re.findall(r"^- \d{4}-\d\d-\d\d `([a-z-]+)`: (.+(?:\n  .+)*)$", section, re.MULTILINE)
    assert len(entries) == section.count("\n- "), "each line of that section has a date and an id"
    return dict(entries)


def test_every_difference_is_explained_and_every_explanation_used() -> None:
    used: set[str] = set()
    for name, incident in INCIDENTS.items():
        ours = incident["wnadmin"]["verdict"]
        assert ours in VERDICTS
        for peer in PEERS:
            if peer in incident:
                its = incident[peer]["verdict"]
                assert its in VERDICTS
                assert (its != ours) == ("differs" in incident[peer]), f"{name}: {peer}"
                used |= {incident[peer].get("differs", "")} - {""}
    assert used == set(explained())


def test_both_peers_are_compared_and_agree_about_something() -> None:
    for peer in PEERS:
        same = [
            name for name, one in INCIDENTS.items() if one.get(peer, {}).get("verdict") == one["wnadmin"]["verdict"]
        ]
        assert len(same) >= 4, f"without agreement a comparison with {peer} says little"


# --- the incidents -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place() -> Iterator[Server]:
    """A server of this module's own, with the roles of the incidents."""
    one = start_server("peers")
    try:
        with one.session() as session:
            session.run("CREATE DATABASE wondernest_peers TEMPLATE template0 ENCODING 'UTF8'")
        install(one, "wondernest_peers", samples=False)
        with one.session() as session:
            for text in ROLES:
                session.run(text)
        yield one
    finally:
        end_server(one)


@dataclass(frozen=True, slots=True)
class Stage:
    """An incident that is there now, and where who looks."""

    incident: dict[str, Any]
    server: Server
    where: dict[str, str]


@pytest.fixture(scope="module")
def stage(place: Server, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The incident of that name, once for all who look at it."""
    incident = INCIDENTS[request.param]
    with staged(place, "wondernest_peers", incident) as (server, target):
        yield Stage(incident, server, {**target.parameters, "user": incident.get("role", "postgres")})


def ask_wnadmin(cli: Cli, where: dict[str, str], question: dict[str, Any]) -> tuple[str, str]:
    """Its verdict, and all that it said."""
    dsn = " ".join(f"{key}={value}" for key, value in where.items())
    words = ["health", "run", "--only", question["check"], "--exit-style", "nagios", "--dsn", dsn]
    if "thresholds" in question:
        words += ["--threshold", f"{question['check']}={question['thresholds']}"]
    ran = cli.run(*words)
    assert re.match(r"WNADMIN (OK|WARNING|CRITICAL|UNKNOWN) - ", ran.out), ran.out + ran.err
    return VERDICTS[ran.code], ran.out


def ask_peer(peer: str, stage: Stage, folder: Path, question: dict[str, Any]) -> tuple[str, str]:
    """The same of a peer, for this one database where it can choose."""
    program = shutil.which(peer, path=PLUGINS)
    if program is None:
        pytest.skip(f"{peer} is not installed; .ci/run has it where apt-get has the package {PEERS[peer]}")
    where, tool = stage.where, stage.server.cluster.tool("psql")
    env = {**tool.env, "PATH": f"{tool.path.parent}:/usr/bin:/bin", "HOME": str(folder)}
    if peer == "check_postgres":
        asked = [f"--action={question['action']}", "-H", where["host"], "-p", where["port"]]
        asked += ["-db", where["dbname"], "-u", where["user"]]
    else:
        asked = ["-s", question["service"], "-h", where["host"], "-p", where["port"]]
        asked += ["-d", where["dbname"], "-U", where["user"], "--status-file", str(folder / "status")]
        asked += ["--dbinclude", f"^{where['dbname']}$"]
    done = subprocess.run(
        [program, *asked, *question["words"]],
        env=env,
        stdin=subprocess.DEVNULL,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    verdict = re.search(r"^(?:POSTGRES_\w+|CHECK_PGACTIVITY) (OK|WARNING|CRITICAL|UNKNOWN)", said)
    assert verdict, f"{peer} did not look: {said}"
    assert VERDICTS[done.returncode] == verdict[1].lower(), said
    return verdict[1].lower(), said


@pytest.mark.more
@pytest.mark.parametrize(
    ("stage", "tool"),
    [(name, tool) for name, one in INCIDENTS.items() for tool in ("wnadmin", *PEERS) if tool in one],
    indirect=["stage"],
    scope="module",
)
def test_verdict(stage: Stage, tmp_path: Path, tool: str) -> None:
    question = stage.incident[tool]
    if tool == "wnadmin":
        verdict, said = ask_wnadmin(Cli(tmp_path), stage.where, question)
        assert question.get("says", "") in said
    else:
        verdict, said = ask_peer(tool, stage, tmp_path, question)
    assert verdict == question["verdict"], f"{tool} has another verdict than it had: {said}"
