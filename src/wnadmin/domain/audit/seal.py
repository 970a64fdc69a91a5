"""``audit seal``: the oldest rows of the ledger become a file, a signed row says so, and only then they go.

The policy of audit.operator_ledger says what is old enough, the server's function looks again. Rows go from the
beginning only, and no operation is cut in two, so what stays is a chain that begins where the seal says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from wnadmin.domain.audit import chains, join, records
from wnadmin.domain.audit import export as exporting
from wnadmin.errors import Failed, Refused
from wnadmin.ledger import canonical, checkpoint, database, export
from wnadmin.ledger.export import Export, Head
from wnadmin.ledger.walk import Noted
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

_TITLE = "Seal the beginning of the operator ledger"


@dataclass(frozen=True, slots=True)
class Sealable:
    """How far the ledger is old enough: through row ``through``, None for none. Times are in UTC.

    ``held_by`` is the operation that keeps what is old enough from going, None when nothing does.
    """

    period: str
    cut: datetime
    through: int | None
    held_by: UUID | None
    oldest: datetime | None


def plan(
    db: Database, folder: Path, inputs: Inputs, *, before: datetime | None = None, state: Path | None = None
) -> Plan:
    """Describe the sealing of all rows that are past their period, or of those before ``before`` (UTC) among them.

    Refused for a login that may not, in read-only mode, or without an active policy.
    """
    presence = join.require(db)
    folder = exporting.place(folder, inputs)
    if not presence.may_remove:
        raise Refused(
            f"{presence.login} may not remove what is sealed",
            why="It may not execute audit.ledger_remove_sealed.",
            next="Log in as a member of wondernest_operator; where the function is missing: wnadmin setup apply",
        )
    if db.session.scalar("SELECT pg_catalog.current_setting('transaction_read_only')") == "on":
        raise Refused(
            f"{presence.database_name} is read-only",
            why="Sealed rows are removed, and that has to wait.",
            next="End read-only mode first: wnadmin readonly off",
        )
    found = db.rows("queries/audit/sealable", Sealable, before=before)
    if not found:
        raise Refused(
            "no active policy says how long the ledger is kept",
            why="Nothing goes without the policy audit.operator_ledger of audit.data_retention_policies.",
            next="wnadmin retention list",
        )
    own, one = chains.bounds(db.session), found[0]
    first, through = inputs.get("from"), inputs.get("through")
    if not isinstance(first, int) or not isinstance(through, int):
        first, through = own.first, one.through or 0
    if first > through:
        return Plan(_TITLE, (), nothing=_nothing(one))
    token = inputs.get("token")
    token = token if isinstance(token, str) else str(uuid4())
    head = exporting.describe(db, presence, own, "sealed", first, through)
    path = folder / head.name
    held = [f"Operation {one.held_by} reaches beyond: what follows it stays for now."] if one.held_by else []
    return Plan(
        _TITLE,
        (
            exporting.step("export", db, folder, head, state),
            _seal(db, path, head, token, state),
            _remove(db, path, head, state),
        ),
        effects=(
            f"{through - first + 1:,} rows ({first} to {through}) go into {path}.",
            f"All are from before {one.cut:%Y-%m-%d %H:%M} UTC, past their period ({one.period}), and are removed once "
            "the file is proven; nothing else is.",
            "Keep the file: it is the only copy, and `audit verify --export` proves it against the seal.",
            *held,
        ),
        inputs={"from": first, "through": through, "folder": str(folder), "token": token},
        verify=lambda: _prove(db, path, state),
        target=join.TARGET,
        next=f"wnadmin audit verify --export {path}",
    )


def _nothing(one: Sealable) -> str:
    oldest = f"the oldest row is of {one.oldest:%Y-%m-%d}" if one.oldest else "the ledger is empty"
    held = f"; operation {one.held_by} is old enough and has not ended before that" if one.held_by else ""
    return f"no row is from before {one.cut:%Y-%m-%d %H:%M} UTC: {oldest}, and they are kept {one.period}{held}"


def _seal(db: Database, path: Path, head: Head, token: str, state: Path | None) -> Step:
    def run(world: World) -> Receipt:
        began = time.monotonic()
        one = _whole(path, state)
        # Before the seal: the outside must know the row at which the ledger will begin.
        checkpoint.write(checkpoint.Checkpoint(head.origin, head.through, one.h), state)
        facts: dict[str, Json] = {
            "origin": head.origin,
            "database": head.database,
            "from": head.first,
            "through": head.through,
            "count": one.rows,
            "h": one.h.hex(),
            "name": path.name,
            "sha256": one.sha256,
        }
        payload = canonical.dumps(
            {
                "v": 1,
                "command": "audit seal",
                "op_id": token,
                "phase": "checkpoint",
                **records.signed(records.SEAL, facts, state),
            }
        )
        row = database.append(db.session, UUID(token), "checkpoint", payload)
        return Receipt("seal", 1, round((time.monotonic() - began) * 1000), {"row": row.seq})

    return Step(
        "seal",
        f"Append the signed seal of rows {head.first} to {head.through}",
        ("SELECT audit.ledger_append(…, 'checkpoint', ‹seal›);",),
        run,
        done=lambda: _row(db, head, state) is not None,
    )


def _row(db: Database, head: Head, state: Path | None) -> int | None:
    """Give the row of the newest seal of these very rows."""
    rows = db.rows("queries/audit/restored", Noted)
    seals = [one for row in rows if (one := records.seal(row, state))]
    same = [one for one in seals if (one.origin, one.first, one.through) == (head.origin, head.first, head.through)]
    return same[-1].row if same else None


def _remove(db: Database, path: Path, head: Head, state: Path | None) -> Step:
    def run(world: World) -> Receipt:
        began = time.monotonic()
        # Not what was written but what can be read again is what the rows may go for.
        one = _whole(path, state)
        for at, _ in enumerate(export.rows(one), 1):
            if not at % 1000:
                world.progress(f"rows of {path.name}", at, one.rows)
        seal = _row(db, head, state)
        if seal is None:
            raise Failed("the seal is not in the ledger", why="It was appended before.", next="wnadmin audit verify")
        statement = db.prepared("changes/audit/remove_sealed", {"seal": seal}).rendered
        removed = int(db.session.scalar(statement.query, statement.bound, "remove what is sealed"))
        return Receipt("remove", removed, round((time.monotonic() - began) * 1000), {"seal": seal}, statement.shown)

    return Step(
        "remove",
        f"Remove rows {head.first} to {head.through}",
        ("SELECT audit.ledger_remove_sealed(‹row of the seal›);",),
        run,
        done=lambda: chains.bounds(db.session).first > head.through,
    )


def _whole(path: Path, state: Path | None) -> Export:
    one = export.look(path, state)
    if one is None:
        raise Failed(f"{path} is no export any more", why="It was written a moment ago.", next="wnadmin audit verify")
    return one


def _prove(db: Database, path: Path, state: Path | None) -> list[Finding]:
    from wnadmin.domain.audit.verify import verify

    wanted = ("ledger.link", "ledger.gap", "ledger.seal", "ledger.tail", "ledger.mirror")
    found = verify(db, state=state, exports=[path]).findings
    return [one for one in found if one.id in wanted or one.id.startswith("export.")]
