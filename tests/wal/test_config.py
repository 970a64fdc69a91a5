"""`backup wal config`: the script in place, proven by the server itself, the settings; refused where it may harm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TEMPLATE
from tests.support import Cli, Ran
from tests.wal.support import Yard, each, segment
from wnadmin.domain.wal import config, look, script, statements
from wnadmin.domain.wal.folder import STAMP
from wnadmin.errors import Failed
from wnadmin.postgres.database import Database
from wnadmin.results import World

WORLD = World({}, lambda *_: None, lambda: False)


def said(ran: Ran) -> str:
    return " ".join(ran.err.split())


def altered(plot: Yard) -> dict[str, str]:
    """What ALTER SYSTEM has said."""
    with plot.server.session() as session:
        rows = session.run(
            "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'"
        ).rows
    return {str(name): str(value) for name, value in rows}


def ledger(plot: Yard, command: str) -> list[dict[str, Any]]:
    rows = plot.cli.run("audit", "log", "--format", "json").json()["tables"]["operations"]
    return [one for one in rows if one["command"].startswith(command)]


def test_from_nothing_to_an_archive_and_back(plot: Yard) -> None:
    """--check 3, apply, --check 0, what it set, and `audit undo`."""
    plot.sql("ALTER SYSTEM SET archive_timeout = '2h'")
    plot.sql("SELECT pg_reload_conf()")
    assert plot.config("--check").code == 3
    assert list(each(plot.home)) == [plot.archive.name], "a check changes nothing"
    made = plot.config("--format", "json")
    assert made.code == 0, made.err
    outcome = made.json()
    assert [(one["key"], one["status"]) for one in outcome["steps"]] == [
        ("script", "done"),
        ("folder", "done"),
        ("settings", "done"),
    ]
    proof = {one["check"]: one for one in outcome["proof"]}
    assert {one["severity"] for one in proof.values()} == {"ok"}
    assert proof["wal.archive_mode"]["detail"] == "on; it waits for a restart"
    assert outcome["next"] == "restart the server, then: wnadmin backup wal check --probe"

    assert plot.script.read_bytes() == script.text()
    assert plot.script.stat().st_mode & 0o777 == 0o755
    system = plot.sql("SELECT system_identifier::text FROM pg_control_system()")
    assert (plot.archive / STAMP).read_text() == f"{system}\n"
    assert list(each(plot.archive)) == [STAMP], "no scratch file stays"
    assert altered(plot) == {
        "archive_command": f"{plot.script} \"%p\" '{plot.home}/wal archive'\"'\"'s 100%%'",
        "archive_timeout": "15min",
        "archive_mode": "on",
    }
    assert plot.config("--check").code == 0

    (change,) = [one for one in ledger(plot, "backup wal config") if one["status"] == "done"]
    undone = plot.cli.run("audit", "undo", change["operation"], "--yes")
    assert undone.code == 0, undone.err
    assert altered(plot) == {"archive_timeout": "2h"}
    assert plot.script.exists(), "what may be in use stays"
    assert plot.config("--check").code == 3


def test_it_archives_after_the_restart(plot: Yard) -> None:
    """Through a name with blanks, quotes and percent signs, and with a time limit of its own."""
    made = plot.config("--seconds", "17")
    assert made.code == 0, made.err
    assert " -t 17 " in altered(plot)["archive_command"]
    plot.restart()
    name = plot.switch()
    plot.archived(name)
    assert (plot.archive / name).stat().st_size == 16 << 20
    status = plot.cli.run("backup", "wal", "status", "--format", "json").json()["tables"]
    facts = {one["fact"]: one["value"] for one in status["server"]}
    assert facts["by"] == "wnadmin-archive"
    assert facts["into"] == str(plot.archive)


def test_by_hand(plot: Yard) -> None:
    """The script and the folder are made and proven; the settings are only told."""
    made = plot.config("--by-hand", "--format", "json")
    assert made.code == 0, made.err
    assert altered(plot) == {}
    assert [one["key"] for one in made.json()["steps"]] == ["script", "folder"]
    (effect,) = [one for one in made.json()["effects"] if one.startswith("Not done here: left to you: ")]
    assert "archive_timeout = '15min', archive_mode = 'on' (restart)." in effect
    # As it would stand in postgresql.conf: one more layer of quotes.
    assert f"archive_command = '{plot.script} \"%p\" ''{plot.home}/wal archive''\"''\"''s 100%%''', " in effect
    again = plot.config("--by-hand", "--check")
    assert again.code == 0
    assert "left to you: archive_command" in " ".join(again.out.split())


def test_what_the_server_cannot_write_in(plot: Yard) -> None:
    """It says so before anything is set, and goes on from there when that is mended."""
    plot.archive.chmod(0o500)
    made = plot.config()
    assert made.code == 1
    assert "the server cannot write in" in said(made) + " ".join(made.out.split())
    assert altered(plot) == {}
    (change,) = [one for one in ledger(plot, "backup wal config") if one["status"] == "failed"]
    plot.archive.chmod(0o700)
    resumed = plot.cli.run("audit", "resume", change["operation"], "--yes")
    assert resumed.code == 0, resumed.err
    assert altered(plot)["archive_mode"] == "on"


def test_a_trial_that_fails_leaves_nothing(plot: Yard) -> None:
    """The folder is not named as the archive unless the command works there."""
    wished = config.Wished(plot.archive, plot.script, 300, replace=False, by_hand=False)
    with plot.server.session() as session:
        plan = config.plan(Database(session), wished, {})
        steps = {one.key: one for one in plan.steps}
        steps["script"].run(WORLD)
        plot.script.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 7\n")
        with pytest.raises(Failed, match="does not work as the server's user") as caught:
            steps["folder"].run(WORLD)
        assert caught.value.why == "the disk is made of cheese"
        assert list(each(plot.archive)) == []
        plot.script.unlink()
        with pytest.raises(Failed) as caught:
            steps["folder"].run(WORLD)
        assert "not found" in caught.value.why


def test_settings_that_somebody_else_changed_meanwhile(plot: Yard) -> None:
    wished = config.Wished(plot.archive, plot.script, 300, replace=False, by_hand=False)
    with plot.server.session() as session:
        steps = {one.key: one for one in config.plan(Database(session), wished, {}).steps}
        session.run("ALTER SYSTEM SET archive_command = 'pgbackrest archive-push %p'")
        with pytest.raises(Failed, match="archive_command changed since the plan was made"):
            steps["settings"].run(WORLD)


@pytest.fixture(scope="module")
def ground(set_up_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """One server for what is refused: nothing of it changes."""
    from tests.support import SETTINGS, Server, end_server, scratch
    from tests.wal.support import yard
    from wnadmin.postgres.embedded import Cluster

    home = scratch("refused")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")
    cluster.start(SETTINGS, fsync=False)
    server = Server(cluster, home)
    yield yard(server, Cli(tmp_path_factory.mktemp("refused")), TEMPLATE)
    end_server(server)


def refused(ran: Ran, *words: str) -> None:
    assert ran.code == 4, ran.out + ran.err
    for each_ in words:
        assert each_ in said(ran)


def test_another_tool_archives(ground: Yard) -> None:
    ground.sql("ALTER SYSTEM SET archive_command = 'SECRET=x pgbackrest --stanza=main archive-push %p'")
    try:
        refused(ground.config(), "this server is set to archive already: pgbackrest", "--replace")
        assert "SECRET" not in ground.config().err
        told = ground.config("--replace", "--dry-run")
        assert told.code == 0
        assert "The archive command that is set now is replaced" in " ".join(told.out.split())
    finally:
        ground.sql("ALTER SYSTEM RESET archive_command")
    ground.sql("ALTER SYSTEM SET archive_library = 'basic_archive'")
    try:
        refused(ground.config(), "this server is set to archive already: basic_archive")
        told = ground.config("--replace", "--dry-run")
        assert "ALTER SYSTEM SET \"archive_library\" = '';" in told.out
    finally:
        ground.sql("ALTER SYSTEM RESET archive_library")


def test_no_folder(ground: Yard) -> None:
    path = ground.home / "nowhere"
    refused(
        ground.cli.run("backup", "wal", "config", "--to", str(path), "--script", str(ground.script)),
        f"the server finds no folder {path}",
        "install -d -m 700",
    )


def test_another_servers_archive(ground: Yard) -> None:
    foreign = ground.folder("foreign")
    words = ["backup", "wal", "config", "--to", str(foreign), "--script", str(ground.script)]
    (foreign / STAMP).write_text("4711\n")
    (foreign / STAMP).chmod(0o644)
    refused(ground.cli.run(*words), f"{foreign} is the archive of another server", "says 4711")
    (foreign / STAMP).unlink()
    segment(foreign, "000000010000000000000007").chmod(0o644)
    refused(ground.cli.run(*words), f"{foreign} holds WAL of another server")


def test_an_archive_that_was_there_before(ground: Yard) -> None:
    """The same server's, made by another command."""
    old = ground.folder("old")
    system = int(ground.sql("SELECT system_identifier::text FROM pg_control_system()"))
    segment(old, "000000010000000000000001", system=system).chmod(0o644)
    told = ground.cli.run("backup", "wal", "config", "--to", str(old), "--script", str(ground.script), "--dry-run")
    assert told.code == 0, told.err


