"""`audit import`: rows of another life of a ledger join the one that goes on, whole, once, and only those."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.ledger.samples import INTENT, OUTCOME, bad, carry_out, fill, found, head, killed, proven, rows, unfinished
from tests.ledger.test_verify import forget, tamper
from tests.standby import catch_up, standby
from tests.support import Cli, Server
from wnadmin.domain import audit
from wnadmin.domain.audit import chains, join
from wnadmin.domain.audit import export as exporting
from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.ledger import checkpoint, database, keys, locks
from wnadmin.ledger.joined import unwrap
from wnadmin.ledger.operations import Operation, operations
from wnadmin.ledger.recorder import Recorder
from wnadmin.ledger.spool import Spool
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import connect
from wnadmin.postgres.target import Target
from wnadmin.results import Plan, World

__all__ = ["standby"]


@dataclass(frozen=True, slots=True)
class Lives:
    """A ledger of 21 rows, a database that was restored from it at row 12, and an export of all."""

    source: Target
    db: Database
    target: Target
    folder: Path
    export: Path


@pytest.fixture
def lives(server: Server, fresh_db: str, state: Path, tmp_path: Path) -> Iterator[Lives]:
    """Make both; the restored one has three rows of its own since."""
    source = server.target(fresh_db)
    fill(source, 4)
    name = server.create(fresh_db)
    fill(source, 3)
    folder = tmp_path / "exports"
    folder.mkdir()
    with connect(source, command="tests") as session:
        carry_out(exporting.plan(Database(session), folder, {}))
    fill(server.target(name), 1)
    with server.session(name) as session:
        yield Lives(source, Database(session), server.target(name), folder, next(folder.iterdir()))
    server.drop(name)


def joined(db: Database) -> int:
    """How many rows were joined."""
    return int(db.session.scalar("SELECT count(*) FROM audit.operator_ledger WHERE payload LIKE '{\"spooled_at%%'"))


def entries(lives: Lives) -> list[tuple[int, str, str]]:
    """Number, hash and payload of what was joined, as it was."""
    stored = lives.db.session.run("SELECT payload FROM audit.operator_ledger ORDER BY seq").rows
    return [(one.seq, one.h.hex(), one.payload) for (text,) in stored if (one := unwrap(text))]


def test_what_is_missing_joins_and_nothing_else(lives: Lives) -> None:
    plan = join.plan(lives.db, [lives.export], {})
    assert plan.effects[0] == (
        f"9 rows from {lives.export.name} (its rows 13 to 21) are appended under new numbers, each with what it was."
    )
    carry_out(plan)
    assert proven(plan) == []
    with connect(lives.source, command="tests") as session:
        stored = session.run("SELECT seq, h, payload FROM audit.operator_ledger WHERE seq > 12 ORDER BY seq").rows
    assert entries(lives) == [(seq, bytes(h).hex(), payload) for seq, h, payload in stored]
    assert head(lives.db) == 24
    assert bad(lives.db) == []
    (joined,) = found(lives.db, "ledger.joined")
    assert joined.detail == "9 rows of another chain joined this one, and each still gives its hash"


def test_twice_is_once(lives: Lives) -> None:
    carry_out(join.plan(lives.db, [lives.export], {}))
    again = join.plan(lives.db, [lives.export], {})
    assert (again.steps, again.nothing) == ((), "every row is here already")
    assert head(lives.db) == 24


def test_the_log_shows_them_as_they_were(lives: Lives) -> None:
    before = {one.op_id: one for one in _operations(lives.source)}
    carry_out(join.plan(lives.db, [lives.export], {}))
    after = {one.op_id: one for one in _operations(lives.target)}
    assert len(after) == 8
    for op_id, one in before.items():
        same = after[op_id]
        assert (same.started, same.ended, same.outcome, same.argv, same.who) == (
            one.started, one.ended, one.outcome, one.argv, one.who,
        )  # fmt: skip
    report = rows(audit.log(lives.db))
    assert sum(str(line["recorded"]).endswith(", joined") for line in report) == 3
    assert rows(audit.unfinished(lives.db)) == []


def _operations(target: Target) -> list[Operation]:
    with connect(target, command="tests") as session:
        return operations(database.entries(session))


def test_a_command_checks_does_and_has_done(lives: Lives, server: Server, tmp_path: Path, state: Path) -> None:
    here = Cli(tmp_path, server.dsn(lives.db.name))
    assert here.state == state
    words = ["audit", "import", str(lives.folder)]
    assert here.run(*words, "--check").code == 3
    ran = here.run(*words, "--yes", "--format", "json")
    assert (ran.code, ran.json()["status"]) == (0, "done"), ran.err
    assert [(one["check"], one["severity"]) for one in ran.json()["proof"]] == [
        ("ledger.link", "ok"), ("ledger.gap", "ok"), ("ledger.joined", "ok"),
    ]  # fmt: skip
    assert here.run(*words, "--check").code == 0
    assert here.run("audit", "verify").code == 0
    verified = here.run("audit", "verify", "--export", str(lives.export), "--format", "json").json()["findings"]
    assert [one["detail"] for one in verified if one["check"] == "export.ledger"] == [
        "its rows were joined to the ledger"
    ]


def test_piece_by_piece_in_any_order(lives: Lives, tmp_path: Path) -> None:
    folder = tmp_path / "pieces"
    folder.mkdir()
    with connect(lives.source, command="tests") as session:
        for first, through in ((1, 5), (4, 14), (15, 17), (17, 21), (16, 17)):
            carry_out(exporting.plan(Database(session), folder, {}, first=first, through=through))
    parts = sorted(folder.iterdir(), reverse=True)
    names = {path.name[-15:-6].lstrip("0"): path for path in parts}
    with pytest.raises(Refused) as gap:
        join.plan(lives.db, [parts[0], names["14"]], {})
    assert gap.value.what == "rows 15 to 16 are missing between the exports"
    with pytest.raises(Refused) as begin:
        join.plan(lives.db, [names["21"]], {})
    assert begin.value.what == f"{names['21']} holds rows of another database"
    plan = join.plan(lives.db, parts, {})
    assert [step.title for step in plan.steps] == [f"Join its rows 13 to 21 from 5 files in {folder}".replace("5", "4")]
    carry_out(plan)
    assert [seq for seq, _, _ in entries(lives)] == list(range(13, 22))
    assert bad(lives.db) == []


def test_what_came_later_goes_on_where_the_last_import_ended(lives: Lives) -> None:
    carry_out(join.plan(lives.db, [lives.export], {}))
    fill(lives.source, 1)
    with connect(lives.source, command="tests") as session:
        carry_out(exporting.plan(Database(session), lives.folder, {}))
    later = max(lives.folder.iterdir())
    plan = join.plan(lives.db, [later], {})
    carry_out(plan)
    assert (proven(plan), bad(lives.db)) == ([], [])
    assert [seq for seq, _, _ in entries(lives)] == list(range(13, 25))
    assert join.plan(lives.db, [lives.folder], {}).steps == ()


def test_an_edited_export_gives_not_one_row(lives: Lives) -> None:
    before = head(lives.db)
    text = lives.export.read_bytes()
    lines = text.splitlines(keepends=True)
    for edited, where in (
        (
            b"".join([*lines[:19], lines[19].replace(b"operator", b"somebody"), *lines[20:]]),
            "line 20: row 19 was changed",
        ),
        (b"".join(lines[:-1]), "its end: its end is missing"),
        (text[:-30], "its end: its end is missing"),
        (b"".join([*lines[:14], *lines[15:]]), "line 15: row 15 stands where row 14 should"),
    ):
        lives.export.write_bytes(edited)
        with pytest.raises(Refused) as caught:
            join.plan(lives.db, [lives.export], {})
        assert caught.value.what.startswith(f"{lives.export} does not hold at {where}")
    assert head(lives.db) == before


def test_a_file_that_changes_meanwhile_is_found_out(lives: Lives) -> None:
    plan = join.plan(lives.db, [lives.export], {})
    lines = lives.export.read_bytes().splitlines(keepends=True)
    lives.export.write_bytes(b"".join([*lines[:15], *lines[16:]]))
    with pytest.raises(Refused, match="line 16: row 16 stands where row 15 should"):
        carry_out(plan)
    lives.export.write_bytes(b"".join(lines))
    carry_out(join.plan(lives.db, [lives.export], plan.inputs))
    assert [seq for seq, _, _ in entries(lives)] == list(range(13, 22))
    assert bad(lives.db) == []


def test_rows_of_another_database(server: Server, lives: Lives, template: str, tmp_path: Path) -> None:
    name = server.create(template)
    try:
        fill(server.target(name), 2)
        folder = tmp_path / "other"
        folder.mkdir()
        with server.session(name) as session:
            carry_out(exporting.plan(Database(session), folder, {}))
        with pytest.raises(Refused) as caught:
            join.plan(lives.db, [folder], {})
    finally:
        server.drop(name)
    (path,) = folder.iterdir()
    assert caught.value.what == f"{path} holds rows of another database"
    assert caught.value.why.startswith(f"They are of {name} (wnadmin-ledger/")
    assert caught.value.next == "Connect to that database, or to one that was restored from it."


def test_the_key_of_somebody_else(server: Server, lives: Lives, state: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    fill(lives.target, 1, state=mine)
    (public,) = (state / "ledger-keys").iterdir()
    with pytest.raises(Refused) as caught:
        join.plan(lives.db, [lives.export], {}, state=mine)
    assert caught.value.what == f"nothing known here proves {lives.export.name}"
    assert caught.value.why == (
        f"Key {public.stem} is not trusted here, and no checkpoint of this user has its last row."
    )
    assert caught.value.next == (
        f"Copy its owner's ledger-keys/{public.name} to {mine / 'ledger-keys' / public.name}, or take it as it is: "
        "wnadmin audit import --unproven"
    )
    doubted = join.plan(lives.db, [lives.export], {}, unproven=True, state=mine)
    assert (doubted.confirm, doubted.inputs["unproven"]) == (
        "unproven",
        [f"{lives.export.name}: Key {public.stem} is not trusted here"],
    )
    # The word cannot be typed for somebody, and --yes does not replace it.
    ran = Cli(tmp_path, server.dsn(lives.db.name), {"WNADMIN_STATE": str(mine)}).run(
        "audit", "import", str(lives.export), "--unproven", "--yes"
    )
    assert (ran.code, "The word is 'unproven'" in ran.err) == (4, True)
    # A checkpoint of the last row is as good as a signature.
    kept = checkpoint.read(_origin(lives), checkpoint.file_of(_origin(lives), state))
    assert kept is not None
    checkpoint.write(kept.checkpoints[-2], mine)
    with pytest.raises(Refused):
        join.plan(lives.db, [lives.export], {}, state=mine)
    checkpoint.write(kept.checkpoints[-1], mine)
    assert join.plan(lives.db, [lives.export], {}, state=mine).confirm == ""
    next(iter((mine / "checkpoints").glob(_origin(lives).replace("/", "-") + "*"))).unlink()
    (mine / "ledger-keys").mkdir(exist_ok=True)
    shutil.copy(public, mine / "ledger-keys")
    plan = join.plan(lives.db, [lives.export], {}, state=mine)
    carry_out(plan)
    assert bad(lives.db, state=mine) == []


def _origin(lives: Lives) -> str:
    with connect(lives.source, command="tests") as session:
        return database.present(session).origin


def test_a_signature_that_was_taken_off(lives: Lives, state: Path) -> None:
    lines = lives.export.read_bytes().splitlines()
    end = json.loads(lines[-1])
    del end["signature"]
    lives.export.write_bytes(b"\n".join([*lines[:-1], json.dumps(end).encode()]) + b"\n")
    assert join.plan(lives.db, [lives.export], {}).confirm == "", "the checkpoint of this user still proves it"
    for path in (state / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(Refused) as caught:
        join.plan(lives.db, [lives.export], {})
    assert caught.value.why == "It is not signed, and no checkpoint of this user has its last row."


def test_logins_that_may_not(server: Server, lives: Lives) -> None:
    lives.db.session.run("CREATE ROLE ledger_person LOGIN IN ROLE wondernest_operator")
    lives.db.session.run("CREATE ROLE ledger_stranger LOGIN")
    lives.db.session.run(f'GRANT CONNECT ON DATABASE "{lives.db.name}" TO ledger_stranger')
    try:
        for login, what, remedy in (
            ("wondernest_app", "may not read", "Log in as a member of wondernest_operator."),
            ("wondernest_migration", "may not read", "Log in as a member of wondernest_operator."),
            ("ledger_stranger", "may not read", 'GRANT wondernest_operator TO "ledger_stranger";'),
        ):
            with server.session(lives.db.name, login) as session, pytest.raises(Refused) as caught:
                join.plan(Database(session), [lives.export], {})
            assert (caught.value.what, caught.value.next) == (f"{login} {what} the operator ledger", remedy)
        with server.session(lives.db.name, "ledger_person") as session:
            plan = join.plan(Database(session), [lives.export], {})
            carry_out(plan)
            assert proven(plan) == []
    finally:
        lives.db.session.run("DROP OWNED BY ledger_stranger")
        lives.db.session.run("DROP ROLE ledger_person, ledger_stranger")
    assert bad(lives.db) == []


def test_a_read_only_database_still_records(server: Server, lives: Lives, tmp_path: Path, state: Path) -> None:
    lives.db.session.run(f'ALTER DATABASE "{lives.db.name}" SET default_transaction_read_only = on')
    here = Cli(tmp_path, server.dsn(lives.db.name))
    ran = here.run("audit", "import", str(lives.export), "--yes")
    assert ran.code == 0, ran.err
    assert bad(lives.db) == []


def test_a_standby_refuses(server: Server, standby: Server, lives: Lives, tmp_path: Path) -> None:
    catch_up(server, standby)
    ran = Cli(tmp_path, standby.dsn(lives.db.name)).run("audit", "import", str(lives.export), "--yes")
    assert ran.code == 4
    assert "`wnadmin audit import` changes data, and this server is a standby" in ran.err


def test_one_import_at_a_time(server: Server, lives: Lives, tmp_path: Path) -> None:
    assert locks.try_lock(lives.db.session, join.TARGET) is None
    ran = Cli(tmp_path, server.dsn(lives.db.name)).run("audit", "import", str(lives.export), "--yes")
    assert ran.code == 4
    assert "another operator is changing the operator ledger of this database" in ran.err


def test_stopped_between_batches_it_goes_on(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "_ROWS", 2)
    plan = join.plan(lives.db, [lives.export], {})
    calls = iter([False, True])
    # Asked for two rows at a time it takes three: no operation is cut in two.
    with pytest.raises(Failed, match="stopped after 6 of 9 rows"):
        plan.steps[0].run(World({}, lambda *_: None, lambda: next(calls)))
    assert [seq for seq, _, _ in entries(lives)] == list(range(13, 19))
    carry_out(join.plan(lives.db, [lives.export], plan.inputs))
    assert [seq for seq, _, _ in entries(lives)] == list(range(13, 22))
    assert bad(lives.db) == []


@pytest.mark.parametrize("batch", [1, pytest.param(2, marks=pytest.mark.more)])
def test_killed_between_batches_and_resumed(
    server: Server, fresh_db: str, tmp_path: Path, state: Path, batch: int
) -> None:
    source = server.target(fresh_db)
    fill(source, 1)
    name = server.create(fresh_db)
    fill(source, 400)
    folder = tmp_path / "exports"
    folder.mkdir()
    with connect(source, command="tests") as session:
        carry_out(exporting.plan(Database(session), folder, {}))
    here = Cli(tmp_path, server.dsn(name))
    try:
        killed(here, "wnadmin.ledger.database:append_all", batch, "audit", "import", str(folder), "--yes")
        with server.session(name) as session:
            db = Database(session)
            # No operation is cut in two: 167 whole ones in each batch.
            assert head(db) == 3 + 1 + 501 * batch
            resumed = here.run("audit", "resume", unfinished(here), "--yes", "--format", "json")
            assert (resumed.code, resumed.json()["schema"]) == (0, "wnadmin/audit-import/1"), resumed.err
            assert (
                session.scalar("SELECT count(*) FROM audit.operator_ledger WHERE payload LIKE '{\"spooled%%'") == 1200
            )
            assert here.run("audit", "verify").code == 0
    finally:
        server.drop(name)


def test_a_login_that_writes_meanwhile_is_not_in_the_way(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "_ROWS", 2)
    plan = join.plan(lives.db, [lives.export], {})

    def meanwhile() -> bool:
        fill(lives.target, 1)
        return False

    plan.steps[0].run(World({}, lambda *_: None, meanwhile))
    assert [seq for seq, _, _ in entries(lives)] == list(range(13, 22))
    assert bad(lives.db) == []


# One ledger that lost its end and got it back: the same database, as after a recovery to an earlier moment.


@pytest.fixture
def cut(db: Database, target: Target, state: Path, tmp_path: Path) -> Path:
    """A ledger of 12 rows whose last five were lost after an export of all; gives the export."""
    fill(target, 4)
    folder = tmp_path / "exports"
    folder.mkdir()
    carry_out(exporting.plan(db, folder, {}))
    tamper(db, forget(8), "DELETE FROM audit.operator_ledger WHERE seq >= 8")
    return next(folder.iterdir())


def test_a_lost_end_comes_back(db: Database, target: Target, state: Path, cut: Path) -> None:
    fill(target, 1)
    (before,) = [one for one in found(db, "ledger.tail") if one.severity == "critical" and "missing" in one.detail]
    assert before.remediation.startswith("If the database was restored from a backup, put back what is missing")
    plan = join.plan(db, [cut], {})
    assert [step.title for step in plan.steps] == [f"Join its rows 8 to 12 from {cut.name}"]
    carry_out(plan)
    assert bad(db) == []
    fill(target, 1)
    assert bad(db) == []
    # What is lost once more is found once more.
    tamper(db, forget(16), "DELETE FROM audit.operator_ledger WHERE seq >= 16")
    assert [one[0] for one in bad(db)] == ["ledger.tail"]


def test_joined_rows_prove_only_what_they_are(db: Database, target: Target, state: Path, cut: Path) -> None:
    """Somebody leaves out the rows between two checkpoints, and joins what a checkpoint knows."""
    fill(target, 1)
    chain = chains.chains([one for one in chains.read([cut], state)[0]])[0]
    kept = [row for row in chain.rows() if row.seq in (9, 12)]
    for row in kept:
        part = join.Part(chain.name, "x", row.seq, row.seq, row.h, 1, partial(list, [row]))
        join.append(db.session, part, f"token {row.seq}")
    assert [one[0] for one in bad(db)] == ["ledger.joined", "ledger.joined"]
    (gap, _) = found(db, "ledger.joined")
    assert gap.detail == f"rows 11 to 11 joined {chain.name} with a gap: rows of it are missing"


def test_a_joined_row_that_is_not_what_it_was(db: Database, target: Target, state: Path, cut: Path) -> None:
    chain = chains.chains([one for one in chains.read([cut], state)[0]])[0]
    lines = [row._replace(payload=row.payload.replace("operator", "else")) for row in chain.rows(7)]
    part = join.Part(chain.name, "x", 8, 12, chain.end.h, 5, lambda: lines)
    join.append(db.session, part, "token")
    (wrong, *_) = found(db, "ledger.joined")
    assert (wrong.severity, wrong.object) == ("critical", "row 10")
    assert wrong.detail == "row 10 is not what it was in its own chain: its texts do not give the hash it had"


# The spool.


@dataclass(frozen=True, slots=True)
class Spooled:
    """Operations that were recorded in the spool."""

    mine: UUID
    ended: UUID
    other: UUID


@pytest.fixture
def spooled(server: Server, db: Database, target: Target, empty_db: str, state: Path) -> Spooled:
    """One of this database, one that began in its ledger and ended in the spool, one of another database."""
    ids = Spooled(uuid4(), uuid4(), uuid4())
    fill(target, 1)
    with Recorder.open(target, "queries reset") as recorder:
        recorder.intent(ids.ended, INTENT)
    # wondernest_app may not append, so what it does is spooled; the origin is known all the same.
    with Recorder.open(target.as_role("wondernest_app"), "queries reset") as recorder:
        assert recorder.intent(ids.mine, INTENT).sink == "spool"
        recorder.outcome(ids.mine, OUTCOME)
        recorder.outcome(ids.ended, OUTCOME)
    with Recorder.open(server.target(empty_db), "setup apply") as recorder:
        assert recorder.intent(ids.other, INTENT).sink == "spool"
    return ids


def spool_plan(db: Database) -> Plan:
    """Import the spool."""
    return join.plan(db, [], {})


def test_the_spool_joins_the_ledger_that_it_is_about(db: Database, state: Path, spooled: Spooled) -> None:
    orphans = "SELECT count(*) FROM admin.get_unfinished_operations()"
    assert db.session.scalar(orphans) == 1
    before = Spool().path.read_bytes()
    plan = spool_plan(db)
    assert plan.effects[-1] == f"1 entry of {Spool().path} is not about this database and stays there."
    carry_out(plan)
    assert proven(plan) == []
    stored = db.session.run(
        "SELECT op_id, phase FROM audit.operator_ledger WHERE payload LIKE '{\"spooled_at%%' ORDER BY seq"
    ).rows
    assert stored == ((spooled.mine, "intent"), (spooled.mine, "outcome"), (spooled.ended, "outcome"))
    assert db.session.scalar(orphans) == 0, "the server itself now knows how it ended"
    assert Spool().path.read_bytes() == before, "what was recorded stays where it was"
    assert bad(db) == []
    logged = [line["operation"] for line in rows(audit.log(db))]
    assert (len(logged), {spooled.mine, spooled.ended} <= set(logged)) == (3, True), "each counts once"
    assert spool_plan(db).steps == ()


def test_what_is_spooled_later_joins_later(db: Database, target: Target, state: Path, spooled: Spooled) -> None:
    carry_out(spool_plan(db))
    with Recorder.open(target.as_role("wondernest_app"), "queries reset") as recorder:
        recorder.read(uuid4(), INTENT)
    carry_out(spool_plan(db))
    assert joined(db) == 4
    assert bad(db) == []


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "changed": (
        lambda text: text.replace(b'\\"os_user\\":\\"operator', b'\\"os_user\\":\\"someone_', 1),
        "row 1 was changed",
    ),
    "removed": (lambda text: text.partition(b"\n")[2], "row 1 is missing"),
    "garbage": (lambda text: text + b"no entry\n", "9 bytes at offset"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_spool_gives_nothing(db: Database, state: Path, spooled: Spooled, damage: str) -> None:
    change, what = DAMAGES[damage]
    path = Spool().path
    before, text = head(db), path.read_bytes()
    path.write_bytes(change(text))
    assert path.read_bytes() != text
    with pytest.raises(Refused) as caught:
        spool_plan(db)
    assert caught.value.what.startswith(f"the spool {path} does not hold: {what}")
    assert head(db) == before


def test_a_torn_write_is_no_damage(db: Database, state: Path, spooled: Spooled) -> None:
    path = Spool().path
    path.write_bytes(path.read_bytes() + b'{"envelope":"cut sho')
    carry_out(spool_plan(db))
    assert joined(db) == 3


def test_the_spool_of_somebody_else(db: Database, state: Path, spooled: Spooled, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.jsonl"
    shutil.move(Spool().path, theirs)
    with pytest.raises(Refused) as caught:
        join.plan(db, [theirs], {})
    assert caught.value.what == "nothing known here proves theirs.jsonl"
    assert caught.value.why == "A spool is not signed, and no checkpoint of this user has its last row."
    plan = join.plan(db, [theirs], {}, unproven=True)
    assert plan.confirm == "unproven"
    carry_out(plan)
    # It is the same spool wherever it lies.
    shutil.move(theirs, Spool().path)
    assert spool_plan(db).steps == ()


def test_nothing_to_import(db: Database, state: Path, tmp_path: Path, server: Server) -> None:
    assert spool_plan(db).steps == ()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="there is no export in"):
        join.plan(db, [empty], {})
    odd = tmp_path / "odd.txt"
    odd.write_text("neither this nor that\n")
    with pytest.raises((UsageError, Refused)) as caught:
        join.plan(db, [odd], {})
    assert str(odd) in caught.value.what
    with server.session() as session, pytest.raises(Refused, match="the ledger is not installed in postgres"):
        join.plan(Database(session), [], {})
    assert keys.KEY_FILE not in {path.name for path in state.glob("*")}, "looking makes no key"
