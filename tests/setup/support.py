"""Running and breaking `setup apply` without the engine around it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support import Server
from wnadmin import assets
from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup import catalog
from wnadmin.domain.setup.bundle import Bundle, Expected, SetupFile
from wnadmin.domain.setup.catalog import Catalog
from wnadmin.domain.setup.classify import Classification, classify
from wnadmin.domain.setup.compare import Difference, compare
from wnadmin.domain.setup.run import plan_apply
from wnadmin.domain.setup.wishes import Wishes
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Plan, Receipt, World


def build_bundle(server: Server, database: str, folder: Path) -> None:
    """Write the bundled files and what is made of them, the catalog taken from ``database``."""
    files = bundles.load_files(assets.root("sql"))
    for one in files:
        (folder / one.name).write_text(one.text, encoding="utf-8")
    (folder / "migration").mkdir()
    (folder / "migration" / bundles.V001).write_text(bundles.build_v001(files), encoding="utf-8")
    (folder / bundles.EXPECTED).write_text(bundles.dump_expected(captured(server, database), files), encoding="utf-8")


def secure(server: Server, database: str, bundle: Bundle) -> None:
    """Run 07 once more."""
    with server.session(database) as session:
        result = session.script(bundle.files[6].text)
        assert result.error is None, result.error


def scalar(server: Server, database: str, query: str) -> object:
    """Run a query for its one value."""
    with server.session(database) as session:
        return session.scalar(query)


def captured(server: Server, database: str) -> Catalog:
    """Describe ``database``."""
    with server.session(database) as session:
        return catalog.capture(Database(session))


def differences(server: Server, database: str, expected: Catalog) -> list[Difference]:
    """Compare ``database`` with ``expected``."""
    return compare(expected, captured(server, database))


def edited(bundle: Bundle, name: str, change: Callable[[str], str], *, known: bool = False) -> Bundle:
    """The bundle with one file changed; ``known`` rebuilds what is derived, as `make v001 expected` would."""
    files = []
    for one in bundle.files:
        text = change(one.text) if one.name.startswith(name) else one.text
        files.append(SetupFile(one.name, text, hashlib.sha256(text.encode()).hexdigest()))
    assert files != list(bundle.files)
    if not known:
        return replace(bundle, files=tuple(files))
    v001 = replace(bundle.v001, text=bundles.build_v001(files))
    expected = Expected(bundle.expected.catalog, {one.name: one.sha256 for one in files})
    return Bundle(tuple(files), v001, expected)


@dataclass(slots=True)
class Progress:
    """What a step said on its way; ``stop_at`` asks it to stop once it says so."""

    said: list[str] = field(default_factory=list)
    stop_at: str = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        self.said.append(what)

    def stopping(self) -> bool:
        return bool(self.stop_at) and self.stop_at in self.said


@dataclass(frozen=True, slots=True)
class Setup:
    """`setup apply` on one server, as ``user``."""

    server: Server
    bundle: Bundle
    user: str = "postgres"

    def connect(self, dbname: str) -> Session:
        return self.server.session(dbname, self.user)

    def wishes(self, database: str, **more: Any) -> Wishes:
        return replace(Wishes(database, months_ahead=3), **more)

    def plan(self, database: str, **more: Any) -> Plan:
        return plan_apply(self.wishes(database, **more), self.connect, bundle=self.bundle)

    def apply(self, database: str, progress: Progress | None = None, **more: Any) -> list[Receipt]:
        return run_steps(self.plan(database, **more), progress)

    def classify(self, database: str) -> Classification:
        with self.server.session(database) as session:
            return classify(Database(session), self.bundle.expected.catalog)

    def differences(self, database: str) -> list[Difference]:
        return differences(self.server, database, self.bundle.expected.catalog)


def run_steps(plan: Plan, progress: Progress | None = None) -> list[Receipt]:
    """Carry out the steps of a plan."""
    said = progress or Progress()
    receipts: dict[str, Receipt] = {}
    for step in plan.steps:
        receipts[step.key] = step.run(World(receipts, said, said.stopping))
    return list(receipts.values())


def psql(server: Server, database: str, *words: str, user: str = "postgres") -> subprocess.CompletedProcess[str]:
    """Run the server's own psql, without anybody's psqlrc."""
    tool = server.cluster.tool("psql")
    argv = [str(tool.path), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", *words, server.dsn(database, user)]
    return subprocess.run(argv, env=dict(tool.env), capture_output=True, text=True, timeout=120, check=False)


def counts(session: Session) -> list[tuple[str, int]]:
    """The rows of every table, and how many objects there are."""
    names = session.run(
        "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class AS c"
        " INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
    ).rows
    found = [(str(name), int(session.scalar(f"SELECT count(*) FROM {name}"))) for (name,) in names]
    found += [
        (name, int(session.scalar(f"SELECT count(*) FROM pg_catalog.{name}")))
        for name in ("pg_class", "pg_proc", "pg_authid", "pg_db_role_setting", "pg_policy", "pg_largeobject_metadata")
    ]
    return found


def bad(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that are neither ok nor skipped."""
    return [one for one in findings if one.severity not in ("ok", "skipped")]
