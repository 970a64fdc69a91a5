"""Which level of `backup verify` catches which corruption: the table below is the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backup.support import copy, reseal, severities, sidecar, tools
from tests.support import Cli, Server
from wnadmin.domain.backup import files
from wnadmin.domain.backup.verify import size_level


def truncated(dump: Path) -> None:
    data = dump.read_bytes()
    dump.write_bytes(data[: len(data) * 9 // 10])


def flipped(dump: Path) -> None:
    """Change one letter of a row where rows stand in the clear, else one byte of what was compressed."""
    data = bytearray(dump.read_bytes())
    clear = data.find(b"\tRabbit")
    at = clear + 2 if clear >= 0 else len(data) * 9 // 10
    data[at] ^= 0x01
    dump.write_bytes(data)


def edited(dump: Path) -> None:
    """Change a count by hand."""
    path = files.at(dump).sidecar
    facts = json.loads(path.read_text())
    facts["tables"][0]["rows"] += 1
    path.write_text(json.dumps(facts))


def forged(dump: Path) -> None:
    """Change a count with care: the sidecar's own hash fits again."""
    side = sidecar(dump)
    users = next(one for one in side.tables if one.path == "core.users")
    tables = tuple(replace(one, rows=one.rows - 1) if one is users else one for one in side.tables)
    reseal(dump, replace(side, tables=tables))


def lost(dump: Path) -> None:
    files.at(dump).sidecar.unlink()


def dump_lost(dump: Path) -> None:
    dump.unlink()


# corruption, compression, whether the sidecar was written after it (so that its hashes fit), and the first check
# that catches it, level by level
MATRIX: list[tuple[Callable[[Path], None], str, bool, str]] = [
    (truncated, "z0", False, "backup.file"),
    (truncated, "z5", False, "backup.file"),
    (flipped, "z0", False, "backup.file"),
    (flipped, "z5", False, "backup.file"),
    (edited, "z5", False, "backup.file"),
    (lost, "z5", False, "backup.file"),
    (dump_lost, "z5", False, "backup.file"),
    (truncated, "z0", True, "backup.archive"),
    (truncated, "z5", True, "backup.archive"),
    (flipped, "z5", True, "backup.archive"),
    (flipped, "z0", True, "backup.content"),
    (forged, "z5", False, "backup.content"),
]
LEVELS = ["backup.file", "backup.archive", "backup.restore", "backup.content"]


@pytest.mark.parametrize(
    ("corrupt", "compression", "resealed", "caught"),
    MATRIX,
    ids=lambda value: value.__name__ if callable(value) else {True: "resealed", False: ""}.get(value, value),
)
def test_the_level_that_catches_it(
    shelf: tuple[Cli, Path],
    cli: Cli,
    tmp_path: Path,
    corrupt: Callable[[Path], None],
    compression: str,
    resealed: bool,
    caught: str,
) -> None:
    dump = copy(shelf[1] / f"{compression}.dump", tmp_path)
    corrupt(dump)
    if resealed:
        reseal(dump)
    ran = cli.run("backup", "verify", str(dump), "--level", "content", "--format", "json")
    found = severities(ran)
    assert ran.code == 3
    assert [one for one in LEVELS if found.get(one) == "critical"][:1] == [caught]
    pages = {one["playbook"] for one in ran.json()["findings"] if one["severity"] == "critical"}
    assert pages == {"backup-fails-its-drill"}
    before = LEVELS[: LEVELS.index(caught)]
    assert [found[one] for one in before] == ["ok"] * len(before)
    # One level less does not see it, which is why there are levels.
    for one in before[-1:]:
        level = one.removeprefix("backup.")
        lesser = cli.run("backup", "verify", str(dump), "--level", level)
        assert lesser.code == 0, lesser.out


