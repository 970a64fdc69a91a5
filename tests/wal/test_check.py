"""`backup wal check` and `status` on a real server: what goes wrong, what is said of it, and who is blind."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.standby import standby_of
from tests.support import Cli, Server
from tests.wal.support import Yard, check, command, findings, segment, severities
from tests.wal_tools.support import pgbackrest, recorded
from wnadmin.domain.wal.folder import STAMP


def test_all_is_well(sound: Yard) -> None:
    """With a base backup there is nothing to find."""
    sound.base_backup("base")
    ran = sound.cli.run("backup", "wal", "check", "--probe", "--format", "json")
    assert ran.code == 0, ran.out
    assert set(severities(ran).values()) == {"ok"}
    names = "mode, command, failing, waiting, age, folder, position, gaps, timelines, base, probe"
    assert set(severities(ran)) == {f"wal.{name}" for name in names.split(", ")}


def test_a_probe_is_in_the_ledger(sound: Yard) -> None:
    ran = sound.cli.run("backup", "wal", "check", "--probe", "--wait", "30", "--format", "json")
    probed = findings(ran)["wal.probe"]
    assert (probed["severity"], probed["object"] in sound.segments()) == ("ok", True)
    with sound.server.session(TEMPLATE) as session:
        rows = session.run("SELECT payload FROM audit.operator_ledger ORDER BY seq DESC LIMIT 3").rows
    read, outcome, intent = (json.loads(row[0]) for row in rows)
    assert intent["argv"] == ["backup", "wal", "check", "--probe", "--wait", "30"]
    assert (intent["phase"], outcome["phase"], outcome["status"]) == ("intent", "outcome", "done")
    assert outcome["op_id"] == intent["op_id"] != read["op_id"]
    assert outcome["detail"] == probed["detail"]
    assert read["phase"] == "read"


def test_a_probe_without_traffic_and_in_read_only_mode(sound: Yard) -> None:
    """A switch with nothing to switch would be none."""
    with sound.server.session() as session:
        session.run(f'ALTER DATABASE "{TEMPLATE}" SET default_transaction_read_only = on')
    try:
        first, second = (check(sound, "--probe")["wal.probe"] for _ in range(2))
    finally:
        with sound.server.session() as session:
            session.run(f'ALTER DATABASE "{TEMPLATE}" RESET default_transaction_read_only')
    assert (first["severity"], second["severity"]) == ("ok", "ok")
    assert first["object"] < second["object"]


@pytest.mark.parametrize(
    ("text", "severity", "said"),
    [
        ("true", "critical", "true archives nothing and says that it did"),
        ("exit 0", "critical", "exit archives nothing and says that it did"),
        ("/bin/cp %p /somewhere/%f", "warn", "cp flushes nothing to the disk"),
        ("test ! -f /x/%f && cp %p /x/%f", "warn", "cp flushes nothing to the disk"),
        ("KEY=secret keeper push %p", "ok", "keeper; how careful it is cannot be seen from here"),
        ("", "critical", "neither archive_command nor archive_library is set"),
    ],
)
def test_other_commands(sound: Yard, text: str, severity: str, said: str) -> None:
    command(sound, text)
    ran = sound.cli.run("backup", "wal", "check", "--format", "json")
    found = findings(ran)["wal.command"]
    assert (found["severity"], said in found["detail"]) == (severity, True), found
    assert "secret" not in ran.out


def test_too_old(sound: Yard) -> None:
    """The measure is the operator's; WAL that is not archived is named in bytes."""
    sound.archived(sound.switch())
    with sound.server.session() as session:
        session.run("SELECT pg_logical_emit_message(false, 'wn', repeat('x', 20000))")
    sound.until(
        lambda: bool(sound.sql("SELECT last_archived_time < now() - interval '10 ms' FROM pg_stat_archiver")), ""
    )
    found = check(sound, "--max-age", "1ms")["wal.age"]
    assert (found["severity"], found["critical"]) == ("critical", 0.004)
    assert "bytes of WAL are not archived" in found["detail"]
    assert check(sound, "--max-age", "1h")["wal.age"]["severity"] == "ok"


