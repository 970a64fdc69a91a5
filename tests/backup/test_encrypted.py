"""Encrypted backups: nothing in the clear touches a disk, and nobody reads them without the secret key.

age itself is not what is tested here: a stand-in of the same words takes its place, as not every machine has it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.backup.support import create, severities, sidecar
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


@pytest.fixture
def locked(here: Cli) -> Cli:
    """wnadmin with an age on its PATH, and a profile of production with one recipient."""
    program = here.folder / "bin" / "age"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    config = here.folder / "wnadmin.toml"
    config.write_text(
        f"[profiles.prod]\nprimary = \"{here.dsn}\"\nproduction = true\nbackup_recipients = ['age1mine']\n"
        f'[profiles.bare]\nprimary = "{here.dsn}"\nproduction = true\n'
    )
    (here.folder / "key").write_text("secret-age1mine")
    path = f"{program.parent}:{os.environ['PATH']}"
    return Cli(here.folder, here.dsn, {"PATH": path, "WNADMIN_CONFIG": str(config)})


def test_production_is_encrypted_without_asking(locked: Cli, folder: Path) -> None:
    dump = create(locked, folder, "--profile", "prod", "--reason", "r")
    assert dump.name == "one.dump.age"
    assert sidecar(dump).recipients == ("age1mine",)
    assert dump.read_bytes().startswith(b"stand-in age1mine\n")
    assert b"PGDMP" not in dump.read_bytes()
    key = ["--identity", str(locked.folder / "key")]
    ran = locked.run("backup", "verify", str(dump), "--level", "content", *key, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert severities(ran)["backup.content"] == "ok"
    drilled = locked.run("backup", "drill", str(dump), *key, "--yes")
    assert drilled.code == 0, drilled.out + drilled.err


def test_without_the_key_it_is_unknown_not_ok(locked: Cli, folder: Path) -> None:
    dump = create(locked, folder, "--encrypt-to", "age1mine")
    ran = locked.run("backup", "verify", str(dump), "--format", "json")
    assert (ran.code, severities(ran)["backup.archive"]) == (3, "unknown")
    (locked.folder / "other").write_text("secret-age1other")
    words = ["--identity", str(locked.folder / "other")]
    ran = locked.run("backup", "verify", str(dump), *words, "--format", "json")
    assert (ran.code, severities(ran)["backup.archive"]) == (3, "unknown")
    assert "no identity matched" in ran.out
    assert locked.run("backup", "drill", str(dump), "--yes").code == 4


def test_production_in_the_clear_must_be_asked_for(locked: Cli, folder: Path) -> None:
    words = ["backup", "create", "--to", str(folder), "--name", "one"]
    ran = locked.run(*words, "--profile", "bare", "--yes", "--reason", "r")
    assert (ran.code, "no recipient is known" in ran.err) == (4, True)
    ran = locked.run(*words, "--profile", "prod", "--plain", "--yes")
    assert (ran.code, "needs a reason" in ran.err) == (4, True)
    ran = locked.run(*words, "--profile", "prod", "--plain", "--yes", "--reason", "for a test")
    assert ran.code == 0, ran.out + ran.err
    assert sidecar(folder / "one.dump").recipients == ()


def test_without_age_it_is_refused(locked: Cli, server: Server, folder: Path) -> None:
    cli = Cli(locked.folder, locked.dsn, {**locked.extra, "PATH": "/nonexistent"})
    ran = cli.run("backup", "create", "--to", str(folder), "--encrypt-to", "age1mine", "--yes")
    assert (ran.code, "there is no age on this machine" in ran.err) == (4, True)
    assert list(folder.iterdir()) == []


def test_age_that_fails_leaves_nothing(locked: Cli, folder: Path) -> None:
    (locked.folder / "bin" / "age").write_text(
        f"#!{sys.executable}\nimport sys\nsys.exit('age: error: bad recipient')\n"
    )
    ran = locked.run("backup", "create", "--to", str(folder), "--encrypt-to", "age1mine", "--yes")
    assert ran.code == 1
    assert "bad recipient" in ran.out
    assert list(folder.iterdir()) == []


def test_what_does_not_go_together(locked: Cli, folder: Path) -> None:
    words = ["backup", "create", "--to", str(folder), "--encrypt-to", "age1mine", "--yes"]
    assert locked.run(*words, "--jobs", "2").code == 2
    assert locked.run(*words, "--dump-format", "directory").code == 2
    assert locked.run(*words, "--plain").code == 2
