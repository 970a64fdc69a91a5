"""What the tests of backups share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support import Cli, Ran, Server
from wnadmin.domain.backup import files, values
from wnadmin.domain.backup.values import Sidecar


def create(cli: Cli, folder: Path, *words: str, name: str = "one") -> Path:
    """Make a backup and give its dump."""
    ran = cli.run("backup", "create", "--to", str(folder), "--name", name, "--yes", *words)
    assert ran.code == 0, ran.out + ran.err
    return next(each for each in folder.iterdir() if each.name.startswith(f"{name}.dump") and each.suffix != ".json")


def sidecar(dump: Path) -> Sidecar:
    """Read the sidecar of a dump."""
    return values.read(files.at(dump).sidecar.read_bytes(), Sidecar)


def reseal(dump: Path, side: Sidecar | None = None) -> None:
    """Write the sidecar anew so that it fits the dump as it now is: a damage from before it was hashed."""
    parts = files.parts(dump)
    fitting = replace(
        side or sidecar(dump), parts=parts, sha256=values.list_hash(parts), bytes=sum(one.bytes for one in parts)
    )
    files.write_private(files.at(dump).sidecar, values.write(fitting))


def copy(source: Path, folder: Path) -> Path:
    """Copy a dump and its sidecar."""
    for path in (source, files.at(source).sidecar):
        shutil.copy2(path, folder / path.name)
    return folder / source.name


def severities(ran: Ran) -> dict[str, str]:
    """Give the severity of each check; the worst where there are several."""
    order = ["ok", "skipped", "warn", "unknown", "critical"]
    found: dict[str, str] = {}
    for one in ran.json()["findings"]:
        before = found.get(one["check"], "ok")
        found[one["check"]] = max(before, one["severity"], key=order.index)
    return found


def limited(cli: Cli, size: int, *words: str) -> Ran:
    """Run wnadmin where no file may grow beyond ``size`` bytes, as on a full disk."""
    argv = ["prlimit", f"--fsize={size}", *cli.argv(*words)]
    done = subprocess.run(
        argv, env=cli.env(), text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def visible(folder: Path) -> list[str]:
    """Name what is in the folder, without what begins with a dot."""
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))


def databases(server: Server) -> set[str]:
    """Name the databases of the server."""
    with server.session() as session:
        return {str(row[0]) for row in session.run("SELECT datname FROM pg_database").rows}


def steps(ran: Ran) -> dict[str, Any]:
    """Give the receipts of a change by step."""
    return {one["key"]: one["receipt"] for one in ran.json()["steps"]}


def tools(server: Server, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a client program of the server."""
    tool = server.cluster.tool(name)
    return subprocess.run(
        [str(tool.path), *words], env={**os.environ, **tool.env}, text=True, capture_output=True, check=False
    )


def payloads(cli: Cli, server: Server, dbname: str) -> list[dict[str, Any]]:
    """Give the payloads of the ledger in ``dbname``, in order."""
    with server.session(dbname) as session:
        rows = session.run("SELECT payload FROM audit.operator_ledger ORDER BY seq").rows
    return [json.loads(row[0]) for row in rows]
