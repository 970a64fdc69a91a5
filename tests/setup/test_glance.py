"""The first look at a SQL file: what it lets pass, `lint` would let pass, too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wnadmin import assets
from wnadmin.domain.setup import bundle as bundles
from wnadmin.domain.setup.bundle import Bundle
from wnadmin.domain.setup.glance import ALONE, TRANSACTION, harmless
from wnadmin.domain.setup.lint import lint

PIECES = (
    *TRANSACTION, "begin", "START TRANSACTION", "PREPARE TRANSACTION", "PREPARE", "COPY t FROM STDIN",
    "copy t to stdout", "COPY t TO 'file'", "VACUUM", "DISCARD ALL", "ALTER SYSTEM", "CREATE UNIQUE INDEX CONCURRENTLY",
    "REINDEX SCHEMA x",
    "CREATE DATABASE", "CREATE SUBSCRIPTION", "ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "CLUSTER",
    "CREATE FUNCTION f()", "BEGIN ATOMIC", "SELECT", "CASE", "END", "x", "type", "e", "E", "U&", "b", "n", "é", "1",
    "$1", "1e", "'", "''", "E'", "e'\\''", "'a;b'", '"', '"a;b"', "$$", "$x$", "$", "\\", "\\c", "\\.",
    "${", ":", "::", ";", ";", "(", ")", "--", "-- c;", "/*", "*/", "\n", "\r", " ", " ", "\t", "\ufeff", "\0",
    "\x01", ",", "=", ".", "stdin",
)  # fmt: skip


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_passes_has_no_problem(text: str) -> None:
    if harmless(text):
        assert lint("x.sql", text) == []


@given(st.text(alphabet="eEU&'\"$ax1:;-/*\\\n ()", max_size=30))
@settings(max_examples=2000, deadline=None)
def test_no_mixture_of_quotes_passes_with_a_problem(text: str) -> None:
    if harmless(text):
        assert lint("x.sql", text) == []


@pytest.mark.parametrize("name", [f"0{number}" for number in range(1, 8)])
def test_the_bundled_files_pass(name: str) -> None:
    (path,) = assets.root("sql").glob(f"{name}_*.sql")
    assert harmless(path.read_text(encoding="utf-8"))


def test_what_is_alone_is_found_in_every_bundled_file(bundle: Bundle) -> None:
    assert bundle.problems() == []
    for pattern, name in ALONE:
        plain = {"VACUUM": "VACUUM core.users", "REINDEX CONCURRENTLY": "REINDEX TABLE CONCURRENTLY core.users"}
        plain |= {"a tablespace command": "DROP TABLESPACE x", "a subscription command": "DROP SUBSCRIPTION x"}
        plain |= {
            "ALTER DATABASE … SET TABLESPACE": "ALTER DATABASE x SET TABLESPACE y",
            "REINDEX of more than one table": "REINDEX DATABASE x",
            "DETACH PARTITION CONCURRENTLY": "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
            "CLUSTER of all tables": "CLUSTER",
        }
        for file in bundle.files:
            assert not harmless(f"{file.text}\n{plain.get(name, name)};\n"), pattern


def test_many_words_after_a_trap_do_not_hide_it() -> None:
    assert harmless('SELECT \'COMMIT;\', $$ COMMIT; $$, "COMMIT;" -- COMMIT;\n;\nSELECT a::"char", :x')
    assert not harmless("SELECT 1;\n-- why\ncommit")
    assert not harmless("SELECT :'name'")
    assert not harmless("SELECT 1; /* a comment */")


def test_the_sum_of_a_file_does_not_depend_on_its_line_ends() -> None:
    from wnadmin.domain.setup.flyway import checksum

    text = bundles.load().v001.text
    assert checksum(text.encode()) == checksum(text.replace("\n", "\r\n").encode())
    assert checksum(text.encode()) == checksum(("\ufeff" + text.replace("\n", "\r")).encode())
