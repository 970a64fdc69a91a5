"""Ask the real parser about a command line, without running anything."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from wnadmin.engine import invoke
from wnadmin.errors import Failed, WnError


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the parser made of a command line: ``fault`` is its complaint, or ``""`` and then the rest is filled.

    ``command`` is the full name without ``wnadmin``; ``values`` are the parameters as the body would get them.
    """

    fault: str = ""
    command: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def parse(argv: Sequence[str], root: Any = None) -> Parsed:
    """Parse ``argv`` (without ``wnadmin``) as if it were typed; options, arguments and values, nothing is run.

    ``root`` is the root command; None takes the one that runs now.
    """
    top = invoke.root() if root is None else root
    if top is None:
        raise Failed("a command line was parsed outside the command line")
    words: list[str] = []
    try:
        # Eager options such as --help print and leave; here they are only looked at.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.ExitStack() as stack:
            command, context = top, top.make_context("wnadmin", list(argv))
            stack.enter_context(context)
            while hasattr(command, "resolve_command"):
                name, command, rest = command.resolve_command(context, _rest(context))
                if name is None or command is None:
                    return Parsed("it names no command")
                words.append(name)
                context = stack.enter_context(command.make_context(name, rest, parent=context))
    except (typer.Exit, SystemExit):
        return Parsed("", " ".join(words))
    except WnError as error:
        return Parsed(error.what)
    except Exception as error:
        complaint = getattr(error, "format_message", None)
        if complaint is None:
            raise
        # A noun without a verb prints its help, which is no sentence.
        text = str(complaint()).strip()
        return Parsed("a verb is missing" if "\n" in text or not text else text.rstrip("."))
    return Parsed("", " ".join(words), dict(context.params))


def _rest(context: Any) -> list[str]:
    """What a group has left for its commands; the parser keeps the first word apart."""
    return [*getattr(context, "_protected_args", ()), *context.args]
