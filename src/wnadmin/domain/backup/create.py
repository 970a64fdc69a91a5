"""`backup create`: a dump and its proof from one snapshot.

The operator's own session exports the snapshot and keeps it open until both are done. Dump, hashes and sidecar are
one step: they cannot be parted without losing what they have in common. The registration is another.

Whatever makes, detaches or drops tables, such as partitions and retention do, must not begin while a dump runs, nor
the other way round: it would wait for the dump's locks, and everybody else behind it. So all of these plans have one
target, :data:`wnadmin.ledger.locks.TABLES`, and the second is refused and told who is at work. Who does such things
by other means takes the same lock:
``SELECT pg_try_advisory_lock(hashtextextended('wnadmin:the tables of this database', 0));``
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.backup import dump, files, gather, programs, proof, register, statements
from wnadmin.domain.backup.register import Entry
from wnadmin.domain.backup.wishes import Wishes
from wnadmin.errors import Refused
from wnadmin.ledger.locks import TABLES
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.embedded import Tool
from wnadmin.results import Finding, Inputs, Plan, Receipt, Step, World

_REGISTER: Final = "register"
_SNAPSHOT: Final = "‹snapshot›"


@dataclass(frozen=True, slots=True)
class _Login:
    can_login: bool
    superuser: bool
    sees_all_rows: bool
    may_connect: bool
    connection_limit: int
    in_use: int


def plan(db: Database, connections: Connections, wished: Wishes, inputs: Inputs) -> Plan:
    """Describe the making of a backup; refuse what would be smaller than the database, or cannot be written."""
    files.require_folder(wished.folder)
    pg_dump = programs.tool("pg_dump", db.version // 10000)
    programs.beside(pg_dump, "pg_dumpall")
    if wished.recipients:
        programs.age()
    here = gather.node(db)
    _require_sight(db, here)
    _require_login(db, wished)
    name = wished.name or f"{files.tame(db.name)}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    wished = replace(wished, name=name)
    place = files.place(wished.folder, name, wished.form, encrypted=bool(wished.recipients))
    _require_free(place, again=inputs.get("name") == name)
    steps = [_dump(db, connections, wished, place, pg_dump)]
    state = register.look(db)
    if not state.obstacle:
        steps.append(_register(connections, place, wished, here))
    return Plan(
        f"Back up {db.name} to {place.dump}",
        tuple(steps),
        effects=tuple(_effects(db, here, wished, place, state)),
        inputs={"name": name},
        verify=lambda: prove(connections, place),
        target=TABLES,
        node="any",
        reason="a backup of production in the clear" if not wished.recipients else "",
        next=f"wnadmin backup drill {shlex.quote(str(place.dump))}",
    )


def _effects(
    db: Database, here: gather.Node, wished: Wishes, place: files.Place, state: register.State
) -> Iterator[str]:
    yield f"{place.dump} and its sidecar are written, readable by this user only."
    tables = len(proof.tables(db))
    yield f"{tables} tables are dumped and hashed in one snapshot, which holds back vacuum until both are done."
    if wished.recipients:
        yield f"It is encrypted to {len(wished.recipients)} recipients; nobody here can read it again."
    else:
        yield "It is written in the clear: whoever gets the file has the data."
    if not state.obstacle:
        yield f"It expires after {wished.days} days, and is registered in audit.backups with that."
    elif state.installed:
        yield (
            f"It expires after {wished.days} days. It is not registered now, as {state.obstacle}: "
            f"`wnadmin backup prune {wished.folder}` on the primary does that."
        )
    else:
        yield f"It expires after {wished.days} days. It is registered nowhere, as {state.obstacle}."
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
    own = name == db.session.user
    if own:
        # Those that hash, the ledger's, and pg_dumpall's.
        needed += wished.jobs + 2
    left = one.connection_limit - one.in_use
    if one.connection_limit >= 0 and not one.superuser and needed > left:
        most = max(left - 1, min(left, 1))
        follow = f"Use --jobs {most}." if most > 0 else "Wait, or see who has them: wnadmin connections list"
        raise Refused(
            f"{name} has {max(left, 0)} connections left, and {wished.jobs} jobs need {needed}",
            why=f"Its limit is {one.connection_limit}, and {one.in_use} are in use.",
            next="Connect as another login than pg_dump's; it needs most of them." if own else follow,
        )


def _require_free(place: files.Place, *, again: bool) -> None:
    stands = place.dump.exists() or place.sidecar.exists()
    if not stands or (again and files.look(place).trouble in ("", "it has no sidecar")):
        return
    raise Refused(f"{place.dump} exists already", why="A backup is never overwritten.", next="Choose another --name.")


def _dump(db: Database, connections: Connections, wished: Wishes, place: files.Place, pg_dump: Tool) -> Step:
    words = dump.words(wished, pg_dump, place, db, _SNAPSHOT)
    shown = shlex.join(words) + (
        f" | age --encrypt --recipient {' '.join(wished.recipients)}" * bool(wished.recipients)
    )
    example = proof.Asked("schema", "table", 0)
    query = db.session.quote(statements.proof(example.schema, example.name))
    return Step(
        dump.KEY,
        "Dump and hash in one snapshot",
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
            "SELECT pg_catalog.pg_export_snapshot();",
            shown,
            f"{query};  -- for each table",
        ),
        lambda world: dump.run(world, db, connections, wished, place, pg_dump),
        done=lambda: files.look(place).trouble == "",
    )


def _register(connections: Connections, place: files.Place, wished: Wishes, here: gather.Node) -> Step:
    example = Entry(
        "dump", wished.name, register.address(place.dump), "", None, here.system_identifier, here.moment, here.lsn, 0,
        bool(wished.recipients), here.moment,
    )  # fmt: skip

    def run(world: World) -> Receipt:
        began = time.monotonic()
        one = register.entry(files.look(place))
        with connections.open() as session:
            db = Database(session)
            # What has changed since the plan is no fault of the backup; the proof tells of it.
            if obstacle := register.look(db).obstacle:
                return Receipt(_REGISTER, 0, text=f"not registered: {obstacle}")
            register.write(db, one)
        took = round((time.monotonic() - began) * 1000)
        return Receipt(_REGISTER, 1, took, {"place": one.place, "expires_at": one.expires_at.isoformat()})

    return Step(_REGISTER, "Register it with its expiry", (register.shown(example),), run)


def prove(connections: Connections, place: files.Place) -> list[Finding]:
    """Look again at what was written, as `backup create` promises it.

    The hashes in the sidecar are of the files as they lay on the disk, flushed: reading all of it once more would
    say nothing new.
    """
    from wnadmin.domain.backup.verify import size_level

    kept = files.look(place)
    found = size_level(kept)
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
        with connections.open() as session:
            found.append(register.finding(Database(session), [register.entry(kept)], place.dump.parent))
    return found
