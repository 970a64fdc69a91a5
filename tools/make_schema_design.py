"""Write the generated part of ``sql/schema_design.md`` from the catalog; ``--check`` only compares.

A server is started for it and removed again; files 01 to 07 run into an empty database of it. What differs
from one PostgreSQL major to the next is left out, so that the page is the same whichever made it.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wnadmin import assets
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.session import Session, connect
from wnadmin.postgres.target import Target

SQL = Path(__file__).resolve().parents[1] / "sql"
PAGE = SQL / "schema_design.md"
BEGIN = "<!-- generated from the catalog by `make docs`; a test compares it -->\n"
END = "<!-- end of the generated part -->\n"
SCHEMAS = ("core", "family", "content", "audio", "subscription", "analytics", "safety", "ml", "audit", "admin")

TABLES = """
SELECT
    c.oid::regclass::text AS name,
    c.relkind::text AS kind,
    obj_description(c.oid, 'pg_class') AS comment,
    pg_get_partkeydef(c.oid) AS partition_key,
    array(
        SELECT p.polname::text FROM pg_policy AS p WHERE p.polrelid = c.oid ORDER BY 1
    ) AS policies,
    (
        SELECT replace(encode(t.tgargs, 'escape'), '\\000', '')
        FROM pg_trigger AS t
        WHERE t.tgrelid = c.oid AND t.tgfoid = 'family.require_consent()'::regprocedure
    ) AS consent,
    EXISTS (
        SELECT 1 FROM pg_trigger AS t
        WHERE t.tgrelid = c.oid AND t.tgfoid = 'audit.log_row_change()'::regprocedure
    ) AS audited
FROM pg_class AS c
WHERE c.relnamespace = %s::regnamespace
    AND c.relkind IN ('r', 'p', 'm', 'v')
    AND NOT c.relispartition
ORDER BY c.relkind IN ('m', 'v'), c.relname
"""
COLUMNS = """
SELECT
    a.attname::text,
    format_type(a.atttypid, a.atttypmod),
    a.attnotnull,
    a.attgenerated <> '',
    col_description(a.attrelid, a.attnum),
    (
        SELECT string_agg(k.confrelid::regclass::text, ', ')
        FROM pg_constraint AS k
        WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND k.conparentid = 0 AND a.attnum = ANY (k.conkey)
    ),
    EXISTS (
        SELECT 1 FROM pg_constraint AS k
        WHERE k.conrelid = a.attrelid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)
    )
FROM pg_attribute AS a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
FUNCTIONS = """
SELECT
    p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    p.prosecdef,
    p.prorettype = 'trigger'::regtype,
    array(
        SELECT replace(r.rolname, 'wondernest_', '')
        FROM aclexplode(p.proacl) AS x
        JOIN pg_roles AS r ON r.oid = x.grantee
        WHERE x.grantee <> p.proowner
        ORDER BY 1
    ),
    obj_description(p.oid, 'pg_proc')
FROM pg_proc AS p
WHERE p.pronamespace = %s::regnamespace
ORDER BY p.prorettype = 'trigger'::regtype, p.proname, 1
"""
POLICIES = """
SELECT policy_code, coalesce(
        retention_period::text,
        CASE WHEN legal_basis = 'none' THEN 'as long as it is of use' ELSE 'with the account or profile' END
    ), coalesce(time_column, ''), action,
    business_need, is_active
FROM audit.data_retention_policies
ORDER BY policy_code
"""


def generated(session: Session) -> str:
    """Give the generated part for the database of ``session``, which files 01 to 07 have just made."""
    facts = tomllib.loads((SQL / "manifest.toml").read_text("utf-8"))["table"]
    session.run("SET IntervalStyle = 'postgres'")
    parts: list[str] = []
    for schema in SCHEMAS:
        parts.append(f"### Schema {schema}\n\n{session.scalar(COMMENT_OF_SCHEMA, [schema])}\n")
        for name, kind, comment, key, policies, consent, audited in session.run(TABLES, [schema]).rows:
            parts.append(_relation(session, name, kind, comment, facts.get(name)))
            if kind in ("r", "p"):
                parts.append(_protection(name, key, policies, consent, audited))
        parts.append(_functions(session, schema))
    return "\n".join([*parts, _retention(session)]).rstrip("\n") + "\n"


