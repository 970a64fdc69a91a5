"""wnadmin: set up, prove and operate the WonderNest database."""

from __future__ import annotations

__version__ = "0.1.0"
