"""Each check meets what it is for, what it is not for, and a login that may not see: tests/checks/<id>.toml.

A case: ``setup`` runs as superuser in a database of its own (``:"db"`` is its name), ``sessions`` stay open beside
the look (``sql`` one by one; ``waits`` sends the last one and does not wait for it; ``role`` logs in so), ``pause``
is in seconds, ``server`` are settings of a server of the case's own, ``standby`` looks at a standby of it (``beside``
at the primary of one), ``at_standby`` runs there and ``later`` on the primary, when it has come up, ``lost`` stops the
server before the look, ``replace`` puts other words into the check's SQL, where no server can be told (its release,
the time), ``production`` looks as a profile of production does, ``thresholds`` are as --threshold takes them,
``role`` looks as that role, ``teardown`` runs at the end, and ``expect`` has a severity and patterns that a finding's
fields must match; ``never`` patterns that no finding may match. The blind case looks at the bad one as a login without
any privilege; where nothing is hidden it says why in ``sees``, and must find what the superuser found.
"""

from __future__ import annotations

import dataclasses
import re
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.support import ROOT, Server, end_server, install, start_server
from wnadmin import assets
from wnadmin.domain.health import checks, thresholds
from wnadmin.domain.health.checks import Check
from wnadmin.domain.health.look import Memory, look
from wnadmin.engine.connect import PRODUCTION
from wnadmin.errors import WnError
from wnadmin.postgres.database import Database
from wnadmin.postgres.nodes import Nodes
from wnadmin.postgres.session import BRIEF, Session, connect
from wnadmin.postgres.target import Target
from wnadmin.postgres.variables import names, render
from wnadmin.results import Finding

CASES = ROOT / "tests" / "checks"
BLIND = "wn_blind"
KNOWN = {
    "setup", "sessions", "pause", "server", "standby", "lost", "thresholds", "role", "teardown", "expect", "never",
    "sees", "production", "samples", "replace", "at_standby", "later",
}  # fmt: skip


def case_files() -> list[Path]:
    return sorted(CASES.glob("*.toml"))


