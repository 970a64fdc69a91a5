"""What a statement quotes never gets through the mask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.queries.text import masked


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ('SELECT $1, a."b\'c" FROM a', 'SELECT $1, a."b\'c" FROM a'),
        ("ALTER ROLE x PASSWORD 'pw'", "ALTER ROLE x PASSWORD '***'"),
        ("ALTER ROLE x PASSWORD E'p\\'w'", "ALTER ROLE x PASSWORD '***'"),
        ("ALTER ROLE x PASSWORD 'it''s'", "ALTER ROLE x PASSWORD '***'"),
        ("DO $body$ BEGIN PERFORM 'x'; END $body$", "DO '***'"),
        ("DO $$a$$", "DO '***'"),
        ("SELECT U&'d\\0061t', B'01', n'x'", "SELECT '***', '***', '***'"),
        ("SELECT 1 -- for somebody\nFROM t /* at home */", "SELECT 1 \nFROM t"),
        ("SELECT 'cut off", "SELECT '***'"),
        ("SELECT $x$cut off", "SELECT '***'"),
        ("SELECT E'cut \\'off", "SELECT '***'"),
        ("SELECT /* cut off", "SELECT"),
        ("SELECT 1 /* a /* b */ c */ FROM t", "SELECT 1  FROM t"),
        ("", ""),
    ],
)
def test_what_is_left(query: str, shown: str) -> None:
    assert masked(query) == shown


@given(st.text(alphabet="ab'\"\\ -/*$\n", max_size=30), st.sampled_from(["'{}'", "$${}$$", "$t${}$t$", "E'{}'"]))
def test_a_string_at_the_start_is_gone(tail: str, form: str) -> None:
    assert "SECRET" not in masked(f"SELECT {form.format('SECRET')} {tail}")
