"""Many looks in one go: each fails alone, the order is kept, and a caller who leaves takes the connection along."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal

from tests.support import Server
from wnadmin.errors import CutOff, Vanished, WnError
from wnadmin.postgres.session import Session
from wnadmin.postgres.values import Answer


def asked(session: Session, texts: Sequence[str]) -> list[Answer | WnError]:
    return list(session.run_each([(f"number {n}", text) for n, text in enumerate(texts)]))


def test_each_fails_alone_and_in_order(server: Server, db: str) -> None:
    with server.session(db) as session:
        session.run("SET statement_timeout = '200ms'")
        one, gone, late, two = asked(
            session, ["SELECT 1.50 AS n, NULL AS nothing;", "TABLE not_there", "SELECT pg_sleep(9)", "SELECT now(), 2"]
        )
        assert isinstance(one, Answer)
        assert (one.columns, one.rows, one.tag, one.count) == (
            ("n", "nothing"),
            ((Decimal("1.50"), None),),
            "SELECT 1",
            1,
        )
        assert isinstance(gone, Vanished)
        assert gone.what == 'number 1: relation "not_there" does not exist'
        assert isinstance(late, CutOff)
        assert isinstance(two, Answer)
        assert two.rows[0][1] == 2
        assert two.rows[0][0].tzinfo is not None
        # The session is as it was, also for those who do not ask whether there is one more.
        assert session.scalar("SELECT 3") == 3
        only = session.run_each([("it", "SELECT 4")])
        assert next(only).rows == ((4,),)  # type: ignore[union-attr]  # an error would have no rows
        assert session.scalar("SELECT 5") == 5


def test_nothing_asked_is_nothing_answered(server: Server, db: str) -> None:
    with server.session(db) as session:
        assert asked(session, []) == []
        assert session.scalar("SELECT 1") == 1


def test_more_than_the_connection_holds_in_either_direction(server: Server, db: str) -> None:
    long = "x" * 100_000
    with server.session(db) as session:
        answers = asked(session, [f"SELECT '{long}' || {n}, repeat('y', 300000)" for n in range(60)])
    assert [answer.rows[0][0][100_000:] for answer in answers if isinstance(answer, Answer)] == [
        str(n) for n in range(60)
    ]
    assert all(isinstance(answer, Answer) and len(answer.rows[0][1]) == 300_000 for answer in answers)


def test_who_leaves_in_the_middle_takes_the_connection_along(server: Server, db: str) -> None:
    with server.session(db) as session, server.session() as other:
        pid = session.backend_pid
        answers = session.run_each([("first", "SELECT 1"), ("second", "SELECT pg_sleep(60)"), ("third", "SELECT 3")])
        assert isinstance(next(answers), Answer)
        answers.close()  # type: ignore[attr-defined]  # it is a generator
        assert not session.alive
        deadline = time.monotonic() + 20
        while other.scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid]):
            assert time.monotonic() < deadline, "the server works on for nobody"
            time.sleep(0.05)


def test_a_lost_connection_is_said_once(server: Server, db: str) -> None:
    with server.session(db) as session:
        first, lost = asked(session, ["SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 3"])
        assert isinstance(first, Answer)
        assert isinstance(lost, WnError)
        assert not session.alive
