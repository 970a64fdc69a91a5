"""`backup restore`: a backup becomes a database again, is compared, and gets back what a dump does not carry."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from wnadmin.domain.audit import continuity
from wnadmin.domain.backup import after, bring, files, proof, register, statements
from wnadmin.domain.backup.bring import Means
from wnadmin.domain.backup.drill import Place, require_superuser
from wnadmin.domain.backup.files import Kept
from wnadmin.domain.backup.register import Entry
from wnadmin.domain.backup.values import Sidecar
from wnadmin.errors import Refused, WnError
from wnadmin.ledger import database as ledger
from wnadmin.ledger.operations import operations
from wnadmin.postgres.connections import Connections
from wnadmin.postgres.database import Database
from wnadmin.postgres.session import Session
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

_RESTORE: Final = "restore"
_REGISTER: Final = "register"
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
    ledgers: tuple[Path, ...] = ()

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
    connections: Connections,
    place: files.Place,
    into: str,
    means: Means,
    inputs: Inputs,
    *,
    create: bool,
    ledgers: Sequence[Path] = (),
) -> Plan:
    """Describe the restore; Refused for a target that holds anything, or roles that are not there.

    ``ledgers`` are exports of the ledger; without any, those beside the backup are looked for.
    """
    kept = files.look(place)
    side = bring.require_sidecar(kept)
    bring.require_means(side, means)
    continuity.require(ledgers)
    token = inputs.get("token")
    token = token if isinstance(token, str) else secrets.token_hex(8)
    work = _Work(connections, kept, side, means, into, create, token, tuple(ledgers))
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
            "Go on with its ledger: where it comes from, and what was recorded since",
            ("SELECT audit.ledger_append(…);  -- for each row",),
            lambda world: _record(work, world),
        ),
        Step(
            _REGISTER,
            "Register the copies that it does not know of",
            ("SELECT audit.register_backup(…);  -- for each",),
            lambda world: _register(work),
        ),
    )
    return Plan(
        f"Restore {place.dump} into {into}",
        steps,
        effects=tuple(_effects(kept, side, into, create=create)),
        inputs={"token": work.token, "into": into},
        verify=lambda: _prove(work),
        target=f"restore into {into}",
        next="wnadmin setup verify",
    )


def _effects(kept: Kept, side: Sidecar, into: str, *, create: bool) -> list[str]:
    said = [
        f"{into} {'is created and ' if create else ''}gets {side.rows:,} rows of {len(side.tables)} tables, "
        f"as they were on {side.snapshot_at:%Y-%m-%d %H:%M:%S} UTC in {side.database.name}.",
        "Every count and hash is compared before anything else is done with it.",
        *(f"Nothing more can be proven of this: {one}." for one in bring.promises_less(side)),
        f"Its register of copies ends with the dump: backups of it in {kept.place.dump.parent}, and those that "
        f"{side.database.name} knows if it is on this server, are registered again. For other folders run "
        "`wnadmin backup prune DIR`.",
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
                compared = bring.compare(sessions, work.side, world.progress, world.stopping)
            finally:
                for one in sessions:
                    one.close()
            if compared.wrong:
                raise bring.unequal(compared.wrong)
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
        {
            "hash_milliseconds": compared.milliseconds,
            "sidecar_sha256": work.kept.sha256,
            "path": str(work.kept.place.dump),
            "compared": compared.detail,
        },
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


def _record(work: _Work, world: World) -> Receipt:
    """Go on with its ledger; that also ends the backup's own operation where the dump caught it halfway."""
    began = time.monotonic()
    side = work.side
    facts = {"lsn": side.lsn, "sha256": side.sha256, "sidecar_sha256": work.kept.sha256}
    with work.inside() as session:
        halfway = _halfway(session, side) if ledger.present(session).installed else []
        done = continuity.after_restore(
            session,
            continuity.Former(side.system_identifier, side.database.name, side.snapshot_at, facts),
            token=work.token,
            ends=halfway,
            exports=work.ledgers,
            folders=[work.kept.place.dump.parent],
            progress=world.progress,
            stopping=world.stopping,
        )
    values: dict[str, Json] = {"operations": [str(o) for o in halfway], "lost": done.lost, "left_out": done.left_out}
    return Receipt("ledger", done.rows, round((time.monotonic() - began) * 1000), values, done.words)


def _halfway(session: Session, side: Sidecar) -> Sequence[UUID]:
    """Find the operation of this backup itself: its intent is in its own snapshot, its outcome cannot be."""
    begun = {one.op_id for one in ledger.orphans(session)}
    found = operations(ledger.entries_of(session, begun))
    return [one.op_id for one in found if one.command == "backup create" and one.inputs.get("name") == side.name]


def _copies(work: _Work) -> tuple[list[Entry], str]:
    """Gather the copies that were made since the dump, and that dump: whoever was erased since is in each of them.

    Gives also why the database that was dumped could not be asked, '' when it could, or is not on this server.
    """
    side = work.side
    origin = side.system_identifier, side.database.name
    found = [
        register.entry(one)
        for one in files.kept(work.kept.place.dump.parent)
        if one.sidecar and not one.trouble and (one.sidecar.system_identifier, one.sidecar.database.name) == origin
    ]
    why = ""
    try:
        found += _known_to_former(work, origin)
    except WnError as error:
        # It may be what had to be replaced.
        why = f"{side.database.name} could not be asked: {error.what}"
    return list({one.key: one for one in found}.values()), why


def _known_to_former(work: _Work, origin: tuple[str, str]) -> list[Entry]:
    former = work.side.database.name
    with work.admin() as admin:
        there = Database(admin).rows("queries/backup/place", Place, dbname=former)[0].present
    if not there or former == work.into:
        return []
    with work.inside(former) as session:
        db = Database(session)
        state = register.look(db)
        same = (state.system_identifier, state.database) == origin
        return register.standing(db) if same and state.installed else []


def _register(work: _Work) -> Receipt:
    began = time.monotonic()
    copies, why = _copies(work)
    with work.inside() as session:
        db = Database(session)
        if obstacle := register.look(db).obstacle:
            return Receipt(_REGISTER, 0, text=f"not registered: {obstacle}")
        known = {one.key for one in register.standing(db)}
        new = [one for one in copies if one.key not in known]
        for one in new:
            register.write(db, one)
    return Receipt(_REGISTER, len(new), round((time.monotonic() - began) * 1000), text=why)


def _prove(work: _Work) -> list[Finding]:
    from wnadmin.domain.setup.verify import verify

    with work.inside() as session:
        db = Database(session)
        copies, why = _copies(work)
        known = register.finding(db, copies, work.kept.place.dump.parent)
        known = replace(known, detail=f"{known.detail}; {why}") if why else known
        past = continuity.proof(session)
        return [*after.look(db, work.side), *past, known, *(_carried(one) for one in verify(db).findings)]


def _carried(one: Finding) -> Finding:
    """What is there beyond the files, such as a setting of one's own, is there because it was dumped."""
    return replace(one, severity="skipped", detail=f"as it was dumped: {one.detail}") if one.severity == "warn" else one
