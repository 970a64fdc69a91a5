"""The benchmarks run; what they measure is for `make bench`, never for a test."""

from __future__ import annotations

import shutil

import pytest

from benchmarks import __main__ as bench
from benchmarks import functions, health, measure, processes, trail, world
from benchmarks.measure import Row
from benchmarks.places import Ground
from tests.support import Server
from wnadmin.domain.health import checks

TINY = world.Scale("tiny", 10, 60, "128MB", years=1)


@pytest.fixture(scope="module")
def ground(server: Server, template: str) -> Ground:
    """A set-up database of the tests' server with a tiny world in it."""
    place = Ground(server.cluster, server.create(template))
    world.fill(place, TINY, workers=1)
    return place


def test_a_world_is_built_once_and_proven(ground: Ground) -> None:
    world.fill(ground, TINY, workers=1)
    with ground.session() as session:
        session.run(
            "DELETE FROM content.engagement AS e WHERE (e.id, e.started_at) = "
            "(SELECT x.id, x.started_at FROM content.engagement AS x WHERE x.started_at < '2026-01-01' LIMIT 1)"
        )
    db = ground.database()
    with pytest.raises(RuntimeError, match="promised"):
        world.prove(db, TINY)
    db.session.close()


def test_functions_and_reads_are_measured(ground: Ground) -> None:
    rows = functions.functions(ground, TINY.families, count=5) + functions.reads(ground, TINY.families, count=3)
    bounded = [row.name for row in rows if row.bound]
    assert bounded == ["content", "daily", "rls children", "rls visits", "rls metrics"]
    assert all(row.measured > 0 for row in rows)


def test_recording_is_measured(ground: Ground) -> None:
    with ground.session() as session:
        before = session.scalar("SELECT count(*) FROM audit.activity_log")
    rows = trail.triggers(ground, rows=5, rounds=1)
    assert rows[0].ratio is not None
    with ground.session() as session:
        assert session.scalar("SELECT count(*) FROM audit.activity_log") == before
    assert trail.append(ground, count=5)[0].measured > 0
    assert trail.verify(ground, rows=50)[0].measured > 50


def test_processes_are_measured(ground: Ground) -> None:
    rows = processes.start(ground, rounds=1)
    assert [row.name for row in rows] == ["version", "help", "read"]
    assert all(row.peer for row in rows)


def test_looks_are_measured_on_many_partitions(ground: Ground) -> None:
    rows = {row.name: row for row in health.wide(ground, partitions=20, rounds=1, beside=False)}
    assert rows["health wide"].bound == 1.5
    # In bytes a Python program has some millions; a wrong unit would be far off.
    assert 10 < rows["health memory"].measured < 500
    assert rows["health memory"].bound == 80
    assert not ground.exists("bench_wide")


def test_what_a_watch_costs_is_measured(ground: Ground) -> None:
    rows = health.load(ground, pairs=1, length=1, size=1)
    assert [row.name for row in rows] == ["health load", "health look"]
    assert rows[0].peer and rows[0].bound == pytest.approx(1.1 * rows[0].peer)
    assert 0.0001 < rows[1].measured < 10


@pytest.mark.skipif(shutil.which(health.PEER) is None, reason="check_postgres is not installed; .ci/run has it")
def test_health_is_measured_beside_its_peer(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {action: health.EQUIVALENTS[action] for action in ("connection", "settings_checksum")}
    monkeypatch.setattr(health, "EQUIVALENTS", few)
    row, bare = health.peers(ground, rounds=1)
    assert row.peer and row.bound == pytest.approx(row.peer / 10)
    assert bare.peer and bare.bound is None
    assert row.measured == bare.measured > 0


def test_a_peer_that_cannot_look_is_no_measurement(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PEER", "no_such_program")
    with pytest.raises(RuntimeError, match="no_such_program is not installed"):
        health.peers(ground, rounds=1)


def test_each_equivalent_answers_to_a_check() -> None:
    ids = {check.id for check in checks.every()}
    assert {check for check, _ in health.EQUIVALENTS.values()} <= ids


def test_the_table_says_what_was_kept() -> None:
    rows = [
        Row("a", "kept", "ms", 0.001, 0.001, "peer", 0.002),
        Row("b", "missed", "s", 3.0, bound=2.0),
        Row("c", "enough", "rows/s", 200_000, bound=100_000, least=True),
        Row("d", "shown only", "s", 1.0),
    ]
    assert [row.verdict for row in rows] == ["ok", "MISS", "ok", "-"]
    lines = measure.table(rows).splitlines()
    assert len(lines) == 6
    assert "1.00 ms" in lines[2] and "≤ 2.00 ms" in lines[2]
    assert lines[3].endswith("MISS")
    assert "≥ 100,000 rows/s" in lines[4]


def test_percentiles_and_turns() -> None:
    assert measure.percentile([float(n) for n in range(1, 101)], 0.95) == 95
    assert measure.percentile([7.0], 0.95) == 7
    seen: list[str] = []
    took = measure.turns({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, 2)
    assert seen == ["a", "b", "a", "b", "b", "a"]
    assert {name: len(times) for name, times in took.items()} == {"a": 2, "b": 2}


def test_a_failing_program_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        measure.process(["sh", "-c", "exit 3"], {"PATH": "/usr/bin:/bin"})()


def test_every_promise_has_a_name() -> None:
    assert set(bench.BENCHES) == {
        "setup",
        "start",
        "sample",
        "functions",
        "reads",
        "trigger",
        "append",
        "verify",
        "health",
        "wide",
        "load",
        "locks",
        "drift",
        "backup",
        "partitions",
        "readonly",
        "retention",
    }
