"""What a database is to setup: empty, complete, partial (half-made) or foreign (someone else's)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.catalog import Catalog, capture
from wnadmin.domain.setup.compare import Difference, compare
from wnadmin.domain.setup.flyway import HistoryRow, Version
from wnadmin.domain.setup.names import EXTENSION_SCHEMA, SCHEMAS
from wnadmin.errors import Refused
from wnadmin.postgres.database import Database

Kind = Literal["empty", "complete", "partial", "foreign"]

FIRST: Final = Version("001")
_OWN_OBJECTS: Final = ("type", "table", "view", "function", "other")
# Whoever has recorded V001 had all of it at once; an index or a grant that is gone since was taken away by
# someone and is drift. What is listed here cannot be missing from a database that works.
_ESSENTIAL: Final = ("schema", "type", "table", "column", "constraint", "function", "view", "trigger", "policy")
# Roles and what hangs on them belong to the cluster.
_CLUSTER: Final = ("role", "membership", "setting", "default privilege")


@dataclass(frozen=True, slots=True)
class Classification:
    """The judgement, and in ``found`` the sentences that explain it.

    ``strangers`` are objects outside of WonderNest's schemas. ``history`` is None without a history table.
    ``differences`` is the comparison with ``expected.json``, empty when none of our schemas is there.
    """

    kind: Kind
    found: tuple[str, ...]
    present: tuple[str, ...]
    absent: tuple[str, ...]
    strangers: tuple[str, ...]
    history: tuple[HistoryRow, ...] | None
    differences: tuple[Difference, ...] = ()

    @property
    def version(self) -> Version | None:
        """The highest version that the history holds as applied."""
        versions = flyway.applied(self.history or ())
        return versions[-1] if versions else None

    @property
    def migrated(self) -> bool:
        """Whether migrations went beyond what setup makes, so that ``expected.json`` does not describe it."""
        return self.version is not None and self.version > FIRST

    @property
    def recorded(self) -> bool:
        """Whether the history says that V001 was applied."""
        return FIRST in flyway.applied(self.history or ())


@dataclass(frozen=True, slots=True)
class _Stranger:
    schema_name: str
    object: str


def classify(db: Database, expected: Catalog) -> Classification:
    """Look at the database and judge it against ``expected``; changes nothing."""
    answer = db.session.run("SELECT n.nspname::text FROM pg_catalog.pg_namespace AS n")
    there = {str(row[0]) for row in answer.rows}
    present = tuple(name for name in SCHEMAS if name in there)
    absent = tuple(name for name in SCHEMAS if name not in there)
    known = ",".join((*SCHEMAS, EXTENSION_SCHEMA))
    strangers = tuple(row.object for row in db.rows("queries/setup/strangers", _Stranger, schemas=known))
    history = flyway.read_history(db.session)
    if not present:
        kind, found = _without_schemas(strangers, history or ())
        return Classification(kind, found, present, absent, strangers, history)
    actual = capture(db)
    differences = tuple(compare(expected, actual))
    kind, found = _with_schemas(expected, actual, differences, present, absent, history)
    return Classification(kind, found, present, absent, strangers, history, differences)


def _without_schemas(strangers: Sequence[str], history: Sequence[HistoryRow]) -> tuple[Kind, tuple[str, ...]]:
    if FIRST in flyway.applied(history) and any(row.description == "initial schema" for row in history):
        return "partial", ("the migration history holds V001, but none of its schemas is there",)
    found = []
    if history:
        found.append(f"a migration history with {_count(len(history), 'row')}, none of them WonderNest's")
    if strangers:
        found.append(f"{_count(len(strangers), 'object')} that WonderNest does not know: {_some(strangers)}")
    return ("foreign", tuple(found)) if found else ("empty", ())


def _with_schemas(
    expected: Catalog,
    actual: Catalog,
    differences: Sequence[Difference],
    present: Sequence[str],
    absent: Sequence[str],
    history: Sequence[HistoryRow] | None,
) -> tuple[Kind, tuple[str, ...]]:
    ours = sum(len(expected.names(kind) & actual.names(kind)) for kind in _OWN_OBJECTS)
    others = sorted(name for kind in _OWN_OBJECTS for name in actual.names(kind) - expected.names(kind))
    if not ours and others:
        return "foreign", (
            f"schemas of these names with nothing of WonderNest in them: {', '.join(present)}",
            f"{_count(len(others), 'object')} that WonderNest does not know: {_some(others)}",
        )
    versions = flyway.applied(history or ())
    failed = [row for row in history or () if not row.success and row.version is not None]
    if any(flyway.parse_version(str(row.version)) == FIRST for row in failed) and FIRST not in versions:
        return "partial", ("the migration history says that V001 failed",)
    if versions and versions[-1] > FIRST:
        return "complete", (f"migrations went on from V001 to version {versions[-1].text}",)
    recorded = FIRST in versions
    missing = [
        one
        for one in differences
        if one.change == "missing" and one.kind not in _CLUSTER and (not recorded or one.kind in _ESSENTIAL)
    ]
    if not missing:
        return "complete", ()
    found = [f"schemas there: {', '.join(present)}"]
    if absent:
        found.append(f"schemas missing: {', '.join(absent)}")
    whole = [one for one in missing if not _inside(one, absent)]
    if whole:
        found.append(f"{_count(len(whole), 'object')} missing: {_some([f'{one.kind} {one.object}' for one in whole])}")
    found.append("the migration history holds V001" if recorded else "the migration history does not hold V001")
    return "partial", tuple(found)


def _inside(one: Difference, schemas: Sequence[str]) -> bool:
    return any(one.object == name or f"{name}." in one.object for name in schemas)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _some(names: Sequence[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def told(database: str, found: Classification) -> str:
    """Say in one or two sentences that there is nothing to do, and what else was seen."""
    sentences = [f"{database} is complete"]
    if found.migrated and found.version is not None:
        sentences[0] += f", at migration {found.version.text}"
    elif not found.recorded:
        sentences.append("its migration history does not hold V001 (it was made without wnadmin or Flyway)")
    if found.differences and not found.migrated:
        number = len(found.differences)
        sentences.append(f"{number} {'fact has' if number == 1 else 'facts have'} changed since: wnadmin setup verify")
    return "; ".join(sentences) + ". Nothing to do."


def require_empty(database: str, found: Classification) -> None:
    """Refuse a half-made or foreign database with what was found in it."""
    if found.kind == "empty":
        return
    why = "\n".join(f"- {one}" for one in found.found)
    if found.kind == "foreign":
        raise Refused(
            f"{database} belongs to something else",
            why=why,
            next="Name an empty database, or let setup make one: --dsn 'dbname=NAME' --create",
        )
    raise Refused(
        f"{database} holds a half-made WonderNest database",
        why=why,
        next="Restore it from a backup, or, if nothing in it is needed, drop it and run setup again with --create.",
    )
