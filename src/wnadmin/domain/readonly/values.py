"""What the domain speaks of: a database and its roles as they are, what is kept of them, what is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

Level: TypeAlias = Literal["soft", "drain", "fence"]

LEVELS: Final[tuple[Level, ...]] = ("soft", "drain", "fence")
"""From the weakest to the strongest; each does what the one before it does."""

READ_ONLY: Final = "default_transaction_read_only"
EVERYBODY: Final = ""
"""The name that the catalog queries give PUBLIC."""

SPARED: Final = ("audit.ledger_append", "audit.ledger_checkpoint")
"""Functions that go on writing under a fence: what operators do is recorded all the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """The database and this login. ``kept`` and ``cut`` are what `readonly on` left in the database's settings."""

    system_identifier: str
    database_oid: int
    database: str
    in_recovery: bool
    login: str
    is_superuser: bool
    owns_database: bool
    may_remember: bool
    sees_sessions: bool
    kept: str | None
    cut: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Set:
    """One setting of default_transaction_read_only. ``role`` None is everybody, ``here`` in this database only."""

    role: str | None
    here: bool
    value: str

    @property
    def on(self) -> bool:
        """Whether it makes transactions read-only."""
        return is_on(self.value)


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the cluster; ``grants_any_role``: it can hand itself every other one."""

    name: str
    can_login: bool
    is_superuser: bool
    may_connect: bool
    grants_any_role: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """``member`` is a member of ``role``. ``inherit`` and ``may_set`` are None before PostgreSQL 16."""

    role: str
    member: str
    grantor: str | None
    admin: bool
    inherit: bool | None
    may_set: bool | None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What makes it one membership, whatever its options."""
        return self.role, self.member, self.grantor


@dataclass(frozen=True, slots=True)
class Power:
    """What ``holder`` holds of its own that lets it change data: ``objects`` of one kind, ``example`` among them."""

    holder: str
    kind: str
    objects: int
    example: str


@dataclass(frozen=True, slots=True)
class Client:
    """One session of a client; ``writes``: its transaction has changed something and has not ended."""

    pid: int
    role: str
    is_superuser: bool
    application: str
    state: str
    since: datetime | None
    writes: bool
    hidden: bool

    def __str__(self) -> str:
        application = f" with {self.application}" if self.application else ""
        return f"{self.role}{application} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Beside:
    """Something other than a client that may write: a prepared transaction, a subscription, a scheduler."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another database that taking these roles' memberships or logins away reaches; ``roles`` in words."""

    database: str
    roles: str


@dataclass(frozen=True, slots=True)
class OtherFence:
    """Another database that is read-only, with what was kept there."""

    database: str
    kept: str


@dataclass(frozen=True, slots=True)
class PrivilegeRow:
    """One privilege in the list of one object, as ``queries/readonly/privileges`` gives it."""

    kind: str
    schema: str
    name: str
    detail: str
    owner: str
    list: str
    grantor: str
    grantee: str
    privilege: str
    grantable: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class Privilege:
    """One privilege of an object's list; ``taken`` when the fence takes it away."""

    grantor: str
    grantee: str
    privilege: str
    grantable: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """An object with its list of privileges as it was. ``list`` is '' where it was never written.

    ``detail`` is the column of a column and the arguments of a function.
    """

    kind: str
    schema: str
    name: str
    detail: str
    owner: str
    list: str
    privileges: tuple[Privilege, ...]

    def __str__(self) -> str:
        name = f"{self.schema}.{self.name}" if self.schema else self.name
        return (
            f"{name}({self.detail})" if self.kind == "function" else name + (f".{self.detail}" if self.detail else "")
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept to put things back.

    ``settings`` are the former values in this database, by role (None: the database's own), None where nothing was
    set. ``writers`` are the roles that could write when it began. ``leaving`` is true once all has been put back and
    only sessions are left to end.
    """

    id: str
    level: Level
    since: str
    by: str
    database: str
    system_identifier: str
    database_oid: int
    exempt: tuple[str, ...] = ()
    settings: Mapping[str | None, str | None] | None = None
    writers: tuple[str, ...] = ()
    memberships: tuple[Membership, ...] = ()
    logins: tuple[str, ...] = ()
    lists: tuple[Listed, ...] = ()
    until: str = ""
    leaving: bool = False

    @property
    def before(self) -> Mapping[str | None, str | None]:
        """The former settings."""
        return self.settings or {}


@dataclass(frozen=True, slots=True)
class Cuts:
    """What a fence takes away: memberships, logins of owners, and the own privileges of ``direct`` and ``callers``."""

    memberships: tuple[Membership, ...] = ()
    logins: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.memberships or self.logins or self.direct or self.callers)


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at everything. ``kept`` is what the database says, ``unreadable`` why it could not be read."""

    place: Place
    settings: tuple[Set, ...]
    roles: Mapping[str, Role]
    memberships: tuple[Membership, ...]
    powers: tuple[Power, ...]
    clients: tuple[Client, ...]
    beside: tuple[Beside, ...]
    kept: Kept | None
    unreadable: str = ""

    @property
    def name(self) -> str:
        """The database."""
        return self.place.database

    @property
    def cut(self) -> datetime | None:
        """Since when every new session begins read-only; None when that was not written down."""
        return datetime.fromisoformat(self.place.cut) if self.place.cut else None

    def value(self, role: str | None) -> str | None:
        """What is set for a role in this database (None: for the database as such), None where nothing is."""
        return next((one.value for one in self.settings if one.here and one.role == role), None)

    def effective(self, role: str) -> Set | None:
        """What a new session of a role begins with, as far as roles and database say."""
        order = ((role, True), (role, False), (None, True), (None, False))
        known = {(one.role, one.here): one for one in self.settings}
        return next((known[key] for key in order if key in known), None)


def is_on(value: str | None) -> bool:
    """Read a boolean as PostgreSQL does."""
    word = (value or "").lower()
    return bool(word) and (word in ("1", "on") or "true".startswith(word) or "yes".startswith(word))


def many(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listed(words: Sequence[str], most: int = 5) -> str:
    """Write some names in a row, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
