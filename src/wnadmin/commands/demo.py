"""``wnadmin demo``: the whole way, on the embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun

if TYPE_CHECKING:
    from wnadmin.engine.options import Options

app = noun("demo", "Set up everything on the embedded server and show what works.")


@command(app, raw="is made of other commands, each with a form and a row of its own")
def demo(
    options: Options,
    families: Annotated[int, typer.Option("--families", min=1, max=100_000, help="Sample families to load.")] = 100,
) -> int:
    """Set up everything on the embedded server and show what works.

    Starts a private PostgreSQL, makes the WonderNest database, proves it, loads sample families and runs one
    of each capability. It leaves the database to play with, and may be run again.

    Example: wnadmin demo --families 500
    """
    from wnadmin.engine import tour

    return tour.run(options, families)
