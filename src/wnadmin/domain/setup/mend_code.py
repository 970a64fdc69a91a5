"""Statements that mend schemas, types, functions, views, sequences and comments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wnadmin.domain.setup.compare import Difference
from wnadmin.domain.setup.mend_base import Known, facts, literal, options, q, strings
from wnadmin.results import Json


def schema(known: Known, one: Difference) -> str:
    """Mend a schema."""
    if other := known.schemas_renamed.get(one.object):
        return f"ALTER SCHEMA {q(other)} RENAME TO {q(one.object)};"
    if one.change == "missing":
        return f"CREATE SCHEMA {q(one.object)} AUTHORIZATION {facts(one.expected)['owner']};"
    if one.attribute == "owner":
        return f"ALTER SCHEMA {q(one.object)} OWNER TO {one.expected};"
    return ""


def type_(known: Known, one: Difference) -> str:
    """Mend a type."""
    wanted, name = known.facts("type", one.object), q(one.object)
    kind = facts(one.actual).get("kind") if one.change == "unexpected" else wanted.get("kind")
    word = "DOMAIN" if kind == "domain" else "TYPE"
    if one.change == "unexpected":
        return f"DROP {word} {name};"
    if one.change == "missing":
        made = _create_type(name, wanted)
        return f"{made} ALTER {word} {name} OWNER TO {wanted['owner']};" if made else ""
    alter = f"ALTER {word} {name}"
    if one.attribute == "owner":
        return f"{alter} OWNER TO {one.expected};"
    if one.attribute == "labels":
        return _labels(alter, strings(one.expected), strings(one.actual))
    if word != "DOMAIN":
        return ""
    if one.attribute == "default":
        return f"{alter} {'DROP DEFAULT' if one.expected is None else f'SET DEFAULT {one.expected}'};"
    if one.attribute == "not_null":
        return f"{alter} {'SET' if one.expected else 'DROP'} NOT NULL;"
    return _checks(alter, facts(one.expected), facts(one.actual)) if one.attribute == "checks" else ""


def _create_type(name: str, wanted: Mapping[str, Json]) -> str:
    if wanted["kind"] == "enum":
        return f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, strings(wanted['labels'])))});"
    if wanted["kind"] == "composite":
        return f"CREATE TYPE {name} AS ({', '.join(strings(wanted['attributes']))});"
    if wanted["kind"] != "domain":
        return ""
    parts = [f"CREATE DOMAIN {name} AS {wanted['base']}"]
    parts += [f"DEFAULT {wanted['default']}"] if "default" in wanted else []
    parts += ["NOT NULL"] if wanted.get("not_null") else []
    parts += [f"CONSTRAINT {q(key)} {value}" for key, value in facts(wanted.get("checks")).items()]
    return " ".join(parts) + ";"


def _labels(alter: str, wanted: list[str], there: list[str]) -> str:
    if len(wanted) == len(there):
        changed = [(old, new) for old, new in zip(there, wanted, strict=True) if old != new]
        if len(changed) == 1 and changed[0][1] not in there:
            return f"{alter} RENAME VALUE {literal(changed[0][0])} TO {literal(changed[0][1])};"
    if [label for label in wanted if label in there] != there:
        return "a label cannot be taken away or moved: see that nothing uses it, and write a migration that keeps it"
    found = []
    for at, label in enumerate(wanted):
        if label not in there:
            where = f"AFTER {literal(wanted[at - 1])}" if at else f"BEFORE {literal(there[0])}"
            found.append(f"{alter} ADD VALUE {literal(label)} {where};")
    return " ".join(found)


def _checks(alter: str, wanted: Mapping[str, Json], there: Mapping[str, Json]) -> str:
    found = [f"{alter} DROP CONSTRAINT {q(key)};" for key in there if there[key] != wanted.get(key)]
    found += [f"{alter} ADD CONSTRAINT {q(key)} {wanted[key]};" for key in wanted if wanted[key] != there.get(key)]
    return " ".join(found)


# --- functions --------------------------------------------------------------------------------------------------

_SIMPLE: Final[Mapping[str, Callable[[Json], str]]] = {
    "owner": lambda wanted: f"OWNER TO {wanted}",
    "security": lambda wanted: f"SECURITY {str(wanted).upper()}",
    "volatility": lambda wanted: str(wanted).upper(),
    "parallel": lambda wanted: f"PARALLEL {str(wanted).upper()}",
    "strict": lambda wanted: "STRICT" if wanted else "CALLED ON NULL INPUT",
    "leakproof": lambda wanted: "LEAKPROOF" if wanted else "NOT LEAKPROOF",
    "cost": lambda wanted: f"COST {wanted}",
    "rows": lambda wanted: f"ROWS {wanted}",
}
_ANEW: Final = ("kind", "result", "arguments")


def function(known: Known, one: Difference) -> str:
    """Mend a function."""
    if one.change == "unexpected":
        # A range type brings functions of its own name, and of that of its multirange.
        name = one.object.partition("(")[0]
        types = (name, name.removesuffix("_multirange"), name.replace("multirange", "range"))
        if any(known.change("type", each) == "unexpected" for each in types):
            return "it goes with its type"
        return f"DROP ROUTINE {one.object};"
    alter = f"ALTER ROUTINE {one.object}"
    text = known.routine(one.object)
    if one.change == "missing":
        return _as_before(known, "function", one.object, text)
    if one.attribute in _ANEW:
        return _as_before(known, "function", one.object, f"DROP ROUTINE {one.object};\n{text}") if text else ""
    if one.attribute in ("body", "language"):
        return text
    if one.attribute == "settings":
        changes = [one_.split("=", 1) for one_ in strings(one.expected)]
        return " ".join((f"{alter} RESET ALL;", *(f"{alter} SET {key} = {value};" for key, value in changes)))
    if one.attribute in _SIMPLE:
        return f"{alter} {_SIMPLE[one.attribute](one.expected)};"
    return ""


def _as_before(known: Known, kind: str, name: str, made: str) -> str:
    """``made`` and whose it is and who may use it, as a new object is its maker's and functions are everybody's."""
    if not made:
        return ""
    wanted = known.facts(kind, name)
    word = "ROUTINE" if kind == "function" else str(wanted["kind"]).upper()
    found = [made, f"ALTER {word} {name if kind == 'function' else q(name)} OWNER TO {wanted['owner']};"]
    on = f"ROUTINE {name}" if kind == "function" else f"TABLE {q(name)}"
    grants = known.expected.objects.get("grant", {})
    if kind == "function" and f"function {name} to PUBLIC" not in grants:
        found.append(f"REVOKE ALL ON {on} FROM PUBLIC;")
    for key, value in grants.items():
        if key.startswith(f"{kind} {name} to ") and not key.endswith(" to its owner"):
            found.append(f"GRANT {str(value['privileges']).replace('*', '')} ON {on} TO {key.rpartition(' to ')[2]};")
    return "\n".join(found)


# --- views ------------------------------------------------------------------------------------------------------


def view(known: Known, one: Difference) -> str:
    """Mend a view. One that holds rows is made anew, with its indexes."""
    wanted = known.facts("view", one.object)
    word = str((wanted or facts(one.actual)).get("kind", "view")).upper()
    name = q(one.object)
    if one.change == "unexpected":
        return f"DROP {word} {name};"
    if one.change == "different" and one.attribute == "owner":
        return f"ALTER {word} {name} OWNER TO {one.expected};"
    if one.change == "different" and one.attribute == "options":
        return options(f"ALTER {word} {name}", one.expected, one.actual)
    with_ = f" WITH ({', '.join(strings(wanted.get('options')))})" if wanted.get("options") else ""
    body = f"{with_} AS\n{str(wanted['definition']).strip().removesuffix(';')};"
    if one.change == "missing":
        return _as_before(known, "view", one.object, f"CREATE {word} {name}{body}")
    if word == "VIEW" and one.attribute == "definition" and not _other_columns(known, one.object):
        return f"CREATE OR REPLACE VIEW {name}{body}"
    anew = _as_before(known, "view", one.object, f"DROP {word} {name};\nCREATE {word} {name}{body}")
    indexes = known.expected.objects.get("index", {}).values()
    made = [f"{each['definition']};" for each in indexes if f" ON {one.object} USING " in str(each["definition"])]
    return "\n".join((anew, *made))


def _other_columns(known: Known, name: str) -> bool:
    return any(one.kind == "view" and one.object == name and one.attribute == "columns" for one in known.differences)


# --- the rest ---------------------------------------------------------------------------------------------------


def other(known: Known, one: Difference) -> str:
    """Mend a sequence, a rule or statistics."""
    kind, _, name = one.object.partition(" ")
    if kind == "sequence":
        return _sequence(known, one, name)
    if kind == "rule":
        of, _, rule = name.partition(" ")
        drop = f"DROP RULE {q(rule)} ON {q(of)};"
    else:
        drop = f"DROP STATISTICS {q(name)};"
    if one.change == "unexpected":
        return drop
    made = f"{str(known.facts('other', one.object)['definition']).removesuffix(';')};"
    return made if one.change == "missing" else f"{drop} {made}"


def _sequence(known: Known, one: Difference, name: str) -> str:
    if one.change == "unexpected":
        too_many = [x.object for x in known.differences if x.kind == "column" and x.change == "unexpected"]
        if any(name.startswith(f"{column.rpartition('.')[0]}_") for column in too_many):
            return "it goes with its column"
        return f"DROP SEQUENCE {q(name)};"
    wanted = known.facts("other", one.object)
    owner = f"ALTER SEQUENCE {q(name)} OWNER TO {wanted['owner']};"
    if one.change == "missing":
        return f"CREATE SEQUENCE {q(name)} AS {wanted['type']}; {owner}"
    return owner if one.attribute == "owner" else f"ALTER SEQUENCE {q(name)} AS {wanted['type']};"


def comment(known: Known, one: Difference) -> str:
    """Set a comment as the files do, or take it off."""
    kind, name = one.object, ""
    for word in ("materialized view", "text search configuration"):
        if one.object.startswith(f"{word} "):
            kind, name = word, one.object.removeprefix(f"{word} ")
    if not name:
        kind, _, name = one.object.partition(" ")
    of_kind = {"materialized view": "view", "domain": "type", "procedure": "function"}.get(kind, kind)
    if words := known.goes_with(of_kind, name):
        return words
    if kind in ("constraint", "trigger", "policy"):
        of, _, part = name.partition(" ")
        where = f"{q(part)} ON {q(of)}"
    else:
        where = name if "(" in name else q(name)
    text = "NULL" if one.expected is None else literal(one.expected)
    return f"COMMENT ON {kind.upper()} {where} IS {text};"
