"""plpgsql_check finds nothing in any function of the database, with every warning that it has.

Nothing stays out: unused and never read variables, hidden casts, volatility, injection in EXECUTE, settings whose
meaning has changed. A trigger function is checked once for each table that it serves. Needs Debian's
postgresql-15-plpgsql-check.
"""

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
            # What it must find, so that finding nothing else means something.
            session.run(
                "CREATE FUNCTION admin.unclean() RETURNS text LANGUAGE plpgsql AS"
                " $$ DECLARE v_unused integer; v_name text := current_user; BEGIN RETURN v_name; END $$"
            )
            checked = session.run(
                "SELECT p.oid::regprocedure::text, coalesce(t.tgrelid, 0)::regclass::text,"
                "       extensions.plpgsql_check_function("
                "           p.oid, coalesce(t.tgrelid, 0)::regclass, all_warnings => true)"
                " FROM pg_proc AS p"
                " JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'"
                " JOIN pg_namespace AS n ON n.oid = p.pronamespace"
                " LEFT JOIN LATERAL (SELECT DISTINCT g.tgrelid FROM pg_trigger AS g"
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
        unclean = [str(row[2]) for row in checked if row[0] == "admin.unclean()"]
        for kind in ("warning", "performance"):
            assert any(line.startswith(kind) for line in unclean), f"it gives no {kind}"
        assert [row for row in checked if row[0] != "admin.unclean()" and not _known(str(row[0]), str(row[2]))] == []
    finally:
        cluster.destroy()
        shutil.rmtree(home, ignore_errors=True)


def _known(function: str, line: str) -> bool:
    """Conditions that are put together of constants and of format('%I') in a variable, which it cannot follow."""
    where = function == "admin.get_retention_backlog()"
    return where and not line.startswith(("error", "warning", "performance"))
