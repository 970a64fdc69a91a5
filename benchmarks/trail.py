"""What recording costs: the audit trigger, and the operator ledger."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from uuid import uuid4

from benchmarks.measure import Row, median, percentile, process, seconds, turns
from benchmarks.places import Ground, environment, wnadmin
from wnadmin.ledger import canonical
from wnadmin.postgres.session import Session
from wnadmin.postgres.sql import SQL, Identifier, Literal

TRIGGERS = Path(__file__).parent / "triggers.sql"
LENGTHEN = Path(__file__).parent / "lengthen.sql"

VARIANTS = ("bench_none", "bench_plain", "bench_audit")


def triggers(ground: Ground, *, rows: int = 500, rounds: int = 41) -> list[Row]:
    """Insert, update and delete the same rows of a table of children without a trigger, with the plain one, with ours.

    All in one transaction that is rolled back. The plain one is what one would write by hand for this one table:
    the whole row as jsonb into audit.activity_log, with the same keys, so the same indexes are kept up.
    """
    with ground.session() as session:
        session.run("BEGIN")
        outcome = session.script(TRIGGERS.read_text(encoding="utf-8"))
        if outcome.error is not None:
            raise outcome.error
        session.run("SELECT pg_catalog.set_config('app.current_user_id', %s, true)", [str(uuid4())])
        took = turns(
            {name: partial(_change, session, name, rows) for name in VARIANTS},
            rounds,
        )
        session.run("ROLLBACK")
    none, plain, audit = (median(took[name]) / (3 * rows) for name in VARIANTS)
    return [
        Row(
            "trigger",
            "a row change with the audit trigger, ≤ 1.7 ×",
            "ms",
            audit,
            plain,
            "plain jsonb trigger",
            1.7 * plain,
        ),
        Row("trigger alone", "  of it the trigger itself", "ms", audit - none, plain - none, "plain jsonb trigger"),
    ]


def _change(session: Session, schema: str, rows: int) -> None:
    table = Identifier(schema, "child_profiles")
    for text in (
        SQL("INSERT INTO {} SELECT * FROM pg_temp.bench_rows AS r LIMIT {}").format(table, Literal(rows)),
        SQL("UPDATE {} SET first_name = first_name || 'x', updated_at = now()").format(table),
        SQL("DELETE FROM {}").format(table),
    ):
        session.run(text)


def append(ground: Ground, *, count: int = 500) -> list[Row]:
    """One ledger row a transaction, on a server that waits for the disk."""
    took: list[float] = []
    with ground.session(settings={"synchronous_commit": "on"}) as session:
        for number in range(count + 20):
            op_id = str(uuid4())
            payload = canonical.dumps({"op_id": op_id, "phase": "read", "command": "bench", "argv": ["x" * 300]})
            call = "SELECT * FROM audit.ledger_append(%s, 'read', %s)"
            one = seconds(partial(session.run, call, [op_id, payload]))
            if number >= 20:
                took.append(one)
    return [Row("append", "ledger append, p50", "ms", percentile(took, 0.5), bound=0.002)]


def verify(ground: Ground, *, rows: int = 200_000) -> list[Row]:
    """``audit verify`` as a whole process over a ledger of so many rows, each as long as a real one."""
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder))
        dsn = ground.dsn()
        # A change leaves a checkpoint outside the database, a look the real row that the others copy.
        process(wnadmin("queries", "reset", "--yes", "--dsn", dsn), env)()
        process(wnadmin("audit", "log", "--dsn", dsn), env)()
        with ground.session() as session:
            outcome = session.script(LENGTHEN.read_text(encoding="utf-8").replace(":rows", str(rows)))
            if outcome.error is not None:
                raise outcome.error
            count = int(session.scalar("SELECT pg_catalog.count(*) FROM audit.operator_ledger"))
        took = turns({"verify": process(wnadmin("audit", "verify", "--dsn", dsn), env)}, 3, warm=1)["verify"]
    what = f"audit verify of {count:,} rows, whole process"
    return [Row("ledger", what, "rows/s", count / median(took), bound=100_000, least=True)]
