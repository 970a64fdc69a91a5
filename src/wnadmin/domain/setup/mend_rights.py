"""Statements that mend who may do what: privileges, roles, memberships, settings, extensions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from wnadmin.domain.setup.compare import Difference
from wnadmin.domain.setup.mend_base import Known, facts, identifier, literal, q, strings
from wnadmin.results import Json

READ_ONLY: Final = "default_transaction_read_only"
_TYPES: Final = {"view": "TABLE", "table": "TABLE", "sequence": "SEQUENCE", "function": "FUNCTION", "schema": "SCHEMA"}
_ROLE_WORDS: Final = ("login", "superuser", "createrole", "createdb", "replication", "bypassrls", "inherit")
_LISTS: Final = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")
"""Settings whose value is a list of names, stored with the quotes they need."""


def _privileges(value: Json) -> dict[str, bool]:
    """Privileges, each with whether it may be granted on."""
    text = facts(value).get("privileges", value) if value is not None else ""
    return {part.rstrip("*"): part.endswith("*") for part in str(text).split(", ") if part}


def grant(known: Known, one: Difference) -> str:
    """Grant what is missing, revoke what is too much."""
    what, _, role = one.object.rpartition(" to ")
    kind, _, name = what.partition(" ")
    if words := known.goes_with(kind, name):
        return words
    if role == "its owner":
        return _own(known, one, kind, name)
    if kind == "database" and role == known.owner:
        return f"{known.owner} owns the database now: give it back with ALTER DATABASE … OWNER TO"
    on = _on(known, kind, name, ["{}"])
    return " ".join(_change(on, role, _privileges(one.expected), _privileges(one.actual)))


def _change(on: str, role: str, wanted: dict[str, bool], there: dict[str, bool]) -> list[str]:
    """``on`` has ``{}`` where the privileges are named."""
    found = []
    new = [one for one in wanted if one not in there or (wanted[one] and not there[one])]
    for option, tail in ((False, ""), (True, " WITH GRANT OPTION")):
        if listed := [one for one in new if wanted[one] is option]:
            found.append(f"GRANT {_named(on, listed)} TO {role}{tail};")
    if gone := [one for one in there if one not in wanted]:
        found.append(f"REVOKE {_named(on, gone)} FROM {role};")
    if less := [one for one in there if there[one] and one in wanted and not wanted[one]]:
        found.append(f"REVOKE GRANT OPTION FOR {_named(on, less)} FROM {role};")
    return found


def _named(on: str, privileges: Sequence[str]) -> str:
    head, _, tail = on.partition(" ON ")
    return ", ".join(head.format(one) for one in privileges) + f" ON {tail}"


def _on(known: Known, kind: str, name: str, privileges: Sequence[str]) -> str:
    if kind == "column":
        table, _, column = name.rpartition(".")
        return ", ".join(f"{one} ({q(column)})" for one in privileges) + f" ON TABLE {q(table)}"
    listed = ", ".join(privileges)
    if kind == "database":
        return f"{listed} ON DATABASE {identifier(known.database)}"
    if kind == "function":
        return f"{listed} ON ROUTINE {name}"
    return f"{listed} ON {_TYPES.get(kind, kind.upper())} {q(name)}"


def _own(known: Known, one: Difference, kind: str, name: str) -> str:
    owner = known.owner if kind == "database" else known.facts(kind, name).get("owner")
    if not owner:
        return ""
    everything = _on(known, kind, name, ["ALL"])
    if one.change == "unexpected":
        return f"GRANT {everything} TO {owner};"
    wanted = list(_privileges(known.facts("grant", one.object)))
    back = f"REVOKE {everything} FROM {owner};"
    return f"{back} GRANT {_on(known, kind, name, wanted)} TO {owner};" if wanted else back


def role(known: Known, one: Difference) -> str:
    """Mend a role."""
    name = q(one.object)
    if one.change == "missing":
        return _create_role(one)
    if one.attribute == "connection_limit":
        return f"ALTER ROLE {name} CONNECTION LIMIT {one.expected};"
    if one.attribute in _ROLE_WORDS:
        return f"ALTER ROLE {name} {'' if one.expected else 'NO'}{one.attribute.upper()};"
    if one.attribute == "settings":
        wanted = dict(each.split("=", 1) for each in strings(one.expected))
        there = dict(each.split("=", 1) for each in strings(one.actual))
        found = [f"ALTER ROLE {name} RESET {key};" for key in there if key not in wanted]
        found += [f"ALTER ROLE {name} {_set(key, value)};" for key, value in wanted.items() if there.get(key) != value]
        return " ".join(found)
    return ""


def _create_role(one: Difference) -> str:
    wanted = facts(one.expected)
    words = [word.upper() if wanted[word] else f"NO{word.upper()}" for word in _ROLE_WORDS]
    found = [f"CREATE ROLE {q(one.object)} {' '.join(words)} CONNECTION LIMIT {wanted['connection_limit']};"]
    for each in strings(wanted["settings"]):
        key, _, value = each.partition("=")
        found.append(f"ALTER ROLE {q(one.object)} {_set(key, value)};")
    return " ".join(found)


def _set(name: str, value: str) -> str:
    return f"SET {name} = {value}" if name in _LISTS else f"SET {name} = {literal(value)}"


def membership(known: Known, one: Difference) -> str:
    """Mend who is a member of what."""
    member, _, group = one.object.partition(" in ")
    if one.change == "unexpected":
        return f"REVOKE {q(group)} FROM {q(member)};"
    if one.attribute == "admin" and not one.expected:
        return f"REVOKE ADMIN OPTION FOR {q(group)} FROM {q(member)};"
    if one.attribute in ("inherit", "set"):
        return f"GRANT {q(group)} TO {q(member)} WITH {one.attribute.upper()} {'TRUE' if one.expected else 'FALSE'};"
    admin = " WITH ADMIN OPTION" if known.facts("membership", one.object).get("admin") else ""
    return f"GRANT {q(group)} TO {q(member)}{admin};"


def setting(known: Known, one: Difference) -> str:
    """Mend a setting of the database, or of a role in it."""
    who, _, name = one.object.partition(" ")
    database = identifier(known.database)
    head = f"ALTER DATABASE {database}" if who == "everyone" else f"ALTER ROLE {q(who)} IN DATABASE {database}"
    if one.change == "unexpected":
        made = f"{head} RESET {name};"
    else:
        made = f"{head} {_set(name, str(known.facts('setting', one.object)['value']))};"
    # Where everything is read-only, this is too, unless it says otherwise; and so is what is run after it.
    return f"SET {name} = off; BEGIN READ WRITE; {made} COMMIT;" if name == READ_ONLY else made


def extension(known: Known, one: Difference) -> str:
    """Mend an extension that the files need."""
    if one.change == "missing":
        return f"CREATE EXTENSION {q(one.object)} SCHEMA {facts(one.expected)['schema']};"
    return f"ALTER EXTENSION {q(one.object)} SET SCHEMA {one.expected};" if one.attribute == "schema" else ""


def default_privilege(known: Known, one: Difference) -> str:
    """Mend what new objects of a role will allow."""
    head, _, who = one.object.rpartition(" to ")
    maker, _, rest = head.partition(" ")
    kind, _, where = rest.partition(" in ")
    alter = f"ALTER DEFAULT PRIVILEGES FOR ROLE {q(maker)}" + (f" IN SCHEMA {q(where)}" if where else "")
    if one.change == "missing" and who == maker and not where:
        # Nothing but the maker's own right is told where what everybody has by itself was taken away.
        return f"{alter} REVOKE ALL ON {kind.upper()} FROM PUBLIC;"
    wanted, there = _privileges(one.expected), _privileges(one.actual)
    return " ".join(f"{alter} {change}" for change in _change(f"{{}} ON {kind.upper()}", who, wanted, there))


_WITHOUT_ROWS: Final = ("view", "function", "type", "operator", "collation", "text search configuration")
_SIMPLE: Final = re.compile(r"[a-z_][a-z0-9_]*\.[^\s\"();]+(\([^\";]*\))?")
_DROPS: Final = ("event trigger", "publication", "foreign data wrapper", "foreign server", "extension")


def beside(known: Known, one: Difference) -> str:
    """Say how to get rid of what no file makes; what holds rows of somebody is only told."""
    if one.change == "different":
        return "see what it is for, and who changed it"
    for word in _DROPS:
        if one.object.startswith(f"{word} ") and one.change == "unexpected":
            kind = word.removeprefix("foreign ") if word == "foreign server" else word
            return f"DROP {kind.upper()} {identifier(one.object.removeprefix(f'{word} '))};"
    if one.change == "missing":
        return "a migration makes it: compare it with the file"
    if one.object.startswith("right to create in "):
        return f"REVOKE CREATE ON SCHEMA public FROM {one.object.rpartition(' to ')[2]};"
    if one.object.startswith("right to write "):
        privileges = facts(one.actual)["privileges"]
        return f"REVOKE {privileges} ON TABLE public.flyway_schema_history FROM {one.object.rpartition(' to ')[2]};"
    if one.object.startswith("default privilege "):
        of = Difference(one.kind, one.object.removeprefix("default privilege "), "", None, one.actual)
        return default_privilege(known, of)
    if one.object.startswith("planner setting of "):
        return _planner(one)
    schema = str(facts(one.actual).get("schema", "public"))
    if schema != "public" and not one.object.startswith("schema "):
        return "it goes with its schema"
    if one.object.startswith("cast "):
        source, _, target = one.object.removeprefix("cast ").partition(" as ")
        return f"DROP CAST ({source} AS {target});"
    for word in _WITHOUT_ROWS:
        name = one.object.removeprefix(f"{word} ")
        if name != one.object and _SIMPLE.fullmatch(name):
            return f"DROP {word.upper().replace('FUNCTION', 'ROUTINE')} {name};"
    return "nothing of WonderNest needs it; if nobody else does, drop it by hand"


def _planner(one: Difference) -> str:
    table, _, column = one.object.removeprefix("planner setting of column ").rpartition(".")
    there = facts(one.actual)
    alter = f"ALTER TABLE {q(table)} ALTER COLUMN {q(column)}"
    found = []
    if "storage" in there:
        words = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
        found.append(f"{alter} SET STORAGE {words[str(there['usual_storage'])]};")
    if "compression" in there:
        found.append(f"{alter} SET COMPRESSION DEFAULT;")
    if "statistics" in there:
        found.append(f"{alter} SET STATISTICS -1;")
    if names := [each.partition("=")[0] for each in strings(there.get("options"))]:
        found.append(f"{alter} RESET ({', '.join(names)});")
    return " ".join(found)
