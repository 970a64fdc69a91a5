"""A frame of a watch fits the screen it is for, whatever its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.screen import Screen
from wnadmin.render.live import frame

LINES = st.lists(st.text(alphabet="abc \u4e16", max_size=40), min_size=1, max_size=30)


def send(screen: Screen, text: str) -> None:
    """As a terminal gets it: the line discipline puts a carriage return before each newline."""
    screen.feed(text.replace("\n", "\r\n"))


@given(LINES, st.integers(10, 30), st.integers(4, 15), st.lists(LINES, max_size=3))
def test_nothing_scrolls_and_nothing_old_is_left(
    text: list[str], columns: int, lines: int, before: list[list[str]]
) -> None:
    plain = [line.replace("\u4e16", "w") for line in text]
    screen = Screen(columns, lines)
    for old in before:
        send(screen, frame("\n".join(line.replace("\u4e16", "o") for line in old), columns, lines, first=False))
    send(screen, frame("\n".join(plain), columns, lines, first=False))
    assert screen.above == []
    fresh = Screen(columns, lines)
    send(fresh, frame("\n".join(plain), columns, lines, first=False))
    assert screen.text() == fresh.text()


def test_what_fits_is_shown_whole() -> None:
    screen = Screen(20, 6)
    send(screen, "old\n")
    send(screen, frame("a" * 20 + "\n" + "b" * 25 + "\nc", 20, 6, first=True))
    assert screen.text() == ["a" * 20, "b" * 20, "b" * 5, "c", "", ""]
    assert screen.above == ["old"]


@pytest.mark.parametrize(
    ("columns", "said"), [(80, "(3 more lines: make the window taller, or leave --watch out)"), (20, "(3 more)")]
)
def test_what_is_cut_is_counted(columns: int, said: str) -> None:
    screen = Screen(columns, 6)
    send(screen, frame("\n".join("1234567"), columns, 6, first=False))
    assert screen.text() == ["1", "2", "3", "4", said, ""]


def test_wide_characters_take_two_cells() -> None:
    sent = frame("\u4e16" * 6 + "\nend", 10, 5, first=False)
    assert "(1 more" not in sent and "end" in sent
    assert "more" in frame("\n".join(["\u4e16" * 6] * 3), 10, 5, first=False)
