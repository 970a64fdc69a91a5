"""The tour of the demonstration: which commands, in which order, and what each is meant to show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of the tour: the command, what it shows, and whether its whole output is worth reading.

    One that ``judges`` may find something without ending the tour: a server of a minute's age is not tuned.
    """

    argv: tuple[str, ...]
    shows: str
    in_full: bool = True
    judges: bool = False


SERVER = Stop(("server", "start"), "A private PostgreSQL of your own starts, on a socket only.", in_full=False)


def tour(families: int, child: str) -> tuple[Stop, ...]:
    """List the stops after the server has started. ``child`` is a sample child's id."""
    return (
        Stop(("setup", "apply", "--create"), "Files 01 to 07 make the database in one transaction.", in_full=False),
        Stop(("setup", "verify"), "It is proven by looking: catalog, functions, row-level security, consent."),
        Stop(
            ("sample", "load", "--families", str(families)),
            "Families with children, sessions and payments.",
            in_full=False,
        ),
        Stop(("setup", "status"), "What stands there now."),
        Stop(("health", "run"), "What is wrong, how sure is that, and what to do.", judges=True),
        Stop(("connections", "list"), "Who holds the connection slots.", in_full=False),
        Stop(("locks", "tree"), "Who waits for whom."),
        Stop(("tables", "sizes", "--top", "5"), "Where the space is, partitions rolled up."),
        Stop(("indexes", "review"), "A verdict on every index, with its evidence.", in_full=False),
        Stop(("queries", "slow", "--top", "5"), "Which statements cost most.", in_full=False),
        Stop(("playbook", "check"), "Every line of the incident pages, proven against the parser.", in_full=False),
        Stop(("queries", "reset"), "A change: shown, recorded before, proven after.", in_full=False),
        Stop(("sql", "run", "queries/queries/collected", "schema=extensions"), "Bundled SQL; psql runs it as well."),
        Stop(("audit", "child", child), "One child's activity log, as a parent may ask for it.", in_full=False),
        Stop(("audit", "log", "--limit", "10"), "What was done here, and by whom."),
        Stop(("audit", "verify"), "Was any row of the ledger changed, removed or cut off?"),
    )


NEXT = (
    'psql "$(wnadmin server url)"',
    "wnadmin health run --preset triage --watch 2",
    "wnadmin playbook show first-look",
    "wnadmin sql list",
    "wnadmin audit log --operation ID",
    "wnadmin server stop    (the data stay; `wnadmin server destroy` removes them)",
)
"""What to try afterwards."""
