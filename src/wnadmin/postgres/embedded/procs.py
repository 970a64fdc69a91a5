"""Operating-system accounts, child processes, and what ``/proc`` says about them.

A postmaster is recognised by where it lives, never by its number alone: after a kill -9 the number
in ``postmaster.pid`` may belong to a stranger.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from wnadmin.errors import Failed, Refused

if TYPE_CHECKING:
    import subprocess

Progress = Callable[[str], None]
"""Told one short line when a step begins."""

_PROC = Path("/proc")
_POLL_SECONDS = 0.02


def silent(_: str) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating-system user who may run a server; never uid 0."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether programs must be started as someone else than this process."""
        return os.geteuid() != self.uid


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def account_of(uid: int) -> Account:
    """The account with this uid; PostgreSQL refuses to run as a user without a passwd entry."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Failed(
            f"user id {uid} has no name on this machine",
            why="PostgreSQL runs only as a user who is listed in /etc/passwd",
            next=f"add the user (useradd -u {uid} NAME), or run wnadmin as a user who has a name",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def server_account() -> Account:
    """Who runs a new server: this user, or for root ``postgres``, else ``nobody``."""
    uid = os.geteuid()
    if uid != 0:
        return account_of(uid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise Failed(
        "there is no user to run the server as",
        why="PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody",
        next="useradd --system postgres",
    )


def identity(account: Account) -> _Identity:
    """Arguments for :mod:`subprocess` that drop from root to ``account``; empty where they are the same."""
    if not account.is_other:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def clean_environment(libdir: Path | None = None) -> dict[str, str]:
    """The whole environment of a server program: English messages, no PG* and no secrets of the operator."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "HOME": "/"}
    if libdir is not None:
        environment["LD_LIBRARY_PATH"] = str(libdir)
    return environment


def run(
    argv: Sequence[str | Path], account: Account, *, libdir: Path | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one program to its end as ``account`` and capture what it says.

    Raises PermissionError or FileNotFoundError when the program cannot be executed by ``account``,
    :class:`Failed` when this process may not become ``account`` at all.
    """
    import subprocess

    program = [os.fspath(word) for word in argv]
    try:
        return subprocess.run(
            program,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            umask=0o077,
            env=clean_environment(libdir),
            timeout=timeout,
            check=False,
            **identity(account),
        )
    except OSError as error:
        if account.is_other and error.filename != program[0]:
            # The child died before exec: it was the change of user that failed, not the program.
            raise Failed(
                f"cannot start programs as user {account.name}",
                why=f"{error.strerror}; this root may not change users (a restricted container?)",
                next="run wnadmin as an ordinary user",
            ) from None
        raise


def blocked_at(path: Path, account: Account) -> Path | None:
    """The first of ``path`` and its parents that ``account`` may not enter, None when the way is open."""
    steps = [*reversed(path.parents), path]
    script = 'for d; do [ -x "$d" ] || { printf %s "$d"; exit 1; }; done'
    done = run(["/bin/sh", "-c", script, "sh", *steps], account, timeout=30)
    return Path(done.stdout) if done.returncode else None


def require_proc() -> None:
    """Refuse where there is no ``/proc`` to read the state of a server from."""
    if not (_PROC / "self" / "stat").exists():
        raise Refused(
            "the embedded server runs on Linux only",
            why="there is no /proc here to read the state of a server from",
            next="point wnadmin at a running server: --dsn 'host=… dbname=…'",
        )


def is_alive(pid: int) -> bool:
    """Whether this process exists and is more than a zombie nobody has collected."""
    return _command(pid) is not None


def _command(pid: int) -> str | None:
    """The short command name of a live process, None when it is gone or a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes().decode(errors="replace")
    except OSError:
        return None
    # "pid (name) state …": the name itself may hold blanks and parentheses.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    if rest.split()[0] in ("Z", "X", "x"):
        with contextlib.suppress(OSError):
            os.waitpid(pid, os.WNOHANG)  # collects it when it is our own child, and is refused otherwise
        return None
    return name


def servers_in(data: Path, account: Account, pids: Iterable[int] | None = None) -> set[int]:
    """Live ``postgres`` processes of ``account`` that work in ``data``; of ``pids``, or of all processes.

    Their working directory tells; a postmaster that has only just been started is still on its way
    there, and is known by its ``-D``.
    """
    try:
        there = data.stat()
    except OSError:
        return set()
    found: set[int] = set()
    hidden: list[str] = []
    for pid in _all_pids() if pids is None else pids:
        # The title of a process may change its arguments, never this name.
        if _command(pid) != "postgres" or _owner(pid) != account.uid:
            continue
        proof = [f"{_PROC}/{pid}/cwd"]
        if str(data) in _arguments(pid):
            # Through its own root: the same path means another directory in a container.
            proof.append(f"{_PROC}/{pid}/root{data}")
        for path in proof:
            try:
                if os.path.samestat(os.stat(path), there):
                    found.add(pid)
            except PermissionError:
                hidden += [str(pid), path]
            except OSError:
                continue
    if hidden and account.is_other:
        # Root without CAP_SYS_PTRACE (most containers) may not look; the owner of the processes may.
        script = 'dir=$1; shift; while [ $# -gt 1 ]; do [ "$2" -ef "$dir" ] && echo "$1"; shift 2; done; true'
        done = run(["/bin/sh", "-c", script, "sh", data, *hidden], account, timeout=30)
        found.update(int(line) for line in done.stdout.split())
    return found


def _owner(pid: int) -> int | None:
    try:
        return (_PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]


def send(pid: int, number: signal.Signals, *, still: Callable[[int], bool]) -> bool:
    """Signal ``pid`` if, once pinned, it is ``still`` the process meant; False when it is not."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError:
        handle = -1  # kernels before 5.3: a plain kill, right after looking
    try:
        if not still(pid):
            return False
        if handle >= 0:
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until ``condition`` holds; False when ``seconds`` went by without it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def end_orphans(data: Path, account: Account, *, patience: float = 3.0) -> None:
    """End server processes that outlived their postmaster; they hold its shared memory.

    They leave by themselves as soon as they notice; a busy one is first asked, then killed.
    """
    for number in (None, signal.SIGQUIT, signal.SIGKILL):
        orphans = servers_in(data, account)
        if number is not None:
            for pid in orphans:
                send(pid, number, still=lambda p: bool(servers_in(data, account, [p])))
        if wait_until(lambda: not servers_in(data, account), patience):
            return
    raise Failed(
        "processes of the crashed server do not end",
        why=f"still working in {data}: {', '.join(map(str, sorted(servers_in(data, account))))}",
        next="look at what these processes wait for (storage that hangs?), then try again",
    )


def end_makers(path: Path, account: Account) -> None:
    """End an initdb or cp that is still at work in ``path``, though the wnadmin that began it was killed."""

    def at_work(pid: int) -> bool:
        return _command(pid) in ("initdb", "cp") and any(word.startswith(str(path)) for word in _arguments(pid))

    def found() -> set[int]:
        return {pid for pid in _all_pids() if at_work(pid)} | servers_in(path, account)

    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in found():
            send(pid, number, still=lambda p: at_work(p) or bool(servers_in(path, account, [p])))
        if wait_until(lambda: not found(), 2.0):
            return


def _arguments(pid: int) -> list[str]:
    try:
        return os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).split("\0")
    except OSError:
        return []


def environment(env: Mapping[str, str] | None) -> Mapping[str, str]:
    """The given environment, or that of this process."""
    return os.environ if env is None else env
