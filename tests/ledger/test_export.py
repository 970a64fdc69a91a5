"""`audit export`: what is in the file is what is in the table, or there is no file."""

from __future__ import annotations

import fcntl
import json
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backup.support import limited
from tests.ledger.samples import bad, carry_out, fill, killed, proven, unfinished
from tests.standby import catch_up, standby
from tests.support import Cli, Server
from wnadmin.domain import audit
from wnadmin.domain.audit import export as exporting
from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.ledger import export
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import connect
from wnadmin.postgres.target import Target

__all__ = ["standby"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where exports go."""
    path = tmp_path / "exports"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def one(db: Database, target: Target, state: Path, folder: Path) -> Path:
    """An export of twelve rows."""
    fill(target, 4)
    carry_out(exporting.plan(db, folder, {}))
    (path,) = folder.iterdir()
    return path


def test_the_file_is_the_table(db: Database, one: Path) -> None:
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in one.read_text().splitlines()]
    rows = db.session.run("SELECT seq, op_id, phase, envelope, payload, prev, h FROM audit.operator_ledger").rows
    assert [
        (row["seq"], row["op_id"], row["phase"], row["envelope"], row["payload"], row["prev"], row["h"])
        for row in lines[1:-1]
    ] == [
        (seq, str(op_id), phase, envelope, payload, bytes(prev).hex(), bytes(h).hex())
        for seq, op_id, phase, envelope, payload, prev, h in rows
    ]
    stamps = db.session.run("SELECT ts FROM audit.operator_ledger ORDER BY seq").rows
    assert [row["ts"] for row in lines[1:-1]] == [f"{ts:%Y-%m-%dT%H:%M:%S.%f}Z" for (ts,) in stamps]
    assert (lines[0]["from"], lines[0]["through"], lines[0]["kind"], lines[-1]["end"]) == (1, 12, "export", True)
    found = audit.verify(db, exports=[one]).findings
    assert [(each.id, each.severity, each.object) for each in found[-3:]] == [
        ("export.link", "ok", str(one)),
        ("export.signature", "ok", str(one)),
        ("export.ledger", "ok", str(one)),
    ]


def test_a_command_checks_does_and_has_done(
    db: Database, target: Target, cli: Cli, server: Server, folder: Path
) -> None:
    here = Cli(cli.folder, server.dsn(db.name))
    fill(target, 2, state=here.state)
    words = ["audit", "export", "--to", str(folder), "--through", "6"]
    assert here.run(*words, "--check").code == 3
    assert list(folder.iterdir()) == []
    ran = here.run(*words, "--yes", "--format", "json")
    assert (ran.code, ran.json()["status"]) == (0, "done")
    assert [each["severity"] for each in ran.json()["proof"]] == ["ok"]
    (path,) = folder.iterdir()
    assert path.name.endswith("-000000001-000000006.jsonl")
    again = here.run(*words, "--check", "--format", "json")
    assert (again.code, again.json()["status"]) == (0, "nothing")
    further = here.run("audit", "export", "--to", str(folder), "--check")
    assert further.code == 0, "what came since is its own export"
    assert "but those of its own export" in further.out
    fill(target, 1, state=here.state)
    assert here.run("audit", "export", "--to", str(folder), "--yes").code == 0
    first, second = sorted(folder.iterdir())
    assert first == path
    assert json.loads(second.read_text().splitlines()[0])["from"] == 7
    words = ["audit", "verify", "--export", str(first), "--export", str(second)]
    assert here.run(*words).code == 0


def test_a_chain_that_does_not_hold_is_not_exported(db: Database, target: Target, state: Path, folder: Path) -> None:
    from tests.ledger.test_verify import tamper

    fill(target, 4)
    changes = {
        "UPDATE audit.operator_ledger SET payload = replace(payload, 'operator', 'else') WHERE seq = 7": (
            "row 7 of the ledger was changed: its envelope and payload do not give its hash"
        ),
        "UPDATE audit.operator_ledger SET prev = sha256('x') WHERE seq = 6": (
            "row 6 of the ledger does not follow from the row before it"
        ),
        "UPDATE audit.operator_ledger SET phase = 'read' WHERE seq = 5": (
            "row 5 of the ledger was changed: phase is not the one in its payload"
        ),
        "DELETE FROM audit.operator_ledger WHERE seq = 4": "row 4 of the ledger is missing",
    }
    for change, what in changes.items():
        tamper(db, change)
        with connect(db.session.target, command="tests") as session, pytest.raises(Failed) as caught:
            # An export that is broken off ends its session.
            carry_out(exporting.plan(Database(session), folder, {}))
        assert caught.value.what == what
        assert list(folder.iterdir()) == []


Edit = Callable[[list[bytes]], list[bytes]]


def swap(lines: list[bytes], at: int, old: bytes, new: bytes) -> list[bytes]:
    """Change one line."""
    assert old in lines[at]
    return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]


EDITS: dict[str, tuple[Edit, str]] = {
    "payload": (
        lambda lines: swap(lines, 7, b"operator", b"somebody"),
        "line 8: row 7 was changed: its envelope and payload do not give its hash",
    ),
    "op_id": (
        lambda lines: swap(lines, 7, b'"op_id":"', b'"op_id":"00000000-0000-4000-8000-000000000000","x":"'),
        "line 8: row 7 was changed: op_id is not the one in its payload",
    ),
    "phase": (lambda lines: swap(lines, 4, b'"phase":"intent","prev"', b'"phase":"read","prev"'), "line 5: row 4 was"),
    "no phase": (lambda lines: swap(lines, 4, b'"phase":"intent","prev"', b'"phase":"x","prev"'), "line 5: row 4 has"),
    "time": (lambda lines: swap(lines, 2, b'"ts":"20', b'"ts":"19'), "line 3: row 2 was changed: ts is not the one"),
    "prev": (lambda lines: swap(lines, 5, b'"prev":"', b'"prev":"00'), "line 6: row 5 is not there"),
    "removed": (lambda lines: [*lines[:6], *lines[7:]], "line 7: row 7 stands where row 6 should"),
    "twice": (lambda lines: [*lines[:6], *lines[5:]], "line 7: row 5 stands where row 6 should"),
    "turned": (lambda lines: [*lines[:6], lines[7], lines[6], *lines[8:]], "line 7: row 7 stands where row 6 should"),
    "garbage": (lambda lines: [*lines[:6], b"[" * 100_000 + b"\n", *lines[7:]], "line 7: row 6 is not there"),
    "inserted": (lambda lines: [*lines[:-1], b"{}\n", lines[-1]], "line 14: something stands after row 12"),
    "cut": (lambda lines: lines[:8], "its end: its end is missing: it was cut short"),
    "cut in a line": (lambda lines: [*lines[:8], lines[8][:50]], "its end: its end is missing: it was cut short"),
    "cut in the end": (lambda lines: [*lines[:-1], lines[-1][:-1]], "its end: its end is missing"),
    "signature": (
        lambda lines: swap(lines, 13, b'"value":"', b'"value":"AA'),
        "its end: its end is not what was signed",
    ),
    "end": (lambda lines: swap(lines, 13, b'"through":12', b'"through":11'), "line 1: its end speaks of other rows"),
    "database": (lambda lines: swap(lines, 0, b'"database":"', b'"database":"x'), "line 1: its end speaks of other"),
    "time of making": (
        lambda lines: swap(lines, 0, b'"made_at":"20', b'"made_at":"19'),
        "its end: its rows or its head",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_is_refused_with_the_place(one: Path, state: Path, edit: str) -> None:
    change, where = EDITS[edit]
    one.write_bytes(b"".join(change(one.read_bytes().splitlines(keepends=True))))
    with pytest.raises(Refused) as caught:
        read(one)
    assert caught.value.what.startswith(f"{one} does not hold at {where}")
    assert caught.value.next == "Get another copy of it. Nothing was taken from this one."
    (said,) = [each for each in audit.verify(None, exports=[one]).findings if each.id == "export.link"]
    assert (said.severity, said.detail) == ("critical", caught.value.what)


def read(path: Path) -> int:
    """Read a file to its end; gives the rows."""
    found = export.look(path)
    assert found is not None
    return sum(1 for _ in export.rows(found))


def test_no_byte_can_be_changed_or_missing(one: Path, state: Path, tmp_path: Path) -> None:
    whole = one.read_bytes()
    assert read(one) == 12
    copy = tmp_path / "copy.jsonl"
    for at in range(0, len(whole), 97):
        for data in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at]):
            copy.write_bytes(data)
            try:
                found = export.look(copy)
            except Refused:
                continue
            if found is not None:
                with pytest.raises(Refused):
                    read(copy)


def test_what_is_no_export(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "x.jsonl"
    for text in ("", "{}\n", "[1]\n", '{"schema":"wnadmin/backup/1"}\n', "\x00" * 100):
        path.write_text(text)
        assert export.look(path) is None
    with pytest.raises(UsageError, match="cannot read"):
        export.look(tmp_path / "nothing")
    with pytest.raises(UsageError, match="cannot read"):
        export.look(tmp_path)


def test_a_name_is_taken_once(db: Database, target: Target, state: Path, folder: Path, one: Path) -> None:
    before = one.read_bytes()
    one.write_bytes(before[:-100])
    with pytest.raises(Refused) as caught:
        exporting.plan(db, folder, {}, first=1, through=12)
    assert caught.value.what == f"{one} exists already"
    one.unlink()
    draft = one.with_name(f".{one.name}.partial")
    draft.write_text("what a killed run left")
    with draft.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Refused) as caught:
            carry_out(exporting.plan(db, folder, {}))
        assert caught.value.what == f"{one} is being written right now"
        assert draft.exists(), "it is another process's"
    plan = exporting.plan(db, folder, {})
    carry_out(plan)
    assert proven(plan) == []
    assert [each.name for each in folder.iterdir()] == [one.name]


def test_a_full_disk_leaves_nothing(db: Database, target: Target, cli: Cli, server: Server, folder: Path) -> None:
    here = Cli(cli.folder, server.dsn(db.name))
    fill(target, 40, state=here.state)
    ran = limited(here, 40_000, "audit", "export", "--to", str(folder), "--yes")
    assert ran.code == 1
    assert "cannot write" in ran.out
    assert list(folder.iterdir()) == []


def test_what_cannot_be_exported(db: Database, server: Server, target: Target, state: Path, folder: Path) -> None:
    with pytest.raises(UsageError) as empty:
        exporting.plan(db, folder, {}, first=1)
    assert empty.value.why == "It is empty."
    assert exporting.plan(db, folder, {}).steps == ()
    fill(target, 1)
    for first, through in ((4, None), (2, 9), (3, 2)):
        with pytest.raises(UsageError, match=f"the ledger has no rows {first} to"):
            exporting.plan(db, folder, {}, first=first, through=through)
    with pytest.raises(Refused) as nowhere:
        exporting.plan(db, folder / "no", {})
    assert nowhere.value.next == f"mkdir -m 700 {folder / 'no'}"
    with server.session(db.name, "wondernest_app") as session, pytest.raises(Refused) as hidden:
        exporting.plan(Database(session), folder, {})
    assert hidden.value.what == "wondernest_app may not read the operator ledger"
    assert hidden.value.next == "Log in as a member of wondernest_operator."
    with server.session() as session, pytest.raises(Refused, match="the ledger is not installed in postgres"):
        exporting.plan(Database(session), folder, {})


def test_an_operator_may_export(db: Database, server: Server, target: Target, state: Path, folder: Path) -> None:
    fill(target, 1)
    db.session.run("CREATE ROLE ledger_person LOGIN IN ROLE wondernest_operator")
    try:
        with server.session(db.name, "ledger_person") as session:
            plan = exporting.plan(Database(session), folder, {})
            carry_out(plan)
            assert proven(plan) == []
    finally:
        db.session.run("DROP ROLE ledger_person")


def test_after_a_restore_it_begins_anew(db: Database, target: Target, state: Path, folder: Path, one: Path) -> None:
    from tests.ledger.test_verify import forget, tamper

    tamper(db, forget(8), "DELETE FROM audit.operator_ledger WHERE seq >= 8")
    fill(target, 3)
    plan = exporting.plan(db, folder, {})
    assert plan.inputs["from"] == 1, "what the file holds is not this chain any more"
    carry_out(plan)
    assert proven(plan) == []


def test_on_a_standby(server: Server, standby: Server, target: Target, cli: Cli, folder: Path) -> None:
    there = Cli(cli.folder, standby.dsn(str(target.parameters["dbname"])))
    fill(target, 2, state=there.state)
    catch_up(server, standby)
    ran = there.run("audit", "export", "--to", str(folder), "--yes", "--format", "json")
    assert ran.code == 0, ran.err
    assert ran.json()["recorded"].startswith("spool #3 (this server is a standby)")
    (path,) = folder.iterdir()
    with standby.session(str(target.parameters["dbname"])) as session:
        assert [
            each for each in bad(Database(session), exports=[path], state=there.state) if each[0].startswith("export")
        ] == []


@pytest.mark.parametrize("place", ["wnadmin.ledger.keys:sign", "wnadmin.ledger.exporter:_publish"])
def test_killed_in_the_middle_and_resumed(
    server: Server, db: Database, target: Target, cli: Cli, folder: Path, place: str
) -> None:
    here = Cli(cli.folder, server.dsn(db.name))
    fill(target, 3, state=here.state)
    killed(here, place, 1, "audit", "export", "--to", str(folder), "--yes")
    fill(target, 1, state=here.state)
    resumed = here.run("audit", "resume", unfinished(here), "--yes", "--format", "json")
    assert (resumed.code, resumed.json()["schema"]) == (0, "wnadmin/audit-export/1"), resumed.err
    (path,) = folder.iterdir()
    assert path.name == _name(db, 9), "the rows that were chosen then, not those that came since"
    assert here.run("audit", "verify", "--export", str(path)).code == 0


def _name(db: Database, through: int) -> str:
    from wnadmin.ledger import database

    origin = database.present(db.session).origin
    return export.Head("export", origin, db.name, 1, through, bytes(32)).name


def test_resumed_elsewhere_it_writes_where_it_began(db: Database, target: Target, state: Path, folder: Path) -> None:
    fill(target, 2)
    first = exporting.plan(db, folder, {}, through=3)
    fill(target, 1)
    again = exporting.plan(db, Path("elsewhere"), first.inputs)
    carry_out(again)
    assert [each.name for each in folder.iterdir()] == [_name(db, 3)]
    assert again.inputs == first.inputs


def test_the_signature_is_by_whoever_exported(db: Database, one: Path, state: Path) -> None:
    found = export.look(one)
    assert found is not None
    assert found.verdict.good
    assert found.verdict == replace(found.verdict, trust="good")
    (state / "ledger-keys" / f"{found.verdict.key}.pub").unlink()
    # This user's own checkpoint has its last row, which proves as much.
    assert bad(db, exports=[one]) == []
    for kept in (state / "checkpoints").iterdir():
        kept.unlink()
    unknown = [each for each in audit.verify(db, exports=[one]).findings if each.id == "export.signature"]
    assert [(each.severity, each.detail) for each in unknown] == [
        (
            "unknown",
            f"nothing known here proves that it is genuine: Key {found.verdict.key} is not trusted here",
        )
    ]


def test_the_file_can_be_proven_with_common_tools(one: Path) -> None:
    lines = one.read_bytes().splitlines(keepends=True)
    done = subprocess.run(["sha256sum"], input=b"".join(lines[:-1]), capture_output=True, check=True)
    assert json.loads(lines[-1])["sha256"] == done.stdout.split()[0].decode()
