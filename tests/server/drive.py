"""One call of the embedded server's API in a process of its own, as root or as someone else.

Reads ``{"uid", "gid", "home", "call", "args", "env"}`` as JSON from its argument and prints JSON: the
status, or ``{"error", "what", "why", "next"}``. It becomes the other user only after it has imported
everything, so it also works where that user could not read this checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from wnadmin.errors import WnError
from wnadmin.postgres.embedded import Cluster, Status

assert subprocess  # imported for later: after the change of user it may be out of reach


def _plain(value: Any) -> Any:
    if isinstance(value, Status):
        return {
            "state": value.state,
            "pid": value.pid,
            "version": value.version,
            "bindir": str(value.bindir),
            "socket": str(value.socket_dir),
        }
    return str(value) if value is not None else None


def main() -> None:
    task = json.loads(sys.argv[1])
    if task["uid"] not in (None, os.geteuid()):
        os.setgroups([])
        os.setgid(task["gid"])
        os.setuid(task["uid"])
    try:
        cluster = Cluster(Path(task["home"]), task["env"])
        print(json.dumps(_plain(getattr(cluster, task["call"])(**task["args"]))))
    except WnError as error:
        kind = type(error).__name__
        print(json.dumps({"error": kind, "what": error.what, "why": error.why, "next": error.next}))


if __name__ == "__main__":
    main()
