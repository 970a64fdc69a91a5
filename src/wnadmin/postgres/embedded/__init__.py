"""The private PostgreSQL server of one operating-system user: find it, make it, start it, end it.

Nothing here prints, and nothing here talks SQL: a server counts as up when its own pid file says
``ready`` and its socket accepts. Linux only, because the state of a server is read from ``/proc``.
"""

from __future__ import annotations

from wnadmin.postgres.embedded.cluster import Cluster, State, Status, StopMode
from wnadmin.postgres.embedded.discovery import (
    MINIMUM_MAJOR,
    Provider,
    Tool,
    client_tool,
    discover,
)
from wnadmin.postgres.embedded.places import default_home
from wnadmin.postgres.embedded.procs import Account, Progress, server_account

__all__ = [
    "MINIMUM_MAJOR",
    "Account",
    "Cluster",
    "Progress",
    "Provider",
    "State",
    "Status",
    "StopMode",
    "Tool",
    "client_tool",
    "default_home",
    "discover",
    "server_account",
]
