"""Statements that depend on what the catalog holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wnadmin.domain.backup.values import DatabaseFacts, Setting
from wnadmin.errors import UsageError
from wnadmin.postgres.sql import SQL, Composable, Composed, Identifier, Literal

READ_ONLY: Final = "default_transaction_read_only"

_PRIVILEGES: Final = {"C": "CREATE", "T": "TEMPORARY", "c": "CONNECT"}
_LISTS: Final = frozenset(
    {
        "search_path",
        "session_preload_libraries",
        "local_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
"""Settings that are lists of names: quoted as one word they would be one name."""


def proof(schema: str, table: str) -> Composed:
    """Count the rows of a table and add up their hashes.

    A sum does not depend on the order of the rows; ``t.*`` is the row even where a column is called t.
    """
    return SQL(
        "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended((t.*)::text, 0))::text"
        " FROM ONLY {} AS t"
    ).format(Identifier(schema, table))


def standings(sequences: Sequence[tuple[str, str]]) -> Composed:
    """Read where sequences stand, a row each with its number in the list."""
    return SQL(" UNION ALL ").join(
        SQL("SELECT {}::int, s.last_value, s.is_called FROM {} AS s").format(Literal(number), Identifier(schema, name))
        for number, (schema, name) in enumerate(sequences)
    )


def create_database(facts: DatabaseFacts, name: str, server_major: int) -> Composed:
    """Make an empty database with the encoding and locale that the dumped one had."""
    words: list[Composable] = [
        SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
            Identifier(name), Literal(facts.encoding), Literal(facts.collate), Literal(facts.ctype)
        )
    ]
    if facts.provider == "b" and server_major < 17:
        raise UsageError(
            "the dumped database has the builtin locale provider, which this server does not know",
            next="Restore it on PostgreSQL 17 or newer.",
        )
    if facts.provider == "i":
        words.append(SQL("LOCALE_PROVIDER icu ICU_LOCALE {}").format(Literal(facts.locale or "und")))
        if facts.icu_rules:
            words.append(SQL("ICU_RULES {}").format(Literal(facts.icu_rules)))
    elif facts.provider == "b":
        words.append(SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(Literal(facts.locale or "C")))
    else:
        words.append(SQL("LOCALE_PROVIDER libc"))
    return SQL(" ").join(words)


def drop_database(name: str) -> Composed:
    """Drop a scratch database, whoever is in it."""
    return SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))


def rename(name: str, new: str) -> Composed:
    """Give a database, which nobody is in, another name."""
    return SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(name), Identifier(new))


def close_to_others(name: str) -> Composed:
    """Let nobody but its owner and superusers into a database."""
    return SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(name))


def comment_on(name: str, text: str | None) -> Composed:
    """Say something of a database, or nothing more."""
    return SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(name), Literal(text))


@dataclass(frozen=True, slots=True)
class Grant:
    """One aclitem taken apart: who may do what, and for which of it they may let others."""

    grantee: str
    privileges: tuple[tuple[str, bool], ...]


def parse_acl(item: str) -> Grant:
    """Read an aclitem such as ``=c/owner`` or ``"odd name"=Cc*/owner``; UsageError for anything else."""
    match = re.fullmatch(r'(?P<who>"(?:[^"]|"")*"|[^="/]*)=(?P<what>[A-Za-z*]*)/.*', item, re.DOTALL)
    if match is None:
        raise UsageError(f"{item!r} is no privilege of a database")
    who = match["who"]
    name = who[1:-1].replace('""', '"') if who.startswith('"') else who
    found = re.findall(r"([A-Za-z])(\*?)", match["what"])
    return Grant(name, tuple((_PRIVILEGES[letter], bool(star)) for letter, star in found if letter in _PRIVILEGES))


def belongings(facts: DatabaseFacts, settings: Sequence[Setting], name: str) -> list[Composed]:
    """Give a restored database its owner, limit, privileges, settings and comment back.

    Read-only mode is not among them: it is a state, not a property.
    """
    there = Identifier(name)
    made = [SQL("ALTER DATABASE {} OWNER TO {}").format(there, Identifier(facts.owner))]
    made.append(SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(there, Literal(facts.connection_limit)))
    if facts.acl is not None:
        made.append(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(there))
        made.append(SQL("REVOKE ALL ON DATABASE {} FROM {}").format(there, Identifier(facts.owner)))
        for item in facts.acl:
            one = parse_acl(item)
            grantee = Identifier(one.grantee) if one.grantee else SQL("PUBLIC")
            for privilege, may_grant in one.privileges:
                made.append(
                    SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                        SQL(privilege), there, grantee, SQL(" WITH GRANT OPTION" if may_grant else "")
                    )
                )
    else:
        # What every database begins with, and a restore in the making has not.
        made.append(SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(there))
    for setting in settings:
        if setting.name == READ_ONLY:
            continue
        value = _value(setting)
        if setting.role is None:
            made.append(SQL("ALTER DATABASE {} SET {} TO {}").format(there, _named(setting.name), value))
        else:
            made.append(
                SQL("ALTER ROLE {} IN DATABASE {} SET {} TO {}").format(
                    Identifier(setting.role), there, _named(setting.name), value
                )
            )
    made.append(comment_on(name, facts.comment))
    return made


def _value(setting: Setting) -> Composed:
    if setting.name.lower() not in _LISTS:
        return Composed([Literal(setting.value)])
    # Quoted as one word it would be one name.
    names = [quoted or plain.strip() for quoted, plain in re.findall(r'"((?:[^"]|"")*)"|([^,"]+)', setting.value)]
    words = [Literal(one.replace('""', '"')) for one in names if one]
    return SQL(", ").join(words) if words else Composed([Literal("")])


def _named(setting: str) -> Composed:
    return SQL(".").join(Identifier(part) for part in setting.split("."))
