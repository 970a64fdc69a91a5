"""``wnadmin sql``: the bundled SQL itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("sql", "List, show and run the bundled SQL.")


@app.callback()
def sql() -> None:
    """List, show and run the bundled SQL.

    Each file also runs in plain psql: psql -v name=value -f FILE.
    """


@command(app, name="list")
def list_(
    area: Annotated[
        str, typer.Argument(help="Only this group, or names that begin with this, e.g. queries/audit.")
    ] = "",
) -> Report:
    """List the bundled SQL files with what each answers.

    Shows since which PostgreSQL it runs, the privileges it needs, its cost and its variables. The group database
    holds the files that make the database itself, and the same as one migration.

    Example: wnadmin sql list queries/
    """
    from wnadmin.domain import bundled

    return bundled.listing(area)


@command(app)
def show(
    name: Annotated[str, typer.Argument(help="A name of `sql list`; 01 to 07 and V001 are enough.")],
) -> Report:
    """Print one bundled SQL file.

    The text is what psql would run.

    Example: wnadmin sql show queries/audit/child | less
    """
    from wnadmin.domain import bundled

    return bundled.show(name)


@command(app)
def run(
    db: Database,
    name: Annotated[str, typer.Argument(help="A name under queries/.")],
    values: Annotated[list[str] | None, typer.Argument(help="Variables as NAME=VALUE.")] = None,
) -> Report:
    """Run a bundled query in a read-only transaction and show its rows.

    Values become quoted literals exactly as psql's :'name' does. Changes are refused: they have commands. A query
    whose header says `personal: yes` is recorded before its rows are shown.

    Example: wnadmin sql run queries/queries/extension
    """
    from wnadmin.domain import bundled

    return bundled.run(db, name, values or [])
