"""Texts of queries may hold personal data: reading them is recorded before they are shown."""

from __future__ import annotations

import pytest

from tests.support import Cli, Server


@pytest.mark.parametrize("words", [("sessions", "list"), ("locks", "tree"), ("locks", "waits")])
def test_texts_are_recorded_before_they_are_shown(
    server: Server, fresh_db: str, cli: Cli, words: tuple[str, str]
) -> None:
    dsn = server.dsn(fresh_db)
    cli.run("audit", "log", "--dsn", dsn)
    # Neither the ledger nor the spool can be written any more.
    with server.session(fresh_db) as session:
        session.run("ALTER TABLE audit.operator_ledger RENAME TO elsewhere")
    spool = cli.state / "ledger-spool.jsonl"
    spool.unlink(missing_ok=True)
    spool.mkdir(parents=True)
    shown = cli.run(*words, "--dsn", dsn)
    assert shown.code == 0, shown.err
    refused = cli.run(*words, "--show-queries", "--dsn", dsn)
    assert refused.code != 0
    assert refused.out == ""
