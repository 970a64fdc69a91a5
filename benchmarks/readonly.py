"""How long it takes from the command to a database that is proven to be read-only."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import Row, median, process, seconds
from benchmarks.places import Ground, environment, install, wnadmin

_BOUND = 2.0
_NAME = "bench_readonly"


def fence(ground: Ground, *, rounds: int = 7) -> list[Row]:
    """``readonly on --level fence`` as a process, without a session that would have to be waited for, and ``off``.

    Of this, 1.1 s are the witness: a busy session reports what it wrote once a second, and is to be heard.
    """
    ground.create(_NAME)
    install(ground, _NAME)
    dsn = ground.dsn(_NAME)
    took: dict[str, list[float]] = {"on": [], "off": []}
    try:
        with tempfile.TemporaryDirectory() as folder:
            env = environment(Path(folder))
            # Other databases of the server may know the same roles.
            on = process(wnadmin("readonly", "on", "--level", "fence", "--affects-cluster", "--yes", "--dsn", dsn), env)
            off = process(wnadmin("readonly", "off", "--yes", "--dsn", dsn), env)
            for turn in range(rounds + 1):
                for name, work in (("on", on), ("off", off)):
                    passed = seconds(work)
                    if turn:
                        took[name].append(passed)
    finally:
        ground.drop(_NAME)
    return [
        Row("fence", "readonly on --level fence, proven, ≤ 2 s", "ms", median(took["on"]), bound=_BOUND),
        Row("fence off", "readonly off, proven", "ms", median(took["off"])),
    ]
