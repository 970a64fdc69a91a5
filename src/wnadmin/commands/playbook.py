"""``wnadmin playbook``: what to do when something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Report

if TYPE_CHECKING:
    from wnadmin.postgres.target import Target

app = noun("playbook", "List, show and prove the incident pages.")


@app.callback()
def playbook() -> None:
    """List, show and prove the incident pages.

    Each is a Markdown file under playbooks/: what it looks like, where to look, what to decide, what to type, and
    how to see that it helped.
    """


@command(app, name="list")
def list_() -> Report:
    """List the pages with the checks that call for them.

    Needs no server.

    Example: wnadmin playbook list
    """
    from wnadmin.domain.playbook import show

    return show.listing()


@command(app, records=False)
def show(
    target: Target | None,
    name: Annotated[str, typer.Argument(metavar="PLAYBOOK", help="A name of `playbook list`.")],
) -> Report:
    """Show one page.

    Its lines for psql go where the PG* variables say; above them stands what to export so that this is where wnadmin
    goes. In a pipe the page is the Markdown itself, with --format json its parts: facts, environment, inputs, sections
    and command lines. Needs no server.

    Example: wnadmin playbook show blocked-sessions
    """
    from wnadmin.domain.playbook import show

    return show.show(name, target)


@command(app)
def check() -> Findings:
    """Prove that the pages are right.

    Their form, each command line against the real parser, each variable, check, role and SQL file they name, and
    that each check that can turn critical has a page. Needs no server and runs nothing of it.

    Example: wnadmin playbook check
    """
    from wnadmin.domain.playbook import check, page
    from wnadmin.engine.parse import parse

    return check.check(page.every(), parse)
