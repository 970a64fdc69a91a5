"""Whatever a tool prints, reading it ends in values of the right kinds; nothing raises."""

from __future__ import annotations

import copy
import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wal_tools.support import recorded
from tests.wal_tools.test_walg import DELTA, FULL, TIMELINE
from wnadmin.domain.wal.tools import Kept, fields, pgbackrest, walg
from wnadmin.domain.wal.tools import barman as barman_tool
from wnadmin.domain.wal.tools.ask import Said

KINDS = {"full", "differential", "incremental", "unknown"}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["0" * 24, "9"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """The document with one value in it replaced by anything."""
    whole = [copy.deepcopy(document)]
    inside: Any = whole
    key: Any = 0
    while isinstance(inside[key], (dict, list)) and inside[key] and draw(st.integers(0, 4)):
        inside = inside[key]
        key = draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
    inside[key] = draw(ANYTHING)
    return whole[0]


def sound(kept: Kept) -> None:
    """Its values are of the kinds that Kept promises, and can be printed."""
    assert kept.kind in KINDS
    for one in (kept.started, kept.finished):
        assert one is None or one.tzinfo is UTC
    for name in (kept.first_wal, kept.last_wal):
        assert name == "unknown" or (len(name) == 24 and int(name, 16) >= 0)
    assert kept.bytes is None or (type(kept.bytes) is int and kept.bytes >= 0)
    for words in (kept.name, kept.label, kept.trouble):
        assert isinstance(words, str)
        words.encode()
    assert kept.name
    assert kept.label


INFO = json.loads(recorded("pgbackrest-2.45-info.json"))
LISTED = json.loads(recorded("barman-3.19.1-list-backups.json"))
SHOWN = json.loads(recorded("barman-3.19.1-show-backup-20261122T222036.json"))


@given(damaged(INFO) | ANYTHING)
def test_pgbackrest(document: Any) -> None:
    info = pgbackrest.Info()
    pgbackrest.read(document, info)
    for one in info.kept:
        sound(one)
    for words in (*info.troubles, *(end for each in info.archives for end in each)):
        words.encode()


@given(damaged(LISTED["main"][0]) | ANYTHING, damaged(SHOWN["main"]) | ANYTHING, st.booleans())
def test_barman(line: Any, detail: Any, kinds: bool) -> None:
    for one in fields.objects([line]):
        sound(barman_tool.backup("main", one, detail, kinds=kinds))


@given(damaged({**LISTED, "_ERROR": ["no"], "_EXCEPTION": ["never"]}))
def test_barman_complaints(document: Any) -> None:
    if isinstance(document, dict):
        for words in barman_tool.complaints(Said(json.dumps(document), code=1), document, {}):
            words.encode()


@given(damaged(DELTA) | damaged(FULL) | ANYTHING, st.sampled_from([2**24, 2**30, 0]))
def test_walg(line: Any, size: int) -> None:
    for one in fields.objects([line]):
        sound(walg.backup("s3://wonder/main", one, size))


@given(damaged([TIMELINE, {**TIMELINE, "id": 2}]) | ANYTHING)
def test_walg_archive(document: Any) -> None:
    troubles: list[str] = []
    for first, last in walg.archive(fields.objects(document), troubles):
        assert (first, last) == (fields.segment(first), fields.segment(last))
    for words in troubles:
        words.encode()


@given(st.text() | st.sampled_from(["[" * 50_000, '{"a":' * 50_000, "9" * 5000, "1e999", "NaN", '"\\ud800"']))
def test_a_document_is_read_or_refused(text: str) -> None:
    value, is_json = fields.document(text)
    assert is_json or value is None


@pytest.mark.parametrize(
    "value",
    [True, -1, 1.5, float("nan"), "-1", "1.0", "٣", "9" * 30, 10**30, None, [], {}, "", "1970", "0001-01-01T00:00:00Z"],
)
def test_no_moment(value: object) -> None:
    expected = value == "1970"  # seconds
    assert (fields.moment(value) is not None) is expected


def test_moments_are_utc_and_need_a_zone() -> None:
    assert str(fields.moment("2026-10-07 03:00:00.5+02:00")) == "2026-10-07 01:00:00.500000+00:00"
    assert fields.moment("2026-10-07 03:00:00.5") is None
    assert str(fields.moment("1795385869")) == str(fields.moment(1795385869)) == "2026-11-22 22:17:49+00:00"
