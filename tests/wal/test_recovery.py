"""The way back, end to end: base backup, the shipped archive command, and the commands of the page."""

from __future__ import annotations

import contextlib
import re
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.wal.support import Yard, blocks, findings, whole
from wnadmin.postgres.session import Session, connect
from wnadmin.postgres.target import Target

PAGE = "point-in-time-recovery"


def write(plot: Yard, text: str, dbname: str = TEMPLATE) -> None:
    with plot.server.session(dbname) as session:
        session.run("INSERT INTO public.days VALUES (%s, clock_timestamp())", [text])


def now(plot: Yard) -> datetime:
    moment = plot.sql("SELECT clock_timestamp()")
    assert isinstance(moment, datetime)
    return moment


def paused(session: Session) -> bool:
    state: object = session.scalar("SELECT pg_get_wal_replay_pause_state()")
    return state == "paused"


class Recovered:
    """The server that the page makes in ``new``."""

    def __init__(self, plot: Yard, new: Path, dbname: str) -> None:
        self.plot = plot
        self.new = new
        self.dbname = dbname
        self.port = "5499"

    def session(self) -> Session:
        place = {"host": str(self.new), "port": self.port, "user": "postgres", "dbname": self.dbname}
        return connect(Target(place, source="the tests"), command="tests")

    def days(self) -> list[str]:
        with self.session() as session:
            return [str(row[0]) for row in session.run("SELECT what FROM public.days ORDER BY at").rows]

    @property
    def dsn(self) -> str:
        return f"host={self.new} port={self.port} user=postgres dbname={self.dbname}"

    def start(self) -> None:
        """Start it as the old one would be: in its place, with its own settings."""
        options = f"-p {self.port} -c listen_addresses= -c unix_socket_directories=$NEW"
        self.plot.typed(f'pg_ctl --pgdata "$NEW" --log "$NEW/after.log" start --options "{options}"', NEW=self.new)

    def stop(self) -> None:
        self.plot.shell('pg_ctl --pgdata "$NEW" --mode immediate stop', NEW=self.new)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.new)


def recover(plot: Yard, base: Path, target: datetime, *, copy: str = "", dbname: str = TEMPLATE) -> Recovered:
    """Do what the page says up to the point where the server waits at its target."""
    first, second = blocks(PAGE, "Act", "text")[:2]
    one = Recovered(plot, plot.home / "new", dbname)
    archive = str(plot.archive).replace("'", "''").replace("%", "%%")
    variables = {
        "BASE": str(base),
        "NEW": str(one.new),
        "PORT": one.port,
        "ARCHIVE": archive,
        "TARGET": target.isoformat(),
    }
    plot.typed(copy or first, **variables)
    plot.typed(second, **variables)
    return one


def test_back_to_a_moment(archiving: Yard) -> None:
    """Rows before the moment are there, rows after are not, and the new server goes on where that was."""
    plot = archiving
    plot.sql("CREATE TABLE public.days (what text, at timestamptz)", TEMPLATE)
    base = plot.base_backup("base")
    write(plot, "before")
    plot.switch()
    write(plot, "just before")
    target = now(plot)
    write(plot, "after")
    plot.archived(plot.switch())
    write(plot, "long after")
    probed = plot.cli.run("backup", "wal", "check", "--at", target.isoformat(), "--probe", "--format", "json")
    assert findings(probed)["wal.at"]["severity"] == "ok", findings(probed)["wal.at"]

    one = recover(plot, base, target)
    try:
        waiting, finish, settle = blocks(PAGE, "Act", "sql")
        with one.session() as session:
            plot.until(lambda: paused(session), "it does not reach the target")
            waits, reached = session.run(waiting).rows[0]
            assert waits is True
            assert reached < target
            assert one.days() == ["before", "just before"]
        # It replaces the old one.
        plot.server.cluster.stop("immediate")
        plot.typed(blocks(PAGE, "Act", "text")[2], NEW=one.new)
        one.start()
        with one.session() as session:
            plot.until(lambda: paused(session), "it does not reach the target again")
            session.run(finish)
            plot.until(lambda: session.run(waiting).rows[0][0] is False, "it is not promoted")
            for statement in settle.strip().split(";")[:-1]:
                session.run(statement)
            session.run("INSERT INTO public.days VALUES ('again', clock_timestamp())")
        assert one.days() == ["before", "just before", "again"]
        plot.archived("00000002.history")
        words = ["--probe", "--at", target.isoformat(), "--format", "json", "--dsn", one.dsn]
        found = findings(plot.cli.run("backup", "wal", "check", *words))
        assert {name for name, each in found.items() if each["severity"] not in ("ok", "skipped")} == {"wal.at"}
        # What was written after the moment is on the timeline that was left.
        assert found["wal.at"]["severity"] == "warn"
        assert "recovery_target_timeline = '1'" in found["wal.at"]["remediation"]
        status = plot.cli.run("backup", "wal", "status", "--format", "json", "--dsn", one.dsn).json()["tables"]
        assert [(each["timeline"], each["before"], each["missing"]) for each in status["timelines"]] == [
            ("1", None, 0),
            ("2", "1", 0),
        ]
        (backup,) = status["backups"]
        assert (backup["tool"], backup["label"], backup["kind"]) == ("folder", "of base", "full")
        # The ledger ends where the database does; that rows were lost with the moment is seen.
        told = plot.cli.run("audit", "verify", "--format", "json", "--dsn", one.dsn)
        assert findings(told)["ledger.tail"]["severity"] == "critical"
    finally:
        one.stop()


