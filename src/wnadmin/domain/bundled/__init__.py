"""The bundled SQL as something to list, read and run."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from wnadmin import assets
from wnadmin.errors import Refused, UsageError
from wnadmin.postgres.variables import names
from wnadmin.results import Cell, Column, Report, Table, Value

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

DATABASE: Final = "database"
"""The group of the files that make the database itself; the other groups are folders of ``sql/``."""

_HEAD = re.compile(r"-- [^\s:]+\.sql: (?P<does>.+)")
_COLUMNS = (
    Column("group"),
    Column("name"),
    Column("answers", "answers or does"),
    Column("since"),
    Column("privileges"),
    Column("cost"),
    Column("variables"),
)


def listing(area: str) -> Report:
    """List the bundled files, all or those whose group is ``area`` or whose name begins with it."""
    rows = tuple(
        (_group(one), *_facts(one)) for one in _all() if one.name.startswith(area) or _group(one) == area.rstrip("/")
    )
    return Report(
        "sql-list",
        (Table("files", _COLUMNS, rows, empty=f"no bundled SQL begins with {area!r}"),),
        next=f"wnadmin sql show {rows[0][1]}" if rows else "wnadmin sql list",
    )


def show(name: str) -> Report:
    """Give the text of one file, as psql takes it."""
    return Report("sql-show", text=_find(name).text.rstrip("\n"))


def run(db: Database, name: str, assignments: list[str]) -> Report:
    """Run a bundled query; anything that is not under ``queries/`` is refused.

    A query whose header says ``-- personal: yes`` gives a report that is recorded before it is shown.
    """
    file = _find(name)
    group = _group(file)
    if group == DATABASE:
        raise Refused(
            f"{file.name} makes the database itself",
            why="Setup runs 01 to 07 in one transaction and proves what they made; a migration is run by Flyway.",
            next="wnadmin setup apply",
        )
    if group != "queries":
        raise Refused(
            f"{name} is not a query",
            why="Only what is in sql/queries runs this way; a change needs its command.",
            next=f"Read it: wnadmin sql show {name}",
        )
    values: dict[str, Value] = {}
    for one in assignments:
        key, equals, value = one.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(
                f"cannot read {one!r}",
                why="A variable is given as NAME=VALUE.",
                next=f"It takes: {', '.join(names(file.text)) or 'none'}.",
            )
        values[key] = value
    db.session.run("SET default_transaction_read_only = on")
    personal = db.file(file.name).facts.get("personal") == "yes"
    return Report("sql-run", (db.table(file.name, values),), personal=personal)


def _all() -> list[assets.SqlFile]:
    """List every bundled file: those of the database in the order in which they run, then the others by name."""
    migrations = sorted((assets.root("sql") / "migration").glob("V*__*.sql"))
    making = [*assets.database_files(), *(assets.read(path, f"migration/{path.name}") for path in migrations)]
    return [*(replace(one, name=one.name.removesuffix(".sql")) for one in making), *assets.catalogue()]


def _group(file: assets.SqlFile) -> str:
    folder, slash, _ = file.name.partition("/")
    return folder if slash and folder != "migration" else DATABASE


def _facts(file: assets.SqlFile) -> tuple[Cell, ...]:
    if _group(file) == DATABASE:
        # What setup asks for depends on the server; it looks, and says what is missing.
        head = _HEAD.match(file.text)
        return (file.name, head["does"] if head else "", file.since, "those of `wnadmin setup apply`", "", "")
    return (file.name, file.answers, file.since, file.privileges, file.cost, ", ".join(names(file.text)))


def _find(name: str) -> assets.SqlFile:
    wanted = name.removeprefix("sql/").removesuffix(".sql")
    known: dict[str, assets.SqlFile] = {}
    for one in _all():
        known[one.name] = one
        if _group(one) == DATABASE:
            # 04, V001 and V001__initial_schema are enough.
            whole = one.name.removeprefix("migration/")
            known[whole] = known[whole.partition("_")[0]] = one
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=1, cutoff=0.4)
    raise UsageError(
        f"there is no bundled SQL file {name}",
        next=f"Did you mean {near[0]}?" if near else "See `wnadmin sql list`.",
    )
