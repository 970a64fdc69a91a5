"""`backup restore`: into an empty database only, whole or not at all, with what a dump does not carry."""

from __future__ import annotations

import contextlib
import random
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backup.support import create, databases, reseal, sidecar
from tests.standby import standby_of
from tests.support import Cli, Server
from wnadmin.domain.backup.restore import PREFIX


@pytest.fixture(scope="module")
def made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, str, Path]]:
    """A database made by wnadmin, with settings and privileges of its own, in read-only mode, and a backup of it."""
    name = server.create()
    cli = Cli(tmp_path_factory.mktemp("made"), server.dsn(name))
    assert cli.run("setup", "apply", "--yes", "--months", "3").code == 0
    with server.session(name) as session:
        session.run(f"ALTER DATABASE \"{name}\" SET work_mem = '7MB'")
        session.run(f'ALTER DATABASE "{name}" SET search_path = core, "odd, name"')
        session.run(f'ALTER DATABASE "{name}" SET app.seed_samples = off')
        session.run(f"ALTER ROLE wondernest_app IN DATABASE \"{name}\" SET statement_timeout = '9s'")
        session.run(f'ALTER DATABASE "{name}" CONNECTION LIMIT 77')
        session.run(f"COMMENT ON DATABASE \"{name}\" IS 'it''s ours'")
        session.run(f'GRANT CONNECT ON DATABASE "{name}" TO wondernest_ro WITH GRANT OPTION')
        session.run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    folder = cli.folder / "backups"
    folder.mkdir()
    yield cli, name, create(cli, folder)
    server.drop(name)


@pytest.fixture
def into(server: Server) -> Iterator[str]:
    """A name for the restored database."""
    name = f"again_{uuid.uuid4().hex[:8]}"
    yield name
    server.drop(name)


def run(made: tuple[Cli, str, Path], server: Server, into: str, *words: str) -> tuple[int, str]:
    ran = made[0].run(
        "backup", "restore", str(made[2]), "--into", into, "--yes", *words, "--dsn", server.dsn("postgres")
    )
    return ran.code, ran.out + ran.err


BELONGINGS = """
    SELECT pg_get_userbyid(d.datdba), d.datconnlimit, d.encoding, d.datcollate, d.datlocprovider,
        (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(d.datacl) AS a),
        shobj_description(d.oid, 'pg_database'),
        (SELECT array_agg(coalesce(r.rolname, '') || ' ' || c ORDER BY r.rolname, c)
            FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole, unnest(s.setconfig) AS c
            WHERE s.setdatabase = d.oid AND c NOT LIKE 'default_transaction_read_only=%%')
    FROM pg_database AS d WHERE d.datname = %s
"""


@pytest.mark.parametrize("words", [[], ["--jobs", "2"]], ids=["one transaction", "jobs"])
def test_it_is_what_it_was(made: tuple[Cli, str, Path], server: Server, into: str, words: list[str]) -> None:
    code, said = run(made, server, into, "--create", *words)
    assert code == 0, said
    with server.session() as session:
        first, second = (session.run(BELONGINGS, [name]).rows for name in (made[1], into))
        assert first == second
        assert first[0][1] == 77
        assert 'search_path=core, "odd, name"' in " ".join(first[0][-1])
    with server.session(into) as session:
        assert session.scalar("SELECT count(*) FROM core.users") > 0
        session.run("CREATE TABLE public.writable (x int)")
        session.run("DROP TABLE public.writable")
        assert session.scalar("SELECT count(*) FROM pg_statistic") > 100
    cli = Cli(made[0].folder, server.dsn(into))
    verified = cli.run("audit", "verify", "--format", "json")
    assert verified.code == 0, verified.out
    unfinished = cli.run("audit", "unfinished", "--format", "json")
    assert unfinished.json()["tables"]["unfinished"] == []
    with server.session(into) as session:
        payload = session.scalar("SELECT payload FROM audit.operator_ledger WHERE payload LIKE '%restored_from%'")
    assert sidecar(made[2]).sha256 in payload


def test_into_an_empty_one(made: tuple[Cli, str, Path], server: Server, into: str) -> None:
    assert run(made, server, into)[0] == 4
    with server.session() as session:
        session.run(f'CREATE DATABASE "{into}" TEMPLATE template0')
    assert run(made, server, into, "--create")[0] == 4
    code, said = run(made, server, into)
    assert code == 0, said


