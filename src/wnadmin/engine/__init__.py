"""The life of a command: declared once, connected, run, shown, recorded.

``@command`` (declare) makes a typer command of a body; life runs it; apply carries out a Plan; invoke runs a
command inside another; resume finishes or takes back an operation from its ledger rows.
"""

from __future__ import annotations

from wnadmin.engine.declare import command, noun

__all__ = ["command", "noun"]
