"""What is known about a backup, as values; the sidecar is one of them written as JSON."""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar

from wnadmin.errors import UsageError

T = TypeVar("T")

SIDECAR: Final = "wnadmin/backup/1"
"""What a sidecar is called in itself."""
VERIFIED: Final = "wnadmin/backup-verified/1"

Level: TypeAlias = Literal["file", "archive", "restore", "content"]
LEVELS: Final[tuple[Level, ...]] = ("file", "archive", "restore", "content")
"""How far a proof went: the bytes are those that were written; the archive can be read to its end; a database was
made of it; that database holds the same rows."""

Format: TypeAlias = Literal["custom", "directory"]


@dataclass(frozen=True, slots=True)
class TableProof:
    """A table or leaf partition in the snapshot: its rows, and the sum of the hashes of their texts."""

    schema: str
    name: str
    rows: int
    hash: str

    @property
    def path(self) -> str:
        """Name it for people."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class SequenceProof:
    """Where a sequence stood when the snapshot was exported (``first``), and once pg_dump had ended (``last``).

    A sequence belongs to no snapshot: what pg_dump read lies between the two. ``step`` is its increment, a negative
    one goes down; one that ``cycles`` begins again at its end. ``…_called``: whether that value was given out.
    """

    schema: str
    name: str
    step: int
    cycles: bool
    first: int
    first_called: bool
    last: int
    last_called: bool

    @property
    def path(self) -> str:
        """Name it for people."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectsProof:
    """The large objects in the snapshot: how many, and one hash of all, None where the login could not read them."""

    count: int
    hash: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the dump: its path inside a directory dump, '' for a dump that is one file."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that ALTER DATABASE, or ALTER ROLE … IN DATABASE where ``role`` is given, left behind."""

    role: str | None
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What belongs to a database and is lost by a restore without CREATE DATABASE.

    ``provider`` is pg_database's letter (b, c, i), ``acl`` aclitems as text, None where nothing was ever granted.
    """

    name: str
    owner: str
    encoding: str
    provider: str
    collate: str
    ctype: str
    locale: str | None
    icu_rules: str | None
    connection_limit: int
    acl: tuple[str, ...] | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition and its bounds, as the catalog prints them in UTC."""

    parent: str
    name: str
    bound: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A row of the migration history."""

    version: str | None
    description: str
    checksum: int | None
    success: bool


@dataclass(frozen=True, slots=True)
class Sidecar:
    """All that is known of one backup. ``snapshot_at`` is the moment that its rows are of; times are in UTC.

    Neither it nor ``lsn`` is after the snapshot: whoever was erased later is in the dump.
    ``file`` is the dump's name beside the sidecar, ``sha256`` the hash of the one file, or of the list of ``parts``.
    ``recipients`` are age's public keys, empty for a dump in the clear. ``client`` is the version of pg_dump.
    """

    name: str
    file: str
    format: Format
    bytes: int
    sha256: str
    parts: tuple[Part, ...]
    recipients: tuple[str, ...]
    compress: str
    jobs: int
    created_at: datetime
    snapshot_at: datetime
    expires_at: datetime
    lsn: str
    system_identifier: str
    standby: bool
    read_only: bool
    server: str
    server_major: int
    client: str
    wnadmin: str
    database: DatabaseFacts
    settings: tuple[Setting, ...]
    migrations: tuple[Migration, ...] | None
    partitions: tuple[Partition, ...]
    tables: tuple[TableProof, ...]
    sequences: tuple[SequenceProof, ...]
    large_objects: ObjectsProof
    hash_milliseconds: int
    dump_milliseconds: int
    globals: str

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return sum(one.rows for one in self.tables)

    @property
    def encrypted(self) -> bool:
        """Whether a secret key is needed to read it."""
        return bool(self.recipients)


@dataclass(frozen=True, slots=True)
class Verified:
    """The furthest proof of a backup that succeeded, if any, and the last attempt, if that failed since.

    ``sha256`` is the sidecar's own, so that a proof is not taken over by another backup of that name.
    """

    sha256: str
    level: Level | None
    at: datetime
    failed: Level | None = None
    failed_at: datetime | None = None
    detail: str = ""


def list_hash(parts: tuple[Part, ...]) -> str:
    """Give one hash for the files of a dump: of the only one, or of the list of all."""
    if len(parts) == 1 and not parts[0].path:
        return parts[0].sha256
    text = "".join(f"{one.sha256}  {one.bytes}  {one.path}\n" for one in sorted(parts, key=lambda p: p.path))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def write(value: Sidecar | Verified) -> bytes:
    """Write it as JSON with its schema and a hash over all the rest, so that a slip of an editor shows."""
    facts = {"schema": SIDECAR if isinstance(value, Sidecar) else VERIFIED, **asdict(value)}
    facts["self"] = _own_hash(facts)
    return (json.dumps(facts, indent=1, ensure_ascii=True, default=_plain) + "\n").encode()


def read(data: bytes, kind: type[T]) -> T:
    """Read what :func:`write` wrote; UsageError when it is something else or was changed since."""
    schema = SIDECAR if kind is Sidecar else VERIFIED
    try:
        facts = json.loads(data)
        if not isinstance(facts, dict) or facts.get("schema") != schema:
            raise UsageError(f"it is no {schema}")
        own = facts.pop("self", "")
        if own != _own_hash(facts):
            raise UsageError("it was changed after it was written: its own hash does not fit")
        facts.pop("schema")
        return typing.cast("T", _decode(kind, facts))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"it is no {schema}: {error.__class__.__name__}") from None


def _own_hash(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value.__class__.__name__} has no place in a sidecar")


def _decode(kind: Any, value: Any) -> Any:
    """Build a value of a type hint from JSON; a wrong type is a TypeError, a missing key a KeyError."""
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _decode(next(one for one in choices if one is not type(None)), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError("a list is missing")
        return tuple(_decode(choices[0], one) for one in value)
    if origin is Literal:
        if value not in choices:
            raise TypeError("an unknown word")
        return value
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise TypeError("a time without its zone")
        return moment
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise TypeError("an object is missing")
        hints = typing.get_type_hints(kind)
        return kind(**{one.name: _decode(hints[one.name], value[one.name]) for one in fields(kind)})
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError("a value of another type")
    return value
