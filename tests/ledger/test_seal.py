"""`audit seal`: what goes is in a proven file, and what stays can be proven without it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ledger.samples import INTENT, bad, carry_out, fill, found, grow_old, head, killed, proven, unfinished
from tests.ledger.test_verify import forget, rehash, tamper
from tests.standby import catch_up, standby
from tests.support import Cli, Server
from wnadmin.domain import audit
from wnadmin.domain.audit import chains, join, seal
from wnadmin.domain.audit import export as exporting
from wnadmin.errors import Failed, Refused, WnError
from wnadmin.ledger import checkpoint, database, export
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.database import Database
from wnadmin.postgres.target import Target
from wnadmin.results import World

__all__ = ["standby"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where sealed files go."""
    path = tmp_path / "archive"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def old(db: Database, target: Target, state: Path) -> Database:
    """A ledger of four operations from eleven years ago, two from five years ago, and two of today: 24 rows."""
    grow_old(db.session, 11, 4)
    grow_old(db.session, 5, 2)
    fill(target, 2)
    return db


def keep(db: Database, period: str) -> None:
    """Change how long the ledger is kept."""
    policy = (
        "UPDATE audit.data_retention_policies SET retention_period = %s WHERE policy_code = 'audit.operator_ledger'"
    )
    db.session.run(policy, [period])


def first(db: Database) -> int:
    """The first row that is there."""
    return chains.bounds(db.session).first


def test_the_old_rows_go_and_the_rest_holds(old: Database, target: Target, folder: Path, state: Path) -> None:
    assert bad(old) == []
    plan = seal.plan(old, folder, {})
    assert [step.title for step in plan.steps] == [
        "Write rows 1 to 12",
        "Append the signed seal of rows 1 to 12",
        "Remove rows 1 to 12",
    ]
    assert "past their period (10 years)" in plan.effects[1]
    carry_out(plan)
    assert proven(plan) == []
    assert (first(old), head(old)) == (13, 25)
    assert bad(old) == []
    (sealed,) = found(old, "ledger.seal")
    (path,) = folder.iterdir()
    assert path.name.endswith("-000000001-000000012-sealed.jsonl")
    assert sealed.detail.startswith(f"rows 1 to 12 are sealed in {path.name} (")
    assert [one.detail for one in found(old, "ledger.gap")] == ["the numbers run from 13 to 25 without a gap"]
    one = export.look(path)
    assert one is not None
    assert [row.seq for row in export.rows(one)] == list(range(1, 13))
    fill(target, 1)
    assert bad(old, exports=[path]) == []
    assert seal.plan(old, folder, {}).steps == ()
    assert old.session.scalar("SELECT min(seq) FROM audit.ledger_checkpoints") > 12


def test_a_command_checks_does_and_has_done(
    old: Database, server: Server, tmp_path: Path, folder: Path, state: Path
) -> None:
    here = Cli(tmp_path, server.dsn(old.name))
    words = ["audit", "seal", "--to", str(folder)]
    assert here.run(*words, "--check").code == 3
    ran = here.run(*words, "--yes", "--format", "json")
    assert (ran.code, ran.json()["status"]) == (0, "done"), ran.out + ran.err
    assert {one["check"]: one["severity"] for one in ran.json()["proof"]} == dict.fromkeys(
        ("ledger.link", "ledger.gap", "ledger.seal", "ledger.tail", "ledger.mirror", "export.link", "export.signature",
         "export.ledger"), "ok",
    )  # fmt: skip
    assert [step["receipt"]["rows"] for step in ran.json()["steps"]] == [12, 1, 12]
    again = here.run(*words, "--check")
    assert again.code == 0
    assert "and they are kept 10 years" in again.out
    assert here.run("audit", "verify", "--export", str(next(folder.iterdir()))).code == 0
    assert here.run("audit", "log").code == 0


