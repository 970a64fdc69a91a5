"""What proves the beginning, the end and the past of a ledger: seals, checkpoints outside, restores, joined rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wnadmin.domain.audit import records
from wnadmin.domain.audit.records import Head, Restored
from wnadmin.domain.audit.spooled import LIMIT, finding
from wnadmin.ledger import checkpoint, database
from wnadmin.ledger.chain import ZERO
from wnadmin.ledger.walk import Span, Walk
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Severity

CHAIN: Final = "wnadmin-ledger/"
"""What the name of a ledger begins with; other chains that were joined are spools."""
_REMEDY: Final = (
    "If the database was restored from a backup, put back what is missing: wnadmin audit import FILE. Where no export "
    "has it: wnadmin audit import --lost"
)


def beginning(walk: Walk, state: Path | None) -> list[Finding]:
    """Judge a ledger whose first rows are gone: a seal that is signed accounts for them, or the gap is noted."""
    last, h = walk.begin
    if not last:
        return []
    seals = [one for noted in walk.seals if (one := records.seal(noted, state)) and one.through == last]
    if not seals:
        walk.links.headless(last)
        return []
    one = next((seal for seal in reversed(seals) if seal.verdict.good), seals[-1])
    thing = f"row {one.row}"
    if one.h != h or one.verdict.trust in ("bad", "missing"):
        walk.links.headless(last)
        why = "it names another hash than row " + str(last + 1) if one.h != h else one.verdict.why
        said = f"the seal in row {one.row} does not account for rows 1 to {last}: {why.rstrip('.')}"
        return [finding("ledger.seal", "critical", said, thing=thing)]
    if not one.verdict.good:
        said = f"rows 1 to {last} are gone, and nobody known here sealed them: {one.verdict.why.rstrip('.')}"
        return [finding("ledger.seal", "unknown", said, thing=thing, remediation=one.verdict.next)]
    said = f"rows {one.first} to {last} are sealed in {one.name} ({one.sha256[:12]}…), signed by {one.verdict.who}"
    return [finding("ledger.seal", "ok", said, thing=thing)]


def past(walk: Walk, db: Database, origin: str, state: Path | None) -> tuple[list[Finding], list[Restored]]:
    """Judge what the ledger says about restores and joined rows; gives the restores into ``origin`` that hold."""
    lives = [one for noted in walk.restored if (one := records.restored(noted, state))]
    before = [span.seq - 1 for span in walk.spans.values()]
    stand = database.hashes(db.session, [*before, *(one.after.seq for one in lives)])
    last, h = walk.begin
    stand.update({0: ZERO, last: h})
    found = [_life(one, stand, last, walk.spans) for one in lives]
    joined = _joined(walk.spans, stand, last)
    held = [
        one
        for one, said in zip(lives, found, strict=True)
        if one.into == origin and one.verdict.good and said.severity != "critical"
    ]
    return [*found, *joined], held


def _life(one: Restored, stand: Mapping[int, bytes], sealed: int, spans: Mapping[tuple[str, str], Span]) -> Finding:
    thing = f"row {one.row}"
    begins = f"row {one.row}: restored from {one.database}, after row {one.after.seq}"
    severity: Severity
    if one.after.seq >= sealed and stand.get(one.after.seq) != one.after.h:
        severity, detail = "critical", f"{begins}, but that row is not the one that was restored"
    elif one.verdict.trust == "bad":
        severity, detail = "critical", f"{begins}: {one.verdict.why.rstrip('.')}"
    elif not one.verdict.good:
        severity, detail = "unknown", f"{begins}, but {_lower(one.verdict.why)}"
    elif short := [chain for chain, token, head in one.joins if _reached(spans, chain, token) < head.seq]:
        severity, detail = "warn", f"{begins}: not all rows of {short[0]} that it names are joined yet"
    else:
        # An export may have turned up later.
        joined = max([one.joined, *(span.last for (chain, _), span in spans.items() if chain == one.chain)])
        first, last = joined + 1, one.known.seq if one.known else 0
        more = f"; rows {one.after.seq + 1} to {joined} of its ledger were joined" * (joined > one.after.seq)
        if last >= first:
            lost = f"rows {first} to {last} of its ledger are" if last > first else f"row {first} of its ledger is"
            severity, detail = "skipped", f"{begins}{more}; {lost} lost, as {one.verdict.who} signed"
        else:
            severity, detail = "ok", f"{begins}{more}, signed by {one.verdict.who}"
    remedy = "wnadmin audit unfinished" if severity == "warn" else one.verdict.next
    return finding("ledger.restored", severity, detail, thing=thing, remediation=remedy)


def _lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")


def _reached(spans: Mapping[tuple[str, str], Span], chain: str, token: str) -> int:
    span = spans.get((chain, token))
    return span.last if span else 0


def _joined(spans: Mapping[tuple[str, str], Span], stand: Mapping[int, bytes], sealed: int) -> list[Finding]:
    if not spans:
        return []
    ends = {(chain, span.last, span.h) for (chain, _), span in spans.items()}
    found = [
        finding("ledger.joined", "critical", detail, thing=detail.partition(" is")[0])
        for span in spans.values()
        for detail in span.broken
    ]
    found += [
        finding(
            "ledger.joined",
            "critical",
            f"rows {span.row} to {span.last_row} joined {chain} with a gap: rows of it are missing",
            thing=f"row {span.row}",
        )
        for (chain, _), span in spans.items()
        if chain.startswith(CHAIN)
        and not (
            span.gapless
            and (
                span.seq - 1 < sealed
                or stand.get(span.seq - 1) == span.prev
                or (chain, span.seq - 1, span.prev) in ends
            )
        )
    ]
    if found:
        return found[:LIMIT]
    count, chains = sum(one.count for one in spans.values()), len({chain for chain, _ in spans})
    rows = "1 row" if count == 1 else f"{count} rows"
    others = "another chain" if chains == 1 else f"{chains} other chains"
    said = f"{rows} of {others} joined this one, and each still gives its hash"
    return [finding("ledger.joined", "ok", said)]


def tail(
    walk: Walk,
    kept: checkpoint.Anchor | None,
    trouble: str,
    path: Path,
    standby: bool,
    lives: Sequence[Restored],
) -> list[Finding]:
    """Compare the rows with the checkpoints outside; ``lives`` excuse what they say is lost, and no more."""
    if kept is None or not kept.checkpoints:
        nothing = f"{path} holds no checkpoint of this ledger" if kept else f"there is no file {path}"
        return [_unproven(trouble or nothing)]
    found = _compared(walk, kept, standby, lives)
    if kept.damaged:
        found.append(
            finding(
                "ledger.checkpoint",
                "warn",
                f"{kept.damaged} pieces of {path} are no checkpoint of "
                "this ledger: a write was cut short, or the file was changed",
                thing=str(path),
            )
        )
    if kept.guard:
        found.append(
            finding(
                "ledger.checkpoint",
                "warn",
                f"{path} may have been changed by others: {kept.guard}",
                thing=str(path),
                remediation=f"chmod 600 {path}",
            )
        )
    return found


def _unproven(why: str) -> Finding:
    return finding(
        "ledger.unproven",
        "unknown",
        f"nothing outside the database proves the end of the ledger: {why}",
        evidence="partial",
        remediation="Verify where changes are made from; the next change there writes one.",
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How the checkpoints outside stand to the rows: ``agreed`` is the last row that one proves.

    ``beyond`` are those of rows that are not there, ``anew`` those whose row has another hash, by number; both with
    their place in the file. What is sealed, joined, or lost in a restore that says so is in neither.
    """

    agreed: Head
    beyond: tuple[tuple[int, checkpoint.Checkpoint], ...]
    anew: tuple[tuple[int, checkpoint.Checkpoint], ...]


