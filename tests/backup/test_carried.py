"""Sequences and large objects are proven too: restored as they were, seen when they are not, unknown when unread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backup.support import create, reseal, severities, sidecar
from tests.support import Cli, Server
from wnadmin.domain.backup import carried
from wnadmin.domain.backup.values import ObjectsProof

WITH_HOLES = """
    DO $$
    DECLARE
        v_fd int := lo_open(lo_create(4242), 131072);
    BEGIN
        PERFORM lowrite(v_fd, 'begins');
        PERFORM lo_lseek64(v_fd, 1000000, 0);
        PERFORM lowrite(v_fd, 'ends');
        PERFORM lo_close(v_fd);
    END
    $$
"""
"""A large object of which most was never written; a restored one has zeros there, which read alike."""


@pytest.fixture
def stocked(server: Server, fresh_db: str) -> str:
    """A database with sequences of every kind, and with large objects."""
    with server.session(fresh_db) as session:
        session.run("CREATE SEQUENCE public.fresh START 5")
        session.run("CREATE SEQUENCE public.used CACHE 10")
        session.run("SELECT nextval('public.used')")
        session.run('CREATE SEQUENCE public."down, odd" INCREMENT -3 CYCLE')
        session.run("""SELECT nextval('public."down, odd"')""")
        session.run("CREATE UNLOGGED SEQUENCE public.passing")
        session.run("CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY, s smallserial)")
        session.run("INSERT INTO public.t DEFAULT VALUES")
        session.run("SELECT lo_from_bytea(4240, decode(repeat('00ff17', 3000), 'hex'))")
        session.run("SELECT lo_from_bytea(4241, '')")
        session.run(WITH_HOLES)
        for number in (4240, 4241, 4242):
            session.run(f"GRANT SELECT ON LARGE OBJECT {number} TO wondernest_backup")
    return fresh_db


def detail(here: Cli, dump: Path) -> tuple[str, str]:
    """Severity and words of the comparison, where no ledger says that the sidecar is another."""
    found = (
        Cli(here.folder).run("backup", "verify", str(dump), "--level", "content", "--format", "json").json()["findings"]
    )
    return next((one["severity"], one["detail"]) for one in found if one["check"] == "backup.content")


@pytest.mark.parametrize("words", [[], ["--jobs", "2"]], ids=["custom", "directory"])
def test_they_come_back_as_they_were(here: Cli, server: Server, stocked: str, folder: Path, words: list[str]) -> None:
    dump = create(here, folder, *words)
    side = sidecar(dump)
    assert {one.path: (one.first, one.first_called) for one in side.sequences} == {
        "public.fresh": (5, False),
        "public.used": (10, True),
        "public.down, odd": (-1, True),
        "public.passing": (1, False),
        "public.t_id_seq": (1, True),
        "public.t_s_seq": (1, True),
    }
    assert side.large_objects.count == 3
    severity, said = detail(here, dump)
    assert severity == "ok"
    assert "6 sequences stand where they stood; 3 large objects are the dumped ones" in said
    drilled = here.run("backup", "drill", str(dump), "--yes")
    assert drilled.code == 0, drilled.out + drilled.err


def test_the_hash_of_large_objects_sees_every_byte(server: Server, stocked: str) -> None:
    """Bytes, sizes and numbers count; whether a zero was written or never was, does not."""

    def seen() -> ObjectsProof:
        with server.session(stocked) as session:
            return carried.objects(session)

    known = [seen()]
    with server.session(stocked) as session:
        for change in (
            "SELECT lo_put(4240, 8999, '\\x01')",
            "SELECT lo_put(4240, 9000, '\\x00')",
            "SELECT lo_put(4242, 500000, '\\x01')",
            "SELECT lo_unlink(4241)",
            "SELECT lo_from_bytea(4243, '')",
        ):
            session.run(change)
            known.append(seen())
        assert len({one.hash for one in known}) == len(known)
        session.run("SELECT lo_put(4242, 700000, '\\x0000')")
    assert seen() == known[-1]


def test_a_sequence_that_stands_elsewhere_fails(here: Cli, stocked: str, folder: Path) -> None:
    dump = create(here, folder)
    side = sidecar(dump)
    moved = tuple(
        replace(one, first=one.first + 7, last=one.last + 7) if one.name == "used" else one for one in side.sequences
    )
    reseal(dump, replace(side, sequences=moved))
    ran = here.run("backup", "drill", str(dump), "--yes")
    assert ran.code == 1
    assert "public.used stands at 10 instead of at 17" in ran.out
    severity, said = detail(here, dump)
    assert (severity, "public.used stands at 10 instead of at 17" in said) == ("critical", True)


def test_other_large_objects_fail_also_a_restore(here: Cli, server: Server, stocked: str, folder: Path) -> None:
    dump = create(here, folder)
    reseal(dump, replace(sidecar(dump), large_objects=ObjectsProof(3, "12345")))
    assert detail(here, dump)[0] == "critical"
    words = ("backup", "restore", str(dump), "--into", "carried_again", "--create", "--yes")
    ran = here.run(*words, "--dsn", server.dsn("postgres"))
    assert ran.code == 1
    assert "there are 3 large objects, but not the same ones" in ran.out


@pytest.fixture
def counter(server: Server, stocked: str) -> Iterator[str]:
    """A login that reads tables and sequences, and only counts large objects."""
    name = "carried_counter"
    schemas = "public, core, family, content, audio, subscription, analytics, safety, ml, audit"
    with server.session(stocked) as session:
        session.run(f"CREATE ROLE {name} LOGIN BYPASSRLS")
        session.run(f'GRANT CONNECT ON DATABASE "{stocked}" TO {name}')
        session.run(f"GRANT USAGE ON SCHEMA {schemas} TO {name}")
        for kind in ("TABLES", "SEQUENCES"):
            session.run(f"GRANT SELECT ON ALL {kind} IN SCHEMA {schemas} TO {name}")
        yield name
        session.run(f"DROP OWNED BY {name}")
        session.run(f"DROP ROLE {name}")


def test_what_nobody_could_read_is_unknown_and_said_before_a_restore(
    here: Cli, server: Server, stocked: str, folder: Path, counter: str
) -> None:
    """pg_dump may read the objects, and the operator's login may only count them."""
    dump = create(here, folder, "--dsn", server.dsn(stocked, counter))
    assert sidecar(dump).large_objects == ObjectsProof(3, None)
    ran = here.run("backup", "verify", str(dump), "--level", "content", "--format", "json")
    assert ran.code == 3
    assert severities(ran)["backup.content"] == "unknown"
    assert "3 large objects were counted only: the login that made the backup may not read them" in ran.out
    assert "proven up to level restore, content was asked for" in " ".join(ran.json()["notes"])
    drilled = here.run("backup", "drill", str(dump), "--yes", "--format", "json")
    assert (drilled.code, "were counted only" in drilled.json()["detail"]) == (1, True)
    words = ("backup", "restore", str(dump), "--into", "carried_again", "--create", "--dry-run")
    shown = here.run(*words, "--dsn", server.dsn("postgres")).out
    assert "Nothing more can be proven of this: 3 large objects are only counted." in shown