def test_a_folder_that_is_closed_to_the_server(ground: Yard, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if os.geteuid() != 0:
        closed.chmod(0o000)
    words = ["backup", "wal", "config", "--to", str(closed / "archive"), "--script", str(ground.script)]
    refused(ground.cli.run(*words), "the server's user may not look at")
    closed.chmod(0o700)


def test_places_for_the_script(ground: Yard) -> None:
    words = ["backup", "wal", "config", "--to", str(ground.archive), "--script"]
    relative = ground.cli.run(*words, "bin/archive")
    assert relative.code == 2
    assert "--script bin/archive: this is not an absolute path" in said(relative)
    theirs = ground.home / "theirs"
    theirs.write_text("#!/bin/sh\nexit 0\n")
    theirs.chmod(0o755)
    refused(ground.cli.run(*words, str(theirs)), f"{theirs} is there already, and is not the archive command")
    refused(ground.cli.run(*words, str(ground.home / "no" / "script")), "No such file or directory")
    everybodys = ground.home / "everybodys"
    everybodys.mkdir()
    everybodys.chmod(0o777)
    refused(ground.cli.run(*words, str(everybodys / "script")), f"everybody can write in {everybodys}")
    everybodys.chmod(0o1777)
    assert ground.cli.run(*words, str(everybodys / "script"), "--dry-run").code == 0


def test_an_earlier_version_is_replaced(ground: Yard) -> None:
    earlier = ground.home / "earlier"
    earlier.write_bytes(script.text() + b"# as it was once\n")
    earlier.chmod(0o755)
    words = ["backup", "wal", "config", "--to", str(ground.archive), "--script", str(earlier), "--dry-run"]
    told = ground.cli.run(*words)
    assert told.code == 0, told.err
    assert f"Write the archive command to {earlier}" in told.out
    assert f"cat > {earlier} << 'END OF SCRIPT'\n#!/bin/sh\n" in told.out


def test_a_login_that_is_no_superuser(ground: Yard) -> None:
    with ground.server.session() as session:
        session.run("CREATE ROLE wal_nobody LOGIN")
        session.run("GRANT CONNECT ON DATABASE postgres TO wal_nobody")
    cli = Cli(ground.cli.folder, ground.server.dsn("postgres", "wal_nobody"), ground.cli.extra)
    ran = cli.run("backup", "wal", "config", "--to", str(ground.archive), "--script", str(ground.script))
    refused(ran, "wal_nobody may not run programs as the server does", "Connect as a superuser.")


def test_a_database_in_read_only_mode(ground: Yard) -> None:
    """The trial needs a scratch table, which such a session has no other way."""
    with ground.server.session(default_transaction_read_only="on") as session:
        trial = statements.prove("/bin/echo", "/tmp")
        assert config.tried(Database(session), trial) == "-t 60 --try /tmp"
        assert look.server(Database(session)).runs is False


@pytest.mark.parametrize("words", [["--to", "wal"], ["--to", "/srv/wal", "--seconds", "0"], []])
def test_usage(ground: Yard, words: list[str]) -> None:
    assert ground.cli.run("backup", "wal", "config", *words).code == 2
