"""The dump itself, its hashes and its sidecar, all of one snapshot."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final, cast

from wnadmin import __version__
from wnadmin.domain.backup import carried, files, gather, programs, proof, values
from wnadmin.domain.backup.values import Sidecar
from wnadmin.domain.backup.wishes import Wishes
from wnadmin.errors import Blind, Failed
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Tool
from wnadmin.results import Receipt, World

KEY: Final = "dump"
_LOCK_WAIT: Final = "60s"


def words(wished: Wishes, pg_dump: Tool, place: files.Place, db: Database, snapshot: str) -> list[str]:
    """The command line of pg_dump."""
    where = programs.address(
        db.session.target,
        user=wished.login,
        dbname=db.name,
        command="backup create",
        options={"default_transaction_read_only": "on"},
    )
    chosen = [str(pg_dump.path), "--no-password", "--verbose", f"--format={wished.form}", f"--snapshot={snapshot}"]
    chosen.append(f"--lock-wait-timeout={_LOCK_WAIT}")
    if wished.compress:
        chosen.append(f"--compress={wished.compress}")
    if wished.jobs > 1:
        chosen.append(f"--jobs={wished.jobs}")
    if not wished.recipients:
        chosen.append(f"--file={place.partial}")
    return [*chosen, f"--dbname={where}"]


@dataclass(frozen=True, slots=True)
class _Work:
    """What the making of one backup goes by."""

    world: World
    db: Database
    connections: Connections
    wished: Wishes
    place: files.Place
    partial: files.Partial
    pg_dump: Tool


def run(
    world: World, db: Database, connections: Connections, wished: Wishes, place: files.Place, pg_dump: Tool
) -> Receipt:
    """Write the dump and its sidecar for good; Failed, and nothing there, when any of it does not succeed."""
    began = time.monotonic()
    if place.dump.exists():
        # Ours, as the name in the inputs says: killed between the dump's name and its sidecar.
        files.remove(place.dump)
    try:
        with files.making(place, wished.form) as partial:
            side = _make(_Work(world, db, connections, wished, place, partial, pg_dump))
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
        KEY,
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
        shlex.join(words(wished, pg_dump, place, db, "exported")),
    )


def _make(work: _Work) -> Sidecar:
    world, db, wished, partial = work.world, work.db, work.wished, work.partial
    sessions = [work.connections.open(settings=proof.PRINTING, statement_timeout="0") for _ in range(wished.jobs)]
    first = sessions[0]
    eye = Database(first)
    try:
        # Looked at before the snapshot: no later change can seem to be in it.
        here = gather.node(eye)
        proof.begin(first)
        snapshot = str(first.scalar("SELECT pg_catalog.pg_export_snapshot()"))
        for one in sessions[1:]:
            proof.begin(one, snapshot)
        stood = carried.sequences(first)
        known = (gather.database(eye), gather.settings(eye), gather.migrations(eye), gather.partitions(eye))
        hashing = proof.Hashing(sessions, proof.tables(eye))
        try:
            with _globals(db, work.pg_dump) as roles:
                dumped = _dump(work, snapshot, hashing, roles)
                clusterwide = roles.text(world)
            proofs = hashing.finish(lambda: _tell(world, hashing, partial.path, ""), world.stopping)
        except BaseException:
            hashing.cancel()
            raise
        stand = carried.sequences(first)
    finally:
        for one in sessions:
            one.close()
    world.progress("hash the dump", 0, 0)
    files.seal(partial.path)
    found = files.parts(partial.path, jobs=wished.jobs)
    created = datetime.now(UTC)
    return Sidecar(
        name=wished.name,
        file=work.place.dump.name,
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
        client=".".join(str(part) for part in work.pg_dump.version),
        wnadmin=__version__,
        database=known[0],
        settings=known[1],
        migrations=known[2],
        partitions=known[3],
        tables=proofs,
        sequences=carried.between(stood, stand),
        large_objects=hashing.objects,
        hash_milliseconds=hashing.milliseconds,
        dump_milliseconds=dumped,
        globals=clusterwide,
    )


def _dump(work: _Work, snapshot: str, hashing: proof.Hashing, roles: _Roles) -> int:
    """Run pg_dump to its end; gives the milliseconds."""
    world, db, wished, partial = work.world, work.db, work.wished, work.partial
    chosen = words(wished, work.pg_dump, work.place, db, snapshot)
    began = time.monotonic()
    own = wished.login == db.session.user
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(programs.door(db.session.target, own=own, where=chosen[-1]))
        chain = [programs.Program([*chosen[:-1], door.conninfo], {**door.env, **work.pg_dump.env})]
        out = None
        if wished.recipients:
            chain.append(programs.encrypt(wished.recipients))
            out = stack.enter_context(partial.path.open("wb", buffering=0))
        pipe = programs.Pipe(chain, stdout=out, keeps=(partial.lock,))

        def watch() -> None:
            if hashing.failed:
                raise Failed("a table could not be hashed")
            if roles.pipe.failed:
                raise Failed("the roles could not be dumped")
            _tell(world, hashing, partial.path, pipe.at)

        try:
            pipe.wait(watch, world.stopping)
        except Failed as error:
            if "permission denied for large object" in error.what:
                # pg_read_all_data is about tables and sequences only.
                error.next = f"GRANT SELECT ON LARGE OBJECT … TO {wished.login}; or name a superuser with --login."
            # What stood in the way says more than that it did.
            if hashing.failed:
                hashing.finish(lambda: None, lambda: False)
            if roles.pipe.failed:
                roles.text(world)
            raise
    return round((time.monotonic() - began) * 1000)


def _tell(world: World, hashing: proof.Hashing, partial: Path, at: str) -> None:
    size = f"{files.size(partial) / 2**20:,.1f} MiB written"
    world.progress(f"{size}, dump {at or 'done'}, hashed", hashing.done, hashing.total)


@dataclass(frozen=True, slots=True)
class _Roles:
    """pg_dumpall at work: roles, memberships, their settings and tablespaces of the cluster, without any password."""

    pipe: programs.Pipe
    out: IO[bytes]

    def text(self, world: World) -> str:
        """Wait for its end and give what it wrote as SQL; raises Failed."""
        self.pipe.wait(lambda: None, world.stopping)
        self.out.seek(0)
        # psql's own words, new with every run; the rest says the same each time.
        lines = self.out.read().decode().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("\\"))


@contextlib.contextmanager
def _globals(db: Database, pg_dump: Tool) -> Iterator[_Roles]:
    """Have pg_dumpall work beside the block."""
    pg_dumpall = programs.beside(pg_dump, "pg_dumpall")
    where = programs.address(db.session.target, user=db.session.user, dbname=db.name, command="backup create")
    chosen = [str(pg_dumpall.path), "--no-password", "--globals-only", "--no-role-passwords", "--database", db.name]
    with (
        programs.door(db.session.target, own=True, where=where) as door,
        tempfile.TemporaryFile() as out,
    ):
        chain = [programs.Program([*chosen, f"--dbname={door.conninfo}"], {**door.env, **pg_dumpall.env})]
        pipe = programs.Pipe(chain, stdout=cast("IO[bytes]", out))
        try:
            yield _Roles(pipe, cast("IO[bytes]", out))
        finally:
            pipe.end()
