"""Cut short, refused, at the same time as somebody else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.readonly.support import Ground, opened, until, write
from tests.standby import standby_of
from tests.support import Cli, Server
from wnadmin.domain.readonly import keep, look
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session

DB = "wondernest_template"


@contextmanager
def held(ground: Ground, statement: str) -> Iterator[Session]:
    """A superuser's transaction that holds a lock, until the block ends."""
    with ground.root() as session:
        session.run("BEGIN")
        session.run(statement)
        yield session
        session.run("ROLLBACK")


def waits(ground: Ground) -> bool:
    """Whether a session of `readonly` waits for a lock."""
    query = (
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND application_name LIKE 'wnadmin/readonly%')"
    )
    return bool(ground.scalar(query))


def unfinished(ground: Ground) -> list[str]:
    found = ground.cli.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    return [str(one["operation"]) for one in found]


def killed(ground: Ground, words: list[str], when: object) -> None:
    """Start wnadmin, kill it when it is so far, and wait until the server has noticed."""
    process = ground.cli.start(words)
    until(when)  # type: ignore[arg-type]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'wnadmin/readonly%'"
    with ground.root() as session:
        session.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'wnadmin/readonly%%'"
        )
    until(lambda: ground.scalar(query) == 0)


LOCK = "LOCK TABLE pg_catalog.pg_auth_members IN SHARE MODE"
"""REVOKE and GRANT of memberships wait for it."""

FENCE = ["readonly", "on", "--level", "fence", "--yes", "--grace", "30"]


def test_killed_while_it_enters(ground: Ground) -> None:
    with held(ground, LOCK):
        killed(ground, FENCE, lambda: waits(ground))
    # Only the copy is there; nothing has happened.
    assert ground.copy().exists()
    assert ground.place().kept is None
    assert ground.status()["readonly.mode"]["detail"] == f"{DB} is not read-only"
    assert "is of an entry that did not happen" in ground.on("--level", "fence")
    ground.off()


@pytest.mark.parametrize("end", [pytest.param("on", marks=pytest.mark.more), "off", "resume"])
def test_killed_while_it_drains(ground: Ground, end: str) -> None:
    before = set(unfinished(ground))
    with opened(ground.client()) as (busy,):
        busy.run("BEGIN")
        killed(ground, FENCE, lambda: ground.place().cut)
        assert write(busy) == "42501"
    found = ground.status()
    assert found["readonly.override"]["severity"] == "ok"
    (operation,) = set(unfinished(ground)) - before
    if end == "resume":
        resumed = ground.cli.run("audit", "resume", operation, "--yes")
        assert resumed.code == 0, resumed.out + resumed.err
        assert set(unfinished(ground)) == before
    elif end == "on":
        ground.on("--level", "fence")
    if end != "off":
        assert {one["severity"] for one in ground.status().values()} == {"ok"}
    ground.off()
    if end != "resume":
        # It has been left since: finishing it must not begin it again.
        late = ground.cli.run("audit", "resume", operation, "--yes")
        assert late.code == 0, late.err
        assert "was ended since, or never happened" in late.out
        assert set(unfinished(ground)) == before
    with opened(ground.client()) as (app,):
        assert write(app) == ""


def test_killed_before_the_moment_was_written_down(ground: Ground) -> None:
    ground.on("--level", "drain")
    # As a kill between the two leaves it.
    ground.run(f"ALTER DATABASE {DB} RESET wnadmin.readonly_cut")
    found = ground.status()["readonly.mode"]
    assert (found["severity"], found["detail"]) == ("critical", "entering it was cut short")
    assert "An earlier `readonly on` was cut short; this finishes it." in ground.on("--level", "drain")
    assert ground.status()["readonly.mode"]["severity"] == "ok"
    ground.off()


@pytest.mark.parametrize("end", ["on", pytest.param("off", marks=pytest.mark.more)])
def test_killed_while_it_leaves(ground: Ground, end: str) -> None:
    ground.on("--level", "fence")
    words = ["readonly", "off", "--yes", "--grace", "30"]
    with held(ground, LOCK):
        killed(ground, words, lambda: waits(ground))
    assert ground.status()["readonly.override"]["severity"] == "ok"
    with opened(ground.client()) as (reader,):
        reader.run("BEGIN")
        killed(ground, words, lambda: '"leaving":true' in (ground.place().kept or ""))
    assert ground.status()["readonly.mode"]["detail"].startswith("leaving it was cut short")
    with opened(ground.client()) as (app,):
        assert write(app) == ""
    if end == "on":
        assert "An earlier leaving was cut short when everything had been put back" in ground.on("--level", "fence")
    ground.off()
    assert "nothing of it is left" in ground.off()


@pytest.mark.more
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_many_moments(ground: Ground, seed: int) -> None:
    for words in (FENCE, ["readonly", "off", "--yes"]):
        process = ground.cli.start(words)
        timer = threading.Timer(0.3 + 0.15 * seed, process.kill)
        timer.start()
        process.communicate()
        timer.cancel()
        timer.join()
        until(
            lambda: ground.scalar(
                "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'wnadmin/readonly%'"
            )
        )
        with opened(ground.client()) as (app,):
            held_now = ground.place().kept is not None and '"leaving":true' not in (ground.place().kept or "")
            assert write(app, begin="BEGIN READ WRITE") == ("42501" if held_now else "")
        if words is FENCE:
            ground.on("--level", "fence")
    ground.off()


