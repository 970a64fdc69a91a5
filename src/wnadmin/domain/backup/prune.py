"""`backup prune`: which backups stay, why, and the removal of the rest."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wnadmin.domain.backup import files, listing, register
from wnadmin.domain.backup.files import Kept
from wnadmin.domain.backup.register import Entry, Key
from wnadmin.errors import UsageError
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Plan, Receipt, Step, World

_REGISTER: Final = "register"


@dataclass(frozen=True, slots=True)
class Rule:
    """How many days, weeks and months keep their newest backup; counted over those that have one."""

    daily: int = 7
    weekly: int = 5
    monthly: int = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one backup: the reasons to keep it, or, where there is none, why it goes."""

    kept: Kept
    reasons: tuple[str, ...]
    why: str = ""


def judge(found: Iterable[Kept], rule: Rule, now: datetime) -> list[Verdict]:
    """Give a verdict on each backup, the newest first. Databases are counted apart.

    Of each database the last one that was proven stays, even beyond its expiry; nothing else stays beyond it.
    """
    whole: dict[tuple[str, str], list[Kept]] = {}
    verdicts = []
    for one in found:
        if one.sidecar is None or one.trouble:
            verdicts.append(_broken(one))
        else:
            key = (one.sidecar.system_identifier, one.sidecar.database.name)
            whole.setdefault(key, []).append(one)
    for own in whole.values():
        verdicts += _judge(own, rule, now)
    return sorted(verdicts, key=lambda v: v.kept.place.dump.name, reverse=True)


def _broken(one: Kept) -> Verdict:
    if one.sidecar is None and one.present:
        # It may be the only copy there is; a person looks before it goes.
        return Verdict(one, (f"it is not ours to judge: {one.trouble}",))
    if one.present:
        return Verdict(one, (f"it is not ours to judge: {one.trouble}",))
    return Verdict(one, (), one.trouble)


def _judge(own: Sequence[Kept], rule: Rule, now: datetime) -> list[Verdict]:
    pairs = sorted(((one.sidecar.snapshot_at, one) for one in own if one.sidecar), key=lambda p: p[0], reverse=True)
    alive = [(at, one) for at, one in pairs if one.sidecar and one.sidecar.expires_at >= now]
    reasons: dict[Path, list[str]] = {}
    terms: tuple[tuple[str, int, Callable[[datetime], str]], ...] = (
        ("day", rule.daily, lambda at: f"{at:%Y-%m-%d}"),
        ("week", rule.weekly, lambda at: f"{at:%G-W%V}"),
        ("month", rule.monthly, lambda at: f"{at:%Y-%m}"),
    )
    if alive:
        reasons.setdefault(alive[0][1].place.dump, []).append("the newest")
    for word, most, term in terms:
        seen: set[str] = set()
        for at, one in alive:
            name = term(at)
            if name not in seen and len(seen) < most:
                seen.add(name)
                reasons.setdefault(one.place.dump, []).append(f"{word} {name}")
    proven = next((one for _, one in pairs if listing.is_proven(one)), None)
    if proven is not None:
        said = "the last that was proven"
        if proven.sidecar and proven.sidecar.expires_at < now:
            said += f"; it has expired on {proven.sidecar.expires_at:%Y-%m-%d}: drill a newer one, and prune again"
        reasons.setdefault(proven.place.dump, []).append(said)
    verdicts = []
    for _, one in pairs:
        mine = tuple(reasons.get(one.place.dump, ()))
        expired = one.sidecar is not None and one.sidecar.expires_at < now
        why = "" if mine else "it has expired" if expired else "no day, week or month needs it"
        verdicts.append(Verdict(one, mine, why))
    return verdicts


def plan(
    folder: Path,
    rule: Rule,
    *,
    db: Database | None = None,
    connections: Connections | None = None,
    now: datetime | None = None,
) -> Plan:
    """Describe the removal of what no rule keeps, and what the register of the connected database learns of it.

    Files are removed with or without a server.
    """
    if min(rule.daily, rule.weekly, rule.monthly) < 0 or not (rule.daily or rule.weekly or rule.monthly):
        raise UsageError("nothing would be kept", next="Say how many: --keep-daily 7 --keep-weekly 5 --keep-monthly 12")
    files.require_folder(folder)
    found = files.kept(folder)
    verdicts = judge(found, rule, now or datetime.now(UTC))
    going = [one for one in verdicts if not one.reasons]
    left = files.leftovers(folder)
    noted = _notes(register.gap(db, folder, found), going)
    steps = [_step(one) for one in going]
    if left:
        steps.append(_sweep(left))
    if db is not None and connections is not None and noted.work and not noted.gap.why:
        steps.append(_note(connections, noted))
    effects = [
        *(f"{one.kept.place.dump.name} stays: {', '.join(one.reasons)}." for one in verdicts if one.reasons),
        *(f"{one.kept.place.dump.name} goes: {one.why}. It cannot be brought back." for one in going),
        *(f"{one.name} goes: a killed run left it." for one in left),
        *noted.effects(folder),
    ]
    return Plan(
        f"Prune the backups in {folder}",
        tuple(steps),
        effects=tuple(effects),
        inputs={"folder": register.address(folder), "going": [one.kept.place.dump.name for one in going]},
        verify=lambda: _prove(going, left),
        # A server that is named and cannot be reached has no lock to give, and a full disk does not wait for it.
        target=f"backups in {folder.absolute()}" if db is not None or connections is None else "",
        nothing=_nothing(verdicts),
        node="any",
        next=f"wnadmin backup list {folder}",
    )


