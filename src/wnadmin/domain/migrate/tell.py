"""What the looking verbs of `migrate` tell: status, validate, lint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from wnadmin.domain.migrate import rules, squawk, work
from wnadmin.domain.migrate.judge import Entry, Fault, Judgement, judge
from wnadmin.domain.migrate.run import told
from wnadmin.domain.setup import flyway, turn
from wnadmin.domain.setup.classify import FIRST
from wnadmin.domain.setup.findings import finding
from wnadmin.domain.setup.migrations import Files, Migration, find, read
from wnadmin.errors import Blind, UsageError
from wnadmin.postgres.database import Database
from wnadmin.results import Cell, Column, Finding, Findings, Report, Severity, Table

STATUS: Final = "migrate-status"
VALIDATE: Final = "migrate-validate"
LINT: Final = "migrate-lint"
CHECK: Final = "migrate.history"


def status(db: Database, locations: Sequence[Path]) -> Report:
    """Tell every migration with its state in Flyway's words, and who is migrating now."""
    files = find(locations)
    rows = flyway.read_history(db.session)
    judged = judge(rows or (), files)
    notes = []
    if rows is None:
        notes.append(f"{db.name} has no migration history")
    notes += [f"migrating now: {one}" for one in turn.holders(db.session)]
    notes += [told(one) for one in judged.faults]
    notes += files.ignored
    follow = ""
    if rows is None:
        follow = "wnadmin setup status"
    elif judged.faults:
        follow = f"wnadmin migrate validate{files.options}"
    elif judged.pending:
        follow = f"wnadmin migrate apply{files.options}"
    return Report(STATUS, (_facts(db, judged), _table(judged)), notes=tuple(notes), next=follow)


def _facts(db: Database, judged: Judgement) -> Table:
    versions = flyway.applied([entry.row for entry in judged.entries if entry.row and entry.state != "deleted"])
    rows: tuple[tuple[Cell, ...], ...] = (
        ("database", db.name),
        ("version", versions[-1].text if versions else None),
        ("applied", sum(1 for entry in judged.entries if entry.row is not None and entry.row.success)),
        ("pending", len(judged.pending)),
        ("faults", len(judged.faults)),
    )
    return Table("facts", (Column("fact"), Column("value")), rows, "Migrations")


def _table(judged: Judgement) -> Table:
    columns = ("version", "description", "state", "recorded", "checksum", "installed_on", "installed_by", "ms")
    rows = tuple(_row(entry) for entry in judged.entries)
    return Table("migrations", tuple(map(Column, columns)), rows, "Files and history", empty="no migration")


def _row(entry: Entry) -> tuple[Cell, ...]:
    row, file = entry.row, entry.file
    # A checksum is a name, not a number to be added up.
    here = str(file.checksum) if file else None
    if row is not None:
        recorded = None if row.checksum is None else str(row.checksum)
        told_by = (row.installed_on, row.installed_by, row.execution_time)
        return (row.version, row.description, entry.state, recorded, here, *told_by)
    version = file.version.text if file and file.version else None
    return (version, file.name.description if file else "", entry.state, None, here, None, None, None)


def validate(db: Database, locations: Sequence[Path]) -> Findings:
    """Judge as `flyway validate` does: what it fails for is critical, what only waits is a warning."""
    files = find(locations)
    try:
        rows = flyway.read_history(db.session)
    except Blind as error:
        detail = f"{error.what}. {error.why}"
        return Findings(VALIDATE, (finding(CHECK, "unknown", detail, remediation=error.next),))
    if rows is None:
        detail = f"{db.name} has no migration history"
        follow = "wnadmin setup status"
        return Findings(VALIDATE, (finding(CHECK, "critical", detail, remediation=follow),), next=follow)
    judged = judge(rows, files)
    found = [_fault(one, judged, files.options) for one in judged.faults]
    found += list(_waiting(judged, files.options))
    found += _ignored(files.ignored)
    if not found:
        number = sum(1 for entry in judged.entries if entry.row is not None)
        agree = "1 entry agrees with its file" if number == 1 else f"{number} entries agree with their files"
        found.append(finding(CHECK, "ok", f"{agree}, and nothing is pending"))
    running = [f"migrating now: {one}" for one in turn.holders(db.session)]
    return Findings(VALIDATE, tuple(found), notes=tuple(running))


