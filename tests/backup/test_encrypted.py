"""Encrypted backups: nothing in the clear touches a disk, and nobody reads them without the secret key.

The real age encrypts where it is installed. Where it is not, a stand-in that takes the same words and fails with the
same messages has its place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backup.support import create, reseal, severities, sidecar
from tests.engine.screen import Terminal
from tests.support import Cli, Server

STAND_IN = f"""#!{sys.executable}
import sys
words = sys.argv[1:]
def given(name):
    return [words[at + 1] for at, word in enumerate(words) if word == name]
source, sink = sys.stdin.buffer, sys.stdout.buffer
if "--encrypt" in words:
    sink.write(("stand-in " + ",".join(given("--recipient")) + "\\n").encode())
else:
    head = source.readline().decode().split()[1].split(",")
    if open(given("--identity")[0]).read().strip().removeprefix("secret-") not in head:
        sys.exit("age: error: no identity matched any of the recipients")
turned = bytes(one ^ 0x5A for one in range(256))
while block := source.read(65536):
    sink.write(block.translate(turned))
"""


@dataclass(frozen=True)
class Kit:
    """An age on a PATH, the public key of a profile, the file with its secret key, and one with another's."""

    path: str
    recipient: str
    key: Path
    other: Path
    head: bytes


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """Keys of the real age where it is installed, else of the stand-in."""
    if (age := shutil.which("age")) and (keygen := shutil.which("age-keygen")):
        for name in ("key", "other"):
            subprocess.run([keygen, "-o", str(tmp_path / name)], check=True, capture_output=True)
        words = [keygen, "-y", str(tmp_path / "key")]
        public = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        path = f"{Path(age).parent}:{os.environ['PATH']}"
        return Kit(path, public, tmp_path / "key", tmp_path / "other", b"age-encryption.org/v1\n")
    program = tmp_path / "bin" / "age"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    for name, secret in (("key", "secret-age1mine"), ("other", "secret-age1other")):
        (tmp_path / name).write_text(secret)
    path = f"{program.parent}:{os.environ['PATH']}"
    return Kit(path, "age1mine", tmp_path / "key", tmp_path / "other", b"stand-in age1mine\n")


@pytest.fixture
def locked(here: Cli, kit: Kit) -> Cli:
    """wnadmin with an age on its PATH, and a profile of production with one recipient."""
    config = here.folder / "wnadmin.toml"
    config.write_text(
        f"[profiles.prod]\nprimary = \"{here.dsn}\"\nproduction = true\nbackup_recipients = ['{kit.recipient}']\n"
        f'[profiles.bare]\nprimary = "{here.dsn}"\nproduction = true\n'
    )
    return Cli(here.folder, here.dsn, {"PATH": kit.path, "WNADMIN_CONFIG": str(config)})


def failing(cli: Cli, says: str) -> Cli:
    """wnadmin with an age that fails."""
    program = cli.folder / "failing" / "age"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('age: error: {says}')\n")
    program.chmod(0o755)
    return Cli(cli.folder, cli.dsn, {**cli.extra, "PATH": f"{program.parent}:{os.environ['PATH']}"})


