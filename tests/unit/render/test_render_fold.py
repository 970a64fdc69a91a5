"""Where lines are broken: at spaces, else at the joints of a word, and nowhere else while there is a way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from wnadmin.render.fold import breaks, folded, pieces, words
from wnadmin.render.widths import Head, fit

TEXTS = st.text(st.sampled_from("ab1 ._,-:/漢é\u0301"), max_size=60)


def lines(text: str, width: int) -> list[str]:
    return [text[start:end] for start, end in breaks(text, width)]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        # At a space while the word has room on a line of its own.
        ("no client has a transaction open", 20, ["no client has a", "transaction open"]),
        ("idle in transaction (aborted)", 14, ["idle in", "transaction", "(aborted)"]),
        # An identifier at a dot where what follows fits, else at the last joint before the edge.
        ("wondernest.analytics.daily_child_metrics", 30, ["wondernest.analytics.", "daily_child_metrics"]),
        ("wondernest.analytics.daily_child_metrics", 12, ["wondernest.", "analytics.", "daily_child_", "metrics"]),
        ("audit.idx_activity_log_family_id_timestamp", 18, ["audit.idx_", "activity_log_", "family_id_", "timestamp"]),
        ("partition-detach-pending", 20, ["partition-detach-", "pending"]),
        ("analytics,audio,audit", 12, ["analytics,", "audio,audit"]),
        ("from /var/lib/pg/wnadmin.conf:29", 15, ["from /var/lib/", "pg/wnadmin.", "conf:29"]),
        # A long word begins on the line of the words before it, if a piece of it has room there.
        ("worst: content.engagement_2026_07", 18, ["worst: content.", "engagement_2026_07"]),
        # A number stays with its unit, and is no place to break itself.
        ("0.3 % (limit 60 %)", 16, ["0.3 % (limit", "60 %)"]),
        ("10,240.75 of 2026-11-22", 10, ["10,240.75", "of", "2026-11-22"]),
        # Without any joint there is no other way.
        ("x" * 10, 4, ["xxxx", "xxxx", "xx"]),
        ("漢字漢字", 5, ["漢字", "漢字"]),
        ("  indented words stay so", 12, ["  indented", "words stay", "so"]),
    ],
)
def test_a_line_is_broken_where_a_reader_would(text: str, width: int, expected: list[str]) -> None:
    assert lines(text, width) == expected


@given(TEXTS, st.integers(1, 30))
def test_nothing_is_lost_and_nothing_is_too_wide(text: str, width: int) -> None:
    parts = lines(text, width)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")
    for part in parts:
        assert cell_len(part) <= width or len(part) == 1, part
    for (_, end), (start, _) in pairwise(breaks(text, width)):
        assert not text[end:start].strip(" ")


@given(TEXTS, st.integers(1, 30))
def test_a_word_that_fits_is_never_broken(text: str, width: int) -> None:
    whole = {word for word in text.split(" ") if cell_len(word) <= width}
    shown = [word for part in lines(text, width) for word in part.split(" ")]
    for word in whole - {""}:
        assert shown.count(word) >= text.split(" ").count(word)


@given(TEXTS, st.integers(1, 30))
def test_a_word_is_broken_at_a_letter_only_when_a_piece_is_too_long(text: str, width: int) -> None:
    if pieces(text) > width:
        return
    for start, end in breaks(text, width)[:-1]:
        assert text[start:end] == "" or text[end] == " " or text[end - 1] in " .,-_:/"


def test_style_survives_a_break() -> None:
    text = Text("check ", style="bold").append("analytics.daily_metrics", style="red")
    broken = folded(text, 14)
    assert broken.plain == "check\nanalytics.\ndaily_metrics"
    assert {str(span.style) for span in broken.spans if "daily" in broken.plain[span.start : span.end]} >= {"red"}
    assert folded(text, 80) is text


def test_longest_word_and_piece() -> None:
    assert (words("a audit.idx_log b"), pieces("a audit.idx_log b")) == (13, 6)
    assert (words(""), pieces("")) == (0, 0)
    assert pieces("2026-11-22 10:30:00Z") == 10


NAMES = ["wondernest.analytics.daily_child_metrics", "wondernest.family.guardian_consents"]


def test_columns_keep_words_whole_where_they_can() -> None:
    prose = "no scan on server; server has counted for 27 minutes only (needs 35 days)"
    widths = fit(
        [Head("index"), Head("size", rigid=True), Head("why")], [NAMES, ["568 KiB", "1 B"], [prose, prose]], 80
    )
    assert widths is not None
    assert widths[0] == len(NAMES[0])
    assert widths[1] == len("568 KiB"), "a number is never broken"
    assert sum(widths) + 2 * 2 + 1 <= 80


def test_names_are_broken_before_a_table_becomes_records() -> None:
    heads = [Head("table"), Head("column"), *(Head("bytes", rigid=True) for _ in range(3))]
    widths = fit(heads, [NAMES, ["conversational_turns_count"] * 2, *(["1023.9 GiB"] * 2 for _ in range(3))], 80)
    assert widths is not None
    assert widths[2:] == [10, 10, 10]
    assert all(
        width >= pieces(text) for width, text in zip(widths, (NAMES[0], "conversational_turns_count"), strict=False)
    )


def test_room_goes_where_it_takes_lines_away() -> None:
    short, long = ["alpha beta"] * 20, ["a sentence of many words that goes on and on for more than one line"] * 20
    widths = fit([Head("few"), Head("many")], [short, long], 40)
    assert widths is not None
    assert widths[1] > 2 * widths[0]
    assert fit([Head("a"), Head("b")], [["x" * 50], ["y" * 50]], 24) is None, "no room even for broken words"
