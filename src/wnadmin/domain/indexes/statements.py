"""Statements about tables that the catalog names, composed with the driver's own quoting."""

from __future__ import annotations

from collections.abc import Sequence

from wnadmin.postgres.sql import SQL, Composable, Identifier, Literal


def prepare(table: Sequence[str], columns: Sequence[str]) -> Composable:
    """Prepare the question, which wants whole rows; its parameters take the types of the columns."""
    terms = [SQL("t.{} = ${}").format(Identifier(name), SQL(str(n))) for n, name in enumerate(columns, 1)]
    return SQL("PREPARE wnadmin_question AS SELECT t FROM {} AS t WHERE {}").format(
        Identifier(*table), SQL(" AND ").join(terms)
    )


def explain(parameters: int) -> Composable:
    """Plan the prepared question, without running it."""
    nothing = SQL(", ").join([SQL("NULL")] * parameters)
    return SQL("EXPLAIN (FORMAT JSON) EXECUTE wnadmin_question({})").format(nothing)


def make(schema: str, table: Sequence[str], columns: Sequence[str]) -> Composable:
    """Tell hypopg of an index; gives its id."""
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in columns]
    place = ".".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in table)
    text = f"CREATE INDEX ON {place} ({', '.join(quoted)})"
    return SQL("SELECT h.indexrelid::bigint FROM {}.hypopg_create_index({}) AS h").format(
        Identifier(schema), Literal(text)
    )


def sized(schema: str, oid: int) -> Composable:
    """Ask hypopg how big the index would be, in bytes."""
    return SQL("SELECT {}.hypopg_relation_size({}::oid)").format(Identifier(schema), Literal(oid))


def forget(schema: str) -> Composable:
    """Tell hypopg to forget its indexes."""
    return SQL("SELECT {}.hypopg_reset()").format(Identifier(schema))