@dataclass(frozen=True, slots=True)
class _Notes:
    """What the register is told: ``new`` copies, and ``gone`` ones by digest and place."""

    gap: register.Gap
    new: tuple[Entry, ...]
    gone: tuple[Key, ...]
    going: int

    @property
    def work(self) -> int:
        """How many rows are to be written."""
        return len(self.new) + len(self.gone)

    def effects(self, folder: Path) -> Iterator[str]:
        """Say to people what becomes of the register."""
        if self.gap.blind and self.gap.later and self.going:
            yield f"The register of backups is not told, as {self.gap.blind}; the next prune on the primary does it."
        elif self.work and self.gap.why:
            yield f"The register of backups is not told, as {self.gap.why}; the next prune on the primary does it."
        elif self.work:
            parts = [f"{len(self.new)} copies that it does not know"] if self.new else []
            parts += [f"{len(self.gone)} removals"] if self.gone else []
            yield f"audit.backups is told of {' and of '.join(parts)}."
        yield from register.told(replace(self.gap, missing=(), gone=()), folder)


def _notes(gap: register.Gap, going: Sequence[Verdict]) -> _Notes:
    leaving = {one.kept.place.dump for one in going}
    keys = [register.key(one.kept) for one in going]
    return _Notes(
        gap,
        tuple(register.entry(one) for one in gap.missing if one.place.dump not in leaving),
        tuple([one for one in keys if one in gap.known] + [one.key for one in gap.gone]),
        len(going),
    )


def _note(connections: Connections, noted: _Notes) -> Step:
    def run(world: World) -> Receipt:
        began, count = time.monotonic(), 0
        with connections.open() as session:
            db = Database(session)
            for one in noted.new:
                register.write(db, one)
                count += 1
            for key in noted.gone:
                # What could not be removed stays a copy.
                if not register.is_there(key):
                    count += register.mark_removed(db, key)
        return Receipt(_REGISTER, count, round((time.monotonic() - began) * 1000))

    shows = [register.shown(one) for one in noted.new]
    shows += [f"SELECT audit.mark_backup_removed('{digest}', '{place}');" for digest, place in noted.gone]
    return Step(_REGISTER, "Tell the register of backups", tuple(shows), run)


def _nothing(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "there is no backup"
    return "all stay: " + "; ".join(f"{one.kept.place.dump.name} ({', '.join(one.reasons)})" for one in verdicts)


def _step(one: Verdict) -> Step:
    place = one.kept.place

    def run(world: World) -> Receipt:
        began = time.monotonic()
        try:
            # Without its dump a sidecar is nothing; without its sidecar a dump would seem to be somebody else's.
            if place.dump.exists():
                files.remove(place.partial)
                place.dump.rename(place.partial)
            for path in (place.verified, place.sidecar):
                path.unlink(missing_ok=True)
            files.remove(place.partial)
            files.flush(place.dump.parent)
        except OSError as error:
            raise files.failed(f"{place.dump.name} could not be removed", error) from None
        digest, where = register.key(one.kept)
        took = round((time.monotonic() - began) * 1000)
        return Receipt(place.dump.name, 1, took, {"bytes": one.kept.bytes, "sidecar_sha256": digest, "place": where})

    def done() -> bool:
        return not any(path.exists() for path in (place.dump, place.sidecar, place.verified, place.partial))

    shows = tuple(f"rm -r {path}" for path in (place.dump, place.sidecar, place.verified) if path.exists())
    return Step(place.dump.name, f"Remove {place.dump.name}: {one.why}", shows, run, done=done, on_failure="continue")


def _sweep(left: Sequence[Path]) -> Step:
    def run(world: World) -> Receipt:
        began, count = time.monotonic(), 0
        for one in left:
            with files.held(one) as free, contextlib.suppress(FileNotFoundError):
                if free:
                    files.remove(one)
                    count += 1
        return Receipt("leftovers", count, round((time.monotonic() - began) * 1000))

    return Step(
        "leftovers", "Remove what killed runs left", tuple(f"rm -r {one}" for one in left), run,
        done=lambda: not any(one.exists() for one in left),
    )  # fmt: skip


def _prove(going: Sequence[Verdict], left: Sequence[Path]) -> list[Finding]:
    standing = [one.kept.place.dump for one in going if one.kept.place.dump.exists()] + [
        one for one in left if one.exists()
    ]
    detail = f"still there: {', '.join(one.name for one in standing)}" if standing else "what was to go is gone"
    return [Finding("backup.prune", "backup.prune", "critical" if standing else "ok", detail)]
