"""Who is connected, and what of them a login can see."""
