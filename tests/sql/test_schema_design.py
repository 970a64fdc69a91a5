"""schema_design.md: its generated part is what the catalog says, its written part names what exists."""

from __future__ import annotations

import re

from tests.sql.support import SCHEMAS, column
from tests.support import Server, install
from tools.make_schema_design import PAGE, generated, split


def test_the_generated_part_is_current(server: Server) -> None:
    name = server.create()
    try:
        install(server, name, months=0)
        with server.session(name) as session:
            assert split(PAGE.read_text("utf-8"))[1] == "\n" + generated(session) + "\n"
    finally:
        server.drop(name)


def test_the_written_part_names_what_exists(server: Server, db: str) -> None:
    written = split(PAGE.read_text("utf-8"))[0]
    with server.session(db) as session:
        for schema in SCHEMAS:
            assert f"| {schema} |" in written
        for role in column(session, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wondernest\\_%'"):
            assert role in written
        named = set(re.findall(r"`((?:" + "|".join(SCHEMAS) + r")\.[a-z_]+)`", written))
        assert len(named) > 10
        there = column(session, "SELECT n FROM unnest(%s::text[]) AS n WHERE to_regclass(n) IS NOT NULL"
                       " OR to_regproc(n) IS NOT NULL", sorted(named))  # fmt: skip
        assert sorted(there) == sorted(named)
        assert column(session, "SELECT polname FROM pg_policy WHERE polname !~"
                      " '_(tenant|context|owner|worker|analytics|published|officer)$'") == []  # fmt: skip


def test_no_line_of_the_page_is_endless() -> None:
    for line in split(PAGE.read_text("utf-8"))[0].splitlines():
        assert len(line) <= 120, line
