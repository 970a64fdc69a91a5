"""The one map from the driver's errors to wnadmin's.

``str(psycopg.Error)`` may quote the statement and its values, so only ``diag`` fields are used, and the
callers raise ``from None``.
"""

from __future__ import annotations

import psycopg

from wnadmin.errors import Blind, CutOff, Failed, NoConnection, Refused, ServerError, Vanished, WnError

_HIDDEN_BY_RLS = "row-level security"

# Of a relation dropped between two looks of one statement; internal errors, which no server translates.
_GONE = ("could not open relation with OID", "cache lookup failed for ")

_NEXT_BY_STATE = {
    "25006": "Point the command at the primary, or end read-only mode first.",
    "40001": "Run the command again; another transaction changed the same rows.",
    "40P01": "Run the command again; the server broke a deadlock.",
    "53100": "Free disk space on the server, then run the command again.",
    "53200": "Raise max_locks_per_transaction or free memory on the server.",
    "55P03": "See who holds the lock with `wnadmin locks tree`, then run the command again.",
}


def explain(error: psycopg.Error, doing: str = "") -> WnError:
    """Turn a driver error into a WnError that quotes no statement and no value.

    ``doing`` says what was attempted, for the first line.
    """
    state = error.sqlstate
    if isinstance(error, psycopg.OperationalError) and state is None:
        return Failed(
            f"{doing or 'the statement'}: the connection to the server was lost".lstrip(": "),
            why="The server ended or the network broke while the statement ran.",
            next="Check the server with `wnadmin server status` or pg_isready, then `wnadmin audit unfinished`.",
        )
    primary = _safe(error, state)
    what = f"{doing}: {primary}" if doing else primary
    why = f"SQLSTATE {state}" if state else ""
    follow = _NEXT_BY_STATE.get(state or "", "")
    if state == "42501":
        if _HIDDEN_BY_RLS in (error.diag.message_primary or ""):
            return Blind(
                what,
                why="Row-level security hides rows from this login.",
                next="Log in as a role with BYPASSRLS or as a superuser.",
                sqlstate=state,
            )
        return Blind(what, why=why, next="Log in as a role that has this privilege.", sqlstate=state)
    if state in ("42P01", "42704", "3F000", "42883", "58P01") or (state == "XX000" and primary.startswith(_GONE)):
        return Vanished(what, why=why, next=follow, sqlstate=state)
    if state in ("57014", "55P03"):
        return CutOff(what, why=why, next=follow, sqlstate=state)
    if state is not None and state.startswith(("08", "57P")):
        return Failed(what, why=why, next="Check the server, then `wnadmin audit unfinished`.", sqlstate=state)
    return ServerError(what, why=why, next=follow, sqlstate=state)


def _safe(error: psycopg.Error, state: str | None) -> str:
    # Class 22 and 23 messages quote the offending value in `detail`, never in the primary message,
    # except invalid_text_representation (22P02), which quotes it in the primary one.
    if state == "22P02":
        return "a value has the wrong form for its type"
    return error.diag.message_primary or error.__class__.__name__


def explain_connect(error: psycopg.Error, where: str, source: str) -> WnError:
    """Turn a failed connection attempt into NoConnection, with the next thing to try."""
    state, text = error.sqlstate, str(error)
    # A connection error quotes no statement: its text is libpq's own and names host, port, user and database.
    reason = " ".join(line.strip() for line in text.splitlines() if line.strip())
    follow = "Check host, port and that the server runs: pg_isready, or `wnadmin server status`."
    if "password authentication failed" in text or "no password supplied" in text:
        follow = "Check the password in ~/.pgpass, the service file or PGPASSWORD."
    elif "does not exist" in text and "database" in text:
        follow = "Create it with `wnadmin setup apply --create`, or name another with --dsn 'dbname=…'."
    elif "does not exist" in text and "role" in text:
        follow = "Name a role that exists: --dsn 'user=… dbname=…'."
    elif "permission denied for database" in text:
        follow = "Let the role in: GRANT CONNECT ON DATABASE … TO …, or log in as another role."
    elif "not currently accepting connections" in text:
        follow = "This database lets nobody in (datallowconn); name another with --dsn 'dbname=…'."
    elif "invalid value for parameter" in text:
        follow = "Correct the setting in the profile, or in `options` of the connection string."
    elif "too many connections for role" in text or "too many connections for database" in text:
        follow = "Its CONNECTION LIMIT is reached: `wnadmin connections list` as another role shows who holds them."
    elif "sorry, too many clients already" in text:
        follow = "Not one slot is left, also no reserved one: end clients at the pooler or the application first."
    elif "too many" in text or "remaining connection slots" in text:
        follow = "All connection slots are taken; log in as a role that may use the reserved ones."
    elif "no pg_hba.conf entry" in text:
        follow = "Add a line for this host, user and database to pg_hba.conf and reload the server."
    return NoConnection(
        f"cannot connect to {where}",
        why=f"{reason} (connection taken from {source})",
        next=follow,
        sqlstate=state,
    )


def refuse_standby(doing: str, primary: str) -> Refused:
    """The error for a change pointed at a standby; ``primary`` is libpq's sender host, or ''."""
    follow = f"Point it at the primary: {primary}." if primary else "Point it at the primary."
    return Refused(
        f"{doing} changes data, and this server is a standby", why="pg_is_in_recovery() is true.", next=follow
    )
