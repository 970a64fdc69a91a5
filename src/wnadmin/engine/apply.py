"""Carry out a Plan: show, ask, record the intent, apply step by step, look again, record the outcome."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from wnadmin.engine import confirm
from wnadmin.engine.digest import plan_digest
from wnadmin.engine.operation import Operation, receipt_payload
from wnadmin.engine.signals import Stop, graceful
from wnadmin.errors import Declined, Exit, Failed, Refused, WnError
from wnadmin.results import Finding, Outcome, Plan, Receipt, Status, Step, StepResult, World

if TYPE_CHECKING:
    from uuid import UUID

    from wnadmin.ledger.recorder import Recorded, Recorder
    from wnadmin.results import Progress


UNDO = "undo "
"""What the key of a step begins with when it takes back the step named after it."""


def run(plan: Plan, operation: Operation, recorder: Recorder, *, production: bool = False) -> tuple[Outcome, Exit]:
    """Take a Plan through its whole life; the Outcome says how far it came.

    Raises Refused or Declined (recorded) when the change was not begun.
    """
    options = operation.options
    digest = plan_digest(plan)
    if options.break_glass and not options.reason:
        raise Refused("--break-glass needs --reason", next="Say why the ledger is passed over.")
    if not plan.steps:
        nothing = {**operation.identity(), "status": "nothing", "detail": plan.nothing}
        recorded = _record(operation, recorder.outcome, nothing)
        return _outcome(plan, operation, "nothing", (), digest, recorded, plan.nothing), Exit.OK
    _show(plan, operation)
    not_run = tuple(StepResult(step.key, step.title, "not run", step.shows) for step in plan.steps)
    if options.check or options.dry_run:
        status: Status = "check" if options.check else "dry-run"
        recorded = _record(operation, recorder.dry_run, {**operation.identity(), "digest": digest, "status": status})
        detail = f"{len(plan.steps)} steps to do" if options.check else "the plan was not applied"
        exit_code = Exit.FINDINGS if options.check else Exit.OK
        return _outcome(plan, operation, status, not_run, digest, recorded, detail), exit_code
    try:
        confirm.ask(plan, options, production=production)
        _lock(plan, recorder)
    except Declined as error:
        _record(operation, recorder.declined, {**operation.identity(), "digest": digest, "detail": error.what})
        raise
    except Refused as error:
        _record(operation, recorder.refused, {**operation.identity(), "digest": digest, "detail": error.what})
        raise
    _intent(operation, recorder, operation.intent(plan, digest))
    return _apply(plan, operation, recorder, digest)


def _intent(operation: Operation, recorder: Recorder, payload: dict[str, Any]) -> None:
    from wnadmin.render import talk

    try:
        recorder.intent(operation.id, payload)
    except Refused as error:
        if not operation.options.break_glass:
            raise
        talk.warn(f"going on without a record (--break-glass): {error.what}")


def _record(operation: Operation, write: Callable[[UUID, dict[str, Any]], Recorded], payload: dict[str, Any]) -> str:
    # The change has been made, or was not begun: a row that cannot be written is told, and undoes nothing.
    from wnadmin.render import talk

    try:
        return write(operation.id, payload).where
    except Refused as error:
        talk.warn(f"{error.what}. {error.why}")
        return "nowhere: " + error.what


def _show(plan: Plan, operation: Operation) -> None:
    from wnadmin import render

    if operation.options.quiet:
        return
    title = " ".join(["wnadmin", operation.command, *operation.arguments])
    # A dry run's plan is its data; before a change it is talk.
    machine = operation.options.format in ("json", "ndjson", "csv")
    dry = operation.options.dry_run or operation.options.check
    render.plan(plan, title=title, stream=sys.stdout if dry and not machine else sys.stderr)


def _lock(plan: Plan, recorder: Recorder) -> None:
    if not plan.target:
        return
    holder = recorder.try_lock(plan.target)
    if holder is not None:
        raise Refused(
            f"another operator is changing {plan.target}",
            why=f"Held by {holder}.",
            next="Wait for it to finish, or look with `wnadmin audit unfinished`.",
        )


def _apply(plan: Plan, operation: Operation, recorder: Recorder, digest: str) -> tuple[Outcome, Exit]:
    from wnadmin.render import talk

    began = time.monotonic()
    results: list[StepResult] = []
    receipts: dict[str, Receipt] = dict(operation.prior.receipts) if operation.prior else {}
    status: Status = "done"
    detail = ""
    proof: Sequence[Finding] = ()
    try:
        with graceful() as stop, talk.progress() as progress:
            for step in plan.steps:
                if status in ("failed", "interrupted") or stop:
                    status = "interrupted" if stop and status == "done" else status
                    results.append(StepResult(step.key, step.title, "not run", step.shows))
                    continue
                result = _step(step, operation, recorder, receipts, progress, stop)
                results.append(result)
                if result.status == "failed" and step.on_failure == "stop":
                    status, detail = ("interrupted" if stop else "failed"), result.error
                elif result.status == "failed":
                    detail = detail or result.error
            if status == "done" and plan.verify is not None:
                progress("looking again", 0, 0)
                proof = plan.verify()
        if status == "done" and any(result.status == "failed" for result in results):
            status = "failed"
        unproven = [one for one in proof if one.severity not in ("ok", "skipped")]
        if unproven and status == "done":
            status, detail = "failed", f"not proven: {unproven[0].detail}"
    except KeyboardInterrupt:
        status, detail = (
            "interrupted",
            "interrupted twice; the running statement was cancelled and rolled back",
        )
        ran = {result.key for result in results}
        results += [
            StepResult(step.key, step.title, "not run", step.shows) for step in plan.steps if step.key not in ran
        ]
    except WnError as error:
        status, detail = "failed", error.what
    except BaseException as error:
        # A bug must still leave its outcome; its text may quote anything, so only its class is recorded.
        _record(operation, recorder.outcome, operation.outcome("failed", f"internal error {type(error).__name__}"))
        raise
    recorded = _record(
        operation,
        recorder.outcome,
        operation.outcome(
            status,
            detail,
            milliseconds=round((time.monotonic() - began) * 1000),
            steps=[{"step": result.key, "status": result.status} for result in results],
        ),
    )
    outcome = _outcome(plan, operation, status, tuple(results), digest, recorded, detail, tuple(proof))
    return outcome, Exit.OK if status == "done" else Exit.FAILED


def _step(
    step: Step,
    operation: Operation,
    recorder: Recorder,
    receipts: dict[str, Receipt],
    progress: Progress,
    stop: Stop,
) -> StepResult:
    before = operation.prior.receipts.get(step.key) if operation.prior else None
    if before is not None or (step.done is not None and step.done()):
        return StepResult(step.key, step.title, "skipped", step.shows, before)
    progress(step.title, 0, 0)
    try:
        receipt = step.run(World(receipts, progress, lambda: bool(stop)))
    except WnError as error:
        reason = ". ".join(part.rstrip(".") for part in (error.what, error.why) if part)
        return StepResult(step.key, step.title, "failed", step.shows, None, reason, error.next)
    receipts[step.key] = receipt
    undone = step.key.startswith(UNDO)
    row = {
        "command": operation.command,
        "step": step.key.removeprefix(UNDO),
        "status": "undone" if undone else "done",
        "receipt": receipt_payload(receipt),
    }
    _record(operation, recorder.step_done, row)
    return StepResult(step.key, step.title, "undone" if undone else "done", step.shows, receipt)


def take_back(plan: Plan, operation: Operation, recorder: Recorder) -> tuple[Outcome, Exit]:
    """Run the undos of the steps that ``operation.prior`` completed, backwards; one operation of its own."""
    prior = operation.prior
    if prior is None:
        raise Failed("there is nothing to undo", why="The operation has no completed step.")
    undone: list[Step] = []
    for step in reversed(plan.steps):
        receipt = prior.receipts.get(step.key)
        if receipt is not None and step.undo is not None:
            undone.append(_reversal(step, receipt))
    if not undone:
        raise Refused(
            f"operation {prior.operation} has no step that can be undone",
            why="None of its completed steps has an undo.",
            next=f"See what it did: wnadmin audit log --operation {prior.operation}",
        )
    reverse = Plan(f"Undo: {plan.title}", tuple(undone), inputs={"undoes": str(prior.operation)}, target=plan.target)
    return run(
        reverse,
        Operation(operation.command, operation.arguments, operation.options, operation.target, operation.id),
        recorder,
    )


def _reversal(step: Step, receipt: Receipt) -> Step:
    undo = step.undo
    if undo is None:
        raise TypeError(f"step {step.key} has no undo")
    return Step(f"{UNDO}{step.key}", f"Undo: {step.title}", step.undo_shows, lambda world: undo(world, receipt))


def _outcome(
    plan: Plan,
    operation: Operation,
    status: Status,
    steps: tuple[StepResult, ...],
    digest: str,
    recorded: str,
    detail: str = "",
    proof: tuple[Finding, ...] = (),
) -> Outcome:
    follow = plan.next if status in ("done", "nothing") else ""
    if status in ("failed", "interrupted"):
        remedy = next((result.remedy for result in steps if result.remedy), "")
        follow = f"{remedy.rstrip('.')}. Then: " * bool(remedy) + f"wnadmin audit resume {operation.id}"
    return Outcome(
        operation.command.replace(" ", "-"),
        plan.title,
        status,
        operation.id,
        steps,
        proof,
        plan.effects,
        digest,
        recorded,
        detail,
        follow,
    )
