"""Statements and traps, without a server. (The bundled files are held against a server in test_files.)"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wnadmin.domain.setup.lint import lint
from wnadmin.domain.setup.scan import Lines, tokens
from wnadmin.domain.setup.split import split, statement_at

TRICKY = """\
-- a comment; with a semicolon
SELECT 1; /* nested /* ; */ ; */ SELECT ';', E'\\';' AS "a;b", $$ ; $$, $x$ $$ ; $x$;
CREATE OR REPLACE FUNCTION core.f(a int) RETURNS int
    LANGUAGE sql
BEGIN ATOMIC
    SELECT CASE WHEN a > 0 THEN 1 ELSE 2 END;
    SELECT 2;
END;
CREATE RULE r AS ON INSERT TO core.t DO ALSO (SELECT 1; SELECT 2);
DO $body$
BEGIN
    COMMIT;
END
$body$;
;;
SELECT 'last'"""


def test_statements_and_their_lines() -> None:
    found = split(TRICKY)
    assert [(one.line, one.words[0]) for one in found] == [
        (2, "SELECT"),
        (2, "SELECT"),
        (3, "CREATE"),
        (9, "CREATE"),
        (10, "DO"),
        (16, "SELECT"),
    ]
    assert found[2].text.endswith("END")
    assert found[-1].text == "SELECT 'last'"


def test_the_position_of_an_error_finds_its_statement() -> None:
    found = split(TRICKY)
    assert statement_at(found, TRICKY.index("SELECT 2")) == found[2]
    assert statement_at(found, 5) is None


def test_long_statements_are_cut_for_the_screen() -> None:
    statement = split("SELECT\n" + ",\n".join(["1"] * 20))[0]
    assert statement.excerpt(3).splitlines() == ["SELECT", "1,", "1,", "… (18 more lines)"]


@pytest.mark.parametrize("text", ["", " \n", "-- only\n/* comments */", ";", ";; -- x"])
def test_nothing_is_no_statement(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize(
    "name",
    [
        "CREATE TABLE begin_t (x int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC INSERT INTO a VALUES (1); END",
    ],
)
def test_what_looks_like_a_body(name: str) -> None:
    assert len(split(f"{name};\nSELECT 1;")) == 2


@given(st.text(alphabet="abE$'\"/*-;()\\\n \u00e9", max_size=60))
def test_tokens_leave_nothing_out(text: str) -> None:
    assert "".join(one.text for one in tokens(text)) == text


@given(st.lists(st.sampled_from(["SELECT 1", "SELECT ';'", "SELECT $a$;$a$", "/* ; */ SELECT 2", "SELECT E'\\';'"])))
def test_joining_and_splitting(statements: list[str]) -> None:
    found = split(";\n".join(statements))
    assert len(found) == len(statements)
    assert [one.line for one in found] == list(range(1, len(statements) + 1))


@given(st.text(alphabet="x\n", max_size=30))
def test_lines(text: str) -> None:
    lines = Lines(text)
    assert [lines.at(at) for at in range(len(text))] == [text[:at].count("\n") + 1 for at in range(len(text))]


def rules(text: str) -> list[tuple[int, str]]:
    return [(one.line, one.rule) for one in lint("f.sql", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1;\n\\c other\n", [(2, "psql")]),
        ("SELECT 1 \\gset\n", [(1, "psql")]),
        ("SELECT '\n\\c other\n', $$\n\\i x\n$$; -- \\d\n/*\n\\q */", []),
        ("SELECT :'name', :\"other\";", [(1, "psql"), (1, "psql")]),
        ("SELECT a::\"core\".\"x\", b::text, '::' || ':''x''';", []),
        ("SELECT 1;\n-- ${here}\nSELECT '${there}';", [(2, "placeholder"), (3, "placeholder")]),
        ("DO $$ BEGIN RAISE NOTICE '${x}'; END $$;", [(1, "placeholder")]),
        ("BEGIN;\nSELECT 1;\nCOMMIT;", [(1, "transaction"), (3, "transaction")]),
        ("start /* x */ transaction;", [(1, "transaction")]),
        ("ROLLBACK TO a;\nSAVEPOINT a;\nEND;\nRELEASE a;\nABORT;", [(line, "transaction") for line in range(1, 6)]),
        ("PREPARE TRANSACTION 'x';", [(1, "transaction")]),
        ("PREPARE plan AS SELECT 1;", []),
        ("DO $$\nBEGIN\nCOMMIT;\nEND $$;", []),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC\nSELECT 1;\nEND;", []),
        ("CREATE INDEX CONCURRENTLY i ON t (a);", [(1, "not-in-transaction")]),
        ("CREATE UNIQUE /* */ INDEX\nCONCURRENTLY i ON t (a);", [(1, "not-in-transaction")]),
        ("CREATE INDEX i ON t (concurrently);", []),
        ("VACUUM;\nALTER SYSTEM SET work_mem = '1MB';", [(1, "not-in-transaction"), (2, "not-in-transaction")]),
        (
            "REINDEX (VERBOSE) DATABASE x;\nREINDEX TABLE CONCURRENTLY t;\nREINDEX TABLE t;",
            [(1, "not-in-transaction"), (2, "not-in-transaction")],
        ),
        (
            "ALTER TABLE a DETACH PARTITION b CONCURRENTLY;\nALTER TABLE a DETACH PARTITION b;",
            [(1, "not-in-transaction")],
        ),
        ("CREATE DATABASE x;\nDROP DATABASE y;", [(1, "not-in-transaction"), (2, "not-in-transaction")]),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m;", []),
        ("COPY t FROM STDIN;\n1\t\\N\nBEGIN;\n\\.\nSELECT 1;\n", [(1, "copy")]),
        ("COPY t (a, b) FROM '/file';", []),
        ("COPY (SELECT 1) TO STDOUT;", [(1, "copy")]),
        ("SELECT 'open", [(1, "unterminated")]),
        ("SELECT 1;\n/* open /* */", [(2, "unterminated")]),
        ("SELECT 1;\nDO $x$ open $$", [(2, "unterminated")]),
        ("\ufeffSELECT 1;", [(1, "byte-order-mark")]),
        ("SELECT 1;\n-- \0", [(2, "nul")]),
        ("ALTER TYPE t ADD VALUE 'begin';", []),
    ],
)
def test_traps(text: str, expected: list[tuple[int, str]]) -> None:
    assert rules(text) == expected


def test_a_problem_names_file_line_and_reason() -> None:
    (problem,) = lint("02_create_tables.sql", "SELECT 1;\nCOMMIT;\n")
    assert str(problem).startswith("02_create_tables.sql:2: COMMIT ")


@given(st.text(alphabet="SELECT1;\\$\"'{}:copy fromstdin.\n\t", max_size=80))
def test_lint_never_fails_on_any_text(text: str) -> None:
    for problem in lint("x.sql", text):
        assert 1 <= problem.line <= text.count("\n") + 1