def _ignored(names: Sequence[str]) -> list[Finding]:
    return [
        finding("migrate.ignored", "warn", one, thing=one.partition(":")[0], remediation="rename it, or move it away")
        for one in names
    ]


def _fault(one: Fault, judged: Judgement, options: str) -> Finding:
    # What was deleted or undone before has the same title.
    entry = next(entry for entry in reversed(judged.entries) if entry.title == one.title)
    repair = f"wnadmin migrate repair{options}"
    follow = {
        "failed": work.way_out(entry.file, options),
        "changed": f"restore the file, or: {repair}",
        "type": repair,
        "description": f"restore the file's name, or: {repair}",
        "missing": f"bring the file back, or name its folder with --location; if it is gone for good: {repair}"
        " --delete-missing",
        "ignored": f"give it a version above the last one, or: wnadmin migrate apply --out-of-order{options}",
    }[one.kind]
    check = f"migrate.{'out-of-order' if one.kind == 'ignored' else one.kind}"
    return finding(check, "critical", told(one), thing=one.title, remediation=follow)


def _waiting(judged: Judgement, options: str) -> Iterator[Finding]:
    for entry in judged.entries:
        detail, severity = "", "warn"
        if entry.state == "pending":
            detail = f"{entry.title} is not applied yet"
        elif entry.state == "outdated":
            detail = f"{entry.title} was changed since it was last applied, and is to be applied again"
        elif entry.state == "future":
            detail, severity = f"{entry.title} was applied from a newer release than these files", "skipped"
        elif entry.state == "future failed":
            detail = f"{entry.title} of a newer release was begun and did not succeed"
        if detail:
            follow = f"wnadmin migrate apply{options}" if entry.state in ("pending", "outdated") else ""
            if entry.state == "future":
                follow = "if its file is in a folder that is not named here: --location DIR"
            level: Severity = "skipped" if severity == "skipped" else "warn"
            yield finding(
                f"migrate.{entry.state.replace(' ', '-')}", level, detail, thing=entry.title, remediation=follow
            )


def lint(paths: Sequence[Path], locations: Sequence[Path], major: int = 15) -> Findings:
    """Judge files before they are run: the given ones, or all of the locations above V001."""
    files, ignored = _files(paths, locations)
    found = []
    for one in files:
        for problem in rules.look(one):
            severity: Severity = "warn" if problem.rule in rules.ADVICE else "critical"
            thing = f"{problem.file}:{problem.line}"
            found.append(finding(f"migrate.{problem.rule}", severity, problem.message, thing=thing))
    if files and not found:
        number = "1 file" if len(files) == 1 else f"{len(files)} files"
        found.append(finding("migrate.lint", "ok", f"{number}: nothing to object to"))
    found += _ignored(ignored)
    if files:
        found += _squawk(files, major)
    else:
        found.append(finding("migrate.lint", "ok", "there is no migration above V001"))
    return Findings(LINT, tuple(found))


def _files(paths: Sequence[Path], locations: Sequence[Path]) -> tuple[Sequence[Migration], Sequence[str]]:
    if not paths:
        all_: Files = find(locations)
        return [one for one in all_.migrations if one.version != FIRST], all_.ignored
    chosen = []
    for path in paths:
        if not path.is_file():
            raise UsageError(f"there is no file {path}", next="Name a file, or a folder: --location DIR")
        chosen.append(read(path, flyway.parse_name(path.name)))
    return chosen, ()


def _squawk(files: Sequence[Migration], major: int) -> list[Finding]:
    answer = squawk.ask(files, major)
    found = [
        finding(f"squawk.{one.rule}", "warn", one.message, thing=f"{one.file}:{one.line}") for one in answer.problems
    ]
    if answer.absent:
        return [finding("squawk", "skipped", f"{answer.silent}: nothing is said about locks")]
    if answer.silent:
        return [*found, finding("squawk", "unknown", answer.silent)]
    return found or [finding("squawk", "ok", "no lock that readers or writers would wait for")]
