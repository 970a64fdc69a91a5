"""``wnadmin health``: what is wrong, how sure is that, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wnadmin.postgres.database import Database
    from wnadmin.postgres.nodes import Nodes
    from wnadmin.settings import Profile

app = noun("health", "Run checks that say what is wrong and how sure that is.")


@app.callback()
def health() -> None:
    """Run checks that say what is wrong and how sure that is.

    A check that cannot see says unknown with the GRANT it lacks, never ok.
    """


@command(app, watch=True, brief=True)
def run(
    nodes: Nodes,
    profile: Profile,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="Only these; several with commas.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CHECK", help="Not these; several with commas.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="triage (in a fire) or nightly (hygiene).")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option("--threshold", metavar="CHECK=WARN,CRITICAL", help="Other limits, as connections=70%,85%."),
    ] = None,
) -> Findings:
    """Run the checks on every node of the profile.

    One read-only connection a node, each check cut off alone. Exit code 3 when something is at or above
    --fail-on, or could not be seen; the profile's waivers and --baseline take out what is known.

    Example: wnadmin health run --preset triage --watch 2
    """
    from wnadmin.domain.health.run import Wishes, run

    wishes = Wishes(only or (), ignore or (), preset, threshold or (), profile.thresholds)
    return run(nodes, wishes, _playbooks)


def _playbooks() -> Mapping[str, str]:
    from wnadmin.domain.playbook.page import by_check

    return by_check()


@command(app, name="list")
def list_() -> Report:
    """List every check with its thresholds and playbook.

    Needs no server.

    Example: wnadmin health list --format markdown
    """
    from wnadmin.domain.health import about
    from wnadmin.domain.playbook.page import by_check

    return about.listing(by_check())


@command(app)
def explain(
    check: Annotated[str, typer.Argument(metavar="CHECK", help="As `health list` names it.")],
    sql_only: Annotated[bool, typer.Option("--sql", help="Only its SQL, as psql takes it.")] = False,
) -> Report:
    """Explain a check: its page, its thresholds, what it needs, its SQL.

    Needs no server. With --sql the output can be piped into psql.

    Example: wnadmin health explain xmin-horizon
    """
    from wnadmin.domain.health import about, thresholds
    from wnadmin.domain.playbook.page import by_check

    return about.explain(check, thresholds.limits({}, ()), by_check(), sql_only=sql_only)


@command(app, brief=True)
def grants(
    db: Database,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="Who is to look.")] = "wondernest_monitor",
) -> Findings:
    """Verify that a role may see all that the checks need, and print the GRANTs it lacks.

    The smallest set: nothing of it opens a table of a parent or a child.

    Example: wnadmin health grants --role wondernest_monitor
    """
    from wnadmin.domain.health import about

    return about.grants(db, role)
