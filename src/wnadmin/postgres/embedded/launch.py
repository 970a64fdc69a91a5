"""Start programs of a server installation: initdb, postgres, and the copy root needs of them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from wnadmin.errors import Failed, WnError
from wnadmin.postgres.embedded.config import SUPERUSER
from wnadmin.postgres.embedded.discovery import Provider
from wnadmin.postgres.embedded.places import HOME, Layout, make_private, remove, unusable
from wnadmin.postgres.embedded.procs import Account, Progress, clean_environment, identity, run

_LOG_LIMIT = 1_000_000
_TAIL = 20_000
_SERIOUS = re.compile(r"\b(FATAL|PANIC|ERROR|initdb: error|postgres: error):\s+(.*)")
_CAUSE = re.compile(r"\b(LOG|DETAIL|HINT):\s+(.*)")

# What PostgreSQL says when a start fails, and what helps.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"could not resize shared memory segment",
        "give the container more /dev/shm (docker run --shm-size=1g)",
    ),
    (r"No space left on device|Disk quota exceeded", f"free some space, or set {HOME} to another disk"),
    (r'parameter "(log_)?TimeZone"', "install the time zone files: apt-get install tzdata"),
    (
        r"could not map anonymous shared memory|Cannot allocate memory",
        "give it less memory: shared_buffers=32MB",
    ),
    (
        r"unrecognized configuration parameter|invalid value for parameter",
        "correct the settings given to start",
    ),
    (
        r"could not create any (TCP/IP|Unix-domain) sockets|could not bind",
        "end what listens there, or take another port",
    ),
    (r"could not access file", "leave that library out of shared_preload_libraries, or install it"),
    (r"could not load .*pg_hba|pg_hba\.conf", "correct the pg_hba lines given to start"),
    (r"noexec|Permission denied", f"set {HOME} to a directory on a local disk that allows programs"),
)


def reachable(provider: Provider, account: Account) -> bool:
    """Whether ``account`` can run the programs and read what belongs to them."""
    for words in (["postgres", "--version"], ["initdb", "--show", "-D", "/nonexistent"]):
        try:
            done = run([provider.bindir / words[0], *words[1:]], account, libdir=provider.libdir, timeout=60)
        except (PermissionError, FileNotFoundError, subprocess.TimeoutExpired):
            return False
        if done.returncode:
            return False
    return True


def within_reach(provider: Provider, account: Account, layout: Layout, progress: Progress) -> Provider:
    """The provider itself, or for a server's user who cannot reach it (0700 /root) a copy in the home.

    The installations that come in one directory can be moved; directories above are never opened.
    """
    if not account.is_other or reachable(provider, account):
        return provider
    root = provider.bindir.parent
    if provider.bindir.name != "bin" or not (root / "share").is_dir() or not (root / "lib").is_dir():
        raise Failed(
            f"user {account.name} cannot run {provider.label}",
            why="they are closed to that user, and cannot be copied by themselves",
            next="install PostgreSQL where every user can run it (apt-get install postgresql)",
        )
    import hashlib

    about = (provider.bindir / "postgres").stat()
    name = hashlib.sha256(f"{provider.bindir} {about.st_mtime_ns} {about.st_size}".encode()).hexdigest()[:8]
    target = layout.trees / f"{provider.version[0]}.{provider.version[1]}-{name}"
    libdir = None if provider.libdir is None else target / provider.libdir.name
    copied = Provider(provider.kind, target / "bin", provider.version, libdir)
    if target.is_dir() and reachable(copied, account):
        return copied
    progress(f"copying PostgreSQL to where user {account.name} can run it")
    try:
        # A program that runs from an older copy keeps its open files; nothing else needs it.
        remove(layout.trees)
        layout.trees.mkdir()
        layout.trees.chmod(0o755)
        part = target.with_name(target.name + ".part")
        shutil.copytree(root, part, symlinks=True)
        _open_up(part)
        part.rename(target)
    except shutil.Error as error:
        raise Failed(f"{root} cannot be copied", why=str(error.args[0][0][2])) from None
    except OSError as error:
        raise unusable(layout.trees, error) from None
    if not reachable(copied, account):
        noexec = os.statvfs(target).f_flag & os.ST_NOEXEC
        raise Failed(
            f"user {account.name} cannot run the copy of PostgreSQL in {target}",
            why="that file system is mounted noexec" if noexec else "its programs do not start there",
            next=f"set {HOME} to a directory on another file system, or install PostgreSQL for every user",
        )
    return copied


def _open_up(tree: Path) -> None:
    """Readable by all, whatever the umask of whoever installed it."""
    tree.chmod(0o755)
    for directory, _, files in os.walk(tree):
        Path(directory).chmod(0o755)
        for name in files:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def initdb(provider: Provider, account: Account, data: Path, *, fsync: bool, progress: Progress) -> None:
    """Make ``data`` a complete data directory: UTF-8, C.UTF-8 (C where that is missing), checksums."""
    progress(f"making the data directory with {provider.label}")
    words: list[str | Path] = [
        provider.bindir / "initdb",
        "-D",
        data,
        "-U",
        SUPERUSER,
        "-E",
        "UTF8",
        "--auth=peer",
    ]
    words += ["--data-checksums", *([] if fsync else ["--no-sync"])]
    said = ""
    for locale in ("C.UTF-8", "C"):
        remove(data)
        # initdb must find the directory there and empty: its user may not write in root's home.
        make_private(data, account)
        try:
            done = run([*words, f"--locale={locale}"], account, libdir=provider.libdir)
        except OSError as error:
            raise unusable(provider.bindir / "initdb", error) from None
        if done.returncode == 0:
            return
        said = done.stderr
        # Minimal images have no locales at all.
        if "invalid locale" not in said:
            break
    with contextlib.suppress(WnError):
        remove(data)
    raise explain("the data directory could not be made", said)


def free_shared_memory(provider: Provider, account: Account, data: Path) -> None:
    """Let the server itself find and free the shared memory of its crashed predecessor; best effort.

    Only a start on the same data directory knows the segments. In single-user mode it recovers and ends.
    """
    words: list[str | Path] = [
        provider.bindir / "postgres",
        "--single",
        "-D",
        data,
        "-c",
        "logging_collector=off",
        "postgres",
    ]
    with contextlib.suppress(OSError, WnError, subprocess.TimeoutExpired):
        run(words, account, libdir=provider.libdir, timeout=30)


class Server:
    """A postmaster that was just started: our child until it is up, then nobody's."""

    def __init__(self, provider: Provider, account: Account, data: Path, words: Sequence[str], log: Path) -> None:
        self._log = log
        self._seen = _sizes(log)
        output = _open_log(log, account)
        argv = [str(provider.bindir / "postgres"), "-D", str(data), *words]
        try:
            # Its output goes to a file: a pipe of ours would keep a reader waiting as long as it runs.
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                umask=0o077,
                start_new_session=True,
                env=clean_environment(provider.libdir),
                **identity(account),
            )
        except OSError as error:
            raise Failed(
                f"{provider.label} does not start as user {account.name}", why=error.strerror or str(error)
            ) from None
        finally:
            os.close(output)
        self.pid = self._child.pid

    def ended(self) -> bool:
        """Whether it has already given up."""
        return self._child.poll() is not None

    def release(self) -> None:
        """Let it live on after this process."""
        # Nobody will wait for it here: without this its Popen warns of a child still running.
        self._child.returncode = 0

    def why_not(self) -> WnError:
        """The error for a start that failed, from what the server has logged since."""
        said = []
        for path, size in _sizes(self._log).items():
            with contextlib.suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
                with os.fdopen(handle, "rb") as file:
                    file.seek(max(self._seen.get(path, 0) if self._seen.get(path, 0) <= size else 0, size - _TAIL))
                    said.append(file.read().decode(errors="replace"))
        return explain("the server did not start", "\n".join(said))


