"""What every hand that mends knows: the expected catalog, all differences, the files, and how names are written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from wnadmin.domain.setup.catalog import Catalog
from wnadmin.domain.setup.compare import Difference
from wnadmin.domain.setup.scan import tokens
from wnadmin.domain.setup.split import Statement, split
from wnadmin.results import Json

PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_RESERVED: Final = frozenset(
    re.findall(
        r"\w+",
        """
    all analyse analyze and any array as asc both case cast check collate column constraint create current_date
    default desc distinct do else end except false fetch for foreign from grant group having in initially into
    lateral leading limit not null offset on only or order placing primary references returning select
    session_user some symmetric table then to trailing true union unique user using variadic when where window
    with
        """,
    )
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that makes objects: its name and text."""

    name: str
    text: str


@dataclass(frozen=True)
class Known:
    """What is known when differences are mended.

    ``database`` and ``owner`` are the database's name and owner, ``sources`` the files in their order, ``expected``
    what they make. One difference may be only the shadow of another, so all of ``differences`` are here.
    """

    database: str
    owner: str
    sources: Sequence[Source]
    expected: Catalog
    differences: Sequence[Difference]
    _statements: dict[str, list[Statement]] = field(default_factory=dict, compare=False)

    def facts(self, kind: str, name: str) -> Mapping[str, Any]:
        """What an object is to be; nothing for one that is not to be there."""
        return self.expected.objects.get(kind, {}).get(name, {})

    def change(self, kind: str, name: str) -> str:
        """``missing`` or ``unexpected`` when the object as a whole is, else ''."""
        return self._whole.get((kind, name), "")

    @cached_property
    def _whole(self) -> dict[tuple[str, str], str]:
        return {(one.kind, one.object): one.change for one in self.differences if not one.attribute}

    @cached_property
    def renamed(self) -> dict[tuple[str, str], str]:
        """Kind and name of what is missing → the name under which the very same thing is there, and back."""
        found: dict[tuple[str, str], str] = {}
        for kind, likeness in _LIKENESS.items():
            pairs: dict[object, tuple[list[str], list[str]]] = {}
            for one in self.differences:
                if one.kind == kind and not one.attribute:
                    lost, new = pairs.setdefault(likeness(one), ([], []))
                    (lost if one.change == "missing" else new).append(one.object)
            for lost, new in pairs.values():
                if len(lost) == len(new) == 1:
                    found[kind, lost[0]], found[kind, new[0]] = new[0], lost[0]
        return found

    @cached_property
    def schemas_renamed(self) -> dict[str, str]:
        """Schema that is missing → the schema that is no file's and has its tables, and back."""
        strangers = {one.object for one in self.differences if one.kind == "beside" and one.change == "unexpected"}
        found: dict[str, str] = {}
        for one in self.differences:
            if one.kind == "schema" and one.change == "missing":
                tables = [
                    name.partition(".")[2] for name in self.expected.names("table") if name.startswith(f"{one.object}.")
                ]
                for other in (name.removeprefix("schema ") for name in strangers if name.startswith("schema ")):
                    if tables and all(f"table {other}.{table}" in strangers for table in tables):
                        found[one.object], found[other] = other, one.object
        return found

    def goes_with_schema(self, one: Difference) -> str:
        """What is to be said of anything in a schema that has another name; else ''."""
        if not self.schemas_renamed or one.change == "different" or one.object in self.schemas_renamed:
            return ""
        match = re.search(r"(?:^|\s)([a-z_][a-z0-9_]*)\.|^schema (\S+)", one.object)
        name = (match[1] or match[2]) if match else ""
        other = self.schemas_renamed.get(name, "")
        lost = name if self.change("schema", name) == "missing" else other
        return f"it goes with the renaming of the schema to {lost}" if other else ""

    def goes_with_table(self, table: str) -> str:
        """What is to be said of a part of a table that is to be dropped or has another name; else ''."""
        if other := self.renamed.get(("table", table)):
            lost = table if self.change("table", table) == "missing" else other
            return f"it goes with the renaming of the table to {lost}"
        return "it goes with its table" if self.change("table", table) == "unexpected" else ""

    def goes_with(self, kind: str, name: str) -> str:
        """What is to be said of a fact about an object that is to be dropped or has another name; else ''."""
        table = name.rpartition(".")[0] if kind == "column" else name.partition(" ")[0]
        if words := self.goes_with_table(table):
            return words
        if other := self.renamed.get((kind, name)):
            return f"it goes with the renaming to {name if self.change(kind, name) == 'missing' else other}"
        return f"it goes with its {kind}" if self.change(kind, name) == "unexpected" else ""

    def statements(self) -> Iterable[tuple[Source, Statement]]:
        """Every statement of the files, the newest file first."""
        for source in reversed(self.sources):
            found = self._statements.get(source.name)
            if found is None:
                found = self._statements.setdefault(source.name, split(source.text))
            for one in found:
                yield source, one

    def making(self, name: str) -> list[tuple[Source, Statement]]:
        """The statements that make the object of this name, the newest first."""
        plain = re.escape(re.split(r"[( ]", name)[0])
        pattern = re.compile(
            rf"CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?[A-Z]+(?:\s+VIEW)?\s+(?:CONCURRENTLY\s+)?"
            rf"(?:IF\s+NOT\s+EXISTS\s+)?{plain}(?![\w.])",
            re.IGNORECASE,
        )
        return [(source, one) for source, one in self.statements() if pattern.match(one.text)]

    def routine(self, name: str) -> str:
        """The statement of the files that makes this function, '' where it cannot be told for certain which it is."""
        body = self.facts("function", name).get("body")
        found = self.making(name)
        sure = [pair for pair in found if any(_digest(part) == body for part in _bodies(pair[1].text))]
        chosen = sure or (found if len(found) == 1 else [])
        if not chosen:
            return ""
        source, one = chosen[0]
        text = re.sub(r"^CREATE\s+(?!OR\b)", "CREATE OR REPLACE ", one.text)
        return f"-- {source.name}:{one.line}\n{text};"

    def place(self, name: str) -> str:
        """The file and line that make an object; '' when none says it literally."""
        for source, one in self.making(name):
            return f"{source.name}:{one.line}"
        return ""

    def words(self, one: Difference) -> str:
        """Say where the right definition stands, where no statement can be given."""
        if one.change == "unexpected":
            return BY_HAND
        place = self.place(one.object)
        return f"run its definition again: {place}" if place else "compare it with the definition in the files"


