"""plpgsql_check finds nothing in any function of the database. Needs Debian's postgresql-15-plpgsql-check."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import SETTINGS, Server, install, scratch
from wnadmin.postgres.embedded import Cluster

pytestmark = pytest.mark.more

BINDIR = Path("/usr/lib/postgresql/15/bin")
CONTROL = Path("/usr/share/postgresql/15/extension/plpgsql_check.control")


@pytest.mark.skipif(not CONTROL.exists(), reason="plpgsql_check for PostgreSQL 15 is not installed; .ci/run has it")
def test_plpgsql_check_is_clean() -> None:
    home = scratch("check")
    cluster = Cluster(home / "pg", {"WNADMIN_PG_BINDIR": str(BINDIR), "PATH": "/usr/bin:/bin"})
    cluster.start(SETTINGS, fsync=False)
    server = Server(cluster, home)
    try:
        name = server.create()
        install(server, name)
        with server.session(name) as session:
            session.run("CREATE EXTENSION plpgsql_check SCHEMA extensions")
            checked = session.run(
                "SELECT p.oid::regprocedure::text, coalesce(t.tgrelid, 0)::regclass::text,"
                "       extensions.plpgsql_check_function(p.oid, coalesce(t.tgrelid, 0)::regclass,"
                "           other_warnings => false, extra_warnings => true, performance_warnings => false)"
                " FROM pg_proc AS p"
                " JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'"
                " JOIN pg_namespace AS n ON n.oid = p.pronamespace"
                " LEFT JOIN LATERAL (SELECT min(g.tgrelid::oid) AS tgrelid FROM pg_trigger AS g"
                "     WHERE g.tgfoid = p.oid AND NOT g.tgisinternal AND g.tgparentid = 0) AS t ON true"
                " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'extensions')"
                "   AND (p.prorettype <> 'trigger'::regtype OR t.tgrelid IS NOT NULL)"
            ).rows
            functions = session.scalar(
                "SELECT count(*) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
                " WHERE n.nspname IN ('core', 'family', 'content', 'audio', 'subscription', 'analytics', 'safety',"
                " 'ml', 'audit', 'admin')"
            )
        assert functions > 60, "there is something to check"
        errors = [row for row in checked if not str(row[2]).startswith(("unused", "warning extra"))]
        assert errors == []
    finally:
        cluster.destroy()
        shutil.rmtree(home, ignore_errors=True)
