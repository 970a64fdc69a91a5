"""Canonical JSON: one text for one value, and no way for a secret or a person into it."""

from __future__ import annotations

import json
import random
import stat
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.errors import Refused
from wnadmin.ledger import canonical
from wnadmin.secret import Personal, Secret

# Two lone surrogates side by side would read back as one character.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=30,
)


def shuffled(value: Any, seed: int) -> Any:
    """The same value with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.Random(seed).shuffle(keys)
        return {key: shuffled(value[key], seed + 1) for key in keys}
    return [shuffled(one, seed) for one in value] if isinstance(value, list) else value


@given(VALUES, st.integers(0, 2**16))
def test_the_order_of_keys_does_not_matter(value: Any, seed: int) -> None:
    assert canonical.dumps(shuffled(value, seed)) == canonical.dumps(value)


@given(VALUES)
def test_it_reads_back_as_the_same_value_and_the_same_text(value: Any) -> None:
    text = canonical.dumps(value)
    assert json.loads(text) == value
    assert canonical.dumps(json.loads(text)) == text
    assert "\n" not in text
    text.encode("utf-8")


@given(st.text())
def test_any_text_can_be_encoded_and_read_back(text: str) -> None:
    line = canonical.dumps([text]).encode("utf-8")
    assert canonical.dumps(json.loads(line)).encode("utf-8") == line


@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_a_moment_has_one_text_in_every_zone(moment: datetime, minutes: int) -> None:
    if not timedelta(days=2) < moment - datetime.min < datetime.max - datetime.min - timedelta(days=2):
        moment = datetime(2026, 1, 1)
    there = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    text = canonical.dumps(there)
    assert text == canonical.dumps(moment.replace(tzinfo=UTC))
    assert text.endswith('Z"')
    assert datetime.fromisoformat(json.loads(text)) == there


class Level(IntEnum):
    """A number with a name."""

    HIGH = 3


class Colour(Enum):
    """A text with a name."""

    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), '"2026-01-31T12:00:00Z"'),
        (datetime(2026, 1, 31, 12, 0, 0, 250, tzinfo=UTC), '"2026-01-31T12:00:00.000250Z"'),
        (date(2026, 1, 31), '"2026-01-31"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.10"), '"1.10"'),
        (timedelta(minutes=1, microseconds=500), '"PT60.000500S"'),
        (timedelta(seconds=-1.5), '"PT-1.500000S"'),
        (timedelta(seconds=-2), '"PT-2S"'),
        (Path("/tmp/x"), '"/tmp/x"'),
        (Level.HIGH, "3"),
        (Colour.RED, '"red"'),
        ((1, 2), "[1,2]"),
        ('é\0"\udc80', '"é\\u0000\\"\\udc80"'),
        ({"password": Secret("hunter2")}, '{"password":"***"}'),
    ],
)
def test_each_kind_of_value(value: object, text: str) -> None:
    assert canonical.dumps(value) == text


@pytest.mark.parametrize(
    "value", [1.5, {"a": [0.0]}, float("nan"), datetime(2026, 1, 1), {1: 2}, {None: 1}, b"x", {1}, object()]
)
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical.dumps(value)


def test_a_person_becomes_a_pseudonym_that_lasts(state: Path) -> None:
    first = canonical.dumps({"email": Personal("a@example.com"), "other": Personal("b@example.com")})
    assert "example.com" not in first
    facts = json.loads(first)
    assert facts["email"].startswith("personal:")
    assert facts["email"] != facts["other"]
    assert json.loads(canonical.dumps(Personal("a@example.com"))) == facts["email"]
    key = state / canonical.KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    key.unlink()
    assert json.loads(canonical.dumps(Personal("a@example.com"))) != facts["email"]


def test_processes_that_make_the_key_at_once_agree(state: Path) -> None:
    code = (
        "from pathlib import Path; import sys; from wnadmin.ledger.canonical import pseudonym_key;"
        "sys.stdin.readline(); print(pseudonym_key(Path(sys.argv[1])).hex())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    # All of them are let go together, each after its imports.
    printed = {one.communicate("\n")[0] for one in started}
    assert len(printed) == 1
    assert len(printed.pop().strip()) == 64
    assert [path.name for path in state.iterdir()] == [canonical.KEY_FILE]


@pytest.mark.parametrize("content", [b"", b"short\n", b"zz" * 32])
def test_a_damaged_key_is_refused(state: Path, content: bytes) -> None:
    state.mkdir(mode=0o700)
    key = state / canonical.KEY_FILE
    key.touch(mode=0o600)
    key.write_bytes(content)
    with pytest.raises(Refused, match="cannot record personal values") as caught:
        canonical.dumps(Personal("a@example.com"))
    assert "damaged" in caught.value.why


def test_a_key_that_others_can_read_is_refused(state: Path) -> None:
    canonical.pseudonym_key(state)
    (state / canonical.KEY_FILE).chmod(0o644)
    with pytest.raises(Refused) as caught:
        canonical.pseudonym_key(state)
    assert "0644" in caught.value.why
