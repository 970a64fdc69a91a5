"""Statements about places on the server's machine, and its settings; each is shown before it is run."""

from __future__ import annotations

import shlex
from typing import Final

from wnadmin.domain.wal import folder
from wnadmin.postgres.sql import SQL, Composed, Identifier, Literal

TRY_SECONDS: Final = 60
"""How long the proof of the archive command may take."""


def archive_command(script: str, into: str, seconds: int) -> str:
    """Write the setting: the words as a shell takes them, % doubled as the server wants it."""
    limit = f" -t {seconds}" if seconds != DEFAULT_SECONDS else ""
    return f'{_word(script)}{limit} "%p" {_word(into)}'


DEFAULT_SECONDS: Final = 300
"""What the script takes as its time limit when it is given none."""


def _word(text: str) -> str:
    return shlex.quote(text).replace("%", "%%")


def mark(into: str) -> Composed:
    """Name the folder as the archive of this server."""
    return SQL("COPY (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c) TO {}").format(
        Literal(f"{into}/{folder.STAMP}")
    )


def unmark(into: str) -> Composed:
    """Take the name away again."""
    return SQL("COPY (SELECT 1) TO PROGRAM {}").format(
        Literal(f"cat > /dev/null && rm -f {shlex.quote(f'{into}/{folder.STAMP}')}")
    )


def prove(script: str, into: str) -> tuple[Composed, ...]:
    """Run the script's own trial as the server does, and read what it says and how it ends."""
    line = f"{shlex.quote(script)} -t {TRY_SECONDS} --try {shlex.quote(into)} 2>&1; echo $?"
    return (
        SQL(
            "CREATE TEMPORARY TABLE wnadmin_said (place integer GENERATED ALWAYS AS IDENTITY, line text) ON COMMIT DROP"
        ).format(),
        # Each line is one text, whatever is in it.
        SQL(
            "COPY pg_temp.wnadmin_said (line) FROM PROGRAM {} WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')"
        ).format(Literal(line)),
        SQL("SELECT s.line FROM pg_temp.wnadmin_said AS s ORDER BY s.place").format(),
    )


def alter(name: str, value: str | None) -> Composed:
    """Set a setting for the server, or take back what ALTER SYSTEM said of it."""
    if value is None:
        return SQL("ALTER SYSTEM RESET {}").format(Identifier(name))
    return SQL("ALTER SYSTEM SET {} = {}").format(Identifier(name), Literal(value))


RELOAD: Final = SQL("SELECT pg_catalog.pg_reload_conf()")
