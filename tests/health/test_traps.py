"""What a look must not fall for: blindness, full servers, locks, things that vanish, standbys."""

from __future__ import annotations

import re
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.health.support import (
    DB,
    FOR_MONITORS,
    FOR_SUPERUSERS,
    LOW,
    MONITOR,
    ORDINARY,
    SLOTS,
    Health,
    busy,
    found,
    settings,
    severities,
)
from tests.standby import start_standby
from tests.support import Ran, Server, end_server
from wnadmin.errors import NoConnection

SESSIONS = "idle-in-transaction,long-transactions,connections,role-connections"

# --- blindness ------------------------------------------------------------------------------------------------------


def test_a_login_without_privileges_is_never_told_ok(place: Server, health: Health) -> None:
    words = ("--only", SESSIONS, *LOW)
    with busy(place, "BEGIN", "SELECT 1"), busy(place, waits="SELECT pg_sleep(60)"):
        ran = health(*words, "--exit-style", "nagios", user=ORDINARY)
        assert ran.code == 3
        assert ran.out.startswith("WNADMIN UNKNOWN - 4 unknown: ")

        blind = health(*words, "--format", "json", user=ORDINARY)
        assert blind.code == 3
        assert {one["severity"] for one in found(blind)} == {"unknown"}
        assert {one["evidence"] for one in found(blind)} == {"none"}
        (grant,) = {one["remediation"] for one in found(blind)}
        assert grant == f"GRANT pg_read_all_stats TO {ORDINARY}"

        seen = severities(health(*words, "--format", "json"))
        assert seen["idle-in-transaction"] == seen["long-transactions"] == {"critical"}
        # The statement that it printed is all that was missing.
        with place.session() as session:
            session.run(grant)
        try:
            assert severities(health(*words, "--format", "json", user=ORDINARY)) == seen
        finally:
            with place.session() as session:
                session.run(f"REVOKE pg_read_all_stats FROM {ORDINARY}")


def test_no_check_is_ok_for_a_login_that_the_superuser_is_warned_about(place: Server, health: Health) -> None:
    words = (*LOW, "--format", "json")
    with busy(place, "BEGIN", "SELECT 1"), busy(place, waits="SELECT pg_sleep(60)"):
        seen, blind = severities(health(*words)), severities(health(*words, user=ORDINARY))
    assert set(seen) == set(blind)
    for check, levels in seen.items():
        if levels & {"warn", "critical"}:
            assert "ok" not in blind[check], check


# --- full -----------------------------------------------------------------------------------------------------------


def test_a_role_at_its_limit_is_critical_and_named(place: Server, health: Health) -> None:
    with ExitStack() as stack:
        with place.session() as session:
            session.run("CREATE ROLE trap_limited LOGIN CONNECTION LIMIT 3")
            session.run(f"GRANT CONNECT ON DATABASE {DB} TO trap_limited")
        for _ in range(3):
            stack.enter_context(busy(place, "SELECT 1", user="trap_limited"))
        with pytest.raises(NoConnection) as refused:
            place.session(DB, "trap_limited")
        assert 'too many connections for role "trap_limited"' in refused.value.why
        ran = health("--only", "connections,role-connections", "--exit-style", "nagios")
        assert ran.code == 2
        assert "CRITICAL role-connections role trap_limited: 100 % (limit 95 %); 3 of 3 connections" in ran.out
        # All slots together are far from taken.
        assert "CRITICAL connections" not in ran.out


def test_when_all_slots_are_taken_the_reserved_ones_are_used(place: Server, health: Health) -> None:
    with ExitStack() as stack:
        for _ in range(SLOTS - FOR_SUPERUSERS - FOR_MONITORS):
            stack.enter_context(busy(place, "SELECT 1", user=ORDINARY))
        for user in ("postgres", MONITOR):
            ran = health("--only", "reachable,connections", "--format", "json", user=user)
            assert ran.code == 3, user
            assert severities(ran) == {"reachable": {"ok"}, "connections": {"critical"}}, user

        refused = health("--format", "json", user=ORDINARY)
        assert refused.code == 5
        assert refused.out == ""
        assert "All connection slots are taken" in refused.err
        plugin = health("--exit-style", "nagios", user=ORDINARY)
        assert plugin.code == 2
        assert plugin.out.startswith("WNADMIN CRITICAL - cannot connect")


# --- cut off, vanished, hidden ---------------------------------------------------------------------------------------


