"""Pages as reports: all of them as a list, one as it is read, and as parts for machines."""

from __future__ import annotations

from collections.abc import Iterator

from wnadmin.domain.playbook import console
from wnadmin.domain.playbook.page import Page, Section, every, named
from wnadmin.results import Column, Report, Table


def listing() -> Report:
    """List the pages, the most severe first."""
    pages = sorted(every(), key=lambda page: (page.severity != "critical", page.id))
    rows = tuple((page.id, page.severity, page.title, ", ".join(page.checks)) for page in pages)
    columns = (Column("id", "playbook"), Column("severity"), Column("title"), Column("checks"))
    return Report("playbook-list", (Table("playbooks", columns, rows),), next="wnadmin playbook show PLAYBOOK")


def show(name: str) -> Report:
    """Show one page; machines get its parts."""
    page = named(name)
    facts = (page.id, page.title, page.severity, page.symptoms, page.checks, page.roles)
    columns = tuple(Column(one) for one in ("id", "title", "severity", "symptoms", "checks", "roles"))
    tables = (
        Table("page", columns, (facts,)),
        Table("inputs", (Column("name"), Column("source", "from")), tuple(page.inputs.items())),
        Table(
            "sections",
            (Column("title"), Column("text")),
            tuple((section.title, section.text) for section in page.sections),
        ),
        Table("commands", (Column("section"), Column("line"), Column("command")), tuple(_commands(page))),
    )
    return Report("playbook-show", tables, page=markdown(page))


def markdown(page: Page) -> str:
    """Give the page as it is read: what the front matter says stands under the title."""
    about = [
        f"**{page.severity}**" + (f", detected by {_codes(page.checks)}" if page.checks else ""),
        f"As {_codes(page.roles)}, or as a superuser.",
    ]
    if page.inputs:
        about.append("You need:\n\n" + "\n".join(f"- `{name}`: {source}" for name, source in page.inputs.items()))
    return "\n\n".join([f"# {page.title}", *about, *(_section(one) for one in page.sections)]) + "\n"


def _section(section: Section) -> str:
    return f"## {section.title}\n\n{section.text}"


def _codes(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _commands(page: Page) -> Iterator[tuple[str, int, str]]:
    for block in page.blocks:
        if block.language == "console":
            for number, line in console.commands(block):
                yield block.section, number, line
