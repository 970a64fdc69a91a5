"""The wheel carries the SQL: sdist, then wheel, then a fresh environment that runs from it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

from tests.support import ROOT


def run(*words: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, env=env, text=True, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_installed_is_whole(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT), cwd=tmp_path)
    (wheel,) = dist.glob("*.whl")
    assert list(dist.glob("*.tar.gz"))
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    bundled = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sql").rglob("*") if path.is_file()}
    assert bundled, "there is SQL to carry"
    assert {f"wnadmin/{one}" for one in bundled} <= inside

    fresh = tmp_path / "venv"
    venv.EnvBuilder(with_pip=False).create(fresh)
    site = next((fresh / "lib").glob("python*")) / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # The dependencies come from this environment; wnadmin itself is found in the fresh one first.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PG", "WNADMIN_"))}
    env |= {"HOME": str(tmp_path), "WNADMIN_STATE": str(tmp_path / "state")}
    python = str(fresh / "bin" / "python")
    where = run(python, "-c", "import wnadmin; print(wnadmin.__file__)", cwd=tmp_path, env=env)
    assert Path(where.strip()).is_relative_to(fresh)
    assert run(python, "-m", "wnadmin", "--version", cwd=tmp_path, env=env).startswith("wnadmin ")
    assert "queries/audit/child" in run(python, "-m", "wnadmin", "sql", "list", cwd=tmp_path, env=env)
    assert "CREATE SCHEMA" in run(python, "-m", "wnadmin", "sql", "show", "01_create_database", cwd=tmp_path, env=env)
