"""Many looks in one go: the server works through them while this side reads what has come back.

Reads from libpq directly: the driver's own pipeline waits for the answer to each statement that is to fail alone.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from wnadmin.errors import WnError
from wnadmin.postgres.errors import explain
from wnadmin.postgres.values import Answer, Row

_PULSE = 1.0
"""Seconds after which a wait looks whether it was interrupted."""


def run(
    connection: psycopg.Connection[Row],
    statements: Sequence[tuple[str, bytes]],
    give_up: Callable[[], None],
    meanwhile: Callable[[], None],
) -> Iterator[Answer | WnError]:
    """Send ``statements`` (what each does, its text), and yield what each gave, in order, as it arrives.

    Each is a transaction of its own and fails alone. Once the connection is lost, one error is yielded and nothing
    after it. ``give_up`` is called where the caller leaves in the middle: answers would come that nobody reads.
    ``meanwhile`` is called once the server has work to do.
    """
    if not statements:
        return
    link = connection.pgconn
    over = False
    blocking = link.nonblocking
    try:
        link.nonblocking = 1
        link.enter_pipeline_mode()
        for _, text in statements:
            link.send_query_params(text, None)
            link.pipeline_sync()
        link.flush()
        meanwhile()
        for left, (doing, _) in zip(reversed(range(len(statements))), statements, strict=True):
            try:
                answer = _answer(connection, doing)
            except psycopg.OperationalError as error:
                over = True
                yield explain(error, doing)
                return
            if not left:
                # Before the last one is given: nobody need ask whether there is one more.
                link.exit_pipeline_mode()
                link.nonblocking = blocking
                over = True
            yield answer
    except psycopg.Error as error:
        over = True
        give_up()
        raise explain(error) from None
    finally:
        if not over:
            give_up()


def _answer(connection: psycopg.Connection[Row], doing: str) -> Answer | WnError:
    """Read up to the end of one statement."""
    answer: Answer | WnError | None = None
    while True:
        result = _next(connection.pgconn)
        if result is None:
            continue
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            break
        if result.status == pq.ExecStatus.FATAL_ERROR:
            answer = explain(psycopg.errors.error_from_result(result, encoding="utf-8"), doing)
        else:
            answer = _read(connection, result)
        if connection.pgconn.status == pq.ConnStatus.BAD:
            break
    return answer or explain(psycopg.OperationalError("the connection is lost"), doing)


def _read(connection: psycopg.Connection[Row], result: pq.abc.PGresult) -> Answer:
    columns = tuple((result.fname(number) or b"").decode() for number in range(result.nfields))
    loader = Transformer(connection)
    loader.set_pgresult(result)
    rows = tuple(loader.load_rows(0, result.ntuples, tuple))
    return Answer(columns, rows, (result.command_status or b"").decode(), result.command_tuples)


def _next(link: pq.abc.PGconn) -> pq.abc.PGresult | None:
    """Wait for the next result, and send meanwhile what did not fit into the connection at once."""
    while link.is_busy():
        writing = [link.socket] if link.flush() else []
        select.select([link.socket], writing, [], _PULSE)
        link.consume_input()
    return link.get_result()