@pytest.mark.parametrize("corrupt", [truncated, flipped])
@pytest.mark.parametrize("compression", ["z0", "z5"])
def test_pg_restore_list_sees_none_of_it(
    shelf: tuple[Cli, Path], server: Server, tmp_path: Path, corrupt: Callable[[Path], None], compression: str
) -> None:
    dump = copy(shelf[1] / f"{compression}.dump", tmp_path)
    corrupt(dump)
    assert tools(server, "pg_restore", "-l", str(dump)).returncode == 0


def test_a_forged_sidecar_is_caught_by_the_ledger(shelf: tuple[Cli, Path], tmp_path: Path) -> None:
    made, home = shelf
    dump = home / "z5.dump"
    original = files.at(dump).sidecar.read_bytes()
    try:
        forged(dump)
        ran = made.run("backup", "verify", str(dump), "--level", "file", "--format", "json")
        assert ran.code == 3
        assert severities(ran) == {"backup.file": "ok", "backup.sidecar": "critical"}
    finally:
        files.at(dump).sidecar.write_bytes(original)
        files.at(dump).verified.unlink(missing_ok=True)
    assert made.run("backup", "verify", str(dump), "--level", "file").code == 0


def test_a_new_backup_is_looked_at_without_reading_it_again(shelf: tuple[Cli, Path], tmp_path: Path) -> None:
    """Its bytes were hashed from the disk; afterwards names and sizes tell whether they are still there."""
    dump = copy(shelf[1] / "z5.dump", tmp_path)
    assert [one.severity for one in size_level(files.look(files.at(dump)))] == ["ok"]
    with dump.open("ab") as file:
        file.write(b"x")
    assert [one.severity for one in size_level(files.look(files.at(dump)))] == ["critical"]
    dump.unlink()
    assert [one.detail for one in size_level(files.look(files.at(dump)))] == ["the dump itself is gone"]


def test_what_could_not_be_tried_is_unknown(shelf: tuple[Cli, Path], cli: Cli, tmp_path: Path) -> None:
    """A dump of a later major: there is no server to restore it on, and no pg_restore to read it."""
    dump = copy(shelf[1] / "z5.dump", tmp_path)
    reseal(dump, replace(sidecar(dump), server_major=99))
    ran = cli.run("backup", "verify", str(dump), "--level", "content", "--format", "json")
    assert ran.code == 3
    found = severities(ran)
    assert (found["backup.file"], found["backup.archive"], found["backup.restore"]) == ("ok", "unknown", "unknown")
    assert "proven up to level file, content was asked for" in " ".join(ran.json()["notes"])


def test_the_level_is_remembered_and_not_lowered(shelf: tuple[Cli, Path], cli: Cli, tmp_path: Path) -> None:
    dump = copy(shelf[1] / "z5.dump", tmp_path)

    def proven() -> str:
        listed = cli.run("backup", "list", str(tmp_path), "--format", "json").json()["tables"]["backups"]
        return str(listed[0]["proven"])

    assert proven() == "never"
    assert cli.run("backup", "verify", str(dump), "--level", "archive").code == 0
    assert proven().startswith("archive on ")
    assert cli.run("backup", "verify", str(dump), "--level", "content").code == 0
    assert cli.run("backup", "verify", str(dump), "--level", "file").code == 0
    assert proven().startswith("content on ")
    flipped(dump)
    assert cli.run("backup", "verify", str(dump), "--level", "file").code == 3
    assert proven().startswith("FAILED at file on ")


def test_a_proof_is_not_taken_over_by_another_backup(shelf: tuple[Cli, Path], cli: Cli, tmp_path: Path) -> None:
    dump = copy(shelf[1] / "z5.dump", tmp_path)
    assert cli.run("backup", "verify", str(dump)).code == 0
    reseal(dump, replace(sidecar(dump), jobs=7))
    assert files.look(files.at(dump)).verified is None


@pytest.mark.parametrize("words", [["/nowhere/x.dump"], ["x.txt"], ["x.dump", "--level", "deep"]])
def test_usage(cli: Cli, words: list[str]) -> None:
    assert cli.run("backup", "verify", *words).code == 2
