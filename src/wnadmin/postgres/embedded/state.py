"""What a cluster is right now, read from its pid file and ``/proc``; nothing is changed here."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from wnadmin.errors import Refused
from wnadmin.postgres.embedded.places import Layout, Marker, read, size_of
from wnadmin.postgres.embedded.procs import Account, servers_in

State = Literal["absent", "stopped", "running", "crashed"]

_READY = ("ready", "standby")


@dataclass(frozen=True, slots=True)
class Status:
    """A cluster as it was found.

    ``crashed``: its postmaster is gone and left its pid file or its children behind; start mends that.
    ``ready``: running and letting clients in. ``version`` is (major, minor) of the programs of the
    latest start; ``size`` the bytes of the data directory on disk, None when it was not asked for.
    """

    state: State
    home: Path
    data: Path
    log: Path
    ready: bool = False
    pid: int | None = None
    version: tuple[int, int] | None = None
    bindir: Path | None = None
    socket_dir: Path | None = None
    port: int | None = None
    started: datetime | None = None
    size: int | None = None

    @property
    def uptime(self) -> timedelta | None:
        """Time since the server was started; None when it does not run."""
        if self.state != "running" or self.started is None:
            return None
        return max(datetime.now(UTC) - self.started, timedelta(0))


@dataclass(frozen=True, slots=True)
class PidFile:
    """``postmaster.pid``, as far as it has been written."""

    pid: int
    started: datetime | None
    port: int | None
    socket: Path | None
    status: str


def read_pid_file(data: Path) -> PidFile | None:
    """The pid file of a data directory, None when there is none (or it is empty: a write cut short)."""
    try:
        lines = [line.strip() for line in read(data / "postmaster.pid").splitlines()]
        pid = abs(int(lines[0]))  # negative for a server in single-user mode
    except (OSError, ValueError, IndexError):
        return None
    lines += [""] * 8
    return PidFile(
        pid=pid,
        started=datetime.fromtimestamp(int(lines[2]), UTC) if lines[2].isdecimal() else None,
        port=int(lines[3]) if lines[3].isdecimal() else None,
        socket=Path(lines[4]) if lines[4] else None,
        status=lines[7],
    )


def absent(layout: Layout) -> Status:
    """The status of a home in which there is no cluster."""
    return Status("absent", layout.home, layout.data, layout.log)


def look(layout: Layout, marker: Marker, account: Account, *, size: bool = False) -> Status:
    """The status of the cluster that ``marker`` describes; ``absent`` when its data is not there (yet)."""
    if not (layout.data / "PG_VERSION").exists():
        return absent(layout)
    file = read_pid_file(layout.data)
    alive = file is not None and bool(servers_in(layout.data, account, [file.pid]))
    state: State = "running"
    if not alive:
        left_behind = (layout.data / "postmaster.pid").exists() or servers_in(layout.data, account)
        state = "crashed" if left_behind else "stopped"
    running = file if alive else None
    return Status(
        state=state,
        home=layout.home,
        data=layout.data,
        log=layout.log,
        ready=running is not None and running.status in _READY,
        pid=running.pid if running else None,
        version=marker.version,
        bindir=Path(marker.bindir) if marker.bindir else None,
        socket_dir=(running.socket if running else None) or (Path(marker.socket) if marker.socket else None),
        port=running.port if running else None,
        started=running.started if running else None,
        size=size_of(layout.data) if size else None,
    )


def accepts(path: Path) -> bool:
    """Whether something listens on this Unix socket."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(os.fspath(path))
        except (BlockingIOError, TimeoutError):
            return True  # its queue is full: there is someone
        except OSError:
            return False
        return True


def answers(status: Status) -> bool:
    """Whether a running server lets clients in: by its own word, and by trying its socket."""
    if not status.ready or status.socket_dir is None or status.port is None:
        return False
    return accepts(status.socket_dir / f".s.PGSQL.{status.port}")


def clear_sockets(directory: Path) -> None:
    """Remove what a dead server left in its socket directory.

    A server in another container on the same volume is not in our ``/proc``, but its socket answers:
    that is :class:`Refused`, because a second server on the same data would destroy it.
    """
    with contextlib.suppress(FileNotFoundError):
        names = [name for name in os.listdir(directory) if name.startswith(".s.PGSQL.")]
        for name in names:
            if not name.endswith(".lock") and accepts(directory / name):
                raise Refused(
                    f"a server that is not visible from here listens on {directory / name}",
                    why="its processes are not in /proc: it runs in another container or namespace",
                    next="stop it where it was started",
                )
        for name in names:
            (directory / name).unlink(missing_ok=True)
