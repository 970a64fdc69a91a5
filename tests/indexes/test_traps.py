"""Indexes that look droppable and are not, and the other way round, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.indexes.support import ANY_AGE, Looked, explained, look, make, rows
from tests.support import Server
from wnadmin.domain.indexes.guards import Limits

SCHEMAS = ("core", "family", "audio", '"We;ird ""x"', "public")


@pytest.fixture(scope="module")
def dbname(server: Server) -> Iterator[str]:
    name = server.create()
    make(
        server,
        name,
        *(f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in SCHEMAS),
        *(f"CREATE TABLE {schema}.t (id int, v int)" for schema in SCHEMAS),
        *(f"CREATE INDEX t_v ON {schema}.t (v)" for schema in SCHEMAS),
        # Constraints and uniqueness.
        "CREATE TABLE core.users (id int PRIMARY KEY, tenant int, email text CONSTRAINT users_email_key UNIQUE)",
        "CREATE INDEX users_email_dup ON core.users (email)",
        "CREATE UNIQUE INDEX users_email_dup2 ON core.users (email)",
        "CREATE UNIQUE INDEX users_tenant_email ON core.users (tenant, email)",
        "CREATE INDEX users_tenant ON core.users (tenant)",
        "CREATE UNIQUE INDEX users_id_email ON core.users (id, email)",
        "CREATE INDEX users_low ON core.users (lower(email))",
        "CREATE INDEX users_email_pattern ON core.users (email text_pattern_ops)",
        'CREATE INDEX users_email_c ON core.users (email COLLATE "C")',
        "CREATE INDEX users_email_desc ON core.users (email DESC NULLS LAST)",
        "CREATE INDEX users_email_some ON core.users (email) WHERE tenant > 0",
        "CREATE INDEX users_email_some2 ON core.users (email) WHERE tenant > 0",
        "CREATE INDEX users_email_with ON core.users (email) INCLUDE (tenant)",
        "CREATE INDEX users_email_hash ON core.users USING hash (email)",
        # An index that only a foreign key of others needs; a deferrable constraint beside a plain unique index.
        "CREATE TABLE core.codes (code int NOT NULL, later int CONSTRAINT codes_later_key UNIQUE DEFERRABLE)",
        "CREATE UNIQUE INDEX codes_code ON core.codes (code)",
        "CREATE UNIQUE INDEX codes_later_now ON core.codes (later)",
        "CREATE TABLE core.uses_code (code int REFERENCES core.codes (code))",
        # Replica identity, cluster, exclusion.
        "CREATE TABLE core.replicated (a int NOT NULL, b int)",
        "CREATE UNIQUE INDEX replicated_a ON core.replicated (a)",
        "ALTER TABLE core.replicated REPLICA IDENTITY USING INDEX replicated_a",
        "CREATE INDEX replicated_b ON core.replicated (b)",
        "ALTER TABLE core.replicated CLUSTER ON replicated_b",
        "CREATE TABLE core.excluded (during int4range, EXCLUDE USING gist (during WITH &&))",
        # Foreign keys.
        "CREATE TABLE family.parent (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE family.single (id int PRIMARY KEY)",
        "CREATE TABLE family.child (n int CONSTRAINT bare REFERENCES family.single, p int CONSTRAINT partial"
        " REFERENCES family.single, q int CONSTRAINT not_null REFERENCES family.single, a int, b int, live boolean,"
        " CONSTRAINT reversed FOREIGN KEY (a, b) REFERENCES family.parent)",
        "CREATE INDEX child_p ON family.child (p) WHERE live",
        "CREATE INDEX child_q ON family.child (q) WHERE q IS NOT NULL",
        "CREATE INDEX child_ba ON family.child (b, a)",
        # Partitions, and a parent that is not finished.
        "CREATE TABLE audio.events (at int, who int CONSTRAINT who REFERENCES family.single) PARTITION BY RANGE (at)",
        "CREATE TABLE audio.events_1 PARTITION OF audio.events FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE audio.events_2 PARTITION OF audio.events FOR VALUES FROM (10) TO (20)",
        "CREATE INDEX events_at ON audio.events (at)",
        "CREATE INDEX events_1_own ON audio.events_1 (who, at)",
        "CREATE INDEX events_2_own ON audio.events_2 (who)",
        "CREATE INDEX events_later ON ONLY audio.events (who, at)",
        # What was left of a failed CREATE and a failed REINDEX.
        "CREATE TABLE audio.twice (a int)",
        "INSERT INTO audio.twice VALUES (1), (1)",
    )
    with server.session(name) as session:
        for statement in (
            "CREATE UNIQUE INDEX CONCURRENTLY twice_a ON audio.twice (a)",
            "REINDEX INDEX CONCURRENTLY audio.twice_a",
        ):
            with pytest.raises(Exception, match="could not create unique index"):
                session.run(statement)
    # Every table is read, or its indexes' scans would mean nothing.
    with server.session(name) as session:
        tables = session.run(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n"
            " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relnamespace <> 11"
            " AND n.nspname <> 'information_schema'"
        ).rows
    make(server, name, *(f"SELECT count(*) FROM {table}" for (table,) in tables))
    yield name
    server.drop(name)


@pytest.fixture(scope="module")
def looked(server: Server, dbname: str) -> Looked:
    return look(server.target(dbname))


def test_every_schema_is_seen(looked: Looked) -> None:
    for schema in SCHEMAS:
        assert looked[f"{schema}.t_v"]["verdict"] == "droppable", schema


def test_only_the_duplicates_of_a_constraint_may_go(looked: Looked) -> None:
    assert looked["core.users_email_key"]["verdict"] == "keep"
    assert looked["core.users_pkey"]["verdict"] == "keep"
    for name in ("users_email_dup", "users_email_dup2"):
        assert (looked[f"core.{name}"]["verdict"], looked[f"core.{name}"]["kind"]) == ("droppable", "duplicate")
        assert "core.users_email_key is the same" in looked[f"core.{name}"]["why"]


def test_a_unique_index_is_kept_and_its_prefix_may_go(looked: Looked) -> None:
    assert looked["core.users_tenant_email"]["verdict"] == "keep"
    assert looked["core.users_id_email"]["verdict"] == "keep"
    assert looked["core.users_tenant"]["verdict"] == "droppable"
    assert looked["core.users_tenant"]["kind"] == "redundant"


def test_what_only_looks_alike_is_no_duplicate(looked: Looked) -> None:
    for name in ("pattern", "desc", "with", "hash"):
        assert looked[f"core.users_email_{name}"]["kind"] == "unused", name
    # The default collation of this database and C are two collations.
    assert looked["core.users_email_c"]["kind"] == "unused"


def test_of_two_equal_partial_indexes_the_older_stays(looked: Looked) -> None:
    assert looked["core.users_email_some2"]["kind"] == "duplicate"
    assert looked["core.users_email_some2"]["verdict"] == "droppable"
    assert looked["core.users_email_some"]["verdict"] == "keep"
    assert "core.users_email_some2" in looked["core.users_email_some"]["why"]


def test_what_others_refer_to_is_kept(looked: Looked) -> None:
    assert looked["core.codes_code"]["verdict"] == "keep"
    assert "a foreign key refers to it" in looked["core.codes_code"]["why"]
    assert looked["core.codes_later_now"]["verdict"] == "keep", "a deferrable constraint enforces later"


def test_replica_identity_cluster_and_exclusion_are_kept(looked: Looked) -> None:
    assert "replica identity" in looked["core.replicated_a"]["why"]
    assert "clustered" in looked["core.replicated_b"]["why"]
    assert "exclusion" in looked["core.excluded_during_excl"]["why"]
    assert {looked[f"core.{name}"]["verdict"] for name in ("replicated_a", "replicated_b", "excluded_during_excl")} == {
        "keep"
    }


def test_an_expression_has_statistics_of_its_own(looked: Looked) -> None:
    assert looked["core.users_low"]["verdict"] == "insufficient evidence"
    assert "CREATE STATISTICS" in looked["core.users_low"]["why"]


def test_foreign_keys_without_an_index_are_told_exactly(looked: Looked) -> None:
    assert looked.unindexed == {"uses_code_code_fkey", "bare", "partial"}
    near = {row["foreign_key"]: row["nearest"] for row in rows(looked.report, "foreign_keys")}
    assert near["partial"] == "family.child_p is partial and leaves out rows with a key"


def test_the_only_index_of_a_foreign_key_is_kept(looked: Looked) -> None:
    assert looked["family.child_ba"]["verdict"] == "keep"
    assert "reversed" in looked["family.child_ba"]["why"]
    assert looked["family.child_q"]["verdict"] == "keep"
    assert looked["family.child_p"]["verdict"] == "droppable"
    # Each partition supports the key of the partitioned table with an index of its own.
    assert looked["audio.events_1_own"]["verdict"] == looked["audio.events_2_own"]["verdict"] == "keep"


def test_an_attached_index_is_judged_with_its_parent(server: Server, dbname: str, looked: Looked) -> None:
    assert looked["audio.events_at"]["verdict"] == "droppable"
    assert "audio.events_1_at_idx" not in looked
    dossier = explained(server.target(dbname), name="audio.events_1_at_idx")
    assert dossier.text.startswith("audio.events_at: droppable\naudio.events_1_at_idx is attached to it")
    assert "CREATE INDEX events_at ON audio.events USING btree (at);" in dossier.text


def test_a_parent_on_only_is_being_made_not_broken(looked: Looked) -> None:
    assert (looked["audio.events_later"]["verdict"], looked["audio.events_later"]["kind"]) == ("keep", "incomplete")


def test_leftovers_may_go_and_name_what_failed(looked: Looked) -> None:
    assert (looked["audio.twice_a"]["verdict"], looked["audio.twice_a"]["kind"]) == ("droppable", "invalid")
    assert looked["audio.twice_a_ccnew"]["verdict"] == "droppable"
    assert "a failed REINDEX CONCURRENTLY of audio.twice_a left" in looked["audio.twice_a_ccnew"]["why"]


def test_no_droppable_index_is_needed_by_the_server(server: Server, dbname: str, looked: Looked) -> None:
    """Dropping all of them at once works, and takes no constraint and no foreign key's only index away."""
    with server.session(dbname) as session:
        session.run("BEGIN")
        before = session.scalar("SELECT count(*) FROM pg_constraint")
        for name in looked.droppable:
            session.run(f"DROP INDEX {name}")
        assert session.scalar("SELECT count(*) FROM pg_constraint") == before
        session.run("ROLLBACK")
    assert len(looked.droppable) > 12


