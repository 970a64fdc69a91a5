"""The home of a cluster on disk: its layout, the marker that proves whose it is, its lock, its socket.

::

    <home>/server.json   the marker: what is here was made by wnadmin, and how the server was last started
    <home>/server.lock   the flock that serialises start, stop and destroy
    <home>/data/         the data directory; WNADMIN_CLUSTER in it repeats the marker's id
    <home>/log/          start-up messages and the server's rotated log
    <home>/socket/       the Unix socket, unless the path is too long for one
    <home>/server/       a copy of the programs, only when the server's user cannot reach the original
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.postgres.embedded.procs import Account, blocked_at, environment

HOME = "WNADMIN_HOME"
FORMAT = "wnadmin/server/1"
STAMP = "WNADMIN_CLUSTER"


def default_home(env: Mapping[str, str] | None = None) -> Path:
    """``WNADMIN_HOME``, else ``/var/lib/wnadmin`` for root and the XDG data directory for others."""
    env = environment(env)
    if env.get(HOME):
        return Path(env[HOME]).expanduser().absolute()
    if os.geteuid() == 0:
        # Not under /root: the server's own user cannot enter it.
        return Path("/var/lib/wnadmin")
    data = env.get("XDG_DATA_HOME", "")
    if data.startswith("/"):  # the XDG specification says to ignore relative paths
        return Path(data) / "wnadmin"
    home = env.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir
    return Path(home) / ".local" / "share" / "wnadmin"


@dataclass(frozen=True, slots=True)
class Marker:
    """What ``server.json`` says. ``uid`` owns the data; the rest describes the latest start."""

    id: str
    uid: int
    created: str
    made_home: bool = False
    socket: str = ""
    kind: str = ""
    bindir: str = ""
    libdir: str = ""
    version: tuple[int, int] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    hba: tuple[str, ...] = ()
    fsync: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one home."""

    home: Path

    @property
    def marker(self) -> Path:
        return self.home / "server.json"

    @property
    def lock(self) -> Path:
        return self.home / "server.lock"

    @property
    def data(self) -> Path:
        return self.home / "data"

    def unfinished_data(self) -> Path:
        """A new place to make a data directory in; it gets its name when it is complete.

        Never the same twice: an initdb whose wnadmin was killed may still write to the earlier one.
        """
        return self.home / f"data.new.{os.urandom(4).hex()}"

    @property
    def abandoned(self) -> tuple[Path, ...]:
        """Data directories that were begun and not completed."""
        return tuple(self.home.glob("data.new.*"))

    @property
    def discarded(self) -> Path:
        """What destroy has taken away and not yet removed."""
        return self.home / "data.old"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def startup_log(self) -> Path:
        return self.log / "startup.log"

    @property
    def socket(self) -> Path:
        return self.home / "socket"

    @property
    def trees(self) -> Path:
        return self.home / "server"

    @property
    def own(self) -> tuple[Path, ...]:
        """Every directory wnadmin makes in a home."""
        return (self.data, *self.abandoned, self.discarded, self.log, self.socket, self.trees)


def now() -> str:
    """The time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def read_marker(layout: Layout) -> Marker | None:
    """The marker of this home; None when there is none. :class:`Refused` when it cannot be trusted."""
    try:
        content = read(layout.marker)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise _not_yours(layout.home) from None
    except NotADirectoryError:
        raise UsageError(f"{layout.home} is not a directory", next=f"set {HOME} to a directory") from None
    try:
        values: dict[str, Any] = json.loads(content)
        if values.pop("format") != FORMAT:
            raise ValueError("format")
        version = values.pop("version")
        values["version"] = None if version is None else (int(version[0]), int(version[1]))
        values["hba"] = tuple(values["hba"])
        return Marker(**values)
    except (ValueError, KeyError, TypeError, IndexError):
        raise Refused(
            f"{layout.marker} is damaged",
            why="without it wnadmin cannot know that the data beside it is its own",
            next="move the directory away by hand, or restore the file",
        ) from None


def write_marker(layout: Layout, marker: Marker) -> None:
    """Replace the marker in one move."""
    content = {"format": FORMAT, **asdict(marker)}
    write(layout.marker, json.dumps(content, indent=2) + "\n")


def read(path: Path) -> str:
    """A small file, never through a symbolic link."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), errors="replace") as file:
        return file.read()


def write(path: Path, text: str, *, owner: Account | None = None) -> None:
    """Replace a small file in one move, mode 0600, never through a link planted by the server's user."""
    temporary = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        if owner is not None and owner.is_other:
            os.fchown(handle, owner.uid, owner.gid)
        os.fchmod(handle, 0o600)
        file.write(text)
        file.flush()
        os.fsync(handle)
    os.replace(temporary, path)


