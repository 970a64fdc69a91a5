"""More than one session to one server, opened on demand and closed together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wnadmin.postgres.session import Session, Timeouts, connect
from wnadmin.postgres.target import Target


@dataclass(slots=True)
class Connections:
    """Opens sessions for a command that needs other databases or logins than its own; the engine closes them."""

    target: Target
    command: str
    timeouts: Timeouts = field(default_factory=Timeouts)
    _open: list[Session] = field(default_factory=list)

    def open(
        self,
        target: Target | None = None,
        *,
        settings: Mapping[str, str | None] | None = None,
        statement_timeout: str | None = None,
        row_security: bool = False,
    ) -> Session:
        """Open one more session, to ``target`` or to where the command goes; raises NoConnection."""
        limits = self.timeouts if statement_timeout is None else replace(self.timeouts, statement=statement_timeout)
        session = connect(
            target or self.target, command=self.command, timeouts=limits, settings=settings, row_security=row_security
        )
        self._open.append(session)
        return session

    def close(self) -> None:
        """Close whatever was opened."""
        while self._open:
            self._open.pop().close()
