"""Exit codes and the one family of errors that an operator may see.

Every error says what happened, why, and what to type next. Anything that is not a
:class:`WnError` when it reaches the boundary in :mod:`wnadmin.engine.boundary` is a bug in wnadmin.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; they hold for every command."""

    OK = 0
    """Done, nothing to do, or a dry run."""
    FAILED = 1
    """Failed, also in part."""
    USAGE = 2
    """The command line or the settings are wrong; nothing was touched."""
    FINDINGS = 3
    """Findings at or above ``--fail-on``, or ``--check`` found something to do."""
    REFUSED = 4
    """wnadmin refused, or the operator declined; nothing was changed."""
    NO_CONNECTION = 5
    """No connection to the server."""


class WnError(Exception):
    """An error with an answer: ``what`` happened, ``why``, and what to type ``next``."""

    exit: Exit = Exit.FAILED

    def __init__(self, what: str, *, why: str = "", next: str = "", sqlstate: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        return self.what


class Failed(WnError):
    """The work was begun and did not succeed."""

    exit = Exit.FAILED


class UsageError(WnError):
    """The command line, a file or a setting is wrong."""

    exit = Exit.USAGE


class Refused(WnError):
    """wnadmin will not do this here; nothing was changed."""

    exit = Exit.REFUSED


class Declined(Refused):
    """The operator said no; nothing was changed."""


class NoConnection(WnError):
    """The server cannot be reached or does not let this login in."""

    exit = Exit.NO_CONNECTION


class ServerError(Failed):
    """The server refused a statement; ``sqlstate`` is its five-character code."""


class Blind(ServerError):
    """The server hides what was asked for: a privilege or row-level security stands in the way.

    A reader turns this into ``unknown``; it must never become a smaller count.
    """


class Vanished(ServerError):
    """The object disappeared while it was looked at."""


class CutOff(ServerError):
    """A statement or lock timeout ended the statement."""
