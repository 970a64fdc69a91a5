"""The folder of backups: names, work in progress, what is written for good, what is there.

A dump is written under a name that begins with a dot and ends in ``.partial``; whoever writes it holds a lock on it,
so that a name without a holder is what a killed run left. It is flushed to the disk before it gets its real name,
and the sidecar follows it: a dump without a sidecar is no backup.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.backup import values
from wnadmin.domain.backup.values import Format, Part, Sidecar, Verified
from wnadmin.errors import Failed, Refused, UsageError

PARTIAL: Final = ".partial"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,150}")
_SUFFIXES: Final = (".dump.age", ".dumpdir", ".dump")
_CHUNK: Final = 1 << 20


def require_name(name: str) -> str:
    """Accept a name that is safe in every file system and on every command line; UsageError otherwise."""
    if not _NAME.fullmatch(name) or name.endswith((PARTIAL, ".json", *_SUFFIXES)):
        raise UsageError(
            f"{name!r} cannot be the name of a backup",
            why="It becomes the name of files.",
            next="Use letters, digits, _ . + and -, no more than 150, without an ending such as .dump.",
        )
    return name


def tame(text: str) -> str:
    """Make any text a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:60] or "database"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one backup are: ``dump`` is the file or folder itself."""

    dump: Path

    @property
    def sidecar(self) -> Path:
        """What was dumped."""
        return self.dump.with_name(f"{self.dump.name}.json")

    @property
    def verified(self) -> Path:
        """What was proven."""
        return self.dump.with_name(f"{self.dump.name}.verified.json")

    @property
    def partial(self) -> Path:
        """The dump while it is made or unmade."""
        return self.dump.with_name(f".{self.dump.name}{PARTIAL}")

    @property
    def name(self) -> str:
        """The backup's name, without what its form adds."""
        ending = next((one for one in _SUFFIXES if self.dump.name.endswith(one)), "")
        return self.dump.name.removesuffix(ending)


def place(folder: Path, name: str, form: Format, *, encrypted: bool) -> Place:
    """Say where the backup ``name`` goes."""
    ending = ".dumpdir" if form == "directory" else ".dump.age" if encrypted else ".dump"
    return Place(folder / f"{name}{ending}")


def at(path: Path) -> Place:
    """Find the backup that an operator names by its dump or its sidecar; UsageError when there is none."""
    text = str(path).rstrip("/")
    for ending in (".verified.json", ".json"):
        text = text.removesuffix(ending)
    found = Place(Path(text))
    if not found.dump.name.endswith(_SUFFIXES):
        raise UsageError(
            f"{path} is not the name of a backup",
            why=f"One ends in {', '.join(_SUFFIXES)}.",
            next=f"See what is there: wnadmin backup list {path.parent}",
        )
    if not found.dump.exists() and not found.sidecar.exists():
        raise UsageError(f"there is no backup {path}", next=f"See what is there: wnadmin backup list {path.parent}")
    return found


def require_folder(folder: Path) -> None:
    """Refuse a folder that is not there, or in which nothing can be written."""
    if not folder.is_dir():
        raise Refused(
            f"there is no folder {folder}",
            why="Backups are written only where somebody has made room for them.",
            next=f"mkdir -m 700 {folder}",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"cannot write in {folder}", why="Its mode or its file system forbids it.", next="Name another.")


@dataclass(frozen=True, slots=True)
class Partial:
    """A dump in the making: where to write it, and the descriptor whose lock says that somebody does."""

    path: Path
    lock: int


@contextlib.contextmanager
def making(one: Place, form: Format) -> Iterator[Partial]:
    """Hold the partial dump of a backup while it is made; what an earlier, killed run left of it is removed.

    Gives what to write to: an empty file of mode 0600, or an empty folder of mode 0700. It is removed unless it
    got its real name. Refused when another process is making the same backup; OSError as the file system says.
    """
    partial = one.partial
    if partial.exists() or partial.is_symlink():
        with held(partial) as free:
            if not free:
                raise Refused(f"{one.name} is being made right now", why=f"Somebody holds {partial}.", next="Wait.")
            remove(partial)
    if form == "directory":
        partial.mkdir(mode=0o700)
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    else:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _flock(descriptor)
        yield Partial(partial, descriptor)
    finally:
        os.close(descriptor)
        remove(partial)


