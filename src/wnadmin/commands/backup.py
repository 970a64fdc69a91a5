"""``wnadmin backup``: dumps that are known to restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wnadmin.commands import wal
from wnadmin.engine import command, noun
from wnadmin.results import Findings, Inputs, Plan, Report

if TYPE_CHECKING:
    from wnadmin.postgres.connections import Connections
    from wnadmin.postgres.database import Database
    from wnadmin.settings import Profile

app = noun("backup", "Make backups that are known to restore.")
app.add_typer(wal.app, name="wal")

Identity = Annotated[
    Path | None,
    typer.Option("--identity", metavar="FILE", help="The file with age's secret key, for an encrypted one."),
]
Backup = Annotated[Path, typer.Argument(metavar="PATH", help="A dump, or its sidecar.")]


@app.callback()
def backup() -> None:
    """Make backups that are known to restore.

    A backup is a dump with a sidecar: the counts and hashes of all tables, taken in the dump's own snapshot.
    """


@command(app, node="any")
def create(
    db: Database,
    connections: Connections,
    profile: Profile,
    inputs: Inputs,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to write to; it must exist.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Database and time unless given.")] = "",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Tables dumped and hashed at once.")] = 1,
    dump_format: Annotated[
        str, typer.Option("--dump-format", metavar="FORMAT", help="custom (one file), or directory, which jobs need.")
    ] = "",
    compress: Annotated[
        str, typer.Option("--compress", metavar="HOW", help="As pg_dump takes it: 0 to 9, zstd:3 …")
    ] = "",
    login: Annotated[
        str, typer.Option("--login", metavar="ROLE", help="pg_dump logs in so; wondernest_backup unless given.")
    ] = "",
    encrypt_to: Annotated[
        list[str] | None, typer.Option("--encrypt-to", metavar="KEY", help="age's public key; may be given again.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Write in the clear, also in production.")] = False,
    days: Annotated[int, typer.Option("--days", metavar="N", help="It expires after N days, 365 at most.")] = 90,
) -> Plan:
    """Back the database up, with the count and hash of every table from the same snapshot.

    pg_dump of the server's own version logs in as wondernest_backup and takes its password from .pgpass. The dump
    gets its name only when it is whole and on the disk; the sidecar beside it comes last. In production it is
    encrypted to the profile's backup_recipients unless --plain is given. Works in read-only mode and on a standby.

    Example: wnadmin backup create --to /srv/backups --jobs 2
    """
    from wnadmin.domain.backup import create as creating
    from wnadmin.domain.backup.wishes import wishes

    wished = wishes(
        profile,
        inputs,
        to=to,
        name=name,
        jobs=jobs,
        form=dump_format,
        compress=compress,
        login=login,
        encrypt_to=encrypt_to or [],
        plain=plain,
        days=days,
    )
    return creating.plan(db, connections, wished, inputs)


@command(app, name="list")
def list_(
    db: Database | None,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of backups.")],
) -> Report:
    """List the backups in a folder.

    Age, size, database, server, how far and when each was last proven, when it expires, whether the connected
    database has it in its register of copies, and what is wrong with it.

    Example: wnadmin backup list /srv/backups
    """
    from wnadmin.domain.backup import listing

    return listing.report(folder, db)


@command(app)
def verify(
    db: Database | None,
    path: Backup,
    level: Annotated[
        str, typer.Option("--level", metavar="LEVEL", help="file, archive, restore or content; each includes the last.")
    ] = "archive",
    identity: Identity = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Restore and compare so many at once.")] = 1,
) -> Findings:
    """Prove a backup up to a level, and say which level was reached.

    file: the bytes are those that were written. archive: pg_restore reads it to its end. restore: a database was made
    of it, on a private server of this machine. content: that database has the same rows. Only content sees every
    change. What could not be tried is unknown, never ok.

    Example: wnadmin backup verify /srv/backups/prod.dump --level content
    """
    from wnadmin.domain.backup import bring, drill
    from wnadmin.domain.backup import verify as proofs

    wanted = proofs.level(level)
    means = bring.Means(identity, jobs)
    trial = drill.trial_on_private(means, wanted, lambda *_: None)
    return proofs.verify(path, wanted, means, db, trial)


@command(app, node="any")
def drill(
    connections: Connections | None,
    inputs: Inputs,
    path: Annotated[Path | None, typer.Argument(metavar="PATH", help="A dump, or its sidecar.")] = None,
    latest: Annotated[
        Path | None, typer.Option("--latest", metavar="DIR", help="The newest whole backup of this folder.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Use a server of one's own, made for this.")] = False,
    identity: Identity = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Restore and compare so many at once.")] = 1,
) -> Plan:
    """Restore a backup into a scratch database, compare every table, and drop it.

    Counts and hashes must be exactly those of the dump's snapshot. Migration history, partition bounds and traces of
    read-only mode are looked at, and how long it took and how old the dump is are recorded (RTO, RPO). The scratch
    database goes in every case; one that a killed drill left is named.

    Example: wnadmin backup drill --latest /srv/backups --private --yes
    """
    from wnadmin.domain.backup import bring, files
    from wnadmin.domain.backup import drill as drills
    from wnadmin.errors import UsageError

    if (path is None) == (latest is None):
        raise UsageError("which backup?", next="Give its PATH, or --latest DIR.")
    known = inputs.get("path")
    if isinstance(known, str):
        # An unfinished drill goes on with the backup that it began with.
        place = files.at(Path(known))
    else:
        place = files.at(path) if path is not None else drills.latest(latest or Path())
    return drills.plan(connections, place, bring.Means(identity, jobs), inputs, on_private=private)


@command(app, node="any")
def prune(
    db: Database | None,
    connections: Connections | None,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of backups.")],
    keep_daily: Annotated[int, typer.Option("--keep-daily", metavar="N", help="Days that keep their newest.")] = 7,
    keep_weekly: Annotated[int, typer.Option("--keep-weekly", metavar="N", help="Weeks that keep their newest.")] = 5,
    keep_monthly: Annotated[int, typer.Option("--keep-monthly", metavar="N", help="Months that keep theirs.")] = 12,
) -> Plan:
    """Remove the backups that no day, week or month needs.

    The newest of each of the last days, weeks and months that have one stays, counted for each database apart.
    What has expired goes, whatever the rule says, but never the last backup that was proven to restore. What a killed
    run left goes too. The plan says of each why it stays or goes. Connected to a primary, it also brings the register
    of copies, audit.backups, up to date; without a server it only removes files.

    Example: wnadmin backup prune /srv/backups --keep-daily 7 --keep-weekly 5 --keep-monthly 12
    """
    from wnadmin.domain.backup import prune as pruning

    rule = pruning.Rule(keep_daily, keep_weekly, keep_monthly)
    return pruning.plan(folder, rule, db=db, connections=connections)


@command(app)
def restore(
    connections: Connections,
    inputs: Inputs,
    path: Backup,
    into: Annotated[str, typer.Option("--into", metavar="DBNAME", help="The database to restore into; empty, or new.")],
    create: Annotated[bool, typer.Option("--create", help="Create it from template0, as the dumped one was.")] = False,
    identity: Identity = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="More than 1: not in one transaction.")] = 1,
    ledger: Annotated[
        list[Path] | None,
        typer.Option("--ledger", metavar="PATH", help="Exports of its ledger, or their folder; may be given again."),
    ] = None,
) -> Plan:
    """Restore a backup into an empty database, and prove it before saying done.

    Never into one that holds anything. Every count and hash is compared; owner, privileges, limit and settings of the
    database come back from the sidecar; statistics are made; `setup verify` and all that is looked at after a restore
    have the last word.

    Its ledger goes on with a signed row that says where it comes from. What was recorded since the dump is joined from
    this user's spool and from exports of the ledger: those named with --ledger, or else those beside the backup. What
    is known to have been and is in neither, the row calls lost, and `audit verify` accepts that.

    Example: wnadmin backup restore /srv/backups/prod.dump --into wondernest_again --create --dsn 'dbname=postgres'
    """
    from wnadmin.domain.backup import bring, files
    from wnadmin.domain.backup import restore as restoring

    means = bring.Means(identity, jobs)
    return restoring.plan(connections, files.at(path), into, means, inputs, create=create, ledgers=ledger or ())
