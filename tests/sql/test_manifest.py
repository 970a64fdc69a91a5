"""The manifest against the live catalog, both ways, and against what derives from it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.sql.support import SCHEMAS, claims, column, manifest
from wnadmin.postgres.session import Session

TABLES = manifest()["table"]
VOCABULARY = {
    "subject": {"user", "child", "family", "none"},
    "role": {"owner", "author", "target", "mentioned"},
    "legal_basis": {"contract", "consent", "legal_obligation", "legitimate_interest", "none"},
    "erase": {"delete", "null", "pseudonymise", "retain", "refresh", "none"},
}
CLASSES = {
    "key", "identifier", "contact", "credential", "child_pi", "health", "free_text", "encrypted", "derived",
    "operational",
}  # fmt: skip
KEYS = {
    "subject", "path", "role", "purpose", "legal_basis", "retention", "erase", "order", "ground", "redact", "also",
    "not_subject", "reason", "kind", "optional", "column",
}  # fmt: skip


def test_every_table_and_column_is_classified_and_no_other(looking: Session) -> None:
    live: dict[str, list[str]] = {}
    for table, name in looking.run(
        "SELECT n.nspname || '.' || c.relname, a.attname FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
        " ORDER BY 1, a.attnum"
    ).rows:
        live.setdefault(table, []).append(name)
    written = {name: list(facts["column"]) for name, facts in TABLES.items() if not facts.get("optional")}
    assert live == {name: written[name] for name in sorted(written)}
    assert [name for name, facts in TABLES.items() if facts.get("optional")] == ["public.flyway_schema_history"]


def test_views_are_acknowledged_with_what_they_read(looking: Session) -> None:
    live = looking.run(
        "SELECT v.oid::regclass::text, coalesce(array_agg(DISTINCT d.refobjid::regclass::text ORDER BY"
        " d.refobjid::regclass::text) FILTER (WHERE n.nspname = ANY (%s)), '{}') FROM pg_class AS v"
        " JOIN pg_rewrite AS r ON r.ev_class = v.oid"
        " LEFT JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
        " AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid"
        " LEFT JOIN pg_class AS t ON t.oid = d.refobjid LEFT JOIN pg_namespace AS n ON n.oid = t.relnamespace"
        " WHERE v.relkind = 'v' AND v.relnamespace::regnamespace::text = ANY (%s) GROUP BY v.oid",
        [list(SCHEMAS), list(SCHEMAS)],
    ).rows
    assert {name: sorted(reads) for name, reads in live} == {
        name: sorted(facts["reads"]) for name, facts in manifest()["view"].items()
    }


@pytest.mark.parametrize("table", sorted(TABLES))
def test_words_are_those_of_the_head(table: str) -> None:
    facts = TABLES[table]
    assert set(facts) <= KEYS
    assert len(facts["purpose"]) > 10
    for word in ("subject", "legal_basis", "erase"):
        assert facts[word] in VOCABULARY[word]
    if facts["subject"] == "none":
        assert facts["reason"] and "path" not in facts and "also" not in facts
    else:
        assert "reason" not in facts and facts["path"]
        for claim in [facts, *facts.get("also", ())]:
            assert claim["role"] in VOCABULARY["role"] and claim["erase"] in VOCABULARY["erase"] - {"none"}
            assert (claim["erase"] == "retain") <= ("ground" in facts)
    for name, one in facts["column"].items():
        assert set(one) == {"class", "origin", "export"}, name
        assert one["class"] in CLASSES
        assert one["origin"] in {"provided", "observed", "derived", "internal"}
        assert one["export"] in {"yes", "redact", "deny"}
        if one["class"] in manifest()["classes"]["never_exported"] or facts["subject"] == "none":
            assert one["export"] == "deny", name
    assert set(facts.get("redact", ())) <= set(facts["column"])


@pytest.mark.parametrize("table", sorted(name for name, facts in TABLES.items() if facts["subject"] != "none"))
def test_every_path_leads_to_its_subject(looking: Session, table: str) -> None:
    for subject, condition in claims(table):
        looking.run(f"EXPLAIN SELECT count(*) FROM {table} AS t WHERE {condition}", [None])
        root = manifest()["subjects"][subject]
        path = next(
            claim["path"] for claim in [TABLES[table], *TABLES[table].get("also", ())] if claim["subject"] == subject
        )
        assert root.rpartition(".")[0] in TABLES
        assert "." not in path[-1]


def test_every_foreign_key_is_a_path_or_explained(looking: Session) -> None:
    unexplained = []
    for table, name in looking.run(
        "SELECT k.conrelid::regclass::text, a.attname FROM pg_constraint AS k"
        " JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)"
        " WHERE k.contype = 'f' AND k.conparentid = 0"
    ).rows:
        facts = TABLES[table]
        first = {claim["path"][0].split(" > ")[0] for claim in [facts, *facts.get("also", ())] if "path" in claim}
        if name not in first and name not in facts.get("not_subject", {}):
            unexplained.append(f"{table}.{name}")
        assert not (name in first and name in facts.get("not_subject", {})), f"{table}.{name} is both"
    assert unexplained == []


def test_children_are_erased_before_what_they_refer_to(looking: Session) -> None:
    for child, parent in looking.run(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND conparentid = 0 AND conrelid <> confrelid"
    ).rows:
        if "none" not in (TABLES[child]["subject"], TABLES[parent]["subject"]):
            assert TABLES[child]["order"] < TABLES[parent]["order"], f"{child} before {parent}"


def test_cascade_and_set_null_agree_with_erase(looking: Session) -> None:
    """What the database does when the subject's row goes is what the manifest says."""
    action = {"c": {"delete"}, "n": {"null", "retain"}, "r": {"none"}, "a": set()}
    for table, name, parent, what in looking.run(
        "SELECT k.conrelid::regclass::text, a.attname, k.confrelid::regclass::text, k.confdeltype"
        " FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
        " WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid IN"
        " ('core.users'::regclass, 'family.families'::regclass, 'family.child_profiles'::regclass)"
    ).rows:
        erase = [
            claim["erase"] for claim in [TABLES[table], *TABLES[table].get("also", ())] if claim.get("path") == [name]
        ]
        assert erase and set(erase) <= action[what], f"{table}.{name} on delete of {parent}"


