"""Walk the demonstration's stops: each is a command of its own, run in this process."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from wnadmin.domain import demo
from wnadmin.engine.connect import EMBEDDED_DATABASE, embedded
from wnadmin.engine.invoke import invoke
from wnadmin.errors import Exit, Failed, Refused
from wnadmin.results import Findings, Outcome, Result

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.postgres.target import Target


def run(options: Options, families: int) -> int:
    """Start the embedded server and walk the tour on it, whatever PG* variables say; gives the exit code."""
    if options.dsn or options.profile:
        raise Refused(
            "the demonstration runs on the embedded server only",
            why="It loads sample families, which belong into no database of yours.",
            next="Leave --dsn and --profile out.",
        )
    operation = uuid4()
    options = dataclasses.replace(options, yes=True, reason="demonstration")
    _stop(demo.SERVER, options, operation)
    target = embedded(EMBEDDED_DATABASE)
    options = dataclasses.replace(options, dsn=_conninfo(target))
    child = ""
    for stop in demo.tour(families, ""):
        argv = stop.argv
        if argv[:2] == ("audit", "child"):
            child = child or _a_child(target)
            stop = dataclasses.replace(stop, argv=(*argv[:2], child))
        _stop(stop, options, operation)
    _say("")
    _say("Next, try:")
    for line in demo.NEXT:
        _say(f"  {line}")
    return int(Exit.OK)


def _stop(stop: demo.Stop, options: Options, operation: UUID) -> None:
    from wnadmin import render

    _say("")
    _say(f"$ wnadmin {' '.join(stop.argv)}")
    _say(f"  {stop.shows}")
    value, code = invoke(stop.argv, options, parent=operation, quiet=True)
    if stop.in_full or code:
        render.write(value, format=render.resolve(options.format, sys.stdout), stream=sys.stdout)
        sys.stdout.flush()
    else:
        _say(f"  {_in_short(value)}")
    if code and not (stop.judges and code == Exit.FINDINGS):
        raise Failed(
            f"the demonstration stopped at `wnadmin {' '.join(stop.argv)}`",
            why=f"It ended with exit code {int(code)}.",
            next="wnadmin audit unfinished",
        )


def _in_short(value: Result) -> str:
    if isinstance(value, Outcome):
        return f"{value.title}: {value.status}{', ' + value.detail if value.detail else ''}; in {value.recorded}"
    if isinstance(value, Findings):
        return f"{len(value.findings)} looks, the worst is {value.worst}"
    return f"{sum(len(table.rows) for table in value.tables)} rows"


def _a_child(target: Target) -> str:
    from wnadmin.postgres.session import connect

    with connect(target, command="demo") as session:
        found = session.scalar("SELECT c.id::text FROM family.child_profiles AS c ORDER BY c.created_at, c.id LIMIT 1")
    if not isinstance(found, str):
        raise Failed("the demonstration found no child", why="No sample family was loaded.")
    return found


def _conninfo(target: Target) -> str:
    return " ".join(f"{key}='{value}'" for key, value in target.parameters.items())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