def test_two_at_once(ground: Ground) -> None:
    with opened(ground.client()) as (busy,):
        busy.run("BEGIN")
        first = ground.cli.start(FENCE)
        until(lambda: ground.place().cut)
        refused = ground.on("--level", "fence", code=4)
        assert f"another operator is changing {DB}/read-only mode" in refused
        assert "another operator is changing" in ground.off(code=4)
        busy.run("ROLLBACK")
    out, err = first.communicate()
    assert first.returncode == 0, out + err
    ground.off()


def test_changed_since_the_plan_was_made(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.migrate.support import carry_out
    from wnadmin.domain.readonly import enter
    from wnadmin.domain.readonly.ways import Ways
    from wnadmin.errors import Failed

    monkeypatch.setattr("wnadmin.settings.state_dir", lambda: ground.cli.state)
    with ground.root() as session:
        plan = enter.plan(Ways(Database(session), ground.client), enter.Wanted("fence"), {})
        ground.run("GRANT wondernest_rw TO wondernest_monitor")
        with pytest.raises(Failed, match="changed since the plan was made"):
            carry_out(plan)
        ground.run("REVOKE wondernest_rw FROM wondernest_monitor")
        assert look.place(Database(session)).kept is None
        keep.remove(look.place(Database(session)))


def test_without_the_privilege(ground: Ground) -> None:
    for role in ("wondernest_app", "wondernest_migration"):
        login = ("--dsn", ground.server.dsn(DB, role))
        assert "may not change the settings of" in ground.on(*login, code=4)
        refused = ground.on("--level", "fence", *login, code=4)
        assert "the level fence needs a superuser" in refused
        assert "may not change the settings of" in ground.off(*login, code=4)
    # Of the sessions of others nothing is known, and that is said.
    ran = ground.cli.run(
        "readonly", "status", "--dsn", ground.server.dsn(DB, "wondernest_app"), "--format", "json", "--witness", "0"
    )
    assert ran.code == 0, ran.err
    ground.on()
    ran = ground.cli.run(
        "readonly", "status", "--dsn", ground.server.dsn(DB, "wondernest_app"), "--format", "json", "--witness", "0"
    )
    found = {one["id"]: one for one in ran.json()["findings"]}
    assert found["readonly.sessions"]["severity"] == "unknown"
    assert found["readonly.sessions"]["remediation"] == "GRANT pg_read_all_stats TO wondernest_app"
    ground.off()


def test_the_owner_of_the_database_may_do_the_soft_one(ground: Ground) -> None:
    ground.run("CREATE ROLE landlord LOGIN", f"ALTER DATABASE {DB} OWNER TO landlord")
    login = ("--dsn", ground.server.dsn(DB, "landlord"))
    assert "may not keep in wondernest_template what was before" in ground.on(*login, code=4)
    ground.run("GRANT SET ON PARAMETER wnadmin.readonly, wnadmin.readonly_cut TO landlord")
    ground.on(*login)
    ground.off(*login)
    ground.run(f"ALTER DATABASE {DB} OWNER TO postgres", "DROP OWNED BY landlord", "DROP ROLE landlord")


def test_a_standby_is_refused(ground: Ground) -> None:
    ground.on("--level", "drain")
    with standby_of(ground.server) as standby:
        there = ("--dsn", standby.dsn(DB))
        assert "this server is a standby" in ground.on("--level", "drain", *there, code=4)
        assert "this server is a standby" in ground.off(*there, code=4)
        assert ground.status(*there)["readonly.canary:direct"]["severity"] == "ok"
    ground.off()


def test_a_backup_while_it_is_read_only(ground: Ground, own_server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    ground.on("--level", "fence")
    made = ground.cli.run("backup", "create", "--to", str(folder), "--name", "fenced", "--yes")
    assert made.code == 0, made.out + made.err
    assert "is in read-only mode" in made.out
    ground.off()
    drilled = ground.cli.run("backup", "drill", str(folder / "fenced.dump"), "--yes")
    assert drilled.code == 0, drilled.out + drilled.err


def test_read_only_while_a_backup_runs(ground: Ground) -> None:
    """A dump's session cannot write, or is a superuser's own: it goes on."""
    with (
        opened(ground.client("wondernest_backup")) as (dumping,),
        ground.server.session(DB) as mine,
    ):
        dumping.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        before = dumping.scalar("SELECT count(*) FROM content.categories")
        ground.on("--level", "fence", "--grace", "0")
        assert dumping.scalar("SELECT count(*) FROM content.categories") == before
        assert mine.scalar("SELECT 1") == 1
    ground.off()


def test_nothing_is_done_by_looking(ground: Ground) -> None:
    before = ground.everything()
    for words in (["--dry-run"], ["--check"]):
        for level in ("soft", "drain", "fence"):
            ran = ground.cli.run("readonly", "on", "--level", level, *words)
            assert ran.code == (3 if words == ["--check"] else 0)
    assert ground.everything() == before
    assert not ground.copy().exists()


def test_words_that_cannot_be_read(cli: Cli) -> None:
    for text, why in (("soon", "cannot read --for soon"), ("0s", "cannot read"), ("25h", "longer than a day")):
        ran = cli.run("readonly", "on", "--for", text, "--dsn", "host=/nowhere")
        assert ran.code == 2
        assert why in ran.err
