"""A real PgBouncer between the application and the database."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.readonly.support import PATIENCE, Ground, opened, write
from tests.support import Cli, scratch
from wnadmin.errors import NoConnection
from wnadmin.postgres.embedded.procs import server_account
from wnadmin.postgres.pooler import plain
from wnadmin.postgres.session import Session
from wnadmin.postgres.target import Target

pytestmark = pytest.mark.more

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Pooled:
    """The database, and PgBouncer in front of it under a name of its own; ``app`` is who logs in."""

    ground: Ground
    folder: Path

    def target(self, user: str = "wondernest_app", dbname: str = "pooled") -> Target:
        return Target({"host": str(self.folder), "port": "6432", "user": user, "dbname": dbname}, source="the tests")

    def client(self) -> Session:
        return plain(self.target(), "client")

    def profile(self, user: str, dbname: str = "pooled") -> Cli:
        """wnadmin with a profile that names the pooler."""
        pooler = f"host={self.folder} port=6432 user={user} dbname={dbname}"
        config = self.folder / "wnadmin.toml"
        config.write_text(
            f'[profiles.here]\nprimary = "{self.ground.cli.dsn}"\npooler = "{pooler}"\n', encoding="utf-8"
        )
        return Cli(self.ground.cli.folder, None, {"WNADMIN_CONFIG": str(config)})


@pytest.fixture
def pooled(ground: Ground) -> Iterator[Pooled]:
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed; .ci/run has it where apt-get has the package pgbouncer")
    folder = scratch("pooler")
    where = ground.server.target().parameters
    (folder / "users").write_text('"wondernest_app" ""\n"postgres" ""\n', encoding="utf-8")
    (folder / "pgbouncer.ini").write_text(
        f"""
[databases]
pooled = host={where["host"]} port={where["port"]} dbname={ground.dbname}

[pgbouncer]
listen_port = 6432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder / "users"}
pool_mode = transaction
admin_users = postgres
""",
        encoding="utf-8",
    )
    account = server_account()
    words = [PROGRAM, *(["-u", account.name] if os.geteuid() == 0 else []), str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    one = Pooled(ground, folder)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                one.client().close()
                break
            except NoConnection:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
        yield one
    finally:
        process.terminate()
        process.wait(PATIENCE)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def findings(cli: Cli) -> dict[str, dict[str, str]]:
    ran = cli.run("readonly", "status", "--profile", "here", "--format", "json", "--witness", "0")
    assert ran.code in (0, 3), ran.err
    return {one["id"]: one for one in ran.json()["findings"]}


def test_soft_reports_the_pooler_and_drain_closes_it(pooled: Pooled) -> None:
    # The superuser's own server connections say nothing about the application's: the profile logs in as that.
    cli = pooled.profile("wondernest_app")
    with opened(pooled.client()) as (first,):
        assert write(first) == ""
    soft = cli.run("readonly", "on", "--profile", "here", "--yes")
    assert soft.code == 0, soft.out + soft.err
    assert "Through the pooler all clients can, as long as it uses the server connections it has." in soft.out
    with opened(pooled.client()) as (new,):
        # A new client of the pooler gets a server connection from before.
        assert write(new) == ""
    assert findings(cli)["readonly.canary:pooler"]["severity"] == "warn"
    # Its console is not for everybody.
    refused = cli.run("readonly", "on", "--profile", "here", "--level", "drain", "--yes")
    assert refused.code == 5
    assert "cannot open the console of the pooler" in refused.err
    assert "Let wondernest_app in: admin_users in pgbouncer.ini, then RELOAD it." in refused.err
    cli = pooled.profile("postgres")
    drained = cli.run("readonly", "on", "--profile", "here", "--level", "drain", "--yes")
    assert drained.code == 0, drained.out + drained.err
    assert 'RECONNECT "pooled";' in drained.err
    with opened(pooled.client()) as (new,):
        assert write(new) == "25006"
    assert findings(cli)["readonly.canary:pooler"]["severity"] == "ok"
    left = cli.run("readonly", "off", "--profile", "here", "--yes")
    assert left.code == 0, left.out + left.err
    with opened(pooled.client()) as (new,):
        assert write(new) == ""


def test_a_pooler_that_does_not_know_the_database(pooled: Pooled) -> None:
    cli = pooled.profile("postgres", "elsewhere")
    refused = cli.run("readonly", "on", "--profile", "here", "--level", "drain", "--yes")
    assert refused.code == 5
    assert "the pooler has no database elsewhere" in refused.err
    assert "It has pooled." in refused.err


def test_leaving_does_not_depend_on_the_pooler(pooled: Pooled) -> None:
    cli = pooled.profile("postgres")
    assert cli.run("readonly", "on", "--profile", "here", "--level", "fence", "--yes").code == 0
    gone = replace(pooled, folder=pooled.folder / "gone")
    gone.folder.mkdir()
    cli = gone.profile("postgres")
    left = cli.run("readonly", "off", "--profile", "here", "--yes")
    assert left.code == 1
    assert "cannot open the console of the pooler" in left.out
    with opened(pooled.ground.client()) as (app,):
        assert write(app) == ""
    assert pooled.ground.cli.run("readonly", "off", "--yes").code == 0
