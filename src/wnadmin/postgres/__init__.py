"""The only door to psycopg: targets, sessions, bundled statements, the embedded server."""
