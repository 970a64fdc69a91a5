"""Build the million-children world once: ``make bench-world``.

Where it is: ``.worlds/million``, a private server of its own, ignored by git. What it is: 500,000 families of
seed 1 over the ten years that end with BUILD_UNTIL, and 100,000 content items.

How it is so much faster than ``sample load``: the same bundled statements run with
``session_replication_role = replica``, so neither the consent, audit and validation triggers nor the checks of
the foreign keys run. The rules that make the rows keep consent and keys right, and `prove` looks: no row
without its parent, every count as promised. Two things are therefore missing that triggers would have made: the
trail of the loading itself, and the retention dates of invoices and payments. Indexes stay in place: with
enough shared buffers, keeping them up costs less than building them afterwards over 500 partitions.
fsync is off while it is built, and on again when benchmarks start the server.

A broken-off build goes on where it stopped, as families are loaded whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.places import SETTINGS, WORLDS, Ground, install
from wnadmin.domain.sample import world
from wnadmin.domain.sample.world import Range, Wish
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Cluster

BUILD_UNTIL = date(2026, 1, 1)
"""Fixed, so that every build is the same world."""
ACTIVITY = 4
PIECE = 5000
"""Families that one worker takes at a time."""
BATCH = 500

ITEMS = Path(__file__).parent / "items.sql"
ORPHANS = Path(__file__).parent / "orphans.sql"
BULK = {"session_replication_role": "replica", "synchronous_commit": "off", "work_mem": "64MB"}


@dataclass(frozen=True, slots=True)
class Scale:
    """How big: families (two children each, on average) and content items."""

    name: str
    families: int
    items: int
    shared_buffers: str
    years: int = 10

    @property
    def wish(self) -> Wish:
        """The world as the generator takes it."""
        return Wish(self.families, 1, world.since(BUILD_UNTIL, self.years), BUILD_UNTIL, ACTIVITY)

    @property
    def done(self) -> Path:
        """The note that says it is complete."""
        return WORLDS / f"{self.name}.json"


MILLION = Scale("million", 500_000, 100_000, "6GB")
TWENTIETH = Scale("twentieth", 25_000, 5_000, "1GB")
SMALL = Scale("small", 500, 2_000, "512MB", years=2)
SCALES = {one.name: one for one in (MILLION, TWENTIETH, SMALL)}


def ground(scale: Scale, *, fsync: bool = True) -> Ground:
    """Start the server that keeps the world."""
    WORLDS.mkdir(exist_ok=True)
    cluster = Cluster(WORLDS / scale.name)
    cluster.start({**SETTINGS, "shared_buffers": scale.shared_buffers}, fsync=fsync)
    return Ground(cluster, "world")


def fill(place: Ground, scale: Scale, *, workers: int = 2) -> dict[str, float]:
    """Make the database and everything in it that is missing; the seconds of each part."""
    took: dict[str, float] = {}
    if not place.exists(place.dbname):
        with _timed(took, "setup"):
            place.create("unborn")
            install(place, "unborn")
            with place.session("postgres") as session:
                session.run(f'ALTER DATABASE "unborn" RENAME TO "{place.dbname}"')
    db = place.database()
    try:
        with _timed(took, "partitions"):
            _partitions(db, scale.wish)
        with _timed(took, "items"):
            db.session.run(ITEMS.read_text(encoding="utf-8").replace(":items", str(scale.items)))
        with _timed(took, "families"):
            _families(place, scale, db, workers)
        with _timed(took, "vacuum"):
            db.session.run("VACUUM (ANALYZE)")
            # A partitioned parent has no rows of its own: VACUUM leaves its statistics alone.
            db.session.run("ANALYZE content.engagement, audio.sessions, analytics.events, audit.activity_log")
        with _timed(took, "proof"):
            prove(db, scale)
    finally:
        db.session.close()
    return took


def prove(db: Database, scale: Scale) -> None:
    """Compare what is there with what was promised; raise RuntimeError at the first difference."""
    wish, whole = scale.wish, Range(1, scale.families)
    if missing := world.absent(db, wish):
        raise RuntimeError(f"families {missing[0]} are missing")
    both = [
        db.table(name, world.query(db, name, wish, whole)).rows[0]
        for name in ("queries/sample/promised", "queries/sample/loaded")
    ]
    if both[0] != both[1]:
        raise RuntimeError(f"promised {both[0]}, loaded {both[1]}")
    for what, count in db.session.run(ORPHANS.read_text(encoding="utf-8")).rows:
        if count:
            raise RuntimeError(f"{count} {what}")


def _partitions(db: Database, wish: Wish) -> None:
    name = "queries/sample/months"
    for parent, month in db.table(name, world.query(db, name, wish, Range(1, 1))).rows:
        one = db.prepared("changes/sample/partition", {"parent": str(parent), "month": str(month)})
        db.session.run(one.rendered.query)


def _families(place: Ground, scale: Scale, db: Database, workers: int) -> None:
    pieces = list(world.chunks(world.absent(db, scale.wish), PIECE))
    total, done, began = sum(len(one) for one in pieces), 0, time.monotonic()
    if workers == 1:
        for one in pieces:
            _piece(place, scale, one)
        return
    with ProcessPoolExecutor(workers) as pool:
        running = {pool.submit(_piece, place, scale, one): one for one in pieces}
        for finished in as_completed(running):
            finished.result()
            done += len(running[finished])
            left = (time.monotonic() - began) / done * (total - done)
            _say(f"  families {done:,}/{total:,}, {left:,.0f} s left")


def _piece(place: Ground, scale: Scale, part: Range) -> None:
    db = place.database(BULK)
    try:
        for one in world.chunks([part], BATCH):
            world.load(db, scale.wish, one)
    finally:
        db.session.close()


class _timed:
    def __init__(self, took: dict[str, float], part: str) -> None:
        self._took, self._part, self._began = took, part, 0.0

    def __enter__(self) -> None:
        _say(self._part)
        self._began = time.monotonic()

    def __exit__(self, *exc: object) -> None:
        self._took[self._part] = round(time.monotonic() - self._began, 1)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def build(scale: Scale) -> None:
    """Build the world and leave a note; nothing to do when the note is there."""
    if scale.done.exists():
        _say(f"{scale.done} says that it is built; `--destroy` removes it")
        return
    place = ground(scale, fsync=False)
    try:
        began = time.monotonic()
        took = fill(place, scale, workers=min(2, os.cpu_count() or 1))
        with place.session() as session:
            size = session.scalar("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())")
        note = {
            "families": scale.families,
            "items": scale.items,
            "bytes": size,
            "seconds": round(time.monotonic() - began, 1),
            "parts": took,
        }
    finally:
        place.cluster.stop(timeout=600)
    scale.done.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(note, indent=2))


def main() -> None:
    """Read the command line and build, or destroy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--scale", choices=sorted(SCALES), default=MILLION.name)
    parser.add_argument("--destroy", action="store_true", help="remove the world of this scale")
    chosen = parser.parse_args()
    scale = SCALES[chosen.scale]
    if chosen.destroy:
        Cluster(WORLDS / scale.name).destroy()
        scale.done.unlink(missing_ok=True)
        return
    build(scale)


if __name__ == "__main__":
    main()
