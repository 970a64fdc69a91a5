"""Bloat: what is counted, what is estimated, what is withheld; and autovacuum's own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.tables import bloat
from wnadmin.domain.tables.bloat import Bloat, Trust, Width
from wnadmin.domain.tables.debt import VacuumRow, debt, rules
from wnadmin.domain.tables.owed import gathered as owed
from wnadmin.domain.tables.quantity import shown, size
from wnadmin.domain.tables.sizes import SizeRow, rolled_up, unmeasured
from wnadmin.domain.tables.wasted import gathered
from wnadmin.errors import UsageError

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MIB = 1024 * 1024


def trust(**facts: Any) -> Trust:
    return Trust(**{"rows": 100_000.0, "changed": 0, "analyzed_at": NOW, "bytes": 10 * MIB, **facts})


INT8 = Width(1, 8, "d", width=8)
TEXT = Width(2, -1, "i", width=33)


def test_a_row_is_as_wide_as_the_server_makes_it() -> None:
    assert bloat.row_width([INT8]) == 32
    assert bloat.row_width([Width(1, 2, "s", width=2), Width(2, 8, "d", width=8)]) == 40, "padding before the bigint"
    assert bloat.row_width([Width(1, -1, "i", width=5), Width(2, -1, "i", width=3)]) == 32, "short texts are unaligned"
    assert bloat.row_width([Width(1, 8, "d", width=8, nulls=1.0)]) == 24, "only the bitmap"


def test_a_table_as_big_as_its_rows_wastes_nothing() -> None:
    need = 100_000 * 36 / (8192 - 24) * 8192
    found = bloat.heap_estimate(trust(bytes=int(need)), [INT8], 100)
    assert (found.how, found.wasted) == ("estimate", 0)
    half = bloat.heap_estimate(trust(bytes=int(need) * 2), [INT8], 100)
    assert half.percent == pytest.approx(50, abs=1)
    filled = bloat.heap_estimate(trust(bytes=int(need) * 2), [INT8], 50)
    assert filled.percent == pytest.approx(0, abs=1), "what the fillfactor leaves free is not waste"


@pytest.mark.parametrize(
    ("facts", "columns", "words"),
    [
        ({"bytes": MIB - 1}, [INT8], "too small"),
        ({"rows": -1.0}, [INT8], "not analyzed"),
        ({"analyzed_at": None}, [INT8], "not analyzed"),
        ({"changed": 10_001}, [INT8], "stale"),
        ({}, [INT8, Width(2, 4, "i", dropped=True)], "dropped columns"),
        ({}, [INT8, Width(2, 4, "i", seen=False)], "pg_stats hides 1 of 2 columns"),
    ],
)
def test_what_cannot_be_trusted_is_withheld(facts: dict[str, Any], columns: list[Width], words: str) -> None:
    found = bloat.heap_estimate(trust(**facts), columns, 100)
    assert (found.how, found.wasted, found.percent) == ("withheld", None, None)
    assert words in found.why
    if "dropped" not in words:
        index = bloat.index_estimate(trust(**facts), columns, 100_000, unique=True, fill=90)
        assert index.how == "withheld"


def test_equal_keys_are_stored_once_and_not_estimated() -> None:
    few = Width(1, 4, "i", width=4, distinct=50)
    assert bloat.index_estimate(trust(), [few], 100_000, unique=False, fill=90).how == "withheld"
    assert bloat.index_estimate(trust(), [few], 100_000, unique=True, fill=90).how == "estimate"
    many = Width(1, 4, "i", width=4, distinct=-1)
    assert bloat.index_estimate(trust(), [many], 100_000, unique=False, fill=90).how == "estimate"


def test_a_fresh_btree_is_not_bloated() -> None:
    assert bloat.index_exact(10 * MIB, 1270, 0, 0, 90.1, 90).wasted == 0
    half = bloat.index_exact(1000 * 8192, 1000, 0, 0, 45.0, 90)
    assert half.percent == 50
    assert bloat.index_exact(1000 * 8192, 0, 500, 500, 0, 90).percent == 100


def test_dead_rows_and_free_space_beyond_the_fillfactor_are_waste() -> None:
    assert bloat.heap_exact(1000, 100, 200, 100).wasted == 300
    assert bloat.heap_exact(1000, 100, 200, 80).wasted == 100
    assert bloat.heap_exact(0, 0, 0, 100).percent == 0


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(10, 100))
def test_waste_is_never_more_than_there_is(total: int, dead: int, free: int, fill: int) -> None:
    found = bloat.heap_exact(total, dead, free, fill)
    assert found.wasted is not None
    assert 0 <= found.wasted <= total


def test_partitions_are_summed_and_say_how_each_was_judged() -> None:
    found = gathered(
        [
            (1, "s.t", "s.t_1", "heap", Bloat("exact", 100, 50)),
            (1, "s.t", "s.t_2", "heap", Bloat("estimate", 300, 50)),
            (1, "s.t", "s.t_3", "heap", Bloat("withheld", 600, None, "stale")),
        ],
        leaves=False,
    )
    assert [(one.name, one.bytes, one.judged, one.wasted, one.percent) for one in found] == [
        ("s.t", 1000, 400, 100, 25.0)
    ]
    assert found[0].how == "1 exact, 1 estimate, 1 withheld: stale"
    alone = gathered([(1, "s.t", "s.t", "heap", Bloat("withheld", 600, None, "stale"))], leaves=True)
    assert (alone[0].percent, alone[0].how) == (None, "withheld: stale")


def test_sizes_are_rolled_up_to_the_topmost_table() -> None:
    rows = [
        SizeRow(1, 1, "s.t", True, 0, 0, 0, 5, []),
        SizeRow(2, 1, "s.t_2026", True, 0, 0, 0, None, []),
        SizeRow(3, 1, "s.t_2026_01", False, 10, 1, 2, 5, []),
        SizeRow(4, 1, "s.t_2026_02", False, 20, 1, 2, None, ["s.t_2026_02"]),
        SizeRow(5, 5, "s.u", False, 1, 0, 0, None, []),
    ]
    found = rolled_up(rows)
    assert [(one.name, one.partitions, one.rows, one.total, one.uncounted) for one in found] == [
        ("s.t", 2, 5, 36, 1),
        ("s.u", 0, None, 1, 1),
    ]


def test_many_unmeasured_relations_are_counted() -> None:
    assert unmeasured([]) == []
    (note,) = unmeasured([f"s.t{n:02}" for n in range(12)] * 2)
    assert note.endswith("s.t09 and 2 more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("64kB", 65536), ("1 GB", 1 << 30), ("1.5MB", 3 << 19), ("10", 10), ("2TiB", 1 << 41)],
)
def test_a_size_is_read(text: str, expected: int) -> None:
    assert size(text, "--least") == expected


@pytest.mark.parametrize("text", ["", "many", "-1", "1 XB", "1e5", "1GB; drop"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--least"):
        size(text, "--least")


def test_a_size_is_shown() -> None:
    assert [shown(n) for n in (0, 1023, 1024, 3 << 19, 1 << 30, 1 << 41)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "1.5 MiB",
        "1.0 GiB",
        "2.0 TiB",
    ]


SETTINGS = {
    "autovacuum_vacuum_threshold": "50",
    "autovacuum_vacuum_scale_factor": "0.2",
    "autovacuum_vacuum_insert_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.2",
    "autovacuum_analyze_threshold": "50",
    "autovacuum_analyze_scale_factor": "0.1",
    "autovacuum_freeze_max_age": "200000000",
    "autovacuum_multixact_freeze_max_age": "400000000",
}


def row(**facts: Any) -> VacuumRow:
    base: dict[str, Any] = {
        "oid": 1,
        "top": 1,
        "name": "s.t",
        "top_name": "s.t",
        "toast": False,
        "system": False,
        "temporary": False,
        "estimated_rows": 1000.0,
        "pages": 10,
        "frozen_pages": 0,
        "dead": 0,
        "live": 1000,
        "inserted": 0,
        "changed": 0,
        "vacuumed_at": None,
        "autovacuumed_at": None,
        "analyzed_at": None,
        "autoanalyzed_at": None,
        "xid_age": 0,
        "mxid_age": 0,
        "options": [],
    }
    return VacuumRow(**{**base, **facts})


def test_the_tables_own_options_override_the_settings() -> None:
    plain = debt(row(dead=250), SETTINGS)
    assert (plain.vacuum_at, plain.of_vacuum, plain.due) == (250.0, 1.0, ())
    assert debt(row(dead=251), SETTINGS).due == ("dead rows",)
    eager = debt(row(dead=11, options=["autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=10"]), SETTINGS)
    assert (eager.vacuum_at, eager.due) == (10.0, ("dead rows",))
    assert eager.rules.own == ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold")


def test_inserts_count_from_a_threshold_of_their_own() -> None:
    assert debt(row(inserted=1201), SETTINGS).due == ("inserts",)
    off = debt(row(inserted=10**6, options=["autovacuum_vacuum_insert_threshold=-1"]), SETTINGS)
    assert (off.of_insert, off.due) == (None, ())
    # On 18 what is frozen does not raise it.
    assert debt(row(inserted=1101, frozen_pages=5), SETTINGS).due == ("inserts",)


def test_the_maximum_of_18_and_a_table_nobody_counted() -> None:
    capped = debt(row(estimated_rows=1e9, dead=101), {**SETTINGS, "autovacuum_vacuum_max_threshold": "100"})
    assert (capped.vacuum_at, capped.due) == (100.0, ("dead rows",))
    uncapped = debt(row(estimated_rows=1e9, dead=101), {**SETTINGS, "autovacuum_vacuum_max_threshold": "-1"})
    assert uncapped.due == ()
    assert debt(row(estimated_rows=-1.0, dead=51), SETTINGS).due == ("dead rows",)


def test_ages_are_of_the_lower_limit() -> None:
    half = debt(row(xid_age=100_000_000, mxid_age=400_000_000), SETTINGS)
    assert (half.xid_percent, half.mxid_percent, half.due) == (50.0, 100.0, ("multixact age",))
    lower = debt(row(xid_age=100_000_000, options=["autovacuum_freeze_max_age=100000000"]), SETTINGS)
    assert lower.due == ("transaction age",)
    higher = debt(row(xid_age=100_000_000, options=["autovacuum_freeze_max_age=900000000"]), SETTINGS)
    assert higher.xid_percent == 50.0, "a table cannot ask for a later freeze"


@pytest.mark.parametrize(
    ("value", "enabled"), [("false", False), ("off", False), ("0", False), ("on", True), ("TRUE", True)]
)
def test_autovacuum_may_be_switched_off_for_a_table(value: str, enabled: bool) -> None:
    assert rules(SETTINGS, [f"autovacuum_enabled={value}"]).enabled is enabled


def test_partitions_show_the_worst_and_the_one_that_has_waited_longest() -> None:
    first = row(oid=2, name="s.t_1", dead=500, vacuumed_at=NOW, analyzed_at=NOW, options=["autovacuum_enabled=off"])
    second = row(oid=3, name="s.t_2", dead=1)
    (together,) = owed([debt(first, SETTINGS), debt(second, SETTINGS)], leaves=False)
    assert (together.name, together.dead, together.percent_due, together.worst) == ("s.t", 501, 200.0, "s.t_1")
    assert (together.vacuumed_at, together.disabled, together.parts) == (None, 1, 2)
    each = owed([debt(first, SETTINGS), debt(second, SETTINGS)], leaves=True)
    assert [(one.name, one.worst) for one in each] == [("s.t_1", ""), ("s.t_2", "")]
