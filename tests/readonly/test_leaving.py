"""Leaving: everything as it was, also without the copy, without the database's own word, and without both."""

from __future__ import annotations

import json

import pytest

from tests.readonly.support import Ground, opened, write
from tests.support import Server

DB = "wondernest_template"


@pytest.fixture
def custom(ground: Ground) -> Ground:
    """Settings and grants of somebody's own."""
    ground.run(
        f"ALTER DATABASE {DB} SET work_mem = '5MB'",
        f"ALTER DATABASE {DB} SET default_transaction_read_only = 'false'",
        f"ALTER DATABASE {DB} SET statement_timeout = '1h'",
        f"ALTER ROLE wondernest_analytics IN DATABASE {DB} SET default_transaction_read_only = 'yes'",
        f"ALTER ROLE wondernest_app IN DATABASE {DB} SET work_mem = '6MB'",
        "GRANT wondernest_ro TO wondernest_monitor WITH ADMIN OPTION",
        "GRANT INSERT ON content.categories TO wondernest_analytics",
        "GRANT SELECT ON content.categories TO wondernest_backup",
        "GRANT UPDATE (name) ON content.creators TO wondernest_analytics",
        "GRANT CREATE ON SCHEMA ml TO wondernest_monitor",
        "GRANT EXECUTE ON FUNCTION core.create_user TO wondernest_backup",
        "GRANT EXECUTE ON FUNCTION core.create_user TO wondernest_monitor",
    )
    return ground


def tidy(ground: Ground) -> None:
    ground.run(
        f"ALTER DATABASE {DB} RESET work_mem",
        f"ALTER DATABASE {DB} RESET default_transaction_read_only",
        f"ALTER DATABASE {DB} RESET statement_timeout",
        f"ALTER ROLE wondernest_analytics IN DATABASE {DB} RESET default_transaction_read_only",
        f"ALTER ROLE wondernest_app IN DATABASE {DB} RESET work_mem",
        "REVOKE wondernest_ro FROM wondernest_monitor",
        "REVOKE INSERT ON content.categories FROM wondernest_analytics",
        "REVOKE SELECT ON content.categories FROM wondernest_backup",
        "REVOKE UPDATE (name) ON content.creators FROM wondernest_analytics",
        "REVOKE CREATE ON SCHEMA ml FROM wondernest_monitor",
        "REVOKE EXECUTE ON FUNCTION core.create_user FROM wondernest_backup, wondernest_monitor",
    )


def test_byte_for_byte(custom: Ground) -> None:
    before = custom.everything()
    for level in ("soft", "drain", "fence"):
        custom.on("--level", level)
    assert custom.everything() != before
    custom.off()
    assert custom.everything() == before
    assert not custom.copy().exists()
    tidy(custom)


def test_without_having_begun(ground: Ground) -> None:
    assert f"{DB} is not read-only, and nothing of it is left" in ground.off()
    assert ground.cli.run("readonly", "off", "--check").code == 0
    found = ground.status()
    assert found["readonly.mode"]["detail"] == f"{DB} is not read-only"
    assert found["readonly.canary:direct"]["severity"] == "ok"


def test_set_by_hand(ground: Ground) -> None:
    # As the document does it.
    ground.run(f"ALTER DATABASE {DB} SET default_transaction_read_only = on")
    assert ground.status()[f"readonly.by-hand:{DB}"]["severity"] == "warn"
    assert "it was set by hand, or what was kept is lost" in ground.off()
    ground.run(f"ALTER DATABASE {DB} SET default_transaction_read_only = on")
    assert "is read-only already, set by hand" in ground.on()
    ground.off()


def test_the_copy_is_lost(ground: Ground) -> None:
    ground.on("--level", "fence")
    ground.copy().unlink()
    assert "there is no copy in" in ground.status()["readonly.copy"]["detail"]
    ground.off()


