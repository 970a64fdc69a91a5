"""``@command``: turn a body into a typer command with everything its return type calls for.

The body's own parameters become arguments and options as typer reads them. Parameters of the types below are
filled in by the engine and never reach the command line:

============ ==========================================================================
Database     a connected session to the profile's primary, with bundled SQL
Nodes        a connected session to each node of the profile, for looks
Connections  opens sessions to the server, for commands that need other databases or logins
Target       where the command would go, not connected
Profile      the profile's settings
Recorder     the ledger's writer
Inputs       what an earlier, unfinished run of the same command had chosen
Options      the engine's own options, for commands that run other commands
============ ==========================================================================

``Database | None`` gives None, and says so on stderr, when the server cannot be reached; ``Connections | None`` does
so when no server is named, and so does ``Target | None`` without a word.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import typer

from wnadmin.engine.boundary import Answered
from wnadmin.engine.lean import LeanCommand, LeanGroup
from wnadmin.engine.options import ExitStyle, Options
from wnadmin.results import Severity

INJECTED = ("Database", "Nodes", "Connections", "Target", "Profile", "Recorder", "Inputs", "Options")
"""Type names that the engine fills in."""

_CONNECTED = frozenset({"Database", "Nodes", "Connections", "Target", "Profile", "Recorder"})

Node = Literal["primary", "any", "none"]
Body = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """A command as declared: its full name, its body, and what the engine does around it."""

    name: str
    body: Body
    returns: str
    injected: Mapping[str, str] = field(default_factory=dict)
    node: Node = "primary"
    watch: bool = False
    brief: bool = False
    personal: bool = False
    records: bool = True
    raw: str = ""
    formatted: bool = False

    @property
    def needs_target(self) -> bool:
        """Whether the command goes to a server that options or settings name."""
        return any(kind.rstrip("?") in _CONNECTED for kind in self.injected.values())

    @property
    def may_be_alone(self) -> bool:
        """Whether the body also works without the server it would go to."""
        return any(kind.endswith("?") for kind in self.injected.values())


def noun(name: str, help: str) -> typer.Typer:
    """Make the typer app of a noun; its commands are declared with :func:`command`."""
    return typer.Typer(
        name=name, help=help, cls=LeanGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )


def command(
    app: typer.Typer,
    *,
    name: str = "",
    node: Node = "primary",
    watch: bool = False,
    brief: bool = False,
    personal: bool = False,
    records: bool = True,
    raw: str | None = None,
    formatted: bool = False,
) -> Callable[[Body], Body]:
    """Declare a body as a command of ``app``.

    ``watch`` adds --watch to a look. ``brief`` is for looks into a fire: the session is read-only, waits for a
    lock no longer than a moment and gives up a statement after seconds. ``personal`` records a read before it
    is shown. ``records`` False is for commands whose every run would only record itself. ``raw`` says why a
    command is none of Report, Findings and Plan; it then gets its own parameters, the connection options and,
    when it is ``formatted`` because it shows another command's value, --format.
    """

    def decorate(body: Body) -> Body:
        if raw is not None and not raw.strip():
            raise TypeError(f"{body.__name__}: raw needs a reason")
        noun = app.info.name if isinstance(app.info.name, str) else ""
        verb = name or body.__name__.replace("_", "-")
        returns = str(body.__annotations__.get("return", "")).strip("'\"")
        if raw is None and returns not in ("Report", "Findings", "Plan"):
            raise TypeError(f"{body.__name__} returns {returns or 'nothing'}; it must be Report, Findings or Plan")
        own, injected = _parameters(body)
        full = " ".join(part for part in (noun, verb if verb != noun else "") if part)
        declared = Declared(
            full,
            body,
            "raw" if raw is not None else returns,
            injected,
            node,
            watch,
            brief,
            personal,
            records,
            raw or "",
            formatted,
        )
        app.command(verb, cls=LeanCommand, help=inspect.getdoc(body))(_wrap(declared, own))
        return body

    return decorate


def _parameters(body: Body) -> tuple[dict[str, inspect.Parameter], dict[str, str]]:
    stand_ins: dict[str, Any] = {one: type(one, (), {}) for one in (*INJECTED, "Report", "Findings", "Plan")}
    hints = typing.get_type_hints(body, localns=stand_ins, include_extras=True)
    own: dict[str, inspect.Parameter] = {}
    injected: dict[str, str] = {}
    for one in inspect.signature(body).parameters.values():
        hint = hints[one.name]
        choices = typing.get_args(hint) or (hint,)
        marker = next((kind for kind in INJECTED if stand_ins[kind] in choices), None)
        if marker is not None and type(None) in choices:
            marker += "?"
        if marker is not None:
            injected[one.name] = marker
        else:
            own[one.name] = one.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
    return own, injected


def _engine_options(declared: Declared) -> dict[str, inspect.Parameter]:
    found: dict[str, tuple[Any, Any]] = {}
    if declared.needs_target or declared.raw:
        found["dsn"] = (
            Annotated[
                str | None,
                typer.Option(
                    "--dsn",
                    "-d",
                    metavar="URI|CONNINFO",
                    help="Connect here, as psql would.",
                    rich_help_panel="Connection",
                ),
            ],
            None,
        )
        found["profile"] = (
            Annotated[
                str | None,
                typer.Option(
                    "--profile",
                    "-p",
                    metavar="NAME",
                    help="Use this profile of wnadmin.toml.",
                    rich_help_panel="Connection",
                ),
            ],
            None,
        )
    if not declared.raw or declared.formatted:
        found["format_"] = (
            Annotated[
                str,
                typer.Option(
                    "--format",
                    "-f",
                    metavar="FORMAT",
                    help=_formats(declared),
                    rich_help_panel="Output",
                ),
            ],
            "auto",
        )
    if declared.returns == "Report":
        found["table"] = (
            Annotated[
                str,
                typer.Option(
                    "--table", metavar="NAME", help="Only this table; csv holds one.", rich_help_panel="Output"
                ),
            ],
            "",
        )
    if declared.watch:
        found["watch"] = (
            Annotated[
                float | None,
                typer.Option("--watch", metavar="SECONDS", help="Look again every so often.", rich_help_panel="Output"),
            ],
            None,
        )
    if declared.returns == "Findings":
        found["fail_on"] = (
            Annotated[
                str,
                typer.Option(
                    "--fail-on",
                    metavar="SEVERITY",
                    help="Exit 3 from this severity on: warn or critical.",
                    rich_help_panel="Judgement",
                ),
            ],
            "warn",
        )
        found["allow_unknown"] = (
            Annotated[
                list[str] | None,
                typer.Option(
                    "--allow-unknown",
                    metavar="CHECK",
                    help="Do not fail when this check could not see; may be given again.",
                    rich_help_panel="Judgement",
                ),
            ],
            None,
        )
        found["baseline"] = (
            Annotated[
                str | None,
                typer.Option(
                    "--baseline",
                    metavar="FILE",
                    help="Fail only on what this saved JSON does not have.",
                    rich_help_panel="Judgement",
                ),
            ],
            None,
        )
        found["exit_style"] = (
            Annotated[
                str,
                typer.Option(
                    "--exit-style",
                    metavar="STYLE",
                    help="ci (0 or 3), or nagios (0 to 3, and its line).",
                    rich_help_panel="Judgement",
                ),
            ],
            "ci",
        )
    if declared.returns == "Plan":
        panel = "Care"
        found["dry_run"] = (
            Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.", rich_help_panel=panel)],
            False,
        )
        found["check"] = (
            Annotated[
                bool,
                typer.Option("--check", help="Exit 3 when there is something to do.", rich_help_panel=panel),
            ],
            False,
        )
        found["yes"] = (
            Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.", rich_help_panel=panel)],
            False,
        )
        found["reason"] = (
            Annotated[
                str,
                typer.Option("--reason", metavar="TEXT", help="Why; goes into the ledger.", rich_help_panel=panel),
            ],
            "",
        )
        found["break_glass"] = (
            Annotated[
                bool,
                typer.Option(
                    "--break-glass",
                    help="Go on even when the ledger cannot be written; needs --reason.",
                    rich_help_panel=panel,
                ),
            ],
            False,
        )
    return {
        key: inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)
        for key, (hint, default) in found.items()
    }


def _formats(declared: Declared) -> str:
    more = ", csv or nagios" if declared.returns == "Findings" else " or csv"
    return f"auto, table, plain, markdown, json, ndjson{more}."


def _wrap(declared: Declared, own: Mapping[str, inspect.Parameter]) -> Callable[..., None]:
    engine = _engine_options(declared)
    if clash := set(own) & set(engine):
        raise TypeError(f"{declared.name}: the engine already has the options {', '.join(sorted(clash))}")

    def wrapper(ctx: typer.Context, **given: Any) -> None:
        from wnadmin.engine import invoke

        options = _options({key: given.pop(key) for key in engine})
        code = invoke.from_command_line(declared, given, to_argv(ctx, own), options, ctx)
        if code and options.exit_style == "nagios":
            raise Answered(code)
        if code:
            raise typer.Exit(code)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    signature = [context, *own.values(), *engine.values()]
    wrapper.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]  # typer reads it
    wrapper.__annotations__ = {one.name: one.annotation for one in signature}
    wrapper.__doc__ = declared.body.__doc__
    wrapper.__name__ = declared.body.__name__
    wrapper.declared = declared  # type: ignore[attr-defined]  # resume and the tests find it here
    return wrapper


def _options(given: dict[str, Any]) -> Options:
    from wnadmin import render
    from wnadmin.errors import UsageError

    form = given.pop("format_", "auto")
    if form not in render.FORMATS:
        raise UsageError(f"unknown format {form}", next=f"Use one of {', '.join(render.FORMATS)}.")
    if form == "nagios" and "exit_style" not in given:
        raise UsageError("this command has no nagios format", why="Only findings have one.", next="Use --format json.")
    fail_on = given.pop("fail_on", "warn")
    if fail_on not in ("warn", "critical"):
        raise UsageError(f"unknown severity {fail_on}", next="Use --fail-on warn or --fail-on critical.")
    style = given.pop("exit_style", "ci")
    if style not in ("ci", "nagios"):
        raise UsageError(f"unknown exit style {style}", next="Use --exit-style ci or --exit-style nagios.")
    exit_style: ExitStyle = style
    allowed = tuple(given.pop("allow_unknown", None) or ())
    severity: Severity = fail_on
    return Options(format=form, fail_on=severity, allow_unknown=allowed, exit_style=exit_style, **given)


def to_argv(ctx: typer.Context, own: Mapping[str, inspect.Parameter]) -> list[str]:
    """Write the body's own parameters back as an argument list, so that the ledger can call it again."""
    argv: list[str] = []
    positional: list[str] = []
    for one in ctx.command.params:
        name = one.name or ""
        value = ctx.params.get(name)
        if name not in own or value is None or value == one.get_default(ctx):
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        if one.param_type_name == "argument":
            positional += [str(item) for item in values]
        elif isinstance(value, bool):
            argv.append(one.opts[0] if value else one.secondary_opts[0])
        else:
            for item in values:
                argv += [one.opts[0], str(item)]
    return argv + (["--", *positional] if any(item.startswith("-") for item in positional) else positional)
