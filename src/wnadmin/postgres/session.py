"""Sessions: the only place where psycopg connects and sends."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import Composable

from wnadmin.errors import NoConnection, UsageError, WnError
from wnadmin.postgres.errors import explain, explain_connect
from wnadmin.postgres.target import Target
from wnadmin.postgres.values import Answer, Row
from wnadmin.secret import Secret


@dataclass(frozen=True, slots=True)
class Timeouts:
    """PostgreSQL durations for one session."""

    lock: str = "5s"
    statement: str = "10min"
    idle_in_transaction: str = "60s"
    connect: int = 10


BRIEF = Timeouts(lock="100ms", statement="5s", idle_in_transaction="10s", connect=5)
"""For looks: a lock that is not free at once is not waited for, and no single look takes the server for long."""


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How far a script came: completed statements, and the error that stopped it, if any.

    ``position`` is the server's 1-based character position in the script, where it gave one.
    """

    completed: int
    error: WnError | None = None
    position: int | None = None
    context: str = ""


def parse_dsn(text: str) -> dict[str, str]:
    """Parse a URI or conninfo string into libpq parameters; a malformed one is a UsageError."""
    if "://" in text and text.partition("://")[2].partition("/")[0].count("@") > 1:
        # libpq would take what follows the first @ for the host, and the end of a password would be shown.
        raise UsageError(
            "cannot read the connection string",
            why="An @ in a URI's user or password must be percent-encoded.",
            next="Write %40 for it, or put the password into ~/.pgpass.",
        )
    try:
        parsed = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        # libpq quotes the text it could not parse, which may hold a password.
        raise UsageError(
            "cannot read the connection string",
            why="It is neither a URI nor key=value pairs.",
            next="Example: --dsn 'host=localhost dbname=wondernest_prod user=postgres'.",
        ) from None
    return {key: str(value) for key, value in parsed.items() if value is not None}


def target_from_dsn(text: str, source: str) -> Target:
    """Make a Target of a connection string; its password is split off as a Secret."""
    parameters = parse_dsn(text)
    password = parameters.pop("password", None)
    return Target(parameters, Secret(password) if password is not None else None, source=source)


