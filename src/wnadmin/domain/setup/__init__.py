"""Making the WonderNest database and proving that it was made.

``names`` says what is WonderNest's; ``flyway`` the migration history; ``scan``, ``split`` and ``lint`` read SQL
files; ``bundle`` holds the files that will run; ``catalog`` and ``compare`` say what a database is and how it
differs from what it should be; ``classify`` judges a target; ``run`` makes the plan of ``setup apply``;
``verify`` proves; ``status`` tells.
"""
