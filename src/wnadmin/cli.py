"""Assemble the program from ``commands/``; a noun's module is loaded only when it is used."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer

from wnadmin import __version__
from wnadmin.engine.boundary import Answered, asks_for_nagios, guarded, plugin_failed
from wnadmin.engine.lean import LeanGroup

NOUNS: dict[str, str] = {
    "demo": "Set up everything on the embedded server and show what works.",
    "server": "Start, stop and inspect the embedded PostgreSQL of this user.",
    "setup": "Make the WonderNest database and prove what was made.",
    "sample": "Load a deterministic world of families.",
    "migrate": "Move the schema forward with files that Flyway would run alike.",
    "health": "Run checks that say what is wrong and how sure that is.",
    "connections": "Show who holds the connections, against each limit.",
    "sessions": "Show who is connected, doing what, for how long.",
    "locks": "Show who blocks whom, and whom to end.",
    "queries": "Look at and reset the statement statistics.",
    "tables": "See how big and how bloated tables are, and what waits for vacuum.",
    "indexes": "Judge which indexes may go, must stay, or are missing.",
    "partitions": "Keep partitions ahead, and take out what is past.",
    "retention": "Remove what was kept for as long as was promised.",
    "readonly": "Make the database read-only, prove it, and leave it as it was.",
    "config": "Compare the server's settings with the recommended ones.",
    "backup": "Make backups that are known to restore.",
    "audit": "Read, prove, keep and finish what the operator ledger holds.",
    "playbook": "List, show and prove the incident pages.",
    "sql": "List, show and run the bundled SQL.",
}
"""Every noun with its line in the help, in the order of the help."""


class Nouns(LeanGroup):
    """The root group; it imports ``commands.<noun>`` on demand, so that --help stays fast."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the nouns."""
        return list(NOUNS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one noun; None makes the parser answer with a usage error and the near match."""
        if cmd_name not in NOUNS:
            return None
        module = importlib.import_module(f"wnadmin.commands.{cmd_name}")
        return typer.main.get_command(module.app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the nouns without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


app = typer.Typer(
    cls=Nouns,
    name="wnadmin",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wnadmin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Set up, prove and operate the WonderNest database.

    Every command shows the exact SQL before it changes anything, proves the result by looking again, and
    leaves a row in a tamper-evident ledger.

    Example: wnadmin demo
    """


def main() -> None:
    """Run the program and exit with its code."""
    sys.exit(guarded(_run))


def _run() -> int:
    command = typer.main.get_command(app)
    try:
        command.main(prog_name="wnadmin")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
        if code and not isinstance(end, Answered) and asks_for_nagios(sys.argv[1:]):
            # The parser ends with 2, which a monitor would read as critical.
            return plugin_failed("the command line is wrong")
        return code
    return 0
