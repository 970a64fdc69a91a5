"""``wnadmin migrate``: move the schema forward with files that Flyway would run alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.database import Database

app = noun("migrate", "Move the schema forward with files that Flyway would run alike.")

Locations = Annotated[
    list[Path] | None,
    typer.Option("--location", metavar="DIR", help="A folder of migrations beside the bundled one; may be repeated."),
]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for another migration or Flyway.")]


@app.callback()
def migrate() -> None:
    """Move the schema forward with files that Flyway would run alike.

    V files run once, in the order of their versions; R files run again when they have changed. History,
    checksums and lock are Flyway's own, so that either tool can go on from the other.
    """


@command(app)
def status(db: Database, location: Locations = None) -> Report:
    """List every migration, applied and pending.

    With the state in Flyway's words, both checksums, and who is migrating at this moment.

    Example: wnadmin migrate status --location ./migration
    """
    from wnadmin.domain.migrate import places, tell

    return tell.status(db, places.locations(location))


@command(app)
def apply(
    connections: Connections,
    inputs: Inputs,
    location: Locations = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="VERSION", help="Leave later versions alone.")
    ] = None,
    out_of_order: Annotated[
        bool, typer.Option("--out-of-order", help="Apply also what is older than the last one applied.")
    ] = False,
    wait: Wait = 60.0,
) -> Plan:
    """Apply what is pending, one step a file.

    Each file runs in one transaction with its row in the history, under Flyway's lock, waiting for locks only
    briefly and trying again. A file whose header says `-- transaction: no` is recorded before it begins, so that
    one that was cut off is found again. `wnadmin audit undo` runs the rollback procedures of the headers.

    Example: wnadmin migrate apply --location ./migration --target 003 --dry-run
    """
    from wnadmin.domain.migrate import places, run

    wanted = run.Wanted(places.locations(location), places.version(target), out_of_order, wait)
    return run.plan_apply(wanted, connections.open, inputs)


@command(app)
def validate(db: Database, location: Locations = None) -> Findings:
    """Compare history and files as `flyway validate` does.

    Changed, missing, failed and out-of-order files are critical, pending ones a warning, and what a newer
    release applied is left alone.

    Example: wnadmin migrate validate --format json
    """
    from wnadmin.domain.migrate import places, tell

    return tell.validate(db, places.locations(location))


@command(app)
def repair(
    connections: Connections,
    inputs: Inputs,
    location: Locations = None,
    delete_missing: Annotated[
        bool, typer.Option("--delete-missing", help="Also mark as deleted what was applied and has no file here.")
    ] = False,
    wait: Wait = 60.0,
) -> Plan:
    """Correct the history as Flyway's repair does.

    Entries of migrations that failed are removed, checksums and descriptions are taken from the files. The schema
    is not touched: undo by its rollback procedure what a failed migration left behind. Migrations without a file
    are named and left alone; Flyway marks them as deleted unasked, and runs them again should the file come back.

    Example: wnadmin migrate repair --dry-run
    """
    from wnadmin.domain.migrate import places
    from wnadmin.domain.migrate import repair as repairs

    all_ = places.locations(location)
    return repairs.plan_repair(all_, connections.open, inputs, wait=wait, delete_missing=delete_missing)


@command(app)
def lint(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files; else all above V001.")] = None,
    location: Locations = None,
) -> Findings:
    """Judge migration files before they are run.

    Finds what psql, Flyway and one transaction do not agree on, a header without rollback procedure, and what
    squawk says about locks, where it is installed. Needs no connection.

    Example: wnadmin migrate lint migration/V002__add_feature.sql
    """
    from wnadmin.domain.migrate import places, tell

    return tell.lint(files or (), places.locations(location))


@command(app, node="none")
def new(
    description: Annotated[str, typer.Argument(help="A few words; they become the file's name.")],
    location: Locations = None,
    alone: Annotated[
        bool, typer.Option("--no-transaction", help="For a statement that cannot run in a transaction.")
    ] = False,
) -> Plan:
    """Write the next migration's file, with its header.

    The version follows the highest one in all folders. An existing file is never written over. The file goes into
    the first --location, in a checkout into sql/migration.

    Example: wnadmin migrate new "add feature" --location ./migration
    """
    from wnadmin.domain.migrate import fresh, places

    all_ = places.locations(location)
    return fresh.plan_new(description, places.home(location), all_, alone=alone)
