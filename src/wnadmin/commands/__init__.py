"""One module a noun: bodies that look, and describe what to do."""
