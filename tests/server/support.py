"""Helpers of the server tests: psql as a process, API calls in other processes, a place for clusters."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wnadmin.errors import WnError
from wnadmin.postgres.embedded import Account, Cluster

DRIVE = Path(__file__).with_name("drive.py")
ROOM = 600_000_000

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can change users, mounts and capabilities")


def plain_environment(**extra: str) -> dict[str, str]:
    """This process's environment without anything that steers wnadmin or libpq, and ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WNADMIN_", "PG"))}
    return kept | extra


def psql(cluster: Cluster, sql: str, *, user: str = "postgres", password: str | None = None) -> str:
    """What ``sql`` prints, unaligned; AssertionError with the server's message when it fails."""
    done = psql_process(cluster, sql, user=user, password=password)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def psql_process(
    cluster: Cluster, sql: str, *, user: str = "postgres", password: str | None = None
) -> subprocess.CompletedProcess[str]:
    tool = cluster.tool("psql")
    url = cluster.url().replace("postgresql://postgres@", f"postgresql://{user}@")
    env = plain_environment(**tool.env) | ({} if password is None else {"PGPASSWORD": password})
    argv = [str(tool.path), "-XAtw", "-v", "ON_ERROR_STOP=1", "-c", sql, url]
    return subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60, check=False)


def drive(
    home: Path,
    call: str,
    *,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    **args: Any,
) -> dict[str, Any]:
    """One API call in another process, as ``account`` if given, started through the words ``before``."""
    done = subprocess.run(
        [*before, *drive_argv(home, call, account=account, env=env, **args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer if isinstance(answer, dict) else {"value": answer}


def drive_argv(
    home: Path,
    call: str,
    *,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    **args: Any,
) -> list[str]:
    task = {
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        "home": str(home),
        "call": call,
        "args": args,
        "env": dict(env or plain_environment()),
    }
    return [sys.executable, str(DRIVE), json.dumps(task)]


@dataclass(frozen=True, slots=True)
class Nest:
    """A directory for clusters, and one that is already made, to copy."""

    path: Path
    template: Cluster

    def cluster(self, name: str = "home") -> Cluster:
        """A fresh stopped cluster."""
        return self.template.copy(self.path / name)

    def new(self, name: str = "home", **env: str) -> Cluster:
        """A cluster that is not made yet."""
        return Cluster(self.path / name, plain_environment(**env))


def _roomy() -> str | None:
    shm = Path("/dev/shm")
    with suppress(OSError):
        if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > ROOM:
            return str(shm)
    return None


def new_directory() -> Path:
    path = Path(tempfile.mkdtemp(prefix="wn", dir=_roomy()))
    path.chmod(0o711)  # root's servers run as someone else, who must be able to pass through
    return path


def clear(path: Path) -> None:
    for marker in list(path.rglob("server.json")):
        with suppress(WnError):
            Cluster(marker.parent, plain_environment()).destroy()
    shutil.rmtree(path, ignore_errors=True)
