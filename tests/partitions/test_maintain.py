"""`partitions maintain` and `create`: what is made, what is carried over, what is left alone."""

from __future__ import annotations

import json

import pytest

from tests.partitions.support import Place, carry_out
from tests.support import Cli
from wnadmin.domain.partitions import make
from wnadmin.errors import Refused, UsageError

TABLES = ("analytics.events", "audio.sessions", "audit.activity_log", "content.engagement")


def test_there_and_nothing_left_to_do(wn: Cli, place: Place) -> None:
    words = ("partitions", "maintain", "--ahead", "6")
    checked = wn.run(*words, "--check")
    assert checked.code == 3, checked.err
    done = wn.run(*words, "--yes", "--format", "json")
    assert done.code == 0, done.err
    assert [one["rows"] for step in done.json()["steps"] for one in [step["receipt"]]] == [3, 3, 3, 3]
    assert {one["severity"] for one in done.json()["proof"]} == {"ok"}
    again = wn.run(*words, "--check")
    assert again.code == 0
    assert "nothing is missing: analytics.events to " in again.out
    # The wrapper in the database finds all of it there, and the other way round.
    assert place.scalar("SELECT admin.ensure_partitions(6)") == 0
    place.run("SELECT admin.ensure_partitions(7)")
    assert wn.run("partitions", "maintain", "--ahead", "7", "--check").code == 0


def test_bounds_comments_and_privileges_are_those_of_the_wrapper(place: Place) -> None:
    carry_out(make.plan_maintain(place.db(), (), 5, {}))
    query = """
        SELECT c.oid::regclass::text, c.relacl::text, c.relrowsecurity, c.relforcerowsecurity,
            pg_get_userbyid(c.relowner), obj_description(c.oid),
            (SELECT count(*) FROM pg_index x WHERE x.indrelid = c.oid AND x.indisvalid),
            (SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),
            (SELECT array_agg(k.contype::text || k.convalidated || k.coninhcount
             ORDER BY k.contype::text) FROM pg_constraint k
             WHERE k.conrelid = c.oid AND k.contype <> 'n'),
            (SELECT array_agg(col_description(c.oid, a.attnum) ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0)
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 1"""
    for table in TABLES:
        rows = place.session().run(query, [table]).rows
        assert len(rows) == 7
        made_by_setup, made_by_us = rows[4], rows[-1]
        assert made_by_us[1:5] == made_by_setup[1:5]
        assert made_by_us[6:] == made_by_setup[6:]
        month = made_by_us[0][-7:].replace("_", "-")
        assert made_by_us[5] == f"Partition of {table} for {month} (UTC)."
    for bound in place.bounds("content.engagement").values():
        assert "-01 00:00:00+00'" in bound


def test_a_member_of_the_owner_makes_them_too(place: Place) -> None:
    carry_out(make.plan_maintain(place.db("wondernest_migration"), (), 4, {}))
    owners = place.column(
        "SELECT DISTINCT pg_get_userbyid(c.relowner)::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "JOIN pg_partitioned_table t ON t.partrelid = i.inhparent"
    )
    assert owners == ["wondernest_owner"]
    with pytest.raises(Refused, match="wondernest_monitor may not change") as caught:
        make.plan_maintain(place.db("wondernest_monitor"), ("content.engagement",), 9, {})
    assert "belongs to wondernest_owner" in caught.value.why


def test_holes_are_filled_and_a_cut_off_month_is_made_again(place: Place) -> None:
    names = sorted(place.bounds("analytics.events"))
    place.run(f"DROP TABLE {names[3]}")
    plan = make.plan_maintain(place.db(), ("analytics.events",), 3, {})
    assert len(plan.steps) == 1
    carry_out(plan)
    assert sorted(place.bounds("analytics.events")) == names


def test_a_name_says_nothing_and_a_taken_one_gets_a_number(place: Place) -> None:
    names = sorted(place.bounds("content.engagement"))
    last = names[-1]
    # The last month is there under another name, and its own name is another table's.
    place.run(f"ALTER TABLE {last} RENAME TO holidays", f"CREATE TABLE {last} (n int)")
    assert not make.plan_maintain(place.db(), ("content.engagement",), 3, {}).steps
    place.run("DROP TABLE content.holidays")
    plan = make.plan_maintain(place.db(), ("content.engagement",), 3, {})
    assert any("has a number in its name, as the plain one is taken" in one for one in plan.effects)
    carry_out(plan)
    assert f"{last}_2" in place.bounds("content.engagement")


