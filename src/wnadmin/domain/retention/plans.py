"""``retention apply``: what is due, as a Plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from wnadmin.domain.retention import look, manifest, statements
from wnadmin.domain.retention.values import Pace, Policy, Task, rows
from wnadmin.domain.retention.work import Work
from wnadmin.errors import Failed, Refused, UsageError
from wnadmin.ledger.locks import TABLES
from wnadmin.postgres.database import Database
from wnadmin.results import Finding, Inputs, Plan, Receipt, Step, World

_DONE: Final = {
    "delete": "Delete",
    "pseudonymise": "Take the names out of",
    "archive": "Archive",
    "months": "Delete, beside rows on hold,",
}


def plan(
    db: Database,
    inputs: Inputs,
    *,
    only: Sequence[str],
    skip: Sequence[str],
    pace: Pace,
    tell: Callable[[str], None] = lambda code: None,
) -> Plan:
    """Describe what goes; a policy whose rows cannot go is a step that says so and fails, never left out.

    ``inputs`` of an interrupted run hold the moment that everything was judged by, and the policies as they stood.
    """
    look.require(db)
    planned = _planned(inputs)
    found = look.policies(db, str(inputs.get("judged_at", "")))
    _known(found, (*only, *skip))
    chosen = [one for one in found if (not only or one.code in only) and one.code not in skip]
    _unchanged(planned, found)
    tasks = look.tasks(db, chosen, lambda one: not planned or one.code in planned, tell)
    todo = [one for one in tasks if one.way in (*_DONE, "none") and (one.count.due or (planned and one.way in _DONE))]
    todo = [_as_planned(one, inputs) for one in todo]
    title = f"Enforce the retention policies of {db.name}"
    notes = tuple(note for one in tasks for note in _notes(one))
    if not todo:
        return Plan(title, (), nothing="; ".join(("no row is past the time of its policy", *notes)))
    return Plan(
        title,
        tuple(_step(db, one, pace) for one in todo),
        effects=(
            *(f"{one.policy.code}: {text}." for one in todo for text in one.effects),
            *(f"{note}." for note in notes),
            "What is deleted does not come back; audited tables keep a record of each row in the trail of changes.",
        ),
        inputs={
            "judged_at": todo[0].policy.judged_at,
            "policies": {one.policy.code: one.policy.fingerprint for one in todo},
            "due": {one.policy.code: one.count.due for one in todo},
        },
        verify=lambda: [_prove(db, one) for one in todo if one.way in _DONE],
        target=TABLES,
        reason="retention",
        next="wnadmin retention list",
    )


def _as_planned(task: Task, inputs: Inputs) -> Task:
    """Count on from what an interrupted run had found due."""
    due = inputs.get("due")
    before = due.get(task.policy.code) if isinstance(due, dict) else None
    if not isinstance(before, int):
        return task
    earlier = max(0, before - task.count.due)
    return replace(task, count=replace(task.count, due=before), earlier=earlier)


def _planned(inputs: Inputs) -> dict[str, str]:
    known = inputs.get("policies")
    return {str(code): str(one) for code, one in known.items()} if isinstance(known, dict) else {}


def _known(found: Sequence[Policy], wanted: Sequence[str]) -> None:
    codes = {one.code for one in found}
    for code in wanted:
        if code not in codes:
            raise UsageError(f"there is no retention policy {code}", next="See `wnadmin retention list`.")


def _unchanged(planned: dict[str, str], found: Sequence[Policy]) -> None:
    now = {one.code: one.fingerprint for one in found}
    changed = [code for code, fingerprint in planned.items() if now.get(code) != fingerprint]
    if changed:
        raise Refused(
            f"{', '.join(changed)} changed since this operation was planned",
            why="What was agreed to is not what would be done.",
            next="Make a new plan: wnadmin retention apply",
        )


def _notes(task: Task) -> list[str]:
    code = task.policy.code
    words = []
    if task.waiting:
        count = len(task.waiting)
        which = task.waiting[0] if count == 1 else f"{task.waiting[0]} to {task.waiting[-1]}"
        words.append(
            f"{code}: {count} whole partition{'s' * (count != 1)} ({which}) past {task.policy.period}: "
            f"`wnadmin partitions detach --due` takes {'it' if count == 1 else 'them'} out, this does not"
        )
    one, held, needed = task.count, task.count.held, task.count.referenced
    if held:
        words.append(f"{code}: {rows(held)} stay{'s' * (held == 1)} on legal hold")
    if needed:
        them = "it" if needed == 1 else "them"
        words.append(f"{code}: {rows(needed)} stay{'s' * (needed == 1)} because rows of other tables need {them}")
    if task.way == "elsewhere" and one.due:
        words.append(f"{code}: {rows(one.due)} past {task.policy.period} stay here: {task.why}")
    return words


def _step(db: Database, task: Task, pace: Pace) -> Step:
    code = task.policy.code
    if task.way == "none":

        def refuse(world: World) -> Receipt:
            raise Failed(f"{code} is not enforced", why=f"{task.why}.", next=task.next)

        return Step(code, f"Cannot enforce {code}: {task.why}", (), refuse, on_failure="continue")

    def run(world: World) -> Receipt:
        return Work(db, task, pace, world).run()

    title = f"{_DONE[task.way]} {rows(task.count.due)} of {task.policy.table} older than {task.policy.period}"
    return Step(
        code,
        title,
        ("BEGIN;", _first(db, task, pace), *_last(db, task), "COMMIT;"),
        run,
        on_failure="continue",
    )


def _first(db: Database, task: Task, pace: Pace) -> str:
    """Give the text of the first batch."""
    policy = task.policy
    if task.way == "archive":
        values = {"days": policy.days, "rows": pace.rows}
        return db.prepared("changes/retention/archive_sessions", values).rendered.shown
    leg = task.legs[0]
    query = statements.batch(
        policy,
        manifest.entries()[policy.table],
        leg,
        task.references,
        task.dependents,
        after=None,
        blocks=None if leg.column else (0, 1),
        rows=pace.rows if leg.column else None,
        careful=False,
    )
    return db.session.quote(query)


def _last(db: Database, task: Task) -> list[str]:
    """Give the last statements of each batch; who is on hold is known when it begins."""
    policy = task.policy
    values = {"policy": policy.code, "fingerprint": policy.fingerprint, "holds": "‹holds›"}
    untouched = statements.untouched(policy, task.references)
    shown = [db.prepared("changes/retention/unchanged", values).rendered.shown]
    return [*shown, db.session.quote(untouched)] if untouched else shown


def _prove(db: Database, task: Task) -> Finding:
    left = look.recount(db, task)
    code = task.policy.code
    kept = [f"{left.held:,} on hold"] * bool(left.held) + [f"{left.referenced:,} needed"] * bool(left.referenced)
    return Finding(
        f"retention.{code}",
        "retention.enforced",
        "critical" if left.due else "ok",
        f"{code}: {rows(left.due)} past their time" + f" ({', '.join(kept)})" * bool(kept),
        object=task.policy.table,
        measured=str(left.due),
        threshold="0",
    )
