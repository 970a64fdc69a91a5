"""The life of one private cluster: make, start, look, stop, copy, destroy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from wnadmin.errors import Failed, NoConnection, Refused
from wnadmin.postgres.embedded import config, launch
from wnadmin.postgres.embedded import places as at
from wnadmin.postgres.embedded.discovery import Tool, choose, has_library, tool_of
from wnadmin.postgres.embedded.locking import exclusive
from wnadmin.postgres.embedded.places import Layout, Marker, default_home
from wnadmin.postgres.embedded.procs import (
    Progress,
    account_of,
    environment,
    require_proc,
    run,
    server_account,
    silent,
)
from wnadmin.postgres.embedded.site import Site, StopMode
from wnadmin.postgres.embedded.sockets import drop_socket_directory, socket_directory
from wnadmin.postgres.embedded.state import State, Status, absent, clear_sockets

__all__ = ["Cluster", "State", "Status", "StopMode"]


def _this_environment() -> Mapping[str, str]:
    return dict(os.environ)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The private cluster in ``home``. Making the object touches nothing.

    ``env`` is read for ``WNADMIN_PG_BINDIR``, ``WNADMIN_PG_PROVIDER`` and ``PATH``; nothing of it
    reaches the server. start, stop, copy and destroy take turns through one lock, also over processes.
    """

    home: Path
    env: Mapping[str, str] = field(default_factory=_this_environment, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Links are followed once, here: the server reports its real directory.
        object.__setattr__(self, "home", self.home.expanduser().resolve())

    @classmethod
    def of_user(cls, env: Mapping[str, str] | None = None) -> Cluster:
        """The cluster of whoever runs this."""
        env = environment(env)
        return cls(default_home(env), dict(env))

    # -- looking -----------------------------------------------------------------------------------

    def status(self, *, size: bool = True) -> Status:
        """What is there now. ``size=False`` spares the walk over the data directory."""
        layout, site = self._found()
        return absent(layout) if site is None else site.look(size=size)

    def conninfo(self, dbname: str = "postgres") -> dict[str, str]:
        """libpq keywords of the superuser over the socket; :class:`NoConnection` when it does not run."""
        status = self.status(size=False)
        if status.state != "running" or status.socket_dir is None or status.port is None:
            raise NoConnection(
                "the embedded server does not run",
                why=f"{self.home}: {status.state}",
                next="wnadmin server start",
            )
        return {
            "host": str(status.socket_dir),
            "port": str(status.port),
            "user": config.SUPERUSER,
            "dbname": dbname,
        }

    def url(self, dbname: str = "postgres") -> str:
        """:meth:`conninfo` as a URI that any libpq program takes."""
        info = self.conninfo(dbname)
        return "postgresql://{user}@/{dbname}?host={host}&port={port}".format(
            **{name: quote(value, safe="") for name, value in info.items()}
        )

    def tool(self, name: str) -> Tool:
        """The client program ``name`` of the installation that runs this cluster (or would)."""
        _, site = self._found()
        provider = None if site is None else site.provider()
        return tool_of(choose(env=self.env) if provider is None else provider, name)

    # -- changing ----------------------------------------------------------------------------------

    def start(
        self,
        options: Mapping[str, str] | None = None,
        *,
        hba: Sequence[str] = (),
        fsync: bool = True,
        timeout: float = 120.0,
        progress: Progress = silent,
    ) -> Status:
        """Start the server and wait until it lets clients in; make the cluster first if there is none.

        ``options`` (settings) and ``hba`` (lines of pg_hba.conf, read before wnadmin's own) hold for
        this start only. A server that already runs is left as it is, and refused when other options
        were asked for. What a crash left behind is cleared away first. ``timeout`` is in seconds;
        when it passes, the server goes on starting.
        """
        options = {name.lower(): value for name, value in (options or {}).items()}
        config.check_options(options, hba)
        require_proc()
        layout, site = self._found()
        account = server_account() if site is None else site.account
        made_home = at.prepare(layout, account)
        with exclusive(layout.lock, progress), _translated(self.home):
            _, site = self._found()
            if site is None:
                at.refuse_foreign(layout)
                site = Site(layout, at.new_marker(account, made_home), account)
                at.write_marker(layout, site.marker)
            if layout.data.exists():
                at.check_stamp(layout, site.marker)
            now = site.settled()
            if now.state == "running":
                _refuse_other_options(site.marker, options, tuple(hba), fsync)
                return site.wait_ready(None, timeout, progress)
            if now.state == "crashed":
                progress("clearing away what the crash left behind")
                site.mend()
            site.sweep()
            return self._launch(site, options, tuple(hba), fsync, timeout, progress)

    def stop(self, mode: StopMode = "fast", *, timeout: float = 60.0, progress: Progress = silent) -> Status:
        """Stop the server and wait for its end; nothing to do is no error. ``timeout`` in seconds.

        After a crash this ends what is left of the server and clears its traces, its shared memory too.
        """
        layout, site = self._found()
        if site is None:
            return absent(layout)
        at.check_owner(layout.home)
        with exclusive(layout.lock, progress), _translated(self.home):
            site.stop(mode, timeout, progress)
            return site.look(size=True)

    def copy(self, dst: Path, *, progress: Progress = silent) -> Cluster:
        """A new cluster in the empty or new directory ``dst`` with the data of this stopped one.

        Far quicker than making one. Both have the same system identifier.
        """
        target = Cluster(dst, self.env)
        layout, site = self._found()
        if site is None:
            raise Refused(f"there is no cluster in {self.home}", next="start it once")
        at.check_owner(layout.home)
        copied, account, marker = Layout(target.home), site.account, site.marker
        made_home = at.prepare(copied, account)
        with (
            exclusive(layout.lock, progress, shared=True),
            exclusive(copied.lock, progress),
            _translated(target.home),
        ):
            state = site.look().state
            if state != "stopped":
                raise Refused(f"the cluster in {self.home} is {state}", why="only a stopped one can be copied")
            if any((layout.data / "pg_tblspc").iterdir()):
                raise Refused("a cluster with tablespaces cannot be copied", why="both would write to them")
            if at.read_marker(copied) is not None:
                raise Refused(f"there is a cluster in {target.home} already", next="choose an empty directory")
            at.refuse_foreign(copied)
            fresh = replace(at.new_marker(account, made_home), version=marker.version)
            fresh = replace(fresh, kind=marker.kind, bindir=marker.bindir, libdir=marker.libdir)
            at.write_marker(copied, fresh)
            unfinished = copied.unfinished_data()
            at.make_private(unfinished, account)
            done = run(["cp", "-a", f"{layout.data}/.", f"{unfinished}/"], account)
            if done.returncode:
                at.remove(unfinished)
                raise launch.explain(f"the copy to {target.home} failed", done.stderr)
            at.stamp(unfinished, fresh, account)
            unfinished.rename(copied.data)
        return target

    def destroy(self, *, progress: Progress = silent) -> None:
        """Stop the server and remove everything wnadmin made in this home, and nothing else.

        :class:`Refused` without the marker that proves it was wnadmin. Broken off, it can be repeated.
        """
        layout, site = self._found()
        if site is None:
            at.refuse_foreign(layout)
            return
        at.check_owner(layout.home)
        with exclusive(layout.lock, progress), _translated(self.home):
            if layout.data.exists():
                at.check_stamp(layout, site.marker)
                try:
                    site.stop("fast", 20.0, progress)
                except Failed:
                    site.stop("immediate", 20.0, progress)
                # From here on it is no cluster any more, even if the rest is cut short.
                at.remove(layout.discarded)
                layout.data.rename(layout.discarded)
            progress("removing the data directory")
            site.sweep()
            for path in layout.own:
                at.remove(path)
            if site.marker.socket and Path(site.marker.socket) != layout.socket:
                drop_socket_directory(Path(site.marker.socket), site.account)
            layout.marker.unlink()
            layout.lock.unlink(missing_ok=True)
        if site.marker.made_home:
            with contextlib.suppress(OSError):  # not empty: someone else keeps something here
                layout.home.rmdir()

    # -- steps -------------------------------------------------------------------------------------

    def _found(self) -> tuple[Layout, Site | None]:
        layout = Layout(self.home)
        marker = at.read_marker(layout)
        return layout, None if marker is None else Site(layout, marker, account_of(marker.uid))

    def _launch(
        self,
        site: Site,
        options: Mapping[str, str],
        hba: tuple[str, ...],
        fsync: bool,
        timeout: float,
        progress: Progress,
    ) -> Status:
        layout, marker, account = site.layout, site.marker, site.account
        pinned = _major_of(layout.data)
        provider = launch.within_reach(choose(pinned_major=pinned, env=self.env), account, layout, progress)
        at.make_private(layout.log, account)
        if pinned is None:
            unfinished = layout.unfinished_data()
            launch.initdb(provider, account, unfinished, fsync=fsync, progress=progress)
            at.stamp(unfinished, marker, account)
            unfinished.rename(layout.data)
        place = socket_directory(layout, marker, account)
        if site.look().state == "stopped":
            clear_sockets(place)
        marker = replace(
            marker,
            kind=provider.kind,
            bindir=str(provider.bindir),
            libdir="" if provider.libdir is None else str(provider.libdir),
            version=provider.version,
            socket=str(place),
            options=dict(options),
            hba=hba,
            fsync=fsync,
        )
        # Before the start: a socket directory with a random name must not be forgotten.
        at.write_marker(layout, marker)
        chosen = config.settings(
            options, log=layout.log, fsync=fsync, preload=has_library(provider, "pg_stat_statements")
        )
        users = ("root", account.name, account_of(os.geteuid()).name)
        config.write_files(layout.data, account, chosen, hba=hba, users=users, major=provider.version[0])
        progress(f"starting {provider.label}")
        words = config.command_line(options, place)
        server = launch.Server(provider, account, layout.data, words, layout.log)
        return Site(layout, marker, account).wait_ready(server, timeout, progress)


@contextlib.contextmanager
def _translated(home: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error with an answer."""
    try:
        yield
    except OSError as error:
        raise at.unusable(Path(os.fsdecode(error.filename)) if error.filename else home, error) from None


def _refuse_other_options(marker: Marker, options: Mapping[str, str], hba: tuple[str, ...], fsync: bool) -> None:
    # Asking for nothing in particular is content with what runs.
    asked = (options and dict(marker.options) != dict(options)) or (hba and marker.hba != hba)
    if asked or (not fsync and marker.fsync):
        raise Refused(
            "the server already runs with other options",
            why="options are given to a start, and this one is over",
            next="wnadmin server stop, then start it with these options",
        )


def _major_of(data: Path) -> int | None:
    """The major an existing data directory was made by, None when there is none."""
    try:
        return int(at.read(data / "PG_VERSION").strip())
    except FileNotFoundError:
        return None
    except ValueError:
        raise Failed(f"{data}/PG_VERSION is damaged", next="restore it, or: wnadmin server destroy") from None
