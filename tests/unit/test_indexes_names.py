"""Names of indexes as people type them, and the DDL that makes an index again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.indexes.dossier import DefinitionRow, undo_ddl
from wnadmin.domain.indexes.facts import Index, Key
from wnadmin.domain.indexes.guards import leftover
from wnadmin.domain.indexes.missing import SelectiveRow, candidates, distinct_of
from wnadmin.domain.indexes.names import find, unquoted
from wnadmin.errors import UsageError
from wnadmin.postgres.variables import identifier

KNOWN = {"core.users_email": 1, 'core."Users Email"': 2, 'core."a.b"': 3, 'x."q""; --"': 4, "x.twice": 5, "y.twice": 6}


@pytest.mark.parametrize(
    ("typed", "oid"),
    [
        ("core.users_email", 1),
        ("CORE.Users_Email", 1),
        ("users_email", 1),
        ('"users_email"', 1),
        ('core."Users Email"', 2),
        ("core.Users Email", 2),
        ("Users Email", 2),
        ('core."a.b"', 3),
        ("core.a.b", 3),
        ("a.b", 3),
        ('x."q""; --"', 4),
        ("x.twice", 5),
    ],
)
def test_an_index_is_found_by_what_people_type(typed: str, oid: int) -> None:
    assert find(typed, KNOWN) == oid


@pytest.mark.parametrize("typed", ["", ".", "core.", '"', 'core."', "a..b", 'core."x"y'])
def test_what_is_no_name_is_refused_and_not_guessed(typed: str) -> None:
    with pytest.raises(UsageError, match="there is no index"):
        find(typed, KNOWN)


def test_a_name_in_two_schemas_needs_its_schema() -> None:
    with pytest.raises(UsageError) as refused:
        find("twice", KNOWN)
    assert refused.value.why == "x.twice, y.twice"


def test_near_names_are_offered() -> None:
    with pytest.raises(UsageError) as refused:
        find("core.user_emails", KNOWN)
    assert "core.users_email" in refused.value.next


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), min_size=2, max_size=2))
def test_a_quoted_name_is_read_back(names: list[str]) -> None:
    shown = ".".join(identifier(name) for name in names)
    assert unquoted(shown) == tuple(names)
    assert find(shown, {shown: 9}) == 9


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s.x_ccnew", "the new copy that a failed REINDEX CONCURRENTLY of s.x left"),
        ("s.x_ccold3", "the old copy that a failed REINDEX CONCURRENTLY of s.x left"),
        ('s."a b_ccnew1"', 'REINDEX CONCURRENTLY of s."a b" left'),
        ("s.x_ccnewer", ""),
        ("s.x", ""),
    ],
)
def test_leftovers_are_told_by_their_names(name: str, words: str) -> None:
    assert leftover(name).endswith(words)
    assert bool(leftover(name)) is bool(words)


def test_undo_brings_back_all_that_a_drop_takes() -> None:
    row = DefinitionRow(
        definition='CREATE UNIQUE INDEX "I" ON s.t USING btree (lower(a)) WHERE (b > 0)',
        constraint_definition=None,
        constraint_name=None,
        table_name="s.t",
        tablespace="fast",
        comment="it's the one",
        is_clustered=True,
        is_replica_identity=False,
        statistics_targets=["1 500"],
        extensions=["postgis"],
    )
    index = Index(1, 's."I"', 2, (Key(0, "lower(a)"),))
    assert undo_ddl(row, index) == (
        "SET default_tablespace = fast;",
        'CREATE UNIQUE INDEX CONCURRENTLY "I" ON s.t USING btree (lower(a)) WHERE (b > 0);',
        "RESET default_tablespace;",
        'ALTER INDEX s."I" ALTER COLUMN 1 SET STATISTICS 500;',
        'ALTER INDEX s."I" DEPENDS ON EXTENSION postgis;',
        'ALTER TABLE s.t CLUSTER ON "I";',
        "COMMENT ON INDEX s.\"I\" IS 'it''s the one';",
    )


def test_a_constraints_index_comes_back_with_the_constraint() -> None:
    row = DefinitionRow("CREATE …", "PRIMARY KEY (id)", "t_pkey", "s.t", None, None, False, True, [], [])
    assert undo_ddl(row, Index(1, "s.t_pkey", 2, (Key(1),))) == (
        "ALTER TABLE s.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);",
        "ALTER TABLE s.t REPLICA IDENTITY USING INDEX t_pkey;",
    )


def test_a_partitioned_index_comes_back_over_all_partitions() -> None:
    row = DefinitionRow(
        "CREATE INDEX i ON ONLY s.t USING btree (a)", None, None, "s.t", None, None, False, False, [], []
    )
    assert undo_ddl(row, Index(1, "s.i", 2, (Key(1),), partitioned=True)) == ("CREATE INDEX i ON s.t USING btree (a);",)
    hostile = replace(row, definition='CREATE INDEX "x ON ONLY y" ON ONLY s.t USING btree (a)')
    index = Index(1, 's."x ON ONLY y"', 2, (Key(1),), partitioned=True)
    assert undo_ddl(hostile, index) == ('CREATE INDEX "x ON ONLY y" ON s.t USING btree (a);',)


def selective(position: int, distinct: float, **facts: object) -> SelectiveRow:
    base = {"seen": True, "allowed": True, "nulls": 0.0, "correlation": 0.5, "sortable": True, **facts}
    name = f"c{position}"
    return SelectiveRow(1, "s.t", position, name, 10_000, distinct_values=distinct, **base)  # type: ignore[arg-type]  # named


def test_selective_columns_without_an_index_are_candidates() -> None:
    rows = [
        selective(1, -1.0),
        selective(2, 3.0),
        selective(3, 500.0),
        selective(4, -0.5, seen=False),
        selective(5, -0.5, sortable=False),
        selective(6, -0.5),
    ]
    indexes = [Index(1, "s.i", 1, (Key(1),)), Index(2, "s.j", 1, (Key(2), Key(6)), valid=False)]
    assert [one.row.position for one in candidates(rows, indexes, [])] == [6, 3]
    assert distinct_of(rows[5]) == 5000
