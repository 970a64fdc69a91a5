"""Incident pages: read, shown, and proven to be right."""
