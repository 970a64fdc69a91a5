"""``python -m wnadmin``."""

from __future__ import annotations

from wnadmin.cli import main

main()