def test_seals_follow_each_other(old: Database, target: Target, folder: Path) -> None:
    carry_out(seal.plan(old, folder, {}))
    keep(old, "4 years")
    carry_out(seal.plan(old, folder, {}))
    assert first(old) == 19
    assert bad(old) == []
    keep(old, "1 microsecond")
    # The third takes the rows of both seals along; the newest is enough.
    carry_out(seal.plan(old, folder, {}))
    assert (first(old), head(old)) == (27, 27)
    assert bad(old, exports=sorted(folder.iterdir())) == []
    files = [export.look(path) for path in sorted(folder.iterdir())]
    chain = chains.chains([one for one in files if one])
    assert len(list(chain[0].rows())) == 26
    fill(target, 1)
    assert bad(old) == []


def test_before_a_day_among_what_is_old_enough(old: Database, folder: Path) -> None:
    stamps = [ts for (ts,) in old.session.run("SELECT ts FROM audit.operator_ledger ORDER BY seq").rows]
    assert seal.plan(old, folder, {}, before=stamps[0]).steps == ()
    # The third operation has begun by then and not ended; it stays whole.
    assert seal.plan(old, folder, {}, before=stamps[7]).inputs["through"] == 6
    assert seal.plan(old, folder, {}, before=stamps[9]).inputs["through"] == 9
    tomorrow = seal.plan(old, folder, {}, before=datetime.now(UTC) + timedelta(days=1))
    assert tomorrow.inputs["through"] == 12, "the policy decides, whatever is asked for"


def test_no_operation_is_cut_in_two(db: Database, target: Target, state: Path, folder: Path) -> None:
    straddling = uuid4()
    grow_old(db.session, 11, 2)
    grow_old(db.session, 11, 1, [straddling])
    grow_old(db.session, 11, 1)
    with Recorder.open(target, "queries reset") as recorder:
        recorder.outcome(straddling, {"status": "done"})
    plan = seal.plan(db, folder, {})
    assert plan.inputs["through"] == 6
    assert plan.effects[-1] == f"Operation {straddling} reaches beyond: what follows it stays for now."


def test_what_never_ended_stays(db: Database, target: Target, state: Path, folder: Path) -> None:
    from tests.ledger.test_verify import tamper

    grow_old(db.session, 11, 3)
    tamper(db, "DELETE FROM audit.operator_ledger WHERE seq > 7")
    op_id = db.session.scalar("SELECT op_id FROM audit.operator_ledger WHERE seq = 7")
    plan = seal.plan(db, folder, {})
    assert plan.inputs["through"] == 6
    assert f"Operation {op_id} reaches beyond" in plan.effects[-1]
    carry_out(plan)
    again = seal.plan(db, folder, {})
    assert again.steps == ()
    assert f"operation {op_id} is old enough and has not ended before that" in again.nothing


def seal_row(db: Database, target: Target, **changed: object) -> int:
    """Append a seal by hand."""
    own = chains.bounds(db.session)
    through = int(str(changed.pop("through", 12)))
    h = database.hashes(db.session, [through]).get(through, b"")
    facts = {"from": own.first, "through": through, "count": through, "h": h.hex(), "origin": "x", "name": "y"}
    payload = json.dumps({"seal": {**facts, **changed}}, separators=(",", ":"))
    return database.append(db.session, uuid4(), "checkpoint", payload).seq


REMOVE = "SELECT audit.ledger_remove_sealed(%s)"


def test_the_server_removes_only_what_a_seal_covers(old: Database, target: Target) -> None:
    session = old.session
    for changed, what in (
        ({"h": "00" * 32}, "does not fit the entries"),
        ({"count": 11}, "does not fit the entries"),
        ({"from": 2}, "does not fit the entries"),
        ({"through": 15}, "entry 15 is younger than 10 years and has to stay"),
        ({"through": 24}, "entry 24 is younger than 10 years and has to stay"),
    ):
        with pytest.raises(WnError, match=what):
            session.run(REMOVE, [seal_row(old, target, **changed)])
    own = seal_row(old, target)
    with pytest.raises(WnError, match="does not fit the entries"):
        session.run(REMOVE, [seal_row(old, target, through=own + 1, h="00" * 32)])
    with pytest.raises(WnError, match="entry 3 of the ledger is no seal"):
        session.run(REMOVE, [3])
    with pytest.raises(WnError, match="entry 4711 of the ledger is no seal"):
        session.run(REMOVE, [4711])
    policy = "UPDATE audit.data_retention_policies SET is_active = {} WHERE policy_code = 'audit.operator_ledger'"
    session.run(policy.format("false"))
    with pytest.raises(WnError, match="no active policy"):
        session.run(REMOVE, [own])
    session.run(policy.format("true"))
    assert session.scalar(REMOVE, [own]) == 12
    assert session.scalar(REMOVE, [own]) == 0, "once"
    assert first(old) == 13


