"""psql's variables, rendered as psql renders them. No I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.errors import UsageError
from wnadmin.postgres.variables import identifier, literal, names, render
from wnadmin.secret import Personal, Secret


def test_values_become_literals_and_names_identifiers() -> None:
    rendered = render("SELECT :'pid'::int FROM :\"schema\".t", {"pid": 42, "schema": 'we"ird'})
    assert rendered.query == 'SELECT \'42\'::int FROM "we""ird".t'
    assert rendered.bound == ()
    assert rendered.shown == rendered.query


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ':''x''', \":'x'\"",
        "SELECT $$:'x'$$",
        "SELECT $tag$:'x' $$ :'x'$tag$",
        "-- :'x'\nSELECT 1",
        "/* :'x' */ SELECT 1",
        "SELECT E'it\\'s :\\'x\\''",
        "SELECT '{}'::text",
    ],
)
def test_quoted_places_hold_no_variables(text: str) -> None:
    assert names(text) == ()
    assert render(text, {}).query == text


def test_none_is_the_empty_string_and_booleans_are_words() -> None:
    rendered = render("SELECT nullif(:'a', ''), :'b'::boolean", {"a": None, "b": True})
    assert rendered.query == "SELECT nullif('', ''), 'true'::boolean"


def test_a_personal_value_is_bound_and_shown() -> None:
    rendered = render("SELECT '100%' WHERE email = :'email'::text", {"email": Personal("a@example.com")})
    assert rendered.query == "SELECT '100%%' WHERE email = %s::text"
    assert rendered.bound == ("a@example.com",)
    assert rendered.shown == "SELECT '100%' WHERE email = 'a@example.com'::text"


def test_a_secret_is_bound_and_masked() -> None:
    rendered = render("SELECT f(:'key'::text)", {"key": Secret("swordfish")})
    assert rendered.bound == ("swordfish",)
    assert "swordfish" not in rendered.query + rendered.shown + repr(Secret("swordfish"))
    assert rendered.shown == "SELECT f('***'::text)"


def test_a_missing_and_an_unused_value_are_named() -> None:
    with pytest.raises(UsageError, match="locks/tree needs a value for pid"):
        render("SELECT :'pid'::int", {}, "locks/tree")
    with pytest.raises(UsageError, match="locks/tree has no variable pdi"):
        render("SELECT 1", {"pdi": 1}, "locks/tree")


def test_nul_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        literal("a\0b")
    with pytest.raises(UsageError, match="empty"):
        identifier("")


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_literal_reads_back_as_the_value(value: str) -> None:
    quoted = literal(value)
    inner = quoted[3:-1].replace("\\\\", "\\") if quoted.startswith(" E'") else quoted[1:-1]
    assert inner.replace("''", "'") == value
    # Rendered again as part of a statement it is one string token: nothing of it is taken for a variable.
    assert names(f"SELECT {quoted}") == ()
