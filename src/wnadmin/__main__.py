"""Where the program starts: ``wnadmin`` and ``python -m wnadmin``."""

from __future__ import annotations

import gc
import sys

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 20
"""Collections are rarer than Python's 700, 10, 10: what is loaded at the start stays, and to look through it again and
again takes a tenth of a short command's time."""

_TURN = 0.0005
"""Seconds; Python's own is 0.005."""


def main() -> None:
    """Run the program and exit with its code."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    # What is loaded ahead in a thread gives way at once when an answer of the server is there.
    sys.setswitchinterval(_TURN)
    from wnadmin.cli import main as run

    try:
        run()
    finally:
        # The interpreter ends with a collection of everything it has loaded, which the process's own end frees anyway.
        gc.freeze()


if __name__ == "__main__":
    main()