class Session:
    """One autocommit connection with every timeout set; not for use by two threads at once."""

    def __init__(self, connection: psycopg.Connection[Row], target: Target) -> None:
        self._connection = connection
        self.target = target
        self.version: int = connection.info.server_version

    @property
    def alive(self) -> bool:
        """Whether the connection can still be used, as far as this side knows."""
        return not self._connection.closed and not self._connection.broken

    @property
    def backend_pid(self) -> int:
        """The server process that serves this session."""
        return self._connection.info.backend_pid

    @property
    def user(self) -> str:
        """The login role."""
        return self._connection.info.user

    @property
    def dbname(self) -> str:
        """The connected database."""
        return self._connection.info.dbname

    def run(self, query: str | Composable, bound: Sequence[object] = (), doing: str = "") -> Answer:
        """Run one statement and fetch all of its rows; a driver error becomes a WnError."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(self._bytes(query), bound or None)
                columns = tuple(column.name for column in cursor.description or ())
                rows = tuple(cursor.fetchall()) if cursor.description else ()
                count = cursor.rowcount if cursor.rowcount >= 0 else None
                return Answer(columns, rows, cursor.statusmessage or "", count)
        except psycopg.Error as error:
            raise explain(error, doing) from None

    def run_each(
        self, statements: Sequence[tuple[str, str | Composable]], meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[Answer | WnError]:
        """Send many statements at once, each of which fails alone; see :func:`wnadmin.postgres.pipeline.run`.

        ``statements`` are pairs of what each does and its text. Read to the end, or the session is closed.
        """
        from wnadmin.postgres import pipeline

        def give_up() -> None:
            self.cancel()
            self.close()

        texts = [(doing, self._bytes(query)) for doing, query in statements]
        return pipeline.run(self._connection, texts, give_up, meanwhile)

    def scalar(self, query: str | Composable, bound: Sequence[object] = (), doing: str = "") -> Any:
        """Run a statement and give the first column of its first row, None when there is no row."""
        rows = self.run(query, bound, doing).rows
        return rows[0][0] if rows else None

    def _bytes(self, query: str | Composable) -> bytes:
        return query.encode() if isinstance(query, str) else query.as_bytes(self._connection)

    def quote(self, part: Composable) -> str:
        """Give the text of a composed statement as it will be sent."""
        return part.as_string(self._connection)

    @contextlib.contextmanager
    def transaction(self, *, read_only: bool = False, snapshot: bool = False) -> Iterator[None]:
        """Run the block in one transaction; ``snapshot`` makes it REPEATABLE READ."""
        modes = " ISOLATION LEVEL REPEATABLE READ" if snapshot else ""
        self.run(f"BEGIN{modes}{' READ ONLY' if read_only else ''}")
        try:
            yield
        except BaseException:
            with contextlib.suppress(WnError):
                self.run("ROLLBACK")
            raise
        self.run("COMMIT", doing="commit")

    def script(self, text: str) -> ScriptResult:
        """Send many statements as one simple query and count those that completed.

        Runs inside whatever transaction is open; never raises for a server error, so that the caller can
        name the statement that failed. Ctrl-C cancels the running statement and is raised again.
        """
        link = self._connection.pgconn
        completed, failure, position, context = 0, None, None, ""
        try:
            link.send_query(text.encode())
            self._send_all()
            while (result := self._next_result()) is not None:
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    error = psycopg.errors.error_from_result(result, encoding="utf-8")
                    failure = explain(error)
                    where = error.diag.statement_position
                    position, context = int(where) if where else None, error.diag.context or ""
                elif result.status in (
                    pq.ExecStatus.COPY_IN,
                    pq.ExecStatus.COPY_OUT,
                    pq.ExecStatus.COPY_BOTH,
                ):
                    raise UsageError("the script uses COPY with the client, which a script here cannot")
                elif result.status != pq.ExecStatus.EMPTY_QUERY:
                    completed += 1
        except psycopg.Error as error:
            return ScriptResult(completed, explain(error))
        except KeyboardInterrupt:
            self.cancel()
            raise
        return ScriptResult(completed, failure, position, context)

    def copy_out(self, query: str | Composable) -> Iterator[memoryview]:
        """Stream ``COPY … TO STDOUT`` row by row, as the server sends it; a block is valid until the next one.

        Reads from libpq directly: the driver's own iterator takes four times as long, which is most of the time
        of verifying a long ledger.
        """
        link = self._connection.pgconn
        over = False
        try:
            link.send_query(self._bytes(query))
            link.flush()
            result = self._next_result()
            if result is None or result.status != pq.ExecStatus.COPY_OUT:
                over = True
                self._drain()
                if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
                    raise psycopg.errors.error_from_result(result, encoding="utf-8")
                raise UsageError("the statement is not COPY … TO STDOUT")
            while True:
                size, data = link.get_copy_data(1)
                if size > 0:
                    yield data
                elif size == 0:
                    select.select([link.socket], [], [], 1.0)
                    link.consume_input()
                else:
                    break
            over = True
            end = self._next_result()
            self._drain()
            if end is not None and end.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(end, encoding="utf-8")
        except psycopg.Error as error:
            over = True
            raise explain(error) from None
        finally:
            if not over:
                # Left in the middle: the connection cannot be used for anything else any more.
                self.close()

    def _send_all(self) -> None:
        """Hand a text of any length to the server: the socket takes only as much of it as it has room for."""
        link = self._connection.pgconn
        while link.flush():
            readable, _, _ = select.select([link.socket], [link.socket], [])
            if readable:
                link.consume_input()

    def _next_result(self) -> pq.abc.PGresult | None:
        link = self._connection.pgconn
        while link.is_busy():
            select.select([link.socket], [], [], 1.0)
            link.consume_input()
        return link.get_result()

    def _drain(self) -> None:
        while self._next_result() is not None:
            pass

    def notices(self, receive: Any) -> None:
        """Hand the primary message of each server notice to ``receive(severity, text)``."""

        def handler(diag: psycopg.errors.Diagnostic) -> None:
            receive(diag.severity_nonlocalized or diag.severity or "NOTICE", diag.message_primary or "")

        self._connection.add_notice_handler(handler)

    def cancel(self) -> None:
        """Ask the server to cancel the running statement; failing to reach it is not an error."""
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        with contextlib.suppress(psycopg.Error):
            self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def connect(
    target: Target,
    *,
    command: str,
    timeouts: Timeouts | None = None,
    settings: Mapping[str, str | None] | None = None,
    row_security: bool = False,
) -> Session:
    """Open a session with the settings every wnadmin session has.

    ``command`` becomes ``application_name`` as ``wnadmin/<command>``. ``settings`` adds or overrides server
    settings for this session; None for one leaves it as the server has it. Raises NoConnection.
    """
    limits = timeouts or Timeouts()
    wanted = {
        "lock_timeout": limits.lock,
        "statement_timeout": limits.statement,
        "idle_in_transaction_session_timeout": limits.idle_in_transaction,
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "search_path": "pg_catalog,pg_temp",
        "row_security": "on" if row_security else "off",
        **(settings or {}),
    }
    parameters = dict(target.parameters)
    extra = " ".join(f"-c {name}={_escape(value)}" for name, value in wanted.items() if value is not None)
    parameters["options"] = f"{parameters['options']} {extra}" if parameters.get("options") else extra
    parameters["application_name"] = f"wnadmin/{command}"
    parameters.setdefault("connect_timeout", str(limits.connect))
    parameters["client_encoding"] = "UTF8"
    if target.password is not None:
        parameters["password"] = target.password.reveal()
    try:
        connection = psycopg.connect(**cast("dict[str, Any]", parameters), autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        raise explain_connect(error, target.describe(), target.source) from None
    except UnicodeError:
        raise NoConnection(f"cannot connect to {target.describe()}", why="A parameter is not valid UTF-8.") from None
    return Session(connection, target)


def _escape(value: str) -> str:
    # `options` is split at blanks; a backslash keeps the next character.
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
