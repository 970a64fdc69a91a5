"""``retention apply`` when something comes in between."""

from __future__ import annotations

import threading

import pytest

from tests.retention.support import FREE, INSIGHTS, Place, changed, ended, until
from wnadmin.ledger.locks import TABLES

LOCKED = "SELECT i.id FROM analytics.insights AS i WHERE i.child_id = '{}' AND i.title = 'old' LIMIT 3 FOR UPDATE"


def test_a_child_is_put_on_hold_while_its_rows_are_being_deleted(place: Place) -> None:
    with place.paused(200) as (running, holder):
        # The batch has taken some of its rows and is not committed.
        before = place.ask(INSIGHTS)
        assert 600 < before < 900
        place.do(f"UPDATE family.child_profiles SET legal_hold = true WHERE id = '{FREE}'")
        holder.close()
        ran = ended(running)
    assert ran.code == 0, ran.err
    assert place.ask(INSIGHTS) == before
    (step,) = ran.json()["steps"]
    assert step["receipt"]["rows"] == 900 - before
    assert step["receipt"]["values"]["taken back for a hold"] == 1
    assert step["receipt"]["values"]["held"] == before
    assert place.check("--only", "analytics.insights") == 0


@pytest.mark.parametrize(
    "hold",
    [
        "UPDATE family.families SET legal_hold = true WHERE id = '00000000-0000-0000-0000-0000000000f1'",
        "UPDATE subscription.invoices SET legal_hold = true WHERE invoice_number = 'test-1'",
        "UPDATE subscription.payments SET legal_hold = true WHERE provider_payment_ref = 'test-1'",
    ],
)
def test_a_hold_that_is_not_yet_committed(place: Place, hold: str) -> None:
    before = place.ask("SELECT count(*) FROM subscription.invoices")
    if "invoices" not in hold:
        place.do("UPDATE subscription.invoices SET updated_at = now()")
    with place.session() as other:
        other.run("BEGIN")
        other.run("SELECT 1 FROM subscription.invoices AS i WHERE i.invoice_number = 'test-1' FOR UPDATE")
        other.run(hold)
        running = place.wn.start(["retention", "apply", "--yes", "--format", "json", "--only", "subscription.invoices"])
        # It has passed over the row, and waits for whoever has it.
        begun = "SELECT count(*) FROM audit.operator_ledger AS l WHERE l.phase = 'intent'"
        until(lambda: bool(place.ask(begun)) or running.poll() is not None)
        other.run("COMMIT")
    ran = ended(running)
    assert ran.code == 0, ran.err
    assert place.ask("SELECT count(*) FROM subscription.invoices") == before


@pytest.mark.parametrize("when", ["within a batch", "between batches"])
def test_killed_and_resumed(place: Place, when: str) -> None:
    if when == "within a batch":
        with place.paused(200) as (running, holder):
            before = place.ask(INSIGHTS)
            running.kill()
            running.communicate()
            holder.close()
    else:
        words = ["retention", "apply", "--yes", "--only", "analytics.insights", "--rows", "50", "--pace", "1"]
        running = place.wn.start(words)
        until(lambda: place.ask(INSIGHTS) < 900)
        running.kill()
        running.communicate()
        before = 0
    # What the server was doing for it comes to its end.
    mine = (
        "SELECT count(*) FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
    )
    until(lambda: not place.ask(mine))
    left = place.ask(INSIGHTS)
    assert 600 < left < 900
    assert before in (0, left)
    operation = place.operation()
    assert operation in place.wn.run("audit", "unfinished", "--format", "json").out
    ran = place.wn.run("audit", "resume", operation, "--yes", "--format", "json")
    assert ran.code == 0, ran.err
    assert place.ask(INSIGHTS) == 600
    (step,) = ran.json()["steps"]
    assert step["title"] == "Delete 300 rows of analytics.insights older than 1 year"
    assert step["receipt"]["rows"] == left - 600
    assert step["receipt"]["values"]["earlier"] == 900 - left
    assert place.check("--only", "analytics.insights") == 0


