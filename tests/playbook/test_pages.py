"""The bundled pages: proven by the program itself, shown in every form, and their SQL taken by a server."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import typer

from tests.conftest import TEMPLATE
from tests.support import Cli, Server
from wnadmin.cli import app
from wnadmin.domain.playbook import check, console, page
from wnadmin.domain.playbook.page import SECTIONS, Page
from wnadmin.engine.parse import parse

PAGES = page.every()
# What nobody has: whatever is guarded by it must then touch nothing.
VALUES = {
    "pid": "0",
    "began": "2026-01-01T00:00:00Z",
    "role": "playbook_role",
    "slot": "playbook_slot",
    "gid": "playbook_gid",
    "parent": "content.engagement",
    "month": "2026-01-01",
}


def test_the_program_finds_no_fault(cli: Cli) -> None:
    ran = cli.run("playbook", "check", "--format", "json")
    wrong = [one for one in ran.json()["findings"] if one["severity"] != "ok"]
    assert wrong == []
    assert ran.code == 0


def test_a_fault_is_critical() -> None:
    root = typer.main.get_command(app)
    found = check.check([*PAGES, page.read("x", "+++\n+++\n")], lambda argv: parse(argv, root))
    assert found.worst == "critical"


def test_the_list_needs_no_server(cli: Cli) -> None:
    rows = cli.run("playbook", "list", "--format", "json").json()["tables"]["playbooks"]
    assert len(rows) == len(PAGES) > 20
    assert {"id", "severity", "title", "checks"} == set(rows[0])


@pytest.mark.parametrize("one", PAGES, ids=lambda one: one.name)
def test_a_page_is_shown_whole(one: Page, cli: Cli) -> None:
    if one.name not in ("first-look", "blocked-sessions", "sequence-exhausted"):
        from wnadmin.domain.playbook.show import show

        report = show(one.name)
        assert report.page.startswith(f"# {one.title}\n")
        assert all(f"\n## {title}\n" in report.page for title in SECTIONS)
        return
    piped = cli.run("playbook", "show", one.name)
    assert piped.out.startswith(f"# {one.title}\n\n**{one.severity}**")
    assert "```console\n$ wnadmin " in piped.out
    drawn = cli.run("playbook", "show", one.name, "--format", "table", env={"COLUMNS": "80"})
    assert max(len(line) for line in drawn.out.splitlines()) <= 80
    pasted = [line for block in one.blocks for line in block.lines]
    assert [line for line in pasted if line.rstrip() not in drawn.out.splitlines()] == [], "code is not broken"
    parts = cli.run("playbook", "show", one.name, "--format", "json").json()
    assert [row["title"] for row in parts["tables"]["sections"]] == list(SECTIONS)
    assert {row["name"] for row in parts["tables"]["inputs"]} == set(one.inputs)
    assert all(row["command"] for row in parts["tables"]["commands"])


def test_an_unknown_page_gives_the_near_one(cli: Cli) -> None:
    ran = cli.run("playbook", "show", "blocked-session")
    assert ran.code == 2
    assert "Did you mean blocked-sessions?" in ran.err
    assert cli.run("playbook", "show", "xyzzy").err.count("`wnadmin playbook list` names them all.") == 1


def test_every_check_leads_to_one_page() -> None:
    found = page.by_check()
    assert found["blocking"] == "blocked-sessions"
    assert len(found) == sum(len(one.checks) for one in PAGES)


SQL = [
    pytest.param(one, block, id=f"{one.name}:{block.line}")
    for one in PAGES
    for block in one.blocks
    if block.language == "sql"
]


@pytest.mark.parametrize(("one", "block"), SQL)
def test_the_sql_of_a_page_is_taken_by_a_server(one: Page, block: page.Block, fresh_server: Server) -> None:
    """Pasted into psql as the page says, on a server of its own, since much of it is about the whole server."""
    text = "\n".join(block.lines)
    dbname = TEMPLATE
    with fresh_server.session(dbname) as session:
        session.run("CREATE ROLE playbook_role LOGIN")
        session.run("SELECT pg_create_physical_replication_slot('playbook_slot', true)")
        session.run("BEGIN")
        session.run("CREATE TABLE public.of_the_page (x int)")
        session.run("PREPARE TRANSACTION 'playbook_gid'")
    tool = fresh_server.cluster.tool("psql")
    given = [f"--set={name}={value}" for name, value in {**VALUES, "database": dbname}.items()]
    done = subprocess.run(
        [str(tool.path), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *given, fresh_server.dsn(dbname)],
        input=text,
        env={**os.environ, **tool.env},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with fresh_server.session(dbname) as session:
        if "pg_drop_replication_slot" in text:
            assert session.scalar("SELECT count(*) FROM pg_replication_slots") == 0, "an idle slot was dropped"
        if "ROLLBACK PREPARED" in text:
            assert session.scalar("SELECT count(*) FROM pg_prepared_xacts") == 0
    if ":'pid'" in text:
        assert done.stdout.strip() == "", "nobody has that pid since then, so nothing was ended"


# Read-only mode is the whole server's: tests/readonly runs it on one of its own.
LOOKS = sorted(
    {
        line
        for one in PAGES
        for block in one.blocks
        if block.language == "console" and block.section in ("Look", "Verify", "Act")
        for _, line in console.commands(block)
        if line.startswith("wnadmin ")
        and "$" not in line
        and not re.search(r"--watch|audit (resume|undo)|readonly (on|off)", line)
    }
)


@pytest.mark.more
@pytest.mark.parametrize("line", LOOKS)
def test_each_look_runs(line: str, server: Server, cli: Cli, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions")
    # By the environment, as a page assumes: not every line goes to a server and takes --dsn.
    where = {f"PG{key.upper()}": value for key, value in server.target(fresh_db).parameters.items()}
    env = {key.replace("PGDBNAME", "PGDATABASE"): value for key, value in where.items()}
    ran = Cli(cli.folder, None, env).run(*line.split()[1:])
    assert ran.code in (0, 3), f"{line}: {ran.err}"


def exported(page: str) -> dict[str, str]:
    """What the page says to export, as a shell takes it."""
    lines = [line[2:] for line in page.splitlines() if line.startswith("$ export ")]
    shell = "; ".join(["unset ${!PG*}", *lines, "env -0"])
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    found = dict(one.split("=", 1) for one in done.stdout.split("\0") if one)
    return {name: value for name, value in found.items() if name.startswith("PG")}


def test_psql_goes_where_wnadmin_goes(cli: Cli, server: Server, fresh_db: str) -> None:
    """Also with the parameters of a profile that need quotes; a password is never among them."""
    place = server.dsn(fresh_db)
    config = cli.folder / "wnadmin.toml"
    config.write_text(f"""[profiles.here]\nprimary = "{place} options='-c work_mem=7MB'"\n""")
    ran = cli.run("playbook", "show", "blocked-sessions", "--profile", "here", env={"WNADMIN_CONFIG": str(config)})
    assert ran.code == 0, ran.err
    assert "So that they go where wnadmin goes (profile here):" in ran.out
    assert "The lines for wnadmin need `--profile here` then, unless it is the default." in ran.out
    found = exported(ran.out)
    assert set(found) == {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS"}
    text = "SELECT pg_catalog.current_database(), pg_catalog.current_setting('work_mem')"
    tool = server.cluster.tool("psql")
    shown = subprocess.run(
        [str(tool.path), "-XAtc", text],
        env={**os.environ, **tool.env, **found},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"{fresh_db}|7MB\n"
    secret = cli.run("playbook", "show", "blocked-sessions", "--dsn", "postgresql://u:s3cret@db.example/x")
    assert "export PGUSER=u" in secret.out
    assert "s3cret" not in secret.out + secret.err
    document = cli.run(
        "playbook", "show", "blocked-sessions", "--format", "json", "--dsn", "host=db.example dbname=x"
    ).json()
    assert document["tables"]["environment"] == [
        {"name": "PGDATABASE", "value": "x"},
        {"name": "PGHOST", "value": "db.example"},
    ]


def test_without_a_server_a_page_is_shown_all_the_same(cli: Cli) -> None:
    ran = cli.run("playbook", "show", "blocked-sessions")
    assert (ran.code, ran.err) == (0, "")
    assert "no server is named here. Set `PGHOST`, `PGPORT`, `PGDATABASE` and `PGUSER` to yours." in ran.out
    follows = cli.run("playbook", "show", "blocked-sessions", env={"PGHOST": "db.example"})
    assert "go where the `PG*` variables say, and so does wnadmin here." in follows.out
    silent = cli.run("playbook", "show", "unfinished-operation")
    assert "psql" not in silent.out.split("## Symptoms")[0]
