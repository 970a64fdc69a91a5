"""``audit verify`` against a real ledger: whatever is done to it is found, with the number of the row."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.support import Server
from wnadmin.domain import audit
from wnadmin.domain.audit import gather
from wnadmin.domain.setup.names import LOGIN_ROLES
from wnadmin.ledger import chain, checkpoint, database, stream, walk
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target
from wnadmin.results import Finding

PAYLOAD = {"command": "queries reset", "argv": ["queries", "reset"], "os_user": "operator", "host": "db1"}


def fill(target: Target, operations: int = 5) -> list[UUID]:
    """Make changes: three rows and one checkpoint each."""
    ids = [uuid4() for _ in range(operations)]
    with Recorder.open(target, "queries reset") as recorder:
        for number, op_id in enumerate(ids, 1):
            assert recorder.intent(op_id, PAYLOAD).where == f"ledger #{number * 3 - 2}"
            recorder.step_done(op_id, {"step": "reset", "status": "done", "receipt": {"rows": 1}})
            assert recorder.outcome(op_id, {"status": "done"}).where == f"ledger #{number * 3}"
    return ids


def tamper(db: Database, *statements: str) -> None:
    """Change the ledger as a superuser who takes its triggers away and puts them back."""
    triggers = ("operator_ledger_append_only", "operator_ledger_no_truncate")
    session = db.session
    for one in triggers:
        session.run(f"ALTER TABLE audit.operator_ledger DISABLE TRIGGER {one}")
    session.run("ALTER TABLE audit.ledger_checkpoints DISABLE TRIGGER ledger_checkpoints_append_only")
    for statement in statements:
        assert session.run(statement).count, statement
    for one in triggers:
        session.run(f"ALTER TABLE audit.operator_ledger ENABLE ALWAYS TRIGGER {one}")
    session.run("ALTER TABLE audit.ledger_checkpoints ENABLE ALWAYS TRIGGER ledger_checkpoints_append_only")


def forget(from_row: int) -> str:
    """The statement that removes the database's own checkpoints."""
    return f"DELETE FROM audit.ledger_checkpoints WHERE seq >= {from_row}"


def rehash(db: Database, first: int) -> None:
    """Compute all hashes anew from row ``first``, as one does who knows how."""
    session = db.session
    rows = session.run(
        "SELECT seq, envelope, payload, prev FROM audit.operator_ledger WHERE seq >= %s ORDER BY seq", [first]
    ).rows
    prev = bytes(rows[0][3])
    statements = []
    for seq, envelope, payload, _ in rows:
        text = envelope.encode()
        head = b"wnadmin-ledger-v1\0" + struct.pack(">q", seq) + prev + struct.pack(">q", len(text))
        h = hashlib.sha256(head + text + payload.encode()).digest()
        statements.append(
            f"UPDATE audit.operator_ledger SET prev = '\\x{prev.hex()}', h = '\\x{h.hex()}' WHERE seq = {seq}"
        )
        prev = h
    tamper(db, *statements)


def bad(db: Database, **more: Path) -> list[tuple[str, str]]:
    """What verification finds: check and object of everything that is not ok."""
    return [(one.id, one.object) for one in found(db, **more) if one.severity not in ("ok", "skipped")]


def found(db: Database, **more: Path) -> Sequence[Finding]:
    """All findings."""
    return audit.verify(db, anchor=more.get("anchor")).findings


def test_a_sound_ledger_is_proven(db: Database, target: Target, state: Path) -> None:
    fill(target)
    findings = found(db)
    assert {one.id: one.severity for one in findings} == {
        "ledger.link": "ok",
        "ledger.gap": "ok",
        "ledger.tail": "ok",
        "ledger.mirror": "ok",
        "ledger.guard": "ok",
        "ledger.unfinished": "ok",
        "spool.link": "ok",
    }
    assert "15 rows" in findings[0].detail


def test_the_server_and_the_program_hash_alike(db: Database, state: Path) -> None:
    texts = ['{"text":"é €𝄞"}', "", "\\x00 no JSON at all", "{}" * 5000]
    for text in texts:
        database.append(db.session, uuid4(), "read", text)
    entries = database.entries(db.session)[::-1]
    assert [one.payload for one in entries] == texts
    links = chain.check(entries)
    assert (links.seq, links.breaks) == (4, [])
    assert walk.Walk().run(db.session).links.h == links.h == entries[-1].h


