"""PostgreSQL's and age's programs: how they log in, how they are run, what they may say.

No password is in an argument or in an environment: it is in the operator's own password file, or, where the operator
gave one for this very login, in a file of mode 0600 that lives as long as the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from wnadmin.errors import Failed, Refused
from wnadmin.postgres.embedded import Tool, client_tool
from wnadmin.postgres.target import Target

_KEPT: Final = re.compile(
    r"PG(HOST|HOSTADDR|PORT|SERVICE|SERVICEFILE|SYSCONFDIR|PASSFILE|SSL\w*|GSS\w*|KRB\w*|REQUIRE\w*|CHANNELBINDING"
    r"|CONNECT_TIMEOUT|TARGETSESSIONATTRS)"
)
_SAID: Final = re.compile(r"(?:[\w.-]+: (?:error|fatal|hint)|r?age|Error): (.*)")
_CHATTER: Final = "report unexpected or unhelpful errors"
# A value stands in these messages, or the beginning of a file; what kind of value it is says enough.
_QUOTES_VALUE: Final = re.compile(
    r"(invalid input (?:syntax|value) for [\w ]+|value too long for [\w ()]+|unexpected intro): .*"
)
_TABLE: Final = re.compile(r'(?:dumping contents of table|processing data for table) "([^"]+)"')
_POLL: Final = 0.1
_PDEATHSIG: Final = 1


@functools.cache
def tool(name: str, server_major: int) -> Tool:
    """Find the client program for a server of this major, or a newer one; Refused when there is none.

    Looking runs every candidate once, so the answer is kept.
    """
    try:
        return client_tool(name, server_major)
    except Failed as error:
        raise Refused(error.what, why=error.why, next=error.next) from None


def beside(one: Tool, name: str) -> Tool:
    """Find the program ``name`` of the same installation; Refused when that lacks it."""
    path = one.path.with_name(name)
    if not path.is_file():
        raise Refused(
            f"there is no {path}",
            why=f"It belongs to the same installation as {one.path.name}.",
            next="Install the client programs of PostgreSQL as a whole.",
        )
    return Tool(path, one.env, one.version)


def conninfo(parameters: Mapping[str, str], **more: str) -> str:
    """Write parameters as a conninfo string; a password is left out."""
    chosen = {**parameters, **more}
    chosen.pop("password", None)
    words = []
    for key, value in chosen.items():
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        words.append(f"{key}='{escaped}'" if not re.fullmatch(r"[\w./:@+,-]+", value) else f"{key}={value}")
    return " ".join(words)


@dataclass(frozen=True, slots=True)
class Door:
    """How a program gets in: its conninfo string, and what it needs in its environment."""

    conninfo: str
    env: Mapping[str, str] = field(repr=False)


def address(target: Target, *, user: str, dbname: str, command: str, options: Mapping[str, str] | None = None) -> str:
    """The conninfo string with which a program logs in as ``user``; ``options`` are settings of its session."""
    wanted = " ".join(f"-c {name}={value}" for name, value in (options or {}).items())
    given = target.parameters.get("options", "")
    parameters = {key: value for key, value in target.parameters.items() if key != "client_encoding"}
    together = " ".join(part for part in (given, wanted) if part)
    more = {"options": together} if together else {}
    return conninfo(parameters, user=user, dbname=dbname, application_name=f"wnadmin/{command}", **more)


@contextlib.contextmanager
def door(target: Target, *, own: bool, where: str) -> Iterator[Door]:
    """Open the way in for the block.

    ``own`` is for the login that the operator connected with: its password may be used. Another login's is found by
    libpq alone.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG") or _KEPT.fullmatch(name)}
    env["LC_ALL"] = "C"
    secret = target.password.reveal() if target.password is not None else os.environ.get("PGPASSWORD")
    if not own or not secret:
        yield Door(where, env)
        return
    with tempfile.TemporaryDirectory(prefix="wnadmin-") as folder:
        path = Path(folder) / "pgpass"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write("*:*:*:*:" + secret.replace("\\", "\\\\").replace(":", "\\:") + "\n")
        yield Door(f"{where} {conninfo({'passfile': str(path)})}", env)


