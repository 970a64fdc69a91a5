"""A page as it is written: front matter in TOML between ``+++``, a title, seven sections, blocks to paste.

Reading never fails: what is wrong becomes a :class:`Fault` of the page, and the rest is read on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from wnadmin import assets
from wnadmin.errors import UsageError

SECTIONS: Final = ("Symptoms", "Look", "Decide", "Act", "Verify", "If it fails", "After")
LANGUAGES: Final = ("console", "sql", "text")
WIDTH: Final = 80
"""Code is pasted from a terminal, so it must fit there without a break."""

_FENCE: Final = re.compile(r"^```(?P<language>\w*)\s*$")
_HEADING: Final = re.compile(r"^(?P<level>#{1,6})\s+(?P<title>.+?)\s*$")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_MATTER: Final = "+++"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: ``kind`` names the rule, ``line`` is where in the file."""

    kind: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the section it stands in, its lines with the number of the first."""

    language: str
    section: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section and the Markdown in it."""

    title: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``name`` is the file's, ``inputs`` maps a shell variable to where its value comes from."""

    name: str
    id: str
    title: str
    severity: str
    symptoms: tuple[str, ...]
    checks: tuple[str, ...]
    roles: tuple[str, ...]
    inputs: dict[str, str]
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]
    body: str
    first_line: int
    faults: tuple[Fault, ...] = field(default=())


def paths() -> list[Path]:
    """List the files of the bundled pages."""
    return sorted(assets.root("playbooks").glob("*.md"))


def every() -> list[Page]:
    """Read all bundled pages, by name."""
    return [read(path.stem, path.read_text(encoding="utf-8")) for path in paths()]


def named(name: str) -> Page:
    """Read one page; a UsageError with the near match where there is none."""
    known = {path.stem: path for path in paths()}
    wanted = name.removesuffix(".md").rpartition("/")[2]
    if wanted in known:
        return read(wanted, known[wanted].read_text(encoding="utf-8"))
    near = get_close_matches(wanted, known, n=1, cutoff=0.4)
    raise UsageError(
        f"there is no playbook {name}",
        next=f"Did you mean {near[0]}?" if near else "`wnadmin playbook list` names them all.",
    )


def by_check() -> dict[str, str]:
    """Give, for each health check, the page that it calls for."""
    found: dict[str, str] = {}
    for path in paths():
        # Only the front matter: the bodies are of no interest to a look.
        matter, _, _ = _split(path.read_text(encoding="utf-8"), [])
        facts = _facts(path.stem, matter, [])
        found.update(dict.fromkeys(facts.get("checks", ()), str(facts.get("id", ""))))
    return found


def read(name: str, text: str) -> Page:
    """Read a page; ``name`` is the file's name without ``.md``."""
    faults: list[Fault] = []
    matter, body, first = _split(text, faults)
    facts = _facts(name, matter, faults)
    title = str(facts.get("title", ""))
    sections, blocks = _body(body, first, title, faults)
    return Page(
        name=name,
        id=str(facts.get("id", "")),
        title=title,
        severity=str(facts.get("severity", "")),
        symptoms=tuple(facts.get("symptoms", ())),
        checks=tuple(facts.get("checks", ())),
        roles=tuple(facts.get("roles", ())),
        inputs=dict(facts.get("inputs", {})),
        sections=tuple(sections),
        blocks=tuple(blocks),
        body=body,
        first_line=first,
        faults=tuple(faults),
    )


# --- front matter -------------------------------------------------------------------------------------------------


def _split(text: str, faults: list[Fault]) -> tuple[str, str, int]:
    """Give front matter, body, and the number of the body's first line."""
    lines = text.split("\n")
    if lines[0] != _MATTER:
        faults.append(Fault("front", 1, f"the page does not begin with front matter between two lines of {_MATTER}"))
        return "", text, 1
    if _MATTER not in lines[1:]:
        faults.append(Fault("front", 1, f"the front matter is not closed by a line of {_MATTER}"))
        return "", "", len(lines)
    end = lines.index(_MATTER, 1)
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


