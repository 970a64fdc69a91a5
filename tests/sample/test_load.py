"""``sample load`` on real databases: what it makes, what it refuses, how it ends when it is cut short."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import SETTINGS, Cli, Server

LOAD = ("sample", "load", "--years", "1", "--until", "2026-01-31")

# Everything that a load adds, in one text: equal worlds have equal sums.
SUMS = {
    "core.users": "id",
    "core.user_devices": "id",
    "core.user_preferences": "user_id",
    "family.families": "id",
    "family.family_members": "family_id, user_id",
    "family.child_profiles": "id",
    "family.guardian_consents": "id",
    "safety.parental_controls": "child_id",
    "content.engagement": "id",
    "audio.sessions": "id",
    "audio.speech_metrics": "id",
    "analytics.events": "id",
    "analytics.daily_child_metrics": "child_id, metric_date",
    "subscription.subscriptions": "id",
    "subscription.invoices": "id",
    "subscription.payments": "id",
}


def at(cli: Cli, server: Server, dbname: str) -> Cli:
    return replace(cli, dsn=server.dsn(dbname))


def sums(server: Server, dbname: str) -> dict[str, tuple[int, str]]:
    """Number and checksum of the rows of each table."""
    found: dict[str, tuple[int, str]] = {}
    with server.session(dbname) as session:
        for table, key in SUMS.items():
            digests = f"string_agg(md5(t::text), '' ORDER BY {key})"
            text = f"SELECT count(*)::int, coalesce(md5({digests}), '') FROM {table} AS t"
            count, digest = session.run(text).rows[0]
            found[table] = (count, digest)
        trail = "SELECT count(*)::int, '' FROM audit.activity_log AS l WHERE l.user_agent = 'wnadmin sample world'"
        found["trail"] = session.run(trail).rows[0][0], ""
    return found


def added(server: Server, dbname: str, before: dict[str, tuple[int, str]]) -> dict[str, int]:
    return {table: count - before[table][0] for table, (count, _) in sums(server, dbname).items()}


def test_a_world_is_loaded_and_proven(cli: Cli, server: Server, fresh_db: str) -> None:
    before = sums(server, fresh_db)
    mine = at(cli, server, fresh_db)
    assert mine.run(*LOAD, "--families", "20", "--check").code == 3
    ran = mine.run(*LOAD, "--families", "20", "--yes", "--format", "json")
    assert ran.code == 0, ran.err
    assert {one["severity"] for one in ran.json()["proof"]} == {"ok"}
    more = added(server, fresh_db, before)
    assert more["family.families"] == 20
    assert all(count > 0 for count in more.values()), more
    with server.session(fresh_db) as session:
        users = session.run(
            "SELECT count(*) FILTER (WHERE NOT u.is_sample), count(*) FILTER (WHERE u.email NOT LIKE '%@example.com'), "
            "count(*) FILTER (WHERE u.password_hash ~ '^\\$') FROM core.users AS u WHERE u.email LIKE 'guardian-%'"
        ).rows[0]
        assert users == (0, 0, 0)
        months = session.scalar(
            "SELECT count(DISTINCT date_trunc('month', e.started_at)) FROM content.engagement AS e "
            "WHERE e.started_at < '2026-02-01'"
        )
        assert months >= 6
    assert mine.run(*LOAD, "--families", "20", "--check").code == 0
    again = mine.run(*LOAD, "--families", "20", "--yes", "--format", "json")
    assert (again.code, again.json()["status"]) == (0, "nothing")
    assert added(server, fresh_db, before) == more


def test_daily_metrics_are_those_that_the_database_calculates(cli: Cli, server: Server, fresh_db: str) -> None:
    assert at(cli, server, fresh_db).run(*LOAD, "--families", "8", "--yes").code == 0
    with server.session(fresh_db) as session:
        text = (
            "SELECT to_jsonb(d) - 'calculated_at' FROM analytics.daily_child_metrics AS d "
            "INNER JOIN family.child_profiles AS c ON c.id = d.child_id "
            "INNER JOIN family.families AS f ON f.id = c.family_id "
            "WHERE f.name LIKE 'Sample family %' ORDER BY d.child_id, d.metric_date"
        )
        loaded = session.run(text).rows
        assert len(loaded) > 20
        session.run(
            "SELECT analytics.calculate_daily_metrics(d.child_id, d.metric_date) "
            "FROM analytics.daily_child_metrics AS d"
        )
        assert session.run(text).rows == loaded


def test_one_seed_is_one_world_however_it_is_loaded(cli: Cli, server: Server, fresh_db: str, template: str) -> None:
    other = server.create(template)
    try:
        assert at(cli, server, fresh_db).run(*LOAD, "--families", "12", "--yes").code == 0
        second = at(cli, server, other)
        assert second.run(*LOAD, "--families", "5", "--yes").code == 0
        assert sums(server, other) != sums(server, fresh_db)
        ran = second.run(*LOAD, "--families", "12", "--yes", "--format", "json")
        assert "Load 7 families" in ran.json()["steps"][0]["title"]
        assert sums(server, other) == sums(server, fresh_db)
        third = second.run(*LOAD, "--families", "3", "--seed", "2", "--yes")
        assert third.code == 0, third.err
    finally:
        server.drop(other)


def test_undo_removes_what_was_loaded_and_nothing_else(cli: Cli, server: Server, fresh_db: str) -> None:
    mine = at(cli, server, fresh_db)
    assert mine.run(*LOAD, "--families", "6", "--yes").code == 0
    before = sums(server, fresh_db)
    ran = mine.run(*LOAD, "--families", "15", "--yes", "--format", "json")
    assert added(server, fresh_db, before)["family.families"] == 9
    undone = mine.run("audit", "undo", ran.json()["operation"], "--yes")
    assert undone.code == 0, undone.err
    assert sums(server, fresh_db) == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_load_cut_short_is_finished_by_resume(
    cli: Cli, server: Server, fresh_db: str, template: str, how: signal.Signals
) -> None:
    mine = at(cli, server, fresh_db)
    words = [*LOAD, "--families", "2000", "--yes"]
    running = mine.start(words)
    with server.session(fresh_db) as session:
        deadline = time.monotonic() + 60
        while not session.scalar("SELECT count(*) FROM family.families AS f WHERE f.name LIKE 'Sample family %'"):
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(how)
        running.communicate(timeout=60)
        assert running.returncode != 0
        broken = session.scalar("SELECT count(*) FROM family.families AS f WHERE f.name LIKE 'Sample family %'")
        assert 0 < broken < 2000
        # No family without its rows: a batch is there whole or not at all.
        assert not session.scalar(
            "SELECT count(*) FROM family.families AS f WHERE f.name LIKE 'Sample family %' AND NOT EXISTS ("
            "SELECT 1 FROM subscription.subscriptions AS s WHERE s.family_id = f.id)"
        )
    listed = mine.run("audit", "unfinished", "--format", "json") if how == signal.SIGKILL else None
    if listed is not None:
        assert "sample load" in listed.out
    with server.session(fresh_db) as session:
        operation = session.scalar("SELECT l.op_id FROM audit.operator_ledger AS l WHERE l.phase = 'intent'")
    resumed = mine.run("audit", "resume", str(operation), "--yes")
    assert resumed.code == 0, resumed.err
    with server.session(fresh_db) as session:
        assert session.scalar("SELECT count(*) FROM family.families AS f WHERE f.name LIKE 'Sample family %'") == 2000


def test_production_is_refused(cli: Cli, server: Server, fresh_db: str, tmp_path: Path) -> None:
    before = sums(server, fresh_db)
    settings = tmp_path / "wnadmin.toml"
    settings.write_text(f'[profiles.live]\nprimary = "{server.dsn(fresh_db)}"\nproduction = true\n')
    ran = cli.run(
        *LOAD,
        "--families",
        "1",
        "--yes",
        "--reason",
        "test",
        "--profile",
        "live",
        env={"WNADMIN_CONFIG": str(settings)},
    )
    assert (ran.code, ran.out) == (4, "")
    assert "production" in ran.err and "why:" in ran.err and "next:" in ran.err
    assert sums(server, fresh_db) == before


def test_a_database_with_a_real_user_is_refused(cli: Cli, server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("INSERT INTO core.users (email, first_name, is_sample) VALUES ('real@example.org', 'Real', false)")
    before = sums(server, fresh_db)
    ran = at(cli, server, fresh_db).run(*LOAD, "--families", "1", "--yes")
    assert ran.code == 4
    assert "not a sample" in ran.err and "next:" in ran.err
    assert sums(server, fresh_db) == before


def test_an_empty_database_is_refused(cli: Cli, server: Server, empty_db: str) -> None:
    ran = at(cli, server, empty_db).run(*LOAD, "--families", "1", "--yes")
    assert ran.code == 4
    assert "core.users" in ran.err and "wnadmin setup apply" in ran.err


def test_a_database_without_content_is_refused(cli: Cli, server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session:
        session.run("DELETE FROM content.item_age_bands")
    ran = at(cli, server, fresh_db).run(*LOAD, "--families", "1", "--yes")
    assert ran.code == 4
    assert "content" in ran.err


def test_a_login_under_row_level_security_is_refused(cli: Cli, server: Server, fresh_db: str) -> None:
    mine = replace(cli, dsn=server.dsn(fresh_db, "wondernest_app"))
    ran = mine.run(*LOAD, "--families", "1", "--yes")
    assert ran.code == 4
    assert "row-level security" in ran.err


def test_a_standby_is_refused(cli: Cli, fresh_server: Server) -> None:
    # A copy that is told to wait for a primary is a standby as far as anyone can see.
    status = fresh_server.cluster.stop()
    (status.data / "standby.signal").touch()
    fresh_server.cluster.start(SETTINGS, fsync=False)
    ran = at(cli, fresh_server, "wondernest_template").run(*LOAD, "--families", "1", "--yes")
    assert ran.code == 4
    assert "standby" in ran.err


def test_a_read_only_database_is_refused(cli: Cli, server: Server, fresh_db: str) -> None:
    before = sums(server, fresh_db)
    with server.session() as session:
        session.run(f'ALTER DATABASE "{fresh_db}" SET default_transaction_read_only = on')
    ran = at(cli, server, fresh_db).run(*LOAD, "--families", "1", "--yes")
    assert (ran.code, ran.out) == (4, "")
    assert "read-only" in ran.err and "why:" in ran.err and "next:" in ran.err
    assert "audit resume" not in ran.err
    assert sums(server, fresh_db) == before


def test_nonsense_is_a_usage_error(cli: Cli, server: Server, fresh_db: str) -> None:
    ran = at(cli, server, fresh_db).run("sample", "load", "--families", "0", "--yes")
    assert ran.code == 2
    assert "--families 0" in ran.err
