"""`partitions retire`: former partitions are dropped when their time is over and nothing in them must be kept."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from wnadmin.domain.partitions import due, ladder, look, mark, statements
from wnadmin.domain.partitions.ladder import Ladder, Wanted
from wnadmin.domain.partitions.mark import Mark
from wnadmin.domain.partitions.values import Circumstances, Former, Table
from wnadmin.errors import Failed, UsageError
from wnadmin.ledger.locks import TABLES
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

GRACE: Final = 7
"""Days between detach and drop, unless another number is given."""
CHECK: Final = "partitions.retired"


@dataclass(frozen=True, slots=True)
class _Doomed:
    """A former partition that goes. ``parent`` is the OID of its table, None when that is gone too."""

    former: Former
    mark: Mark
    parent: int | None
    referenced: tuple[int, ...]
    become: str
    policy: str

    @property
    def key(self) -> str:
        """The key of its step."""
        return f"drop {self.former.path}"


def plan_retire(db: Database, names: Sequence[str], grace: int, inputs: Inputs) -> Plan:
    """Plan the dropping of what may go; the rest is named with its reason."""
    if not 0 <= grace <= 3650:
        raise UsageError(f"--grace {grace} is out of range", next="Give 0 to 3650 days.")
    seen = look.circumstances(db, "partitions retire")
    tables = look.tables(db)
    former = look.former(db)
    recorded = inputs.get("tables")
    if isinstance(recorded, Mapping):
        # Of an unfinished run: what is left of it, and nothing that has become due since.
        former = [one for one in former if recorded.get(one.path) == one.oid]
    for name in names:
        if all(name not in (one.path, f"{one.schema}.{one.name}") for one in former) and not recorded:
            raise UsageError(
                f"there is no detached partition {name}",
                why="Only what wnadmin detached and marked is dropped.",
                next="See them with wnadmin partitions list",
            )
    wanted = [one for one in former if not names or {one.path, f"{one.schema}.{one.name}"} & set(names)]
    policies = look.policies(db)
    now = seen.moment.astimezone(UTC)
    doomed: list[_Doomed] = []
    left: dict[str, list[str]] = {}
    for one in wanted:
        known = mark.read(one.mark)
        if known is None:
            left.setdefault("its mark cannot be read", []).append(one.path)
            continue
        why = due.fate(db, one, known, policies, now, grace)
        parent = next((x for x in tables if (x.parent.schema, x.parent.name) == (known.schema, known.table)), None)
        if not why and (rows := due.held(db, one, parent.parent.oid if parent else None)):
            why = f"{rows:,} rows of it are on legal hold, or not to go yet"
        if why:
            left.setdefault(why, []).append(one.path)
            continue
        doomed.append(_doom(db, one, known, parent, seen, policies))
    title = f"Drop former partitions of {db.name}"
    notes = [f"Left alone: {_some(paths)}: {why}." for why, paths in left.items()]
    if not doomed:
        return Plan(title, (), nothing=". ".join(["no former partition is to be dropped", *notes]).rstrip("."))
    climbing = ladder.standing(seen.deadlock_milliseconds)
    tables_: dict[str, Json] = {one.former.path: one.former.oid for one in doomed}
    return Plan(
        title,
        tuple(_step(db, one, climbing) for one in doomed),
        effects=(*_effects(doomed), *notes),
        inputs={"tables": tables_},
        verify=lambda: prove(db, doomed),
        target=TABLES,
        reason="dropping what was kept",
        next="wnadmin partitions list",
    )


def _doom(
    db: Database, one: Former, known: Mark, parent: Table | None, seen: Circumstances, policies: due.Policies
) -> _Doomed:
    look.require_right(one.path, one.owner, seen, may_change=one.may_change)
    become = "" if seen.is_superuser or seen.acting == one.owner else one.owner
    policy = due.policy_of(policies, known.schema, known.table, known.key_column)
    told = f"{policy.code} keeps rows for {policy.period}" if policy else ""
    referenced = tuple(x.oid for x in look.linked(db, one.oid))
    return _Doomed(one, known, parent.parent.oid if parent else None, referenced, become, told)


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _effects(doomed: Sequence[_Doomed]) -> list[str]:
    said = []
    for one in doomed:
        rows = "" if one.former.estimated_rows is None else f", about {one.former.estimated_rows:,} rows"
        said.append(
            f"{one.former.path} is dropped with its rows{rows}: {one.mark.parent} from {one.mark.span}, detached "
            f"{one.mark.at:%Y-%m-%d}; {one.policy}."
        )
    if any(one.referenced for one in doomed):
        said.append("The tables that its foreign keys refer to are locked against everybody for a moment.")
    said.append("No copy is made: what is dropped is in the backups only, until they expire.")
    return said


def _step(db: Database, one: _Doomed, climbing: Ladder) -> Step:
    former = one.former
    quote = db.session.quote
    unlink = [statements.drop_constraint(former.schema, former.name, name) for name in former.foreign_keys]
    dropping = statements.drop(former.schema, former.name)
    lock = statements.exclusive(former.schema, former.name)

    def run(world: World) -> Receipt:
        began, attempts = time.monotonic(), 0
        doing = f"drop {former.path}"
        wanted = Wanted(own=(former.oid, *one.referenced))
        if unlink:
            # Alone, or the tables that are referred to would be locked as long as the drop takes.
            attempts += climbing.climb(
                db,
                lambda milliseconds: ladder.together(db, milliseconds, one.become, unlink, doing),
                lambda: wanted,
                doing,
                world,
            )
        attempts += climbing.climb(
            db, lambda milliseconds: _drop(db, one, milliseconds), lambda: Wanted(own=(former.oid,)), doing, world
        )
        values: dict[str, Json] = {"parent": one.mark.parent, "span": str(one.mark.span), "attempts": attempts}
        return Receipt(one.key, 1, round((time.monotonic() - began) * 1000), values)

    shows = [f"{quote(statements.patience(ladder.RUNGS[0], local=False))};  -- longer from attempt to attempt"]
    if one.become:
        shows.append(f"{quote(statements.become(one.become, local=False))};")
    if unlink:
        shows += ["BEGIN;", *(f"{quote(each)};" for each in unlink), "COMMIT;"]
    shows += ["BEGIN;", f"{quote(lock)};", f"{quote(dropping)};", "COMMIT;"]
    return Step(
        one.key,
        f"Drop {former.path}",
        tuple(shows),
        run,
        done=lambda: look.state(db, one.parent or 0, former.oid).standing == "gone",
    )


def _drop(db: Database, one: _Doomed, milliseconds: int) -> None:
    """Drop it, unless somebody has put a row of it on hold or attached it since; or nothing."""
    session, former = db.session, one.former
    with session.transaction():
        session.run(statements.patience(milliseconds, local=True))
        session.run(statements.exclusive(former.schema, former.name), doing=f"lock {former.path}")
        if all(each.oid != former.oid or each.mark != former.mark for each in look.former(db)):
            raise Failed(
                f"{former.path} is not what it was",
                why="It was attached again, or its mark was changed.",
                next="Look: wnadmin partitions list",
            )
        if rows := due.held(db, former, one.parent):
            raise Failed(
                f"{former.path} has {rows:,} rows that are on legal hold, or not to go yet",
                why="They were put on hold since the plan was made.",
                next="It is kept; look at it again with wnadmin partitions list",
            )
        if one.become:
            session.run(statements.become(one.become, local=True))
        session.run(statements.drop(former.schema, former.name), doing=f"drop {former.path}")


def prove(db: Database, doomed: Sequence[_Doomed]) -> list[Finding]:
    """Look again whether each is gone."""
    found = []
    for one in doomed:
        gone = look.state(db, one.parent or 0, one.former.oid).standing == "gone"
        detail = "it is gone" if gone else "it is still there"
        path = one.former.path
        found.append(Finding(f"{CHECK}:{path}", CHECK, "ok" if gone else "critical", detail, object=path))
    return found