def test_objects_that_pg_dump_may_not_read_make_no_backup(
    here: Cli, server: Server, stocked: str, folder: Path
) -> None:
    with server.session(stocked) as session:
        session.run("REVOKE SELECT ON LARGE OBJECT 4241 FROM wondernest_backup")
    ran = here.run("backup", "create", "--to", str(folder), "--yes")
    assert ran.code == 1
    assert "permission denied for large object" in ran.out
    assert "GRANT SELECT ON LARGE OBJECT" in ran.out
    assert list(folder.iterdir()) == []


@contextmanager
def counting(server: Server, dbname: str) -> Iterator[list[int]]:
    """Take numbers from a sequence all the time; gives how many."""
    over, count = threading.Event(), [0]

    def work() -> None:
        with server.session(dbname) as session:
            while not over.is_set():
                count[0] = int(session.scalar("SELECT nextval('public.fresh')"))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while not count[0]:
            time.sleep(0.01)
        yield count
    finally:
        over.set()
        thread.join()


def test_a_sequence_in_use_is_proven_to_lie_between(here: Cli, server: Server, fresh_db: str, folder: Path) -> None:
    with server.session(fresh_db) as session:
        session.run("CREATE SEQUENCE public.fresh")
    with counting(server, fresh_db) as count:
        before = count[0]
        dump = create(here, folder)
        after = count[0]
    one = sidecar(dump).sequences[0]
    assert before <= one.first < one.last <= after + 1, "nobody took a number meanwhile"
    severity, said = detail(here, dump)
    assert (severity, "one sequence stands where it stood" in said) == ("ok", True)


def test_a_sequence_cannot_be_dropped_while_it_is_looked_at(server: Server, fresh_db: str) -> None:
    with server.session(fresh_db) as session, server.session(fresh_db, lock_timeout="50ms") as other:
        session.run("CREATE SEQUENCE public.fresh")
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        assert [str(one) for one in carried.sequences(session)] == ["before 1"]
        other.run("SELECT setval('public.fresh', 3000)")
        # It belongs to no snapshot.
        assert [str(one) for one in carried.sequences(session)] == ["at 3,000"]
        with pytest.raises(Exception, match="lock timeout"):
            other.run("DROP SEQUENCE public.fresh")
        session.run("COMMIT")