def test_retention_names_policies_that_exist_and_all_are_named(looking: Session) -> None:
    seeded = column(looking, "SELECT policy_code FROM audit.data_retention_policies ORDER BY 1")
    assert sorted({facts["retention"] for facts in TABLES.values()}) == seeded


def test_retention_policies_name_live_columns(looking: Session) -> None:
    assert (
        column(
            looking,
            "SELECT policy_code FROM audit.data_retention_policies AS p WHERE NOT EXISTS ("
            " SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = to_regclass(p.table_schema || '.' || p.table_name)"
            " AND (p.time_column IS NULL OR a.attname = p.time_column))"
            " OR (time_column IS NULL) <> (retention_period IS NULL)",
        )
        == []
    )
    # COPPA 312.10: what is collected about a child has an end, or goes with the profile on request.
    endless = column(
        looking, "SELECT policy_code FROM audit.data_retention_policies WHERE retention_period IS NULL ORDER BY 1"
    )
    collected = {
        facts["retention"] for name, facts in TABLES.items() if name.split(".")[0] in ("audio",) or "events" in name
    }
    assert not collected & set(endless)


def test_the_audit_trigger_never_records_what_the_manifest_says(looking: Session) -> None:
    unrecorded = manifest()["classes"]["unrecorded"]
    triggers = looking.run(
        "SELECT t.tgrelid::regclass::text, array_remove(string_to_array(encode(t.tgargs, 'escape'), '\\000'), '')"
        " FROM pg_trigger AS t WHERE t.tgfoid = 'audit.log_row_change()'::regprocedure AND t.tgparentid = 0"
    ).rows
    audited = {name for name, _ in triggers}
    for table, excluded in triggers:
        secret = [name for name, one in TABLES[table]["column"].items() if one["class"] in unrecorded]
        assert sorted(excluded) == sorted(secret), table
    # A table with secrets but no trigger would be a hole the day it gets one.
    assert {t for t, f in TABLES.items() if any(c["class"] in unrecorded for c in f["column"].values())} <= audited


def test_no_column_can_hold_a_voice(looking: Session) -> None:
    bytes_columns = looking.run(
        "SELECT n.nspname || '.' || c.relname, a.attname FROM pg_attribute AS a"
        " JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_type AS t ON t.oid = a.atttypid"
        " WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname = ANY (%s)"
        " AND (coalesce(nullif(t.typbasetype, 0), t.oid) IN ('bytea'::regtype, 'oid'::regtype)"
        "      OR t.typcategory = 'A' AND t.typelem IN"
        "      ('real'::regtype, 'double precision'::regtype, 'numeric'::regtype, 'smallint'::regtype,"
        "       'integer'::regtype, 'bytea'::regtype))",
        [list(SCHEMAS)],
    ).rows
    allowed = {"credential", "encrypted"}
    for table, name in bytes_columns:
        one = TABLES[table]["column"][name]["class"]
        assert one in allowed or (table.startswith("audit.") and name in ("prev", "h", "subject_hmac")), (table, name)
    named = column(
        looking,
        "SELECT attrelid::regclass || '.' || attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relnamespace::regnamespace::text = ANY (%s) AND attnum > 0 AND c.relkind IN ('r', 'p', 'm')"
        " AND (attname ~* '(voice_?print|waveform|recording|embedding|raw_audio|mfcc|spectro|pcm)'"
        " OR attname ~* '^audio_(data|file|url|blob)')",
        list(SCHEMAS),
    )
    assert named == []


def test_tables_stand_in_the_order_of_schemas() -> None:
    names = [name.split(".")[0] for name in TABLES if "kind" not in TABLES[name]]
    changes = [one for one, after in pairwise([*names, ""]) if one != after]
    assert len(changes) == len(set(changes))
