"""What is to be typed: command lines, variables, and the SQL that is pasted into psql."""

from __future__ import annotations

import getopt
import itertools
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from wnadmin import assets
from wnadmin.domain.playbook.page import Block, Fault, Page
from wnadmin.postgres.variables import names
from wnadmin.render import FORMATS

LIBPQ: Final = ("psql", "pg_isready")
"""Go where the PG* variables say; `playbook show` says how to set them."""
PROGRAMS: Final = ("wnadmin", *LIBPQ)
"""What a page may tell to type: what can be checked here, and what comes with every client."""

UNKNOWN: Final = "\u2026"
"""Stands in a page for a value that the operator fills in."""

_SUPERUSER: Final = "postgres"
_SHORT: Final = {
    "psql": "aAbc:d:eEf:F:h:HlL:no:p:P:qR:sStT:U:v:VwWxXz01?",
    "pg_isready": "d:h:p:qt:U:V?",
}
_LONG: Final = {
    **{"host=": "h", "port=": "p", "dbname=": "d", "username=": "U", "set=": "v", "variable=": "v"},
    **{"file=": "f", "command=": "c", "output=": "o", "pset=": "P", "timeout=": "t", "no-psqlrc": "X", "quiet": "q"},
    **{"tuples-only": "t", "no-align": "A", "csv": "", "expanded": "x", "single-transaction": "1"},
}
"""The options of psql and pg_isready; the long ones, which end in ``=`` with a value, by the letter of the short."""

_ASSIGNMENT: Final = re.compile(r"^(?P<name>[A-Za-z_]\w*)=(?P<value>.*)$")
_VARIABLE: Final = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<plain>[A-Za-z_]\w*))")
_INLINE: Final = re.compile(r"(?<!`)`(?P<code>wnadmin [^`]+)`(?!`)")
_OPERATORS: Final = frozenset("|&;<>()")
# A value that any parameter takes: a number, an identifier, a date, a word.
_STAND_INS: Final = ("1", "00000000-0000-4000-8000-000000000000", "2026-01-01", "x")


class Answer(Protocol):
    """What a parser says: its complaint, or the command's full name and the values it would get."""

    @property
    def fault(self) -> str:
        """The complaint; empty when there is none."""

    @property
    def command(self) -> str:
        """The full name, without wnadmin."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters."""


Parse = Callable[[Sequence[str]], Answer]


@dataclass(slots=True)
class Known:
    """What names in a page may refer to."""

    sql: Mapping[str, str]
    """Every bundled file with its text."""
    checks: frozenset[str]
    pages: frozenset[str]


@dataclass(slots=True)
class _Reader:
    page: Page
    parse: Parse
    known: Known
    defined: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    """Variables that a psql of this page was started with."""
    faults: list[Fault] = field(default_factory=list)
    lines: int = 0


def faults(page: Page, parse: Parse, known: Known) -> tuple[list[Fault], int]:
    """Prove what a page tells to type; the faults, and how many command lines were proven."""
    reader = _Reader(page, parse, known)
    for block in page.blocks:
        if block.language == "console":
            for number, line in commands(block, reader.faults):
                _command(reader, number, line)
        elif block.language == "sql":
            _sql(reader, block)
    for number, line in _prose(page):
        for match in _INLINE.finditer(line):
            _wnadmin(reader, number, _words(match["code"].replace(UNKNOWN, ""))[1:])
    for name in page.inputs.keys() - reader.used - reader.defined:
        reader.faults.append(Fault("variables", 1, f"the input {name} is never used"))
    return reader.faults, reader.lines


def commands(block: Block, wrong: list[Fault] | None = None) -> Iterator[tuple[int, str]]:
    """Give each command line of a console block with its number, continued lines joined."""
    text, began = "", 0
    for number, line in enumerate(block.lines, block.line):
        if text.endswith("\\") and line.startswith("> "):
            text = text[:-1] + line[2:]
        elif line.startswith("$ "):
            if text:
                yield began, text
            text, began = line[2:], number
        elif wrong is not None:
            wrong.append(Fault("commands", number, "a console line begins with `$ `, or with `> ` after a `\\`"))
    if text:
        yield began, text


