"""What of other roles' sessions a login can see: what is hidden is said, never taken for idle."""

from __future__ import annotations

from dataclasses import dataclass

from wnadmin.postgres.database import Database

HIDDEN = "hidden"
"""The state of a session that this login may not look into."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a login can see and do.

    ``quoted`` is the login as SQL names it, ``may_signal`` whether it may end sessions of other roles (but not of
    superusers), ``hidden`` how many sessions it may not look into, ``remedy`` the GRANT that would show them.
    """

    login: str
    quoted: str
    superuser: bool
    may_signal: bool
    standby: bool
    hidden: int
    remedy: str

    def notes(self, hidden: int | None = None, unseen: str = "") -> tuple[str, ...]:
        """Say what was not seen: ``hidden`` sessions (all of the server unless told), of them ``unseen``."""
        count = self.hidden if hidden is None else hidden
        if not count:
            return ()
        whose = "1 session is" if count == 1 else f"{count} sessions are"
        what = unseen or "state, query and age of the transaction"
        return (f"{whose} hidden from {self.login} ({what} unknown). To see: {self.remedy};",)


def sight(db: Database) -> Sight:
    """Look what this login can see."""
    return db.rows("queries/sessions/sight", Sight)[0]
