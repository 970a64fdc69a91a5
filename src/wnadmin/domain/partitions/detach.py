"""`partitions detach`: out of the table, without a moment at which others have to stand still."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from wnadmin.domain.partitions import away, due, ladder, look, mark, statements
from wnadmin.domain.partitions.away import Target
from wnadmin.domain.partitions.bounds import Span
from wnadmin.domain.partitions.ladder import Ladder, Wanted
from wnadmin.domain.partitions.values import Circumstances, Part, Placed, Table, path
from wnadmin.errors import Refused, UsageError
from wnadmin.ledger.locks import TABLES
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Json, Plan, Receipt, Step, World

CHECK: Final = "partitions.detached"


def plan_detach(db: Database, names: Sequence[str], inputs: Inputs, *, due_: bool, wait: float) -> Plan:
    """Plan the detaching of partitions, of those that are past, or only of what was left half done."""
    seen = look.circumstances(db, "partitions detach")
    found = look.tables(db)
    targets = _again(db, found, seen, inputs)
    notes: list[str] = []
    if not targets:
        targets, notes = _targets(db, found, seen, names, due_=due_)
    climbing = ladder.standing(seen.deadlock_milliseconds)
    begun = [] if inputs else _begun(found, targets)
    steps = [_forget(db, one, part, seen, climbing) for one, part in begun]
    steps += [_step(db, one, seen, climbing, wait) for one in targets]
    title = f"Detach partitions in {db.name}"
    if not steps:
        nothing = "nothing is half detached" + (", and no partition is past" if due_ else "")
        if not due_ and not names:
            nothing += "; name partitions, or take those that are past: --due"
        return Plan(title, (), nothing=". ".join([nothing, *notes]))
    recorded: dict[str, Json] = {"partitions": [_facts(one) for one in targets], "now": seen.moment.isoformat()}
    effects = [f"{part.path} was marked and never detached; the mark is taken back." for _, part in begun] + _effects(
        db, targets, climbing, wait
    )
    return Plan(
        title,
        tuple(steps),
        effects=(*effects, *notes),
        inputs=recorded,
        verify=lambda: prove(db, targets),
        target=TABLES,
        next="wnadmin partitions list",
    )


# --- what is to be detached -------------------------------------------------------------------------------------


def _targets(
    db: Database, found: Sequence[Table], seen: Circumstances, names: Sequence[str], *, due_: bool
) -> tuple[list[Target], list[str]]:
    now = seen.moment.astimezone(UTC)
    notes: list[str] = []
    pending = [(table, one) for table in found for one in table.pending]
    wanted: list[tuple[Table, Placed]] = []
    if due_:
        wanted, notes = _due(db, look.chosen(found, names))
    else:
        for name in dict.fromkeys(names):
            wanted.append(_named(found, name, now))
    rest = [one for one in wanted if one not in pending]
    return [_target(db, table, one, seen) for table, one in (*pending, *rest)], notes


def _due(db: Database, tables: Sequence[Table]) -> tuple[list[tuple[Table, Placed]], list[str]]:
    policies = look.policies(db)
    wanted: list[tuple[Table, Placed]] = []
    notes: list[str] = []
    for table in tables:
        parent = table.parent
        policy = due.policy_of(policies, parent.schema, parent.name, parent.key_column)
        if policy is None:
            notes.append(f"{table.path}: no active policy says how long its rows are kept.")
            continue
        over = [one for one in table.placed if due.past(policy, one.span) and not one.part.pending]
        full = []
        if policy.action not in due.WHOLE:
            full = [one for one in over if not due.empty(db, one.part.schema, one.part.name)]
        if full:
            notes.append(
                f"{table.path}: {len(full)} past partitions still hold rows, and {policy.code} says "
                f"{policy.action}: that comes first."
            )
        wanted += [(table, one) for one in over if one not in full]
    return wanted, notes


def _named(found: Sequence[Table], name: str, now: datetime) -> tuple[Table, Placed]:
    for table in found:
        if table.default is not None and name == table.default.path:
            raise Refused(
                f"{name} is the default partition of {table.path}",
                why="Rows that no other partition takes go there.",
                next="Detach it by hand if that is meant.",
            )
        for one in table.placed:
            if name in (one.part.path, f"{one.part.schema}.{one.part.name}"):
                if table.refusal:
                    look.chosen(found, [table.path])
                if one.span.upper > now and not one.part.pending:
                    raise Refused(
                        f"{name} takes rows of now or later",
                        why=f"It goes from {one.span}; without it they would be refused.",
                        next="Wait until it is past.",
                    )
                return table, one
    raise UsageError(
        f"there is no partition {name}",
        why="A partition is named with its schema.",
        next="See them with wnadmin partitions list TABLE",
    )


def _target(db: Database, table: Table, one: Placed, seen: Circumstances) -> Target:
    parent = table.parent
    look.require_right(table.path, parent.owner, seen, may_change=parent.may_change)
    # Who is subject to row-level security would not see rows that refer to the partition.
    become = "" if seen.is_superuser or seen.acting == parent.owner else parent.owner
    default = table.default.oid if table.default else None
    part = one.part
    linked = tuple(look.linked(db, parent.oid))
    return Target(
        parent, default, part.oid, part.schema, part.name, one.span, part.comment, part.pending, become, linked
    )


def _facts(one: Target) -> Json:
    return {
        "parent": one.parent.oid,
        "oid": one.oid,
        "schema": one.schema,
        "name": one.name,
        "mark": mark.write(mark.make(one.parent, one.span, datetime.now(UTC), one.comment)),
    }


def _again(db: Database, found: Sequence[Table], seen: Circumstances, inputs: Inputs) -> list[Target]:
    """Give what an unfinished run, or one that is to be undone, had chosen."""
    recorded = inputs.get("partitions")
    targets = []
    for one in recorded if isinstance(recorded, (list, tuple)) else ():
        table = next((x for x in found if isinstance(one, Mapping) and x.parent.oid == one["parent"]), None)
        known = mark.read(str(one["mark"])) if isinstance(one, Mapping) else None
        if table is None or known is None or not isinstance(one, Mapping):
            raise Refused(
                "a partitioned table of that operation is not here any more", next="Look: wnadmin partitions list"
            )
        now = next((x.part for x in table.placed if x.part.oid == one["oid"]), None)
        part = now or Part(
            table.parent.oid,
            int(str(one["oid"])),
            str(one["schema"]),
            str(one["name"]),
            "r",
            False,
            "",
            None,
            None,
            None,
        )
        made = _target(db, table, Placed(part, known.span), seen)
        targets.append(replace(made, comment=known.comment))
    return targets


def _begun(found: Sequence[Table], targets: Sequence[Target]) -> list[tuple[Table, Part]]:
    """Give the partitions that are marked and still attached, and are not to be detached now."""
    oids = {one.oid for one in targets}
    return [
        (table, one.part)
        for table in found
        for one in table.placed
        if (one.part.comment or "").startswith(mark.PREFIX) and not one.part.pending and one.part.oid not in oids
    ]


# --- steps ------------------------------------------------------------------------------------------------------


def _forget(db: Database, table: Table, part: Part, seen: Circumstances, climbing: Ladder) -> Step:
    parent = table.parent
    look.require_right(table.path, parent.owner, seen, may_change=parent.may_change)
    become = "" if seen.is_superuser or seen.acting == parent.owner else parent.owner
    known = mark.read(part.comment or "")
    statement = statements.comment_on(part.schema, part.name, known.comment if known else None)
    key, doing = f"unmark {part.path}", f"take the mark of {part.path} back"

    def run(world: World) -> Receipt:
        climbing.climb(
            db,
            lambda milliseconds: ladder.together(db, milliseconds, become, [statement], doing),
            lambda: Wanted(shared=(part.oid,)),
            doing,
            world,
        )
        return Receipt(key, 1)

    return Step(key, f"Take back the mark of {part.path}", (f"{db.session.quote(statement)};",), run)


def _step(db: Database, one: Target, seen: Circumstances, climbing: Ladder, wait: float) -> Step:
    def run(world: World) -> Receipt:
        began = time.monotonic()
        attempts = away.carry_out(db, one, climbing, wait, world)
        took = round((time.monotonic() - began) * 1000)
        return Receipt(one.key, 1, took, {"parent": one.parent.path, "span": str(one.span), "attempts": attempts})

    def take_back(world: World, receipt: Receipt) -> Receipt:
        began = time.monotonic()
        doing = f"attach {one.path} again"
        if look.state(db, one.parent.oid, one.oid).standing == "gone":
            return Receipt(one.key, 0, text="it was dropped since; there is nothing to attach")
        # A foreign key that both have already is merged, for which the other table is locked against everybody.
        wanted = Wanted((one.oid, *(x.oid for x in one.linked)), (), (one.parent.oid,))
        climbing.climb(
            db,
            lambda milliseconds: away.put_back(db, one, milliseconds),
            lambda: wanted,
            doing,
            world,
        )
        return Receipt(one.key, 1, round((time.monotonic() - began) * 1000))

    verb = "Finish the detach of" if one.pending else "Detach"
    return Step(
        one.key,
        f"{verb} {one.path}, {one.span}",
        tuple(_shows(db, one, seen.moment)),
        run,
        done=lambda: look.state(db, one.parent.oid, one.oid).standing == "detached",
        undo=take_back,
        undo_shows=tuple(f"{db.session.quote(each)};" for each in away.back(one)),
    )


def _shows(db: Database, one: Target, now: datetime) -> list[str]:
    quote = db.session.quote
    first = [f"{quote(statements.patience(ladder.RUNGS[0], local=False))};  -- longer from attempt to attempt"]
    if one.become:
        first.append(f"{quote(statements.become(one.become, local=False))};")
    if one.pending:
        return [*first, f"{quote(one.statement('FINALIZE'))};"]
    words = [f"{quote(away.marking(one, now))};"]
    if one.default is not None:
        lock = statements.lock(one.linked)
        return [
            *first,
            "BEGIN;",
            *words,
            *([f"{quote(lock)};"] if lock is not None else []),
            f"{quote(one.statement())};",
            "COMMIT;",
        ]
    return [
        *first,
        *words,
        f"{quote(one.statement('CONCURRENTLY'))};",
        f"-- if it is cut off: {quote(one.statement('FINALIZE'))};",
    ]


# --- words and proof --------------------------------------------------------------------------------------------


def _effects(db: Database, targets: Sequence[Target], climbing: Ladder, wait: float) -> list[str]:
    said = []
    for one in targets:
        if one.pending:
            said.append(f"{one.path} was left half detached; that is finished.")
    fresh = [one for one in targets if not one.pending]
    for parent in dict.fromkeys(one.parent for one in fresh):
        mine = [one for one in fresh if one.parent == parent]
        many = "1 partition" if len(mine) == 1 else f"{len(mine)} partitions"
        stretch = Span(min(x.span.lower for x in mine), max(x.span.upper for x in mine))
        said.append(
            f"{parent.path} loses {many}, from {stretch}. The application does not see their rows any more; they "
            "stay in the database as tables of their own, marked with parent and bounds."
        )
        if mine[0].default is not None:
            said.append(
                f"{parent.path} has a default partition, so it is locked against everybody (ACCESS EXCLUSIVE) for a "
                "moment at each one."
            )
        else:
            said.append(f"Readers and writers of {parent.path} go on (SHARE UPDATE EXCLUSIVE).")
        if mine[0].linked:
            names = ", ".join(path(x.schema, x.name) for x in mine[0].linked)
            said.append(f"Writers of {names} wait for milliseconds at each one.")
    said.append(
        f"No lock is waited for longer than {climbing.cap / 1000:g} s at a time, and for transactions that may still "
        f"see a partition {wait:g} s in all."
    )
    found = away.older(db)
    said += [f"In the way now: {one}." for one in found[:3]]
    return said


def prove(db: Database, targets: Sequence[Target]) -> list[Finding]:
    """Look again whether each is out, and carries its mark."""
    found = []
    for one in targets:
        now = look.state(db, one.parent.oid, one.oid)
        known = mark.read(now.comment or "")
        right = known is not None and (known.schema, known.table) == (one.parent.schema, one.parent.name)
        right = right and known is not None and known.span == one.span
        detail = "it is out, and marked with parent and bounds"
        if now.standing != "detached":
            detail = f"it is {now.standing}"
        elif not right:
            detail = "it is out, and its mark does not say what it was"
        ok = now.standing == "detached" and right
        found.append(Finding(f"{CHECK}:{one.path}", CHECK, "ok" if ok else "critical", detail, object=one.path))
    return found
