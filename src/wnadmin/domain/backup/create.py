"""`backup create`: a dump and its proof from one snapshot.

The operator's own session exports the snapshot and keeps it open until both are done. Dump, hashes and sidecar are
one step: they cannot be parted without losing what they have in common.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from wnadmin import __version__
from wnadmin.domain.backup import files, gather, programs, proof, statements, values
from wnadmin.domain.backup.values import Format, Sidecar
from wnadmin.errors import Blind, Failed, Refused, UsageError
from wnadmin.ledger.locks import TABLES
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Tool
from wnadmin.results import Finding, Inputs, Plan, Receipt, Step, World
from wnadmin.settings import Profile

LOGIN: Final = "wondernest_backup"
"""The role that pg_dump logs in as, unless the profile or the command says otherwise."""

HORIZON: Final = 365
"""Days. No backup is kept longer: whoever was erased must not live on in one."""

_KEY: Final = "dump"
_SNAPSHOT: Final = "‹snapshot›"
_LOCK_WAIT: Final = "60s"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be made. ``name`` '' lets wnadmin choose; ``days`` until it expires."""

    folder: Path
    name: str
    jobs: int
    form: Format
    compress: str
    login: str
    recipients: tuple[str, ...]
    days: int


@dataclass(frozen=True, slots=True)
class _Login:
    can_login: bool
    superuser: bool
    sees_all_rows: bool
    may_connect: bool
    connection_limit: int
    in_use: int


def wishes(
    profile: Profile,
    inputs: Inputs,
    *,
    to: Path,
    name: str,
    jobs: int,
    form: str,
    compress: str,
    login: str,
    encrypt_to: list[str],
    plain: bool,
    days: int,
) -> Wishes:
    """Put together what is wanted; UsageError for what does not go together, Refused for a dump in the clear.

    Recipients of the profile count unless ``plain`` is said; in production a dump in the clear must be asked for.
    """
    recipients = tuple(encrypt_to) or (() if plain else profile.backup_recipients)
    if plain and encrypt_to:
        raise UsageError("--plain and --encrypt-to contradict each other", next="Give one of them.")
    if profile.production and not recipients and not plain:
        raise Refused(
            "a backup of production is encrypted, and no recipient is known",
            why=f"The profile {profile.name} says production = true and has no backup_recipients.",
            next="Add backup_recipients = ['age1…'] to it, give --encrypt-to, or say --plain --reason '…'.",
        )
    if form not in ("", "custom", "directory"):
        raise UsageError(f"unknown format {form}", next="Use --dump-format custom or directory.")
    chosen = form or ("directory" if jobs > 1 and not recipients else "custom")
    if chosen == "custom" and jobs > 1:
        raise UsageError(
            "one file is not written by several jobs",
            why="An encrypted dump is one stream." if recipients else "pg_dump does so only in the directory format.",
            next="Leave out --jobs, or write --dump-format directory" + (" --plain." if recipients else "."),
        )
    if chosen == "directory" and recipients:
        raise UsageError(
            "a directory is not encrypted", why="age encrypts one stream.", next="Use --dump-format custom."
        )
    for one in recipients:
        if one.upper().startswith("AGE-SECRET-KEY"):
            raise UsageError(
                "a recipient is a secret key",
                why="It has been shown to this machine and must be replaced.",
                next="Give the public one, which begins with age1: age-keygen -y FILE",
            )
        if not one.startswith(("age1", "ssh-")) or not one.isprintable():
            raise UsageError("a recipient is no public key of age", next="It begins with age1 or ssh-.")
    if not 1 <= days <= HORIZON:
        raise UsageError(
            f"--days {days} is out of range",
            why="Who was erased must not live on in a backup.",
            next=f"Give 1 to {HORIZON}.",
        )
    known = inputs.get("name")
    return Wishes(
        to.absolute(),
        files.require_name(known) if isinstance(known, str) else files.require_name(name) if name else "",
        jobs,
        cast("Format", chosen),
        compress,
        login or profile.backup_login or LOGIN,
        recipients,
        days,
    )