@dataclass(frozen=True, slots=True)
class Program:
    """One program of a pipe: its words, what it needs added to its environment, and which end means success."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """What to call it."""
        return Path(self.argv[0]).name


class Pipe:
    """Programs that run at once, each reading what the one before it writes.

    They end when wnadmin ends, however it ends. ``stdin`` is what the first one reads, ``stdout`` where the last
    one writes; without one there is nothing. ``keeps`` are descriptors that live as long as the programs.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
        keeps: Sequence[int] = (),
    ) -> None:
        self._programs = programs
        self._said: deque[str] = deque(maxlen=200)
        self._readers: list[threading.Thread] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self.at = ""
        """The table that a program spoke of last."""
        self._silent = threading.Event()
        before: IO[bytes] | int | None = stdin
        for number, one in enumerate(programs):
            last = number == len(programs) - 1
            out: IO[bytes] | int | None = (stdout or subprocess.DEVNULL) if last else subprocess.PIPE
            try:
                started = _start(one, before or subprocess.DEVNULL, out, keeps)
            except OSError as error:
                self.end()
                raise Failed(f"cannot start {one.name}", why=f"{error.strerror}.") from None
            if number and not isinstance(before, int) and before is not None:
                before.close()
            self._running.append(started)
            before = started.stdout
            reader = threading.Thread(target=self._listen, args=(one.name, started.stderr), daemon=True)
            reader.start()
            self._readers.append(reader)

    def wait(self, watch: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Wait for the end of all; ``watch`` is called again and again meanwhile.

        Raises Failed when one failed or when ``stopping`` says so; then none of them runs any more.
        """
        try:
            while any(one.poll() is None for one in self._running):
                if stopping():
                    raise Failed("stopped: it was interrupted", next="Run it again.")
                if self.failed:
                    break
                watch()
                self._pause()
        finally:
            self.end()
        self._judge()

    @property
    def failed(self) -> bool:
        """Whether one of them has ended, and not well."""
        return any(one.poll() not in (None, 0) for one in self._running)

    def _pause(self) -> None:
        """Wait a moment, or until a program closes its messages, which it does when it ends."""
        if not self._silent.wait(_POLL):
            return
        self._silent.clear()
        for one in self._running:
            if one.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.wait(_POLL)
                return

    def end(self) -> None:
        """End whatever still runs; those that ended well are only collected."""
        # The writer of a broken pipe needs a moment to find out by itself, and then says why.
        deadline = time.monotonic() + (1.0 if any(one.poll() not in (None, 0) for one in self._running) else 0.0)
        for one in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(max(0.0, deadline - time.monotonic()))
        for number in (signal.SIGTERM, signal.SIGKILL):
            for one in self._running:
                if one.poll() is None:
                    one.send_signal(number)
            for one in self._running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.wait(5)
        for reader in self._readers:
            reader.join(5)

    def _judge(self) -> None:
        failed = []
        for program, one in zip(self._programs, self._running, strict=True):
            if one.returncode:
                said = (text.partition("\0") for text in self._said)
                mine = [text for name, _, text in said if name == program.name]
                # Whoever writes to a program that ended is not the one to blame.
                victim = one.returncode == -signal.SIGPIPE or any("Broken pipe" in text for text in mine)
                detail = mine[0] if mine else _ended(one.returncode)
                failed.append((victim, Failed(f"{program.name} failed: {detail}", why=" ".join(mine[1:3]))))
        if failed:
            raise min(failed, key=lambda pair: pair[0])[1]

    def _listen(self, name: str, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                if match := _TABLE.search(line):
                    self.at = match[1]
                match = _SAID.match(line)
                if match and not match[1].startswith(_CHATTER):
                    # DETAIL and CONTEXT lines quote rows; the first line does so only in these.
                    text = _QUOTES_VALUE.sub(r"\1", match[1])
                    self._said.append(f"{name}\0{text}")
        self._silent.set()


def _ended(code: int) -> str:
    if code >= 0:
        return f"it ended with {code}"
    if -code == signal.SIGXFSZ:
        return "the file grew beyond what may be written (a limit, or a full disk)"
    return f"it was ended by signal {-code}"


def _start(
    one: Program, stdin: IO[bytes] | int, stdout: IO[bytes] | int | None, keeps: Sequence[int]
) -> subprocess.Popen[bytes]:
    prctl = ctypes.CDLL(None).prctl

    def before_exec() -> None:
        # A killed wnadmin must not leave a dump running that nobody waits for.
        prctl(_PDEATHSIG, int(signal.SIGTERM))

    return subprocess.Popen(
        [os.fspath(word) for word in one.argv],
        env=dict(one.env),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        umask=0o077,
        # Ctrl-C at the terminal is for wnadmin, which ends its programs itself.
        process_group=0,
        pass_fds=tuple(keeps),
        preexec_fn=before_exec,  # the child calls one function of libc and no more
    )


def age() -> str:
    """Find the program that encrypts: age, or rage, which takes the same words; Refused when there is none."""
    for name in ("age", "rage"):
        if found := shutil.which(name):
            return found
    raise Refused(
        "there is no age on this machine to encrypt with",
        why="A dump of this database holds what is known of children and their families.",
        next="Install it (apt install age), or write it in the clear: --plain --reason '…'",
    )


def encrypt(recipients: Sequence[str]) -> Program:
    """Encrypt what is read to these public keys."""
    words = [age(), "--encrypt"]
    for one in recipients:
        words += ["--recipient", one]
    return Program(words, _plain_environment())


def decrypt(identity: Path) -> Program:
    """Decrypt what is read with the secret key in the file ``identity``."""
    return Program([age(), "--decrypt", "--identity", str(identity)], _plain_environment())


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