def test_bounds_of_another_time_zone(bare: Place) -> None:
    bare.run(
        "SET TimeZone = 'America/New_York'; CREATE TABLE public.log (at timestamptz NOT NULL) PARTITION BY RANGE (at);"
        "CREATE TABLE public.log_2026_10 PARTITION OF public.log FOR VALUES FROM ('2026-10-01') TO ('2026-11-01');"
        "CREATE TABLE public.log_2026_11 PARTITION OF public.log FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')"
    )
    plan = make.plan_maintain(bare.db(), (), 2, {"now": "2026-11-22T10:00:00+00:00"})
    assert any("was made with bounds in another time zone" in one for one in plan.effects)
    carry_out(plan)
    found = bare.bounds("public.log")
    bare.run("INSERT INTO public.log SELECT generate_series('2026-10-01Z', '2027-01-31Z', interval '1 hour')")
    assert found["public.log_2026_10_2"] == ("FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-10-01 04:00:00+00')")
    assert found["public.log_2026_12"] == "FOR VALUES FROM ('2026-12-01 05:00:00+00') TO ('2027-01-01 00:00:00+00')"
    assert found["public.log_2027_01"] == "FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00')"


ODD = """
    CREATE SCHEMA "Odd; --";
    CREATE ROLE "odd ""owner"" x";
    GRANT CREATE, USAGE ON SCHEMA "Odd; --" TO "odd ""owner"" x";
    CREATE TABLE "Odd; --"."da""y's" (
        id bigint GENERATED ALWAYS AS IDENTITY, "when" date NOT NULL, twice bigint GENERATED ALWAYS AS (5 * 2) STORED,
        note text STORAGE EXTERNAL DEFAULT 'it''s', PRIMARY KEY (id, "when")
    ) PARTITION BY RANGE ("when");
    CREATE INDEX ON "Odd; --"."da""y's" (note);
    CREATE STATISTICS "Odd; --".s ON note, "when" FROM "Odd; --"."da""y's";
    COMMENT ON COLUMN "Odd; --"."da""y's".note IS 'said';
    ALTER TABLE "Odd; --"."da""y's" OWNER TO "odd ""owner"" x";
    ALTER TABLE "Odd; --"."da""y's" REPLICA IDENTITY FULL;
    GRANT SELECT ON "Odd; --"."da""y's" TO PUBLIC;
    GRANT INSERT ON "Odd; --"."da""y's" TO pg_monitor WITH GRANT OPTION;
    CREATE TABLE "Odd; --".first PARTITION OF "Odd; --"."da""y's" FOR VALUES FROM ('2026-11-20') TO ('2026-11-21')
        WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = off);
"""


def test_odd_names_and_all_that_is_carried_over(bare: Place) -> None:
    version = bare.session().version
    bare.run(ODD.replace("id bigint GENERATED ALWAYS AS IDENTITY", "id bigint") if version >= 170000 else ODD)
    table = '"Odd; --"."da""y\'s"'
    try:
        bare.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO pg_read_all_data")
        plan = make.plan_maintain(bare.db(), [table], 0, {"now": "2026-11-22T10:00:00+00:00"})
        carry_out(plan)
        made = '"Odd; --"."da""y\'s_2026_11_22"'
        assert bare.bounds(table)[made] == "FOR VALUES FROM ('2026-11-22') TO ('2026-11-23')"
        with bare.server.session(bare.dbname) as session:
            (row,) = session.run(
                "SELECT c.relacl::text, p.relacl::text, pg_get_userbyid(c.relowner)::text, c.relreplident::text, "
                "c.reloptions, t.reloptions, obj_description(c.oid), col_description(c.oid, 4), "
                "(SELECT count(*) FROM pg_statistic_ext s WHERE s.stxrelid = c.oid), "
                "(SELECT a.attstorage::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'note') "
                "FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid, pg_class p "
                "WHERE c.oid = %s::regclass AND p.oid = %s::regclass",
                [made, table],
            ).rows
        assert row[0] == row[1]
        assert row[2] == 'odd "owner" x'
        assert row[3] == "f"
        assert row[4] == ["fillfactor=70", "autovacuum_vacuum_scale_factor=0.01"]
        assert row[5] == ["autovacuum_enabled=off"]
        assert row[6] == "Partition of Odd; --.da\"y's for 2026-11-22 to 2026-11-23 (UTC)."
        assert row[7] == "said"
        assert row[8:] == (1, "e")
    finally:
        bare.run(
            "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM pg_read_all_data",
            'DROP SCHEMA "Odd; --" CASCADE',
            'DROP ROLE "odd ""owner"" x"',
        )


