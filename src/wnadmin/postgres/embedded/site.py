"""One cluster on disk and the steps of its life; whoever calls these holds the home's lock."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wnadmin.errors import Failed, UsageError
from wnadmin.postgres.embedded import places as at
from wnadmin.postgres.embedded import state
from wnadmin.postgres.embedded.discovery import Kind, Provider
from wnadmin.postgres.embedded.launch import Server, free_shared_memory
from wnadmin.postgres.embedded.places import Layout, Marker
from wnadmin.postgres.embedded.procs import (
    Account,
    Progress,
    end_makers,
    end_orphans,
    is_alive,
    send,
    servers_in,
    wait_until,
)
from wnadmin.postgres.embedded.state import Status

StopMode = Literal["smart", "fast", "immediate"]
_SIGNALS: Mapping[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


@dataclass(frozen=True, slots=True)
class Site:
    """A home, its marker, and the user its server runs as."""

    layout: Layout
    marker: Marker
    account: Account

    def look(self, *, size: bool = False) -> Status:
        """What is there now."""
        return state.look(self.layout, self.marker, self.account, size=size)

    def provider(self) -> Provider | None:
        """The installation of the latest start, None before the first."""
        marker = self.marker
        if marker.version is None:
            return None
        kind: Kind = "env" if marker.kind == "env" else "wheel" if marker.kind == "wheel" else "system"
        return Provider(kind, Path(marker.bindir), marker.version, Path(marker.libdir) if marker.libdir else None)

    def settled(self) -> Status:
        """Look, and look again while a server works that has not written its pid file yet."""
        found: list[Status] = []

        def at_rest() -> bool:
            found.append(self.look())
            return found[-1].state != "crashed" or not servers_in(self.layout.data, self.account)

        wait_until(at_rest, 1.0)
        return found[-1]

    def wait_ready(self, server: Server | None, timeout: float, progress: Progress) -> Status:
        """Wait until the server lets clients in; ``server`` when we have just started it."""
        begun = time.monotonic()
        told = False
        while True:
            ended = server is not None and server.ended()
            status = self.look()
            if server is not None and ended:
                if status.state != "running":
                    raise server.why_not()
                server = None  # one that a killed wnadmin had begun to start was quicker
            if (server is None or status.pid == server.pid) and state.answers(status):
                break
            if server is None and status.state != "running":
                raise Failed("the server ended while it was waited for", next="wnadmin server start")
            waited = time.monotonic() - begun
            if waited > timeout:
                if server is not None:
                    server.release()
                raise Failed(
                    f"the server does not let clients in after {timeout:.0f} s",
                    why=f"it is still starting, or its socket is gone; its log is in {self.layout.log}",
                    next="look again with: wnadmin server status; or: wnadmin server stop",
                )
            if waited > 2 and not told:
                progress("still starting; after a crash it first repeats its write-ahead log")
                told = True
            time.sleep(0.02)
        if server is not None:
            server.release()
        return self.look(size=True)

    def stop(self, mode: StopMode, timeout: float, progress: Progress) -> None:
        """Stop a server that runs, and clear up after one that crashed."""
        if mode not in _SIGNALS:
            raise UsageError(f"{mode} is not a way to stop", next="smart, fast or immediate")
        now = self.settled()
        if now.state == "crashed":
            self.mend()
            if (provider := self.provider()) is not None:
                free_shared_memory(provider, self.account, self.layout.data)
        pid = now.pid
        if now.state != "running" or pid is None:
            return
        progress(f"stopping the server ({mode})")
        send(pid, _SIGNALS[mode], still=lambda p: bool(servers_in(self.layout.data, self.account, [p])))
        if not wait_until(lambda: not is_alive(pid), timeout):
            what = f"the server did not stop within {timeout:.0f} s"
            if mode == "smart":
                why = "smart waits for every client to leave"
                raise Failed(what, why=why, next="wnadmin server stop --mode fast")
            why = f"its log is in {self.layout.log}"
            raise Failed(what, why=why, next="wnadmin server stop --mode immediate")
        # Only an immediate stop can leave children, and the pid file, behind.
        if self.look().state == "crashed":
            self.mend()

    def mend(self) -> None:
        """After a crash: no process may be left that works in the data directory; then its traces go."""
        end_orphans(self.layout.data, self.account)
        if self.marker.socket:
            state.clear_sockets(Path(self.marker.socket))
        (self.layout.data / "postmaster.pid").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove data directories that a killed wnadmin had not finished to make or to remove."""
        for path in self.layout.abandoned:
            end_makers(path, self.account)
            at.remove(path)
        at.remove(self.layout.discarded)
