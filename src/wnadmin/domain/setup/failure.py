"""Where in a file a script failed: the statement, its line, and the words for the operator."""

from __future__ import annotations

import re

from wnadmin.domain.setup.bundle import SetupFile
from wnadmin.domain.setup.scan import Lines, tokens
from wnadmin.domain.setup.split import Statement, split, statement_at
from wnadmin.errors import Failed
from wnadmin.postgres.session import ScriptResult

_BLOCK_LINE = re.compile(r"inline_code_block line (\d+)")


def failed(file: SetupFile, result: ScriptResult) -> Failed:
    """Make the error of a script that stopped; ``result.error`` must be there.

    The server counts completed statements and sometimes gives a position; a syntax error comes before the first
    statement runs, so that the position is then all there is.
    """
    error = result.error
    if error is None:
        raise ValueError("the script did not fail")
    if error.sqlstate is None:
        return Failed(f"{file.name}: {error.what}", why=error.why, next=error.next)
    statements = split(file.text)
    lines = Lines(file.text)
    statement, line = None, 0
    if result.position is not None:
        statement = statement_at(statements, result.position - 1)
        line = lines.at(result.position - 1)
    elif result.completed < len(statements):
        statement = statements[result.completed]
        line = _line_inside(statement, result.context)
    where = f"{file.name}:{line}" if line else file.name
    reasons = [f"SQLSTATE {error.sqlstate}", *result.context.splitlines()[:1]]
    if statement is not None:
        reasons.append(f"in the statement that begins on line {statement.line}:\n{statement.excerpt()}")
    return Failed(
        f"{where}: {error.what}",
        why="\n".join(reasons),
        next=error.next or "All of it was rolled back: the database is as it was.",
        sqlstate=error.sqlstate,
    )


def _line_inside(statement: Statement, context: str) -> int:
    """The line that a DO block's error names is counted from the opening of its dollar quote."""
    inside = _BLOCK_LINE.search(context)
    if inside is None or statement.words[:1] != ("DO",):
        return statement.line
    for token in tokens(statement.text):
        if token.kind == "dollar":
            return statement.line + statement.text.count("\n", 0, token.start) + int(inside[1]) - 1
    return statement.line