def test_young_statistics_are_no_evidence(server: Server, dbname: str) -> None:
    found = look(server.target(dbname), limits=Limits(timedelta(days=35), 0))
    assert found["public.t_v"]["verdict"] == "insufficient evidence"
    assert "has counted for" in found["public.t_v"]["why"]
    assert found["core.users_email_dup"]["verdict"] == "droppable", "a duplicate needs no statistics"


def test_a_small_index_is_not_worth_it(server: Server, dbname: str) -> None:
    found = look(server.target(dbname), limits=Limits(timedelta(0), 1 << 20))
    assert found["public.t_v"]["verdict"] == "keep"
    assert "it is small: 8 kB" in found["public.t_v"]["why"]


def test_an_unread_table_says_nothing(server: Server) -> None:
    name = server.create()
    make(server, name, "CREATE TABLE public.t (a int)", "CREATE INDEX t_a ON public.t (a)")
    unread = look(server.target(name))["public.t_a"]
    assert (unread["verdict"], "no more than building" in unread["why"]) == ("insufficient evidence", True)
    make(server, name, "SELECT count(*) FROM public.t")
    assert look(server.target(name))["public.t_a"]["verdict"] == "droppable"
    make(server, name, "SET enable_seqscan = off", "SELECT count(*) FROM public.t WHERE a = 1")
    assert look(server.target(name))["public.t_a"]["why"].startswith("it is used: scans 1 on primary")
    server.drop(name)


