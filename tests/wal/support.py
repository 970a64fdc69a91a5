"""What the tests of WAL share: a server that archives, as its own user would have it, and the pages to type."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import SETTINGS, Cli, Ran, Server
from wnadmin.domain.playbook import page
from wnadmin.domain.wal import script
from wnadmin.postgres.embedded.places import Layout, read_marker
from wnadmin.postgres.embedded.procs import Account, account_of, run, wait_until

PATIENCE = 60.0
"""Seconds; the machine may be shared."""

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Yard:
    """A server of one's own, and folders beside it that belong to its user; one of them is the archive."""

    server: Server
    cli: Cli
    account: Account
    archive: Path

    @property
    def home(self) -> Path:
        """Where its folders are; it belongs to the server's user."""
        return self.server.home / "own"

    @property
    def script(self) -> Path:
        """Where the archive command is."""
        return self.home / "wnadmin-archive"

    def folder(self, name: str) -> Path:
        """Make a folder that belongs to the server's user."""
        path = self.home / name
        path.mkdir(mode=0o700)
        shutil.chown(path, self.account.uid, self.account.gid)
        return path

    def config(self, *words: str) -> Ran:
        """Run `backup wal config` for the archive."""
        return self.cli.run(
            "backup", "wal", "config", "--to", str(self.archive), "--script", str(self.script), "--yes", *words
        )

    def restart(self, options: Mapping[str, str] | None = None) -> None:
        """Stop it and start it again, with the settings of the tests and more."""
        self.server.cluster.stop()
        self.server.cluster.start({**SETTINGS, **(options or {})}, fsync=False)

    def begin(self, **options: str) -> None:
        """Have the shipped command archive: `backup wal config`, and the restart that it leaves to the operator."""
        made = self.config()
        assert made.code == 0, made.out + made.err
        self.restart(options)

    def shell(self, text: str, **variables: str | Path) -> Done:
        """Run a script as the server's user, with the server's programs in its path."""
        tool = self.server.cluster.tool("pg_ctl")
        given = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())
        libraries = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in tool.env.items())
        head = f"set -eu\nPATH={shlex.quote(str(tool.path.parent))}:$PATH\n{libraries}{given}"
        return run(["/bin/bash", "-c", head + text], self.account, timeout=300)

    def typed(self, text: str, **variables: str | Path) -> str:
        """The same for what must succeed; gives what it said."""
        done = self.shell(text, **variables)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def base_backup(self, name: str, *words: str) -> Path:
        """Take a base backup with the server's own program, and wait until its label is archived."""
        before = self.labels()
        info = self.server.cluster.conninfo()
        where = shlex.join(["--host", info["host"], "--port", info["port"], "--username", info["user"], *words])
        path = self.home / name
        self.typed(
            f'pg_basebackup {where} --checkpoint fast --no-sync --label "of {name}" --pgdata "$PATH_"', PATH_=path
        )
        self.until(lambda: self.labels() > before, "the label of the base backup is not archived")
        return path

    def labels(self) -> set[str]:
        """Name the labels of base backups in the archive."""
        return {one.name for one in self.archive.iterdir() if one.name.endswith(".backup")}

    def sql(self, text: str, dbname: str = "postgres") -> Any:
        """Run a statement and give its first value."""
        with self.server.session(dbname) as session:
            return session.scalar(text)

    def switch(self) -> str:
        """Write something, close the segment, and give its name."""
        with self.server.session() as session:
            session.run("SELECT pg_logical_emit_message(false, 'wn', 'x')")
            name = session.scalar("SELECT pg_walfile_name(pg_current_wal_lsn())")
            session.run("SELECT pg_switch_wal()")
        return str(name)

    def archived(self, name: str, folder: Path | None = None) -> None:
        """Wait until a file is in the archive."""
        path = (folder or self.archive) / name
        assert wait_until(path.exists, PATIENCE), f"{name} is not archived: {sorted(os.listdir(path.parent))}"

    def until(self, condition: Callable[[], bool], complaint: str) -> None:
        """Wait for something."""
        assert wait_until(condition, PATIENCE), complaint

    def segments(self) -> list[str]:
        """Name the whole segments in the archive."""
        return sorted(each.name for each in self.archive.iterdir() if len(each.name) == 24)


def yard(server: Server, cli: Cli, dbname: str, name: str = "wal archive's 100%") -> Yard:
    """Make the folders beside a server; the archive has a name that needs quoting everywhere."""
    marker = read_marker(Layout(server.cluster.home))
    assert marker is not None
    account = account_of(marker.uid)
    # Without what the machine has of other tools.
    calm = Cli(cli.folder, server.dsn(dbname), {**cli.extra, "PATH": str(server.home / "no programs")})
    one = Yard(server, calm, account, server.home / "own" / name)
    one.home.mkdir()
    one.home.chmod(0o755)
    shutil.chown(one.home, account.uid, account.gid)
    one.folder(name)
    return one


def blocks(name: str, section: str, language: str) -> list[str]:
    """What a page says under a heading in one language, block by block."""
    (found,) = [one for one in page.every() if one.name == name]
    return ["\n".join(one.lines) for one in found.blocks if one.section == section and one.language == language]


def whole(name: str) -> str:
    """The text of a page."""
    (found,) = [one for one in page.every() if one.name == name]
    return found.body


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    """Give the findings of a check by name; where there are several of one name, the last."""
    return {one["check"]: one for one in json.loads(ran.out)["findings"]}


def severities(ran: Ran) -> dict[str, str]:
    """Give the severity of each finding by name."""
    return {name: one["severity"] for name, one in findings(ran).items()}


_numbers = itertools.count(1)


def segment(folder: Path, name: str, system: int = 7_000_000_000_000_000_001, size: int = 1 << 20) -> Path:
    """Write a file that looks like a WAL segment of a server to the archive command, with a content of its own."""
    path = folder / name
    body = next(_numbers).to_bytes(8, "little") * (size // 8 - 4)
    path.write_bytes(bytes(24) + system.to_bytes(8, "little", signed=True) + body)
    return path


def shipped(folder: Path) -> Path:
    """Write the shipped archive command into a folder."""
    path = folder / "wnadmin-archive"
    script.write(path)
    return path


def each(folder: Path) -> Iterator[str]:
    """Name what is in a folder, hidden files too."""
    yield from sorted(one.name for one in folder.iterdir())


def shipped_command(plot: Yard) -> str:
    """The archive_command that `backup wal config` sets."""
    return f'{plot.script} "%p" \'' + str(plot.archive).replace("'", "'\"'\"'").replace("%", "%%") + "'"


def command(plot: Yard, text: str) -> None:
    """Have the server archive with this; the reload also has it try again at once."""
    with plot.server.session() as session:
        session.run("ALTER SYSTEM SET archive_command = '{}'".format(text.replace("'", "''")))
        session.run("SELECT pg_reload_conf()")


def ready(plot: Yard) -> int:
    count = plot.sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")
    assert isinstance(count, int)
    return count


def failures(plot: Yard) -> int:
    count = plot.sql("SELECT failed_count FROM pg_stat_archiver")
    assert isinstance(count, int)
    return count


def breaks(plot: Yard) -> str:
    """Close a segment and wait until the server has counted that it could not be archived; gives its name."""
    name = plot.switch()
    plot.until(lambda: failures(plot) > 0, "no failure is counted")
    return name


def check(plot: Yard, *words: str, env: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    ran = plot.cli.run("backup", "wal", "check", "--format", "json", *words, env=env)
    assert ran.code in (0, 3), ran.err
    return findings(ran)
