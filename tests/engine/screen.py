"""A terminal for the tests: a pty of a given size, and the screen that what was written to it makes."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

_TOKEN = re.compile(r"\x1b\[(?P<args>[0-9;?]*)(?P<final>[A-Za-z])|(?P<char>.)", re.DOTALL)
_BEGUN = re.compile(r"\x1b(\[[0-9;?]*)?$")
"""A sequence whose end has not been read yet."""


class Screen:
    """What a terminal of this size shows: cursor, wrapping at the edge, scrolling, and the sequences we send."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.rows = [""] * lines
        self.above: list[str] = []
        self.blank = 0
        """How often the whole screen was seen empty after something stood on it."""
        self.sequences: set[str] = set()
        self._row = self._column = 0
        self._waits = False
        self._begun = ""

    def feed(self, text: str) -> None:
        """Take what was written, in pieces cut anywhere."""
        text = self._begun + text
        begun = _BEGUN.search(text)
        self._begun = begun[0] if begun else ""
        for match in _TOKEN.finditer(text, 0, begun.start() if begun else len(text)):
            if match["final"]:
                self.sequences.add(match["final"])
                self._control(match["args"], match["final"])
            elif match["char"] == "\n":
                self._down()
            elif match["char"] == "\r":
                self._column, self._waits = 0, False
            else:
                self._put(match["char"])

    def text(self) -> list[str]:
        """The lines as one sees them, without trailing blanks."""
        return [row.rstrip() for row in self.rows]

    def _put(self, char: str) -> None:
        if self._waits:
            self._column = 0
            self._down()
        row = self.rows[self._row].ljust(self.columns)
        self.rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
        self._waits = self._column == self.columns - 1
        if not self._waits:
            self._column += 1

    def _down(self) -> None:
        self._waits = False
        if self._row < self.lines - 1:
            self._row += 1
            return
        self.above.append(self.rows.pop(0).rstrip())
        self.rows.append("")

    def _control(self, args: str, final: str) -> None:
        if final == "H":
            self._row, self._column, self._waits = 0, 0, False
        elif final == "K":
            self.rows[self._row] = self.rows[self._row][: self._column]
        elif final == "J":
            assert args in ("", "0"), f"it erases more than what follows: {args}"
            self.rows[self._row] = self.rows[self._row][: self._column]
            for row in range(self._row + 1, self.lines):
                self.rows[row] = ""
            if not any(self.rows):
                self.blank += 1


class Terminal:
    """A program on a pty."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], columns: int, lines: int) -> None:
        self.screen = Screen(columns, lines)
        self.raw = b""
        self.text = ""
        # Ctrl-C makes the terminal throw away what it has not shown yet, in the middle of a character too.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

        def lead() -> None:
            # Ctrl-C of this terminal is to reach the program.
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        self.process = subprocess.Popen(argv, env=dict(env), stdin=slave, stdout=slave, stderr=slave, preexec_fn=lead)
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def until(self, seen: Callable[[Screen], bool], seconds: float = 30) -> None:
        """Read until the screen shows it."""
        end = time.monotonic() + seconds
        while not seen(self.screen):
            assert time.monotonic() < end, "\n".join(self.screen.text())
            assert self._read(0.2) or self.process.poll() is None, "\n".join(self.screen.text())

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size; its screen is forgotten, as some terminals do."""
        self.screen = Screen(columns, lines)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def end(self, seconds: float = 20) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + seconds
        while self._read(0.2) or self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data
        text = self._decoder.decode(data)
        self.text += text
        self.screen.feed(text)
        return bool(data)
