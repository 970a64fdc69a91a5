"""Whose rows they are, as ``sql/manifest.toml`` says: which legal holds keep them, and what names somebody in them."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from typing import Any

from wnadmin import assets


@dataclass(frozen=True, slots=True)
class Path:
    """How a row leads to a subject: ``steps`` are (column, schema, table, column there), ``last`` holds the key."""

    subject: str
    steps: tuple[tuple[str, str, str, str], ...]
    last: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A table of the manifest. ``redact`` are the columns that are emptied when somebody's name is taken out."""

    table: str
    policy: str
    paths: tuple[Path, ...]
    redact: tuple[str, ...]


@functools.cache
def entries() -> dict[str, Entry]:
    """Read the manifest; by ``schema.table``."""
    data: dict[str, Any] = tomllib.loads((assets.root("sql") / "manifest.toml").read_text(encoding="utf-8"))
    return {table: _entry(table, facts) for table, facts in data["table"].items()}


def _entry(table: str, facts: dict[str, Any]) -> Entry:
    claims = [facts, *facts.get("also", [])]
    paths = tuple(_path(str(one["subject"]), list(one["path"])) for one in claims if one.get("path"))
    return Entry(table, str(facts["retention"]), paths, tuple(facts.get("redact", ())))


def _path(subject: str, words: list[str]) -> Path:
    steps = []
    for word in words[:-1]:
        column, _, there = word.partition(" > ")
        schema, table, key = there.split(".")
        steps.append((column, schema, table, key))
    return Path(subject, tuple(steps), words[-1])
