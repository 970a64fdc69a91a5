"""Start, stop and destroy the embedded server, as Plans; its state as a Report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from wnadmin.errors import UsageError
from wnadmin.postgres.embedded import Cluster, Status, StopMode
from wnadmin.postgres.embedded.discovery import choose
from wnadmin.results import Cell, Column, Finding, Json, Plan, Receipt, Report, Step, Table, World


def start(cluster: Cluster) -> Plan:
    """Describe the start, with making the data directory first where there is none."""
    now = cluster.status(size=False)
    if now.state == "running" and now.ready:
        return Plan(
            "Start the embedded server",
            (),
            nothing=f"it runs already, process {now.pid}",
            node="none",
            next="wnadmin server status",
        )
    making = now.state == "absent"
    if making:
        # Without any PostgreSQL there is nothing to plan; this says where to get one.
        choose(env=cluster.env)
    shows = (*((f"initdb --pgdata {now.data}",) if making else ()), f"postgres -D {now.data}")

    def run(world: World) -> Receipt:
        began = time.monotonic()
        status = cluster.start(progress=lambda text: world.progress(text, 0, 0))
        return _receipt("start", began, {"pid": status.pid, "version": _version(status)})

    effects = ["A private PostgreSQL of this user runs until it is stopped; it listens on a socket only."]
    if making:
        effects.insert(0, f"A new data directory is made in {now.data}.")
    if now.state == "crashed":
        effects.insert(0, "The server crashed before; what it left behind is cleared and it recovers its data.")
    return Plan(
        "Start the embedded server",
        (Step("start", "Make and start the server" if making else "Start the server", shows, run),),
        effects=tuple(effects),
        verify=lambda: [_expect(cluster, "running")],
        node="none",
        next="wnadmin setup apply --create",
    )


_MODES: Mapping[str, StopMode] = {"smart": "smart", "fast": "fast", "immediate": "immediate"}


def mode(text: str) -> StopMode:
    """Read pg_ctl's word for how to stop."""
    if text not in _MODES:
        raise UsageError(f"unknown mode {text}", next="Use --mode smart, fast or immediate.")
    return _MODES[text]


def stop(cluster: Cluster, mode: StopMode) -> Plan:
    """Describe the stop; nothing to do when it does not run."""
    now = cluster.status(size=False)
    if now.state in ("absent", "stopped"):
        return Plan("Stop the embedded server", (), nothing=f"it is {now.state}", node="none")
    effect = {
        "smart": "The server ends when its last session ends.",
        "fast": "Open sessions are ended and their transactions rolled back.",
        "immediate": "The server ends at once and recovers at its next start.",
    }[mode]
    return Plan(
        "Stop the embedded server",
        (_step("stop", "Stop the server", f"pg_ctl stop -m {mode} -D {now.data}", lambda: cluster.stop(mode)),),
        effects=(effect,),
        verify=lambda: [_expect(cluster, "stopped")],
        node="none",
    )


def destroy(cluster: Cluster) -> Plan:
    """Describe the end of the server and of all its data."""
    now = cluster.status()
    if now.state == "absent":
        return Plan("Destroy the embedded server", (), nothing=f"there is none in {now.home}", node="none")
    return Plan(
        "Destroy the embedded server",
        (_step("destroy", "Stop the server and remove its data", f"rm -r {now.data}", cluster.destroy),),
        effects=(f"Every database in {now.data} ({_megabytes(now.size)}) is lost; there is no undo.",),
        verify=lambda: [_expect(cluster, "absent")],
        node="none",
    )


def status(cluster: Cluster) -> Report:
    """Say what the server is right now."""
    now = cluster.status()
    facts: tuple[tuple[str, Cell], ...] = (
        ("state", now.state if now.state != "running" or now.ready else "starting"),
        ("version", _version(now)),
        ("process", now.pid),
        ("up for", now.uptime),
        ("size", _megabytes(now.size)),
        ("data", str(now.data)),
        ("log", str(now.log)),
        ("programs", str(now.bindir) if now.bindir else None),
        ("socket", str(now.socket_dir) if now.socket_dir else None),
        ("port", now.port),
    )
    table = Table("server", (Column("fact"), Column("value")), facts)
    return Report("server-status", (table,), next="" if now.state == "running" else "wnadmin server start")


def _step(key: str, title: str, shows: str, act: Callable[[], object]) -> Step:
    def run(world: World) -> Receipt:
        began = time.monotonic()
        act()
        return _receipt(key, began, {})

    return Step(key, title, (shows,), run)


def _receipt(key: str, began: float, values: dict[str, Json]) -> Receipt:
    return Receipt(key, None, round((time.monotonic() - began) * 1000), values)


def _expect(cluster: Cluster, state: str) -> Finding:
    now = cluster.status(size=False)
    good = now.state == state and (state != "running" or now.ready)
    return Finding(
        "server.state",
        "server.state",
        "ok" if good else "critical",
        f"the embedded server is {now.state}",
        object=str(now.data),
        measured=now.state,
        threshold=state,
    )


def _version(now: Status) -> str | None:
    return None if now.version is None else ".".join(str(part) for part in now.version)


def _megabytes(size: int | None) -> str:
    return "unknown size" if size is None else f"{size / 2**20:.0f} MiB"
