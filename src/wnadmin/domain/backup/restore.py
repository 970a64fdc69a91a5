"""`backup restore`: a backup becomes a database again, is compared, and gets back what a dump does not carry."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from wnadmin.domain.backup import after, bring, files, proof, statements
from wnadmin.domain.backup.bring import Means
from wnadmin.domain.backup.drill import Place, require_superuser
from wnadmin.domain.backup.files import Kept
from wnadmin.domain.backup.values import Sidecar
from wnadmin.errors import Failed, Refused, WnError
from wnadmin.ledger import database as ledger
from wnadmin.ledger.operations import operations
from wnadmin.ledger.recorder import Recorder
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Inputs, Plan, Receipt, Step, World

_RESTORE: Final = "restore"
_OURS: Final = "wnadmin restored a backup into it: "
PREFIX: Final = "wnadmin_restore_"
"""What the name of a new database begins with until it is whole and compared."""


@dataclass(frozen=True, slots=True)
class _Thing:
    thing: str


@dataclass(frozen=True, slots=True)
class _Work:
    """What all steps know: ``token`` marks what this very operation makes."""

    connections: Connections
    kept: Kept
    side: Sidecar
    means: Means
    into: str
    create: bool
    token: str

    @property
    def room(self) -> str:
        """The database that pg_restore fills: a new one gets its name only when it is whole."""
        return f"{PREFIX}{self.token}" if self.create else self.into

    def admin(self) -> Session:
        """Connect beside the database that is restored."""
        target = self.connections.target
        return self.connections.open(target.at(target.admin_database), settings=proof.PRINTING, statement_timeout="0")

    def inside(self, dbname: str = "") -> Session:
        """Connect to the restored database, or to another."""
        target = self.connections.target.at(dbname or self.into)
        return self.connections.open(target, settings=proof.PRINTING, statement_timeout="0")


def plan(
    connections: Connections, place: files.Place, into: str, means: Means, inputs: Inputs, *, create: bool
) -> Plan:
    """Describe the restore; Refused for a target that holds anything, or roles that are not there."""
    kept = files.look(place)
    side = bring.require_sidecar(kept)
    bring.require_means(side, means)
    token = inputs.get("token")
    work = _Work(
        connections, kept, side, means, into, create, token if isinstance(token, str) else secrets.token_hex(8)
    )
    with work.admin() as session:
        db = Database(session)
        there = db.rows("queries/backup/place", Place, dbname=into)[0]
        require_superuser(there, session.user, "restore elsewhere")
        _require_roles(session, side)
        major = session.version // 10000
        if major < side.server_major:
            raise Refused(
                f"the server is PostgreSQL {major}, and the dump comes from {side.server_major}",
                why="A dump does not go back into an older server.",
                next="Name a server of that version or a newer one.",
            )
        belongings = [
            db.composed(one, where="give the database its own back")
            for one in statements.belongings(side.database, side.settings, into)
        ]
        made = session.quote(statements.create_database(side.database, work.room, major))
        renamed = session.quote(statements.rename(work.room, into))
    if not inputs:
        _require_target(work, present=there.present)
    words = bring.words(side, place.dump, means, single=means.jobs == 1, server_major=major)
    steps = (
        Step(
            _RESTORE,
            "Restore and compare",
            (f"{made};", " ".join(words), f"{renamed};") if create else (" ".join(words),),
            lambda world: _restore(work, world),
            done=(lambda: _named(work)) if create else None,
        ),
        Step("analyze", "Refresh the planner's statistics", ("ANALYZE;",), lambda world: _analyze(work)),
        Step(
            "belongings",
            "Give the database back its owner, privileges and settings",
            tuple(f"{one.rendered.shown};" for one in belongings),
            lambda world: _belongings(work),
        ),
        Step(
            "ledger",
            "Record in its ledger what it was restored from",
            ("SELECT audit.ledger_append(…);",),
            lambda world: _record(work),
        ),
    )
    return Plan(
        f"Restore {place.dump} into {into}",
        steps,
        effects=tuple(_effects(side, into, create=create)),
        inputs={"token": work.token, "into": into},
        verify=lambda: _prove(work),
        target=f"restore into {into}",
        next="wnadmin setup verify",
    )


def _effects(side: Sidecar, into: str, *, create: bool) -> list[str]:
    said = [
        f"{into} {'is created and ' if create else ''}gets {side.rows:,} rows of {len(side.tables)} tables, "
        f"as they were on {side.snapshot_at:%Y-%m-%d %H:%M:%S} UTC in {side.database.name}.",
        "Every count and hash is compared before anything else is done with it.",
    ]
    skipped = [one for one in side.settings if one.name == statements.READ_ONLY]
    if skipped or side.read_only:
        said.append("The dump was taken in read-only mode; that state is not brought back.")
    if any(one.name == statements.READ_ONLY and one.role for one in side.settings):
        said.append("Read-only mode may also have changed roles; look with `wnadmin readonly status`.")
    return said


def _require_roles(session: Session, side: Sidecar) -> None:
    wanted = {side.database.owner, *(one.role for one in side.settings if one.role)}
    wanted |= {statements.parse_acl(item).grantee for item in side.database.acl or ()} - {""}
    rows = session.run("SELECT r.rolname::text FROM pg_catalog.pg_roles AS r").rows
    if missing := sorted(wanted - {str(row[0]) for row in rows}):
        raise Refused(
            f"the server has no role {', '.join(missing)}",
            why="Owners and privileges are restored as they were.",
            next="Make the roles first; the sidecar has them under `globals`.",
        )


def _require_target(work: _Work, *, present: bool) -> None:
    if not present and not work.create:
        raise Refused(f"there is no database {work.into}", next="Add --create to have it made.")
    if present and work.create:
        raise Refused(
            f"{work.into} exists already", why="--create makes a new one.", next="Leave it out, or choose another name."
        )
    if present:
        with work.inside() as session:
            if found := Database(session).rows("queries/backup/content", _Thing):
                raise Refused(
                    f"{work.into} is not empty",
                    why=f"It holds {bring.short([one.thing for one in found], 3)}.",
                    next="Restore into a new one with --create, and rename the two when you are sure.",
                )


def _restore(work: _Work, world: World) -> Receipt:
    began = time.monotonic()
    with work.admin() as admin:
        if work.create:
            _make(work, admin)
        else:
            _require_target(work, present=True)
        single = work.means.jobs == 1
        try:
            bring.restore(
                work.connections.target,
                admin.user,
                work.room,
                work.side,
                work.kept.place.dump,
                work.means,
                single=single,
                server_major=admin.version // 10000,
                progress=world.progress,
                stopping=world.stopping,
            )
            sessions = [work.inside(work.room) for _ in range(work.means.jobs)]
            try:
                said, _, hashed = bring.compare(sessions, work.side, world.progress, world.stopping)
            finally:
                for one in sessions:
                    one.close()
            if said:
                raise bring.unequal(said)
            if work.create:
                admin.run(statements.comment_on(work.room, _OURS + work.token))
                admin.run(statements.rename(work.room, work.into), doing="give the database its name")
        except BaseException as error:
            if work.create:
                admin.run(statements.drop_database(work.room), doing="drop what was restored so far")
            elif isinstance(error, WnError) and not single:
                error.why = f"{error.why} {work.into} holds what was restored so far; drop it.".strip()
            raise
    return Receipt(
        _RESTORE,
        work.side.rows,
        round((time.monotonic() - began) * 1000),
        {"hash_milliseconds": hashed, "sidecar_sha256": work.kept.sha256, "path": str(work.kept.place.dump)},
    )


def _make(work: _Work, admin: Session) -> None:
    if Database(admin).rows("queries/backup/place", Place, dbname=work.into)[0].present:
        raise Refused(f"{work.into} exists by now", why="Somebody else made it.", next="Choose another name.")
    # A killed run of this very operation may have left it.
    admin.run(statements.drop_database(work.room), doing="drop what a killed run left")
    major = admin.version // 10000
    admin.run(statements.create_database(work.side.database, work.room, major), doing="create the database")
    # Nobody walks in before it is whole.
    admin.run(statements.close_to_others(work.room))


def _named(work: _Work) -> bool:
    """Whether an earlier run of this very operation came as far as giving the database its name."""
    with work.admin() as admin:
        said = admin.scalar(
            "SELECT pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database AS d"
            " WHERE d.datname = %s",
            [work.into],
        )
    return bool(said == _OURS + work.token)


def _analyze(work: _Work) -> Receipt:
    began = time.monotonic()
    with work.inside() as session:
        session.run("ANALYZE", doing="analyze")
    return Receipt("analyze", None, round((time.monotonic() - began) * 1000))


def _belongings(work: _Work) -> Receipt:
    began = time.monotonic()
    with work.admin() as session, session.transaction():
        for one in statements.belongings(work.side.database, work.side.settings, work.into):
            session.run(one, doing="give the database its own back")
    return Receipt("belongings", None, round((time.monotonic() - began) * 1000))


def _record(work: _Work) -> Receipt:
    """Append the row `restored-from`, which also ends the backup's own operation where the dump caught it halfway."""
    began = time.monotonic()
    facts = {
        "command": "backup restore",
        "status": "done",
        "detail": "restored-from",
        "restored_from": {
            "database": work.side.database.name,
            "system_identifier": work.side.system_identifier,
            "snapshot_at": work.side.snapshot_at.isoformat(),
            "lsn": work.side.lsn,
            "sha256": work.side.sha256,
            "sidecar_sha256": work.kept.sha256,
        },
        "at": datetime.now(UTC).isoformat(),
    }
    target = work.connections.target.at(work.into)
    with work.inside() as session:
        presence = ledger.present(session)
        if not presence.installed:
            return Receipt("ledger", 0, text="the database has no ledger")
        halfway = _halfway(session, work.side)
    ended = 0
    with Recorder.open(target, "backup restore") as recorder:
        for one in halfway or [uuid4()]:
            recorded = recorder.outcome(one, facts)
            if recorded.sink != "database":
                raise Failed(
                    "the restored database does not know where it came from",
                    why=f"Its ledger could not be written: {recorded.why}.",
                    next="wnadmin audit unfinished",
                )
            ended += 1
    return Receipt("ledger", ended, round((time.monotonic() - began) * 1000), {"operations": [str(o) for o in halfway]})


def _halfway(session: Session, side: Sidecar) -> Sequence[UUID]:
    """Find the operation of this backup itself: its intent is in its own snapshot, its outcome cannot be."""
    begun = {one.op_id for one in ledger.orphans(session)}
    found = operations(ledger.entries_of(session, begun))
    return [one.op_id for one in found if one.command == "backup create" and one.inputs.get("name") == side.name]


def _prove(work: _Work) -> list[Finding]:
    from wnadmin.domain.setup.verify import verify

    with work.inside() as session:
        db = Database(session)
        return [*after.look(db, work.side), *(_carried(one) for one in verify(db).findings)]


def _carried(one: Finding) -> Finding:
    """What is there beyond the files, such as a setting of one's own, is there because it was dumped."""
    return replace(one, severity="skipped", detail=f"as it was dumped: {one.detail}") if one.severity == "warn" else one
