"""``audit import --lost``: rows that a checkpoint proves are gone for good, and somebody signs that they know."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from wnadmin.domain.audit import chains, join, proof, records
from wnadmin.domain.audit.records import Head
from wnadmin.ledger import canonical, checkpoint, database
from wnadmin.ledger.walk import Walk
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

_TITLE = "Record that rows of the operator ledger are lost"


@dataclass(frozen=True, slots=True)
class _Loss:
    """Rows behind ``after`` up to ``known`` were, and are not; of these, ``joins`` are here from an import."""

    after: Head
    known: Head
    joins: tuple[chains.Tip, ...]

    @property
    def first(self) -> int:
        """The first row that is lost."""
        return max([self.after.seq, *(one.seq for one in self.joins)]) + 1


def plan(db: Database, inputs: Inputs, *, state: Path | None = None) -> Plan:
    """Describe the signed row that accounts for what the checkpoints outside prove and the ledger does not have.

    It excuses exactly that, and has to be confirmed by a word. Refused for a login that may not append.
    """
    presence = join.require(db)
    token = inputs.get("token")
    token = token if isinstance(token, str) else str(uuid4())
    loss = _look(db, presence.origin, state)
    if loss is None:
        return Plan(_TITLE, (), nothing="no row that a checkpoint of this user proves is missing")
    rows = f"rows {loss.first} to {loss.known.seq}" if loss.known.seq > loss.first else f"row {loss.first}"
    facts: dict[str, Json] = {
        "database": presence.database_name,
        "system_identifier": presence.system_identifier,
        "ledger": {
            "chain": presence.origin,
            "into": presence.origin,
            "after": loss.after.facts(),
            "known": loss.known.facts(),
            "joins": [{"chain": one.chain, "token": one.token, "seq": one.seq, "h": one.h} for one in loss.joins],
            "token": token,
        },
    }

    def run(world: World) -> Receipt:
        began = time.monotonic()
        join.writable(db.session)
        payload = {
            "v": 1,
            "command": "audit import",
            "op_id": token,
            "phase": "checkpoint",
            **records.signed(records.RESTORED, facts, state),
        }
        row = database.append(db.session, UUID(token), "checkpoint", canonical.dumps(payload))
        return Receipt("lost", 1, round((time.monotonic() - began) * 1000), {"row": row.seq})

    step = Step(
        "lost",
        f"Append the signed row that {rows} of the former ledger are lost",
        ("SELECT audit.ledger_append(…, 'checkpoint', ‹restored_from›);",),
        run,
        done=lambda: any(one.token == token for one in chains.lives(db.session, state)),
    )
    return Plan(
        _TITLE,
        (step,),
        effects=(
            f"The ledger went up to row {loss.known.seq} once, a checkpoint of this user proves it; from row "
            f"{loss.first} on not all of that is here.",
            "`audit verify` accepts it from now on, and says who signed. An export that turns up later can still be "
            "imported.",
        ),
        inputs={"token": token, "after": loss.after.seq, "known": loss.known.seq},
        verify=lambda: _prove(db, state),
        target=join.TARGET,
        confirm="lost",
        next="wnadmin audit verify",
    )


def _look(db: Database, origin: str, state: Path | None) -> _Loss | None:
    kept = checkpoint.read(origin, checkpoint.file_of(origin, state))
    if kept is None or not kept.checkpoints:
        return None
    walk = Walk([one.seq for one in kept.checkpoints], origin=origin).run(db.session)
    _, lives = proof.past(walk, db, origin, state)
    seen = proof.standing(walk, kept, lives)
    missing = [*seen.beyond, *seen.anew]
    if not missing:
        return None
    _, last = max(missing, key=lambda pair: pair[0])
    # Later in the file are the checkpoints of this life; a row of it may have the number of one that is lost.
    before = kept.checkpoints[: min(at for at, _ in missing)]
    shared = [Head(one.seq, one.h) for one in before if walk.hashes.get(one.seq) == one.h]
    after = max([*shared, Head(*walk.begin)], key=lambda one: one.seq)
    joins = [one for one in chains.tips(db.session) if one.chain == origin and after.seq < one.seq <= last.seq]
    return _Loss(after, Head(last.seq, last.h), tuple(joins))


def _prove(db: Database, state: Path | None) -> list[Finding]:
    from wnadmin.domain.audit.verify import verify

    return [one for one in verify(db, state=state).findings if one.id in ("ledger.restored", "ledger.tail")]
