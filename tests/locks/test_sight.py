"""What a look at locks costs and sees: no lock of its own, nothing hidden without a word, no text unless asked for."""

from __future__ import annotations

import time

import pytest

from tests.locks.conftest import Stage, TwoTrees
from tests.locks.test_tree import look
from tests.support import Cli, Server
from wnadmin.domain.locks import rows
from wnadmin.domain.locks.rows import Session
from wnadmin.domain.locks.waits import edges
from wnadmin.errors import CutOff


def test_nobody_waits(wn: Cli, stage: Stage) -> None:
    assert look(stage) == []
    for verb in ("tree", "waits", "advise"):
        ran = wn.run("locks", verb)
        assert ran.code == 0, ran.err
        assert "nobody waits for a lock" in ran.out


def test_looking_takes_no_lock_but_on_catalogs(stage: Stage, two_trees: TwoTrees) -> None:
    db = stage.database()
    db.session.run("BEGIN")
    rows.forest(db)
    edges(db)
    held = db.session.run(
        "SELECT coalesce(n.nspname, l.locktype), l.mode FROM pg_locks AS l "
        "LEFT JOIN pg_class AS c ON c.oid = l.relation "
        "LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE l.pid = pg_backend_pid()"
    ).rows
    db.session.run("COMMIT")
    assert {place for place, _ in held} <= {"pg_catalog", "virtualxid"}
    assert {mode for place, mode in held if place == "pg_catalog"} == {"AccessShareLock"}


def test_query_texts_are_shown_when_asked_for(wn: Cli, two_trees: TwoTrees) -> None:
    for verb in (["locks", "tree"], ["locks", "waits"], ["locks", "advise"], ["sessions", "list"]):
        for form in ("plain", "json"):
            assert "someone@example.com" not in wn.run(*verb, "--format", form).out
            assert "someone@example.com" not in wn.run(*verb, "--wide", "--format", form).out
    for verb in (["locks", "tree"], ["locks", "waits"], ["sessions", "list"]):
        ran = wn.run(*verb, "--show-queries")
        assert "SELECT 'someone@example.com' FROM fire.reads" in ran.out
        assert "personal data" in ran.out


def test_what_is_hidden_is_said(stage: Stage, two_trees: TwoTrees, wn: Cli, server: Server, role: str) -> None:
    dsn = server.dsn(stage.dbname, role)
    ran = wn.run("locks", "tree", "--wide", "--format", "json", "--dsn", dsn)
    assert ran.code == 0, ran.err
    document = ran.json()
    assert len(document["tables"]["forest"]) == 7, "who blocks whom is no secret"
    assert {one["state"] for one in document["tables"]["forest"]} == {"hidden"}
    assert any(f"GRANT pg_read_all_stats TO {role};" in note for note in document["notes"])
    screen = wn.run("locks", "tree", "--dsn", dsn).out
    assert "hidden from this login" in screen
    assert "idle" not in screen
    advice = wn.run("locks", "advise", "--dsn", dsn)
    assert "Nobody is to be ended" in advice.out
    assert "pg_terminate_backend" not in advice.out
    with server.session() as session:
        session.run(f"GRANT pg_monitor TO {role}")
    seen = wn.run("locks", "tree", "--wide", "--format", "json", "--dsn", dsn).json()
    assert "hidden" not in {one["state"] for one in seen["tables"]["forest"]}
    assert not any("GRANT" in note for note in seen["notes"])
    assert f"GRANT pg_signal_backend TO {role};" in wn.run("locks", "advise", "--patience", "0s", "--dsn", dsn).out


def test_a_locked_catalog_is_not_waited_for(stage: Stage, wn: Cli) -> None:
    stage.actor().do("BEGIN", "LOCK TABLE fire.reads")
    stage.waits(stage.actor().send("SELECT * FROM fire.reads"))
    holder = stage.actor().do("BEGIN", "LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE")
    began = time.monotonic()
    ran = wn.run("locks", "tree")
    assert time.monotonic() - began < 10
    assert ran.code == 1
    assert "lock timeout" in ran.err
    holder.do("ROLLBACK")
    assert wn.run("locks", "tree").code == 0


def test_a_statement_timeout_is_an_error_and_no_empty_forest(stage: Stage) -> None:
    stage.actor().do("BEGIN", "LOCK TABLE fire.reads")
    stage.waits(stage.actor().send("SELECT * FROM fire.reads"))
    db = stage.database()
    db.session.run("SET statement_timeout = '1ms'")
    with pytest.raises(CutOff):
        for _ in range(200):
            db.rows("queries/locks/tree", Session, show_queries=False)
