"""Ask the operator, or refuse when nobody can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wnadmin.errors import Declined, Refused

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.results import Plan


def ask(plan: Plan, options: Options, *, production: bool) -> None:
    """Return when the change may go ahead; raise Declined or Refused otherwise.

    A word demanded by ``plan.confirm`` is typed even under ``--yes``. In production ``--yes`` needs ``--reason``,
    and so does, whoever answers, a change that ``plan.reason`` names.
    """
    from wnadmin.render import talk

    if production and (options.yes or plan.reason) and not options.reason:
        raise Refused(
            f"{plan.reason or 'a change in production under --yes'} needs a reason",
            why="The profile says production = true.",
            next="Add --reason 'ticket or cause'.",
        )
    if options.yes and not plan.confirm:
        return
    if not talk.can_ask():
        if plan.confirm:
            raise Refused(
                "this change must be confirmed by typing a word, and there is no terminal",
                why=f"The word is {plan.confirm!r}; --yes does not replace it.",
                next="Run it at a terminal, or look at it with --dry-run.",
            )
        raise Refused(
            "this change needs a yes, and there is no terminal to ask at",
            next="Add --yes to apply it, or --dry-run to see it.",
        )
    if plan.confirm:
        answer = _answer(f"Type {plan.confirm} to go ahead:")
        if answer != plan.confirm:
            raise Declined("declined: the word was not typed", next="Nothing was changed.")
        return
    answer = _answer("Apply this plan? [y/N]")
    if answer.lower() not in ("y", "yes"):
        raise Declined("declined", next="Nothing was changed.")


def _answer(question: str) -> str:
    from wnadmin.render import talk

    try:
        return talk.ask(question)
    except KeyboardInterrupt:
        raise Declined("declined: interrupted at the question", next="Nothing was changed.") from None