def test_nobody_else_removes_anything(old: Database, server: Server) -> None:
    session = old.session
    setting = "SELECT set_config('wondernest.ledger_sealed_through', '12', false)"
    for before in ("SELECT 1", setting, "SET session_replication_role = replica"):
        session.run(before)
        for statement in (
            "DELETE FROM audit.operator_ledger WHERE seq = 1",
            "DELETE FROM audit.ledger_checkpoints",
            "UPDATE audit.operator_ledger SET payload = '' WHERE seq = 1",
            "TRUNCATE audit.operator_ledger CASCADE",
        ):
            with pytest.raises(WnError, match="append-only"):
                session.run(statement)
    session.run("RESET session_replication_role")
    # Its owner, whom only a superuser can become, may no more: UPDATE and TRUNCATE never, DELETE not unasked.
    session.run("SET ROLE wondernest_audit_owner")
    for statement in (
        "UPDATE audit.operator_ledger SET payload = '' WHERE seq = 1",
        "TRUNCATE audit.operator_ledger CASCADE",
        "DELETE FROM audit.operator_ledger WHERE seq = 13",
    ):
        with pytest.raises(WnError, match="append-only"):
            session.run(statement)
    session.run("RESET ROLE")
    for login in ("wondernest_app", "wondernest_migration", "wondernest_monitor"):
        with server.session(old.name, login) as own, pytest.raises(WnError, match="permission denied"):
            own.run(REMOVE, [1])


def test_logins_that_may_not(old: Database, server: Server, folder: Path) -> None:
    old.session.run("CREATE ROLE ledger_reader LOGIN IN ROLE wondernest_compliance")
    old.session.run("CREATE ROLE ledger_person LOGIN IN ROLE wondernest_operator")
    try:
        with server.session(old.name, "wondernest_app") as session, pytest.raises(Refused, match="may not read"):
            seal.plan(Database(session), folder, {})
        with server.session(old.name, "ledger_reader") as session, pytest.raises(Refused) as caught:
            seal.plan(Database(session), folder, {})
        assert caught.value.what == "ledger_reader may not remove what is sealed"
        with server.session(old.name, "ledger_person") as session:
            plan = seal.plan(Database(session), folder, {})
            carry_out(plan)
            assert proven(plan) == []
    finally:
        old.session.run("DROP ROLE ledger_reader, ledger_person")


def test_not_in_read_only_mode(old: Database, server: Server, tmp_path: Path, folder: Path, state: Path) -> None:
    old.session.run(f'ALTER DATABASE "{old.name}" SET default_transaction_read_only = on')
    ran = Cli(tmp_path, server.dsn(old.name)).run("audit", "seal", "--to", str(folder), "--yes")
    assert ran.code == 4
    assert f"{old.name} is read-only" in ran.err
    assert list(folder.iterdir()) == []


def test_not_on_a_standby(
    old: Database, server: Server, standby: Server, tmp_path: Path, folder: Path, state: Path
) -> None:
    catch_up(server, standby)
    ran = Cli(tmp_path, standby.dsn(old.name)).run("audit", "seal", "--to", str(folder), "--yes")
    assert (ran.code, "this server is a standby" in ran.err) == (4, True)


def test_without_a_policy_nothing_goes(old: Database, folder: Path) -> None:
    old.session.run("DELETE FROM audit.data_retention_policies WHERE policy_code = 'audit.operator_ledger'")
    with pytest.raises(Refused, match="no active policy says how long the ledger is kept"):
        seal.plan(old, folder, {})


