"""The real pgBackRest and the real Barman, of Debian's packages, with real backups of a real server.

There is no WAL-G here: see test_walg.py.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import Server, scratch
from tests.wal_tools.yard import Yard, found, opened
from wnadmin.domain.wal.tools import Kept, Seen, read
from wnadmin.postgres.embedded.procs import server_account

pytestmark = pytest.mark.more


def only(seen: list[Seen], tool: str) -> Seen:
    """What this tool answered; the other one may be installed, too."""
    (one,) = [each for each in seen if each.tool == tool]
    return one


def wal_name(server: Server, lsn: str) -> str:
    """The segment of a position, in the server's own words."""
    with server.session() as session:
        name = session.scalar("SELECT pg_walfile_name(%s::pg_lsn)", [lsn])
    assert isinstance(name, str)
    return name


def made_between(kept: Kept, before: datetime, after: datetime) -> bool:
    """Whether it says so itself; these tools may round to a second."""
    second = timedelta(seconds=1)
    assert kept.started is not None
    assert kept.finished is not None
    return before - second <= kept.started <= kept.finished <= after + second


# --- pgBackRest --------------------------------------------------------------------------------------------------


@pytest.fixture
def stanza(monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """A server and a stanza named main, with nothing in it yet."""
    program = found("pgbackrest")
    push = f"{program} --config=FOLDER/pgbackrest.conf --stanza=main archive-push %p"
    with opened("pgbackrest", push) as yard:
        repository, log, lock, spool = yard.make("repo", "log", "lock", "spool")
        where = yard.server.target().parameters
        text = f"""
            [global]
            repo1-path={repository}
            repo1-retention-full=9
            log-path={log}
            lock-path={lock}
            spool-path={spool}
            start-fast=y
            [main]
            pg1-path={yard.data}
            pg1-socket-path={where["host"]}
            pg1-port={where["port"]}
            pg1-user=postgres
        """
        config = yard.folder / "pgbackrest.conf"
        config.write_text("\n".join(line.strip() for line in text.splitlines()), encoding="utf-8")
        monkeypatch.setenv("PGBACKREST_CONFIG", str(config))
        yard.run(program, f"--config={config}", "--stanza=main", "stanza-create")
        yield yard


def pgbackrest(yard: Yard, *words: str) -> None:
    yard.run(found("pgbackrest"), f"--config={yard.folder / 'pgbackrest.conf'}", "--stanza=main", *words)


def damage(yard: Yard, table: str) -> None:
    """Change a few bytes of a table on disk, behind the back of the server."""
    with yard.server.session() as session:
        session.run(f"CREATE TABLE {table} AS SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 500) AS n")
        session.run("CHECKPOINT")
        assert session.scalar("SHOW data_checksums") == "on"
        path = yard.data / session.scalar("SELECT pg_relation_filepath(%s::regclass)", [table])
    with path.open("r+b") as file:
        file.seek(4000)
        file.write(b"not what was written")


def test_pgbackrest(stanza: Yard) -> None:
    empty = only(read(["main"]), "pgBackRest")
    assert (empty.kept, empty.archive_first, empty.trouble) == ((), "", "main: no valid backups")

    before = datetime.now(UTC)
    for kind in ("full", "diff", "incr"):
        with stanza.server.session() as session:
            session.run(f"CREATE TABLE public.made_before_{kind} AS SELECT 1 AS x")
        pgbackrest(stanza, f"--type={kind}", "backup")
    after = datetime.now(UTC)

    seen = only(read(), "pgBackRest")
    assert stanza.run(found("pgbackrest"), "version").split() == ["pgBackRest", seen.version]
    assert seen.trouble == ""
    assert [(one.name, one.kind, one.trouble) for one in seen.kept] == [
        ("main", "incremental", ""),
        ("main", "differential", ""),
        ("main", "full", ""),
    ]
    newest, middle, full = seen.kept
    assert newest.label.startswith(f"{full.label}_")
    assert newest.label.endswith("I")
    assert middle.label.endswith("D")
    assert all(made_between(one, before, after) for one in seen.kept)
    ends = [name for one in reversed(seen.kept) for name in (one.first_wal, one.last_wal)]
    assert ends == sorted(ends)
    assert len(set(ends)) >= 3
    archived = sorted(
        path.name[:24] for path in (stanza.folder / "repo/archive/main").rglob("0*-*") if path.name[24:25] == "-"
    )
    assert (seen.archive_first, seen.archive_last) == (archived[0], archived[-1])
    assert set(ends) <= set(archived)
    for one in seen.kept:
        folder = stanza.folder / "repo/backup/main" / one.label
        data, all_of_it = (
            sum(path.lstat().st_size for path in each.rglob("*") if path.is_file())
            for each in (folder / "pg_data", folder)
        )
        assert one.bytes is not None
        assert data <= one.bytes <= all_of_it

    assert only(read(["main"]), "pgBackRest") == seen
    none = only(read(["none"]), "pgBackRest")
    assert (none.kept, none.trouble) == ((), "none: missing stanza path")

    damage(stanza, "public.damaged")
    pgbackrest(stanza, "--type=full", "backup")
    hurt = only(read(), "pgBackRest")
    assert [(one.kind, one.trouble) for one in hurt.kept[:2]] == [
        ("full", "error(s) detected during backup"),
        ("incremental", ""),
    ]


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that pgBackRest is told is its repository."""
    found("pgbackrest")
    folder = scratch("repository")
    (folder / "pgbackrest.conf").write_text(f"[global]\nrepo1-path={folder / 'repo'}\n", encoding="utf-8")
    monkeypatch.setenv("PGBACKREST_CONFIG", str(folder / "pgbackrest.conf"))
    yield folder
    (folder / "repo").mkdir(exist_ok=True)
    (folder / "repo").chmod(0o700)
    shutil.rmtree(folder)


def test_pgbackrest_without_its_repository(repository: Path) -> None:
    seen = only(read(), "pgBackRest")
    assert (seen.kept, seen.trouble) == ((), "No stanzas exist in the repository")


def test_pgbackrest_without_the_permission(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "repo").mkdir()
    (repository / "repo").chmod(0)
    if os.geteuid() == 0:
        # Root may read everything, so the real program is run as a lesser user.
        account = server_account()
        shelf = repository / "shelf"
        shelf.mkdir()
        lesser = shelf / "pgbackrest"
        lesser.write_text(
            f"#!/bin/sh\nexec setpriv --reuid={account.uid} --regid={account.gid} --clear-groups "
            f'{found("pgbackrest")} "$@"\n',
            encoding="utf-8",
        )
        lesser.chmod(0o755)
        monkeypatch.setenv("PATH", f"{shelf}:{os.environ['PATH']}")
    seen = only(read(), "pgBackRest")
    assert seen.trouble == (
        f"[PathOpenError] unable to list file info for path '{repository}/repo/backup': [13] Permission denied"
    )
    assert (seen.kept, seen.archive_first) == ((), "unknown")


def test_pgbackrest_with_a_broken_configuration(repository: Path) -> None:
    (repository / "pgbackrest.conf").write_text("garbage\n", encoding="utf-8")
    seen = only(read(), "pgBackRest")
    assert seen.trouble == "[029]: key/value found outside of section at line 1: garbage"


# --- Barman ------------------------------------------------------------------------------------------------------


@pytest.fixture
def barman(monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """A server and a Barman that takes its WAL and its backups; of another one it can take no backup."""
    found("barman")
    with opened("barman", "cp %p FOLDER/barman/main/incoming/%f") as yard:
        home, _ = yard.make("barman", "failing")
        failing = yard.folder / "failing" / "pg_basebackup"
        real = yard.programs / "pg_basebackup"
        failing.write_text(
            f'#!/bin/sh\ncase "$*" in *--version*) exec {real} "$@";; esac\n'
            'echo "pg_basebackup: error: could not write: No space left on device" >&2\nexit 1\n',
            encoding="utf-8",
        )
        failing.chmod(0o755)
        where = yard.server.dsn()
        text = f"""
            [barman]
            barman_user = {yard.account.name}
            barman_home = {home}
            barman_lock_directory = {home}
            log_file = {home}/barman.log
            [main]
            description = main
            conninfo = {where}
            streaming_conninfo = {where}
            backup_method = postgres
            archiver = on
            path_prefix = {yard.programs}
            [spare]
            description = spare
            conninfo = host=/nowhere user=postgres dbname=postgres
            streaming_conninfo = host=/nowhere user=postgres
            backup_method = postgres
            archiver = on
            path_prefix = {yard.programs}
        """
        lines = "\n".join(line.strip() for line in text.splitlines())
        for name, content in (
            (".barman.conf", lines),
            ("failing.conf", lines.replace(f"path_prefix = {yard.programs}", f"path_prefix = {failing.parent}", 1)),
        ):
            (yard.folder / name).write_text(content, encoding="utf-8")
            (yard.folder / name).chmod(0o644)
        monkeypatch.setenv("HOME", str(yard.folder))
        # It makes its folders when it first looks, and is not content before the first segment is there.
        yard.run("barman", "check", "main", fails=True)
        yard.run("barman", "switch-wal", "--force", "--archive", "main")
        yield yard


def test_barman(barman: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = only(read(), "Barman")
    assert (empty.kept, empty.archive_first, empty.trouble) == ((), "", "main: no backups; spare: no backups")

    before = datetime.now(UTC)
    barman.run("barman", "backup", "main")
    after = datetime.now(UTC)
    seen = only(read(["main"]), "Barman")
    assert barman.run("barman", "--version").split()[0] == seen.version
    assert seen.trouble == ""
    (full,) = seen.kept
    folder = barman.folder / "barman/main/base" / full.label
    assert (full.name, full.kind, full.trouble) == ("main", "full", "")
    assert made_between(full, before, after)
    label = (folder / "data/backup_label").read_text(encoding="utf-8").split()
    assert full.first_wal == wal_name(barman.server, label[3]) == label[5].rstrip(")")
    (history,) = (barman.folder / "barman/main/wals").rglob("*.backup")
    assert f"(file {full.last_wal})" in history.read_text(encoding="utf-8").splitlines()[1]
    assert full.bytes is not None
    # Its own notes are in it, as long as they were at that moment.
    notes = full.bytes - sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
    assert 0 <= notes < 4096
    archived = [line.split("\t")[0] for line in (barman.folder / "barman/main/wals/xlog.db").read_text().splitlines()]
    segments = [name for name in archived if len(name) == 24]
    assert (seen.archive_first, seen.archive_last) == (full.first_wal, segments[-1])

    barman.run("barman", "-c", str(barman.folder / "failing.conf"), "backup", "main", fails=True)
    failed, good = only(read(["main"]), "Barman").kept
    assert good == full
    assert failed.trouble.startswith("FAILED: failure copying files (data transfer failure on directory '")
    assert (failed.finished, failed.first_wal, failed.bytes) == (None, "unknown", None)

    assert only(read(["none"]), "Barman").trouble == "none: Unknown server 'none'"
    assert only(read(["main", "spare"]), "Barman").trouble == "spare: no backups"

    info = barman.folder / "barman/main/base" / full.label / "backup.info"
    content = info.read_bytes()
    info.write_text("begin_time=garbage\n", encoding="utf-8")
    assert only(read(), "Barman").trouble == "Unknown string format: garbage"
    info.write_bytes(content)

    config = barman.folder / ".barman.conf"
    other = "nobody" if os.geteuid() == 0 else "root"
    config.write_text(config.read_text().replace(f"barman_user = {barman.account.name}", f"barman_user = {other}"))
    blind = only(read(), "Barman")
    if os.geteuid() == 0:
        lock = barman.folder / "barman/.main-xlogdb.lock"
        assert blind.trouble == f"{lock} (PermissionError: [Errno 13] Permission denied: '{lock}')"
    else:
        assert blind.trouble == f"please run barman as '{other}' user"
    config.write_text("garbage\n", encoding="utf-8")
    assert only(read(), "Barman").trouble == "File contains no section headers."
