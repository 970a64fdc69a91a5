"""`backup prune`: grandfather, father, son; the last that was proven stays; what has expired goes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.backup.support import create, sidecar
from tests.support import Cli, Server
from wnadmin.domain.backup import files, prune, values
from wnadmin.domain.backup.prune import Rule
from wnadmin.domain.backup.values import Level, Verified

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def rack(shelf: tuple[Cli, Path], folder: Path) -> Path:
    """An empty folder, and a real sidecar to copy from beside it."""
    shutil.copy2(shelf[1] / "z5.dump.json", folder.parent / "model.dump.json")
    return folder


def put(rack: Path, when: datetime, *, days: int = 90, level: Level | None = None, failed: bool = False) -> str:
    """Put a backup into the folder that was taken ``when``; gives its file's name."""
    model = values.read((rack.parent / "model.dump.json").read_bytes(), values.Sidecar)
    place = files.Place(rack / f"b{when:%Y%m%d%H%M}.dump")
    place.dump.write_bytes(b"x")
    data = values.write(replace(model, file=place.dump.name, snapshot_at=when, expires_at=when + timedelta(days=days)))
    files.write_private(place.sidecar, data)
    if level:
        known = Verified(files.look(place).sha256, level, when, level if failed else None, when if failed else None)
        files.write_private(place.verified, values.write(known))
    return place.dump.name


def kept(rack: Path, rule: Rule) -> dict[str, tuple[str, ...]]:
    return {one.kept.place.dump.name: one.reasons for one in prune.judge(files.kept(rack), rule, NOW) if one.reasons}


def test_days_weeks_and_months(rack: Path) -> None:
    names = {day: put(rack, NOW - timedelta(days=day)) for day in range(0, 80)}
    found = kept(rack, Rule(daily=3, weekly=2, monthly=2))
    # 2026-11-22 is a Sunday: its week began on the 16th, the week before ended on the 15th, the month before on 31 Oct.
    assert found == {
        names[0]: ("the newest", "day 2026-11-22", "week 2026-W47", "month 2026-11"),
        names[1]: ("day 2026-11-21",),
        names[2]: ("day 2026-11-20",),
        names[7]: ("week 2026-W46",),
        names[22]: ("month 2026-10",),
    }


def test_the_newest_of_a_day(rack: Path) -> None:
    put(rack, NOW - timedelta(hours=5))
    late = put(rack, NOW - timedelta(hours=1))
    assert list(kept(rack, Rule(1, 0, 0))) == [late]


def test_the_last_proven_stays_even_when_it_has_expired(rack: Path) -> None:
    proven = put(rack, NOW - timedelta(days=50), days=10, level="content")
    older = put(rack, NOW - timedelta(days=60), days=10, level="content")
    newest = put(rack, NOW - timedelta(days=1), level="archive")
    found = kept(rack, Rule(1, 0, 0))
    assert set(found) == {proven, newest}
    assert "it has expired" in found[proven][0]
    assert older not in found


def test_a_proof_that_failed_since_is_none(rack: Path) -> None:
    put(rack, NOW - timedelta(days=5), level="content", failed=True)
    good = put(rack, NOW - timedelta(days=9), level="restore")
    newest = put(rack, NOW)
    assert set(kept(rack, Rule(1, 0, 0))) == {good, newest}


def test_nothing_else_stays_beyond_its_expiry(rack: Path) -> None:
    put(rack, NOW - timedelta(days=20), days=10)
    assert kept(rack, Rule()) == {}


def test_what_is_not_ours_to_judge_stays(rack: Path) -> None:
    stray = rack / "stray.dump"
    stray.write_bytes(b"somebody's")
    assert kept(rack, Rule()) == {"stray.dump": ("it is not ours to judge: it has no sidecar",)}


def test_databases_are_counted_apart(rack: Path) -> None:
    mine = put(rack, NOW)
    other = files.Place(rack / "other.dump")
    other.dump.write_bytes(b"x")
    model = values.read((rack / f"{mine}.json").read_bytes(), values.Sidecar)
    facts = replace(model, file="other.dump", database=replace(model.database, name="other"))
    files.write_private(other.sidecar, values.write(replace(facts, snapshot_at=NOW - timedelta(hours=3))))
    assert set(kept(rack, Rule(1, 0, 0))) == {mine, "other.dump"}


def test_it_removes_them_and_says_why(here: Cli, folder: Path) -> None:
    create(here, folder, name="first")
    create(here, folder, name="second")
    (folder / ".third.dump.partial").write_bytes(b"killed")
    cli = Cli(here.folder)
    words = ["backup", "prune", str(folder), "--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"]
    shown = cli.run(*words, "--dry-run")
    assert "second.dump stays: the newest, day" in shown.out
    assert "first.dump goes: no day, week or month needs it" in shown.out
    assert ".third.dump.partial goes" in shown.out
    assert cli.run(*words, "--check").code == 3
    ran = cli.run(*words, "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert sorted(os.listdir(folder)) == ["second.dump", "second.dump.json"]
    again = cli.run(*words, "--check")
    assert again.code == 0
    assert "second.dump (the newest" in again.out
    assert sidecar(folder / "second.dump").name == "second"


@pytest.mark.more
@pytest.mark.parametrize("seed", range(8))
def test_killed_at_random_moments(here: Cli, server: Server, fresh_db: str, folder: Path, seed: int) -> None:
    """Whenever it dies, another run finishes it, and the register says the same as the folder."""
    for name in ("first", "second", "third"):
        create(here, folder, name=name)
    words = ["backup", "prune", str(folder), "--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0", "--yes"]
    process = here.start(words)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=random.Random(seed).uniform(0.3, 0.7))
    process.kill()
    process.communicate()
    for one in here.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"]:
        resumed = here.run("audit", "resume", one["operation"], "--yes")
        assert resumed.code == 0, resumed.out + resumed.err
    ran = here.run(*words)
    assert ran.code == 0, ran.out + ran.err
    assert sorted(os.listdir(folder)) == ["third.dump", "third.dump.json"]
    with server.session(fresh_db) as session:
        standing = session.run("SELECT name FROM audit.backups WHERE removed_at IS NULL").rows
    assert standing == (("third",),)


def test_keeping_nothing_is_refused(folder: Path, cli: Cli) -> None:
    words = ["--keep-daily", "0", "--keep-weekly", "0", "--keep-monthly", "0"]
    assert cli.run("backup", "prune", str(folder), *words).code == 2


def test_a_partial_that_somebody_writes_stays(folder: Path) -> None:
    with files.making(files.Place(folder / "x.dump"), "custom") as partial:
        assert files.leftovers(folder) == []
        assert partial.path.exists()
    assert os.listdir(folder) == []


def test_an_empty_folder_and_none(cli: Cli, folder: Path) -> None:
    listed = cli.run("backup", "list", str(folder), "--format", "json")
    assert (listed.code, listed.json()["tables"]["backups"]) == (0, [])
    assert cli.run("backup", "list", str(folder / "none")).code == 2
    assert cli.run("backup", "prune", str(folder), "--check").code == 0
