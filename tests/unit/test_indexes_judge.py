"""Verdicts about indexes: each guard for itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.indexes import LIMITS, NOW, TABLE, index, node, one, verdict, world
from wnadmin.domain.indexes.cover import covers, matches
from wnadmin.domain.indexes.facts import ForeignKey, Key, NodeView, Use
from wnadmin.domain.indexes.foreign import supports
from wnadmin.domain.indexes.judge import review


def test_unused_and_old_and_large_is_droppable() -> None:
    found = verdict(index(10, 3))
    assert (found.verdict, found.kinds) == ("droppable", ("unused",))
    assert {guard.answer for guard in found.guards} == {"passes"}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"primary": True, "unique": True, "constraint": "t_pkey"}, "primary key t_pkey"),
        ({"exclusion": True, "constraint": "t_excl"}, "exclusion constraint t_excl"),
        ({"unique": True, "constraint": "t_key"}, "unique constraint t_key"),
        ({"unique": True}, "it is unique"),
        ({"unique": True, "referring": 2}, "2 foreign keys refer to it"),
        ({"unique": True, "replica_identity": True}, "replica identity"),
        ({"clustered": True}, "clustered"),
        ({"bytes": 16384}, "small"),
    ],
)
def test_what_it_stands_for_keeps_it(facts: dict[str, Any], words: str) -> None:
    found = verdict(index(10, 3, **facts))
    assert found.verdict == "keep"
    assert any(words in reason for reason in found.reasons), found.reasons


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"readable": False, "bytes": None}, "exclusive lock"),
        ({"written_at": NOW - timedelta(days=3)}, "made or altered 3 days ago"),
        ({"keys": (Key(0, "lower(x)"),)}, "statistics of its expression"),
    ],
)
def test_what_cannot_be_known_is_insufficient(facts: dict[str, Any], words: str) -> None:
    found = verdict(index(10, 3, **facts))
    assert found.verdict == "insufficient evidence"
    assert any(words in reason for reason in found.reasons), found.reasons


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"counted_since": NOW - timedelta(days=34)}, "34 days only"),
        ({"counted_since": None}, "does not say since when"),
        ({"counts": False}, "track_counts is off"),
        ({"reads": {}}, "was not read either"),
        ({"uses": {}}, "does not know it"),
        ({"in_recovery": True}, "primary was not asked"),
        ({"standbys": 1}, "1 standby of this cluster is not in the profile"),
    ],
)
def test_a_node_that_cannot_tell_makes_it_insufficient(facts: dict[str, Any], words: str) -> None:
    unused = index(10, 3)
    found = verdict(unused, nodes=[node([unused], **facts)])
    assert found.verdict == "insufficient evidence"
    assert any(words in reason for reason in found.reasons), found.reasons


def test_an_index_with_statistics_of_its_own_counts_from_their_reset() -> None:
    unused = index(10, 3)
    uses = {10: Use(0, None, NOW - timedelta(days=2))}
    found = verdict(unused, nodes=[node([unused], uses=uses)])
    assert found.verdict == "insufficient evidence"
    assert "2 days only" in found.reasons[1]


def test_a_scan_on_a_standby_keeps_it() -> None:
    unused = index(10, 3)
    found = verdict(unused, nodes=[node([unused], standbys=1), node([unused], "standby1", scans=4)])
    assert found.verdict == "keep"
    assert found.reasons == ("it is used: scans 4 on standby1",)


def test_a_node_that_was_not_reached_is_named() -> None:
    unused = index(10, 3)
    away = NodeView("standby1", "there", why_not="connection refused")
    found = verdict(unused, nodes=[node([unused]), away])
    assert found.verdict == "insufficient evidence"
    assert "standby1 was not reached (connection refused)" in found.reasons


def test_another_cluster_proves_nothing() -> None:
    unused = index(10, 3)
    found = verdict(unused, nodes=[node([unused]), node([unused], "standby1", system="8")])
    assert found.verdict == "insufficient evidence"
    assert "another cluster" in found.reasons[1]


def test_without_commit_timestamps_the_rate_of_transactions_tells() -> None:
    young = index(10, 3, written_at=None, transactions_ago=10)
    old = index(11, 4, written_at=None, transactions_ago=900)
    both = [young, old]
    judged = review(world(*both, nodes=[node(both, made_at=NOW - timedelta(days=1000), next_transaction=1000)]), LIMITS)
    assert one(judged, 10).verdict == "insufficient evidence"
    assert one(judged, 11).verdict == "droppable"
    assert one(review(world(*both), LIMITS), 11).verdict == "insufficient evidence"


def test_long_idle_is_a_question_not_a_verdict() -> None:
    idle = index(10, 3)
    uses = {10: Use(7, NOW - timedelta(days=120))}
    found = verdict(idle, nodes=[node([idle], uses=uses)])
    assert (found.verdict, found.kinds) == ("insufficient evidence", ("idle",))
    assert "120 days ago" in found.reasons[0]


def test_the_constraint_stays_and_its_duplicate_goes_whoever_is_older() -> None:
    for constraint_oid, other in ((10, 11), (11, 10)):
        named = index(constraint_oid, 3, unique=True, constraint="users_email_key")
        judged = review(world(named, index(other, 3), nodes=[node([named, index(other, 3)], scans=5)]), LIMITS)
        assert one(judged, constraint_oid).verdict == "keep"
        assert (one(judged, other).verdict, one(judged, other).kinds) == ("droppable", ("duplicate",))
        assert one(judged, other).keeper == constraint_oid


def test_a_unique_index_is_no_prefix_of_a_wider_one() -> None:
    narrow, wide = index(10, 3, unique=True), index(11, 3, 4)
    assert matches([narrow, wide]) == {}
    judged = review(world(index(10, 3), index(11, 3, 4, unique=True)), LIMITS)
    assert one(judged, 10).verdict == "droppable"
    assert one(judged, 11).verdict == "keep"


def test_a_chain_keeps_only_the_widest() -> None:
    judged = review(world(index(10, 3), index(11, 3, 4), index(12, 3, 4, 5)), LIMITS)
    assert {each.index.oid: each.verdict for each in judged} == {10: "droppable", 11: "droppable", 12: "keep"}
    assert {each.keeper for each in judged if each.verdict == "droppable"} == {12}


@pytest.mark.parametrize(
    "other",
    [
        {"method": "hash"},
        {"table": 2},
        {"keys": (Key(3, opclass=9),)},
        {"keys": (Key(3, collation=9),)},
        {"keys": (Key(3, option=1),)},
        {"keys": (Key(3, parameters="{siglen=8}"),)},
        {"predicate": "(a > 0)", "partial": True},
        {"predicate": None, "partial": True},
        {"valid": False},
        {"usable": False},
        {"partitioned": True},
    ],
)
def test_what_differs_is_no_duplicate(other: dict[str, Any]) -> None:
    assert covers(index(11, 3, **other), index(10, 3)) is None


def test_uniqueness_covers_only_the_same_uniqueness() -> None:
    loser = index(10, 3, unique=True)
    assert covers(index(11, 3), loser) is None
    assert covers(index(11, 3, unique=True), loser) == "duplicate"
    assert covers(index(11, 3, unique=True, nulls_not_distinct=True), loser) is None
    assert covers(index(11, 3, unique=True, immediate=False), loser) is None
    assert covers(index(11, 3, 4, unique=True), loser) is None


def test_included_columns_must_be_had() -> None:
    assert covers(index(11, 3), index(10, 3, included=frozenset({7}))) is None
    assert covers(index(11, 3, 7), index(10, 3, included=frozenset({7}))) == "redundant"
    assert covers(index(11, 3, included=frozenset({7})), index(10, 3)) == "redundant"
    assert covers(index(11, 3, included=frozenset({7})), index(10, 3, included=frozenset({7}))) == "duplicate"


def test_only_a_btree_is_searched_by_its_first_columns() -> None:
    assert covers(index(11, 3, 4, method="gist"), index(10, 3, method="gist")) is None
    assert covers(index(11, 3, method="gist"), index(10, 3, method="gist")) == "duplicate"
    brin = index(11, 3, method="brin", storage="pages_per_range=8")
    assert covers(brin, index(10, 3, method="brin")) is None


def test_an_unread_predicate_is_not_equal_to_another_unread_one() -> None:
    hidden = {"partial": True, "predicate": None, "readable": False}
    assert covers(index(11, 3, **hidden), index(10, 3, **hidden)) is None
    assert covers(index(11, keys=(Key(0),)), index(10, keys=(Key(0),))) is None


def test_an_invalid_index_may_go_unless_it_is_being_built() -> None:
    left = index(10, 3, valid=False, name='s."x_ccnew"')
    found = verdict(left)
    assert (found.verdict, found.kinds) == ("droppable", ("invalid",))
    assert 'REINDEX CONCURRENTLY of s."x"' in found.reasons[0]
    built = verdict(left, building=frozenset({10}))
    assert (built.verdict, built.kinds) == ("keep", ())
    blind = verdict(left, blind_builds=1, nodes=[node([left], login="Some body")])
    assert blind.verdict == "insufficient evidence"
    assert 'GRANT pg_read_all_stats TO "Some body"' in blind.reasons[1]


def test_a_parent_made_on_only_is_kept() -> None:
    parent = index(10, 3, partitioned=True, valid=False)
    found = verdict(parent)
    assert (found.verdict, found.kinds) == ("keep", ("incomplete",))


def test_partitions_are_judged_as_one() -> None:
    parent = index(10, 3, partitioned=True, bytes=0)
    leaves = [index(11, 3, parent=10, table=2), index(12, 3, parent=10, table=2)]
    judged = review(world(parent, *leaves), LIMITS)
    assert [(each.index.oid, each.verdict, each.bytes) for each in judged] == [(10, "droppable", 2 << 20)]
    used = node([*leaves], uses={11: Use(0), 12: Use(3)})
    assert [each.verdict for each in review(world(parent, *leaves, nodes=[used]), LIMITS)] == ["keep"]


def test_the_only_index_of_a_foreign_key_is_kept() -> None:
    key = ForeignKey(90, "t_u_fkey", TABLE, (3,), ("u",))
    found = verdict(index(10, 3), foreign_keys=(key,))
    assert found.verdict == "keep"
    assert "t_u_fkey" in found.reasons[1]
    both = review(world(index(10, 3, 4), index(11, 3, 5), foreign_keys=(key,)), LIMITS)
    assert sorted(each.verdict for each in both) == ["droppable", "keep"]


@pytest.mark.parametrize(
    ("columns", "facts", "expected"),
    [
        ((3, 4), {}, True),
        ((4, 3), {}, True),
        ((4, 3, 9), {}, True),
        ((9, 3, 4), {}, False),
        ((3,), {}, False),
        ((3, 4), {"valid": False}, False),
        ((3, 4), {"method": "gin"}, False),
        ((3, 4), {"partial": True, "predicate": "(active)"}, False),
        ((3, 4), {"partial": True, "predicate": None}, False),
        ((3, 4), {"partial": True, "predicate": "(a IS NOT NULL)"}, True),
        ((3, 4), {"partial": True, "predicate": '(("b c" IS NOT NULL) AND (a IS NOT NULL))'}, True),
        ((3, 4), {"partial": True, "predicate": "((a IS NOT NULL) AND (z IS NOT NULL))"}, False),
    ],
)
def test_support_of_a_composite_foreign_key(columns: tuple[int, ...], facts: dict[str, Any], expected: bool) -> None:
    key = ForeignKey(90, "k", TABLE, (3, 4), ("a", '"b c"'), (0, 0))
    assert supports(index(10, *columns, **facts), key) is expected


def test_another_collation_cannot_look_up_the_key() -> None:
    key = ForeignKey(90, "k", TABLE, (3,), ("a",), (100,))
    assert not supports(index(10, keys=(Key(3, collation=950),)), key)
    assert supports(index(10, keys=(Key(3, collation=100),)), key)
