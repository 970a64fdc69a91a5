"""``wnadmin setup``: make the WonderNest database and prove what was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.database import Database
    from wnadmin.settings import Profile

Shadow = Annotated[
    str, typer.Option("--shadow", metavar="PLACE", help="Make the shadow here, apart (a private server), or auto.")
]

app = noun("setup", "Make the WonderNest database and prove what was made.")


@app.callback()
def setup() -> None:
    """Make the WonderNest database and prove what was made.

    An empty database is set up, a complete one is left alone, anything else is refused with what was found.
    """


@command(app)
def apply(
    connections: Connections,
    profile: Profile,
    inputs: Inputs,
    create: Annotated[bool, typer.Option("--create", help="Create the database when it is not there.")] = False,
    samples: Annotated[
        bool | None,
        typer.Option("--samples/--no-samples", help="Seed sample families; not in production unless asked."),
    ] = None,
    months: Annotated[
        int | None, typer.Option("--months", min=3, max=120, help="Months of partitions ahead; 12 if not said.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for another setup.")] = 60.0,
) -> Plan:
    """Make the WonderNest database: files 01 to 07, in one transaction.

    Looks first, lints the files, lists everything that is missing before it changes anything, and records
    version 001 in a history that Flyway accepts. Run again, it changes nothing and says so.

    Example: wnadmin setup apply --create --yes --dsn 'dbname=wondernest_prod'
    """
    from wnadmin.domain.setup import plans

    wishes = plans.wishes(connections, profile, inputs, create=create, samples=samples, months_ahead=months, wait=wait)
    return plans.apply(connections, wishes)


@command(app)
def verify(connections: Connections, profile: Profile) -> Findings:
    """Prove the database by looking and trying; leaves nothing behind.

    Compares the catalog with what the files make, calls every promised function, tries row-level security as
    each role and collection without consent, and looks at partitions, passwords and the ledger's guards. What
    this login cannot see is unknown, never ok.

    Example: wnadmin setup verify --format json
    """
    from wnadmin.domain.setup import plans

    return plans.verify(connections, profile)


@command(app)
def status(db: Database) -> Report:
    """Describe what stands in the database.

    Its class, the migration history, months of partitions ahead, roles, sample data and sizes.

    Example: wnadmin setup status
    """
    from wnadmin.domain.setup import plans

    return plans.status(db)


@command(app)
def adopt(
    connections: Connections,
    profile: Profile,
    as_baseline: Annotated[
        bool, typer.Option("--as-baseline", help="Record Flyway's baseline instead of V001 with its checksum.")
    ] = False,
    shadow: Shadow = "auto",
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for a migration or Flyway.")] = 60.0,
) -> Plan:
    """Give a database that was made by hand its migration history.

    Makes a shadow database from files 01 to 07, compares the two catalogs, and writes the history only if they are
    equal; else it is refused, and the differences are listed. From then on Flyway and wnadmin go on from V001.

    Example: wnadmin setup adopt --dsn 'dbname=wondernest_prod' --dry-run
    """
    from wnadmin.domain.setup import plans

    return plans.adopt(connections, profile, as_baseline=as_baseline, shadow=shadow, wait=wait)


@command(app)
def drift(
    connections: Connections,
    profile: Profile,
    location: Annotated[
        list[Path] | None,
        typer.Option(
            "--location", metavar="DIR", help="A folder of migrations beside the bundled one; may be repeated."
        ),
    ] = None,
    shadow: Shadow = "auto",
) -> Findings:
    """Find what has changed in the schema beside the files.

    Compares the catalog with what files 01 to 07 and the applied migrations make, and says how each difference can be
    mended. With migrations applied it makes a shadow database for a moment, here or on a private server.
    Partitions are left to their own commands.

    Example: wnadmin setup drift --location ./migration
    """
    from wnadmin.domain.setup import plans

    return plans.drift(connections, profile, location or (), shadow)
