"""What a migration file must and must not hold, before it is let near a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wnadmin.domain.setup import flyway
from wnadmin.domain.setup.classify import FIRST
from wnadmin.domain.setup.glance import ALONE
from wnadmin.domain.setup.lint import Problem, lint
from wnadmin.domain.setup.migrations import Migration
from wnadmin.domain.setup.scan import tokens
from wnadmin.domain.setup.split import Statement, split

ADVICE: Final = frozenset({"lock-timeout"})
"""Rules whose breach is told and stops nothing: wnadmin itself sets what the file leaves out."""

_ALONE_RULE: Final = "not-in-transaction"
_CHANGES: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "DROP", "ALTER")


def look(one: Migration) -> list[Problem]:
    """List what is wrong with a file, by line. V001 is older than these rules and is held to the lexical ones."""
    found = lint(one.script, one.text)
    if not one.in_transaction:
        found = [problem for problem in found if problem.rule != _ALONE_RULE]
    if one.version == FIRST:
        return found
    more = [Problem(one.script, line, rule, message) for line, rule, message in (*_header(one), *_body(one))]
    return sorted(dict.fromkeys([*found, *more]), key=lambda problem: (problem.line, problem.rule))


def stops(found: list[Problem]) -> list[Problem]:
    """Leave out what is only advice."""
    return [one for one in found if one.rule not in ADVICE]


def _header(one: Migration) -> Iterator[tuple[int, str, str]]:
    head = one.header
    if head.transaction.lower() not in ("", "yes", "no"):
        yield head.line("transaction"), "header", f"`-- transaction: {head.transaction}` is neither yes nor no"
    if head.role.lower() not in ("", "owner", "superuser"):
        yield head.line("role"), "header", f"`-- role: {head.role}` is neither owner nor superuser"
    if one.version is None:
        return
    line = head.line("rollback")
    if head.rollback:
        # The way back runs as the way there: in one transaction, or statement by statement.
        wrong = lint(one.script, head.rollback)
        if not one.in_transaction:
            wrong = [problem for problem in wrong if problem.rule != _ALONE_RULE]
        for problem in wrong:
            yield line, "rollback", f"the rollback procedure: {problem.message}"
        if not wrong and not split(head.rollback):
            yield line, "rollback", "the rollback procedure holds no statement"
    elif "rollback" in dict(head.lines) and not head.irreversible:
        yield line, "rollback", "the rollback procedure is empty; if there is none: `-- rollback: none: WHY`"
    elif not head.irreversible:
        yield 1, "rollback", "the header has no `-- rollback:` procedure; if there is none: `-- rollback: none: WHY`"


def _body(one: Migration) -> Iterator[tuple[int, str, str]]:
    statements = split(one.text)
    if not any(_sets_lock_timeout(statement) for statement in statements):
        yield 1, "lock-timeout", "it sets no lock_timeout, so psql and Flyway would wait for locks without end"
    for statement in statements:
        if not one.as_superuser and _takes_a_role(statement):
            yield (
                statement.line,
                "role",
                "it changes who runs the rest, and so who owns what that makes; if a superuser must run it: "
                "`-- role: superuser` in the header",
            )
        if _writes_history(statement):
            yield statement.line, "history-table", f"it changes {flyway.TABLE}, which only whoever migrates writes"
    if one.in_transaction:
        if all(statement.words[:1] == ("SET",) for statement in statements):
            yield 1, "empty", "there is no statement in it but settings, so it would be recorded and change nothing"
        return
    work = [statement for statement in statements if statement.words[:1] != ("SET",)]
    for statement in work:
        if not stands_alone(statement):
            name = " ".join(statement.words[:2])
            yield statement.line, "mixed", f"{name} can run in a transaction; give it a file of its own"
    if not work:
        yield 1, "mixed", "nothing in it needs to run without a transaction"
    for statement in work[1:]:
        yield (
            statement.line,
            "one-statement",
            "a file without a transaction holds one statement, so that one that was cut off is done or not done",
        )


def _takes_a_role(statement: Statement) -> bool:
    words = [word for word in statement.words[:4] if word != "LOCAL"]
    if words[:1] not in (["SET"], ["RESET"]):
        return False
    return words[1:2] == ["ROLE"] or words[1:3] in (["SESSION", "ROLE"], ["SESSION", "AUTHORIZATION"])


def _writes_history(statement: Statement) -> bool:
    if not statement.words or statement.words[0] not in _CHANGES:
        return False
    return any(
        token.text.strip('"').lower() == flyway.TABLE
        for token in tokens(statement.text)
        if token.kind in ("word", "quoted")
    )


def stands_alone(statement: Statement) -> bool:
    """Whether the statement cannot run in a transaction."""
    line = " ".join(statement.words)
    return any(re.match(pattern, line) for pattern, _ in ALONE)


def _sets_lock_timeout(statement: Statement) -> bool:
    words = [word for word in statement.words if word not in ("LOCAL", "SESSION")]
    return words[:2] == ["SET", "LOCK_TIMEOUT"]
