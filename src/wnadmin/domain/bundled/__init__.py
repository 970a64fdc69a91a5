"""The bundled SQL as something to list, read and run."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from wnadmin import assets
from wnadmin.errors import Refused, UsageError
from wnadmin.postgres.variables import names
from wnadmin.results import Column, Report, Table, Value

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database


def listing(area: str) -> Report:
    """List the bundled files, all or those whose name begins with ``area``."""
    files = [one for one in assets.catalogue() if one.name.startswith(area)]
    rows = tuple(
        (one.name, one.answers, one.since, one.privileges, one.cost, ", ".join(names(one.text))) for one in files
    )
    columns = (
        Column("name"),
        Column("answers", "answers or does"),
        Column("since"),
        Column("privileges"),
        Column("cost"),
        Column("variables"),
    )
    return Report(
        "sql-list",
        (Table("files", columns, rows, empty=f"no bundled SQL begins with {area!r}"),),
        next=f"wnadmin sql show {files[0].name}" if files else "wnadmin sql list",
    )


def show(name: str) -> Report:
    """Give the text of one file, as psql takes it."""
    return Report("sql-show", text=_find(name).text.rstrip("\n"))


def run(db: Database, name: str, assignments: list[str]) -> Report:
    """Run a bundled query; anything that is not under ``queries/`` is refused."""
    file = _find(name)
    if not file.name.startswith("queries/"):
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
    return Report("sql-run", (db.table(file.name, values),))


def _find(name: str) -> assets.SqlFile:
    wanted = name.removeprefix("sql/").removesuffix(".sql")
    known = {one.name: one for one in assets.catalogue()}
    if wanted in known:
        return known[wanted]
    if any(wanted == one.name.removesuffix(".sql") for one in assets.database_files()):
        return next(one for one in assets.database_files() if one.name.removesuffix(".sql") == wanted)
    near = get_close_matches(wanted, known, n=1, cutoff=0.4)
    raise UsageError(
        f"there is no bundled SQL file {name}",
        next=f"Did you mean {near[0]}?" if near else "See `wnadmin sql list`.",
    )