def test_the_copy_was_edited(ground: Ground) -> None:
    ground.on("--level", "fence")
    copy = ground.copy()
    facts = json.loads(copy.read_text())
    facts["kept"]["memberships"] = []
    copy.write_text(json.dumps(facts))
    found = ground.status()["readonly.copy"]
    assert found["severity"] == "warn"
    assert "it was edited: its sum is not that of its content" in found["detail"]
    said = ground.off()
    assert "does not count, as it was edited" in said
    assert "the database's own word does" in said
    assert not copy.exists()


def test_the_database_has_forgotten(ground: Ground) -> None:
    ground.on("--level", "fence")
    ground.run(f"ALTER DATABASE {DB} RESET ALL")
    found = ground.status()
    assert found["readonly.mode"]["severity"] == "critical"
    said = ground.off()
    assert f"The database has forgotten what was before; it is taken from {ground.copy()}" in said
    with opened(ground.client()) as (app,):
        assert write(app) == ""


def test_both_are_lost(ground: Ground) -> None:
    ground.on("--level", "drain")
    ground.copy().unlink()
    ground.run(f"ALTER DATABASE {DB} SET wnadmin.readonly = 'x'")
    assert "cannot be read" in ground.on("--level", "drain", code=4)
    assert "What was before is not known" in ground.off()


def test_a_changed_list_keeps_its_change(ground: Ground) -> None:
    ground.run("GRANT INSERT ON content.categories TO wondernest_analytics")
    ground.on("--level", "fence")
    ground.run("GRANT SELECT ON content.categories TO wondernest_backup")
    said = ground.off()
    assert "what was taken is back; the rest was changed by somebody meanwhile" in said
    query = "SELECT has_table_privilege(%s, 'content.categories', %s)"
    with ground.root() as session:
        assert session.scalar(query, ["wondernest_analytics", "INSERT"]) is True
        assert session.scalar(query, ["wondernest_backup", "SELECT"]) is True
    ground.run(
        "REVOKE INSERT ON content.categories FROM wondernest_analytics",
        "REVOKE SELECT ON content.categories FROM wondernest_backup",
    )


def test_what_is_gone_is_left_out(ground: Ground) -> None:
    ground.run(
        "CREATE ROLE passing LOGIN IN ROLE wondernest_rw",
        f"GRANT CONNECT ON DATABASE {DB} TO passing",
        "CREATE TABLE public.passing (id int)",
        "GRANT INSERT ON public.passing TO passing",
    )
    ground.on("--level", "fence")
    ground.run("DROP TABLE public.passing", "DROP OWNED BY passing", "DROP ROLE passing")
    assert "Not there any more, so nothing is put back: public.passing." in ground.off()


def test_audit_undo_takes_it_back(ground: Ground) -> None:
    ran = ground.cli.run("readonly", "on", "--level", "fence", "--yes", "--format", "json")
    assert ran.code == 0, ran.err
    undone = ground.cli.run("audit", "undo", ran.json()["operation"], "--yes")
    assert undone.code == 0, undone.err
    with opened(ground.client()) as (app,):
        assert write(app) == ""
    assert "nothing of it is left" in ground.off()


def test_an_older_operation_does_not_undo_a_later_one(ground: Ground) -> None:
    ran = ground.cli.run("readonly", "on", "--yes", "--format", "json")
    ground.on("--level", "fence")
    refused = ground.cli.run("audit", "undo", ran.json()["operation"], "--yes")
    assert refused.code == 4
    assert "is read-only at the level fence already" in refused.err
    assert ground.status()["readonly.mode"]["severity"] == "ok"
    ground.off()


def test_another_database_under_the_same_fence(own_server: Server, ground: Ground) -> None:
    other = own_server.create(DB)
    try:
        refused = ground.on("--level", "fence", code=4)
        assert f"wondernest_app, wondernest_migration in {other}" in refused
        assert "Say --affects-cluster" in refused
        ground.on("--level", "fence", "--affects-cluster")
        there = ("--dsn", own_server.dsn(other))
        ground.on("--level", "fence", "--affects-cluster", *there)
        # There, what was taken was gone already: it is this one's to give back.
        ground.off(*there)
        ground.off()
    finally:
        own_server.drop(other)