def test_rows_that_somebody_never_lets_go(place: Place) -> None:
    with place.session() as other:
        other.run("BEGIN")
        other.run(LOCKED.format(FREE))
        ran = place.apply()
        pid = other.backend_pid
    assert ran.code == 1
    steps = {one["key"]: one for one in ran.json()["steps"]}
    # The others are done.
    assert {key: one["status"] for key, one in steps.items()} == {
        "analytics.insights": "failed",
        "audit.activity_log": "done",
        "core.sessions": "done",
        "core.user_devices": "done",
        "subscription.invoices": "done",
    }
    error = steps["analytics.insights"]["error"]
    assert error.startswith(
        "analytics.insights: 297 of 300 rows deleted, 3 rows locked. Held by postgres with wnadmin/tests "
    )
    assert f"(server process {pid}, idle in transaction since " in error
    assert ran.json()["next"].startswith("wnadmin locks tree. Then: wnadmin audit resume ")
    assert place.ask(INSIGHTS) == 603
    resumed = place.wn.run("audit", "resume", place.operation(), "--yes")
    assert resumed.code == 0, resumed.err
    assert place.ask(INSIGHTS) == 600


def test_a_table_that_somebody_never_lets_go(place: Place) -> None:
    with place.paused(200) as (running, holder), place.session(lock_timeout="60s") as other:
        other.run("BEGIN")
        locking = threading.Thread(target=other.run, args=("LOCK TABLE analytics.insights IN SHARE MODE",))
        locking.start()
        until(
            lambda: bool(place.ask("SELECT count(*) FROM pg_locks AS l WHERE l.mode = 'ShareLock' AND NOT l.granted"))
        )
        holder.close()
        locking.join()
        ran = ended(running)
    assert ran.code == 1
    (step,) = ran.json()["steps"]
    assert "rows deleted, the table is locked. Held by postgres with wnadmin/tests (server process " in step["error"]
    gone = int(step["error"].split(": ")[1].split(" of 300")[0])
    assert 0 < gone < 300
    assert place.ask(INSIGHTS) == 900 - gone


def test_the_policy_is_changed_meanwhile(place: Place) -> None:
    with place.paused(200) as (running, holder):
        place.do(changed("analytics.insights", "retention_period = '3 years'"))
        holder.close()
        ran = ended(running)
    assert ran.code == 1
    (step,) = ran.json()["steps"]
    assert "the policy analytics.insights is no longer the one that was planned" in step["error"]
    left = place.ask(INSIGHTS)
    assert left > 600
    again = place.wn.run("audit", "resume", place.operation(), "--yes")
    assert again.code == 4
    assert "analytics.insights changed since this operation was planned" in again.err
    assert place.ask(INSIGHTS) == left


def test_stopped_and_resumed(place: Place) -> None:
    with place.paused(200) as (running, holder):
        running.terminate()
        holder.close()
        ran = ended(running)
    assert ran.code == 1
    assert "stopped: analytics.insights: " in ran.json()["steps"][0]["error"]
    assert place.wn.run("audit", "resume", place.operation(), "--yes").code == 0
    assert place.ask(INSIGHTS) == 600


def test_a_login_that_would_not_see_all_rows(place: Place) -> None:
    ran = place.wn.run("retention", "apply", "--yes", "--dsn", place.server.dsn(place.name, "wondernest_app"))
    assert ran.code == 4
    assert "wondernest_app cannot enforce retention" in ran.err
    assert "row-level security" in ran.err
    assert place.ask(INSIGHTS) == 900


def test_read_only_mode(place: Place) -> None:
    place.do(f'ALTER DATABASE "{place.name}" SET default_transaction_read_only = on')
    ran = place.apply()
    assert ran.code == 4
    assert f"{place.name} is read-only" in ran.err
    with place.session(default_transaction_read_only="off") as session:
        assert session.scalar(INSIGHTS) == 900


def test_a_backup_or_a_change_of_tables_is_not_disturbed(place: Place) -> None:
    with place.session() as other:
        other.run("SELECT pg_advisory_lock(hashtextextended('wnadmin:' || %s, 0))", [TABLES])
        ran = place.apply()
        assert ran.code == 4
        assert f"another operator is changing {TABLES}" in ran.err
        assert f"server process {other.backend_pid}" in ran.err
    assert place.ask(INSIGHTS) == 900
