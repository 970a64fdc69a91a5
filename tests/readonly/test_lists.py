"""Lists of privileges as text, and what is kept as JSON: read, compared, never mistaken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.readonly import acl, keep
from wnadmin.domain.readonly.look import array
from wnadmin.domain.readonly.values import Kept, Listed, Membership, Privilege, is_on

pytestmark = pytest.mark.hypothesis


def test_a_list_is_read() -> None:
    assert acl.parse("") == frozenset()
    assert acl.parse("{postgres=arwdDxt/postgres,=r/postgres}") >= {
        ("postgres", "a", False, "postgres"),
        ("", "r", False, "postgres"),
    }
    odd = '{"\\"odd, \\"\\"role\\"=a*d/\\"own\\\\er\\""}'
    assert acl.parse(odd) == {('odd, "role', "a", True, "own\\er"), ('odd, "role', "d", False, "own\\er")}


def item(one: tuple[str, str, bool, str]) -> str:
    def quoted(name: str) -> str:
        return name if name.isidentifier() and name.isascii() else '"' + name.replace('"', '""') + '"' if name else ""

    text = f"{quoted(one[0])}={one[1]}{'*' if one[2] else ''}/{quoted(one[3])}"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(st.frozensets(st.tuples(names | st.just(""), st.sampled_from("arwdXU"), st.booleans(), names), max_size=5))
def test_any_list_is_read(entries: frozenset[tuple[str, str, bool, str]]) -> None:
    assert acl.parse("{" + ",".join(item(one) for one in sorted(entries)) + "}") == entries


privileges = st.builds(Privilege, names, names, st.sampled_from(["INSERT", "SELECT"]), st.booleans(), st.booleans())
maybe = st.none() | st.booleans()
memberships = st.builds(Membership, names, names, st.none() | names, st.booleans(), maybe, maybe)
lists = st.builds(Listed, names, names, names, names, names, names, st.lists(privileges).map(tuple))
everything = st.builds(
    Kept,
    names,
    st.sampled_from(["soft", "drain", "fence"]),
    names,
    names,
    names,
    names,
    st.integers(1, 2**32 - 1),
    st.lists(names).map(tuple),
    st.dictionaries(st.none() | names, st.none() | names),
    st.lists(names).map(tuple),
    st.lists(
        st.builds(
            Membership,
            names,
            names,
            st.none() | names,
            st.booleans(),
            st.none() | st.booleans(),
            st.none() | st.booleans(),
        )
    ).map(tuple),
    st.lists(names).map(tuple),
    st.lists(
        st.builds(Listed, names, names, names, names, names, names, st.lists(privileges).map(tuple)), max_size=3
    ).map(tuple),
    names,
    st.booleans(),
)


@given(everything)
def test_what_is_kept_is_what_was_kept(kept: Kept) -> None:
    assert keep.loads(keep.dumps(kept)) == kept


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"v":2}', '{"v":1,"id":"x","level":"none"}', '{"v":1,"level":"soft"}']
)
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(it is not|something is missing|its level)"):
        keep.loads(text)


def test_words_for_on() -> None:
    assert [is_on(one) for one in ("on", "ON", "true", "t", "yes", "1")] == [True] * 6
    assert [is_on(one) for one in ("off", "false", "no", "0", "", None, "x")] == [False] * 7


def test_an_array_of_names() -> None:
    assert array([]) == "{}"
    assert array(["a", 'b"c', "d\\e", ""]) == '{"a","b\\"c","d\\\\e",""}'
