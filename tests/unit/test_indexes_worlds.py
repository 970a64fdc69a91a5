"""What holds of the verdicts about indexes in every world."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.indexes import LIMITS, LONG_AGO, NOW, node, world
from wnadmin.domain.indexes.cover import covers, protected
from wnadmin.domain.indexes.facts import ForeignKey, Index, Key, NodeView, Use, World
from wnadmin.domain.indexes.foreign import supports
from wnadmin.domain.indexes.judge import review

_KEY = st.builds(
    Key,
    column=st.integers(0, 3),
    expression=st.sampled_from(["", "lower(x)"]),
    option=st.sampled_from([0, 0, 0, 1]),
)
_FLAG = st.sampled_from([False, False, False, True])


@st.composite
def indexes(draw: st.DrawFn, oid: int) -> Index:
    partial = draw(_FLAG)
    unique = draw(_FLAG)
    return Index(
        oid=oid,
        name=f"s.i{oid}",
        table=draw(st.sampled_from([1, 1, 2])),
        keys=tuple(draw(st.lists(_KEY, min_size=1, max_size=3))),
        method=draw(st.sampled_from(["btree", "btree", "btree", "hash"])),
        included=draw(st.sampled_from([frozenset[int](), frozenset({4})])),
        partial=partial,
        predicate=draw(st.sampled_from([None, "(a > 0)", "(c1 IS NOT NULL)"])) if partial else None,
        unique=unique,
        primary=unique and draw(_FLAG),
        immediate=not draw(_FLAG),
        valid=not draw(_FLAG),
        clustered=draw(_FLAG),
        replica_identity=unique and draw(_FLAG),
        constraint=draw(st.sampled_from(["", "c"])) if unique else "",
        referring=draw(st.sampled_from([0, 1])) if unique else 0,
        readable=not draw(_FLAG),
        bytes=draw(st.sampled_from([8192, 1 << 20])),
        written_at=draw(st.sampled_from([LONG_AGO, LONG_AGO, NOW])),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    found = [draw(indexes(oid)) for oid in range(10, 10 + draw(st.integers(1, 8)))]
    foreign = tuple(
        ForeignKey(90 + n, f"fk{n}", table, columns, tuple(f"c{c}" for c in columns))
        for n, (table, columns) in enumerate(
            draw(st.lists(st.sampled_from([(1, (1,)), (1, (1, 2)), (1, (2, 1)), (2, (3,))]), max_size=3))
        )
    )
    views = []
    for name in ("primary", "standby1")[: draw(st.integers(1, 2))]:
        uses = {each.oid: Use(draw(st.sampled_from([0, 0, 0, 2]))) for each in found}
        views.append(
            node(
                found,
                name,
                uses=uses,
                counted_since=draw(st.sampled_from([LONG_AGO, LONG_AGO, LONG_AGO, NOW])),
                counts=draw(st.sampled_from([True, True, True, False])),
                why_not=draw(st.sampled_from(["", "", "", "refused"])) if name != "primary" else "",
            )
        )
    building = frozenset(each.oid for each in found if draw(_FLAG))
    return world(*found, nodes=views, foreign_keys=foreign, building=building)


@given(worlds())
def test_what_holds_in_every_world(any_world: World) -> None:
    judged = review(any_world, LIMITS)
    assert {each.index.oid for each in judged} == set(any_world.indexes)
    droppable = {each.index.oid for each in judged if each.verdict == "droppable"}
    staying = [each.index for each in judged if each.index.oid not in droppable]
    for each in judged:
        assert each.reasons, each
        if each.index.oid not in droppable:
            continue
        assert not protected(each.index)
        assert each.index.oid not in any_world.building or each.index.in_service
        assert each.index.readable
        if each.keeper:
            assert each.keeper not in droppable, "never both of a pair"
            assert covers(any_world.indexes[each.keeper], each.index)
        elif each.index.in_service:
            assert not each.index.unique, "what enforces something is only dropped for its equal"
            assert each.usage.scans == 0
        if each.index.unique and each.index.in_service:
            assert any(other.unique and covers(other, each.index) for other in staying)
    for key in any_world.foreign_keys:
        if any(supports(one_index, key) for one_index in any_world.indexes.values()):
            assert any(supports(one_index, key) for one_index in staying), "no foreign key loses its last index"


@given(worlds(), st.sampled_from(["away", "other cluster", "not counting", "unlisted standby"]))
def test_a_missing_node_makes_nothing_droppable(any_world: World, how: str) -> None:
    first, *rest = any_world.nodes
    if how == "away":
        nodes = [first, *rest, NodeView("standby9", "there", why_not="timeout")]
    elif how == "other cluster":
        nodes = [first, *rest, replace(first, name="standby9", in_recovery=True, system="99")]
    elif how == "not counting":
        nodes = [replace(first, counts=False), *rest]
    else:
        nodes = [replace(first, standbys=9), *rest]
    assert all(each.verdict != "droppable" for each in review(replace(any_world, nodes=tuple(nodes)), LIMITS))


@given(worlds())
def test_the_order_of_the_indexes_does_not_matter(any_world: World) -> None:
    turned = replace(any_world, indexes=dict(reversed(list(any_world.indexes.items()))))
    mine = {each.index.oid: each.verdict for each in review(any_world, LIMITS)}
    assert mine == {each.index.oid: each.verdict for each in review(turned, LIMITS)}
