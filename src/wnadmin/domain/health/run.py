"""``health run``: choose, look on every node, say what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from wnadmin.ahead import Ahead
from wnadmin.domain.health import checks, thresholds
from wnadmin.domain.health.look import Look, Memory, look
from wnadmin.postgres.nodes import Nodes
from wnadmin.results import SEVERITY_ORDER, Finding, Findings


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator chose: checks by id, those left out, a preset, thresholds as ``CHECK=WARN,CRITICAL``."""

    only: Sequence[str] = ()
    ignore: Sequence[str] = ()
    preset: str | None = None
    thresholds: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def run(nodes: Nodes, wishes: Wishes, playbooks: Callable[[], Mapping[str, str]]) -> Findings:
    """Run the chosen checks on all nodes at once; raises NoConnection when no node was reached.

    ``playbooks`` gives the page of each check.
    """
    chosen = checks.chosen(list(wishes.only), list(wishes.ignore), wishes.preset)
    limits = thresholds.limits(wishes.settings, wishes.thresholds)
    nodes.reached()
    pages = Ahead(playbooks)

    def meanwhile() -> None:
        pages.begin()
        nodes.meanwhile()

    memory = nodes.remembered.setdefault("health", Memory())
    looks = nodes.each(partial(look, chosen=chosen, limits=limits, memory=memory, meanwhile=meanwhile))
    # A node that is not there comes before what others suffer from.
    found = sorted((one for look in looks for one in look.findings), key=lambda one: one.check != checks.FIRST)
    if any(SEVERITY_ORDER[one.severity] for one in found):
        found = [_with_page(one, pages.take()) for one in found]
    return Findings("health", tuple(found), notes=tuple(_cost(one) for one in looks))


def _with_page(one: Finding, pages: Mapping[str, str]) -> Finding:
    return replace(one, playbook=pages.get(one.check, "")) if SEVERITY_ORDER[one.severity] else one


def _cost(one: Look) -> str:
    if not one.seconds:
        return f"{one.node.name} was not reached"
    slowest = max(one.seconds, key=lambda id: one.seconds[id])
    total = 1000 * sum(one.seconds.values())
    return (
        f"{len(one.seconds)} checks on {one.node.name} ({one.node.place}) took {total:,.0f} ms, "
        f"the slowest {slowest} {1000 * one.seconds[slowest]:,.0f} ms"
    )
