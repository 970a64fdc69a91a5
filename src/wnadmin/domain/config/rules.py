"""What is recommended: ``sql/settings.toml`` as values, and one value judged by its rule."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, Literal

from wnadmin import assets
from wnadmin.domain.config.values import Kind, Value, parse, show, words
from wnadmin.errors import Failed

AREAS: Final = ("statistics", "memory", "safety", "privacy", "timeouts", "wal", "maintenance")


@dataclass(frozen=True, slots=True)
class Recommended:
    """One setting as the file recommends it; the file's head says what each key means."""

    name: str
    area: str
    severity: Literal["warn", "critical"]
    why: str
    equals: str | None = None
    at_least: str | None = None
    at_most: str | None = None
    one_of: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    set: str = ""
    production: bool = False
    since: int = 15
    roles: tuple[str, ...] = ()
    database: bool = False
    unless: str = ""
    unseen: str = ""
    secret: bool = False
    remedy: str = ""

    def rule(self) -> str:
        """Say the rule in words, for the threshold of a finding."""
        parts = [
            f"{word} {value}" if word else value
            for word, value in (("", self.equals), ("at least", self.at_least), ("at most", self.at_most))
            if value is not None
        ]
        if self.one_of:
            parts.append(" or ".join(self.one_of))
        if self.includes:
            parts.append(f"with {', '.join(self.includes)}")
        if self.contains:
            parts.append(f"with {', '.join(self.contains)}")
        if self.forbids:
            forbidden = [one or "empty" for one in self.forbids]
            parts.append(f"not {' or '.join(forbidden if len(forbidden) < 3 else forbidden[:1])}")
        return ", ".join(parts)

    def fits(self, value: Value, kind: Kind) -> bool:
        """Say whether a value keeps the rule."""

        def same(text: str) -> bool:
            return _same(value, text, kind)

        if any(same(one) for one in self.forbids):
            return False
        if self.equals is not None and not same(self.equals):
            return False
        if self.one_of and not any(same(one) for one in self.one_of):
            return False
        if isinstance(value, Decimal):
            if self.at_least is not None and value < _number(self.at_least, kind):
                return False
            if self.at_most is not None and value > _number(self.at_most, kind):
                return False
        text = show(value, kind)
        listed = words(text)
        return all(one in listed for one in self.includes) and all(one in text for one in self.contains)

    def better(self, value: Value, kind: Kind) -> str:
        """Give the value to set, quoted for ALTER … SET; a list keeps what stands in it."""
        if self.includes:
            now = words(show(value, kind))
            return ", ".join(_quoted(one) for one in [*now, *(one for one in self.includes if one not in now)])
        return _quoted(self.set or self.equals or "")


def load() -> tuple[Recommended, ...]:
    """Read the bundled recommendations, in the order of the file."""
    path = assets.root("sql") / "settings.toml"
    try:
        return parse_file(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        raise Failed(f"cannot read {path}", why=str(error), next="Install wnadmin again.") from None


def parse_file(text: str) -> tuple[Recommended, ...]:
    """Read the text of the file; ValueError or TypeError, naming the setting, for what is not as its head says."""
    known = {one.name for one in fields(Recommended)}
    found = []
    for table in tomllib.loads(text)["setting"]:
        name = table.get("name", "?")
        if unknown := set(table) - known:
            raise ValueError(f"{name}: unknown key {', '.join(sorted(unknown))}")
        found.append(Recommended(**{key: _frozen(value) for key, value in table.items()}))
        _require_whole(found[-1])
    names = [(one.name, one.roles) for one in found]
    if len(set(names)) != len(names):
        raise ValueError("a setting stands there twice")
    return tuple(found)


def _require_whole(one: Recommended) -> None:
    if one.severity not in ("warn", "critical"):
        raise ValueError(f"{one.name}: severity is {one.severity}")
    if one.area not in AREAS:
        raise ValueError(f"{one.name}: unknown area {one.area}")
    if not one.rule():
        raise ValueError(f"{one.name}: there is no rule")
    if not (one.set or one.equals or one.includes or one.remedy):
        raise ValueError(f"{one.name}: nothing says what to set")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _number(text: str, kind: Kind) -> Decimal:
    value = parse(text, kind)
    if not isinstance(value, Decimal):
        raise ValueError(f"{text!r} is not a number")
    return value


def _same(value: Value, text: str, kind: Kind) -> bool:
    try:
        return parse(text, kind) == value
    except ValueError:
        # A value that the setting cannot take, as `off` where a newer server has a list, is not the one it has.
        return False


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
