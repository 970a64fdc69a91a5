"""What a backup remembers of its database beside the rows: read in the dump's own snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wnadmin.domain.backup.values import DatabaseFacts, Migration, Partition, Setting
from wnadmin.domain.setup.flyway import read_history
from wnadmin.postgres.database import Database


@dataclass(frozen=True, slots=True)
class Node:
    """Where a dump is taken. ``moment`` and ``lsn`` are not after any snapshot that is taken afterwards."""

    system_identifier: str
    server_version: str
    standby: bool
    read_only: bool
    lsn: str
    moment: datetime
    superuser: bool
    sees_all_rows: bool


@dataclass(frozen=True, slots=True)
class _Database:
    name: str
    owner: str
    encoding: str
    provider: str
    lc_collate: str
    lc_ctype: str
    locale: str | None
    icu_rules: str | None
    connection_limit: int
    acl: list[str] | None
    comment: str | None


def node(db: Database) -> Node:
    """Look at the server and at oneself."""
    return db.rows("queries/backup/node", Node)[0]


def database(db: Database) -> DatabaseFacts:
    """Look at what belongs to the database itself."""
    one = db.rows("queries/backup/database", _Database)[0]
    return DatabaseFacts(
        one.name,
        one.owner,
        one.encoding,
        one.provider,
        one.lc_collate,
        one.lc_ctype,
        one.locale,
        one.icu_rules,
        one.connection_limit,
        None if one.acl is None else tuple(one.acl),
        one.comment,
    )


def settings(db: Database) -> tuple[Setting, ...]:
    """Look at the settings that the database carries."""
    return tuple(db.rows("queries/backup/settings", Setting))


def partitions(db: Database) -> tuple[Partition, ...]:
    """Look at the partitions and their bounds."""
    return tuple(db.rows("queries/backup/partitions", Partition))


def migrations(db: Database) -> tuple[Migration, ...] | None:
    """Look at the migration history; None where there is none."""
    rows = read_history(db.session)
    if rows is None:
        return None
    return tuple(Migration(one.version, one.description, one.checksum, one.success) for one in rows)
