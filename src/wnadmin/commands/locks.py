"""``wnadmin locks``: who blocks whom, and whom to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Report

if TYPE_CHECKING:
    from wnadmin.postgres.database import Database

app = noun("locks", "Show who blocks whom, and whom to end.")

Wide = Annotated[bool, typer.Option("--wide", help="Every session and column; machines get them always.")]
Queries = Annotated[
    bool, typer.Option("--show-queries", help="Show query texts (whole with --wide); they may hold personal data.")
]


@app.callback()
def locks() -> None:
    """Show who blocks whom, and whom to end.

    These looks wait for no lock and take none but those of every catalog query.
    """


@command(app, watch=True, brief=True)
def tree(db: Database, wide: Wide = False, show_queries: Queries = False) -> Report:
    """Draw the sessions that wait, below those they wait for.

    Each session stands once, with what it wants, on what, and in which mode that is held; soft means that the one above
    only stands before it in the queue. Prepared transactions are named by their gid. Query texts are left out unless
    asked for; reading them is recorded before they are shown.

    Example: wnadmin locks tree --watch 1
    """
    from wnadmin.domain.locks import forest as look

    return look.tree(db, wide=wide, show_queries=show_queries)


@command(app, watch=True, brief=True)
def waits(
    db: Database,
    everything: Annotated[bool, typer.Option("--all", help="Also what the order of a queue implies.")] = False,
    wide: Wide = False,
    show_queries: Queries = False,
) -> Report:
    """List who waits for whom, the longest wait first.

    One line a waiter and a blocker: the mode that is wanted, what on, and the mode that is held (hard) or wanted
    earlier in the same queue (soft). Query texts are left out unless asked for; reading them is recorded
    before they are shown.

    Example: wnadmin locks waits --format ndjson
    """
    from wnadmin.domain.locks import waits as look

    return look.waits(db, everything=everything, wide=wide, show_queries=show_queries)


@command(app, watch=True, brief=True)
def advise(
    db: Database,
    patience: Annotated[
        str,
        typer.Option("--patience", metavar="DURATION", help="How long a running statement may hold others up."),
    ] = "1min",
    wide: Wide = False,
) -> Report:
    """Name whom to end so that the most go on, and say when that is the wrong remedy.

    The smallest set of sessions whose end frees the most waiters, proven by trying every set of up to 12; what each
    would lose as far as that can be seen; and the guarded statement for psql that ends this session and no other. It
    ends nothing itself.

    Example: wnadmin locks advise --patience 5min
    """
    from wnadmin.domain.locks import advice as look

    return look.advise(db, patience=patience, wide=wide)
