"""The statement that would mend a difference, where the catalog says it exactly; else words.

What is DDL ends with a semicolon. Names that would have to be quoted are left to a person: the catalog's names are
plain, and whatever else has got in did not come from these files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wnadmin.domain.setup.compare import Difference
from wnadmin.results import Json

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_RESERVED: Final = frozenset(
    re.findall(
        r"\w+",
        """
    all analyse analyze and any array as asc both case cast check collate column constraint create current_date
    default desc distinct do else end except false fetch for foreign from grant group having in initially into
    lateral leading limit not null offset on only or order placing primary references returning select
    session_user some symmetric table then to trailing true union unique user using variadic when where window
    with
        """,
    )
)
_TYPES: Final = {"view": "TABLE", "table": "TABLE", "sequence": "SEQUENCE", "function": "FUNCTION", "schema": "SCHEMA"}
_ROLE_WORDS: Final = ("login", "superuser", "createrole", "createdb", "replication", "bypassrls", "inherit")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that makes objects: its name and text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Mender:
    """Knows the database's name, the files, all differences, as one may be only the shadow of another, and the kinds
    of the views."""

    database: str
    sources: Sequence[Source]
    differences: Sequence[Difference]
    views: Mapping[str, str]

    def mend(self, one: Difference) -> str:
        """Give the DDL or the words for one difference."""
        handler = _HANDLERS.get(one.kind)
        if not _plain(one.object):
            return _by_hand(one)
        return (handler(self, one) if handler else "") or self.words(one)

    def words(self, one: Difference) -> str:
        """Say where the right definition stands."""
        if one.change == "unexpected":
            return _by_hand(one)
        place = self.place(one.object)
        return f"run its definition again: {place}" if place else "compare it with the definition in files 01 to 07"

    def place(self, name: str) -> str:
        """Find the line that makes an object, in the newest file that does; '' when none says it literally."""
        plain = re.escape(re.split(r"[( ]", name)[0])
        pattern = re.compile(
            rf"^[ \t]*CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?[A-Z]+(?:\s+VIEW)?\s+(?:CONCURRENTLY\s+)?"
            rf"(?:IF\s+NOT\s+EXISTS\s+)?{plain}\b",
            re.IGNORECASE | re.MULTILINE,
        )
        for source in reversed(self.sources):
            if match := pattern.search(source.text):
                return f"{source.name}:{source.text.count(chr(10), 0, match.start()) + 1}"
        return ""

    def also(self, kind: str, name: str) -> bool:
        """Whether the object of that kind differs as well."""
        return any(one.kind == kind and one.object == name for one in self.differences)


def _plain(name: str) -> bool:
    words = re.sub(r"\(.*\)", "", name).removesuffix(" to PUBLIC")
    return all(_PLAIN.fullmatch(word) for word in words.split(" "))


def _by_hand(one: Difference) -> str:
    if one.change == "unexpected":
        return "write a migration that makes it, or drop it by hand"
    return "mend it by hand"


def _q(name: str) -> str:
    return ".".join(f'"{part}"' if part in _RESERVED else part for part in name.split("."))


def _facts(value: Json) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _schema(self: Mender, one: Difference) -> str:
    if one.attribute == "owner":
        return f"ALTER SCHEMA {_q(one.object)} OWNER TO {one.expected};"
    return ""


def _type(self: Mender, one: Difference) -> str:
    if one.attribute == "owner":
        return f"ALTER TYPE {_q(one.object)} OWNER TO {one.expected};"
    if one.attribute == "labels" and isinstance(one.expected, list) and isinstance(one.actual, list):
        known = len(one.actual)
        if one.expected[:known] == one.actual:
            added = (f"ALTER TYPE {_q(one.object)} ADD VALUE {_literal(label)};" for label in one.expected[known:])
            return " ".join(added)
    return ""


_RLS: Final = {
    "forced": ("ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"),
    "enabled": ("ENABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
    "off": ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
}


def _table(self: Mender, one: Difference) -> str:
    name = _q(one.object)
    if one.change == "unexpected":
        return f"write a migration that makes it; or, its rows being lost: DROP TABLE {name}"
    if one.attribute == "owner":
        return f"ALTER TABLE {name} OWNER TO {one.expected};"
    if one.attribute == "rls":
        return f"ALTER TABLE {name} {', '.join(_RLS[str(one.expected)])};"
    if one.attribute == "persistence" and one.expected is None:
        return f"ALTER TABLE {name} SET LOGGED;"
    if one.attribute == "columns":
        inside = any(x.kind == "column" and x.object.startswith(f"{one.object}.") for x in self.differences)
        return "see its columns" if inside else "the order of its columns differs, which nothing depends on"
    return ""


def _column(self: Mender, one: Difference) -> str:
    table, _, name = one.object.rpartition(".")
    alter = f"ALTER TABLE {_q(table)}"
    if self.also("table", table) and one.change != "different" and _whole(self, "table", table):
        return "it goes with its table"
    if one.change == "missing":
        facts = _facts(one.expected)
        parts = [f"{alter} ADD COLUMN {_q(name)} {facts['type']}"]
        if "collation" in facts:
            parts.append(f"COLLATE {facts['collation']}")
        if str(facts.get("generated", "")).startswith("stored "):
            parts.append(f"GENERATED ALWAYS AS ({str(facts['generated']).removeprefix('stored ')}) STORED")
        if "default" in facts:
            parts.append(f"DEFAULT {facts['default']}")
        if facts.get("not_null"):
            parts.append("NOT NULL")
        return "" if "identity" in facts else " ".join(parts) + ";"
    if one.change == "unexpected":
        return f"write a migration that makes it; or, its values being lost: {alter} DROP COLUMN {_q(name)}"
    if one.attribute == "default":
        change = "DROP DEFAULT" if one.expected is None else f"SET DEFAULT {one.expected}"
        return f"{alter} ALTER COLUMN {_q(name)} {change};"
    if one.attribute == "not_null":
        return f"{alter} ALTER COLUMN {_q(name)} {'SET' if one.expected else 'DROP'} NOT NULL;"
    if one.attribute == "type":
        return f"it may rewrite the table: {alter} ALTER COLUMN {_q(name)} TYPE {one.expected}"
    return ""


def _whole(self: Mender, kind: str, name: str) -> bool:
    return any(one.kind == kind and one.object == name and not one.attribute for one in self.differences)


def _constraint(self: Mender, one: Difference) -> str:
    table, _, name = one.object.partition(" ")
    if _whole(self, "table", table):
        return "it goes with its table"
    alter = f"ALTER TABLE {_q(table)}"
    if one.change == "unexpected":
        return f"{alter} DROP CONSTRAINT {_q(name)};"
    wanted = str(_facts(one.expected).get("definition") if one.change == "missing" else one.expected)
    if one.change == "missing":
        return f"{alter} ADD CONSTRAINT {_q(name)} {wanted};"
    if str(one.actual) == f"{wanted} NOT VALID":
        return f"{alter} VALIDATE CONSTRAINT {_q(name)};"
    return f"{alter} DROP CONSTRAINT {_q(name)}, ADD CONSTRAINT {_q(name)} {wanted};"


def _index(self: Mender, one: Difference) -> str:
    name = one.object.partition(".")[2]
    if any(x.kind == "constraint" and x.object.endswith(f" {name}") for x in self.differences):
        return "it goes with its constraint"
    if one.change == "missing":
        return f"{_index_text(str(_facts(one.expected)['definition']))};"
    if one.change == "unexpected":
        return f"DROP INDEX {_q(one.object)};"
    if one.attribute == "invalid":
        return f"REINDEX INDEX CONCURRENTLY {_q(one.object)};"
    if one.attribute == "definition":
        return f"DROP INDEX {_q(one.object)}; {_index_text(str(one.expected))};"
    return ""


def _index_text(definition: str) -> str:
    # Of a partitioned table the server prints ONLY, which would make an index that is never valid.
    return definition.replace(" ON ONLY ", " ON ", 1)


def _function(self: Mender, one: Difference) -> str:
    if one.change == "unexpected":
        return f"DROP ROUTINE {one.object};"
    alter = f"ALTER ROUTINE {one.object}"
    if one.attribute == "owner":
        return f"{alter} OWNER TO {one.expected};"
    if one.attribute == "security":
        return f"{alter} SECURITY {str(one.expected).upper()};"
    if one.attribute == "volatility":
        return f"ALTER FUNCTION {one.object} {str(one.expected).upper()};"
    if one.attribute == "settings" and isinstance(one.expected, list) and len(one.expected) == 1:
        key, _, value = str(one.expected[0]).partition("=")
        return f"{alter} RESET ALL; {alter} SET {key} = {value};"
    return ""


def _view(self: Mender, one: Difference) -> str:
    kind = _facts(one.actual).get("kind") or self.views.get(one.object)
    word = "MATERIALIZED VIEW" if kind == "materialized view" else "VIEW"
    if one.attribute == "owner":
        return f"ALTER {word} {_q(one.object)} OWNER TO {one.expected};"
    if one.change == "unexpected":
        return f"DROP {word} {_q(one.object)};"
    return ""


_ENABLE: Final = {"origin": "ENABLE", "always": "ENABLE ALWAYS", "replica": "ENABLE REPLICA", "disabled": "DISABLE"}


def _trigger(self: Mender, one: Difference) -> str:
    table, _, name = one.object.partition(" ")
    if _whole(self, "table", table):
        return "it goes with its table"
    drop = f"DROP TRIGGER {_q(name)} ON {_q(table)};"
    if one.change == "unexpected":
        return drop
    if one.change == "missing":
        facts = _facts(one.expected)
        made = f"{facts['definition']};"
        if facts["enabled"] == "origin":
            return made
        return f"{made} ALTER TABLE {_q(table)} {_ENABLE[str(facts['enabled'])]} TRIGGER {_q(name)};"
    if one.attribute == "enabled":
        return f"ALTER TABLE {_q(table)} {_ENABLE[str(one.expected)]} TRIGGER {_q(name)};"
    return f"{drop} {one.expected};"


def _policy(self: Mender, one: Difference) -> str:
    table, _, name = one.object.partition(" ")
    if _whole(self, "table", table):
        return "it goes with its table"
    if one.change == "unexpected":
        return f"DROP POLICY {_q(name)} ON {_q(table)};"
    if one.change == "missing":
        facts = _facts(one.expected)
        parts = [f"CREATE POLICY {_q(name)} ON {_q(table)} AS {str(facts['kind']).upper()} FOR {facts['for']}"]
        parts.append(f"TO {', '.join(facts['to'])}")
        parts += [f"USING ({facts['using']})"] if "using" in facts else []
        parts += [f"WITH CHECK ({facts['check']})"] if "check" in facts else []
        return " ".join(parts) + ";"
    word = {"using": "USING", "check": "WITH CHECK"}.get(one.attribute)
    if word and one.expected is not None:
        return f"ALTER POLICY {_q(name)} ON {_q(table)} {word} ({one.expected});"
    if one.attribute == "to" and isinstance(one.expected, list):
        return f"ALTER POLICY {_q(name)} ON {_q(table)} TO {', '.join(map(str, one.expected))};"
    return ""


def _privileges(value: Json) -> set[str]:
    text = _facts(value).get("privileges", value) if value is not None else ""
    return {part for part in str(text).split(", ") if part}


def _grant(self: Mender, one: Difference) -> str:
    what, _, role = one.object.rpartition(" to ")
    kind, _, name = what.partition(" ")
    wanted, there = _privileges(one.expected), _privileges(one.actual)
    if role == "its owner" or any(part.endswith("*") for part in wanted | there):
        return ""
    if _whole(self, kind, name):
        return f"it goes with its {kind}"
    found = []
    for verb, more, way in (("GRANT", wanted - there, "TO"), ("REVOKE", there - wanted, "FROM")):
        if more:
            found.append(f"{verb} {_on(self, kind, name, sorted(more))} {way} {role};")
    return " ".join(found)


def _on(self: Mender, kind: str, name: str, privileges: Sequence[str]) -> str:
    if kind == "column":
        table, _, column = name.rpartition(".")
        return ", ".join(f"{one} ({_q(column)})" for one in privileges) + f" ON TABLE {_q(table)}"
    listed = ", ".join(privileges)
    if kind == "database":
        return f'{listed} ON DATABASE "{self.database.replace(chr(34), chr(34) * 2)}"'
    if kind == "function":
        return f"{listed} ON ROUTINE {name}"
    return f"{listed} ON {_TYPES.get(kind, kind.upper())} {_q(name)}"


def _role(self: Mender, one: Difference) -> str:
    if one.attribute == "connection_limit":
        return f"ALTER ROLE {one.object} CONNECTION LIMIT {one.expected};"
    if one.attribute in _ROLE_WORDS:
        return f"ALTER ROLE {one.object} {'' if one.expected else 'NO'}{one.attribute.upper()};"
    return "" if one.attribute else "roles are made by 07_security_setup.sql"


def _membership(self: Mender, one: Difference) -> str:
    member, _, group = one.object.partition(" in ")
    if one.change == "missing":
        return f"GRANT {group} TO {member};"
    return f"REVOKE {group} FROM {member};" if one.change == "unexpected" else ""


def _setting(self: Mender, one: Difference) -> str:
    who, _, name = one.object.partition(" ")
    database = '"' + self.database.replace('"', '""') + '"'
    head = f"ALTER DATABASE {database}" if who == "everyone" else f"ALTER ROLE {who} IN DATABASE {database}"
    if one.change == "unexpected":
        return f"{head} RESET {name};"
    value = _facts(one.expected).get("value") if one.change == "missing" else one.expected
    return f"{head} SET {name} = {_literal(value)};"


def _extension(self: Mender, one: Difference) -> str:
    if one.change == "missing":
        return f"CREATE EXTENSION {_q(one.object)} SCHEMA {_facts(one.expected)['schema']};"
    return f"ALTER EXTENSION {_q(one.object)} SET SCHEMA {one.expected};" if one.attribute == "schema" else ""


_HANDLERS: Final[Mapping[str, Callable[[Mender, Difference], str]]] = {
    "schema": _schema,
    "type": _type,
    "table": _table,
    "column": _column,
    "constraint": _constraint,
    "index": _index,
    "function": _function,
    "view": _view,
    "trigger": _trigger,
    "policy": _policy,
    "grant": _grant,
    "role": _role,
    "membership": _membership,
    "setting": _setting,
    "extension": _extension,
}
