"""What a database holds beside the ten schemas, and what its comments say: too much for the expected catalog.

Objects that no file makes are no fault of the schema, but somebody should know of them: a table in ``public``, a
publication that copies rows away, an event trigger. The files make none, so what is expected is nothing, or what a
shadow has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.catalog import Facts
from wnadmin.domain.setup.compare import Difference, compare_kind
from wnadmin.domain.setup.names import EXTENSION_SCHEMA, ROLES, SCHEMAS
from wnadmin.postgres.database import Database

BESIDE: Final = "beside"
"""The kind of a difference about something that is not WonderNest's; its object begins with the kind of thing."""

COMMENT: Final = "comment"

_STATEMENT: Final = re.compile(
    r"^COMMENT ON (?P<kind>[A-Z ]+?) (?P<name>[a-z_\x22][\w.\x22]*(?:\([^)]*\))?) IS\s+"
    r"(?P<text>'(?:[^']|'')*'(?:\s*\n\s*'(?:[^']|'')*')*);",
    re.MULTILINE,
)
_TYPES: Final = {"int": "integer", "bool": "boolean", "timestamptz": "timestamp with time zone"}


@dataclass(frozen=True, slots=True)
class Beside:
    """``things`` by kind and name (``publication all``), ``comments`` by what they are on (``table core.users``)."""

    things: Mapping[str, Facts]
    comments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Thing:
    kind: str
    name: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Stranger:
    schema_name: str
    object: str


@dataclass(frozen=True, slots=True)
class _Comment:
    name: str
    comment: str


def look(db: Database) -> Beside:
    """Look at what is there; catalogs only."""
    schemas = ",".join((*SCHEMAS, EXTENSION_SCHEMA))
    strangers = db.rows("queries/setup/strangers", _Stranger, schemas=schemas)
    things: dict[str, Facts] = {row.object: {"schema": row.schema_name} for row in strangers}
    for row in db.rows("queries/setup/beside", _Thing, schemas=schemas, roles=",".join(ROLES)):
        things[f"{row.kind} {row.name}"] = row.facts
    comments = {row.name: row.comment for row in db.rows("queries/setup/comments", _Comment, schemas=schemas)}
    return Beside(things, comments)


def written(bundle: Bundle) -> Beside:
    """Say what files 01 to 07 make: nothing beside, and the comments that stand in them."""
    found: dict[str, str] = {}
    for file in bundle.files:
        for match in _STATEMENT.finditer(file.text):
            pieces = re.findall(r"'((?:[^']|'')*)'", match["text"])
            found[_name(match["kind"].lower(), match["name"])] = "".join(pieces).replace("''", "'")
    # Roles belong to the cluster.
    return Beside({}, {name: text for name, text in found.items() if not name.startswith("role ")})


def _name(kind: str, name: str) -> str:
    head, bracket, arguments = name.replace('"', "").partition("(")
    if not bracket:
        return f"{kind} {head}"
    types = (one.strip() for one in arguments.removesuffix(")").split(",") if one.strip())
    return f"{kind} {head}({', '.join(_TYPES.get(one, one) for one in types)})"


def differ(expected: Beside, actual: Beside) -> Iterator[Difference]:
    """List what stands beside in one of the two only, and the comments that say something else."""
    yield from compare_kind(BESIDE, expected.things, actual.things)
    for name in sorted(expected.comments.keys() | actual.comments.keys()):
        left, right = expected.comments.get(name), actual.comments.get(name)
        if left != right:
            attribute = "text" if left is not None and right is not None else ""
            yield Difference(COMMENT, name, attribute, left, right)
