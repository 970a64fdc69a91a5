"""What stands in the way of `setup apply`: everything that is missing, told at once, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass

from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.names import BUILTIN_ROLES, EXTENSION_SCHEMA, OWNER_ROLES, ROLES
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database
from wnadmin.postgres.errors import refuse_standby

SUPERUSER_BELOW = 16
"""Before 16 only a superuser can give roles the attributes REPLICATION and BYPASSRLS."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What ``setup/preflight`` saw; ``roles_…`` and ``grants_beyond_reach`` are names joined by commas."""

    in_recovery: bool
    read_only: bool
    is_template: bool
    encoding: str
    login: str
    is_superuser: bool
    can_create_database: bool
    can_create_role: bool
    has_replication: bool
    has_bypassrls: bool
    may_create_schemas: bool
    has_pgcrypto: bool
    pgcrypto_schema: str
    roles_beyond_reach: str
    grants_beyond_reach: str


def look(db: Database) -> Readiness:
    """Look at server, login and database."""
    lists = {"roles": ROLES, "owners": OWNER_ROLES, "builtin": BUILTIN_ROLES}
    (row,) = db.rows("queries/setup/preflight", Readiness, **{key: ",".join(names) for key, names in lists.items()})
    return row


def missing(db: Database, seen: Readiness, *, minimum: int, creating: bool) -> list[str]:
    """List what is missing, one sentence each.

    ``minimum`` is the oldest major the profile accepts. ``creating`` says that ``db`` is not the database to be set
    up but the one from which it will be created.
    """
    found: list[str] = []
    major = db.version // 10000
    if major < minimum:
        found.append(f"the server is PostgreSQL {major}; the minimum here is {minimum} (minimum_server of the profile)")
    if seen.read_only and not seen.in_recovery:
        found.append("transactions are read-only here (default_transaction_read_only is on); end read-only mode first")
    if not seen.has_pgcrypto and not seen.pgcrypto_schema:
        found.append("the extension pgcrypto is not installed on the server; install the contrib modules of its major")
    if creating:
        if not (seen.is_superuser or seen.can_create_database):
            found.append(f"{seen.login} may not create databases: ALTER ROLE {_name(seen.login)} CREATEDB")
    else:
        found += _missing_in_database(db, seen)
    return found + _missing_attributes(seen, major)


def _missing_in_database(db: Database, seen: Readiness) -> list[str]:
    found = []
    if not seen.may_create_schemas:
        found.append(
            f"{seen.login} may not create schemas in {db.name}: "
            f"GRANT CREATE ON DATABASE {_name(db.name)} TO {_name(seen.login)}"
        )
    if seen.encoding != "UTF8":
        found.append(f"{db.name} has the encoding {seen.encoding}; WonderNest needs UTF8: make a new one")
    if seen.pgcrypto_schema not in ("", EXTENSION_SCHEMA):
        found.append(
            f"the extension pgcrypto is in schema {seen.pgcrypto_schema}: CREATE SCHEMA {EXTENSION_SCHEMA}; "
            f"ALTER EXTENSION pgcrypto SET SCHEMA {EXTENSION_SCHEMA}"
        )
    return found


def _missing_attributes(seen: Readiness, major: int) -> list[str]:
    if seen.is_superuser:
        return []
    if major < SUPERUSER_BELOW:
        return [f"{seen.login} is not a superuser, which PostgreSQL {major} asks of whoever makes these roles"]
    wanted = {"CREATEROLE": seen.can_create_role, "REPLICATION": seen.has_replication, "BYPASSRLS": seen.has_bypassrls}
    lacking = [name for name, has in wanted.items() if not has]
    found = []
    if lacking:
        found.append(
            f"{seen.login} lacks {', '.join(lacking)}, which it must have to give them to roles: "
            f"ALTER ROLE {_name(seen.login)} {' '.join(lacking)}, or log in as a superuser"
        )
    if seen.roles_beyond_reach:
        found.append(
            f"another login made these roles, and {seen.login} is not a member of them: {seen.roles_beyond_reach}"
        )
    if seen.grants_beyond_reach:
        found.append(
            f"{seen.login} may not grant PostgreSQL's own roles: "
            f"GRANT {seen.grants_beyond_reach} TO {_name(seen.login)} WITH ADMIN OPTION"
        )
    return found


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def broken(bundle: Bundle) -> list[str]:
    """List what is wrong with the files: edited ones, and what psql, Flyway and one transaction do not agree on."""
    return [*bundle.edited(), *map(str, bundle.problems())]


def refuse_template(database: str) -> Refused:
    """The error for a database that others are copied from."""
    return Refused(
        f"{database} is a template database",
        why="Every database made from it afterwards would be a copy of WonderNest.",
        next="Name a database of its own, or let setup make one: --dsn 'dbname=NAME' --create",
    )


def require(db: Database, bundle: Bundle, *, minimum: int, creating: bool) -> None:
    """Refuse with the whole list when anything stands in the way."""
    seen = look(db)
    if seen.in_recovery:
        raise refuse_standby("`wnadmin setup apply`", "")
    if seen.is_template and not creating:
        raise refuse_template(db.name)
    faults = broken(bundle)
    found = [*missing(db, seen, minimum=minimum, creating=creating), *faults]
    if not found:
        return
    number = "one thing stands" if len(found) == 1 else f"{len(found)} things stand"
    follow = "Put this right and run it again; nothing was changed."
    if bundle.edited():
        follow = "Restore the files: install wnadmin again. (In a checkout, if the edit is meant: make v001 expected.)"
    why = "\n".join(f"- {one}" for one in found)
    raise Refused(f"{number} in the way of setting up WonderNest", why=why, next=follow)