def standing(walk: Walk, kept: checkpoint.Anchor, lives: Sequence[Restored]) -> Standing:
    """Compare the rows of ``walk`` with the checkpoints outside, before the first that was written anew."""
    agreed = Head(0, ZERO)
    beyond: list[tuple[int, checkpoint.Checkpoint]] = []
    anew: list[tuple[int, checkpoint.Checkpoint]] = []
    excused = [(one, _place(kept, one.known)) for one in lives if one.known]
    for place, one in sorted(enumerate(kept.checkpoints), key=lambda pair: (pair[1].seq, pair[0])):
        if walk.hashes.get(one.seq) == one.h or (one.seq, one.h) == walk.begin:
            agreed = agreed if anew else Head(one.seq, one.h)
        elif (
            one.seq < walk.begin[0]
            or one.h in walk.former.get(one.seq, ())
            or any(place <= end and one.seq > life.joined for life, end in excused)
        ):
            continue
        elif one.seq > walk.links.seq:
            beyond.append((place, one))
        else:
            anew.append((place, one))
    return Standing(agreed, tuple(beyond), tuple(anew))


def _compared(walk: Walk, kept: checkpoint.Anchor, standby: bool, lives: Sequence[Restored]) -> list[Finding]:
    last = walk.links.seq
    seen = standing(walk, kept, lives)
    agreed = seen.agreed.seq
    found: list[Finding] = []
    if seen.beyond:
        found.append(_missing(last, max(one.seq for _, one in seen.beyond), kept.path, standby))
    if seen.anew:
        _, one = seen.anew[0]
        span = f"rows {agreed + 1} to {one.seq} were" if one.seq > agreed + 1 else f"row {one.seq} was"
        found.append(
            finding(
                "ledger.tail",
                "critical",
                f"{span} written anew: the hash of row {one.seq} is not the one in {kept.path}",
                thing=f"row {one.seq}",
                remediation=_REMEDY,
            )
        )
    if found:
        return found
    if not agreed:
        return [_unproven(f"{kept.path} holds no checkpoint of a row that is here")]
    after = f"; rows {agreed + 1} to {last} came later and are not proven yet" if last > agreed else ""
    return [finding("ledger.tail", "ok", f"row {agreed} is the one whose hash is in {kept.path}{after}")]


def _place(kept: checkpoint.Anchor, known: Head | None) -> int:
    """Say where in the file the former life ends; -1 when it does not hold what was known."""
    same = [at for at, one in enumerate(kept.checkpoints) if known and (one.seq, one.h) == (known.seq, known.h)]
    return same[-1] if same else -1


def _missing(last: int, furthest: int, path: Path, standby: bool) -> Finding:
    missing = f"rows {last + 1} to {furthest} are" if furthest > last + 1 else f"row {furthest} is"
    lag = " (or this standby has not replayed them yet)" if standby else ""
    return finding(
        "ledger.tail",
        "unknown" if standby else "critical",
        f"{missing} missing: the ledger ends at row {last}, and {path} proves row {furthest}{lag}",
        thing=f"row {last + 1}",
        remediation=_REMEDY,
    )