BY_HAND: Final = "write a migration that makes it, or drop it by hand"


def _bodies(text: str) -> Iterator[str]:
    for token in tokens(text):
        if token.kind == "dollar":
            yield re.sub(r"^\$[^$]*\$|\$[^$]*\$$", "", token.text)
        elif token.kind == "string":
            yield token.text[1:-1].replace("''", "'")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def plain(name: str) -> bool:
    """Whether a name of the catalog can be written as it is."""
    words = re.sub(r"\(.*\)", "", name).removesuffix(" to PUBLIC").removesuffix(" to its owner")
    return all(PLAIN.fullmatch(word) for word in words.split(" "))


def q(name: str) -> str:
    """A plain name with its reserved parts quoted."""
    return ".".join(f'"{part}"' if part in _RESERVED else part for part in name.split("."))


def identifier(name: str) -> str:
    """Any one name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A string of SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def facts(value: Json) -> Mapping[str, Any]:
    """The facts of a whole object."""
    return value if isinstance(value, Mapping) else {}


def strings(value: Json) -> list[str]:
    """A list of strings; what is not set is an empty one."""
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []


def options(head: str, wanted: Json, there: Json) -> str:
    """Set and reset storage parameters; both are lists of ``name=value``."""
    new = dict(one.split("=", 1) for one in strings(wanted))
    old = dict(one.split("=", 1) for one in strings(there))
    found = []
    if change := [f"{key} = {value}" for key, value in new.items() if old.get(key) != value]:
        found.append(f"{head} SET ({', '.join(change)});")
    if gone := [key for key in old if key not in new]:
        found.append(f"{head} RESET ({', '.join(gone)});")
    return " ".join(found)


def _of_constraint(one: Difference) -> object:
    there = facts(one.actual if one.actual is not None else one.expected)
    return one.object.partition(" ")[0], there.get("definition")


def _of_index(one: Difference) -> object:
    there = facts(one.actual if one.actual is not None else one.expected)
    return re.sub(r"^(CREATE (?:UNIQUE )?INDEX) \S+ ON ", r"\1 ON ", str(there.get("definition")))


def _of_column(one: Difference) -> object:
    there = facts(one.actual if one.actual is not None else one.expected)
    return one.object.rpartition(".")[0], there.get("type"), there.get("generated"), there.get("identity")


def _of_table(one: Difference) -> object:
    there = facts(one.actual if one.actual is not None else one.expected)
    return tuple(strings(there.get("columns"))), there.get("partitioned_by")


_LIKENESS: Final = {"constraint": _of_constraint, "index": _of_index, "column": _of_column, "table": _of_table}
"""What two things of a kind have in common when one is the other under a new name."""
