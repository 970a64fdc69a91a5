"""The migration history in Flyway's own terms, so that either tool can go on from the other.

Rules that Flyway checks and that are therefore followed to the letter: the checksum (CRC-32 over the lines without
their ends), the table's shape, type names, the order of versions, and the advisory lock that keeps two runs apart.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import total_ordering
from typing import Final

from wnadmin.errors import Blind, Refused, ServerError, UsageError
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Composed, Identifier, Literal

TABLE: Final = "flyway_schema_history"
SCHEMA: Final = "public"

SQL_FILE: Final = "SQL"
BASELINE: Final = "BASELINE"
SCHEMA_MARKER: Final = "SCHEMA"
"""Types of rows. Flyway stops at one that it does not know, so they are written exactly so."""

_BASELINE: Final = "<< Flyway Baseline >>"

_NO_SUCH_COLUMN: Final = "42703"

LOG_IN: Final = "Log in as a superuser or as a member of wondernest_owner."
"""What to do about a history that a login cannot read."""

_NAME = re.compile(r"(?:V(?P<version>[0-9][0-9A-Za-z_.]*?)|(?P<repeatable>R))__(?P<description>.*)\.sql", re.DOTALL)

DDL: Final = (
    """\
CREATE TABLE "public"."flyway_schema_history" (
    "installed_rank" INT NOT NULL,
    "version" VARCHAR(50),
    "description" VARCHAR(200) NOT NULL,
    "type" VARCHAR(20) NOT NULL,
    "script" VARCHAR(1000) NOT NULL,
    "checksum" INTEGER,
    "installed_by" VARCHAR(100) NOT NULL,
    "installed_on" TIMESTAMP NOT NULL DEFAULT now(),
    "execution_time" INTEGER NOT NULL,
    "success" BOOLEAN NOT NULL
)""",
    """\
ALTER TABLE "public"."flyway_schema_history"
    ADD CONSTRAINT "flyway_schema_history_pk" PRIMARY KEY ("installed_rank")""",
    'CREATE INDEX "flyway_schema_history_s_idx" ON "public"."flyway_schema_history" ("success")',
)
"""The history table exactly as Flyway makes it."""


def checksum(data: bytes) -> int:
    """Give Flyway's checksum of a migration file: a signed 32-bit CRC over its lines without line ends.

    Only CR LF, CR and LF end a line, and one byte order mark at the beginning does not count. Raises UsageError
    for bytes that are not UTF-8, which Flyway refuses too.
    """
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UsageError(
            "a migration file is not UTF-8", why=f"Byte {error.start}: {error.reason}.", next="Save the file as UTF-8."
        ) from None
    # The lines one after the other are the text without its line ends.
    return _signed(zlib.crc32(text.replace("\r", "").replace("\n", "").encode("utf-8")))


def java_hash(text: str) -> int:
    """Give ``String.hashCode()`` of Java: a signed 32-bit polynomial in 31 over the UTF-16 code units."""
    units = text.encode("utf-16-be")
    value = 0
    for at in range(0, len(units), 2):
        value = (value * 31 + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    return _signed(value)


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value


LOCK_BASE: Final = 77431708279161
"""Flyway's "magic number" to which the hash of the quoted table name is added."""

LOCK_KEY: Final = LOCK_BASE + java_hash(f'"{SCHEMA}"."{TABLE}"')
"""The advisory lock under which Flyway migrates; taking it keeps Flyway and wnadmin apart."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A migration's version: ``text`` as stored (``001``), compared by its numbers (``1`` = ``1.0`` = ``001``)."""

    text: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """The parts as numbers, zeros at the end left out."""
        parts = [int(part) for part in self.text.split(".")]
        while len(parts) > 1 and parts[-1] == 0:
            parts.pop()
        return tuple(parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.numbers == other.numbers

    def __lt__(self, other: Version) -> bool:
        return self.numbers < other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)


def parse_version(text: str) -> Version:
    """Read ``1``, ``001`` or ``2_1`` (``_`` stands for a dot); UsageError when a part is not a number."""
    dotted = text.replace("_", ".")
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", dotted):
        raise UsageError(
            f"{text!r} is not a migration version",
            why="A version is numbers joined by dots.",
            next="Examples: V002__add_feature.sql, V2_1__add_feature.sql.",
        )
    return Version(dotted)