def test_a_stream_cut_anywhere_gives_the_same_rows(db: Database, target: Target, state: Path) -> None:
    fill(target, 3)
    whole = b"".join(db.session.copy_out(stream.select()))
    expected = list(stream.cut(iter([memoryview(whole)])))
    assert len(expected) == 9
    for size in (1, 7, 19, 50, 333):
        pieces = (memoryview(whole[at : at + size]) for at in range(0, len(whole), size))
        assert list(stream.cut(pieces)) == expected


UPDATES: list[tuple[str, str, str]] = [
    ("payload = replace(payload, 'operator', 'somebody')", "ledger.link", "row 7"),
    ("envelope = replace(envelope, 'postgres', 'somebody')", "ledger.link", "row 7"),
    ("op_id = gen_random_uuid()", "ledger.link", "row 7"),
    ("phase = 'outcome'", "ledger.link", "row 7"),
    ("ts = ts - interval '1 microsecond'", "ledger.link", "row 7"),
    ("ts = 'infinity'", "ledger.link", "row 7"),
    ("h = sha256('x')", "ledger.link", "row 7"),
    ("prev = sha256('x')", "ledger.link", "row 7"),
]


@pytest.mark.parametrize(("change", "check", "row"), UPDATES)
def test_a_changed_row_is_named(db: Database, target: Target, state: Path, change: str, check: str, row: str) -> None:
    fill(target)
    tamper(db, f"UPDATE audit.operator_ledger SET {change} WHERE seq = 7")
    assert (check, row) in bad(db)
    assert next(one for one in found(db) if one.object == row).severity == "critical"


