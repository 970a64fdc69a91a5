"""Tables: how big, how bloated, how far behind with vacuum."""