def explain(what: str, said: str) -> Failed:
    """An error from the messages of a server program."""
    lines = said.splitlines()
    serious = [match[2] for line in lines if (match := _SERIOUS.search(line))]
    causes = [match[2] for line in lines if (match := _CAUSE.search(line))]
    why = serious[-1] if serious else (lines[-1].strip() if lines else "it said nothing")
    for pattern, hint in _HINTS:
        found = next((text for text in (*reversed(serious), *reversed(causes)) if re.search(pattern, text)), None)
        if found is not None:
            return Failed(what, why=why if found == why else f"{why}: {found}", next=hint)
    return Failed(what, why=why, next="")


def _sizes(log: Path) -> Mapping[Path, int]:
    with contextlib.suppress(OSError), os.scandir(log) as entries:
        return {Path(entry.path): entry.stat(follow_symlinks=False).st_size for entry in entries if entry.is_file()}
    return {}


def _open_log(log: Path, account: Account) -> int:
    """The file for what the server says before its own log begins; at most two of about a megabyte."""
    path = log / "startup.log"
    try:
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_size > _LOG_LIMIT:
                path.rename(log / "startup.log.1")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        if account.is_other:
            os.fchown(handle, account.uid, account.gid)
        os.fchmod(handle, 0o600)
    except OSError as error:
        raise unusable(path, error) from None
    return handle
