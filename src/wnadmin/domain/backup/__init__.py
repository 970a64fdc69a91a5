"""Backups that are known to restore: make one, keep it, prove it, bring it back.

A backup is a dump and a sidecar beside it: what was dumped, from which snapshot, with the count and hash of every
table in that same snapshot. What was proven about it stands in a third file. Nothing else is remembered.
"""
