"""The hash that stands for a Plan: what is approved is what is applied."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from wnadmin.ledger import canonical

if TYPE_CHECKING:
    from wnadmin.results import Plan


def plan_digest(plan: Plan) -> str:
    """SHA-256, as hex, of the canonical JSON of the plan's steps, effects, inputs and target."""
    document = {
        "title": plan.title,
        "steps": [{"key": step.key, "shows": list(step.shows), "undo": list(step.undo_shows)} for step in plan.steps],
        "effects": list(plan.effects),
        "inputs": dict(plan.inputs),
        "target": plan.target,
        "node": plan.node,
    }
    return hashlib.sha256(canonical.dumps(document).encode()).hexdigest()