def prepare(layout: Layout, account: Account) -> bool:
    """Make the home if need be, and refuse one that is someone else's or that the server cannot enter.

    Returns whether it was made just now.
    """
    home = layout.home
    if not str(home).isprintable():
        raise UsageError(f"{str(home)!r} cannot hold a server", why="there are control characters in the path")
    try:
        made = _make_parents(home)
        mode = home.stat()
    except FileExistsError:
        raise UsageError(f"{home} is not a directory", next=f"set {HOME} to a directory") from None
    except OSError as error:
        raise unusable(home, error) from None
    if not stat.S_ISDIR(mode.st_mode):
        raise UsageError(f"{home} is not a directory", next=f"set {HOME} to a directory")
    check_owner(home)
    if mode.st_mode & stat.S_IWOTH:
        raise Refused(
            f"{home} may be written by every user",
            why="someone could put another server's socket in place of yours",
            next=f"chmod o-w {home}",
        )
    if account.is_other and (wall := blocked_at(home, account)) is not None:
        raise Refused(
            f"the server's user {account.name} cannot enter {home}",
            why=f"{wall} is closed to {account.name}, and wnadmin does not open directories it did not make",
            next=f"leave {HOME} unset (root's servers live in /var/lib/wnadmin)",
        )
    return made


def check_owner(home: Path) -> None:
    """Refuse to work in the home of another user, also as root."""
    try:
        owner = home.stat().st_uid
    except FileNotFoundError:
        return
    except PermissionError:
        raise _not_yours(home) from None
    if owner != os.geteuid():
        raise _not_yours(home, owner)


def _not_yours(home: Path, uid: int | None = None) -> Refused:
    name = "another user"
    if uid is not None:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = f"user id {uid}"
    switch = f"run it as that user, or set {HOME} to a directory of your own"
    return Refused(f"the server in {home} is not yours", why=f"the directory belongs to {name}", next=switch)


def refuse_foreign(layout: Layout) -> None:
    """Without a marker, nothing here may have a name that wnadmin would write to."""
    for path in layout.own:
        if path.exists() or path.is_symlink():
            raise Refused(
                f"{path} was not made by wnadmin",
                why=f"there is no {layout.marker.name} beside it",
                next=f"set {HOME} to an empty directory",
            )


def new_marker(account: Account, made_home: bool) -> Marker:
    """The marker of a cluster that is about to be made; destroy takes the home away if it ``made_home``."""
    return Marker(id=os.urandom(16).hex(), uid=account.uid, created=now(), made_home=made_home)


def stamp(data: Path, marker: Marker, account: Account) -> None:
    """Write the marker's id into a data directory."""
    write(data / STAMP, marker.id + "\n", owner=account)


def check_stamp(layout: Layout, marker: Marker) -> None:
    """Refuse a data directory that is not the one the marker was written for."""
    try:
        found = read(layout.data / STAMP).strip()
    except OSError:
        found = ""
    if found != marker.id:
        raise Refused(
            f"{layout.data} is not the data directory wnadmin made here",
            why=f"its {STAMP} does not carry the id in {layout.marker.name}",
            next="move it away by hand, or put the original back",
        )


def make_private(path: Path, account: Account) -> None:
    """A directory for the server's user alone."""
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(0o700)
            path.chmod(0o700)  # a umask may even have closed it to ourselves
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(handle).st_uid != account.uid:
                os.fchown(handle, account.uid, account.gid)
            os.fchmod(handle, 0o700)
        finally:
            os.close(handle)
    except OSError as error:
        raise unusable(path, error) from None


def _make_parents(home: Path) -> bool:
    """Like ``mkdir -p``, whatever the umask: root's directories can be passed through, a user's are private.

    Returns whether the last of them was missing.
    """
    missing = [path for path in (home, *home.parents) if not path.exists()]
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for path in reversed(missing):
        try:
            path.mkdir(mode)
        except FileExistsError:
            continue  # two starts at once
        path.chmod(mode)
    return home in missing


def remove(path: Path) -> None:
    """Remove a tree of ours; a symbolic link in its place is only unlinked."""
    try:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    except OSError as error:
        raise unusable(path, error) from None


def size_of(path: Path) -> int:
    """Bytes on disk; files that vanish meanwhile do not count."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += size_of(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def unusable(path: Path, error: OSError) -> Failed:
    """An error of the operating system about ``path``, with what to do about it."""
    other = f"set {HOME} to a directory on another file system"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(f"the disk of {path} is full", why=error.strerror or "", next=f"free some space, or {other}")
    if error.errno == errno.EROFS:
        return Failed(f"{path} cannot be written", why="the file system is mounted read-only", next=other)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Failed(
            f"{path} cannot be written",
            why=f"{error.strerror} for user id {os.geteuid()}",
            next=f"set {HOME} to a directory you may write to",
        )
    return Failed(f"{path} cannot be used", why=error.strerror or str(error), next=other)