def test_every_suggested_undo_makes_the_same_index_again(server: Server, dbname: str, looked: Looked) -> None:
    target = server.target(dbname)
    for name in sorted(looked.droppable - {"audio.twice_a", "audio.twice_a_ccnew"}):
        dossier = explained(target, name=name)
        ddl = [line for line in dossier.text.split("UNDO):\n\n")[1].splitlines() if line]
        with server.session(dbname) as session:
            told = "SELECT pg_get_indexdef(%s::regclass)"
            before = session.scalar(told, [name])
            session.run(f"DROP INDEX {name}")
            for line in ddl:
                session.run(line)
            assert session.scalar(told, [name]) == before


def test_the_dossier_answers_every_guard(server: Server, dbname: str) -> None:
    dossier = explained(server.target(dbname), name='"We;ird ""x".t_v')
    guards = {row["guard"]: row["answer"] for row in rows(dossier, "guards")}
    assert len(guards) == 18
    assert set(guards.values()) == {"passes"}
    assert 'CREATE INDEX CONCURRENTLY t_v ON "We;ird ""x".t USING btree (v);' in dossier.text
    key = explained(server.target(dbname), name="core.users_email_key")
    assert key.text.startswith("core.users_email_key: keep")
    assert "ALTER TABLE core.users ADD CONSTRAINT users_email_key UNIQUE (email);" in key.text
    others = {row["other"]: row["comparison"] for row in rows(key, "comparisons")}
    assert others["core.users_email_dup2"] == "the same"
    assert others["core.users_email_hash"] == "begins with the same column, but is hash"


def test_without_all_only_what_something_speaks_against(server: Server, dbname: str) -> None:
    found = look(server.target(dbname), limits=ANY_AGE, everything=False)
    assert "core.users_pkey" not in found
    assert "core.users_email_key" not in found
    assert "core.users_email_dup" in found