def _prose(page: Page) -> Iterator[tuple[int, str]]:
    inside = False
    for number, line in enumerate(page.body.split("\n"), page.first_line):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def _command(reader: _Reader, number: int, line: str) -> None:
    reader.lines += 1
    for match in _VARIABLE.finditer(line):
        name = match["braced"] or match["plain"]
        reader.used.add(name)
        if name not in reader.defined and name not in reader.page.inputs:
            reader.faults.append(Fault("variables", number, f"${name} is no input, and no earlier line sets it"))
    if assignment := _ASSIGNMENT.match(line):
        _assignment(reader, number, assignment["name"], assignment["value"])
        return
    try:
        words = _words(line)
    except ValueError as error:
        reader.faults.append(Fault("commands", number, f"a shell cannot read it: {str(error).lower()}"))
        return
    before: list[str] = []
    for segment in _segments(words):
        _program(reader, number, segment, before)
        before = segment


def _assignment(reader: _Reader, number: int, name: str, value: str) -> None:
    reader.defined.add(name)
    if value.strip("\"'") == UNKNOWN and name not in reader.page.inputs:
        reader.faults.append(Fault("variables", number, f"{name} is to be filled in, and no input says from where"))
    if "$(" in value or "`" in value:
        reader.faults.append(Fault("variables", number, f"{name} is the output of a command, which nobody checks"))


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _segments(words: list[str]) -> Iterator[list[str]]:
    """Give the commands of a pipeline, without redirections."""
    segment: list[str] = []
    skips = False
    for word in words:
        if word and set(word) <= _OPERATORS:
            skips = set(word) <= {"<", ">"}
            if not skips:
                yield segment
                segment = []
        elif skips:
            skips = False
        else:
            segment.append(word)
    yield segment


def _program(reader: _Reader, number: int, words: list[str], before: list[str]) -> None:
    program = words[0] if words else ""
    if program == "wnadmin":
        _wnadmin(reader, number, words[1:])
    elif program in LIBPQ:
        _whither(reader, number, words)
        if program == "psql":
            _psql(reader, number, words[1:], before)
    else:
        reader.faults.append(Fault("commands", number, f"{program or 'nothing'} is none of {', '.join(PROGRAMS)}"))


def _wnadmin(reader: _Reader, number: int, words: list[str]) -> None:
    places = sorted({match[0] for word in words for match in _VARIABLE.finditer(word)})
    answer: Answer | None = None
    for values in itertools.product(_STAND_INS, repeat=len(places)):
        answer = reader.parse([_filled(word, dict(zip(places, values, strict=True))) for word in words])
        if not answer.fault:
            break
    if answer is None or answer.fault:
        reason = answer.fault if answer else "it cannot be parsed"
        reader.faults.append(Fault("commands", number, f"`wnadmin {shlex.join(words)}`: {reason}"))
        return
    for kind, text in _names(answer, reader.known, open=bool(places)):
        reader.faults.append(Fault(kind, number, text))


def _filled(word: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values[match[0]], word)


def _names(answer: Answer, known: Known, *, open: bool) -> Iterator[tuple[str, str]]:
    """Look at the values that name something; ``open``: some of them are the operator's to fill in."""

    def each(key: str) -> list[str]:
        value = answer.values.get(key) or ()
        words = [value] if isinstance(value, str) else list(value)
        return [one for word in words for one in str(word).split(",") if not (open and one in _STAND_INS)]

    if answer.command in ("sql show", "sql run"):
        for name in each("name"):
            if name not in known.sql:
                yield "sql", f"there is no bundled SQL file {name}"
    if answer.command.startswith("health "):
        asked = [*each("only"), *each("ignore"), *each("check"), *each("allow_unknown")]
        for name in [*asked, *(one.partition("=")[0] for one in each("threshold") if "=" in one)]:
            if name not in known.checks:
                yield "checks", f"there is no check {name}"
    if answer.command == "playbook show":
        for name in each("name"):
            if name not in known.pages:
                yield "commands", f"there is no playbook {name}"
    form = answer.values.get("format_", "auto")
    if form not in FORMATS:
        yield "commands", f"there is no format {form}"


