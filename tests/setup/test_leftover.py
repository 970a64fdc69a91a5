"""What a killed look leaves behind is in use only while its maker lives, and is gone after the next look."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.migrate.support import EXAMPLE, Migrate, record_v001
from tests.setup.support import bad
from tests.setup.test_adopt import plan
from tests.setup.test_drift import Look, databases, look, run, ways
from tests.support import Cli, Server
from tests.support import scratch as enterable
from wnadmin.domain.setup import leftover
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster

__all__ = ["look"]


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of one's own, that a server's user can enter."""
    folder = enterable("left")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shadow_of_nobody(server: Server) -> Iterator[str]:
    """A shadow database whose maker is gone."""
    name = f"{leftover.DATABASE}1_{os.urandom(4).hex()}"
    run(server, "postgres", f'CREATE DATABASE "{name}"')
    yield name
    server.drop(name)


def clear(server: Server, dbname: str, user: str = "postgres") -> list[str]:
    there = ways(server, user)
    with server.session(dbname, user) as session:
        return leftover.clear(Database(session), there.here, there.admin_database)


def test_what_nobody_uses_is_dropped_and_told(
    look: Look, server: Server, db: str, scratch: Path, shadow_of_nobody: str
) -> None:
    seen = look(db)
    assert bad(seen.findings) == []
    assert f"dropped {shadow_of_nobody}, which a look that was cut off had left behind" in seen.notes
    assert shadow_of_nobody not in databases(server)
    assert not any("left behind" in note for note in look(db).notes)


def test_adopt_clears_it_too(
    server: Server, fresh_db: str, bundle: Bundle, scratch: Path, shadow_of_nobody: str
) -> None:
    effects = plan(server, fresh_db, bundle).effects
    assert f"dropped {shadow_of_nobody}, which a look that was cut off had left behind" in effects
    assert shadow_of_nobody not in databases(server)


def test_what_is_in_use_is_left_alone(server: Server, db: str, scratch: Path, shadow_of_nobody: str) -> None:
    with server.session() as maker:
        leftover.claim(maker, shadow_of_nobody)
        assert clear(server, db) == []
    with server.session(shadow_of_nobody):
        assert clear(server, db) == []
    assert shadow_of_nobody in databases(server)


def test_what_may_not_be_dropped_is_named_with_its_statement(
    server: Server, db: str, scratch: Path, shadow_of_nobody: str
) -> None:
    (told,) = clear(server, db, "wondernest_monitor")
    assert told == (
        f'{shadow_of_nobody} was left behind by a look that was cut off: DROP DATABASE IF EXISTS "{shadow_of_nobody}"'
    )
    assert shadow_of_nobody in databases(server)


def test_a_private_server_of_nobody_is_stopped_and_removed(scratch: Path) -> None:
    with leftover.folder() as used:
        abandoned = scratch / f"{leftover.FOLDER}abandoned"
        abandoned.mkdir(mode=0o755)
        (abandoned / "lock").touch(mode=0o600)
        cluster = Cluster(abandoned / "pg")
        cluster.start(fsync=False)
        foreign = scratch / f"{leftover.FOLDER}foreign"
        foreign.mkdir()
        (scratch / f"{leftover.FOLDER}link").symlink_to(foreign)
        assert leftover.sweep() == [abandoned]
        assert cluster.status(size=False).state == "absent"
        assert used.is_dir()
        assert foreign.is_dir()
        assert not abandoned.exists()
        with (used / "lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not used.exists()


def shadows(server: Server) -> list[str]:
    return [name for name in databases(server) if name.startswith(leftover.DATABASE)]


def test_a_killed_drift_leaves_nothing_to_the_next(server: Server, fresh_db: str, cli: Cli, scratch: Path) -> None:
    record_v001(server, fresh_db)
    Migrate(server, fresh_db, (EXAMPLE,)).apply()
    words = ["setup", "drift", "--location", str(EXAMPLE), "--shadow", "here", "--dsn", server.dsn(fresh_db)]
    cli = replace(cli, extra={"TMPDIR": str(scratch)})
    process = cli.start(words)
    deadline = time.monotonic() + 60
    while not shadows(server):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.kill()
    process.communicate()
    # The server may still be busy with the statement of the one who died.
    while shadows(server):
        assert time.monotonic() < deadline
        seen = cli.run(*words)
        assert seen.code == 0, seen.out + seen.err
    assert "was left behind" not in cli.run(*words).out