@dataclass(frozen=True, slots=True)
class MigrationName:
    """What a migration's file name says; ``version`` is None for a repeatable one."""

    script: str
    version: Version | None
    description: str


def parse_name(script: str) -> MigrationName:
    """Read ``V001__initial_schema.sql`` or ``R__views.sql``; ``script`` is relative to the migrations' folder."""
    match = _NAME.fullmatch(script.rpartition("/")[2])
    if match is None or not match["description"]:
        raise UsageError(
            f"{script} is not the name of a migration",
            why="Two underscores come before the description.",
            next="Examples: V002__add_feature.sql, R__refresh_views.sql.",
        )
    description = match["description"].replace("_", " ")
    if len(description) > 200:
        description = description[:197] + "..."
    return MigrationName(script, parse_version(match["version"]) if match["version"] else None, description)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row of the history; ``version`` is None for a repeatable migration."""

    installed_rank: int
    version: str | None
    description: str
    type: str
    script: str
    checksum: int | None
    installed_by: str
    installed_on: datetime
    execution_time: int
    success: bool


def read_history(session: Session) -> tuple[HistoryRow, ...] | None:
    """Read the history in the order of its ranks; None when there is no such table, Blind when it is hidden.

    Refused for another thing of its name.
    """
    if session.scalar(f"SELECT pg_catalog.to_regclass('{SCHEMA}.{TABLE}') IS NULL"):
        return None
    query = SQL(
        "SELECT installed_rank, version, description, type, script, checksum, installed_by, installed_on,"
        " execution_time, success FROM {} ORDER BY installed_rank"
    ).format(Identifier(SCHEMA, TABLE))
    try:
        answer = session.run(query, doing="read the migration history")
    except Blind as error:
        raise Blind(
            "this login cannot read the migration history",
            why=f"{session.user} may not read {SCHEMA}.{TABLE}, which says what was done to this database.",
            next=LOG_IN,
            sqlstate=error.sqlstate,
        ) from None
    except ServerError as error:
        if error.sqlstate != _NO_SUCH_COLUMN:
            raise
        raise Refused(
            f"{SCHEMA}.{TABLE} is not Flyway's history",
            why=f"Something else of that name is there: {error.what}.",
            next=f"See what it is, and rename it if nobody needs it under this name: psql -c '\\d {SCHEMA}.{TABLE}'",
        ) from None
    return tuple(HistoryRow(*row) for row in answer.rows)


def applied(rows: Sequence[HistoryRow]) -> tuple[Version, ...]:
    """Give the versions that the history holds as successfully applied, in ascending order."""
    found = {parse_version(row.version) for row in rows if row.success and row.version is not None}
    return tuple(sorted(found))


def next_rank(rows: Sequence[HistoryRow]) -> int:
    """Give the rank of the row to come: the last one plus 1, 1 when there is none."""
    return max((row.installed_rank for row in rows), default=0) + 1


def insert_row(
    name: MigrationName, *, rank: int, sum_: int | None, milliseconds: int, type_: str = SQL_FILE, success: bool = True
) -> Composed:
    """Compose the row that says: this file was applied, in this many milliseconds, by whoever runs it.

    Without ``success`` it says that the file was begun: what runs outside a transaction is recorded beforehand.
    """
    return SQL(
        "INSERT INTO {} (installed_rank, version, description, type, script, checksum, installed_by, execution_time,"
        " success)\nVALUES ({}, {}, {}, {}, {}, {}, current_user, {}, {})"
    ).format(
        Identifier(SCHEMA, TABLE),
        Literal(rank),
        Literal(name.version.text if name.version else None),
        Literal(name.description),
        Literal(type_),
        Literal(name.script),
        Literal(sum_),
        Literal(milliseconds),
        SQL("TRUE" if success else "FALSE"),
    )


def baseline(version: Version) -> MigrationName:
    """Give the name under which Flyway records that a database began at ``version``."""
    return MigrationName(_BASELINE, version, _BASELINE)