def test_a_lock_cuts_off_one_check_and_no_other(place: Server, health: Health) -> None:
    words = ("--only", "reachable,sequences,connections", "--format", "json")
    with busy(place, "BEGIN", "LOCK TABLE pg_catalog.pg_sequence IN ACCESS EXCLUSIVE MODE"):
        ran = health(*words)
    assert ran.code == 3
    by = {one["check"]: one for one in found(ran)}
    assert by["sequences"]["severity"] == "unknown"
    assert by["sequences"]["evidence"] == "none"
    assert "given up after 100 ms" in by["sequences"]["detail"]
    assert by["sequences"]["remediation"] == "wnadmin locks tree"
    assert by["reachable"]["severity"] == by["connections"]["severity"] == "ok"
    assert severities(health(*words))["sequences"] == {"ok"}


BESIDE = "reachable,retention-overdue,unfinished-operations,connections"
"""Two checks that are spoiled by turns, each between two that are not."""


def spoiled(ran: Ran, check: str) -> dict[str, Any]:
    """The finding of the one check that could not look; all others could."""
    by = {one["check"]: one for one in found(ran)}
    assert ran.code == 3
    assert set(by) == set(BESIDE.split(","))
    blind = by.pop(check)
    assert (blind["severity"], blind["evidence"]) == ("unknown", "none"), blind
    assert {one["severity"] for one in by.values()} == {"ok"}
    return blind


def test_a_check_that_takes_too_long_is_cut_off_alone(place: Server, health: Health, copied: str) -> None:
    with place.session(copied) as session:
        session.run("ALTER FUNCTION admin.get_unfinished_operations() RENAME TO fast")
        session.run(
            "CREATE FUNCTION admin.get_unfinished_operations() RETURNS TABLE (op_id uuid, began_at timestamptz)"
            " LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN QUERY SELECT * FROM admin.fast(); END $$"
        )
    ran = health("--only", BESIDE, "--format", "json", dbname=copied)
    assert spoiled(ran, "unfinished-operations")["detail"] == "cut off: it took longer than 5 s"


def test_looks_are_not_compiled(place: Server, health: Health, copied: str) -> None:
    """With jit as servers have it, a check that takes milliseconds would take seconds."""
    with place.session(copied) as session:
        session.run(f'ALTER DATABASE "{copied}" SET jit = on')
        session.run("ALTER FUNCTION admin.get_unfinished_operations() RENAME TO truly_unfinished")
        session.run(
            "CREATE FUNCTION admin.get_unfinished_operations() RETURNS TABLE (op_id uuid, began_at timestamptz)"
            " LANGUAGE sql AS $$ SELECT pg_catalog.gen_random_uuid(), '2020-01-01'::timestamptz"
            " WHERE pg_catalog.current_setting('jit') = 'on' $$"
        )
    # The database's setting is that of other sessions.
    with place.session(copied) as session:
        assert len(session.run("SELECT * FROM admin.get_unfinished_operations()").rows) == 1
    ran = health("--only", "unfinished-operations", "--format", "json", dbname=copied)
    assert severities(ran) == {"unfinished-operations": {"ok"}}


def test_rows_that_a_policy_hides_are_not_absent(place: Server, health: Health, copied: str) -> None:
    """The role whose rights the functions have may be made to obey policies, by an accident or a well-meant rule."""
    with place.session(copied) as session:
        (owner,) = session.run(
            "SELECT p.proowner::regrole::text FROM pg_proc AS p"
            " WHERE p.oid = 'admin.get_unfinished_operations()'::regprocedure"
        ).rows[0]
        session.run("ALTER TABLE audit.operator_ledger ENABLE ROW LEVEL SECURITY")
        session.run(f"ALTER ROLE {owner} NOBYPASSRLS")
        try:
            for user in ("postgres", "wondernest_monitor"):
                ran = health("--only", BESIDE, "--format", "json", dbname=copied, user=user)
                assert ran.code == 3
                by = {one["check"]: one for one in found(ran)}
                blind = by["unfinished-operations"]
                assert (blind["severity"], blind["evidence"]) == ("unknown", "none")
                assert "hidden from this login" in blind["detail"]
                assert "row-level security" in blind["detail"]
                # It looks at tables of people, which have policies already.
                assert {one["severity"] for one in found(ran) if one["check"] == "retention-overdue"} == {"unknown"}
        finally:
            session.run(f"ALTER ROLE {owner} BYPASSRLS")
        assert {one["severity"] for one in found(health("--only", BESIDE, "--format", "json", dbname=copied))} == {"ok"}


