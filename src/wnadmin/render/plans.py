"""A Plan before it runs: on a terminal with colours, elsewhere as text that psql would take.

What is to be run stands at the left margin, letter by letter as the step shows it, so that copying it is
safe; the terminal wraps long lines itself, and so puts no newlines into the copy. Elsewhere each word about
it is an SQL comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wnadmin.render.cells import visible
from wnadmin.results import Plan, Step

_SQL: Final = re.compile(
    r"""(?:\s|--[^\n]*\n|\()*
    (?:alter|analyze|begin|call|checkpoint|cluster|comment|commit|copy|create|delete|discard|do|drop|execute|
    explain|grant|insert|lock|merge|prepare|reassign|refresh|reindex|reset|revoke|rollback|savepoint|security|
    select|set|show|start|table|truncate|update|vacuum|values|with)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST_COLORED: Final = 20_000
"""Colouring takes about a second for a megabyte; beyond this many characters nobody reads it here anyway."""


def as_script(plan: Plan, *, title: str = "") -> str:
    """Give the plan as text: what is to be run exactly, everything else as comments of SQL."""
    lines = [f"Plan: {plan.title}", *([f"for: {title}"] if title else [])]
    lines += _facts(plan)
    parts = [_comment(lines)]
    if not plan.steps:
        parts.append(_comment([f"Nothing will be done: {plan.nothing}"]))
    for number, step in enumerate(plan.steps, 1):
        words = [f"Step {number} of {len(plan.steps)}: {step.title}", *_conditions(step)]
        undo = [f"undo: {line}" for text in step.undo_shows for line in text.split("\n")]
        shown = "\n\n".join(_runnable(text) for text in step.shows)
        parts.append("\n".join(part for part in (_comment(words), shown, _comment(undo)) if part))
    end = list(_end(plan))
    if end:
        parts.append(_comment(end))
    return "\n\n".join(parts) + "\n"


def on_terminal(plan: Plan, *, title: str = "", width: int, color: bool) -> str:
    """Give the plan as it looks on a terminal, with SQL highlighted."""
    from rich.syntax import Syntax
    from rich.text import Text

    from wnadmin.render.terminal import Screen

    screen = Screen(width=width, color=color)
    screen.say(("Plan: ", "bold cyan"), (plan.title, "bold"), wrap=True)
    if title:
        screen.say((title, "dim"))
    for fact in _facts(plan):
        screen.say(fact, wrap=True)
    if not plan.steps:
        screen.gap()
        screen.say(("Nothing will be done: ", "bold green"), plan.nothing, wrap=True)
    lexer = Syntax("", "postgresql", theme="ansi_dark", background_color="default")
    for number, step in enumerate(plan.steps, 1):
        screen.gap()
        screen.say((f"Step {number} of {len(plan.steps)}: ", "cyan"), (step.title, "bold"), wrap=True)
        for condition in _conditions(step):
            screen.say((condition, "dim"), wrap=True)
        for text in step.shows:
            shown = _runnable(text)
            colorful = color and _SQL.match(shown) and len(shown) <= _LONGEST_COLORED
            code = lexer.highlight(shown) if colorful else Text(shown)
            code.rstrip()
            screen.put(code, wrap=False)
        for text in step.undo_shows:
            screen.say(("undo: ", "dim cyan"), (text, "dim"))
    end = list(_end(plan))
    if end:
        screen.gap()
    for line in end:
        style = "bold yellow" if line.startswith("To confirm") else ""
        screen.say((line, style), wrap=True)
    return screen.text()


def _facts(plan: Plan) -> list[str]:
    facts = [f"Effect: {effect}" for effect in plan.effects]
    if plan.target:
        facts.append(f"Target: {plan.target}")
    if plan.node == "any":
        facts.append("Node: any, a standby is preferred")
    return facts


def _conditions(step: Step) -> list[str]:
    words = []
    if step.timeout is not None:
        words.append(f"ends after {step.timeout} s at the latest")
    if step.on_failure == "continue":
        words.append("if it fails, the next steps still run")
    return [", ".join(words)] if words else []


def _end(plan: Plan) -> Iterator[str]:
    if not plan.steps:
        return
    undoable = [str(number) for number, step in enumerate(plan.steps, 1) if step.undo is not None]
    if not undoable:
        yield "Undo: none; this cannot be taken back with wnadmin."
    elif len(undoable) == len(plan.steps):
        yield "Undo: wnadmin audit undo takes it back."
    else:
        steps = "step" if len(undoable) == 1 else "steps"
        yield f"Undo: wnadmin audit undo takes back {steps} {', '.join(undoable)}; the rest stays."
    if plan.verify is None:
        yield "Proof: none; the result is not looked at again."
    else:
        yield "Proof: wnadmin looks again afterwards and says what it saw."
    if plan.confirm:
        yield f"To confirm, type: {plan.confirm}"


def _runnable(text: str) -> str:
    """Give the exact text without characters that steer a terminal; tabs are harmless and may be meant."""
    return visible(text, keep="\n\t").strip("\n")


def _comment(lines: list[str]) -> str:
    return "\n".join(f"-- {line}".rstrip() for text in lines for line in visible(text).split("\n"))
