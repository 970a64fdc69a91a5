"""A wrong password, on a server that asks for one: said in words, with the next thing to try, and never shown."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import TEMPLATE
from tests.support import SETTINGS, Cli, Server, end_server, scratch
from wnadmin.postgres.embedded import Cluster


def test_a_wrong_password(set_up_home: Path, cli: Cli) -> None:
    home = scratch("password")
    cluster = Cluster(set_up_home / "pg").copy(home / "pg")
    cluster.start(SETTINGS, hba=["local all wondernest_app scram-sha-256"], fsync=False)
    server = Server(cluster, home)
    try:
        with server.session() as session:
            session.run("ALTER ROLE wondernest_app PASSWORD 'correct-horse'")
        app = server.dsn(TEMPLATE, "wondernest_app")
        wrong = cli.run("queries", "reset", "--dsn", f"{app} password=swordfish")
        assert wrong.code == 5
        assert "password authentication failed" in wrong.err
        assert "next: Check the password in ~/.pgpass, the service file or PGPASSWORD." in wrong.err
        spool = (cli.state / "ledger-spool.jsonl").read_text()
        assert '"refused"' in spool, "an attempt counts too"
        assert "swordfish" not in wrong.out + wrong.err + spool
        right = cli.run("sql", "run", "queries/queries/extension", "--dsn", f"{app} password=correct-horse")
        assert right.code == 0, right.err
    finally:
        end_server(server)
