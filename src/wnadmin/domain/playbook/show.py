"""Pages as reports: all of them as a list, one as it is read, and as parts for machines."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from wnadmin.domain.playbook import console
from wnadmin.domain.playbook.page import Page, Section, every, named
from wnadmin.postgres import environment
from wnadmin.postgres.target import Target
from wnadmin.results import Column, Report, Table


def listing() -> Report:
    """List the pages, the most severe first."""
    pages = sorted(every(), key=lambda page: (page.severity != "critical", page.id))
    rows = tuple((page.id, page.severity, page.title, ", ".join(page.checks)) for page in pages)
    columns = (Column("id", "playbook"), Column("severity"), Column("title"), Column("checks"))
    return Report("playbook-list", (Table("playbooks", columns, rows),), next="wnadmin playbook show PLAYBOOK")


def show(name: str, target: Target | None = None) -> Report:
    """Show one page, and how its lines for psql go to ``target``; machines get its parts."""
    page = named(name)
    exported = environment.of(target) if target is not None else {}
    facts = (page.id, page.title, page.severity, page.symptoms, page.checks, page.roles)
    columns = tuple(Column(one) for one in ("id", "title", "severity", "symptoms", "checks", "roles"))
    tables = (
        Table("page", columns, (facts,)),
        Table("environment", (Column("name"), Column("value")), tuple(exported.items())),
        Table("inputs", (Column("name"), Column("source", "from")), tuple(page.inputs.items())),
        Table(
            "sections",
            (Column("title"), Column("text")),
            tuple((section.title, section.text) for section in page.sections),
        ),
        Table("commands", (Column("section"), Column("line"), Column("command")), tuple(_commands(page))),
    )
    return Report("playbook-show", tables, page=markdown(page, target))


def markdown(page: Page, target: Target | None = None) -> str:
    """Give the page as it is read: what the front matter says stands under the title, and where psql would go."""
    about = [
        f"**{page.severity}**" + (f", detected by {_codes(page.checks)}" if page.checks else ""),
        f"As {_codes(page.roles)}, or as a superuser.",
    ]
    if page.inputs:
        about.append("You need:\n\n" + "\n".join(f"- `{name}`: {source}" for name, source in page.inputs.items()))
    if console.asks_libpq(page):
        about.append(_whither(target))
    return "\n\n".join([f"# {page.title}", *about, *(_section(one) for one in page.sections)]) + "\n"


def _whither(target: Target | None) -> str:
    programs = "The lines for `psql` and `pg_isready` go where the `PG*` variables say"
    exported = environment.of(target) if target is not None else {}
    if target is None:
        return f"{programs}; no server is named here. Set `PGHOST`, `PGPORT`, `PGDATABASE` and `PGUSER` to yours."
    if not exported:
        return f"{programs}, and so does wnadmin here."
    lines = "\n".join(f"$ export {name}={shlex.quote(value)}" for name, value in exported.items())
    said = f"{programs}. So that they go where wnadmin goes ({target.source}):"
    # What was chosen for this one command holds for no line of the page.
    profile = target.source.removeprefix("profile ") if target.source.startswith("profile ") else ""
    then = f"\n\nThe lines for wnadmin need `--profile {profile}` then, unless it is the default." if profile else ""
    if target.source == "--dsn":
        then = "\n\nThe lines for wnadmin follow them too, unless wnadmin.toml names a default profile."
    return f"{said}\n\n```console\n{lines}\n```{then}"


def _section(section: Section) -> str:
    return f"## {section.title}\n\n{section.text}"


def _codes(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _commands(page: Page) -> Iterator[tuple[str, int, str]]:
    for block in page.blocks:
        if block.language == "console":
            for number, line in console.commands(block):
                yield block.section, number, line
