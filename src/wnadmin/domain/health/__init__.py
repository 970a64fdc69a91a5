"""Health: checks declared as files, one judge for all of them, blindness as a result."""
