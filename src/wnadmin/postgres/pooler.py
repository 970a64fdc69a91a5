"""PgBouncer: its admin console, and sessions begun as a client begins them, without wnadmin's own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import psycopg

from wnadmin.errors import NoConnection, WnError
from wnadmin.postgres.errors import explain_connect
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target

CONSOLE = "pgbouncer"
"""The database by which PgBouncer is administered."""

_SECONDS = "10"


def plain(target: Target, command: str) -> Session:
    """Open a session as any client does: what server, database and role set for it holds. Raises NoConnection.

    A pooler takes no ``options``, and PGOPTIONS of this process must not count either.
    """
    parameters = {key: value for key, value in target.parameters.items() if key != "options"}
    parameters.setdefault("connect_timeout", _SECONDS)
    parameters.update(application_name=f"wnadmin/{command}", client_encoding="UTF8", options="")
    if target.password is not None:
        parameters["password"] = target.password.reveal()
    try:
        connection = psycopg.connect(**cast("dict[str, Any]", parameters), autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        raise explain_connect(error, target.describe(), target.source) from None
    except UnicodeError:
        raise NoConnection(f"cannot connect to {target.describe()}", why="A parameter is not valid UTF-8.") from None
    return Session(connection, target)


@dataclass(frozen=True, slots=True)
class Pooler:
    """A PgBouncer by the way its clients take; the same login opens its console, on the database ``pgbouncer``."""

    target: Target
    command: str
    alias: str

    def client(self) -> Session:
        """Open a session through the pooler; raises NoConnection."""
        return plain(self.target, self.command)

    def require(self) -> None:
        """Look whether the console can be used and knows the database; raises NoConnection with what to do."""
        with self._console() as console:
            answer = console.run("SHOW DATABASES")
            at = answer.columns.index("name")
            known = [str(row[at]) for row in answer.rows]
        if self.alias not in known:
            raise NoConnection(
                f"the pooler has no database {self.alias}",
                why=f"It has {', '.join(name for name in known if name != CONSOLE) or 'none'}.",
                next="Correct dbname in `pooler` of the profile.",
            )

    def reconnect(self) -> None:
        """Let it close each server connection to the database once its transaction has ended, and open new ones."""
        with self._console() as console:
            console.run(self.reconnecting)

    @property
    def reconnecting(self) -> str:
        """The console's command."""
        quoted = self.alias.replace('"', '""')
        return f'RECONNECT "{quoted}"'

    def _console(self) -> Session:
        try:
            return plain(self.target.at(CONSOLE), self.command)
        except WnError as error:
            user = self.target.parameters.get("user", "the login")
            raise NoConnection(
                f"cannot open the console of the pooler at {self.target.at(CONSOLE).describe()}",
                why=error.why,
                next=f"Let {user} in: admin_users in pgbouncer.ini, then RELOAD it.",
            ) from None