@pytest.mark.parametrize(
    "content",
    ["CREATE TABLE t ()", "CREATE SCHEMA s", "CREATE TYPE e AS ENUM ('a')", "CREATE FUNCTION f() RETURNS int RETURN 1"],
)
def test_never_into_one_that_holds_anything(
    made: tuple[Cli, str, Path], server: Server, into: str, content: str
) -> None:
    with server.session() as session:
        session.run(f'CREATE DATABASE "{into}" TEMPLATE template0')
    with server.session(into, search_path="public") as session:
        session.run(content)
    code, said = run(made, server, into)
    assert (code, "is not empty" in said) == (4, True)


def test_another_content_leaves_nothing(made: tuple[Cli, str, Path], server: Server, into: str, tmp_path: Path) -> None:
    from tests.backup.support import copy

    dump = copy(made[2], tmp_path)
    side = sidecar(dump)
    reseal(dump, replace(side, tables=side.tables[1:]))
    ran = made[0].run(
        "backup", "restore", str(dump), "--into", into, "--create", "--yes", "--dsn", server.dsn("postgres")
    )
    assert ran.code == 1
    assert "was not in the dump" in ran.out
    assert into not in databases(server)
    assert unfinished_rooms(server) == set()


def test_roles_that_are_not_there(made: tuple[Cli, str, Path], server: Server, into: str, tmp_path: Path) -> None:
    from tests.backup.support import copy

    dump = copy(made[2], tmp_path)
    side = sidecar(dump)
    reseal(dump, replace(side, database=replace(side.database, owner="nobody_here")))
    ran = made[0].run(
        "backup", "restore", str(dump), "--into", into, "--create", "--yes", "--dsn", server.dsn("postgres")
    )
    assert (ran.code, "no role nobody_here" in ran.err) == (4, True)


def test_killed_and_resumed(made: tuple[Cli, str, Path], server: Server, into: str) -> None:
    import time

    cli = Cli(made[0].folder / "killed", server.dsn("postgres"))
    cli.folder.mkdir(exist_ok=True)
    process = cli.start(["backup", "restore", str(made[2]), "--into", into, "--create", "--yes"])
    deadline = time.monotonic() + 30
    while not unfinished_rooms(server):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    unfinished = cli.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    resumed = cli.run("audit", "resume", unfinished[0]["operation"], "--yes")
    assert resumed.code == 0, resumed.out + resumed.err
    assert unfinished_rooms(server) == set()
    with server.session(into) as session:
        assert session.scalar("SELECT count(*) FROM core.users") > 0


@pytest.mark.more
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_random_moments(made: tuple[Cli, str, Path], server: Server, into: str, seed: int) -> None:
    """Whenever it dies, the name is free or has the whole database, and resuming makes it whole."""
    cli = Cli(made[0].folder / f"killed{seed}", server.dsn("postgres"))
    cli.folder.mkdir()
    words = ["backup", "restore", str(made[2]), "--into", into, "--create", "--yes"]
    process = cli.start(words)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=random.Random(seed).uniform(0.4, 3.0))
    process.kill()
    process.communicate()
    if into in databases(server):
        with server.session(into) as session:
            assert session.scalar("SELECT count(*) FROM core.users") > 0
    unfinished = cli.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]
    for one in unfinished:
        resumed = cli.run("audit", "resume", one["operation"], "--yes")
        assert resumed.code == 0, resumed.out + resumed.err
    if not unfinished and into not in databases(server):
        assert cli.run(*words).code == 0
    assert unfinished_rooms(server) == set()
    verified = Cli(cli.folder, server.dsn(into)).run("audit", "verify", "--format", "json")
    assert verified.code == 0, verified.out


def test_refused_on_a_standby_and_without_a_superuser(made: tuple[Cli, str, Path], server: Server, into: str) -> None:
    words = ["backup", "restore", str(made[2]), "--into", into, "--create", "--yes"]
    with server.session() as session:
        session.run("DROP ROLE IF EXISTS restore_person")
        session.run("CREATE ROLE restore_person LOGIN CREATEDB")
    ran = made[0].run(*words, "--dsn", server.dsn("postgres", "restore_person"))
    assert (ran.code, "restore_person cannot restore" in ran.err) == (4, True), ran.err
    with standby_of(server) as standby:
        ran = made[0].run(*words, "--dsn", standby.dsn("postgres"))
        assert (ran.code, "this server is a standby" in ran.err) == (4, True), ran.err
    assert into not in databases(server)


def unfinished_rooms(server: Server) -> set[str]:
    return {one for one in databases(server) if one.startswith(PREFIX)}


def test_check_and_dry_run_change_nothing(made: tuple[Cli, str, Path], server: Server, into: str) -> None:
    assert run(made, server, into, "--create", "--check")[0] == 3
    code, said = run(made, server, into, "--create", "--dry-run")
    assert code == 0
    assert "CONNECTION LIMIT" in said
    assert "default_transaction_read_only" not in said
    assert into not in databases(server)
