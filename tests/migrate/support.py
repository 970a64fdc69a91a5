"""A database as `setup apply` leaves it, folders of migrations, and a plan carried out without the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import Server, install
from wnadmin import assets
from wnadmin.domain.migrate import run
from wnadmin.domain.migrate.places import bundled
from wnadmin.domain.setup import flyway
from wnadmin.domain.setup import migrations as files
from wnadmin.domain.setup.bundle import V001
from wnadmin.domain.setup.flyway import HistoryRow
from wnadmin.postgres.session import Session
from wnadmin.results import Plan, Receipt, World

EXAMPLE = Path(__file__).parent / "migration"
"""The example of the document, V002."""

LOCK = 77433833903597
"""Flyway's, as a number that Flyway itself was seen to use."""


def record_v001(server: Server, dbname: str) -> None:
    """Make the history that `setup apply` makes, and give it its owner."""
    name = flyway.parse_name(V001)
    checksum = flyway.checksum((bundled() / V001).read_bytes())
    with server.session(dbname) as session:
        for statement in flyway.DDL:
            session.run(statement)
        session.run(flyway.insert_row(name, rank=1, sum_=checksum, milliseconds=1))
        result = session.script((assets.root("sql") / "07_security_setup.sql").read_text())
        assert result.error is None, result.error


def make(server: Server, dbname: str) -> None:
    """Set ``dbname`` up with its history."""
    install(server, dbname)
    record_v001(server, dbname)


def history(server: Server, dbname: str) -> tuple[HistoryRow, ...]:
    """Read the history."""
    with server.session(dbname) as session:
        return flyway.read_history(session) or ()


def scalar(server: Server, dbname: str, query: str) -> object:
    """Run a query for its one value."""
    with server.session(dbname) as session:
        return session.scalar(query)


def write(folder: Path, name: str, body: str, *, rollback: str = "SELECT 1;", head: str = "") -> Path:
    """Write a migration with a header; ``rollback`` '' leaves the procedure out."""
    way_back = "".join(f"--     {line}\n" for line in rollback.splitlines())
    top = f"-- {name}\n{head}" + (f"-- rollback:\n{way_back}" if rollback else "")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{top}\nSET lock_timeout = '2s';\n{body}\n", encoding="utf-8")
    return path


@dataclass(slots=True)
class Progress:
    """What a step said on its way."""

    said: list[str] = field(default_factory=list)

    def __call__(self, what: str, done: int, total: int) -> None:
        self.said.append(what)


@dataclass(frozen=True, slots=True)
class Migrate:
    """`migrate` on one database, as ``user``, with the bundled folder and ``folders``."""

    server: Server
    dbname: str
    folders: tuple[Path, ...]
    user: str = "postgres"

    @property
    def locations(self) -> tuple[Path, ...]:
        return (bundled(), *self.folders)

    def connect(self) -> Session:
        return self.server.session(self.dbname, self.user)

    def found(self) -> files.Files:
        return files.find(self.locations)

    def plan(self, *, wait: float = 10.0, target: str | None = None, out_of_order: bool = False) -> Plan:
        version = flyway.parse_version(target) if target else None
        return run.plan_apply(run.Wanted(self.locations, version, out_of_order, wait), self.connect)

    def apply(self, *, wait: float = 10.0, target: str | None = None, out_of_order: bool = False) -> list[Receipt]:
        return carry_out(self.plan(wait=wait, target=target, out_of_order=out_of_order))


def carry_out(plan: Plan, progress: Progress | None = None) -> list[Receipt]:
    """Run the steps of a plan that are not done, and its proof."""
    said = progress or Progress()
    receipts: dict[str, Receipt] = {}
    for step in plan.steps:
        if step.done is None or not step.done():
            receipts[step.key] = step.run(World(receipts, said, lambda: False))
    assert plan.verify is None or {one.severity for one in plan.verify()} <= {"ok"}
    return list(receipts.values())


def applied(rows: Sequence[HistoryRow]) -> list[tuple[str | None, str, bool]]:
    """The rows in short: version, description, success."""
    return [(row.version, row.description, row.success) for row in rows]
