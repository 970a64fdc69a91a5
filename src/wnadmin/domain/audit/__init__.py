"""The audit noun: what operators did (the ledger), whether that record holds, and one child's activity log.

``export``, ``join``, ``lost`` and ``seal`` are the plans of its changes, ``continuity`` what a restore calls.
"""

from __future__ import annotations

from wnadmin.domain.audit.identify import identify
from wnadmin.domain.audit.look import child, find, log, unfinished
from wnadmin.domain.audit.verify import verify

__all__ = ["child", "find", "identify", "log", "unfinished", "verify"]
