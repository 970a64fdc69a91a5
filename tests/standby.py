"""A hot standby of a tests server, made by pg_basebackup; both are reached over their sockets only.

``start_standby`` makes one, ``end_server`` of ``tests.support`` ends it, ``standby_of`` does both. A module that
imports the fixture ``standby`` has one of the shared server, and may wait for it with ``catch_up``.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import Server, end_server, scratch
from wnadmin.errors import WnError
from wnadmin.postgres.embedded import Cluster
from wnadmin.postgres.embedded.places import (
    Layout,
    make_private,
    new_marker,
    read,
    read_marker,
    stamp,
    write,
    write_marker,
)
from wnadmin.postgres.embedded.procs import account_of, run

_SLOT = re.compile(r"[a-z0-9_]{1,63}")
_PATIENCE = 60.0
"""Seconds; the machine may be shared."""


def start_standby(primary: Server, *, slot: str = "", options: Mapping[str, str] | None = None) -> Server:
    """Start a streaming hot standby of ``primary`` with the primary's settings, changed by ``options``.

    With ``slot`` it streams through a physical slot of that name, made on the primary. Its application_name in
    ``pg_stat_replication`` is ``standby`` or the slot's name. Returns when it streams and lets clients in.
    """
    assert not slot or _SLOT.fullmatch(slot), "a slot's name has lower case letters, digits and underscores"
    there = read_marker(Layout(primary.cluster.home))
    assert there is not None, "the primary runs"
    account = account_of(there.uid)
    home = scratch("standby")
    layout = Layout(home / "pg")
    layout.home.mkdir()
    layout.home.chmod(0o755)
    make_private(layout.data, account)
    info = primary.cluster.conninfo()
    where = f"host='{info['host']}' port={info['port']} user={info['user']} application_name={slot or 'standby'}"
    tool = primary.cluster.tool("pg_basebackup")
    words: list[str | Path] = [
        tool.path,
        "-D",
        layout.data,
        "-d",
        where,
        "-X",
        "stream",
        "-c",
        "fast",
        "-R",
        "--no-sync",
    ]
    done = run([*words, *(["-C", "-S", slot] if slot else [])], account, timeout=300)
    assert done.returncode == 0, done.stderr
    # Not by -R: it names options that the libpq of the server may be too old for.
    setting = "primary_conninfo = '{}'\n".format(where.replace("'", "''"))
    setting += f"primary_slot_name = '{slot}'\n" if slot else ""
    settings = layout.data / "postgresql.auto.conf"
    write(settings, read(settings) + setting, owner=account)
    write(layout.data / "standby.signal", "", owner=account)
    # The copy carries the marks of the primary's home; it is a cluster of its own.
    marker = replace(new_marker(account, made_home=True), version=there.version, kind=there.kind)
    marker = replace(marker, bindir=there.bindir, libdir=there.libdir)
    write_marker(layout, marker)
    stamp(layout.data, marker, account)
    cluster = Cluster(layout.home, primary.cluster.env)
    cluster.start({**there.options, **(options or {})}, fsync=there.fsync)
    standby = Server(cluster, home)
    _until(lambda: _lets_in(standby), "the standby does not let clients in")
    _until(lambda: _streams(primary, slot or "standby"), "the standby does not stream from its primary")
    return standby


def catch_up(primary: Server, standby: Server) -> None:
    """Wait until the standby has replayed all that the primary has written so far."""
    with primary.session() as session:
        written = session.scalar("SELECT pg_current_wal_flush_lsn()::text")

    def replayed() -> bool:
        with standby.session() as session:
            return bool(session.scalar("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]))

    _until(replayed, f"the standby has not replayed {written}")


@contextlib.contextmanager
def standby_of(primary: Server, *, slot: str = "", options: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Have a standby for the block; its slot is dropped again while the primary still runs."""
    one = start_standby(primary, slot=slot, options=options)
    try:
        yield one
    finally:
        end_server(one)
        if slot and primary.cluster.status(size=False).state == "running":
            _until(lambda: _dropped(primary, slot), f"the slot {slot} stays in use")


@pytest.fixture(scope="module")
def standby(server: Server) -> Iterator[Server]:
    """A standby of this worker's shared server."""
    with standby_of(server) as one:
        yield one


def _streams(primary: Server, name: str) -> bool:
    with primary.session() as session:
        query = "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        return bool(session.scalar(query, [name]))


def _dropped(primary: Server, slot: str) -> bool:
    # The walsender sees the end of its standby a moment later.
    with primary.session() as session:
        session.run(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND NOT active",
            [slot],
        )
        return not session.scalar("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", [slot])


def _lets_in(standby: Server) -> bool:
    try:
        with standby.session() as session:
            return bool(session.scalar("SELECT pg_is_in_recovery()"))
    except WnError:
        return False


def _until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)