def read(check: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((CASES / f"{check}.toml").read_text(encoding="utf-8"))


def test_every_check_has_its_page_and_its_cases() -> None:
    ids = {check.id for check in checks.every()}
    assert ids == {path.stem for path in case_files()}
    for check in checks.every():
        page = check.page()
        assert page.startswith(f"# {check.title}\n"), check.id
        for heading in ("\n## Meaning\n", "\n## Act\n"):
            assert heading in page, f"{check.id}.md has no {heading.strip()}"
    pages = {path.stem for path in (ROOT / "sql" / "checks").glob("*.md")}
    assert pages == ids


@pytest.mark.parametrize("check", checks.every(), ids=lambda check: check.id)
def test_its_rows_have_the_one_shape(server: Server, db: str, check: Check) -> None:
    with server.session(db) as session:
        file = Database(session).file(check.file)
        session.run("PREPARE shape AS " + render(file.text, dict.fromkeys(names(file.text), "extensions")).query)
        types = session.scalar("SELECT result_types::text FROM pg_catalog.pg_prepared_statements")
    assert types == '{text,numeric,"timestamp with time zone",text,text}'


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_the_cases_are_complete(path: Path) -> None:
    cases = read(path.stem)
    assert set(cases) >= {"bad", "good", "blind"}
    for name, case in cases.items():
        assert set(case) <= KNOWN, name
        assert case.get("expect") or (name == "blind" and case.get("sees")), name
    assert cases["good"]["expect"]["severity"] == "ok"
    assert cases["bad"]["expect"]["severity"] in ("warn", "critical")


@contextmanager
def staged(server: Server, template: str, case: dict[str, Any]) -> Iterator[tuple[Server, Target]]:
    """The case's world: the server with the database, and where the look goes, as superuser."""
    with ExitStack() as stack:
        if "server" in case or case.get("standby") or case.get("lost"):
            server = start_server("check", case.get("server", {}))
            stack.callback(end_server, server)
            db = "wondernest"
            with server.session() as session:
                session.run("CREATE DATABASE wondernest TEMPLATE template0 ENCODING 'UTF8'")
            install(server, db, samples=False)
        else:
            db = server.create(template)
            stack.callback(server.drop, db)
        if setup := case.get("setup"):
            with server.session(db) as session:
                _script(session, setup, db)
        if teardown := case.get("teardown"):
            stack.callback(_afterwards, server, teardown, db)
        for one in case.get("sessions", []):
            session = server.session(db, one.get("role", "postgres"), lock_timeout="0", **one.get("settings", {}))
            stack.callback(_end, server, session)
            *first, last = one["sql"]
            for text in first:
                session.run(text)
            if one.get("waits"):
                session._connection.pgconn.send_query(last.encode())
                session._connection.pgconn.flush()
                _settle(server, session.backend_pid)
            else:
                session.run(last)
        look_at = server
        if case.get("standby"):
            from tests.standby import catch_up, start_standby

            standby = start_standby(server)
            stack.callback(end_server, standby)
            if case["standby"] != "beside":
                _afterwards(server, "SELECT pg_catalog.pg_current_xact_id()", db)
                catch_up(server, standby)
            if text := case.get("at_standby"):
                _afterwards(standby, text, db)
            if text := case.get("later"):
                _afterwards(server, text, db)
            look_at = server if case["standby"] == "beside" else standby
        # Where a server was is still known when it is gone.
        target = look_at.target(db)
        if case.get("lost"):
            server.cluster.stop()
        time.sleep(case.get("pause", 0))
        yield server, target


def _settle(server: Server, pid: int) -> None:
    """Let a statement come to where it waits, or fails, before the next session comes; for a second at most."""
    there = (
        "SELECT a.wait_event_type IN ('Lock', 'Timeout') OR a.state LIKE '%%(aborted)'"
        " FROM pg_stat_activity AS a WHERE a.pid = %s"
    )
    until = time.monotonic() + 1
    with server.session() as other:
        while not other.scalar(there, [pid]) and time.monotonic() < until:
            time.sleep(0.01)


def _script(session: Session, text: str, db: str) -> None:
    for statement in [part.strip() for part in text.split(";;")]:
        if statement:
            session.run(statement.replace(':"db"', f'"{db}"'))


def _afterwards(server: Server, text: str, db: str) -> None:
    with server.session(db) as session:
        _script(session, text, db)


def _end(server: Server, session: Session) -> None:
    # It may wait for a lock; closing from this side would wait with it.
    pid = session.backend_pid
    with suppress(WnError), server.session() as other:
        other.run("SELECT pg_catalog.pg_terminate_backend(%s, 5000)", [pid])
    session.close()


@contextmanager
def reworded(case: dict[str, Any]) -> Iterator[None]:
    """Every SQL that is loaded reads as the case says."""
    load, words = assets.load, case.get("replace", {})

    def changed(*args: Any) -> assets.SqlFile:
        file = load(*args)
        if not file.name.startswith("checks/"):
            return file
        text = file.text
        for old, new in words.items():
            assert old in text, f"{file.name} does not say {old}"
            text = text.replace(old, new)
        return dataclasses.replace(file, text=text)

    with patch.object(assets, "load", changed):
        yield


def judged(where: Target, check: Check, case: dict[str, Any], role: str) -> list[Finding]:
    given = [f"{check.id}={case['thresholds']}"] if "thresholds" in case else []
    limits = thresholds.limits({}, given)
    target = Target({**where.parameters, "user": role}, node="server", source="the tests")
    brief = {"default_transaction_read_only": "on", PRODUCTION: "on" if case.get("production") else "off"}
    nodes = Nodes([target], lambda one: connect(one, command="health", timeouts=BRIEF, settings=brief))
    memory = Memory()
    try:
        for number in range(case.get("samples", 1)):
            if number:
                time.sleep(0.2)
            with reworded(case):
                found = nodes.each(lambda node: look(node, [check], limits, memory))[0].findings
        return list(found)
    finally:
        nodes.close()


def fits(finding: Finding, expect: dict[str, str]) -> bool:
    if finding.severity != expect["severity"]:
        return False
    return all(
        re.search(pattern, str(getattr(finding, key)), re.DOTALL)
        for key, pattern in expect.items()
        if key != "severity"
    )


def assert_found(found: list[Finding], case: dict[str, Any]) -> None:
    expect = case["expect"]
    assert any(fits(one, expect) for one in found), f"expected {expect}, found {found}"
    if expect["severity"] == "ok":
        assert len(found) == 1, found
    for pattern in case.get("never", []):
        for one in found:
            assert not re.search(pattern, f"{one.object} {one.detail}"), one


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_bad(server: Server, template: str, path: Path) -> None:
    check = checks.named(path.stem)
    for name, case in read(path.stem).items():
        if name.startswith("bad"):
            with staged(server, template, case) as (_, where):
                found = judged(where, check, case, case.get("role", "postgres"))
            assert_found(found, case)
            assert all(one.sql == check.file for one in found if one.severity != "ok")


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_good(server: Server, template: str, path: Path) -> None:
    check = checks.named(path.stem)
    for name, case in read(path.stem).items():
        if name.startswith("good"):
            with staged(server, template, case) as (_, where):
                found = judged(where, check, case, case.get("role", "postgres"))
            assert_found(found, case)


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_blind(server: Server, template: str, path: Path) -> None:
    """A login without privileges finds the trouble of the bad case, or says that it cannot see."""
    check, cases = checks.named(path.stem), read(path.stem)
    blind, bad = cases["blind"], cases["bad"]
    stage = {**bad, **{key: value for key, value in blind.items() if key not in ("expect", "sees")}}
    if stage.get("lost"):
        # There is nobody to log in; the case has shown what a lost server looks like.
        assert "sees" in blind
        return
    with staged(server, template, stage) as (primary, where):
        _make_blind(primary, where.database())
        found = judged(where, check, stage, BLIND)
    if "expect" in blind:
        assert_found(found, {"expect": blind["expect"]})
        assert all(one.severity in ("unknown", "skipped") for one in found), found
        assert all(one.evidence != "complete" for one in found if one.severity == "unknown"), found
    else:
        assert_found(found, bad)


def _make_blind(server: Server, db: str) -> None:
    with server.session(db) as session:
        if not session.scalar("SELECT true FROM pg_catalog.pg_roles WHERE rolname = %s", [BLIND]):
            session.run(f"CREATE ROLE {BLIND} LOGIN")
        session.run(f'GRANT CONNECT ON DATABASE "{db}" TO {BLIND}')
