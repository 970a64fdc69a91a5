"""A long ledger: exported, imported, sealed in a memory that does not grow with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ledger.samples import INTENT, head
from tests.support import Cli, Server
from wnadmin.domain.audit import chains
from wnadmin.ledger import canonical, database
from wnadmin.postgres.database import Database

ROWS = 100_000
MEGABYTES = 40
"""How much more a run over all rows may take than one over a few."""

LENGTHEN = """
    SELECT count(a.seq)
    FROM (SELECT gen_random_uuid() AS op_id FROM generate_series(1, %s)) AS o
    CROSS JOIN LATERAL audit.ledger_append(o.op_id, 'read', replace(%s, 'an-id', o.op_id::text)) AS a
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where files go."""
    path = tmp_path / "exports"
    path.mkdir()
    return path


@pytest.fixture
def copy(server: Server, fresh_db: str) -> Iterator[str]:
    """A database that was restored when the ledger had one row."""
    with server.session(fresh_db) as session:
        payload = canonical.dumps({**INTENT, "op_id": (op_id := uuid4()), "phase": "read"})
        database.append(session, op_id, "read", payload)
    name = server.create(fresh_db)
    yield name
    server.drop(name)


def run(cli: Cli, *words: str) -> tuple[float, float]:
    """Run wnadmin; gives the most memory it took, in megabytes, and the seconds."""
    began = time.monotonic()
    process = cli.start([*words, "--yes", "--format", "json"])
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, out + (process.stderr.read() if process.stderr else "")
    process.communicate()
    return used.ru_maxrss / 1024, time.monotonic() - began


@pytest.mark.more
def test_a_long_ledger_takes_no_more_memory(
    server: Server, fresh_db: str, copy: str, cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, restored = Cli(cli.folder, server.dsn(fresh_db)), Cli(cli.folder, server.dsn(copy))
    few, _ = run(source, "audit", "export", "--to", str(folder), "--through", "1")
    with server.session(fresh_db, statement_timeout="0") as session:
        payload = canonical.dumps({**INTENT, "op_id": "an-id", "phase": "read"})
        session.run(LENGTHEN, [ROWS, payload])
        began = time.monotonic()
        size = sum(len(block) for block in session.copy_out("COPY audit.operator_ledger TO STDOUT"))
        plain = time.monotonic() - began
    spent: dict[str, float] = {}
    many, spent["export"] = run(source, "audit", "export", "--to", str(folder))
    assert many - few < MEGABYTES
    many, spent["import"] = run(restored, "audit", "import", str(folder))
    assert many - few < MEGABYTES
    many, spent["import again"] = run(restored, "audit", "import", str(folder))
    assert many - few < MEGABYTES
    assert restored.run("audit", "verify").code == 0
    with server.session(fresh_db) as session:
        session.run(
            "UPDATE audit.data_retention_policies SET retention_period = '1 microsecond'"
            " WHERE policy_code = 'audit.operator_ledger'"
        )
    many, spent["seal"] = run(source, "audit", "seal", "--to", str(folder))
    assert many - few < MEGABYTES
    assert source.run("audit", "verify").code == 0
    with server.session(fresh_db) as session:
        assert chains.bounds(session).first > ROWS
    with server.session(copy) as session:
        assert head(Database(session)) > ROWS
    with capsys.disabled():
        rates = ", ".join(f"{name} {ROWS / seconds:,.0f} rows/s" for name, seconds in spent.items())
        print(f"\n{ROWS:,} rows: {rates}; plain COPY {ROWS / plain:,.0f} rows/s ({size / ROWS:.0f} bytes a row)")