def _facts(name: str, matter: str, faults: list[Fault]) -> dict[str, Any]:
    try:
        given = tomllib.loads(matter)
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault("front", 1, f"the front matter is not TOML: {error}"))
        return {}
    kept: dict[str, Any] = {}
    for key, problem in _FIELDS.items():
        if key not in given:
            faults.append(Fault("front", 1, f"the front matter has no {key}"))
        elif wrong := problem(given[key]):
            faults.append(Fault("front", 1, f"{key} {wrong}"))
        else:
            kept[key] = given[key]
    for key in given.keys() - _FIELDS.keys():
        faults.append(Fault("front", 1, f"the front matter has an unknown key {key}"))
    if "id" in kept and kept["id"] != name:
        faults.append(Fault("front", 1, f"id is {kept['id']}, and the file is {name}.md"))
    return kept


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value.strip() else "is not a text"


def _severity(value: object) -> str:
    return "" if value in ("warn", "critical") else "is neither warn nor critical"


def _texts(value: object) -> str:
    return "" if isinstance(value, list) and all(not _text(one) for one in value) else "is not a list of texts"


def _some_texts(value: object) -> str:
    return _texts(value) or ("" if value else "is empty")


def _inputs(value: object) -> str:
    if not isinstance(value, dict) or any(_text(one) for one in value.values()):
        return "is not a table of texts"
    odd = [key for key in value if not _NAME.fullmatch(key)]
    return f"has {odd[0]}, which is no name of a shell variable in capitals" if odd else ""


_FIELDS: Final = {
    "id": _text,
    "title": _text,
    "severity": _severity,
    "symptoms": _some_texts,
    "checks": _texts,
    "roles": _some_texts,
    "inputs": _inputs,
}


# --- body ---------------------------------------------------------------------------------------------------------


def _body(body: str, first: int, title: str, faults: list[Fault]) -> tuple[list[Section], list[Block]]:
    sections: list[tuple[str, int, list[str]]] = []
    blocks: list[Block] = []
    titled = False
    for number, line, block in _walk(body, first, faults):
        if block is not None:
            where = sections[-1][0] if sections else ""
            blocks.append(Block(block[0], where, number + 1, tuple(block[1])))
            _check_block(blocks[-1], faults)
        elif (heading := _HEADING.match(line)) and heading["level"] == "#":
            if titled or heading["title"] != title:
                faults.append(Fault("sections", number, f"the heading is not the title, {title!r}"))
            titled = True
            continue
        elif heading and heading["level"] == "##":
            sections.append((heading["title"], number, []))
            continue
        if sections:
            sections[-1][2].extend([line] if block is None else [f"```{block[0]}", *block[1], "```"])
    if not titled:
        faults.append(Fault("sections", first, f"there is no heading `# {title}`"))
    found = [Section(name, number, "\n".join(lines).strip()) for name, number, lines in sections]
    _check_sections(found, first, faults)
    return found, blocks


def _walk(body: str, first: int, faults: list[Fault]) -> Iterator[tuple[int, str, tuple[str, list[str]] | None]]:
    """Give each line with its number, and each fenced block once, as language and lines."""
    language, opened, inside = "", 0, list[str]()
    for number, line in enumerate(body.split("\n"), first):
        fence = _FENCE.match(line)
        if opened and line.strip() == "```":
            yield opened, line, (language, inside)
            opened, inside = 0, []
        elif opened:
            inside.append(line)
        elif fence:
            language, opened = fence["language"], number
        else:
            yield number, line, None
    if opened:
        faults.append(Fault("sections", opened, "the block is not closed"))


def _check_block(block: Block, faults: list[Fault]) -> None:
    if block.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        faults.append(
            Fault("sections", block.line - 1, f"a block is one of {known}, not {block.language or 'nothing'!r}")
        )
    for number, line in enumerate(block.lines, block.line):
        if len(line) > WIDTH:
            faults.append(Fault("sections", number, f"the line has {len(line)} columns, more than {WIDTH}"))


def _check_sections(found: list[Section], first: int, faults: list[Fault]) -> None:
    titles = [one.title for one in found]
    for title in SECTIONS:
        if title not in titles:
            faults.append(Fault("sections", first, f"the section {title} is missing"))
    for one in found:
        if one.title not in SECTIONS:
            faults.append(Fault("sections", one.line, f"{one.title} is not a section; they are {', '.join(SECTIONS)}"))
        elif not one.text:
            faults.append(Fault("sections", one.line, f"the section {one.title} is empty"))
    known = [title for title in titles if title in SECTIONS]
    if len(set(known)) != len(known):
        faults.append(Fault("sections", first, "a section stands there twice"))
    elif known != [title for title in SECTIONS if title in known]:
        faults.append(Fault("sections", first, f"the sections are not in the order {', '.join(SECTIONS)}"))
