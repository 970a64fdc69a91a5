"""Row-level security, tried: every table of a subject, as every role that can reach it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.sql.support import (
    INSERTS,
    Household,
    any_item,
    attempt,
    claims,
    column,
    manifest,
    refused,
    signed_in,
)
from tests.support import Server
from wnadmin.postgres.session import Session
from wnadmin.postgres.values import Answer

Street = tuple[str, Mapping[str, Household]]

SUBJECT_TABLES = sorted(
    name for name, facts in manifest()["table"].items() if facts["subject"] != "none" and "kind" not in facts
)
TENANT_TABLES = sorted({*INSERTS, "audit.activity_log"})
PUBLISHED = {
    "content.collections": "t.family_id IS NULL AND t.is_published",
    "content.collection_items": "EXISTS (SELECT 1 FROM content.collections AS c WHERE c.id = t.collection_id"
    " AND c.family_id IS NULL AND c.is_published)",
}
# An actor's own rows in the trail are about somebody else; the rest of the claims is what the tenant sees.
NOT_SEEN = {"audit.activity_log": ['t."user_id" = %s']}


def keys(house: Household) -> dict[str, object]:
    return {"user": house.user, "family": house.family, "child": house.child}


def owned(session: Session, table: str, house: Household) -> set[str]:
    """The rows that belong to a household by the manifest, as a superuser sees them."""
    parts, bound = [], []
    for subject, condition in claims(table):
        if condition not in NOT_SEEN.get(table, ()):
            parts.append(condition)
            bound.append(keys(house)[subject])
    rows = session.run(f"SELECT t.tableoid || '/' || t.ctid FROM {table} AS t WHERE {' OR '.join(parts)}", bound).rows
    return {row[0] for row in rows}


def visible(session: Session, table: str) -> set[str]:
    return set(column(session, f"SELECT t.tableoid || '/' || t.ctid FROM {table} AS t"))


def test_rls_is_where_subjects_are(root: Session) -> None:
    enabled = column(
        root,
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relrowsecurity AND c.relforcerowsecurity"
        " AND NOT c.relispartition AND EXISTS (SELECT 1 FROM pg_policy AS p WHERE p.polrelid = c.oid) ORDER BY 1",
    )
    assert enabled == SUBJECT_TABLES


def test_tenant_tables_are_those_tried_here(root: Session) -> None:
    tenant = column(
        root, "SELECT schemaname || '.' || tablename FROM pg_policies WHERE policyname LIKE '%%\\_tenant' ORDER BY 1"
    )
    assert tenant == TENANT_TABLES
    context = column(
        root,
        "SELECT schemaname || '.' || tablename FROM pg_policies WHERE permissive = 'RESTRICTIVE'"
        " AND roles = '{wondernest_ro,wondernest_rw}' ORDER BY 1",
    )
    assert context == TENANT_TABLES


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_without_context_nothing_is_visible(server: Server, street: Street, table: str) -> None:
    with signed_in(server, street[0], None) as session:
        assert session.scalar(f"SELECT count(*) FROM {table}") == 0
        # A transaction-local value leaves '' behind, not NULL.
        session.run("BEGIN")
        session.run("SELECT set_config('app.current_user_id', %s, true)", [str(street[1]["a"].user)])
        session.run("COMMIT")
        assert session.scalar(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize("table", TENANT_TABLES)
@pytest.mark.parametrize("who", ["a", "b"])
def test_a_parent_sees_their_own_rows_only(server: Server, street: Street, root: Session, table: str, who: str) -> None:
    name, houses = street
    mine = owned(root, table, houses[who])
    assert mine
    if table in PUBLISHED:
        mine |= set(column(root, f"SELECT t.tableoid || '/' || t.ctid FROM {table} AS t WHERE {PUBLISHED[table]}"))
    with signed_in(server, name, houses[who].user) as session:
        assert visible(session, table) == mine


@pytest.mark.parametrize("table", sorted(INSERTS))
def test_a_parent_cannot_write_for_another_family(server: Server, street: Street, root: Session, table: str) -> None:
    name, houses = street
    item = any_item(root)
    theirs = owned(root, table, houses["b"])
    with signed_in(server, name, houses["a"].user) as session:
        added = attempt(session, houses["b"].insert(table, item).replace(" ON CONFLICT DO NOTHING", ""))
        if table == "audio.speech_metrics":  # it selects from the sessions, of which it sees none
            assert isinstance(added, Answer) and added.count == 0
        else:
            assert added == "42501"
        pairs = ", ".join(f"('{one}')" for one in theirs)
        hidden = f"t.tableoid || '/' || t.ctid IN (VALUES {pairs})"
        key = session.scalar(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = ''"
            " AND NOT attisdropped ORDER BY attnum LIMIT 1",
            [table],
        )
        changed = attempt(session, f"UPDATE {table} AS t SET {key} = {key} WHERE {hidden}")
        removed = attempt(session, f"DELETE FROM {table} AS t WHERE {hidden}")
    for answer in (changed, removed):
        assert isinstance(answer, Answer) and answer.count == 0, answer
    assert owned(root, table, houses["b"]) == theirs


@pytest.mark.parametrize("table", sorted(set(INSERTS) - {"core.users", "family.families"}))
def test_a_parent_can_write_for_their_own_family(server: Server, street: Street, root: Session, table: str) -> None:
    name, houses = street
    item = any_item(root)
    # Rows that would be there twice go first; those that hold up everything else stay.
    subject, condition = claims(table)[0]
    if table == "family.family_members":
        condition, subject = "t.user_id = %s", "visitor"
    gone = {**keys(houses["a"]), "visitor": houses["a"].visitor}[subject]
    with signed_in(server, name, houses["a"].user) as session:
        session.run("BEGIN")
        if table != "family.child_profiles":
            assert session.run(f"DELETE FROM {table} AS t WHERE {condition}", [gone]).count
        answer = session.run(houses["a"].insert(table, item))
        assert answer.count == 1
        session.run("ROLLBACK")


@pytest.mark.parametrize("table", SUBJECT_TABLES)
def test_analytics_sees_everything_but_samples_and_nobody(
    server: Server, street: Street, root: Session, table: str
) -> None:
    readable = [
        name
        for name, facts in manifest()["table"][table]["column"].items()
        if facts["class"] not in manifest()["classes"]["withheld"]
    ]
    samples: dict[str, list[str]] = {
        "user": column(root, "SELECT id FROM core.users WHERE is_sample"),
        "family": column(root, "SELECT id FROM family.families WHERE is_sample"),
        "child": column(root, "SELECT id FROM family.child_profiles WHERE is_sample"),
    }
    told = claims(table)
    of_samples = " OR ".join(f"coalesce({text.replace('= %s', '= ANY (%s)')}, false)" for _, text in told)
    expected, total = root.run(
        f"SELECT count(*) FILTER (WHERE NOT ({of_samples})), count(*) FROM {table} AS t",
        [samples[subject] for subject, _ in told],
    ).rows[0]
    assert 0 < expected < total
    with signed_in(server, street[0], None, "wondernest_analytics") as session:
        first = f'"{readable[0]}"'
        assert session.scalar(f"SELECT count({first}) FROM {table}") == expected
        every = '", "'.join(readable)
        session.run(f'SELECT "{every}" FROM {table} LIMIT 1')
        for hidden in sorted(set(manifest()["table"][table]["column"]) - set(readable)):
            with refused("42501"):
                session.run(f'SELECT "{hidden}" FROM {table} LIMIT 1')


@pytest.mark.parametrize("table", SUBJECT_TABLES)
def test_migration_and_backup_see_all_monitor_nothing(
    server: Server, street: Street, root: Session, table: str
) -> None:
    total = root.scalar(f"SELECT count(*) FROM {table}")
    with signed_in(server, street[0], None, "wondernest_migration") as session:
        assert session.run("SELECT session_user, current_user").rows == (("wondernest_migration", "wondernest_owner"),)
        assert session.scalar(f"SELECT count(*) FROM {table}") == total
    # Backups run with row_security off: a hidden row would be an error.
    with server.session(street[0], "wondernest_backup") as session:
        assert session.scalar(f"SELECT count(*) FROM {table}") == total
    with signed_in(server, street[0], None, "wondernest_monitor") as session, refused("42501"):
        session.run(f"SELECT count(*) FROM {table}")


def test_partitions_read_directly_show_nothing(server: Server, street: Street, root: Session) -> None:
    partitions = root.run(
        "SELECT i.inhrelid::regclass::text, c.relrowsecurity, c.relforcerowsecurity,"
        " (SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = c.oid), c.relowner = m.relowner,"
        " coalesce(c.relacl::text, '') = coalesce(m.relacl::text, '')"
        " FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relkind = 'r'"
        " JOIN pg_class AS m ON m.oid = i.inhparent ORDER BY 1"
    ).rows
    assert len(partitions) == 4 * 5
    house = street[1]["a"]
    for name, enabled, forced, policies, same_owner, same_acl in partitions:
        assert (enabled, forced, policies, same_owner, same_acl) == (True, True, 0, True, True), name
    filled = [name for name, *_ in partitions if root.scalar(f"SELECT count(*) FROM {name}")]
    assert len(filled) >= 4
    for name in filled:
        with signed_in(server, street[0], house.user) as session:
            assert session.scalar(f"SELECT count(*) FROM {name}") == 0
        with signed_in(server, street[0], None, "wondernest_migration") as session:
            assert session.scalar(f"SELECT count(*) FROM {name}") == 0
        with signed_in(server, street[0], None, "wondernest_analytics") as session, refused("42501"):
            session.run(f"SELECT count(*) FROM {name}")


def test_policies_let_the_index_be_used(server: Server, street: Street) -> None:
    with signed_in(server, street[0], street[1]["a"].user) as session:
        session.run("SET enable_seqscan = off")
        for table in ("content.engagement", "audio.sessions", "analytics.events", "audit.activity_log"):
            plan = "\n".join(column(session, f"EXPLAIN SELECT * FROM {table}"))
            assert "Seq Scan" not in plan, plan
            assert "One-Time Filter" in plan
        plan = "\n".join(column(session, "EXPLAIN SELECT id FROM core.users WHERE email_normalized = 'x@example.com'"))
        assert "users_email_normalized_key" in plan or "users_pkey" in plan


def test_reading_by_a_parent_who_may_look_into_a_family(server: Server, street: Street) -> None:
    """The visitor is a viewer of the family: it sees the child, by the same policies."""
    house = street[1]["a"]
    with signed_in(server, street[0], house.visitor) as session:
        assert column(session, "SELECT id FROM family.child_profiles") == [house.child]
        assert column(session, "SELECT id FROM core.users") == [house.visitor]