COMMENT_OF_SCHEMA = "SELECT obj_description(%s::regnamespace, 'pg_namespace')"
KINDS = {"m": "materialized view", "v": "view"}


def _relation(session: Session, name: str, kind: str, comment: str, facts: Mapping[str, Any] | None) -> str:
    suffix = f" ({KINDS[kind]})" if kind in KINDS else ""
    lines = [f"#### {name}{suffix}\n", f"{comment}\n"]
    if facts is None:
        return "\n".join(lines)
    whose = "nobody's: " + facts["reason"] if facts["subject"] == "none" else f"of a {facts['subject']}"
    erase = "" if facts["erase"] == "none" else f" Erasure: {facts['erase']}."
    lines.append(f"Rows {whose}. {facts['purpose']}{erase} Kept by policy `{facts['retention']}`.\n")
    lines += ["| column | type | class | what it is |", "|---|---|---|---|"]
    for column, type_, required, made, remark, refers, is_key in session.run(COLUMNS, [name]).rows:
        notes = [
            word
            for word, holds in (("key", is_key), ("required", required and not is_key), ("generated", made))
            if holds and kind != "m"
        ]
        if refers:
            notes.append(f"→ {refers}")
        shown = f"{type_}{' (' + ', '.join(notes) + ')' if notes else ''}"
        lines.append(f"| {column} | {shown} | {facts['column'][column]['class']} | {_cell(remark)} |")
    return "\n".join(lines) + "\n"


def _protection(name: str, key: str | None, policies: list[str], consent: str | None, audited: bool) -> str:
    lines = []
    if key:
        lines.append(f"- Partitioned by {key}, a month each, in UTC.")
    if policies:
        own = name.split(".")[1] + "_"
        lines.append(f"- Row-level security: {', '.join(one.removeprefix(own) for one in policies)}.")
    if consent:
        lines.append(f"- Refuses a child without consent to `{consent}`, restricted, or under stop-collection.")
    lines.append("- Changes are written to the trail." if audited else "- Not in the trail.")
    return "\n".join(lines) + "\n"


def _functions(session: Session, schema: str) -> str:
    rows = session.run(FUNCTIONS, [schema]).rows
    if not rows:
        return ""
    lines = [
        f"#### Functions of {schema}\n",
        "| function | runs as | may call it | what it does |",
        "|---|---|---|---|",
    ]
    for name, definer, is_trigger, callers, comment in rows:
        runs = "its owner" if definer else "the caller"
        who = "triggers" if is_trigger else ", ".join(callers) or "owner"
        lines.append(f"| {name} | {runs} | {who} | {_cell(comment)} |")
    return "\n".join(lines) + "\n"


def _retention(session: Session) -> str:
    lines = ["### Retention\n", "| policy | kept | counted from | then | why |", "|---|---|---|---|---|"]
    for code, period, column, action, need, is_active in session.run(POLICIES).rows:
        then = action if is_active else f"{action}, on approval"
        lines.append(f"| {code} | {period} | {column} | {then} | {_cell(need)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def install(session: Session) -> None:
    """Run files 01 to 07 into the empty database of ``session``."""
    session.run("SELECT set_config('wondernest.months_ahead', '0', false)")
    for file in assets.database_files():
        if (error := session.script(file.text).error) is not None:
            raise error


def split(page: str) -> tuple[str, str, str]:
    """Part a page into what stands before, between and after the marks."""
    before, rest = page.split(BEGIN)
    between, after = rest.split(END)
    return before, between, after


def main() -> None:
    """Write the generated part, or compare it."""
    before, old, after = split(PAGE.read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="wnadmin-design-") as home:
        Path(home).chmod(0o755)
        cluster = Cluster(Path(home) / "pg")
        cluster.start(fsync=False)
        try:
            target = Target(cluster.conninfo(), source="schema design")
            with connect(target, command="design") as session:
                session.run("CREATE DATABASE design TEMPLATE template0 ENCODING 'UTF8'")
            target = Target(cluster.conninfo("design"), source="schema design")
            with connect(target, command="design") as session:
                install(session)
                new = "\n" + generated(session) + "\n"
        finally:
            cluster.destroy()
    if "--check" in sys.argv:
        if new != old:
            sys.exit("sql/schema_design.md is not what the catalog says; run `make docs`")
        return
    PAGE.write_text(before + BEGIN + new + END + after, "utf-8")


if __name__ == "__main__":
    main()