def test_what_was_dropped_is_unknown_and_not_well(place: Server, health: Health, copied: str) -> None:
    words = ("--only", BESIDE, "--format", "json")
    with place.session(copied) as session:
        session.run("ALTER TABLE audit.data_retention_policies RENAME TO gone")
    blind = spoiled(health(*words, dbname=copied), "retention-overdue")
    assert blind["detail"].startswith("what it looks at is not there")
    assert "data_retention_policies" in blind["detail"]
    with place.session(copied) as session:
        session.run("ALTER TABLE audit.gone RENAME TO data_retention_policies")
        session.run("DROP FUNCTION admin.get_unfinished_operations()")
    blind = spoiled(health(*words, dbname=copied), "unfinished-operations")
    assert blind["detail"] == "there is no admin.get_unfinished_operations()"
    assert blind["remediation"] == "wnadmin setup status"
    # What the server says when a relation goes while one statement looks at it.
    with place.session(copied) as session:
        session.run(
            "CREATE FUNCTION admin.get_unfinished_operations() RETURNS TABLE (op_id uuid, began_at timestamptz)"
            " LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not open relation with OID 16384' USING ERRCODE = 'XX000'; END $$"
        )
    blind = spoiled(health(*words, dbname=copied), "unfinished-operations")
    assert blind["detail"] == "what it looks at is not there: could not open relation with OID 16384"


def test_things_that_come_and_go_are_no_findings(place: Server, health: Health) -> None:
    """Tables, indexes, sequences, partitions and roles are made and dropped all the time while it looks."""
    over, rounds = threading.Event(), 0

    def churn() -> None:
        nonlocal rounds
        with place.session(DB, lock_timeout="10s") as session:
            while not over.is_set():
                session.run("CREATE TABLE public.passing (id serial PRIMARY KEY, at date) PARTITION BY RANGE (id)")
                session.run("CREATE TABLE public.passing_1 PARTITION OF public.passing FOR VALUES FROM (0) TO (9)")
                session.run("CREATE TABLE public.passing_d PARTITION OF public.passing DEFAULT")
                session.run("INSERT INTO public.passing SELECT n FROM generate_series(1, 50) AS n")
                session.run("CREATE INDEX ON public.passing (at)")
                time.sleep(0.05)
                session.run("DROP TABLE public.passing")
                rounds += 1

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        looks = [health("--format", "json") for _ in range(3)]
    finally:
        over.set()
        worker.join()
    assert rounds > 3
    for ran in looks:
        assert ran.code in (0, 3), ran.err
        for one in found(ran):
            assert one["severity"] != "unknown" or "not there" not in one["detail"], one
            assert "could not be asked" not in one["detail"], one


# --- other nodes -----------------------------------------------------------------------------------------------------


def test_a_standby_is_asked_what_it_can_answer(place: Server, health: Health, tmp_path: Path) -> None:
    standby = start_standby(place)
    try:
        ran = health("--format", "json", dsn=standby.dsn(DB))
        by = {one["check"]: one for one in found(ran)}
        assert "standby" in by["reachable"]["detail"]
        assert by["reachable"]["severity"] == "ok"
        assert by["prepared-transactions"]["severity"] == "skipped"
        assert by["prepared-transactions"]["detail"] == "is asked of a primary only"
        unknown = [one for one in found(ran) if one["severity"] == "unknown"]
        assert unknown == []

        # Both nodes of a profile at once; and the standby in the place of the primary, as after a failover.
        settings(tmp_path, primary=place.dsn(DB), standbys=[standby.dsn(DB)])
        both = health("-p", "trap", "--only", "reachable,prepared-transactions", "--format", "json")
        assert [(one["node"], one["check"], one["severity"]) for one in found(both)] == [
            ("primary", "reachable", "ok"),
            ("standby1", "reachable", "ok"),
            ("primary", "prepared-transactions", "ok"),
            ("standby1", "prepared-transactions", "skipped"),
        ]
        settings(tmp_path, primary=standby.dsn(DB), standbys=[place.dsn(DB)])
        swapped = health("-p", "trap", "--only", "reachable", "--format", "json")
        assert swapped.code == 3
        first = found(swapped)[0]
        assert (first["node"], first["severity"]) == ("primary", "critical")
        assert first["detail"] == "the profile's primary is a standby"
    finally:
        end_server(standby)


def test_a_standby_that_cannot_be_reached_hides_nothing_of_the_primary(
    place: Server, health: Health, tmp_path: Path
) -> None:
    settings(tmp_path, primary=place.dsn(DB), standbys=[f"host={tmp_path} port=1 dbname={DB} user=postgres"])
    alone = health("--format", "json")
    ran = health("-p", "trap", "--format", "json")
    assert ran.code == 3
    of_primary = [one["check"] for one in found(ran) if one["node"] == "primary"]
    assert of_primary == [one["check"] for one in found(alone)]
    (lost,) = (one for one in found(ran) if one["node"] == "standby1")
    assert (lost["check"], lost["severity"]) == ("reachable", "critical")
    assert "cannot connect" in lost["detail"]
    assert re.search(r"\d+ checks could not be made", lost["detail"])

    # Without that check among the chosen, each of the others says that it is blind.
    ran = health("-p", "trap", "--only", "connections", "--exit-style", "nagios")
    assert ran.code == 3
    assert "UNKNOWN connections on standby1: the node was not reached" in ran.out