def plan(db: Database, connections: Connections, wished: Wishes, inputs: Inputs) -> Plan:
    """Describe the making of a backup; refuse what would be smaller than the database, or cannot be written."""
    files.require_folder(wished.folder)
    pg_dump = programs.tool("pg_dump", db.version // 10000)
    programs.tool("pg_dumpall", db.version // 10000)
    if wished.recipients:
        programs.age()
    here = gather.node(db)
    _require_sight(db, here)
    _require_login(db, wished)
    name = wished.name or f"{files.tame(db.name)}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    wished = replace(wished, name=name)
    place = files.place(wished.folder, name, wished.form, encrypted=bool(wished.recipients))
    _require_free(place, again=inputs.get("name") == name)
    step = _step(db, connections, wished, place, pg_dump)
    tables = proof.tables(db)
    return Plan(
        f"Back up {db.name} to {place.dump}",
        (step,),
        effects=tuple(_effects(db, here, wished, place, len(tables))),
        inputs={"name": name},
        verify=lambda: prove(place),
        target=TABLES,
        node="any",
        next=f"wnadmin backup drill {shlex.quote(str(place.dump))}",
    )


def _effects(db: Database, here: gather.Node, wished: Wishes, place: files.Place, tables: int) -> Iterator[str]:
    yield f"{place.dump} and its sidecar are written, readable by this user only."
    yield f"{tables} tables are dumped and hashed in one snapshot, which holds back vacuum until both are done."
    if wished.recipients:
        yield f"It is encrypted to {len(wished.recipients)} recipients; nobody here can read it again."
    else:
        yield "It is written in the clear: whoever gets the file has the data."
    yield f"It expires after {wished.days} days."
    if here.standby:
        yield "This is a standby: changes of tables on the primary are not kept off, and may cancel the dump."
    if here.read_only:
        yield "The database is in read-only mode; a restore leaves that out."
    for one in files.leftovers(wished.folder):
        yield f"{one.name} is what a killed run left; `wnadmin backup prune` removes it."


def _require_sight(db: Database, here: gather.Node) -> None:
    if not here.sees_all_rows:
        raise Refused(
            f"{db.session.user} would not see every row",
            why="It is subject to row-level security: counts and hashes would be those of a part.",
            next="Connect as a superuser or as a role with BYPASSRLS and SELECT on every table.",
        )


def _require_login(db: Database, wished: Wishes) -> None:
    found = db.rows("queries/backup/login", _Login, login=wished.login)
    name = wished.login
    if not found:
        raise Refused(f"there is no role {name}", next="Name another with --login, or run: wnadmin setup apply")
    one = found[0]
    if not one.can_login or not one.may_connect:
        lacks = "may not log in" if not one.can_login else f"may not connect to {db.name}"
        raise Refused(f"{name} {lacks}", next=f'ALTER ROLE "{name}" LOGIN; GRANT CONNECT ON DATABASE … TO "{name}";')
    if not one.sees_all_rows:
        raise Refused(
            f"{name} would not see every row",
            why="Row-level security would hide rows from it, and pg_dump would stop at the first such table.",
            next=f'ALTER ROLE "{name}" BYPASSRLS; or name another with --login.',
        )
    # pg_dump has one connection for itself, and one for each job of several.
    needed = wished.jobs + 1 if wished.jobs > 1 else 1
    left = one.connection_limit - one.in_use
    if one.connection_limit >= 0 and not one.superuser and needed > left:
        most = max(left - 1, min(left, 1))
        raise Refused(
            f"{name} has {max(left, 0)} connections left, and {wished.jobs} jobs need {needed}",
            why=f"Its limit is {one.connection_limit}, and {one.in_use} are in use.",
            next=f"Use --jobs {most}." if most > 0 else "Wait, or see who has them: wnadmin connections list",
        )


def _require_free(place: files.Place, *, again: bool) -> None:
    stands = place.dump.exists() or place.sidecar.exists()
    if not stands or (again and files.look(place).trouble in ("", "it has no sidecar")):
        return
    raise Refused(f"{place.dump} exists already", why="A backup is never overwritten.", next="Choose another --name.")


def _step(db: Database, connections: Connections, wished: Wishes, place: files.Place, pg_dump: Tool) -> Step:
    words = dump_words(wished, pg_dump, place, db, _SNAPSHOT)
    shown = shlex.join(words) + (
        f" | age --encrypt --recipient {' '.join(wished.recipients)}" * bool(wished.recipients)
    )
    example = proof.Asked("schema", "table", 0)
    query = db.session.quote(statements.proof(example.schema, example.name))
    return Step(
        _KEY,
        "Dump and hash in one snapshot",
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
            "SELECT pg_catalog.pg_export_snapshot();",
            shown,
            f"{query};  -- for each table",
        ),
        lambda world: _run(world, db, connections, wished, place, pg_dump),
        done=lambda: files.look(place).trouble == "",
    )


def dump_words(wished: Wishes, pg_dump: Tool, place: files.Place, db: Database, snapshot: str) -> list[str]:
    """The command line of pg_dump."""
    where = programs.address(
        db.session.target,
        user=wished.login,
        dbname=db.name,
        command="backup create",
        options={"default_transaction_read_only": "on"},
    )
    words = [str(pg_dump.path), "--no-password", "--verbose", f"--format={wished.form}", f"--snapshot={snapshot}"]
    words.append(f"--lock-wait-timeout={_LOCK_WAIT}")
    if wished.compress:
        words.append(f"--compress={wished.compress}")
    if wished.jobs > 1:
        words.append(f"--jobs={wished.jobs}")
    if not wished.recipients:
        words.append(f"--file={place.partial}")
    return [*words, f"--dbname={where}"]


def _run(
    world: World, db: Database, connections: Connections, wished: Wishes, place: files.Place, pg_dump: Tool
) -> Receipt:
    began = time.monotonic()
    if place.dump.exists():
        # Ours, as the name in the inputs says: killed between the dump's name and its sidecar.
        files.remove(place.dump)
    try:
        with files.making(place, wished.form) as partial:
            side = _make(world, db, connections, wished, place, partial, pg_dump)
            world.progress("write to the disk", 0, 0)
            files.publish(partial.path, place.dump)
            data = values.write(side)
            files.write_private(place.sidecar, data)
    except OSError as error:
        raise files.failed("the backup could not be written", error) from None
    except Blind as error:
        raise proof.hidden(error) from None
    kept = files.look(place)
    return Receipt(
        _KEY,
        side.rows,
        round((time.monotonic() - began) * 1000),
        {
            "path": str(place.dump),
            "sha256": side.sha256,
            "sidecar_sha256": kept.sha256,
            "bytes": side.bytes,
            "tables": len(side.tables),
            "snapshot_at": side.snapshot_at.isoformat(),
            "expires_at": side.expires_at.isoformat(),
            "encrypted": side.encrypted,
        },
        shlex.join(dump_words(wished, pg_dump, place, db, "exported")),
    )


def _make(
    world: World,
    db: Database,
    connections: Connections,
    wished: Wishes,
    place: files.Place,
    partial: files.Partial,
    pg_dump: Tool,
) -> Sidecar:
    world.progress("roles and their settings", 0, 0)
    roles = _globals(db, programs.tool("pg_dumpall", db.version // 10000), world)
    sessions = [connections.open(settings=proof.PRINTING, statement_timeout="0") for _ in range(wished.jobs)]
    first = sessions[0]
    try:
        proof.begin(first)
        here, snapshot = gather.node(Database(first)), str(first.scalar("SELECT pg_catalog.pg_export_snapshot()"))
        for one in sessions[1:]:
            proof.begin(one, snapshot)
        eye = Database(first)
        known = (gather.database(eye), gather.settings(eye), gather.migrations(eye), gather.partitions(eye))
        wanted = proof.tables(eye)
        hashing = proof.Hashing(sessions, wanted)
        try:
            dumped = _dump(world, db, wished, place, partial, pg_dump, snapshot, hashing)
            proofs = hashing.finish(lambda: _tell(world, hashing, partial.path, ""), world.stopping)
        except BaseException:
            hashing.cancel()
            raise
    finally:
        for one in sessions:
            one.close()
    files.seal(partial.path)
    found = files.parts(partial.path)
    created = datetime.now(UTC)
    return Sidecar(
        name=wished.name,
        file=place.dump.name,
        format=wished.form,
        bytes=sum(one.bytes for one in found),
        sha256=values.list_hash(found),
        parts=found,
        recipients=wished.recipients,
        compress=wished.compress,
        jobs=wished.jobs,
        created_at=created,
        snapshot_at=here.moment.astimezone(UTC),
        expires_at=created + timedelta(days=wished.days),
        lsn=here.lsn,
        system_identifier=here.system_identifier,
        standby=here.standby,
        # The sessions that hash are read-write whatever the database says.
        read_only=gather.node(db).read_only,
        server=here.server_version,
        server_major=db.version // 10000,
        client=".".join(str(part) for part in pg_dump.version),
        wnadmin=__version__,
        database=known[0],
        settings=known[1],
        migrations=known[2],
        partitions=known[3],
        tables=proofs,
        large_objects=here.large_objects,
        hash_milliseconds=hashing.milliseconds,
        dump_milliseconds=dumped,
        globals=roles,
    )


def _dump(
    world: World,
    db: Database,
    wished: Wishes,
    place: files.Place,
    partial: files.Partial,
    pg_dump: Tool,
    snapshot: str,
    hashing: proof.Hashing,
) -> int:
    words = dump_words(wished, pg_dump, place, db, snapshot)
    began = time.monotonic()
    own = wished.login == db.session.user
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(programs.door(db.session.target, own=own, where=words[-1]))
        chain = [programs.Program([*words[:-1], door.conninfo], {**door.env, **pg_dump.env})]
        out = None
        if wished.recipients:
            chain.append(programs.encrypt(wished.recipients))
            out = stack.enter_context(partial.path.open("wb", buffering=0))
        pipe = programs.Pipe(chain, stdout=out, keeps=(partial.lock,))

        def watch() -> None:
            if hashing.failed:
                raise Failed("a table could not be hashed")
            _tell(world, hashing, partial.path, pipe.at)

        try:
            pipe.wait(watch, world.stopping)
        except Failed:
            if hashing.failed:
                hashing.finish(lambda: None, lambda: False)
            raise
    return round((time.monotonic() - began) * 1000)


def _tell(world: World, hashing: proof.Hashing, partial: Path, at: str) -> None:
    size = f"{files.size(partial) / 2**20:,.1f} MiB written"
    world.progress(f"{size}, dump {at or 'done'}, hashed", hashing.done, hashing.total)


def _globals(db: Database, pg_dumpall: Tool, world: World) -> str:
    """Roles, memberships, their settings and tablespaces of the cluster as SQL, without any password."""
    import tempfile

    where = programs.address(db.session.target, user=db.session.user, dbname=db.name, command="backup create")
    words = [str(pg_dumpall.path), "--no-password", "--globals-only", "--no-role-passwords", "--database", db.name]
    with (
        programs.door(db.session.target, own=True, where=where) as door,
        tempfile.TemporaryFile() as out,
    ):
        chain = [programs.Program([*words, f"--dbname={door.conninfo}"], {**door.env, **pg_dumpall.env})]
        programs.Pipe(chain, stdout=cast("Any", out)).wait(lambda: None, world.stopping)
        out.seek(0)
        text = out.read().decode()
    # psql's own words, new with every run; the rest says the same each time.
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("\\"))


def prove(place: files.Place) -> list[Finding]:
    """Look again at what was written, as `backup create` promises it."""
    from wnadmin.domain.backup.verify import file_level

    kept = files.look(place)
    found = file_level(kept)
    side = kept.sidecar
    if side is not None:
        found.append(
            Finding(
                "backup.hashes",
                "backup.hashes",
                "ok",
                f"{side.rows:,} rows of {len(side.tables)} tables were hashed in "
                f"{side.hash_milliseconds / 1000:.1f} s, beside a dump of {side.dump_milliseconds / 1000:.1f} s",
                object=side.name,
                measured=str(side.hash_milliseconds),
            )
        )
    return found
