"""A joined entry gives back exactly what it was, whatever that was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.ledger import canonical, chain
from wnadmin.ledger.chain import Entry
from wnadmin.ledger.joined import Joined, original, unwrap, wrap
from wnadmin.ledger.operations import operations

AT = "2026-01-31T12:00:00.000001Z"


def entry(envelope: str, payload: str, seq: int = 7) -> Joined:
    """An entry of another chain, with its true hash."""
    prev = bytes(range(32))
    h = chain.digest(seq, prev, envelope.encode(), payload.encode())
    return Joined("wnadmin-ledger/1/2", "a-token", seq, prev, h, AT, envelope, payload)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
OBJECTS = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.none()), max_size=4).map(canonical.dumps)


@given(TEXT, st.one_of(TEXT, OBJECTS, TEXT.map(lambda one: "{" + one), TEXT.map(lambda one: '{"spooled_at":"' + one)))
def test_wrapping_loses_nothing(envelope: str, payload: str) -> None:
    one = entry(envelope, payload)
    back = unwrap(wrap(one))
    assert back == one
    assert back.holds


@pytest.mark.parametrize(
    "payload", ["", "{}", "[]", '{"a":1}', '{ "a": 1 }', '{"a":', "\\x00", '"', '{"spooled_text":"x"}']
)
def test_odd_payloads(payload: str) -> None:
    assert unwrap(wrap(entry("{}", payload))) == entry("{}", payload)


def test_what_it_says_stays_readable_in_place() -> None:
    facts = {"op_id": str(uuid4()), "phase": "intent", "command": "x"}
    wrapped = json.loads(wrap(entry("{}", canonical.dumps(facts))))
    assert {key: wrapped[key] for key in facts} == facts
    assert wrapped["spooled_at"] == AT


def test_joined_twice_is_as_it_first_was() -> None:
    op_id = uuid4()
    payload = canonical.dumps({"op_id": op_id, "phase": "intent", "command": "x y"})
    envelope = '{"session_user":"somebody"}'
    twice = wrap(entry("{}", wrap(entry(envelope, payload))))
    stored = Entry(9, datetime.now(UTC), op_id, "intent", "{}", twice, bytes(32), bytes(32))
    first = original(stored)
    assert (first.payload, first.envelope, first.seq) == (payload, envelope, 9)
    assert (first.ts.isoformat(), first.joined) == ("2026-01-31T12:00:00.000001+00:00", "wnadmin-ledger/1/2")
    assert original(first) is first
    same = Entry(2, first.ts, op_id, "intent", envelope, payload, bytes(32), bytes(32), "spool")
    (one,) = operations([stored, same])
    assert (len(one.entries), one.command, one.login) == (1, "x y", "somebody")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"h":"', '"h":"x', 1),
        lambda text: text.replace('"seq":7', '"seq":07', 1),
        lambda text: text.replace('"witness"', '"Witness"', 1),
        lambda text: " " + text,
    ],
)
def test_what_is_no_such_row_is_a_row_of_its_own(damage: object) -> None:
    assert callable(damage)
    assert unwrap(damage(wrap(entry("{}", "{}")))) is None


def test_a_changed_one_does_not_hold() -> None:
    text = wrap(entry("{}", '{"a":1}')).replace('"a":1', '"a":2')
    back = unwrap(text)
    assert back is not None
    assert not back.holds