def test_an_idle_server_is_not_too_old(sound: Yard) -> None:
    sound.archived(sound.switch())
    old = "SELECT last_archived_time < now() - interval '10 ms' FROM pg_stat_archiver"
    sound.until(lambda: bool(sound.sql(old)), "time stands still")
    assert check(sound, "--max-age", "1ms")["wal.age"]["severity"] == "ok"


def test_a_login_that_may_see_little(sound: Yard) -> None:
    """What it cannot see is unknown, with the GRANT; nothing is well because it is hidden."""
    with sound.server.session(TEMPLATE) as session:
        session.run("CREATE ROLE wal_blind LOGIN")
        session.run(f'GRANT CONNECT ON DATABASE "{TEMPLATE}" TO wal_blind')
    cli = Cli(sound.cli.folder, sound.server.dsn(TEMPLATE, "wal_blind"), sound.cli.extra)
    ran = cli.run("backup", "wal", "check", "--probe", "--format", "json")
    found = findings(ran)
    assert ran.code == 3
    assert (found["wal.waiting"]["severity"], found["wal.waiting"]["remediation"]) == (
        "unknown",
        "GRANT pg_monitor TO wal_blind",
    )
    assert found["wal.probe"]["severity"] == "unknown"
    grant = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO wal_blind"
    assert found["wal.probe"]["remediation"] == grant
    status = cli.run("backup", "wal", "status", "--format", "json").json()
    assert {one["fact"]: one["value"] for one in status["tables"]["server"]}["waiting files"] == (
        "unknown: needs pg_monitor"
    )
    # The grants are the right ones.
    with sound.server.session(TEMPLATE) as session:
        session.run("GRANT pg_monitor TO wal_blind")
        session.run(grant)
    found = findings(cli.run("backup", "wal", "check", "--probe", "--format", "json"))
    assert (found["wal.waiting"]["severity"], found["wal.probe"]["severity"]) == ("ok", "ok")


def test_a_folder_that_cannot_be_read_here(sound: Yard) -> None:
    sound.archive.rename(sound.archive.with_name("hidden"))
    try:
        found = check(sound)["wal.folder"]
        assert (found["severity"], "no such file or directory" in found["detail"]) == ("unknown", True)
        ran = sound.cli.run("backup", "wal", "status", "--archive", str(sound.archive))
        assert (ran.code, "cannot read the archive" in ran.err) == (4, True)
    finally:
        sound.archive.with_name("hidden").rename(sound.archive)


def test_another_servers_folder(sound: Yard) -> None:
    other = sound.folder("another")
    (other / STAMP).write_text("4711\n")
    segment(other, "000000010000000000000001", size=16 << 20)
    found = check(sound, "--archive", str(other))
    assert found["wal.folder"]["severity"] == "critical"
    assert found["wal.folder"]["detail"].startswith("it is the archive of the server 4711, and this is ")


def test_off(server: Server, db: str, cli: Cli, tmp_path: Path) -> None:
    """A decision, except in production."""
    calm = Cli(cli.folder, server.dsn(db), {"PATH": str(tmp_path)})
    ran = calm.run("backup", "wal", "check", "--probe", "--format", "json")
    assert ran.code == 0
    assert severities(ran) == {"wal.mode": "skipped", "wal.probe": "skipped"}
    settings = tmp_path / "wnadmin.toml"
    settings.write_text(f'[profiles.prod]\nprimary = "{server.dsn(db)}"\nproduction = true\n')
    ran = Cli(cli.folder, None, {"PATH": str(tmp_path), "WNADMIN_CONFIG": str(settings)}).run(
        "backup", "wal", "check", "--profile", "prod", "--format", "json"
    )
    assert (ran.code, severities(ran)["wal.mode"]) == (3, "critical")
    assert findings(ran)["wal.mode"]["remediation"] == "wnadmin backup wal config --to DIR"


