"""Make the development environment ``.venv`` from ``requirements.lock``, or leave it when it is current.

The Makefile has seen that the Python is 3.11 or newer; nothing else is needed. The environment is made anew
only when the lock file, the Python or the place of the checkout has changed; a changed ``pyproject.toml``
installs wnadmin again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".venv"
STAMP = HOME / "wnadmin-stamp.json"
LOCK = ROOT / "requirements.lock"
OLDEST_PIP = (22, 3)  # the first that installs into another environment with --python


class Trouble(Exception):
    """Something the person at the keyboard has to put right; the text says what."""


def main() -> int:
    """Bring the environment up to date; 0 when it is, 1 with a message when it cannot be."""
    try:
        # Two makes at once: the second waits and finds everything done.
        with (ROOT / ".venv.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            bring_up_to_date()
    except Trouble as trouble:
        print(f"wnadmin: {trouble}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"wnadmin: cannot write {error.filename}: it belongs to another user.\n"
            "Run as that user, or make a clone of your own.",
            file=sys.stderr,
        )
        return 1
    return 0


def bring_up_to_date() -> None:
    """Compare the stamp with what is wanted and do only what is missing."""
    wanted = {
        "lock": digest(LOCK),
        "python": sys.version,
        "place": str(HOME),
        "project": digest(ROOT / "pyproject.toml"),
    }
    have = read_stamp()
    fresh = all(have.get(key) == wanted[key] for key in ("lock", "python", "place"))
    if fresh and have == wanted:
        return
    started = time.monotonic()
    STAMP.unlink(missing_ok=True)
    if not fresh:
        print(f"Making {HOME} with Python {sys.version.split()[0]} …", file=sys.stderr)
        pip = make()
        run([*pip, "install", "--quiet", "--require-hashes", "-r", str(LOCK)], "the locked packages")
    else:
        pip = pip_of_venv() or pip_from_outside()
    # hatchling is in the lock, so the build fetches nothing that is not pinned.
    run([*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], "wnadmin")
    STAMP.write_text(json.dumps(wanted, indent=4) + "\n", encoding="utf-8")
    print(f"… ready in {time.monotonic() - started:.0f} s", file=sys.stderr)


def make() -> list[str]:
    """Make an empty environment and give the words that run a pip which installs into it."""
    if has_ensurepip():
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(HOME)
        return pip_of_venv() or pip_from_outside()
    # Debian and Ubuntu keep ensurepip in a package of its own; an installed pip can stand in for it.
    outside = pip_from_outside()
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(HOME)
    return outside


def has_ensurepip() -> bool:
    """Whether this Python can put pip into a new environment."""
    try:
        import ensurepip

        return bool(ensurepip.version())
    except (ImportError, AttributeError):
        return False


def pip_of_venv() -> list[str] | None:
    """The environment's own pip, if it has one."""
    python = HOME / "bin" / "python"
    words = [str(python), "-I", "-m", "pip"]
    found = subprocess.run([*words, "--version"], capture_output=True, check=False)
    return words if found.returncode == 0 else None


def pip_from_outside() -> list[str]:
    """This Python's pip, told to install into the environment; Trouble when there is none that can."""
    words = [sys.executable, "-m", "pip"]
    found = subprocess.run([*words, "--version"], capture_output=True, text=True, check=False)
    version = found.stdout.split()[1] if found.returncode == 0 else "0"
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < OLDEST_PIP:
        major, minor = sys.version_info[:2]
        raise Trouble(
            f"{sys.executable} cannot make virtual environments: it has neither ensurepip nor a pip of"
            f" {OLDEST_PIP[0]}.{OLDEST_PIP[1]} or newer.\n"
            f"On Debian and Ubuntu, as root: apt-get install python{major}.{minor}-venv\n"
            "or name another Python: make PYTHON=/path/to/python3.11 …"
        )
    return [*words, "--python", str(HOME / "bin" / "python")]


def run(words: list[str], what: str) -> None:
    """Run pip; its own words come on the screen when it fails."""
    # A PYTHONPATH of the caller would hide what is or is not installed.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    environment["PIP_ROOT_USER_ACTION"] = "ignore"
    if subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode:
        raise Trouble(f"pip could not install {what}; its reasons are above")


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp() -> dict[str, str]:
    """What the environment was made from; empty when it is unfinished or not there."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and (HOME / "bin" / "python").exists() else {}


if __name__ == "__main__":
    sys.exit(main())
