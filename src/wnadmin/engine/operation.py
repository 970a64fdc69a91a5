"""One run of one command: who runs what, against which server, and the rows it writes about itself."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from wnadmin import __version__
from wnadmin.results import Json

if TYPE_CHECKING:
    from wnadmin.engine.options import Options
    from wnadmin.postgres.target import Target
    from wnadmin.results import Plan, Receipt


HERE = "this machine"
"""The target of an operation that goes to no server."""


@dataclass(frozen=True, slots=True)
class Prior:
    """An earlier, unfinished run that this one goes on from: its id, its inputs, the receipts of its steps."""

    operation: UUID
    inputs: Mapping[str, Json]
    receipts: Mapping[str, Receipt]


@dataclass(frozen=True, slots=True)
class Operation:
    """The identity of a run. ``arguments`` are the body's own, without connection and form."""

    command: str
    arguments: Sequence[str]
    options: Options
    target: Target | None
    id: UUID = field(default_factory=uuid4)
    prior: Prior | None = None

    def identity(self) -> dict[str, Any]:
        """The part that every row about this run has."""
        return {
            "command": self.command,
            "argv": [*self.command.split(), *self.arguments],
            "target": self.target.describe() if self.target else HERE,
            "os_user": _os_user(),
            "host": socket.gethostname(),
            "wnadmin": __version__,
            "reason": self.options.reason,
            "parent": str(self.options.parent) if self.options.parent else None,
        }

    def intent(self, plan: Plan, digest: str) -> dict[str, Any]:
        """The intent row: what is about to be done."""
        return {
            **self.identity(),
            "digest": digest,
            "inputs": dict(plan.inputs),
            "steps": [step.key for step in plan.steps],
            "title": plan.title,
        }

    def outcome(self, status: str, detail: str = "", **more: Any) -> dict[str, Any]:
        """The outcome row: what became of it."""
        return {"command": self.command, "status": status, "detail": detail, **more}


def receipt_payload(receipt: Receipt) -> dict[str, Any]:
    """The ledger form of a receipt."""
    return {
        "step": receipt.step,
        "rows": receipt.rows,
        "milliseconds": receipt.milliseconds,
        "values": dict(receipt.values),
        "text": receipt.text,
    }


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A uid without a passwd entry, as in some containers.
        return f"uid {os.getuid()}"
