"""`audit import --lost`: what no file holds is accounted for, that and nothing more, by somebody who signs."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ledger.samples import bad, carry_out, fill, found, head, proven
from tests.ledger.test_verify import forget, tamper
from tests.support import Cli, Server
from wnadmin.domain import audit
from wnadmin.domain.audit import export as exporting
from wnadmin.domain.audit import join, lost
from wnadmin.ledger import checkpoint, database
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target


@pytest.fixture
def cut(db: Database, target: Target, state: Path) -> Database:
    """A ledger of 12 rows that was set back to row 6, and went on for three: as after a recovery without an export."""
    fill(target, 4)
    tamper(db, forget(7), "DELETE FROM audit.operator_ledger WHERE seq >= 7")
    fill(target, 1)
    return db


def restored(db: Database) -> tuple[str, str]:
    """What verification says about the one restore."""
    (said,) = found(db, "ledger.restored")
    return said.severity, said.detail


def test_what_is_lost_is_said_and_accepted(cut: Database, target: Target, state: Path) -> None:
    assert [one for one, _ in bad(cut)] == ["ledger.tail", "ledger.tail"]
    plan = lost.plan(cut, {})
    assert (plan.confirm, [step.title for step in plan.steps]) == (
        "lost",
        ["Append the signed row that rows 7 to 12 of the former ledger are lost"],
    )
    carry_out(plan)
    fill(target, 1)
    assert bad(cut) == []
    severity, detail = restored(cut)
    assert severity == "skipped"
    assert detail.startswith(f"row 10: restored from {cut.name}, after row 6; rows 7 to 12 of its ledger are lost, as ")
    assert lost.plan(cut, {}).steps == ()


def test_nothing_is_lost_where_nothing_is_missing(db: Database, target: Target, state: Path) -> None:
    assert lost.plan(db, {}).steps == ()
    fill(target, 2)
    plan = lost.plan(db, {})
    assert (plan.steps, plan.nothing) == ((), "no row that a checkpoint of this user proves is missing")


def test_it_excuses_nothing_else(cut: Database, target: Target, state: Path) -> None:
    carry_out(lost.plan(cut, {}))
    fill(target, 2)
    assert bad(cut) == []
    tamper(cut, forget(14), "DELETE FROM audit.operator_ledger WHERE seq >= 14")
    assert bad(cut) == [("ledger.tail", "row 14")]
    fill(target, 3)
    assert bad(cut) == [("ledger.tail", "row 16")]
    carry_out(lost.plan(cut, {}))
    fill(target, 1)
    assert bad(cut) == []
    assert len(found(cut, "ledger.restored")) == 2
    # What was proven before both is still held to.
    tamper(cut, "UPDATE audit.operator_ledger SET payload = replace(payload, 'operator', 'else') WHERE seq = 4")
    assert ("ledger.link", "row 4") in bad(cut)


def test_an_export_that_turns_up_later_joins(db: Database, target: Target, state: Path, tmp_path: Path) -> None:
    fill(target, 4)
    folder = tmp_path / "exports"
    folder.mkdir()
    carry_out(exporting.plan(db, folder, {}, first=1, through=9))
    carry_out(exporting.plan(db, folder, {}))
    whole, part = sorted(folder.iterdir(), reverse=True)
    tamper(db, forget(8), "DELETE FROM audit.operator_ledger WHERE seq >= 8")
    fill(target, 1)
    carry_out(join.plan(db, [part], {}))
    plan = lost.plan(db, {})
    assert [step.title for step in plan.steps] == [
        "Append the signed row that rows 10 to 12 of the former ledger are lost"
    ]
    carry_out(plan)
    fill(target, 1)
    assert bad(db) == []
    assert (
        restored(db)[1]
        .partition(";")[2]
        .startswith(" rows 7 to 9 of its ledger were joined; rows 10 to 12 of its ledger are lost")
    )
    carry_out(join.plan(db, [whole], {}))
    assert bad(db) == []
    severity, detail = restored(db)
    assert (severity, "rows 7 to 12 of its ledger were joined" in detail, "lost" in detail) == ("ok", True, False)


def test_without_a_word_nothing_is_said(cut: Database, server: Server, tmp_path: Path, state: Path) -> None:
    here = Cli(tmp_path, server.dsn(cut.name))
    before = head(cut)
    ran = here.run("audit", "import", "--lost", "--yes")
    assert (ran.code, "The word is 'lost'" in ran.err) == (4, True)
    assert here.run("audit", "import", "--lost", "--check").code == 3
    assert here.run("audit", "import", "--lost", str(tmp_path)).code == 2
    assert cut.session.scalar("SELECT count(*) FROM audit.operator_ledger WHERE phase = 'checkpoint'") == 0
    assert head(cut) == before + 2, "the refusal and the check are recorded"


def forged(db: Database, **changed: object) -> None:
    """Append what looks like the row, without a key."""
    presence = database.present(db.session)
    kept = checkpoint.read(presence.origin, checkpoint.file_of(presence.origin))
    assert kept is not None
    last = next(one for one in kept.checkpoints if one.seq == 12)
    after = database.hashes(db.session, [6])[6]
    ledger = {
        "chain": presence.origin,
        "into": presence.origin,
        "after": {"seq": 6, "h": after.hex()},
        "known": {"seq": last.seq, "h": last.h.hex()},
        "joins": [],
        "token": "x",
    }
    payload = {"restored_from": {"database": db.name, "ledger": ledger}, **changed}
    database.append(db.session, uuid4(), "checkpoint", json.dumps(payload, separators=(",", ":")))


def test_unsigned_it_excuses_nothing(cut: Database, state: Path) -> None:
    forged(cut)
    assert [one for one, _ in bad(cut)] == ["ledger.restored", "ledger.tail", "ledger.tail"]
    assert restored(cut) == ("unknown", f"row 10: restored from {cut.name}, after row 6, but it is not signed")


def test_the_signature_of_another_one_excuses_nothing(cut: Database, target: Target, state: Path) -> None:
    carry_out(lost.plan(cut, {}))
    payload = json.loads(cut.session.scalar("SELECT payload FROM audit.operator_ledger WHERE seq = 10"))
    tamper(cut, "DELETE FROM audit.operator_ledger WHERE seq >= 10")
    forged(cut, signature=payload["signature"])
    assert restored(cut) == (
        "critical",
        f"row 10: restored from {cut.name}, after row 6: It is not what was signed: it was changed since",
    )
    assert [one for one, _ in bad(cut)] == ["ledger.restored", "ledger.tail", "ledger.tail"]


def test_signed_by_somebody_else_it_is_unknown(cut: Database, state: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    (theirs / "checkpoints").mkdir(mode=0o700)
    origin = database.present(cut.session).origin
    checkpoint.file_of(origin, theirs).write_bytes(checkpoint.file_of(origin, state).read_bytes())
    carry_out(lost.plan(cut, {}, state=theirs))
    severity, detail = restored(cut)
    assert (severity, "is not trusted here" in detail) == ("unknown", True)
    assert "ledger.tail" in [one for one, _ in bad(cut)]
    (public,) = (theirs / "ledger-keys").iterdir()
    (state / "ledger-keys").mkdir()
    (state / "ledger-keys" / public.name).write_bytes(public.read_bytes())
    assert "ledger.tail" not in [one for one, _ in bad(cut)]


def test_a_row_before_it_that_is_not_the_one_restored(cut: Database, target: Target, state: Path) -> None:
    from tests.ledger.test_verify import rehash

    carry_out(lost.plan(cut, {}))
    fill(target, 1)
    change = "payload = replace(payload, 'operator', 'else')"
    tamper(cut, forget(1), f"UPDATE audit.operator_ledger SET {change} WHERE seq = 4")
    rehash(cut, 4)
    severity, detail = restored(cut)
    assert severity == "critical"
    assert detail == f"row 10: restored from {cut.name}, after row 6, but that row is not the one that was restored"


def test_the_proof_of_the_plan_is_that_of_verify(cut: Database, state: Path) -> None:
    plan = lost.plan(cut, {})
    carry_out(plan)
    assert proven(plan) == []
    assert [one.id for one in audit.verify(cut).findings].count("ledger.restored") == 1
