"""What a specialist looks for in the catalog, and what deleting one family touches."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from tests.sql.support import SCHEMAS, Household, column
from tests.support import Server
from wnadmin.postgres.session import Session

PARTITIONED = ["analytics.events", "audio.sessions", "audit.activity_log", "content.engagement"]


def test_every_foreign_key_is_indexed_on_the_referencing_side(looking: Session) -> None:
    """An index, not partial, that begins with the columns of the key in any order."""
    bare = column(
        looking,
        "SELECT k.conrelid::regclass || '.' || k.conname FROM pg_constraint AS k"
        " WHERE k.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_index AS x WHERE x.indrelid = k.conrelid"
        "  AND x.indisvalid AND x.indpred IS NULL"
        "  AND (string_to_array(x.indkey::text, ' ')::int2[])[1:cardinality(k.conkey)] @> k.conkey)",
    )
    assert bare == []


def test_every_table_column_function_and_view_has_a_comment(looking: Session) -> None:
    silent = column(
        looking,
        "SELECT 'relation ' || c.oid::regclass FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'm')"
        " AND c.relnamespace::regnamespace::text = ANY (%s) AND obj_description(c.oid, 'pg_class') IS NULL"
        " UNION ALL SELECT 'column ' || c.oid::regclass || '.' || a.attname FROM pg_class AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace::regnamespace::text = ANY (%s)"
        " AND col_description(c.oid, a.attnum) IS NULL"
        " UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc AS p"
        " WHERE p.pronamespace::regnamespace::text = ANY (%s) AND obj_description(p.oid, 'pg_proc') IS NULL"
        " UNION ALL SELECT 'schema ' || nspname FROM pg_namespace AS n WHERE nspname = ANY (%s)"
        " AND obj_description(n.oid, 'pg_namespace') IS NULL",
        list(SCHEMAS), list(SCHEMAS), list(SCHEMAS), [*SCHEMAS, "extensions"],
    )  # fmt: skip
    assert silent == []


def test_no_key_is_deferred_and_no_partition_is_a_default(looking: Session) -> None:
    assert column(looking, "SELECT conname FROM pg_constraint WHERE condeferred") == []
    assert column(looking, "SELECT partrelid::regclass::text FROM pg_partitioned_table ORDER BY 1") == PARTITIONED
    assert column(looking, "SELECT 1 FROM pg_partitioned_table WHERE partdefid <> 0") == []


def test_partitions_are_months_in_utc_without_a_gap(looking: Session) -> None:
    rows = looking.run(
        "SELECT parent_schema || '.' || parent_table, partition_name, lower_bound, upper_bound"
        " FROM admin.partition_bounds ORDER BY 1, lower_bound"
    ).rows
    for table in PARTITIONED:
        own = [row[1:] for row in rows if row[0] == table]
        assert len(own) == 5
        for name, lower, upper in own:
            assert name == f"{table.split('.')[1]}_{lower:%Y_%m}"
            assert (lower.day, lower.hour, upper.day, upper.hour) == (1, 0, 1, 0)
        assert all(one[2] == after[1] for one, after in pairwise(own))
        now = looking.scalar("SELECT now()")
        assert own[1][1] <= now < own[1][2]


def test_every_table_has_a_key_and_uuid_keys_come_from_the_server(looking: Session) -> None:
    keyless = column(
        looking,
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relkind IN ('r', 'p')"
        " AND c.relnamespace::regnamespace::text = ANY (%s) AND NOT EXISTS"
        " (SELECT 1 FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p')",
        list(SCHEMAS),
    )
    assert keyless == []
    assert column(looking, "SELECT DISTINCT collname FROM pg_attribute AS a JOIN pg_collation AS c ON c.oid ="
                  " a.attcollation JOIN pg_class AS r ON r.oid = a.attrelid"
                  " WHERE r.relnamespace::regnamespace::text = ANY (%s) AND a.attnum > 0"
                  " AND r.relkind IN ('r', 'p', 'm')", list(SCHEMAS),
                  ) == ["default"]  # fmt: skip


def test_views_read_with_the_rights_of_the_reader(looking: Session) -> None:
    owners = column(
        looking,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v' AND relnamespace::regnamespace::text = ANY (%s)"
        " AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'",
        list(SCHEMAS),
    )
    assert owners == []


@pytest.mark.parametrize("first", ["family.families", "core.users", "family.child_profiles"])
def test_erasing_one_subject_reads_no_table_from_end_to_end(
    server: Server, street: tuple[str, Mapping[str, Household]], first: str
) -> None:
    """With indexes to go by nothing is scanned; where one were missing a scan would have to be counted."""
    name, houses = street
    house = houses["a"]
    key = {"family.families": house.family, "core.users": house.user, "family.child_profiles": house.child}[first]
    with server.session(name, enable_seqscan="off") as session:
        session.run("BEGIN")
        gone = session.run(f"DELETE FROM {first} WHERE id = %s", [key])
        assert gone.count == 1
        scanned = column(
            session,
            "SELECT relid::regclass::text FROM pg_stat_xact_all_tables WHERE schemaname = ANY (%s) AND seq_scan > 0",
            list(SCHEMAS),
        )
        assert scanned == []
        left = session.scalar("SELECT count(*) FROM family.child_profiles WHERE family_id = %s", [houses["b"].family])
        assert left == 1
        session.run("ROLLBACK")


def test_erasing_one_family_leaves_its_invoices_and_nothing_else(
    root: Session, street: tuple[str, Mapping[str, Household]]
) -> None:
    house = street[1]["a"]
    children = column(root, "SELECT id FROM family.child_profiles WHERE family_id = %s", house.family)
    tables = root.run(
        "SELECT c.oid::regclass::text, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname IN ('family_id', 'child_id')"
        " AND c.relnamespace::regnamespace::text = ANY (%s)",
        [[one for one in SCHEMAS if one != "audit"]],
    ).rows
    root.run("BEGIN")
    before = root.scalar("SELECT count(*) FROM subscription.invoices")
    root.run("DELETE FROM family.families WHERE id = %s", [house.family])
    left = [
        f"{table}.{name}"
        for table, name in tables
        if root.scalar(f"SELECT count(*) FROM {table} WHERE {name} = ANY (%s)", [[house.family, *children]])
    ]
    assert left == []
    assert root.scalar("SELECT count(*) FROM subscription.invoices") == before
    assert root.scalar("SELECT count(*) FROM core.users WHERE id = %s", [house.user]) == 1
    root.run("ROLLBACK")
