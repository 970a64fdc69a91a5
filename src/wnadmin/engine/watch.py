"""``--watch``: look again and again on the same connection; outlives a lost server, and says that it is lost.

The exit code is that of the last look: what it found, or why it did not succeed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from wnadmin import render
from wnadmin.engine import judgement
from wnadmin.errors import Exit, NoConnection, UsageError, WnError
from wnadmin.render import nagios, talk
from wnadmin.render.lost import Lost, line
from wnadmin.results import Findings, Report, Result

if TYPE_CHECKING:
    from wnadmin.engine.options import Options

Seen: TypeAlias = "Report | Findings"

FASTEST: Final = 0.1
"""Seconds: nobody reads faster, and every look costs the server something."""
RETRY: Final = 1.0
"""Seconds at least until a look that failed is tried again."""
LOCKED_OUT: Final = 30.0
"""Seconds at least where the login is refused: some servers count that and lock the account."""

# A failed connection has no SQLSTATE. Words in another language only mean that it is tried on sooner.
_REFUSED: Final = ("password", "authentication", "no pg_hba.conf entry", "does not exist", "permission denied")


@dataclass(slots=True)
class Watch:
    """One watch: ``look`` looks once, ``forget`` gives up the connections, ``record`` leaves the ledger's one row.

    ``personal``: what is seen is about a person, and recorded before it is shown.
    """

    options: Options
    seconds: float
    personal: bool
    look: Callable[[], Seen]
    forget: Callable[[], None]
    record: Callable[[], None]
    value: Seen | None = None
    code: int = Exit.OK
    _form: render.Format = "table"
    _seen: datetime | None = None
    _lost: Lost | None = None
    _gap: str = ""
    _drawn: bool = False

    def run(self) -> tuple[Seen, int]:
        """Look until Ctrl-C; the last value and the exit code.

        What fails before anything was seen ends it, unless it is a server that may yet come back.
        """
        self._begin()
        try:
            while True:
                try:
                    value = self.look()
                except WnError as error:
                    if self.value is None and not _may_come_back(error):
                        raise
                    self.forget()
                    pause = self._failed(error)
                else:
                    pause = self._succeeded(value)
                time.sleep(pause)
        except KeyboardInterrupt:
            if self.value is None and self._lost is None:
                raise
        if self._drawn:
            render.leave(sys.stdout)
        return self.value or Report("watch"), self.code

    def _begin(self) -> None:
        if self.seconds < FASTEST:
            raise UsageError(f"--watch needs at least {FASTEST:g} seconds", next="Example: --watch 2")
        self._form = render.resolve(self.options.format, sys.stdout)
        if self._form in ("json", "csv"):
            raise UsageError(
                f"--watch cannot write {self._form}",
                why="A stream of looks is written as one object a line.",
                next="Use --format ndjson.",
            )
        if self.options.exit_style == "nagios" and self.options.format == "auto":
            self._form = "nagios"

    # --- a look that succeeded ------------------------------------------------------------------------------------

    def _succeeded(self, value: Seen) -> float:
        first = self.value is None
        personal = self.personal or (isinstance(value, Report) and value.personal)
        if first and personal:
            self.record()
        if self._lost is not None:
            self._gap = f"not seen from {_clock(self._lost.since)} to {_clock(_now())} ({self._lost.gone})"
            if not self._draws:
                talk.note(f"seen again; {self._gap}")
        self.value, self._lost, self._seen = value, None, _now()
        self.code = judgement.code(value, self.options) if isinstance(value, Findings) else Exit.OK
        if not self.options.quiet:
            self._show(render.only(value, self.options.table), again=not first)
        if first and not personal:
            with contextlib.suppress(WnError):
                self.record()
        return self.seconds

    def _show(self, value: Result, *, again: bool) -> None:
        at = _now()
        if self._draws:
            heading = f"{_stamp(at)}, again every {self.seconds:g} s; Ctrl-C ends"
            if isinstance(value, Findings):
                # What is cut off at the end of a small window must not be the verdict.
                heading = f"{render.tally(value)} | {heading}"
            heading = "\n".join(part for part in (heading, self._gap) if part)
            render.redraw(value, heading=heading, stream=sys.stdout, first=not self._drawn)
            self._drawn = True
            sys.stdout.flush()
            return
        if self._form == "ndjson":
            sys.stdout.write(line(at, self.seconds))
        elif again and self._form in ("table", "plain", "markdown"):
            talk.note(_stamp(at))
        for words in render.write(value, format=self._form, stream=sys.stdout):
            talk.note(words)
        sys.stdout.flush()

    # --- one that did not -----------------------------------------------------------------------------------------

    def _failed(self, error: WnError) -> float:
        pause = max(self.seconds, LOCKED_OUT if _refused(error) else RETRY)
        at = _now()
        same = self._lost is not None and self._lost.error.what == error.what
        fell = self._lost is None
        self._lost = Lost(error, at, at if self._lost is None else self._lost.since, self._seen, pause)
        self.code = int(error.exit)
        if self.options.exit_style == "nagios":
            self.code = 2 if error.exit == Exit.NO_CONNECTION else 3
        if self.options.quiet:
            return pause
        if self._draws:
            heading = f"{_stamp(at)}, not seen; tries again every {pause:g} s; Ctrl-C ends"
            # What was seen last is scrolled up: it stays to be read, but not as if it were so now.
            render.redraw_lost(self._lost, heading=heading, stream=sys.stdout, first=fell or not self._drawn)
            self._drawn = True
        elif self._form == "ndjson":
            sys.stdout.write(line(at, pause, self._lost))
        elif self._form == "nagios":
            sys.stdout.write(nagios.failed(error.what, critical=error.exit == Exit.NO_CONNECTION))
        sys.stdout.flush()
        if not same and not (self._draws and sys.stderr.isatty()):
            # Once: the same words every second would bury what was seen.
            talk.note(f"{_stamp(at)}, and again every {pause:g} s until it succeeds:")
            talk.error(error)
        return pause

    @property
    def _draws(self) -> bool:
        return not self.options.quiet and render.redraws(self._form, sys.stdout)


def _may_come_back(error: WnError) -> bool:
    return isinstance(error, NoConnection) and not _refused(error)


def _refused(error: WnError) -> bool:
    return isinstance(error, NoConnection) and any(words in error.why for words in _REFUSED)


def _now() -> datetime:
    return datetime.now(UTC)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M:%SZ")
