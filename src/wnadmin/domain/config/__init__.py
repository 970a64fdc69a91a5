"""The server's settings against what WonderNest recommends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wnadmin.postgres.connections import Connections
    from wnadmin.results import Findings
    from wnadmin.settings import Profile


def judged(connections: Connections, profile: Profile) -> Findings:
    """Look at the server's settings and judge them."""
    from wnadmin.domain.config import check, look, rules

    recommended = rules.load()
    return check.check(look.look(connections, recommended), recommended, production=profile.production)