@pytest.mark.more
def test_a_standby(sound: Yard) -> None:
    """It archives after its promotion only, and writes nothing that could be switched."""
    with standby_of(sound.server) as standby:
        cli = Cli(sound.cli.folder, standby.dsn(TEMPLATE), sound.cli.extra)
        ran = cli.run("backup", "wal", "check", "--probe", "--format", "json")
        found = severities(ran)
        assert (found["wal.mode"], found["wal.probe"]) == ("skipped", "skipped")
        status = cli.run("backup", "wal", "status", "--format", "json")
        facts = {one["fact"]: one["value"] for one in status.json()["tables"]["server"]}
        assert facts["archiving"] == "on, once this standby has been promoted"
        refused = cli.run("backup", "wal", "config", "--to", str(sound.archive))
        assert (refused.code, "this server is a standby" in refused.err) == (4, True)


def test_other_tools_are_in_the_same_table(sound: Yard, tmp_path: Path) -> None:
    """What pgBackRest printed once, read beside the server's own archive."""
    sound.base_backup("beside")
    pgbackrest(tmp_path, recorded("pgbackrest-2.45-info.json"))
    ran = sound.cli.run("backup", "wal", "status", "--format", "json", env={"PATH": str(tmp_path)})
    tables = ran.json()["tables"]
    assert [one["archive"] for one in tables["archives"]] == ["server", "folder", "pgBackRest 2.45"]
    tool = tables["archives"][2]
    assert (tool["first"], tool["last"]) == ("000000010000000000000001", "000000010000000000000007")
    assert {one["tool"] for one in tables["backups"]} == {"folder", "pgBackRest"}
    assert check(sound, env={"PATH": str(tmp_path)})["wal.tool"]["severity"] == "ok"


def test_a_tool_without_backups_here(sound: Yard, tmp_path: Path) -> None:
    """Installed and not used is skipped; the one that archives here must answer."""
    pgbackrest(tmp_path, [])
    env = {"PATH": str(tmp_path)}
    assert check(sound, env=env)["wal.tool"]["severity"] == "skipped"
    command(sound, "pgbackrest --stanza=main archive-push %p")
    assert check(sound, env=env)["wal.tool"]["severity"] == "unknown"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "yesterday"], "--at: cannot read the time 'yesterday'"),
        (["--max-age", "soon"], "--max-age: cannot read the duration 'soon'"),
        (["--wait", "0"], "--wait"),
    ],
)
def test_usage(server: Server, db: str, cli: Cli, words: list[str], said: str) -> None:
    ran = Cli(cli.folder, server.dsn(db)).run("backup", "wal", "check", *words)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_moments(sound: Yard) -> None:
    """--at: what is to come, what is before the first base backup, without a zone in UTC."""
    sound.base_backup("for moments")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert check(sound, "--at", later.isoformat())["wal.at"]["detail"] == "that moment is still to come"
    found = check(sound, "--at", "2020-02-02 02:02")["wal.at"]
    assert (found["severity"], found["object"]) == ("critical", "2020-02-02 02:02:00Z")
    now = datetime.now(UTC)
    time.sleep(0.01)
    probed = check(sound, "--at", now.replace(tzinfo=None).isoformat(), "--probe")
    assert probed["wal.at"]["severity"] == "ok", probed["wal.at"]


def test_what_slots_keep(sound: Yard) -> None:
    with sound.server.session() as session:
        session.run("SELECT pg_create_physical_replication_slot('wal_kept', true)")
    try:
        sound.switch()
        tables = sound.cli.run("backup", "wal", "status", "--format", "json").json()["tables"]
    finally:
        with sound.server.session() as session:
            session.run("SELECT pg_drop_replication_slot('wal_kept')")
    (slot,) = tables["slots"]
    assert (slot["name"], slot["type"], slot["active"]) == ("wal_kept", "physical", False)
    assert slot["bytes"] > 0
