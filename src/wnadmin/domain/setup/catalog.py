"""What a database is: every object of WonderNest's, by kind and name, with the facts that matter.

Captured with ``search_path = pg_catalog, pg_temp`` (every session has it), so that the server's own deparsing
qualifies all names and the text is the same everywhere. Partitions are left out here and looked at by their own
query, because their number is a matter of the calendar.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wnadmin.domain.setup.names import EXTENSION_SCHEMA, ROLES, SCHEMAS
from wnadmin.postgres.database import Database
from wnadmin.results import Json

Facts = Mapping[str, Json]
Objects = Mapping[str, Mapping[str, Facts]]
"""Kind → name → facts."""

_BY_SCHEMA: Final = {
    "schema": "schemas",
    "type": "types",
    "table": "tables",
    "column": "columns",
    "constraint": "constraints",
    "index": "indexes",
    "function": "functions",
    "view": "views",
    "trigger": "triggers",
    "policy": "policies",
    "other": "others",
    "grant": "grants",
}
_BY_ROLE: Final = {
    "role": "roles",
    "membership": "memberships",
    "setting": "settings",
    "default privilege": "default_privileges",
}
KINDS: Final = (*_BY_SCHEMA, "extension", *_BY_ROLE)
"""Every kind of object, in the order in which differences are shown."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The objects of one database, and the major of the server that described them."""

    major: int
    objects: Objects

    def names(self, kind: str) -> frozenset[str]:
        """The names of all objects of ``kind``."""
        return frozenset(self.objects.get(kind, {}))


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    facts: dict[str, Any]


def capture(db: Database) -> Catalog:
    """Read the whole catalog of WonderNest; about 20 queries, no locks beyond those of reading catalogs."""
    schemas, roles = ",".join((*SCHEMAS, EXTENSION_SCHEMA)), ",".join(ROLES)
    found: dict[str, dict[str, Facts]] = {}
    for kind in KINDS:
        if kind in _BY_SCHEMA:
            rows = db.rows(f"queries/catalog/{_BY_SCHEMA[kind]}", _Row, schemas=schemas)
        elif kind in _BY_ROLE:
            rows = db.rows(f"queries/catalog/{_BY_ROLE[kind]}", _Row, roles=roles)
        else:
            rows = db.rows("queries/catalog/extensions", _Row)
        found[kind] = {row.name: row.facts for row in rows}
    return Catalog(db.version // 10000, found)


def dump(catalog: Catalog, head: Mapping[str, Json]) -> str:
    """Write as JSON with one object a line, sorted, so that a change of the database is a change of few lines."""
    lines = ["{"]
    for key, value in head.items():
        if isinstance(value, Mapping):
            rows = [f"    {_json(name)}: {_json(one)}" for name, one in sorted(value.items())]
            lines.append(f"  {_json(key)}: {{\n" + ",\n".join(rows) + "\n  },")
        else:
            lines.append(f"  {_json(key)}: {_json(value)},")
    lines += [f'  "major": {catalog.major},', '  "objects": {']
    kinds = [kind for kind in KINDS if catalog.objects.get(kind)]
    for kind in kinds:
        lines.append(f"    {_json(kind)}: {{")
        rows = [f"      {_json(name)}: {_json(facts)}" for name, facts in sorted(catalog.objects[kind].items())]
        lines.append(",\n".join(rows))
        lines.append("    }" if kind == kinds[-1] else "    },")
    return "\n".join((*lines, "  }", "}", ""))


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
