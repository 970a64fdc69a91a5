"""A profile of production is judged harder, and the server that is the same by another name is not."""

from __future__ import annotations

from tests.health.support import DB, Health, found, settings
from tests.support import Cli, Server


def test_without_an_archive_production_is_warned(health: Health, place: Server, cli: Cli) -> None:
    words = ("--only", "archiver", "--format", "json", "-p", "trap")
    for extra, severity, code in (("production = true", "warn", 3), ("", "ok", 0)):
        settings(cli.folder, primary=place.dsn(DB), extra=extra)
        ran = health(*words)
        (one,) = found(ran)
        assert (one["severity"], ran.code) == (severity, code), one
        assert one["detail"].startswith("archiving is off")