def test_a_row_with_its_hash_made_anew_breaks_the_next(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(db, "UPDATE audit.operator_ledger SET payload = replace(payload, 'operator', 'else') WHERE seq = 7")
    h = db.session.scalar(
        "SELECT sha256('wnadmin-ledger-v1' || '\\x00'::bytea || int8send(seq) || prev"
        " || int8send(octet_length(envelope)::bigint) || convert_to(envelope, 'UTF8') || convert_to(payload, 'UTF8'))"
        " FROM audit.operator_ledger WHERE seq = 7"
    )
    tamper(db, f"UPDATE audit.operator_ledger SET h = '\\x{bytes(h).hex()}' WHERE seq = 7")
    assert bad(db) == [("ledger.link", "row 8")]


def test_a_removed_row_is_named(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(db, "DELETE FROM audit.operator_ledger WHERE seq = 8")
    assert bad(db) == [("ledger.gap", "row 8")]


def test_several_removed_rows_and_the_first(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(db, forget(1), "DELETE FROM audit.operator_ledger WHERE seq IN (1, 7, 8)")
    rows = [one for one in found(db) if one.id == "ledger.gap"]
    assert [(one.object, one.detail.split(":")[0]) for one in rows] == [
        ("row 1", "row 1 is missing"),
        ("row 7", "rows 7 to 8 are missing"),
    ]


def test_a_cut_end_is_found_by_the_checkpoint_outside(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(db, forget(13), "DELETE FROM audit.operator_ledger WHERE seq >= 13")
    assert bad(db) == [("ledger.tail", "row 13")]
    (tail,) = [one for one in found(db) if one.id == "ledger.tail"]
    assert tail.severity == "critical"
    assert "rows 13 to 15 are missing" in tail.detail


def test_an_emptied_ledger_is_found(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(db, forget(1), "DELETE FROM audit.operator_ledger")
    assert bad(db) == [("ledger.tail", "row 1")]


def test_a_dropped_ledger_is_found(db: Database, target: Target, state: Path) -> None:
    fill(target)
    db.session.run("DROP TABLE audit.operator_ledger CASCADE")
    (gone,) = [one for one in found(db) if one.severity == "critical"]
    assert (gone.id, gone.object) == ("ledger.tail", "audit.operator_ledger")
    assert "15 rows" in gone.detail


def test_an_end_that_was_cut_and_grew_again_is_found(db: Database, target: Target, state: Path) -> None:
    fill(target)
    kept = next(iter((state / "checkpoints").iterdir()))
    before = kept.read_bytes()
    tamper(db, forget(13), "DELETE FROM audit.operator_ledger WHERE seq >= 13")
    fill_more(target)
    kept.write_bytes(before)
    assert bad(db) == [("ledger.tail", "row 15")]
    (tail,) = [one for one in found(db) if one.id == "ledger.tail"]
    assert "rows 13 to 15 were written anew" in tail.detail


def fill_more(target: Target) -> None:
    """Go on after a cut, two operations."""
    with Recorder.open(target, "queries reset") as recorder:
        for _ in range(2):
            op_id = uuid4()
            recorder.intent(op_id, PAYLOAD)
            recorder.outcome(op_id, {"status": "done"})


def test_a_rewritten_history_is_found_by_the_checkpoint(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(
        db, forget(1), "UPDATE audit.operator_ledger SET payload = replace(payload, 'operator', 'else') WHERE seq = 7"
    )
    rehash(db, 7)
    assert bad(db) == [("ledger.tail", "row 9")]
    (tail,) = [one for one in found(db) if one.id == "ledger.tail"]
    assert "rows 7 to 9 were written anew" in tail.detail


def test_a_rewritten_history_contradicts_the_mirror_too(db: Database, target: Target, state: Path) -> None:
    fill(target)
    tamper(db, "UPDATE audit.operator_ledger SET payload = replace(payload, 'operator', 'else') WHERE seq = 7")
    rehash(db, 7)
    assert [one for one in bad(db) if one[0] == "ledger.mirror"] == [
        ("ledger.mirror", "row 9"),
        ("ledger.mirror", "row 12"),
        ("ledger.mirror", "row 15"),
    ]


def test_without_a_checkpoint_the_end_is_unproven(db: Database, target: Target, state: Path) -> None:
    fill(target)
    kept = next(iter((state / "checkpoints").iterdir()))
    away = kept.rename(state / "copy.txt")
    (unproven,) = [one for one in found(db) if one.severity not in ("ok", "skipped")]
    assert (unproven.id, unproven.severity, unproven.evidence) == ("ledger.unproven", "unknown", "partial")
    assert bad(db, anchor=away) == []
    kept.mkdir()
    assert bad(db) == [("ledger.unproven", "")]


def test_a_checkpoint_file_of_another_ledger_proves_nothing(db: Database, target: Target, state: Path) -> None:
    fill(target)
    kept = next(iter((state / "checkpoints").iterdir()))
    kept.write_bytes(kept.read_bytes().replace(b"wnadmin-ledger/", b"wnadmin-ledger/9"))
    assert [one[0] for one in bad(db)] == ["ledger.unproven"]


def test_the_checkpoint_file_survives_a_torn_write(db: Database, target: Target, state: Path) -> None:
    fill(target)
    kept = next(iter((state / "checkpoints").iterdir()))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_bytes(kept.read_bytes()[:-20])
    fill_more(target)
    presence = database.present(db.session)
    anchor = checkpoint.read(presence.origin, kept)
    assert anchor is not None
    assert [one.seq for one in anchor.checkpoints] == [3, 6, 9, 12, 17, 19]
    assert anchor.damaged == 1
    assert [(one.id, one.severity) for one in found(db) if one.severity != "ok"] == [("ledger.checkpoint", "warn")]


def test_the_checkpoint_has_the_form_of_a_c2sp_body(db: Database, target: Target, state: Path) -> None:
    import base64

    fill(target, 1)
    kept = next(iter((state / "checkpoints").iterdir()))
    presence = database.present(db.session)
    h = database.entries(db.session, limit=1)[0].h
    origin = f"wnadmin-ledger/{presence.system_identifier}/{presence.database_oid}"
    assert kept.read_text() == f"{origin}\n3\n{base64.b64encode(h).decode()}\n\n"


GUARDS: dict[str, Callable[[Server, str], str]] = {
    "audit.operator_ledger": lambda server, name: "GRANT INSERT ON audit.operator_ledger TO wondernest_operator",
    "audit.ledger_checkpoints": lambda server, name: "GRANT UPDATE (note) ON audit.ledger_checkpoints TO PUBLIC",
    "audit.ledger_append": lambda server, name: "ALTER FUNCTION audit.ledger_append RESET ALL",
    "audit.ledger_checkpoint": lambda server, name: "GRANT EXECUTE ON FUNCTION audit.ledger_checkpoint TO PUBLIC",
    "audit.ledger_remove_sealed": lambda server, name: "ALTER FUNCTION audit.ledger_remove_sealed OWNER TO postgres",
}


@pytest.mark.parametrize("thing", GUARDS)
def test_a_protection_taken_away_is_found(
    db: Database, target: Target, state: Path, server: Server, thing: str
) -> None:
    fill(target)
    db.session.run(GUARDS[thing](server, target.database()))
    assert bad(db) == [("ledger.guard", thing)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit.operator_ledger DISABLE TRIGGER operator_ledger_append_only",
        "ALTER TABLE audit.operator_ledger ENABLE TRIGGER operator_ledger_append_only",
        "ALTER TABLE audit.operator_ledger ENABLE REPLICA TRIGGER operator_ledger_no_truncate",
        "DROP TRIGGER operator_ledger_no_truncate ON audit.operator_ledger",
        "ALTER TABLE audit.operator_ledger OWNER TO postgres",
        "CREATE RULE no AS ON INSERT TO audit.operator_ledger DO INSTEAD NOTHING",
    ],
)
def test_a_weakened_table_is_found(db: Database, target: Target, state: Path, statement: str) -> None:
    fill(target)
    db.session.run(statement)
    assert ("ledger.guard", "audit.operator_ledger") in bad(db)


def test_the_triggers_hold_in_replica_mode_too(db: Database, target: Target, state: Path) -> None:
    from wnadmin.errors import WnError

    fill(target, 1)
    db.session.run("SET session_replication_role = replica")
    for statement in (
        "UPDATE audit.operator_ledger SET payload = ''",
        "DELETE FROM audit.operator_ledger",
        "TRUNCATE audit.operator_ledger CASCADE",
        "DELETE FROM audit.ledger_checkpoints",
    ):
        with pytest.raises(WnError, match="append-only"):
            db.session.run(statement)


def test_a_login_that_may_not_read_gets_unknown_and_the_grant(
    server: Server, db: Database, target: Target, state: Path
) -> None:
    fill(target)
    db.session.run("CREATE ROLE ledger_stranger LOGIN")
    try:
        with server.session(target.database(), "ledger_stranger") as session:
            findings = audit.verify(Database(session)).findings
    finally:
        db.session.run("DROP ROLE ledger_stranger")
    (link,) = [one for one in findings if one.id == "ledger.link"]
    assert (link.severity, link.evidence) == ("unknown", "none")
    assert link.remediation == 'GRANT wondernest_operator TO "ledger_stranger";'
    (ended,) = [one for one in findings if one.id == "ledger.unfinished"]
    assert (ended.severity, ended.evidence) == ("unknown", "partial")


def test_no_login_of_a_program_is_to_become_an_operator(server: Server, db: Database, state: Path) -> None:
    words = "Log in as a member of wondernest_operator."
    presence = database.present(db.session)
    assert {gather.remedy(replace(presence, login=one)) for one in LOGIN_ROLES} == {words}
    with server.session(db.name, "wondernest_app") as session:
        hidden = Database(session)
        texts = [one.remediation for one in audit.verify(hidden).findings if one.id == "ledger.link"]
        texts += [*audit.log(hidden).notes, *audit.unfinished(hidden).notes]
    assert [one[-len(words) :] for one in texts] == [words] * 3


def test_without_a_server_only_the_spool_is_vouched_for(state: Path) -> None:
    findings = audit.verify(None).findings
    assert [(one.id, one.severity) for one in findings] == [
        ("ledger.link", "unknown"),
        ("spool.link", "ok"),
        ("ledger.unfinished", "unknown"),
    ]
    assert findings[1].detail == "the spool is empty; its end is proven only by a ledger"


def test_a_database_without_the_ledger(server: Server, empty_db: str, state: Path) -> None:
    with server.session(empty_db) as session:
        findings = audit.verify(Database(session)).findings
    severities = {one.id: one.severity for one in findings}
    assert severities == {"ledger.link": "skipped", "spool.link": "ok", "ledger.unfinished": "skipped"}


def test_a_checkpoint_that_cannot_be_written_is_told_and_undoes_nothing(
    db: Database, target: Target, state: Path
) -> None:
    state.mkdir(mode=0o700)
    os.mkfifo(state / "checkpoints")
    op_id = uuid4()
    with Recorder.open(target, "queries reset") as recorder:
        recorder.intent(op_id, PAYLOAD)
        recorded = recorder.outcome(op_id, {"status": "done"})
    assert recorded.sink == "database"
    assert "without its checkpoint" in recorded.where
    assert ("ledger.unproven", "") in bad(db)