def test_a_file_that_was_edited_removes_nothing(old: Database, folder: Path) -> None:
    plan = seal.plan(old, folder, {})
    carry_out(plan, stop_after=2)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b"queries", b"QUERIES"), *lines[5:]]))
    with pytest.raises((Refused, Failed), match="does not hold"):
        plan.steps[2].run(_world())
    path.unlink()
    with pytest.raises(WnError, match="cannot read"):
        plan.steps[2].run(_world())
    assert first(old) == 1
    path.write_bytes(whole)
    carry_out(plan)
    assert (first(old), bad(old)) == (13, [])
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b"queries", b"QUERIES"), *lines[5:]]))
    assert bad(old, exports=[path]) == [("export.link", str(path))]


def _world() -> World:
    return World({}, lambda *_: None, lambda: False)


def test_another_file_of_the_same_rows_is_not_the_sealed_one(old: Database, folder: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    carry_out(seal.plan(old, twin, {}), stop_after=1)
    carry_out(seal.plan(old, folder, {}))
    (path,) = twin.iterdir()
    (said,) = [one for one in audit.verify(old, exports=[path]).findings if one.id == "export.ledger"]
    assert (said.severity, said.detail.startswith("the seal in row 25 names another file (")) == ("critical", True)


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("wnadmin.ledger.exporter:_publish", 1),
        ("wnadmin.ledger.checkpoint:write", 1),
        ("wnadmin.domain.audit.records:signed", 1),
        ("wnadmin.ledger.export:look", 2),
        ("wnadmin.domain.audit.seal:Receipt", 2),
        ("wnadmin.domain.audit.verify:verify", 1),
    ],
)
def test_killed_anywhere_and_resumed(
    old: Database, server: Server, tmp_path: Path, folder: Path, state: Path, place: str, number: int
) -> None:
    here = Cli(tmp_path, server.dsn(old.name))
    killed(here, place, number, "audit", "seal", "--to", str(folder), "--yes")
    assert {one for one, _ in bad(old)} <= {"ledger.unfinished"}
    resumed = here.run("audit", "resume", unfinished(here), "--yes", "--format", "json")
    assert (resumed.code, resumed.json()["schema"]) == (0, "wnadmin/audit-seal/1"), resumed.out + resumed.err
    assert (first(old), len(list(folder.iterdir()))) == (13, 1)
    assert bad(old, exports=list(folder.iterdir())) == []
    assert len([row for row in chains.lives(old.session, state)]) == 0
    assert old.session.scalar("SELECT count(*) FROM audit.operator_ledger WHERE phase = 'checkpoint'") == 1


def sealed(db: Database, folder: Path) -> Path:
    """Seal what is old; gives the file."""
    carry_out(seal.plan(db, folder, {}))
    return next(folder.iterdir())


def test_an_edited_seal_is_found(old: Database, target: Target, folder: Path) -> None:
    sealed(old, folder)
    fill(target, 1)
    change = (
        """UPDATE audit.operator_ledger SET payload = replace(payload, '"through":12', '"through":11') WHERE seq = 25"""
    )
    tamper(old, change)
    names = [one for one, _ in bad(old)]
    assert ("ledger.link" in names, "ledger.gap" in names) == (True, True)


def test_a_seal_that_was_edited_and_hashed_anew(old: Database, target: Target, folder: Path) -> None:
    sealed(old, folder)
    fill(target, 1)
    tamper(
        old,
        forget(25),
        "UPDATE audit.operator_ledger SET payload = replace(payload, 'sealed.jsonl', 'else') WHERE seq = 25",
    )
    rehash(old, 25)
    said = [one for one in audit.verify(old).findings if one.id == "ledger.seal"]
    assert [(one.severity, one.object, one.detail) for one in said] == [
        (
            "critical",
            "row 25",
            "the seal in row 25 does not account for rows 1 to 12: It is not what was signed: it was changed since",
        )
    ]


