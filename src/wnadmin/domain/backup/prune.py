"""`backup prune`: which backups stay, why, and the removal of the rest."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wnadmin.domain.backup import files, listing
from wnadmin.domain.backup.files import Kept
from wnadmin.errors import UsageError
from wnadmin.results import Finding, Plan, Receipt, Step, World


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


def plan(folder: Path, rule: Rule, *, now: datetime | None = None) -> Plan:
    """Describe the removal of what no rule keeps."""
    if min(rule.daily, rule.weekly, rule.monthly) < 0 or not (rule.daily or rule.weekly or rule.monthly):
        raise UsageError("nothing would be kept", next="Say how many: --keep-daily 7 --keep-weekly 5 --keep-monthly 12")
    files.require_folder(folder)
    verdicts = judge(files.kept(folder), rule, now or datetime.now(UTC))
    going = [one for one in verdicts if not one.reasons]
    left = files.leftovers(folder)
    steps = [_step(one) for one in going]
    if left:
        steps.append(_sweep(left))
    effects = [
        *(f"{one.kept.place.dump.name} stays: {', '.join(one.reasons)}." for one in verdicts if one.reasons),
        *(f"{one.kept.place.dump.name} goes: {one.why}. It cannot be brought back." for one in going),
        *(f"{one.name} goes: a killed run left it." for one in left),
    ]
    return Plan(
        f"Prune the backups in {folder}",
        tuple(steps),
        effects=tuple(effects),
        inputs={"going": [one.kept.place.dump.name for one in going]},
        verify=lambda: _prove(going, left),
        target=f"backups in {folder.absolute()}",
        nothing=_nothing(verdicts),
        node="none",
        next=f"wnadmin backup list {folder}",
    )


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
        return Receipt(place.dump.name, 1, round((time.monotonic() - began) * 1000), {"bytes": one.kept.bytes})

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
