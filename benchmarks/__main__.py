"""``python -m benchmarks``: measure every promise about speed and print one table.

--scale world uses the world that `make bench-world` built; --scale small makes a small one in a moment, which
shows that everything runs but proves nothing about size. Without --scale it is the world where it is built.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import (
    backup,
    drift,
    functions,
    health,
    locks,
    partitions,
    processes,
    readonly,
    retention,
    trail,
    world,
)
from benchmarks.measure import Row, table
from benchmarks.places import Ground, install, scratch
from wnadmin.errors import WnError


@dataclass(frozen=True, slots=True)
class Field:
    """Where a run measures: ``plain`` is a scratch server, ``big`` the one with the world."""

    plain: Ground
    big: Ground
    scale: world.Scale
    small: bool


BENCHES: dict[str, Callable[[Field], list[Row]]] = {
    "setup": lambda f: processes.setup(f.plain, rounds=1 if f.small else 5),
    "start": lambda f: processes.start(f.plain, rounds=5 if f.small else 15),
    "sample": lambda f: processes.sample(f.plain, families=500 if f.small else 10_000),
    "functions": lambda f: functions.functions(f.big, f.scale.families, count=100 if f.small else 1000),
    "reads": lambda f: functions.reads(f.big, f.scale.families, count=50 if f.small else 300),
    "trigger": lambda f: trail.triggers(f.big, rows=100 if f.small else 500, rounds=9 if f.small else 41),
    "locks": lambda f: locks.locks(rounds=3 if f.small else 15),
    "readonly": lambda f: readonly.fence(f.plain, rounds=1 if f.small else 7),
    "backup": lambda f: backup.backup(f.plain, rows=40_000 if f.small else 2_000_000, rounds=1 if f.small else 5),
    "drift": lambda f: drift.drifts(
        f.plain, partitions=20 if f.small else drift.PARTITIONS, rounds=1 if f.small else 7
    ),
    "append": lambda f: trail.append(f.plain, count=100 if f.small else 500),
    "health": lambda f: health.peers(f.plain, rounds=1 if f.small else 7),
    "wide": lambda f: health.wide(
        f.plain, partitions=50 if f.small else health.PARTITIONS, rounds=1 if f.small else 7, beside=not f.small
    ),
    "load": lambda f: health.load(
        f.plain, pairs=1 if f.small else 7, length=1 if f.small else 6, size=1 if f.small else 10
    ),
    "retention": lambda f: retention.retention(
        f.plain, rows=2000 if f.small else 300_000, rounds=1 if f.small else 3, pairs=1 if f.small else 7
    ),
    "partitions": lambda f: partitions.partitions(f.plain, calm=0.5 if f.small else 4.0, rounds=1 if f.small else 3),
    "verify": lambda f: trail.verify(f.plain, rows=5000 if f.small else 200_000),
}
"""What --only takes."""


@contextlib.contextmanager
def field(scale: str) -> Iterator[Field]:
    """The servers of one run: a scratch server, and beside it the big world unless the scale is small."""
    with scratch() as plain:
        if scale == "small":
            sys.stderr.write("a small world:\n")
            world.fill(plain, world.SMALL, workers=1)
            yield Field(plain, plain, world.SMALL, True)
            return
        plain.create(plain.dbname)
        install(plain, plain.dbname)
        chosen = world.MILLION if scale == "world" else world.SCALES[scale]
        big = world.ground(chosen)
        try:
            # The world is kept for long; its functions and policies are those of today.
            install(big, big.dbname)
            yield Field(plain, big, chosen, False)
        finally:
            big.cluster.stop(timeout=600)


def main() -> int:
    """Read the command line, measure, print; 1 when a promise is missed or could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", action="append", choices=sorted(BENCHES), metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--scale", choices=("small", "twentieth", "world"))
    chosen = parser.parse_args()
    scale = chosen.scale or ("world" if world.MILLION.done.exists() else "small")
    if scale in ("world", "twentieth"):
        known = world.MILLION if scale == "world" else world.TWENTIETH
        if not known.done.exists():
            sys.stderr.write(f"the world is not built: run `make bench-world` (--scale {known.name})\n")
            return 2
    rows: list[Row] = []
    failed = False
    with field(scale) as place:
        for name in chosen.only or BENCHES:
            sys.stderr.write(f"{name} …\n")
            try:
                rows += BENCHES[name](place)
            except (WnError, RuntimeError) as error:
                failed = True
                sys.stderr.write(f"{name}: {error}\n")
        print(f"scale {scale}: {place.scale.families:,} families, {place.scale.items:,} items\n")
    print(table(rows))
    return 1 if failed or any(row.verdict == "MISS" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
