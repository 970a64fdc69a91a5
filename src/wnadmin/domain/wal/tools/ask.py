"""Run another tool to hear what it has: never longer than it may take, never more than it may say."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

_MOST: Final = 64 * 2**20
_POLL: Final = 0.05
_GRACE: Final = 1.0
_LONGEST: Final = 300
# Its own settings stay: they say where its catalogue is. These are for wnadmin, for the Python it runs in, and a
# secret that no tool needs in order to list what it has.
_DROPPED: Final = re.compile(r"WNADMIN_\w*|PYTHON(PATH|HOME|WARNINGS)|PGPASSWORD|LC_ALL|LANGUAGE")
_SAYS: Final = re.compile(
    r"\b(?:ERROR|[Ee]rror|EXCEPTION|FATAL|CRITICAL|PANIC)\s*:\s*(?:\d{4}/\d\d/\d\d [\d:.]+ )?(\S.*)"
)
_SECRETS: Final = (
    (re.compile(r"(://)[^/@\s]+@"), r"\1…@"),
    (re.compile(r"(\w://[^\s?\"']+)\?[^\s\"']+"), r"\1?…"),
    (re.compile(r"(?i)\b([\w-]*(?:pass(?:word|wd)?|secret|token|key))(\s*[=:]\s*)('[^']*'|\S+)"), r"\1\2…"),
)


class Limit:
    """Until when a tool may take; everything that is asked of it shares the one limit."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def stop(self) -> None:
        """End whatever still runs under it."""
        self._end = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a program said. ``trouble`` is why that is not an answer: it could not be started, or had to be ended."""

    out: str = ""
    err: str = ""
    code: int = 0
    trouble: str = ""

    def complaint(self) -> str:
        """Its own words about what went wrong; empty when it ended well."""
        if self.trouble or self.code == 0:
            return self.trouble
        ended = f"it ended with {self.code}" if self.code > 0 else f"it was ended by signal {-self.code}"
        return spoken_in(self.err) or ended

    def no_json(self) -> str:
        """Why what it wrote is no document: its own words, else how that begins."""
        if self.trouble:
            return self.trouble
        begins = one_line(self.out[:80])
        # One that ended well may have spoken of something else.
        spoken = spoken_in(self.err) if self.code or _SAYS.search(self.err) else ""
        spoken = spoken or (spoken_in(self.out) if self.code else "")
        return spoken or self.complaint() or f"it did not answer with JSON{f': {begins}' if begins else ''}"


def program(name: str) -> str | None:
    """Find a tool on the PATH."""
    return shutil.which(name)


def ask(words: Sequence[str], limit: Limit) -> Said:
    """Run a program to its end and hear what it says; never raises for what it does."""
    if limit.left() <= 0:
        return Said(trouble=_hung(limit))
    try:
        process = subprocess.Popen(
            words,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # No terminal either, so that an ssh below it cannot wait for a password; and one group to end.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Said(trouble=f"it cannot be started: {reason}")
    heard: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    trouble = ""
    done = False
    try:
        trouble = _listen(process, heard, limit)
        done = not trouble
    finally:
        if not done:
            _end(process)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    out, err = (bytes(one).decode(errors="replace") for one in heard)
    return Said(out, err, process.returncode if done else 0, trouble)


def spoken_in(said: str) -> str:
    """The error in what a program wrote: the line that calls itself one, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = [match[1] for match in map(_SAYS.search, lines) if match]
    chosen = named[0] if named else lines[-1] if lines else ""
    return one_line(chosen)


def one_line(said: str) -> str:
    """Make words of somebody else's fit into a sentence: one line, not too long, no secrets."""
    together = " ".join(said.split())
    for pattern, instead in _SECRETS:
        together = pattern.sub(instead, together)
    return together if len(together) <= _LONGEST else together[: _LONGEST - 1] + "…"


def _listen(process: subprocess.Popen[bytes], heard: tuple[bytearray, bytearray], limit: Limit) -> str:
    """Hear a program until it has ended; what it says when it has to be ended instead is returned."""
    streams: list[IO[bytes]] = [one for one in (process.stdout, process.stderr) if one is not None]
    with selectors.DefaultSelector() as waiting:
        for stream, into in zip(streams, heard, strict=True):
            waiting.register(stream, selectors.EVENT_READ, into)
        while waiting.get_map():
            left = limit.left()
            if left <= 0:
                return _hung(limit)
            ready = waiting.select(min(left, _POLL))
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                key.data.extend(piece)
                if not piece:
                    waiting.unregister(key.fileobj)
            if sum(map(len, heard)) > _MOST:
                return f"it said more than {_MOST // 2**20} MiB and was ended"
            # Something that it left running may hold the pipes open for good.
            if not ready and _has_ended(process):
                break
    try:
        process.wait(limit.left())
    except subprocess.TimeoutExpired:
        return _hung(limit)
    return ""


def _hung(limit: Limit) -> str:
    return f"it did not answer within {limit.seconds:g} s and was ended"


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Look without collecting it: until then its number, and so its group's, belongs to nobody else."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all it started, whatever it makes of SIGTERM."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    while not _has_ended(process) and time.monotonic() < deadline:
        time.sleep(_POLL)
    _signal(process, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # A tool that changed its user may be out of reach.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _environment() -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}, "LC_ALL": "C.UTF-8"}
