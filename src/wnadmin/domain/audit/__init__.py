"""The audit noun: what operators did (the ledger), whether that record holds, and one child's activity log."""

from __future__ import annotations

from wnadmin.domain.audit.identify import identify
from wnadmin.domain.audit.look import child, find, log, unfinished
from wnadmin.domain.audit.verify import verify

__all__ = ["child", "find", "identify", "log", "unfinished", "verify"]
