"""The register of copies: who may keep it, what it refuses, and what it answers to an erasure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.sql.support import refused
from tests.support import Server
from wnadmin.domain.backup.wishes import HORIZON
from wnadmin.postgres.session import Session

DIGEST = "ab" * 32
NOW = datetime.now(UTC).replace(microsecond=0)
REGISTER = (
    "SELECT audit.register_backup(%s, 'nightly', %s, %s, NULL, '7', %s::timestamptz, '0/10', 5, true, %s::timestamptz)"
)


def register(
    session: Session,
    *,
    kind: str = "dump",
    place: str = "host:/srv/a.dump",
    digest: str = DIGEST,
    at: datetime = NOW,
    days: int = 90,
) -> str:
    return str(session.scalar(REGISTER, [kind, place, digest, at, at + timedelta(days=days)]))


@pytest.fixture
def person(server: Server) -> Iterator[str]:
    """A login that is an operator."""
    with server.session() as session:
        session.run("CREATE ROLE register_operator LOGIN IN ROLE wondernest_operator")
        yield "register_operator"
        session.run("DROP ROLE register_operator")


def test_an_operator_keeps_it_and_nobody_writes_the_table(server: Server, fresh_db: str, person: str) -> None:
    with server.session(fresh_db, person) as session:
        one = register(session)
        assert register(session) == one, "the same copy has one row"
        assert register(session, place="host:/srv/copy.dump") != one, "a copy of it is another one"
        assert session.scalar("SELECT count(*) FROM audit.backups") == 2
        assert session.scalar("SELECT DISTINCT registered_by FROM audit.backups") == person
        for statement in (
            "DELETE FROM audit.backups",
            "UPDATE audit.backups SET expires_at = now()",
            "INSERT INTO audit.backups DEFAULT VALUES",
            "TRUNCATE audit.backups",
        ):
            with refused("42501"):
                session.run(statement)
    for role in ("wondernest_app", "wondernest_backup", "wondernest_monitor", "wondernest_analytics"):
        with server.session(fresh_db, role) as session, refused("42501"):
            register(session)
    with server.session(fresh_db, "wondernest_monitor") as session:
        assert session.scalar("SELECT count(*) FROM audit.backups WHERE removed_at IS NULL") == 2


def test_a_removal_is_noted_once_and_a_copy_that_is_there_again_counts_again(
    server: Server, fresh_db: str, person: str
) -> None:
    with server.session(fresh_db, person) as session:
        register(session, days=30)
        gone = "SELECT audit.mark_backup_removed(%s, %s)"
        assert session.scalar(gone, [DIGEST, "elsewhere:/srv/a.dump"]) is False
        assert session.scalar(gone, [DIGEST, "host:/srv/a.dump"]) is True
        assert session.scalar(gone, [DIGEST, "host:/srv/a.dump"]) is False
        assert session.scalar("SELECT removed_at IS NOT NULL FROM audit.backups") is True
        register(session, days=20)
        rows = session.run("SELECT removed_at, expires_at - snapshot_at FROM audit.backups").rows
        assert rows == ((None, timedelta(days=30)),), "what was promised is not made shorter"
    with server.session(fresh_db) as root:
        trail = "SELECT count(*) FROM audit.activity_log WHERE table_name = 'backups' AND session_role = %s"
        assert root.scalar(trail, [person]) == 3


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"kind": "tape"}, "23514"),
        ({"digest": "AB" * 32}, "23514"),
        ({"days": 0}, "23514"),
    ],
)
def test_what_is_no_copy_is_refused(
    server: Server, fresh_db: str, person: str, changed: dict[str, object], state: str
) -> None:
    with server.session(fresh_db, person) as session, refused(state):
        register(session, **changed)  # type: ignore[arg-type]


def test_no_backup_outlives_what_lets_it_be_erased_again(server: Server, db: str) -> None:
    """Hashes of the erased are kept longer than any copy, and the register longer than either."""
    with server.session(db) as session:
        rows = session.run(
            "SELECT policy_code, extract(EPOCH FROM retention_period)::bigint / 86400"
            " FROM audit.data_retention_policies WHERE policy_code IN ('audit.backups', 'audit.erasure_tombstones')"
        ).rows
    kept = {str(code): int(days) for code, days in rows}
    assert HORIZON < kept["audit.erasure_tombstones"] < kept["audit.backups"]
