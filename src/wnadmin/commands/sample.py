"""``wnadmin sample``: a world to try things on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Inputs, Plan

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database
    from wnadmin.settings import Profile

app = noun("sample", "Load a deterministic world of families.")


@app.callback()
def sample() -> None:
    """Load a deterministic world of families."""


@command(app)
def load(
    db: Database,
    profile: Profile,
    inputs: Inputs,
    families: Annotated[int, typer.Option("--families", metavar="N", help="How many families, 1 to 1,000,000.")],
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Another seed is another world.")] = 1,
    years: Annotated[int, typer.Option("--years", metavar="Y", help="How far back it reaches, 1 to 10.")] = 2,
    until: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help="Its last day; today unless given.")] = "",
) -> Plan:
    """Load N sample families with children, visits, speech sessions, payments and history.

    The server makes every row from the seed and the number of the family: the same seed, years and last day
    give the same world, and what is there already is skipped. Refuses a production profile and a database
    with a user who is not a sample. `audit undo` removes what a load added.

    Example: wnadmin sample load --families 1000 --yes
    """
    from wnadmin.domain.sample import load as loading

    return loading.plan(db, profile, loading.wish(families, seed, years, until, inputs), inputs)
