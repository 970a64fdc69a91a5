"""Backup, proof and restore on PostgreSQL 15 to 18, with each major's own tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backup.support import create, severities, sidecar
from tests.majors.conftest import Major
from tests.support import Cli

pytestmark = pytest.mark.more


def test_there_and_back(major: Major, tmp_path: Path) -> None:
    with major.server.session(major.dbname) as session:
        session.run("CREATE SEQUENCE IF NOT EXISTS public.numbers")
        session.run("SELECT nextval('public.numbers')")
        number = session.scalar("SELECT lo_from_bytea(0, decode(repeat('00ff17', 3000), 'hex'))")
        session.run(f"GRANT SELECT ON LARGE OBJECT {number} TO wondernest_backup")
    dump = create(major.cli, tmp_path, "--jobs", "2")
    found = severities(major.cli.run("backup", "verify", str(dump), "--level", "content", "--format", "json"))
    assert set(found.values()) <= {"ok", "skipped"}, found
    side = sidecar(dump)
    assert [(one.path, one.first) for one in side.sequences] == [("public.numbers", 1)]
    assert side.large_objects.count == 1 and side.large_objects.hash
    with major.server.session(major.dbname) as session:
        assert session.scalar("SELECT expires_at FROM audit.backups") == side.expires_at
    drilled = major.cli.run("backup", "drill", str(dump), "--jobs", "2", "--yes")
    assert drilled.code == 0, drilled.out + drilled.err
    # `setup verify`, which has the last word of a restore, wants no large objects in such a database.
    with major.server.session(major.dbname) as session:
        session.run(f"SELECT lo_unlink({number})")
        session.run("DROP SEQUENCE public.numbers")
    dump = create(major.cli, tmp_path, "--jobs", "2", name="two")
    words = ["--into", "restored_again", "--create", "--yes", "--dsn", major.server.dsn("postgres")]
    restored = major.cli.run("backup", "restore", str(dump), *words)
    assert restored.code == 0, restored.out + restored.err


def test_tools_older_than_the_server_are_refused(major: Major, tmp_path: Path) -> None:
    """With nothing but the wheel's PostgreSQL 17 at hand, a newer server is told what to install."""
    cli = Cli(tmp_path, major.server.dsn(major.dbname), {"WNADMIN_PG_PROVIDER": "wheel", "PATH": "/usr/bin:/bin"})
    ran = cli.run("backup", "create", "--to", str(tmp_path), "--check")
    if major.number <= 17:
        assert ran.code == 3, ran.err
    else:
        assert ran.code == 4
        assert f"postgresql-client-{major.number}" in ran.err
