"""Composition of SQL whose identifiers come from the catalog: the driver's own quoting, re-exported.

Statements known beforehand live in ``sql/`` as files; this is for those that depend on what the catalog holds.
"""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

__all__ = ["SQL", "Composable", "Composed", "Identifier", "Literal"]
