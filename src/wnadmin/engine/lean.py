"""Commands that start fast: no validation library for values that need no validation.

typer builds a pydantic adapter for every parameter of a command, also for those that were not given, and importing
pydantic takes a third of the time of a short command. A text, a flag, and a default are right as they are; only
what must be converted or checked goes through typer's own adapter.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

_AS_GIVEN = (str, bool)


class LeanCommand(TyperCommand):
    """A command whose parameters load pydantic only when a value must be converted."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the parameters, --help among them."""
        return _late(super().get_params(ctx))


class LeanGroup(TyperGroup):
    """The same for a noun."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the parameters, --help among them."""
        return _late(super().get_params(ctx))


def _late(params: list[Any]) -> list[Any]:
    for param in params:
        build = getattr(param, "get_runtime_param", None)
        described = getattr(param, "type_descriptor", None)
        if build is not None and described is not None and not isinstance(build, _Lean):
            # An instance attribute shadows the method; without such a method typer converts as it likes.
            param.get_runtime_param = _Lean(described.annotation, build)
    return params


class _Lean:
    """Stands in for a parameter's converter, and makes the real one when it is needed."""

    def __init__(self, annotation: Any, build: Any) -> None:
        self._annotation = annotation
        self._build = build

    def __call__(self) -> _Lean:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Give ``value`` as the parameter's type; the parser's own error when it does not fit."""
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if not many and not isinstance(value, str) and value == param.get_default(ctx):
            return value
        given = getattr(self._annotation, "__args__", ()) or (self._annotation,)
        plain = all(one in (*_AS_GIVEN, type(None)) for one in given)
        if many and plain and all(isinstance(one, str) for one in value):
            return list(value)
        if not many and plain and isinstance(value, _AS_GIVEN) and (str in given or not isinstance(value, str)):
            return value
        return self._build().coerce(value, param=param, ctx=ctx)
