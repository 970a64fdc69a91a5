"""The end of the spool: rows of a ledger remember it, so that cutting it off or beginning it anew is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ledger.samples import INTENT, OUTCOME
from wnadmin.domain import audit
from wnadmin.ledger import database, walk
from wnadmin.ledger.recorder import Recorder
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target
from wnadmin.results import Finding


def spool_some(count: int = 2) -> None:
    """Record operations of this machine: two rows of the spool each."""
    with Recorder.open(None, "server start") as recorder:
        for _ in range(count):
            op_id = uuid4()
            recorder.intent(op_id, INTENT)
            recorder.outcome(op_id, OUTCOME)


def change(target: Target) -> None:
    """Record an operation of the database: two rows of the ledger."""
    op_id = uuid4()
    with Recorder.open(target, "queries reset") as recorder:
        recorder.intent(op_id, INTENT)
        recorder.outcome(op_id, OUTCOME)


def spooled(db: Database | None) -> dict[str, Finding]:
    """What verification says of the spool."""
    return {one.id: one for one in audit.verify(db).findings if one.id.startswith("spool.")}


def lines(state: Path) -> list[bytes]:
    return Spool(state).path.read_bytes().splitlines(keepends=True)


def test_a_row_of_the_ledger_remembers_the_head_of_the_spool(db: Database, target: Target, state: Path) -> None:
    change(target)
    spool_some()
    change(target)
    newest, _, *before = database.entries(db.session)
    last = Spool().entries()[-1]
    assert newest.facts()["spool"] == {"at": Spool().place, "h": last.h.hex(), "seq": 4}
    assert all("spool" not in one.facts() for one in before), "there was nothing to remember"
    (head,) = walk.Walk(spool=Spool().place).run(db.session).heads
    assert (head.seq, head.h, head.row) == (4, last.h, 3)
    assert walk.Walk(spool="0" * 16).run(db.session).heads == []
    assert Spool().head() == (4, last.h)


def test_a_sound_spool_is_proven_up_to_what_is_remembered(db: Database, target: Target, state: Path) -> None:
    spool_some(1)
    assert spooled(db)["spool.link"].detail.endswith("; no row of the ledger has recorded its end yet")
    change(target)
    spool_some(1)
    found = spooled(db)
    assert {one.severity for one in found.values()} == {"ok"}
    assert found["spool.tail"].detail == (
        "spool: row 2 is the one that row 1 of the ledger recorded; rows 3 to 4 came later and are not proven yet"
    )
    alone = spooled(None)
    assert set(alone) == {"spool.link"}
    assert alone["spool.link"].detail.endswith("; its end is proven only by a ledger")


CUTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "the last row": (
        lambda path: keep(path, 3),
        "row 4",
        "row 4 is missing: it ends at row 3, and row 3 of the ledger recorded row 4",
    ),
    "several rows": (
        lambda path: keep(path, 1),
        "row 2",
        "rows 2 to 4 are missing: it ends at row 1, and row 3 of the ledger recorded row 4",
    ),
    "all rows": (lambda path: keep(path, 0), "row 1", "rows 1 to 4 are missing: it ends at row 0"),
    "the file": (lambda path: path.unlink(), "row 1", "rows 1 to 4 are missing: it ends at row 0"),
}


def keep(path: Path, count: int) -> None:
    """Cut the spool after ``count`` rows."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:count]))


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_end_is_found(db: Database, target: Target, state: Path, cut: str) -> None:
    spool_some(1)
    change(target)
    spool_some(1)
    change(target)
    take, thing, words = CUTS[cut]
    take(Spool(state).path)
    tail = spooled(db)["spool.tail"]
    assert (tail.severity, tail.object) == ("critical", thing)
    assert words in tail.detail
    assert "WNADMIN_STATE" in tail.remediation


def test_a_spool_begun_anew_is_found_however_much_follows(db: Database, target: Target, state: Path) -> None:
    spool_some(2)
    change(target)
    Spool(state).path.unlink()
    spool_some(3)
    change(target)
    tail = spooled(db)["spool.tail"]
    assert (tail.severity, tail.object) == ("critical", "row 4")
    assert "row 4 was written anew: its hash is not the one that row 1 of the ledger recorded" in tail.detail


def test_another_folder_is_another_spool(
    db: Database, target: Target, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool_some(2)
    change(target)
    monkeypatch.setenv("WNADMIN_STATE", str(tmp_path / "anew"))
    assert spooled(db)["spool.link"].detail == "the spool is empty"
    assert "spool.tail" not in spooled(db)


def test_a_torn_end_is_not_the_head_and_is_explained(db: Database, target: Target, state: Path) -> None:
    spool_some(2)
    path = Spool(state).path
    path.write_bytes(path.read_bytes()[:-20])
    third = Spool(state).entries()[-1]
    assert Spool(state).head() == (3, third.h)
    change(target)
    found = spooled(db)
    assert found["spool.tail"].severity == "ok"
    assert found["spool.torn"].severity == "warn"
    assert "audit unfinished" in found["spool.torn"].remediation


def test_a_spool_without_an_entry_has_no_head(state: Path) -> None:
    assert Spool(state).head() is None
    state.mkdir(mode=0o700)
    Spool(state).path.write_bytes(b"")
    assert Spool(state).head() is None
    Spool(state).path.unlink()
    Spool(state).path.mkdir()
    assert Spool(state).head() is None


def test_what_stands_in_both_counts_once(db: Database, target: Target, state: Path) -> None:
    op_id = uuid4()
    with Recorder.open(target.as_role("wondernest_app"), "queries reset") as first:
        assert first.intent(op_id, INTENT).sink == "spool"
    with Recorder.open(target, "queries reset") as second:
        second.goes_on(op_id)
        second.outcome(op_id, OUTCOME)
    (stored,) = database.entries(db.session)
    assert [one.payload for one in Spool(state).entries()][-1] == stored.payload
    found = audit.find(db, op_id)
    assert found is not None
    assert [one.phase for one in found.entries] == ["intent", "outcome"]
    assert len(lines(state)) == 2
