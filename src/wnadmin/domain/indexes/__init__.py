"""Indexes: which may go, which must stay, which are missing, and how each of these is known."""