@contextlib.contextmanager
def held(partial: Path) -> Iterator[bool]:
    """Hold a partial dump for the block; gives False when whoever writes it is alive."""
    try:
        descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        # A link, or gone meanwhile: nobody writes through it.
        yield True
        return
    try:
        yield _flock(descriptor)
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def seal(partial: Path) -> None:
    """Make a dump private and flush it to the disk, each file and each folder."""
    if partial.is_dir():
        for each in sorted(partial.rglob("*")):
            each.chmod(0o700 if each.is_dir() else 0o600)
            flush(each)
        partial.chmod(0o700)
    else:
        partial.chmod(0o600)
    flush(partial)


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parts(dump: Path, *, jobs: int = 1) -> tuple[Part, ...]:
    """Hash every file of a dump, so many at once."""
    if not dump.is_dir():
        return (_part(dump, ""),)
    found = [each for each in sorted(dump.rglob("*")) if not each.is_dir()]
    with ThreadPoolExecutor(jobs) as pool:
        return tuple(pool.map(lambda each: _part(each, each.relative_to(dump).as_posix()), found))


def _part(path: Path, name: str) -> Part:
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_CHUNK):
            digest.update(block)
            size += len(block)
    return Part(name, size, digest.hexdigest())


def sizes(dump: Path) -> dict[str, int]:
    """How many bytes each file of a dump has, by its path inside of it."""
    if not dump.is_dir():
        return {"": dump.stat().st_size}
    found = (each for each in dump.rglob("*") if not each.is_dir())
    return {each.relative_to(dump).as_posix(): each.stat().st_size for each in found}


def size(path: Path) -> int:
    """How many bytes a dump has by now; 0 when it is not there."""
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    total = 0
    for each in path.rglob("*"):
        with contextlib.suppress(OSError):
            total += each.stat().st_size if not each.is_dir() else 0
    return total


def publish(partial: Path, final: Path) -> None:
    """Give a finished dump its real name, never in place of something else; Refused when there is something."""
    taken = Refused(f"{final} exists already", why="A backup is never overwritten.", next="Choose another --name.")
    if partial.is_dir():
        if final.exists() or final.is_symlink():
            raise taken
        os.rename(partial, final)
    else:
        try:
            # A link refuses an existing name at the same moment at which it takes a free one.
            os.link(partial, final)
        except FileExistsError:
            raise taken from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                raise
            if final.exists():
                raise taken from None
            os.rename(partial, final)
    flush(final.parent)


def write_private(path: Path, data: bytes) -> None:
    """Write a small file of mode 0600 so that it is there as a whole or not at all, in place of an older one."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(descriptor)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    os.replace(partial, path)
    flush(path.parent)


@dataclass(frozen=True, slots=True)
class Kept:
    """One backup of a folder: its sidecar or ``trouble``, why there is none; what was proven about it, if anything.

    ``sha256`` is the hash of the sidecar's bytes. ``present`` is whether the dump itself is there.
    """

    place: Place
    sidecar: Sidecar | None
    sha256: str
    verified: Verified | None
    trouble: str
    present: bool
    bytes: int


def look(one: Place) -> Kept:
    """Look at one backup, as far as names and sidecars tell."""
    present = one.dump.exists()
    found: Sidecar | None = None
    digest, trouble = "", ""
    try:
        data = one.sidecar.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        found = values.read(data, Sidecar)
        if found.file != one.dump.name:
            trouble = f"its sidecar speaks of {found.file}"
    except FileNotFoundError:
        trouble = "it has no sidecar"
    except OSError as error:
        trouble = f"its sidecar cannot be read: {error.strerror}"
    except UsageError as error:
        trouble = f"its sidecar cannot be trusted: {error.what}"
    if not present:
        trouble = "the dump itself is gone"
    return Kept(one, found, digest, _verified(one, digest), trouble, present, size(one.dump) if present else 0)


def _verified(one: Place, digest: str) -> Verified | None:
    try:
        found = values.read(one.verified.read_bytes(), Verified)
    except (OSError, UsageError):
        return None
    return found if digest and found.sha256 == digest else None


def kept(folder: Path) -> list[Kept]:
    """Look at every backup of a folder, oldest name first; UsageError when the folder cannot be read."""
    return [look(Place(folder / name)) for name in sorted(_names(folder))]


def leftovers(folder: Path) -> list[Path]:
    """Give the partial dumps that nobody is writing any more."""
    found = []
    for each in sorted(folder.glob(f".*{PARTIAL}")):
        with held(each) as free:
            if free:
                found.append(each)
    return found


def _names(folder: Path) -> set[str]:
    try:
        listed = os.listdir(folder)
    except OSError as error:
        raise UsageError(
            f"cannot read the folder {folder}", why=f"{error.strerror}.", next="Name a folder of backups."
        ) from None
    names: set[str] = set()
    for one in listed:
        bare = one.removesuffix(".json")
        if not one.startswith(".") and bare.endswith(_SUFFIXES):
            names.add(bare)
    return names


def failed(doing: str, error: OSError) -> Failed:
    """The error for what the file system refused."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return Failed(
        f"{doing}: {error.strerror or error}",
        why=f"{error.filename}." if error.filename else "",
        next="Free space there, or name another folder, and run it again." if full else "Look at the folder's mode.",
    )