def test_production_is_encrypted_without_asking(locked: Cli, kit: Kit, folder: Path) -> None:
    dump = create(locked, folder, "--profile", "prod", "--reason", "r")
    assert dump.name == "one.dump.age"
    assert sidecar(dump).recipients == (kit.recipient,)
    assert dump.read_bytes().startswith(kit.head)
    assert b"PGDMP" not in dump.read_bytes()
    key = ["--identity", str(kit.key)]
    ran = locked.run("backup", "verify", str(dump), "--level", "content", *key, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert severities(ran)["backup.content"] == "ok"
    drilled = locked.run("backup", "drill", str(dump), *key, "--yes")
    assert drilled.code == 0, drilled.out + drilled.err


def test_without_the_key_it_is_unknown_not_ok(locked: Cli, kit: Kit, folder: Path) -> None:
    dump = create(locked, folder, "--encrypt-to", kit.recipient)
    ran = locked.run("backup", "verify", str(dump), "--format", "json")
    assert (ran.code, severities(ran)["backup.archive"]) == (3, "unknown")
    ran = locked.run("backup", "verify", str(dump), "--identity", str(kit.other), "--format", "json")
    assert (ran.code, severities(ran)["backup.archive"]) == (3, "unknown")
    assert "no identity matched" in ran.out
    assert locked.run("backup", "drill", str(dump), "--yes").code == 4


@pytest.mark.skipif(not shutil.which("age"), reason="the stand-in has no form of its own")
@pytest.mark.parametrize("text", ["", "garbage\n", "AGE-SECRET-KEY-1QQQ\n"])
def test_a_file_that_is_no_key_says_nothing_of_the_backup(locked: Cli, kit: Kit, folder: Path, text: str) -> None:
    dump = create(locked, folder, "--encrypt-to", kit.recipient)
    kit.other.write_text(text)
    ran = locked.run("backup", "verify", str(dump), "--identity", str(kit.other), "--format", "json")
    assert (ran.code, severities(ran)["backup.archive"]) == (3, "unknown"), ran.out
    assert "SECRET-KEY-1QQQ" not in ran.out + ran.err


@pytest.mark.skipif(not shutil.which("age"), reason="the stand-in does not authenticate what it writes")
@pytest.mark.parametrize("damage", ["flipped", "truncated", "somebody else's"])
def test_damage_of_an_encrypted_one_is_seen_by_age_itself(locked: Cli, kit: Kit, folder: Path, damage: str) -> None:
    """Also where the sidecar was written after it, so that its hashes fit."""
    dump = create(locked, folder, "--encrypt-to", kit.recipient)
    data = bytearray(dump.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "truncated":
        del data[-1000:]
    else:
        data = bytearray(b"Rabbit, the only child of Owl\n" * 400)
    dump.write_bytes(data)
    reseal(dump)
    ran = locked.run("backup", "verify", str(dump), "--identity", str(kit.key), "--format", "json")
    found = severities(ran)
    assert (found["backup.file"], found["backup.archive"]) == ("ok", "critical"), ran.out
    assert "age failed" in ran.out
    assert "Rabbit" not in ran.out + ran.err, "what stands in a file is nobody's business"


def test_production_in_the_clear_must_be_asked_for(locked: Cli, folder: Path) -> None:
    words = ["backup", "create", "--to", str(folder), "--name", "one"]
    ran = locked.run(*words, "--profile", "bare", "--yes", "--reason", "r")
    assert (ran.code, "no recipient is known" in ran.err) == (4, True)
    ran = locked.run(*words, "--profile", "prod", "--plain", "--yes")
    assert (ran.code, "needs a reason" in ran.err) == (4, True)
    ran = locked.run(*words, "--profile", "prod", "--plain", "--yes", "--reason", "for a test")
    assert ran.code == 0, ran.out + ran.err
    assert sidecar(folder / "one.dump").recipients == ()


@pytest.mark.parametrize("words", [["--profile", "bare", "--plain"], ["--profile", "prod", "--plain"]])
def test_in_the_clear_needs_its_reason_at_a_terminal_too(locked: Cli, folder: Path, words: list[str]) -> None:
    argv = locked.argv("backup", "create", "--to", str(folder), "--name", "one", *words)
    with Terminal(argv, locked.env(), 80, 40) as terminal:
        assert terminal.end() == 4
        assert "a backup of production in the clear needs a reason" in terminal.text
        assert "[y/N]" not in terminal.text, "there is nothing to answer yet"
    assert list(folder.iterdir()) == []
    with Terminal([*argv, "--reason", "moving house"], locked.env(), 80, 40) as terminal:
        terminal.until(lambda screen: any("[y/N]" in row for row in screen.text()))
        terminal.press(b"y\n")
        assert terminal.end(60) == 0, terminal.text
    assert sidecar(folder / "one.dump").recipients == ()


def test_an_encrypted_one_is_only_asked_for(locked: Cli, folder: Path) -> None:
    argv = locked.argv("backup", "create", "--to", str(folder), "--name", "one", "--profile", "prod")
    with Terminal(argv, locked.env(), 80, 40) as terminal:
        terminal.until(lambda screen: any("[y/N]" in row for row in screen.text()))
        terminal.press(b"n\n")
        assert terminal.end() == 4
    assert list(folder.iterdir()) == []


def test_without_age_it_is_refused(locked: Cli, server: Server, folder: Path) -> None:
    cli = Cli(locked.folder, locked.dsn, {**locked.extra, "PATH": "/nonexistent"})
    ran = cli.run("backup", "create", "--to", str(folder), "--encrypt-to", "age1mine", "--yes")
    assert (ran.code, "there is no age on this machine" in ran.err) == (4, True)
    assert list(folder.iterdir()) == []


def test_age_that_fails_leaves_nothing(locked: Cli, kit: Kit, folder: Path) -> None:
    words = ["backup", "create", "--to", str(folder), "--encrypt-to", kit.recipient, "--yes"]
    ran = failing(locked, "bad recipient").run(*words)
    assert ran.code == 1
    assert "bad recipient" in ran.out
    assert list(folder.iterdir()) == []


def test_a_key_that_is_none_leaves_nothing(locked: Cli, folder: Path) -> None:
    """It looks like one, and only age can tell."""
    if not shutil.which("age"):
        locked = failing(locked, "malformed recipient")
    ran = locked.run("backup", "create", "--to", str(folder), "--encrypt-to", "age1nonsense", "--yes")
    assert ran.code == 1
    assert "age failed: malformed recipient" in ran.out
    assert list(folder.iterdir()) == []


def test_what_does_not_go_together(locked: Cli, folder: Path) -> None:
    words = ["backup", "create", "--to", str(folder), "--encrypt-to", "age1mine", "--yes"]
    assert locked.run(*words, "--jobs", "2").code == 2
    assert locked.run(*words, "--dump-format", "directory").code == 2
    assert locked.run(*words, "--plain").code == 2
