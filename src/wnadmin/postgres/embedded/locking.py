"""One lock for a home: start, stop, copy and destroy take turns, also over processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from wnadmin.errors import Failed, Refused
from wnadmin.postgres.embedded.places import HOME, unusable
from wnadmin.postgres.embedded.procs import Progress


@contextlib.contextmanager
def exclusive(path: Path, progress: Progress, *, shared: bool = False, patience: float = 120.0) -> Iterator[None]:
    """Hold the flock of a home (at ``path``); wait up to ``patience`` seconds for whoever has it.

    The kernel lets go of it when its holder dies, so a killed wnadmin leaves nothing behind.
    """
    handle = _lock(path, shared, progress, time.monotonic() + patience)
    try:
        if not shared:
            os.truncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _lock(path: Path, shared: bool, progress: Progress, deadline: float) -> int:
    told = False
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.fchmod(handle, 0o600)  # whatever the umask: the next one must be able to open it
        except OSError as error:
            raise unusable(path.parent, error) from None
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            # destroy removes the file: a lock on a file that is no longer there protects nothing.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
            if time.monotonic() >= deadline:
                os.close(handle)
                raise Refused(
                    f"another wnadmin is at work on {path.parent}",
                    why=f"process {holder} holds {path}",
                    next="wait for it to end, then try again",
                ) from None
            if not told:
                progress(f"waiting for process {holder}, which is at work on this server")
                told = True
            time.sleep(0.05)
        except OSError as error:
            os.close(handle)
            raise Failed(
                f"{path} cannot be locked",
                why=f"{error.strerror}; some network file systems have no locks",
                next=f"set {HOME} to a directory on a local disk",
            ) from None
        os.close(handle)