def test_rows_taken_away_with_a_seal_of_one_s_own(old: Database, target: Target, state: Path, tmp_path: Path) -> None:
    """A superuser removes the beginning and appends what looks like a seal: unsigned, or with a key of their own."""
    row = seal_row(old, target, sha256="0" * 64)
    assert old.session.scalar(REMOVE, [row]) == 12
    fill(target, 1)
    assert [one for one in bad(old) if one[0] != "ledger.unfinished"] == [
        ("ledger.gap", "row 1"),
        ("ledger.seal", "row 25"),
    ]
    (said,) = found(old, "ledger.seal")
    assert (said.severity, "It is not signed" in said.detail) == ("critical", True)


def test_rows_taken_away_with_the_seal_of_other_rows(old: Database, target: Target, folder: Path) -> None:
    sealed(old, folder)
    tamper(old, forget(1), "DELETE FROM audit.operator_ledger WHERE seq BETWEEN 13 AND 15")
    fill(target, 1)
    assert ("ledger.gap", "row 1") in bad(old)
    (gap,) = [one for one in found(old, "ledger.gap") if one.severity == "critical"]
    assert gap.detail == "rows 1 to 15 are missing: row 16 follows row 0"


def test_the_seal_of_somebody_else_is_unknown(
    old: Database, target: Target, folder: Path, state: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    plan = seal.plan(old, folder, {}, state=theirs)
    carry_out(plan)
    fill(target, 1)
    (said,) = found(old, "ledger.seal")
    (public,) = (theirs / "ledger-keys").iterdir()
    assert (said.severity, said.detail) == (
        "unknown",
        f"rows 1 to 12 are gone, and nobody known here sealed them: Key {public.stem} is not trusted here",
    )
    assert said.remediation == f"Copy its owner's ledger-keys/{public.name} to {state / 'ledger-keys' / public.name}"
    (state / "ledger-keys").mkdir()
    (state / "ledger-keys" / public.name).write_bytes(public.read_bytes())
    assert bad(old) == []


def test_a_checkpoint_outside_knows_where_the_ledger_begins(
    old: Database, target: Target, folder: Path, state: Path
) -> None:
    sealed(old, folder)
    origin = database.present(old.session).origin
    path = checkpoint.file_of(origin, state)
    kept = checkpoint.read(origin, path)
    assert kept is not None
    (begin,) = [one for one in kept.checkpoints if one.seq == 12]
    assert begin.h == chains.bounds(old.session).begin.h
    path.write_bytes(path.read_bytes().replace(begin.body(), checkpoint.Checkpoint(origin, 12, bytes(32)).body()))
    assert bad(old) == [("ledger.tail", "row 12")]


def test_sealed_rows_are_not_put_back(old: Database, target: Target, folder: Path, tmp_path: Path) -> None:
    path = sealed(old, folder)
    assert join.plan(old, [path], {}).steps == ()
    before = tmp_path / "before"
    before.mkdir()
    carry_out(exporting.plan(old, before, {}))
    (rest,) = before.iterdir()
    assert join.plan(old, [path, rest], {}).steps == ()
    fill(target, 1)
    carry_out(exporting.plan(old, before, {}))
    assert [one.head.first for one in (export.look(each) for each in sorted(before.iterdir())) if one] == [13, 26]


def test_an_earlier_piece_of_what_is_sealed(old: Database, folder: Path, tmp_path: Path) -> None:
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    carry_out(exporting.plan(old, pieces, {}, first=1, through=6))
    (piece,) = pieces.iterdir()
    sealed(old, folder)
    with pytest.raises(Refused) as caught:
        join.plan(old, [piece], {})
    assert caught.value.what == "rows 1 to 6 were sealed, and are not put back"
    (said,) = [one for one in audit.verify(old, exports=[piece]).findings if one.id == "export.ledger"]
    assert (said.severity, said.detail) == ("skipped", "its rows were sealed and are gone: the ledger begins at row 13")


def test_what_is_appended_goes_on_behind_the_seal(old: Database, target: Target, folder: Path) -> None:
    sealed(old, folder)
    with Recorder.open(target, "queries reset") as recorder:
        recorded = recorder.intent(uuid4(), INTENT)
    assert recorded.where == "ledger #26"
