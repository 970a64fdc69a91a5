"""The ledger of a restored database: what was recorded since the dump is joined, and what is lost is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.backup.support import create, databases
from tests.ledger.samples import INTENT, bad, carry_out, fill, found, head, killed, unfinished
from tests.ledger.test_verify import forget, tamper
from tests.support import Cli, Ran, Server
from wnadmin.domain import audit
from wnadmin.domain.audit import continuity
from wnadmin.domain.audit import export as exporting
from wnadmin.domain.audit.continuity import Continued, Former
from wnadmin.errors import Failed, Refused
from wnadmin.ledger import checkpoint, database
from wnadmin.ledger.operations import operations
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import connect
from wnadmin.postgres.target import Target


@dataclass(frozen=True, slots=True)
class Life:
    """A ledger of 21 rows, a database that was just restored from it at row 12, and a folder for exports."""

    source: Target
    former: Former
    db: Database
    folder: Path


@pytest.fixture
def life(server: Server, fresh_db: str, state: Path, tmp_path: Path) -> Iterator[Life]:
    """Make both, with what the sidecar of a backup says."""
    source = server.target(fresh_db)
    fill(source, 4)
    with connect(source, command="tests") as session:
        presence = database.present(session)
    since = datetime.now(UTC)
    name = server.create(fresh_db)
    fill(source, 3)
    folder = tmp_path / "backups"
    folder.mkdir()
    former = Former(presence.system_identifier, presence.database_name, since, {"sha256": "5" * 64})
    with server.session(name) as session:
        yield Life(source, former, Database(session), folder)
    server.drop(name)


def export(life: Life, first: int | None = None, through: int | None = None) -> Path:
    """Export the source; gives the newest file."""
    with connect(life.source, command="tests") as session:
        carry_out(exporting.plan(Database(session), life.folder, {}, first=first, through=through))
    return max(life.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def go_on(life: Life, restore: str = "a restore", **more: object) -> Continued:
    """Go on with the ledger of the restored database."""
    return continuity.after_restore(life.db.session, life.former, token=restore, **more)  # type: ignore[arg-type]


def said(db: Database) -> tuple[str, str]:
    """What verification says about the one restore."""
    (one,) = found(db, "ledger.restored")
    return one.severity, one.detail


def payload(db: Database) -> dict[str, object]:
    """The row that says where the database came from."""
    text = db.session.scalar("SELECT payload FROM audit.operator_ledger WHERE payload LIKE '%%\"restored_from\":{%%'")
    value: dict[str, object] = json.loads(text)
    return value


def test_an_export_in_the_folder_joins(life: Life) -> None:
    path = export(life)
    done = go_on(life, folders=[life.folder])
    assert done == Continued(9, 0, "the ledger goes on after row 12; 9 rows recorded since the dump were joined", ())
    assert head(life.db) == 12 + 1 + 9
    assert bad(life.db) == []
    severity, detail = said(life.db)
    assert (severity, detail.rpartition(", signed by ")[0]) == (
        "ok",
        f"row 13: restored from {life.former.database}, after row 12; rows 13 to 21 of its ledger were joined",
    )
    (known,) = [one for one in audit.verify(life.db, exports=[path]).findings if one.id == "export.ledger"]
    assert known.severity == "ok"


def test_named_exports_in_pieces(life: Life) -> None:
    paths = [export(life, 1, 10), export(life, 11, 17), export(life, 17, 21)]
    with pytest.raises(Refused) as gap:
        go_on(life, exports=[paths[0], paths[2]])
    assert gap.value.what == "rows 11 to 16 are missing between the exports"
    assert head(life.db) == 12, "nothing is begun with files that do not fit"
    assert go_on(life, exports=paths[1:]).rows == 9
    assert bad(life.db) == []


def test_without_an_export_a_signed_row_says_what_is_lost(life: Life) -> None:
    done = go_on(life, folders=[life.folder])
    assert (done.rows, done.lost) == (0, 9)
    assert done.words == (
        "the ledger goes on after row 12; nothing recorded since was found; 9 more are known to have been, and are lost"
    )
    assert bad(life.db) == []
    severity, detail = said(life.db)
    assert severity == "skipped"
    assert detail.startswith(
        f"row 13: restored from {life.former.database}, after row 12; rows 13 to 21 of its ledger are lost, as "
    )
    facts = payload(life.db)["restored_from"]
    assert isinstance(facts, dict)
    assert (facts["sha256"], facts["database"]) == ("5" * 64, life.former.database)
    assert facts["ledger"]["known"]["seq"] == 21


def test_an_export_of_a_part_leaves_the_rest_lost(life: Life) -> None:
    done = go_on(life, exports=[export(life, 1, 18)])
    assert (done.rows, done.lost) == (6, 3)
    assert "rows 13 to 18 of its ledger were joined; rows 19 to 21 of its ledger are lost" in said(life.db)[1]
    assert bad(life.db) == []


def test_nothing_known_is_nothing_lost(life: Life, state: Path, tmp_path: Path) -> None:
    """On another machine there are no checkpoints of the former ledger: nobody can say how far it went."""
    elsewhere = tmp_path / "elsewhere"
    done = go_on(life, state=elsewhere)
    assert done == Continued(0, 0, "the ledger goes on after row 12; nothing recorded since was found", ())
    assert bad(life.db, state=elsewhere) == []
    ledger = payload(life.db)["restored_from"]
    assert isinstance(ledger, dict)
    assert (ledger["ledger"]["chain"], ledger["ledger"]["known"]) == ("", None)


def test_the_same_place_again(life: Life, state: Path) -> None:
    """The restored database has the name that the checkpoints outside know: what they know is excused, and no more."""
    presence = database.present(life.db.session)
    with connect(life.source, command="tests") as session:
        origin = database.present(session).origin
    here, there = checkpoint.file_of(presence.origin, state), checkpoint.file_of(origin, state)
    here.write_bytes(there.read_bytes().replace(origin.encode(), presence.origin.encode()))
    there.unlink()
    here.chmod(0o600)
    assert [one for one, _ in bad(life.db)] == ["ledger.tail"]
    assert go_on(life).lost == 9
    assert bad(life.db) == []
    target = life.db.session.target
    fill(target, 3)
    assert bad(life.db) == []
    tamper(life.db, forget(17), "DELETE FROM audit.operator_ledger WHERE seq >= 17")
    assert bad(life.db) == [("ledger.tail", "row 17")]


def test_rows_of_the_spool_since_the_dump_join(life: Life, server: Server) -> None:
    ids = [uuid4(), uuid4()]
    with Recorder.open(life.source.as_role("wondernest_app"), "queries reset") as recorder:
        assert recorder.intent(ids[0], INTENT).sink == "spool"
        recorder.outcome(ids[0], {"status": "done"})
    with Recorder.open(server.target("postgres"), "server start") as recorder:
        assert recorder.intent(ids[1], INTENT).sink == "spool"
    export(life)
    done = go_on(life, folders=[life.folder])
    assert done.rows == 9 + 2
    joined = life.db.session.run(
        'SELECT op_id, phase FROM audit.operator_ledger WHERE payload LIKE \'%%"at":"spool/%%\' ORDER BY seq'
    ).rows
    assert joined == ((ids[0], "intent"), (ids[0], "outcome"))
    assert bad(life.db) == []


def test_what_does_not_hold_or_fit_is_left_out_with_its_reason(
    life: Life, server: Server, template: str, tmp_path: Path
) -> None:
    path = export(life)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    done = go_on(life, folders=[life.folder])
    assert done.left_out == (f"{path} does not hold at its end: its end is missing: it was cut short",)
    assert (done.rows, done.lost) == (0, 9)
    path.write_bytes(whole.replace(b"operator", b"somebody", 1))
    with pytest.raises(Refused, match="does not hold at"):
        go_on(life, "another", exports=[path])


@pytest.mark.parametrize("edit", [lambda text: text.replace(b"operator", b"somebody", 1), lambda text: text[:-40]])
def test_an_edited_export_in_the_folder_is_not_joined(life: Life, edit: Callable[[bytes], bytes]) -> None:
    path = export(life)
    path.write_bytes(edit(path.read_bytes()))
    done = go_on(life, folders=[life.folder])
    assert (done.rows, len(done.left_out), head(life.db)) == (0, 1, 13)
    assert bad(life.db) == []


def test_an_export_by_an_unknown_key(life: Life, state: Path, tmp_path: Path) -> None:
    path = export(life)
    elsewhere = tmp_path / "elsewhere"
    done = go_on(life, "first", folders=[life.folder], state=elsewhere)
    assert (done.rows, len(done.left_out)) == (0, 1)
    assert "is not trusted here" in done.left_out[0]
    with pytest.raises(Refused, match="nothing known here proves"):
        go_on(life, "second", exports=[path], state=elsewhere)


def test_rows_of_another_database_are_refused(life: Life, server: Server, template: str, tmp_path: Path) -> None:
    name = server.create(template)
    try:
        fill(server.target(name), 2)
        other = tmp_path / "other"
        other.mkdir()
        with server.session(name) as session:
            carry_out(exporting.plan(Database(session), other, {}))
    finally:
        server.drop(name)
    with pytest.raises(Refused, match="holds rows of another database"):
        go_on(life, exports=[other])
    # In a folder that is only searched it is no business of this one.
    done = go_on(life, folders=[other])
    assert (done.rows, done.lost, done.left_out) == (0, 9, ())


def test_what_is_no_export_is_refused_when_it_is_named(life: Life, tmp_path: Path) -> None:
    odd = tmp_path / "odd.jsonl"
    odd.write_text("{}\n")
    with pytest.raises(Refused) as caught:
        go_on(life, exports=[odd])
    assert caught.value.what == f"{odd} is no export of a ledger"


def test_stopped_and_called_again(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from wnadmin.domain.audit import join

    monkeypatch.setattr(join, "_ROWS", 3)
    export(life)
    with pytest.raises(Failed, match="stopped after 3 of 9 rows"):
        go_on(life, folders=[life.folder], stopping=lambda: True)
    severity, detail = said(life.db)
    assert severity == "warn"
    assert detail.startswith(f"row 13: restored from {life.former.database}, after row 12: not all rows of ")
    assert detail.endswith(" that it names are joined yet")
    fill(life.db.session.target, 1)
    done = go_on(life, folders=[life.folder])
    assert (done.rows, done.lost) == (6, 0)
    assert bad(life.db) == []
    again = go_on(life, folders=[life.folder])
    assert (again.rows, len(found(life.db, "ledger.restored"))) == (0, 1)


def test_it_ends_what_the_dump_caught_halfway(life: Life) -> None:
    halfway = [uuid4(), uuid4()]
    with Recorder.open(life.db.session.target, "backup create") as recorder:
        for one in halfway:
            recorder.intent(one, {**INTENT, "command": "backup create"})
    go_on(life, ends=halfway)
    assert bad(life.db) == []
    ended = life.db.session.run("SELECT op_id FROM audit.operator_ledger WHERE payload LIKE '%%restored_from%%'").rows
    assert [one for (one,) in ended] == halfway


def test_a_database_without_a_ledger(server: Server, empty_db: str, life: Life) -> None:
    with server.session(empty_db) as session:
        assert continuity.after_restore(session, life.former, token="x") == Continued()


def test_into_a_ledger_without_a_row(server: Server, template: str, state: Path, tmp_path: Path) -> None:
    """The dump was taken before anything was recorded; all that came since is in an export."""
    source, restored = server.create(template), server.create(template)
    try:
        fill(server.target(source), 2)
        folder = tmp_path / "exports"
        folder.mkdir()
        with server.session(source) as session:
            carry_out(exporting.plan(Database(session), folder, {}))
            presence = database.present(session)
        former = Former(presence.system_identifier, source, datetime.now(UTC), {})
        with server.session(restored) as session:
            done = continuity.after_restore(session, former, token="x", folders=[folder])
            assert (done.rows, done.lost) == (6, 0)
            assert bad(Database(session)) == []
            again = continuity.after_restore(session, former, token="x", folders=[folder])
            assert again.rows == 0
    finally:
        server.drop(source)
        server.drop(restored)


def test_a_copy_of_a_copy(life: Life, server: Server) -> None:
    """What was restored is dumped and restored again: its row is then a row like others, and the new one is judged."""
    export(life)
    go_on(life, folders=[life.folder])
    presence = database.present(life.db.session)
    target = life.db.session.target
    name = life.db.name
    life.db.session.close()
    second = server.create(name)
    try:
        fill(target, 1)
        former = Former(presence.system_identifier, name, datetime.now(UTC), {})
        with server.session(second) as session:
            done = continuity.after_restore(session, former, token="second")
            assert (done.rows, done.lost) == (0, 3)
            db = Database(session)
            assert bad(db) == []
            assert [one.severity for one in found(db, "ledger.restored")] == ["ok", "skipped"]
    finally:
        server.drop(second)


def test_proof_says_what_does_not_hold(life: Life) -> None:
    export(life)
    go_on(life, folders=[life.folder])
    assert {one.id: one.severity for one in continuity.proof(life.db.session)} == {
        "ledger.link": "ok",
        "ledger.gap": "ok",
        "ledger.tail": "ok",
        "ledger.restored": "ok",
        "ledger.joined": "ok",
    }
    change = "payload = replace(payload, 'operator', 'else')"
    tamper(life.db, f"UPDATE audit.operator_ledger SET {change} WHERE seq = 4")
    assert [one.object for one in continuity.proof(life.db.session) if one.severity == "critical"] == ["row 4"]


def test_ids_stay_what_they_were(life: Life) -> None:
    with connect(life.source, command="tests") as session:
        before: set[UUID] = {one.op_id for one in database.entries(session)}
    export(life)
    go_on(life, folders=[life.folder])
    after = {one.op_id for one in database.entries(life.db.session)}
    assert before < after
    assert len(after) == len(before) + 1


# The command, with a real dump.


@pytest.fixture(scope="module")
def backed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, str, Path]]:
    """A database with a backup, and what was done in it since: a change, and one that only the spool has."""
    name = server.create()
    cli = Cli(tmp_path_factory.mktemp("backed"), server.dsn(name))
    assert cli.run("setup", "apply", "--yes", "--months", "3").code == 0
    folder = cli.folder / "backups"
    folder.mkdir()
    fill(server.target(name), 2, state=cli.state)
    dump = create(cli, folder)
    fill(server.target(name), 2, state=cli.state)
    with Recorder.open(server.target(name, "wondernest_app"), "queries reset", state=cli.state) as recorder:
        assert recorder.read(uuid4(), INTENT).sink == "spool"
    yield cli, name, dump
    server.drop(name)


@pytest.fixture
def again(server: Server) -> Iterator[str]:
    """A name for the restored database."""
    name = f"again_{uuid4().hex[:8]}"
    yield name
    server.drop(name)


def restore(backed: tuple[Cli, str, Path], server: Server, into: str, *words: str, code: int = 0) -> Ran:
    """Restore the backup into a new database."""
    argv = ["backup", "restore", str(backed[2]), "--into", into, "--create", "--yes", *words]
    ran = backed[0].run(*argv, "--format", "json", "--dsn", server.dsn("postgres"))
    assert ran.code == code, ran.out + ran.err
    return ran


def step(ran: Ran, key: str) -> dict[str, Any]:
    """The receipt of one step."""
    (receipt,) = [one["receipt"] for one in ran.json()["steps"] if one["key"] == key]
    value: dict[str, Any] = receipt
    return value


def ledgers(server: Server, *names: str) -> list[list[str]]:
    """What the log of each says was done, but for looks at it."""
    found = []
    for name in names:
        with server.session(name) as session:
            every = operations(database.entries(session))
        found.append(sorted(str(one.op_id) for one in every if not one.command.startswith(("audit", "backup restore"))))
    return found


def test_a_restore_without_an_export_says_what_is_lost(
    backed: tuple[Cli, str, Path], server: Server, again: str
) -> None:
    ran = restore(backed, server, again)
    assert step(ran, "ledger")["rows"] == 1, "the one of the spool"
    assert step(ran, "ledger")["values"]["lost"] > 6
    proof = {one["check"]: one for one in ran.json()["proof"]}
    assert proof["ledger.restored"]["severity"] == "skipped"
    assert "of its ledger are lost, as " in proof["ledger.restored"]["detail"]
    here = Cli(backed[0].folder, server.dsn(again))
    verified = here.run("audit", "verify", "--format", "json")
    assert verified.code == 0, verified.out
    assert here.run("audit", "unfinished", "--format", "json").json()["tables"]["unfinished"] == []
    # It turns up later.
    folder = backed[0].folder / "late"
    folder.mkdir()
    assert backed[0].run("audit", "export", "--to", str(folder), "--yes").code == 0
    assert here.run("audit", "import", str(folder), "--yes").code == 0
    assert here.run("audit", "verify").code == 0
    before, after = ledgers(server, backed[1], again)
    assert (set(before) < set(after), len(after)) == (True, len(before) + 1), "that of the spool is here as well"


def test_a_restore_with_an_export_beside_it_loses_nothing(
    backed: tuple[Cli, str, Path], server: Server, again: str
) -> None:
    folder = backed[2].parent
    assert backed[0].run("audit", "export", "--to", str(folder), "--yes").code == 0
    (path,) = folder.glob("*.jsonl")
    try:
        ran = restore(backed, server, again)
        through = int(path.stem.rpartition("-")[2])
        # What the export itself recorded afterwards is known from its checkpoint, and in no file.
        assert step(ran, "ledger")["values"]["lost"] <= 3
        assert f"to {through} of its ledger were joined" in ran.out
        here = Cli(backed[0].folder, server.dsn(again))
        assert here.run("audit", "verify").code == 0
        before, after = ledgers(server, backed[1], again)
        assert (set(before) < set(after), len(after)) == (True, len(before) + 1), "that of the spool is here as well"
        report = here.run("audit", "log", "--format", "json").json()["tables"]["operations"]
        assert {one["status"] for one in report if one["command"].startswith("backup create")} == {"done"}
    finally:
        path.unlink()


def test_an_edited_export_stops_a_restore_before_it_begins(
    backed: tuple[Cli, str, Path], server: Server, again: str, tmp_path: Path
) -> None:
    assert backed[0].run("audit", "export", "--to", str(tmp_path), "--yes").code == 0
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"operator", b"somebody", 1))
    ran = restore(backed, server, again, "--ledger", str(path), code=4)
    assert f"{path} does not hold at line" in ran.err
    assert again not in databases(server)


@pytest.mark.more
def test_killed_between_dump_and_ledger_and_resumed(
    backed: tuple[Cli, str, Path], server: Server, again: str, tmp_path: Path
) -> None:
    assert backed[0].run("audit", "export", "--to", str(tmp_path), "--yes").code == 0
    argv = ["backup", "restore", str(backed[2]), "--into", again, "--create", "--yes", "--ledger", str(tmp_path)]
    own = Cli(backed[0].folder, server.dsn("postgres"))
    place = "wnadmin.domain.audit.continuity:_say"
    killed(own, place, 1, *argv)
    with server.session(again) as session:
        findings = audit.verify(Database(session), state=own.state).findings
    assert [one.severity for one in findings if one.id == "ledger.restored"] == ["warn"], "not all is joined yet"
    resumed = own.run("audit", "resume", unfinished(own), "--yes", "--format", "json")
    assert resumed.code == 0, resumed.out + resumed.err
    assert step(resumed, "ledger")["rows"] > 6
    here = Cli(backed[0].folder, server.dsn(again))
    assert here.run("audit", "verify").code == 0
    assert len(ledgers(server, again)[0]) == len(set(ledgers(server, again)[0]))
