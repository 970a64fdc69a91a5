"""CREATE DATABASE, so that what is sorted and compared does not depend on where the server happens to run."""

from __future__ import annotations

from wnadmin.postgres.database import Database
from wnadmin.postgres.sql import SQL, Composable, Composed, Identifier, Literal


def create_database(db: Database, name: str) -> Composed:
    """Compose CREATE DATABASE with a locale that does not depend on where the server happens to run."""
    locale: Composable = SQL("LOCALE 'C'")
    if db.version >= 170000:
        locale = SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'")
    else:
        there = db.session.scalar(
            "SELECT c.collcollate FROM pg_catalog.pg_collation AS c"
            " WHERE c.collprovider = 'c' AND lower(c.collname) IN ('c.utf8', 'c.utf-8') ORDER BY c.collname LIMIT 1"
        )
        if there:
            locale = SQL("LOCALE {}").format(Literal(there))
    return SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' {}").format(Identifier(name), locale)
