"""WAL and its archive: what the server says, what the folder holds, what other tools know, and the way back in time.

A *folder* is where ``archive_command`` puts its files; a *chain* is the way from a base backup through segments and
timelines to a moment.
"""