def test_what_is_not_by_time_is_named_and_left_alone(bare: Place, wn_bare: Cli) -> None:
    bare.run(
        "CREATE TABLE public.a (n int) PARTITION BY LIST (n)",
        "CREATE TABLE public.b (n int) PARTITION BY RANGE (n)",
        "CREATE TABLE public.c (at date, n int) PARTITION BY RANGE (at, n)",
        "CREATE TABLE public.d (at date) PARTITION BY RANGE (at)",
        "CREATE TABLE public.e (at date) PARTITION BY RANGE ((at + 1))",
    )
    done = wn_bare.run("partitions", "list", "--format", "json")
    states = {one["table"]: one["state"] for one in done.json()["tables"]["tables"]}
    assert states == {
        "public.a": "not kept: it is partitioned by LIST (n), not by ranges of time",
        "public.b": "not kept: its key is integer, not a column of time",
        "public.c": "not kept: it is partitioned by several columns",
        "public.d": "not kept: it has no partitions to tell a step from",
        "public.e": "not kept: its key is an expression, not a column of time",
    }
    assert wn_bare.run("partitions", "maintain", "--check").code == 0
    refused = wn_bare.run("partitions", "maintain", "public.b", "--yes")
    assert refused.code == 4
    assert "public.b cannot be kept" in refused.err
    unknown = wn_bare.run("partitions", "maintain", "public.x", "--yes")
    assert unknown.code == 2
    assert "there is no partitioned table public.x" in unknown.err
    # The first partition of a table is a month, and then it has a step.
    assert wn_bare.run("partitions", "create", "public.d", "2026-11", "--yes").code == 0
    assert list(bare.bounds("public.d").values()) == ["FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')"]


def test_months_are_created_by_hand(place: Place, wn: Cli) -> None:
    words = ("partitions", "create", "content.engagement", "2024-01", "--until", "2024-03-31")
    assert wn.run(*words, "--check").code == 3
    assert wn.run(*words, "--yes").code == 0
    assert wn.run(*words, "--check").code == 0
    found = place.bounds("content.engagement")
    assert {"content.engagement_2024_01", "content.engagement_2024_02", "content.engagement_2024_03"} < set(found)
    for first, until in (("2024-13", ""), ("soon", ""), ("2024-03", "2024-01"), ("1990-01", "2890-01")):
        with pytest.raises(UsageError):
            make.plan_create(place.db(), "content.engagement", first, until, {})
    with pytest.raises(UsageError, match="--ahead 999 is out of range"):
        make.plan_maintain(place.db(), (), 999, {})


def test_read_only_is_refused(place: Place, wn: Cli) -> None:
    place.run(f'ALTER DATABASE "{place.dbname}" SET default_transaction_read_only = on')
    for words in (("maintain", "--ahead", "9"), ("detach",), ("retire",), ("create", "audio.sessions", "2024-01")):
        refused = wn.run("partitions", *words, "--yes")
        assert refused.code == 4, refused.err
        assert "is read-only" in refused.err
        assert "wnadmin readonly off" in refused.err


def test_a_backup_keeps_changes_of_tables_off(place: Place, wn: Cli) -> None:
    lock = "SELECT pg_advisory_lock(hashtextextended('wnadmin:the tables of this database', 0))"
    with place.holding(lock):
        refused = wn.run("partitions", "maintain", "--ahead", "4", "--yes")
        assert refused.code == 4
        assert "another operator is changing the tables of this database" in refused.err
        assert "Held by postgres with holder" in refused.err
    assert len(place.bounds("audio.sessions")) == 5


def test_an_unfinished_run_goes_on_with_its_own_months(place: Place) -> None:
    plan = make.plan_maintain(place.db(), (), 2, {"now": "2030-05-31T23:59:59+00:00"})
    assert plan.inputs == {"now": "2030-05-31T23:59:59+00:00"}
    carry_out(plan)
    assert "content.engagement_2030_07" in place.bounds("content.engagement")
    assert "content.engagement_2030_08" not in place.bounds("content.engagement")
    assert json.dumps(dict(plan.inputs))


def test_the_wrapper_is_safe_to_call_again(place: Place) -> None:
    first = place.scalar("SELECT admin.create_monthly_partition('content.engagement', '2031-02-28')")
    assert first == "content.engagement_2031_02"
    assert place.scalar("SELECT admin.create_monthly_partition('content.engagement', '2031-02-01')") == first
    assert not make.plan_create(place.db(), "content.engagement", "2031-02", "", {}).steps
