"""``wnadmin backup wal``: the archive of WAL, without which there is no way back to a moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.engine import command, noun
from wnadmin.results import Findings, Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.ledger.recorder import Recorder
    from wnadmin.postgres.database import Database
    from wnadmin.settings import Profile

app = noun("backup wal", "Archive WAL, and know that it leads back to a moment.")

Archive = Annotated[
    Path | None,
    typer.Option("--archive", metavar="DIR", help="The folder that WAL is archived into, as this machine sees it."),
]


@app.callback()
def wal() -> None:
    """Archive WAL, and know that it leads back to a moment.

    A base backup and all WAL since its beginning make the database of any moment in between.
    """


@command(app, brief=True)
def status(db: Database, archive: Archive = None) -> Report:
    """Show what is archived, by whom, from where to where.

    The server's archiver, the archive folder where it can be read (holes, timelines, what each base backup leads
    to), and what pgBackRest, Barman and WAL-G say where they are installed, in one table. What this login or this
    machine cannot see is unknown. The folder is the one that the shipped archive command names, unless given.

    Example: wnadmin backup wal status --archive /srv/wal
    """
    from wnadmin.domain.wal import status as looking

    return looking.status(db, archive)


@command(app)
def check(
    db: Database,
    profile: Profile,
    recorder: Recorder,
    archive: Archive = None,
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="DURATION", help="Three times archive_timeout unless given.")
    ] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="Could one recover to this moment? UTC without a zone.")
    ] = "",
    probe: Annotated[bool, typer.Option("--probe", help="Switch WAL, and wait until the segment is archived.")] = False,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0.1, help="How long --probe waits.")] = 60.0,
) -> Findings:
    """Judge whether one could recover to a point in time.

    Archiving is on (in production), does not fail or lag, the archive has no hole and fits a base backup. --at asks
    for one moment: which base backup and which WAL lead there. --probe changes something: it closes the current WAL
    segment, is recorded in the ledger before it does, and says what became of that segment.

    Example: wnadmin backup wal check --probe --at '2026-11-22 09:30'
    """
    from wnadmin.domain.wal import check as judging
    from wnadmin.domain.wal import probe as probing

    wished = judging.wishes(archive, max_age, at)
    probed = None
    if probe:
        words = probing.argv(str(archive) if archive else "", wait)
        probed = probing.probe(db, recorder, words, seconds=wait)
    return judging.check(db, wished, production=profile.production, probed=probed)


@command(app)
def config(
    db: Database,
    inputs: Inputs,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to archive into, as the server sees it.")],
    script: Annotated[
        Path, typer.Option("--script", metavar="PATH", help="Where the archive command is written to.")
    ] = Path("/usr/local/bin/wnadmin-archive"),
    seconds: Annotated[
        int, typer.Option("--seconds", metavar="N", min=1, help="The command gives a file up after N seconds.")
    ] = 300,
    replace: Annotated[bool, typer.Option("--replace", help="Also where another tool archives already.")] = False,
    by_hand: Annotated[bool, typer.Option("--by-hand", help="Only tell the settings; do not set them.")] = False,
) -> Plan:
    """Archive WAL with a command that never overwrites and never loses a file.

    Writes the command, a short shell script; names the folder as this server's archive; has the server itself prove
    both, on scratch files, as its own user; and sets archive_command, archive_timeout, wal_level and archive_mode
    where they are not as recommended. The last two wait for a restart, which is yours. `wnadmin audit undo` takes the
    settings back.

    Example: wnadmin backup wal config --to /srv/wal --dry-run
    """
    from wnadmin.domain.wal import config as configuring

    return configuring.plan(db, configuring.Wished(to, script, seconds, replace, by_hand), inputs)
