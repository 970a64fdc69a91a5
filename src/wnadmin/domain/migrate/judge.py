"""Files against history, judged as Flyway's own validation judges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.flyway import HistoryRow, Version
from wnadmin.domain.setup.migrations import Files, Migration

State = Literal[
    "success",
    "pending",
    "failed",
    "missing",
    "future",
    "future failed",
    "ignored",
    "out of order",
    "outdated",
    "superseded",
    "baseline",
    "below baseline",
    "above target",
    "deleted",
    "schema",
]
"""Flyway's states of a migration, in its words."""

Kind = Literal["failed", "missing", "changed", "type", "description", "ignored"]
"""What Flyway refuses to migrate over; ``changed`` is its checksum mismatch, ``ignored`` its out-of-order file."""

_GONE: Final = ("DELETE", "UNDO_SQL", "UNDO_JDBC", "UNDO_SCRIPT")
"""Rows that say of the rows before them that they do not count any more."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason for which `flyway validate` fails, as a sentence; ``was`` and ``now`` are the two values."""

    kind: Kind
    title: str
    message: str
    was: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of Flyway's `info`: a row, a file, or both."""

    state: State
    row: HistoryRow | None = None
    file: Migration | None = None

    @property
    def title(self) -> str:
        """How it is called in a sentence."""
        if self.row is None and self.file is not None:
            return self.file.title
        if self.row is None:
            return ""
        return " ".join(part for part in (self.row.version, self.row.description) if part)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``entries`` in the order of Flyway's `info`; ``faults`` as it would refuse; ``pending`` in running order."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]
    pending: tuple[Migration, ...]

    def of(self, one: Migration) -> Entry:
        """The entry that counts for a file."""
        return next(entry for entry in reversed(self.entries) if entry.file is not None and _same(entry.file, one))


def _same(left: Migration, right: Migration) -> bool:
    return left.version == right.version and (left.version is not None or left.name == right.name)


def judge(
    rows: Sequence[HistoryRow], files: Files, *, target: Version | None = None, out_of_order: bool = False
) -> Judgement:
    """Compare; ``target`` leaves later versions alone, ``out_of_order`` lets a file in below the last one applied."""
    gone = _gone(rows)
    live = [row for row in rows if row.installed_rank not in gone and row.type not in _GONE]
    versions = [_version(row) for row in live]
    baseline = max(
        (v for row, v in zip(live, versions, strict=True) if v and row.type == flyway.BASELINE), default=None
    )
    last = max((v for v in versions if v), default=None)
    resolved = max((one.version for one in files.migrations if one.version), default=None)
    latest = {row.description: row.installed_rank for row in live if row.version is None}

    entries = list(_waiting(files, versions, last, baseline, target, out_of_order=out_of_order, below=True))
    highest: Version | None = None
    for row in rows:
        if row.installed_rank in gone or row.type in _GONE:
            entries.append(Entry("deleted", row))
            continue
        version = _version(row)
        late = highest is not None and version is not None and version < highest
        file = files.version(version) if version else files.repeatable(row.description)
        entries.append(Entry(_applied(row, version, file, resolved, latest, late=late), row, file))
        if version and (highest is None or version > highest):
            highest = version
    entries += _waiting(files, versions, last, baseline, target, out_of_order=out_of_order, below=False)
    entries += _repeatables(files, latest)
    faults = tuple(fault for entry in entries for fault in _faults(entry, baseline, out_of_order=out_of_order))
    pending = [entry.file for entry in entries if entry.file and entry.state in ("pending", "outdated")]
    ordered = sorted(pending, key=lambda one: (one.version is None, one.version or Version("0"), one.name.description))
    return Judgement(tuple(entries), faults, tuple(ordered))


def _version(row: HistoryRow) -> Version | None:
    return flyway.parse_version(row.version) if row.version is not None else None


def _gone(rows: Sequence[HistoryRow]) -> set[int]:
    found: set[int] = set()
    for row in rows:
        if row.type in _GONE and row.success:
            version = _version(row)
            for before in rows:
                same = _version(before) == version if version else before.description == row.description
                if (
                    before.installed_rank < row.installed_rank
                    and same
                    and (version is None) == (before.version is None)
                ):
                    found.add(before.installed_rank)
    return found


def _applied(
    row: HistoryRow,
    version: Version | None,
    file: Migration | None,
    resolved: Version | None,
    latest: Mapping[str, int],
    *,
    late: bool,
) -> State:
    if row.type == flyway.SCHEMA_MARKER:
        return "schema"
    if row.type == flyway.BASELINE:
        return "baseline"
    if version is None and row.installed_rank != latest.get(row.description):
        return "superseded"
    if file is None:
        # Newer than any file here: a newer release made it. Older: its file was lost.
        if version is None or (resolved is not None and version < resolved):
            return "missing" if row.success else "failed"
        return "future" if row.success else "future failed"
    if not row.success:
        return "failed"
    if version is None:
        return "success" if row.checksum == file.checksum else "outdated"
    return "out of order" if late else "success"


def _waiting(
    files: Files,
    versions: Sequence[Version | None],
    last: Version | None,
    baseline: Version | None,
    target: Version | None,
    *,
    out_of_order: bool,
    below: bool,
) -> Iterator[Entry]:
    for one in files.migrations:
        if one.version is None or one.version in versions:
            continue
        if baseline is not None and one.version < baseline:
            state: State = "below baseline"
        elif target is not None and one.version > target:
            state = "above target"
        elif last is not None and one.version < last and not out_of_order:
            state = "ignored"
        else:
            state = "pending"
        if (state == "below baseline") == below:
            yield Entry(state, None, one)


def _repeatables(files: Files, latest: Mapping[str, int]) -> Iterator[Entry]:
    for one in files.migrations:
        if one.version is None and one.name.description not in latest:
            yield Entry("pending", None, one)


def _faults(entry: Entry, baseline: Version | None, *, out_of_order: bool) -> Iterator[Fault]:
    row, file, title = entry.row, entry.file, entry.title
    if entry.state == "failed":
        yield Fault("failed", title, f"{title} was begun and did not succeed")
    elif entry.state == "missing":
        yield Fault("missing", title, f"{title} was applied, and its file is not here")
    elif entry.state == "ignored":
        yield Fault("ignored", title, f"{title} is older than what was applied last, and was itself never applied")
    if row is None or file is None or entry.state in ("failed", "superseded", "baseline", "schema", "outdated"):
        return
    version = _version(row)
    if version is not None and baseline is not None and version <= baseline:
        return
    if row.type != flyway.SQL_FILE:
        yield Fault("type", title, f"{title} is recorded as another type", row.type, flyway.SQL_FILE)
    # Flyway takes a row without a checksum as it is.
    if version is not None and row.checksum is not None and row.checksum != file.checksum:
        message = f"{title} was changed after it was applied"
        yield Fault("changed", title, message, str(row.checksum), str(file.checksum))
    if row.description != file.name.description:
        message = f"{title} is recorded under another description"
        yield Fault("description", title, message, row.description, file.name.description)