@pytest.mark.more
def test_from_an_incremental_backup(plot: Yard) -> None:
    """PostgreSQL 17: a full backup and one of what changed since are combined, as the page says."""
    plot.begin(summarize_wal="on")
    plot.sql("CREATE TABLE public.days (what text, at timestamptz)", TEMPLATE)
    full = plot.base_backup("full")
    write(plot, "between")
    later = plot.base_backup("later", "--incremental", str(full / "backup_manifest"))
    write(plot, "before")
    target = now(plot)
    write(plot, "after")
    plot.archived(plot.switch())
    kinds = plot.cli.run("backup", "wal", "status", "--format", "json").json()["tables"]["backups"]
    assert [(each["label"], each["kind"]) for each in kinds] == [("of later", "incremental"), ("of full", "full")]
    (command,) = re.findall(r"`(pg_combinebackup [^`]+)`", whole(PAGE))
    one = recover(plot, later, target, copy=f'FULL="{full}"\n{command}')
    try:
        with one.session() as session:
            plot.until(lambda: paused(session), "it does not reach the target")
        assert one.days() == ["between", "before"]
    finally:
        one.stop()


@pytest.mark.more
def test_a_moment_beyond_the_archive(archiving: Yard) -> None:
    """The page quotes what the server says; the check says it before."""
    plot = archiving
    plot.sql("CREATE TABLE public.days (what text, at timestamptz)", TEMPLATE)
    base = plot.base_backup("base")
    write(plot, "archived")
    plot.archived(plot.switch())
    write(plot, "not archived")
    target = now(plot)
    write(plot, "later")
    asked = plot.cli.run("backup", "wal", "check", "--at", target.isoformat(), "--format", "json")
    found = findings(asked)["wal.at"]
    assert found["severity"] == "critical"
    assert found["detail"].startswith("the WAL that is archived leads to ")
    with contextlib.suppress(AssertionError):
        # It lets clients in for a moment, and then ends; whichever pg_ctl saw.
        recover(plot, base, target)
    said = "recovery ended before configured recovery target was reached"
    log = plot.home / "new" / "recovery.log"
    plot.until(lambda: said in log.read_text(), "the server does not say that it came to the end")
    assert said in whole(PAGE)


@pytest.mark.more
def test_a_moment_before_the_base_backup(archiving: Yard) -> None:
    """The server stops where the base backup ended and says nothing of it; only the check does."""
    plot = archiving
    plot.sql("CREATE TABLE public.days (what text, at timestamptz)", TEMPLATE)
    write(plot, "before")
    target = now(plot)
    write(plot, "damage")
    base = plot.base_backup("base")
    write(plot, "later")
    plot.archived(plot.switch())
    asked = plot.cli.run("backup", "wal", "check", "--at", target.isoformat(), "--format", "json")
    found = findings(asked)["wal.at"]
    assert found["severity"] == "critical"
    assert found["detail"].endswith("after that: nothing leads to it")
    one = recover(plot, base, target)
    try:
        with one.session() as session:
            plot.until(lambda: paused(session), "it does not stop")
        assert one.days() == ["before", "damage"]
    finally:
        one.stop()