def asks_libpq(page: Page) -> bool:
    """Say whether a line of the page goes where the PG* variables say."""
    lines = [line for block in page.blocks if block.language == "console" for _, line in commands(block)]
    return any(re.search(rf"(?:^|[|;&]\s*){program}\b", line) for line in lines for program in LIBPQ)


def _whither(reader: _Reader, number: int, words: list[str]) -> None:
    """Prove that a line goes where wnadmin goes, or to a server that the operator fills in; and as whom."""
    program, short = words[0], _SHORT[words[0]]
    try:
        options, rest = getopt.gnu_getopt(words[1:], short, list(_LONG))
    except getopt.GetoptError as error:
        reader.faults.append(Fault("commands", number, f"{program} does not take it: {error.msg}"))
        return
    given = {
        _LONG.get(f"{name[2:]}=", name[1:]) if name.startswith("--") else name[1:]: value for name, value in options
    }
    wrong = [f"-{name} {value}" for name, value in given.items() if name in "hp" and not _is_variable(value)]
    elsewhere = [value for value in (given.get("d", ""), *rest) if value and not _is_variable(value)]
    if "h" not in given:
        wrong += elsewhere
    for one in wrong:
        reader.faults.append(
            Fault("commands", number, f"`{one}` names a server or database; leave it to PG*, or make it an input")
        )
    user = given.get("U", "")
    if user and not _is_variable(user) and user not in (*reader.page.roles, _SUPERUSER):
        reader.faults.append(Fault("roles", number, f"-U {user} is none of the page's roles"))


def _is_variable(word: str) -> bool:
    return _VARIABLE.fullmatch(word) is not None


def _psql(reader: _Reader, number: int, words: list[str], before: list[str]) -> None:
    given: set[str] = set()
    words = [part for word in words for part in ([word[:2], word[2:]] if re.match(r"-[vf].", word) else [word])]
    files = [value for option, value in itertools.pairwise(words) if option in ("-f", "--file")]
    for option, value in itertools.pairwise(words):
        if option in ("-v", "--set", "--variable"):
            given.add(value.partition("=")[0])
    texts = []
    for name in files:
        wanted = name.removeprefix("sql/").removesuffix(".sql")
        if wanted not in reader.known.sql:
            reader.faults.append(Fault("sql", number, f"there is no file {name}"))
        else:
            texts.append((wanted, reader.known.sql[wanted]))
    if before[:3] == ["wnadmin", "sql", "show"] and len(before) > 3 and before[3] in reader.known.sql:
        texts.append((before[3], reader.known.sql[before[3]]))
    for name, text in texts:
        if missing := [one for one in names(text) if one not in given]:
            reader.faults.append(Fault("sql", number, f"psql is given no -v {missing[0]}, which {name} needs"))
    reader.given |= given


def _sql(reader: _Reader, block: Block) -> None:
    text = "\n".join(block.lines)
    for name in names(text):
        if name not in reader.given:
            reader.faults.append(
                Fault("variables", block.line, f":'{name}' is used, and no earlier psql is given -v {name}=")
            )
    if not text.rstrip().endswith(";"):
        reader.faults.append(Fault("sql", block.line + len(block.lines) - 1, "the SQL does not end with a semicolon"))


def known(pages: Sequence[Page]) -> Known:
    """Collect what there is to name."""
    files = {one.name: one.text for one in assets.catalogue()}
    files |= {one.name.removesuffix(".sql"): one.text for one in assets.database_files()}
    checks = frozenset(name.removeprefix("checks/") for name in files if name.startswith("checks/"))
    return Known(files, checks, frozenset(page.name for page in pages))
