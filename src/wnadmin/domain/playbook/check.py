"""Prove the pages: their form, every line to be typed, and every name in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Final

from wnadmin import assets
from wnadmin.domain.playbook import console
from wnadmin.domain.playbook.console import Known, Parse
from wnadmin.domain.playbook.page import Fault, Page
from wnadmin.results import Finding, Findings

KIND: Final = "playbook-check"
COVERAGE: Final = "playbook.coverage"


def check(pages: Sequence[Page], parse: Parse) -> Findings:
    """Judge each page, and whether each check that can turn critical has one."""
    known = console.known(pages)
    findings = [finding for page in pages for finding in _page(page, pages, parse, known)]
    return Findings(KIND, (*findings, *_coverage(pages)))


def _page(page: Page, pages: Sequence[Page], parse: Parse, known: Known) -> list[Finding]:
    typed, lines = console.faults(page, parse, known)
    faults = sorted([*page.faults, *typed, *_references(page, pages, known)], key=lambda fault: fault.line)
    if faults:
        return [_finding(page, fault) for fault in faults]
    detail = f"{lines} command lines; detected by {', '.join(page.checks) or 'no check'}"
    name = f"playbook.page:{page.name}"
    return [Finding(name, "playbook.page", "ok", detail, object=f"playbooks/{page.name}.md")]


def _references(page: Page, pages: Sequence[Page], known: Known) -> list[Fault]:
    found = [Fault("checks", 1, f"there is no check {one}") for one in page.checks if one not in known.checks]
    found += [Fault("roles", 1, f"there is no role {one} in sql/expected.json") for one in _unknown_roles(page)]
    others = [one for one in pages if one.name != page.name]
    found += [Fault("ids", 1, f"{one.name}.md has the same id") for one in others if page.id and one.id == page.id]
    for one in others:
        # A finding leads to one page, so a check has one.
        if twice := sorted(set(page.checks) & set(one.checks)):
            found.append(Fault("checks", 1, f"{one.name}.md is for the check {twice[0]} too"))
    return found


def _unknown_roles(page: Page) -> list[str]:
    return [one for one in page.roles if one not in _roles()]


@cache
def _roles() -> frozenset[str]:
    data = json.loads((assets.root("sql") / "expected.json").read_text(encoding="utf-8"))
    return frozenset(data["objects"]["role"])


def _coverage(pages: Sequence[Page]) -> list[Finding]:
    covered = {check for page in pages for check in page.checks}
    critical = {
        file.name.removeprefix("checks/")
        for file in assets.catalogue()
        if file.name.startswith("checks/") and file.facts.get("critical")
    }
    missing = sorted(critical - covered)
    if not missing:
        detail = f"each of the {len(critical)} checks that can turn critical has a page"
        return [Finding(COVERAGE, COVERAGE, "ok", detail)]
    return [
        Finding(
            f"{COVERAGE}:{one}",
            COVERAGE,
            "critical",
            "the check can turn critical, and no page is for it",
            object=one,
            remediation="name it in `checks` of a page under playbooks/",
        )
        for one in missing
    ]


def _finding(page: Page, fault: Fault) -> Finding:
    where = f"playbooks/{page.name}.md:{fault.line}"
    return Finding(f"playbook.{fault.kind}:{where}", f"playbook.{fault.kind}", "critical", fault.text, object=where)
