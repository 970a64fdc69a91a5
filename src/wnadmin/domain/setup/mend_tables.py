"""Statements that mend tables and what hangs on them: columns, constraints, indexes, triggers, policies."""

from __future__ import annotations

import re
from typing import Final

from wnadmin.domain.setup.compare import Difference
from wnadmin.domain.setup.mend_base import Known, facts, options, q, strings
from wnadmin.results import Json

_RLS: Final = {
    "forced": ("ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"),
    "enabled": ("ENABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
    "off": ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
}
_REPLICA: Final = {"f": "FULL", "n": "NOTHING", "None": "DEFAULT"}
_IDENTITY: Final = {"a": "ALWAYS", "d": "BY DEFAULT"}


def table(known: Known, one: Difference) -> str:
    """Mend a table itself."""
    name = q(one.object)
    alter = f"ALTER TABLE {name}"
    other = known.renamed.get(("table", one.object))
    if one.change == "missing":
        return _rename(other, one.object) if other else _create(known, one.object)
    if one.change == "unexpected":
        if other:
            return f"it goes with the renaming of the table to {other}"
        return f"write a migration that makes it; or, its rows being lost: DROP TABLE {name}"
    if one.attribute == "owner":
        return f"{alter} OWNER TO {one.expected};"
    if one.attribute == "rls":
        return f"{alter} {', '.join(_RLS[str(one.expected)])};"
    if one.attribute == "persistence":
        return f"{alter} SET {'LOGGED' if one.expected is None else 'UNLOGGED'};"
    if one.attribute == "options":
        return options(alter, one.expected, one.actual)
    if one.attribute == "replica_identity" and str(one.expected) in _REPLICA:
        return f"{alter} REPLICA IDENTITY {_REPLICA[str(one.expected)]};"
    return ""


def _rename(old: str, new: str) -> str:
    (old_schema, _, old_name), (new_schema, _, new_name) = old.partition("."), new.partition(".")
    found = [f"ALTER TABLE {q(old)} RENAME TO {q(new_name)};"] if old_name != new_name else []
    if old_schema != new_schema:
        found.append(f"ALTER TABLE {q(f'{old_schema}.{new_name}')} SET SCHEMA {q(new_schema)};")
    return " ".join(found)


def _create(known: Known, name: str) -> str:
    wanted = known.facts("table", name)
    columns = [f"    {_column(known, name, one)}" for one in strings(wanted.get("columns"))]
    kind = "UNLOGGED TABLE" if wanted.get("persistence") else "TABLE"
    parts = [f"CREATE {kind} {q(name)} (\n" + ",\n".join(columns) + "\n)"]
    if by := wanted.get("partitioned_by"):
        parts.append(f"PARTITION BY {by}")
    if with_ := strings(wanted.get("options")):
        parts.append(f"WITH ({', '.join(with_)})")
    found = [" ".join(parts) + ";", f"ALTER TABLE {q(name)} OWNER TO {wanted.get('owner')};"]
    if wanted.get("rls") != "off":
        found.append(f"ALTER TABLE {q(name)} {', '.join(_RLS[str(wanted.get('rls'))])};")
    if by:
        found.append("-- when all the rest is there: SELECT admin.ensure_partitions();")
    return "\n".join(found)


def _column(known: Known, table_: str, name: str) -> str:
    wanted = known.facts("column", f"{table_}.{name}")
    parts = [f"{q(name)} {wanted['type']}"]
    if "collation" in wanted:
        parts.append(f"COLLATE {wanted['collation']}")
    if generated := str(wanted.get("generated", "")):
        stored, _, text = generated.partition(" ")
        parts.append(f"GENERATED ALWAYS AS ({text}) {stored.upper()}")
    if "identity" in wanted:
        parts.append(f"GENERATED {_IDENTITY[str(wanted['identity'])]} AS IDENTITY")
    if "default" in wanted:
        parts.append(f"DEFAULT {wanted['default']}")
    if wanted.get("not_null"):
        parts.append("NOT NULL")
    return " ".join(parts)


def column(known: Known, one: Difference) -> str:
    """Mend a column; what would lose its values is only told."""
    of, _, name = one.object.rpartition(".")
    if one.change != "different" and (known.change("table", of) == "missing" or known.goes_with_table(of)):
        return known.goes_with_table(of) or "it goes with its table"
    alter = f"ALTER TABLE {q(of)}"
    other = known.renamed.get(("column", one.object), "").rpartition(".")[2]
    if one.change == "missing":
        if other:
            return f"{alter} RENAME COLUMN {q(other)} TO {q(name)};"
        return f"{alter} ADD COLUMN {_column(known, of, name)};"
    if one.change == "unexpected":
        if other:
            return f"it goes with the renaming to {other}"
        return f"write a migration that makes it; or, its values being lost: {alter} DROP COLUMN {q(name)}"
    alter = f"{alter} ALTER COLUMN {q(name)}"
    if one.attribute == "default":
        return f"{alter} {'DROP DEFAULT' if one.expected is None else f'SET DEFAULT {one.expected}'};"
    if one.attribute == "not_null":
        return f"{alter} {'SET' if one.expected else 'DROP'} NOT NULL;"
    if one.attribute in ("type", "collation"):
        wanted = known.facts("column", one.object)
        collate = f" COLLATE {wanted['collation']}" if "collation" in wanted else ""
        return f"-- it may rewrite the table\n{alter} TYPE {wanted['type']}{collate} USING {q(name)}::{wanted['type']};"
    if one.attribute == "identity":
        return _identity(alter, one.expected, one.actual)
    if one.attribute == "generated" and one.expected is None:
        return f"{alter} DROP EXPRESSION;"
    return ""


def _identity(alter: str, wanted: Json, there: Json) -> str:
    if wanted is None:
        return f"{alter} DROP IDENTITY;"
    how = _IDENTITY[str(wanted)]
    return f"{alter} ADD GENERATED {how} AS IDENTITY;" if there is None else f"{alter} SET GENERATED {how};"


def constraint(known: Known, one: Difference) -> str:
    """Mend a constraint."""
    of, _, name = one.object.partition(" ")
    if one.change != "different" and (words := known.goes_with_table(of)):
        return words
    alter = f"ALTER TABLE {q(of)}"
    other = known.renamed.get(("constraint", one.object), "").partition(" ")[2]
    if one.change == "unexpected":
        return f"it goes with the renaming to {other}" if other else f"{alter} DROP CONSTRAINT {q(name)};"
    if other:
        return f"{alter} RENAME CONSTRAINT {q(other)} TO {q(name)};"
    wanted = known.facts("constraint", one.object).get("definition")
    if one.change == "missing":
        return f"{alter} ADD CONSTRAINT {q(name)} {wanted};"
    if str(one.actual) == f"{wanted} NOT VALID":
        return f"{alter} VALIDATE CONSTRAINT {q(name)};"
    return f"{alter} DROP CONSTRAINT {q(name)}, ADD CONSTRAINT {q(name)} {wanted};"


def _table_of_index(known: Known, one: Difference) -> str:
    there = known.facts("index", one.object) or facts(one.actual)
    match = re.search(r" ON (?:ONLY )?(\S+) USING ", str(there.get("definition", "")))
    return match[1] if match else ""


def index(known: Known, one: Difference) -> str:
    """Mend an index."""
    name = one.object.partition(".")[2]
    of = _table_of_index(known, one)
    if words := known.goes_with_table(of):
        return words
    if any(x.kind == "constraint" and x.object == f"{of} {name}" for x in known.differences):
        return "it goes with its constraint"
    if known.change("view", of) == "unexpected":
        return "it goes with its view"
    other = known.renamed.get(("index", one.object))
    if one.change == "missing":
        if other:
            return f"ALTER INDEX {q(other)} RENAME TO {q(name)};"
        return f"{_everywhere(str(facts(one.expected)['definition']))};"
    if one.change == "unexpected":
        return f"it goes with the renaming to {other}" if other else f"DROP INDEX {q(one.object)};"
    if one.attribute == "invalid":
        return f"REINDEX INDEX CONCURRENTLY {q(one.object)};"
    return f"DROP INDEX {q(one.object)}; {_everywhere(str(one.expected))};"


def _everywhere(definition: str) -> str:
    # Of a partitioned table the server prints ONLY, which would make an index that is never valid.
    return definition.replace(" ON ONLY ", " ON ", 1)


_ENABLE: Final = {"origin": "ENABLE", "always": "ENABLE ALWAYS", "replica": "ENABLE REPLICA", "disabled": "DISABLE"}


def trigger(known: Known, one: Difference) -> str:
    """Mend a trigger."""
    of, _, name = one.object.partition(" ")
    if one.change != "different" and (words := known.goes_with_table(of)):
        return words
    drop = f"DROP TRIGGER {q(name)} ON {q(of)};"
    if one.change == "unexpected":
        return drop
    enable = f"ALTER TABLE {q(of)} {{}} TRIGGER {q(name)};"
    if one.attribute == "enabled":
        return enable.format(_ENABLE[str(one.expected)])
    wanted = known.facts("trigger", one.object)
    made = f"{wanted['definition']};" if one.change == "missing" else f"{drop} {wanted['definition']};"
    if wanted["enabled"] == "origin":
        return made
    return f"{made} {enable.format(_ENABLE[str(wanted['enabled'])])}"


def policy(known: Known, one: Difference) -> str:
    """Mend a policy: altered where that can be, else made anew."""
    of, _, name = one.object.partition(" ")
    if one.change != "different" and (words := known.goes_with_table(of)):
        return words
    drop = f"DROP POLICY {q(name)} ON {q(of)};"
    if one.change == "unexpected":
        return drop
    alter = f"ALTER POLICY {q(name)} ON {q(of)}"
    word = {"using": "USING", "check": "WITH CHECK"}.get(one.attribute)
    if word and one.expected is not None:
        return f"{alter} {word} ({one.expected});"
    if one.attribute == "to":
        return f"{alter} TO {_roles(one.expected)};"
    wanted = known.facts("policy", one.object)
    parts = [f"CREATE POLICY {q(name)} ON {q(of)} AS {str(wanted['kind']).upper()} FOR {wanted['for']}"]
    parts.append(f"TO {_roles(wanted['to'])}")
    parts += [f"USING ({wanted['using']})"] if "using" in wanted else []
    parts += [f"WITH CHECK ({wanted['check']})"] if "check" in wanted else []
    made = " ".join(parts) + ";"
    return made if one.change == "missing" else f"{drop} {made}"


def _roles(names: Json) -> str:
    return ", ".join("PUBLIC" if one == "public" else one for one in strings(names))
